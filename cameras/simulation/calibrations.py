"""Calibrations of simulated cameras, known exactly: no file needs to say them."""

import yaml

from cameras.simulation.optics import Camera
from cameras.simulation.settings import load_simulation
from cameras.simulation.timetable import camera_of
from pipeline.calibration import read_calibration
from pipeline.config import SimulationCamera, Site
from pipeline.types import Calibration


def simulated_calibrations(site: Site) -> dict[str, Calibration]:
    """The calibration of each simulated camera of a site, by camera id.

    Raises:
        UserError: A simulation file is malformed, or has no camera of that id.
    """
    return {
        camera.id: _calibration(camera)
        for camera in site.cameras
        if isinstance(camera, SimulationCamera)
    }


def _calibration(camera: SimulationCamera) -> Calibration:
    simulation = load_simulation(camera.simulation)
    optics = Camera(camera_of(simulation, camera.id, camera.simulation))
    return read_calibration(yaml.safe_load(optics.calibration_text()))
