"""When a simulated camera takes its pictures, in truth and by its own clock."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np

from cameras.clock import exact, frame_offset_us
from cameras.simulation.settings import SimulatedCamera, Simulation
from pipeline.errors import SourceError
from pipeline.timestamps import to_us
from pipeline.types import IntArray

DROPS = 0xD20
"""Tells this use of the seed from others."""


@dataclass(frozen=True, eq=False, slots=True)
class Timetable:
    """The frames of a camera that are not lost.

    Attributes:
        indices: (T,) int64, increasing from 0: which of its pictures; lost ones are left out, the
            first is never lost.
        frame_rate: Pictures a second.
        start_us: Time of the first by the camera's own clock, microseconds UTC.
    """

    indices: IntArray
    frame_rate: Fraction
    start_us: int

    def true_seconds(self, index: int) -> float:
        """Time from the simulation's start to picture `index`, by a clock that is right."""
        return float(index / self.frame_rate)

    def offset_us(self, index: int) -> int:
        """Time from the camera's first picture to picture `index`, microseconds."""
        return frame_offset_us(index, self.frame_rate)


def timetable(simulation: Simulation, camera: SimulatedCamera) -> Timetable:
    """When a camera of the simulation takes its pictures."""
    rate = exact(camera.frame_rate)
    count = ceil(exact(simulation.duration_seconds) * rate)
    rng = np.random.default_rng([simulation.seed, DROPS, *camera.id.encode()])
    is_kept = rng.random(count) >= camera.dropped
    is_kept[0] = True
    start_us = to_us(simulation.start) + round(exact(camera.clock_offset_ms) * 1000)
    return Timetable(np.flatnonzero(is_kept), rate, start_us)


def camera_of(simulation: Simulation, camera_id: str, path: Path) -> SimulatedCamera:
    """The camera of that id in the simulation of a file; `SourceError` where there is none."""
    for camera in simulation.cameras:
        if camera.id == camera_id:
            return camera
    ids = ", ".join(camera.id for camera in simulation.cameras)
    raise SourceError(f"{path}: expected a camera with the id {camera_id}, got {ids}")
