"""A simulated site as a live source: the frames that `simulate` would write, before compression."""

from collections.abc import Generator

from cameras.clock import SamplingGrid, start_us
from cameras.onepass import OnePass
from cameras.simulation.scene import Scene
from cameras.simulation.settings import Simulation, load_simulation
from cameras.simulation.timetable import Timetable, camera_of, timetable
from pipeline.config import SimulationCamera, Site
from pipeline.timestamps import to_iso
from pipeline.types import Frame


def open_simulation(camera: SimulationCamera, site: Site) -> OnePass[Frame]:
    """The frames of a camera of a simulated site, rendered in the thread that iterates.

    Frames that the simulated camera loses are not counted, as in the videos that `simulate` writes.
    The file's `start` and the camera's `clock_offset_ms` hold where the site file gives no start.
    Pixels may differ from those of `simulate` by rounding: it draws all cameras side by side.

    Raises:
        UserError: The file is malformed, or has no camera of that id. While iterating: nothing can
            be rendered.
    """
    simulation = load_simulation(camera.simulation)
    times = timetable(simulation, camera_of(simulation, camera.id, camera.simulation))
    first_us = start_us(camera, site, to_iso(times.start_us))
    grid = SamplingGrid(site.detection.rate_hz)
    frames = _frames(simulation, camera.id, times, first_us, grid)
    return OnePass(camera.id, len(times.indices), frames)


def _frames(
    simulation: Simulation, camera_id: str, times: Timetable, first_us: int, grid: SamplingGrid
) -> Generator[Frame, None, None]:
    with Scene(simulation) as scene:
        for number, index in enumerate(times.indices.tolist()):
            timestamp_us = first_us + times.offset_us(index)
            if grid.wants(timestamp_us):
                image = scene.frame(camera_id, index).image
                yield Frame(camera_id, number, timestamp_us, image)
