"""A simulated site before its cameras: pictures with their truth, at any moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import numpy as np

from cameras.simulation.atlas import Picture
from cameras.simulation.lights import make_light
from cameras.simulation.optics import Camera
from cameras.simulation.place import build_place
from cameras.simulation.renderer import Moment, Placed, Renderer, Shot
from cameras.simulation.sensor import Sensor
from cameras.simulation.settings import SimulatedCamera, Simulation
from cameras.simulation.stills import Still
from cameras.simulation.surroundings import build_surroundings
from cameras.simulation.timetable import Timetable, timetable
from cameras.simulation.truth import FrameTruth, observe
from cameras.simulation.world import PosedPerson, World
from pipeline.types import ImageArray

SUBFRAMES: Final = 3
"""Pictures of which a smeared one is the mean; each stands for a third of the shutter's time."""


@dataclass(frozen=True, eq=False, slots=True)
class Capture:
    """What a camera takes at a moment.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        truth: What is truly to be seen in it.
        owner: (H, W) uint16: whose each pixel is; 0 nobody's.
    """

    image: ImageArray
    truth: FrameTruth
    owner: np.ndarray


@dataclass(frozen=True, eq=False, slots=True)
class _Station:
    """A camera with all that makes its pictures."""

    times: Timetable
    camera: Camera
    sensor: Sensor
    shutter_seconds: float


@dataclass(frozen=True, eq=False, slots=True)
class _Instant:
    """The site at a time."""

    people: Sequence[PosedPerson]
    moment: Moment


class Scene:
    """A simulated site, rendered; belongs to the thread that made it.

    Raises:
        UserError: The simulation cannot be: nobody can walk there, a lens folds its picture, or
            there is no OpenGL.
    """

    def __init__(self, simulation: Simulation) -> None:
        self._duration_seconds = simulation.duration_seconds
        self._stations = {camera.id: _station(simulation, camera) for camera in simulation.cameras}
        self.world = World(simulation)
        self._instants: dict[float, _Instant] = {}
        self._renderer = Renderer()
        scenery = (
            Placed(self._renderer.add(*build_place(simulation))),
            Placed(self._renderer.add(*build_surroundings(simulation)), casts=False),
        )
        self._stage = self._renderer.stage(scenery, make_light(simulation.light))
        self._models = {
            identity: self._renderer.add(dressed.mesh, dressed.materials)
            for identity, dressed in self.world.dressed.items()
        }

    def __enter__(self) -> "Scene":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._renderer.close()

    def frame(self, camera_id: str, index: int) -> Capture:
        """Picture `index` of a camera."""
        return self.frames([(camera_id, index)])[0]

    def frames(self, wanted: Sequence[tuple[str, int]]) -> list[Capture]:
        """Pictures by camera and index, in the order asked for.

        Those of one moment are taken together: bodies are posed and shadows cast once.
        """
        stations = [self._stations[camera_id] for camera_id, _ in wanted]
        times = [
            self._exposures(station, index)
            for station, (_, index) in zip(stations, wanted, strict=True)
        ]
        # Those of the last call are kept: it may have been another camera's at the same time.
        instants = {time: self._instant(time) for time in {time for each in times for time in each}}
        self._instants = instants
        order = sorted((time, row) for row, each in enumerate(times) for time in each)
        pictures = self._renderer.draw(
            [Shot(instants[time].moment, stations[row].camera.view) for time, row in order]
        )
        taken: list[list[Picture]] = [[] for _ in wanted]
        for (_, row), picture in zip(order, pictures, strict=True):
            taken[row].append(picture)
        return [
            self._develop(station, index, instants[each[len(each) // 2]].people, exposures)
            for station, (_, index), each, exposures in zip(
                stations, wanted, times, taken, strict=True
            )
        ]

    def still(self, camera_id: str) -> Still:
        """What a camera sees of the place without people."""
        view = self._stations[camera_id].camera.view
        if view not in self._stage.stills:
            self._renderer.draw([Shot(self._stage.at(()), view)])
        return self._stage.stills[view]

    def _exposures(self, station: _Station, index: int) -> list[float]:
        """Times in seconds, in order: one, or `SUBFRAMES` spread over the shutter's time."""
        middle = station.times.true_seconds(index)
        if not station.shutter_seconds:
            return [middle]
        steps = (np.arange(SUBFRAMES) - SUBFRAMES // 2) / SUBFRAMES
        times: list[float] = np.clip(
            middle + station.shutter_seconds * steps, 0, self._duration_seconds
        ).tolist()
        return times

    def _instant(self, time_s: float) -> _Instant:
        if time_s in self._instants:
            return self._instants[time_s]
        people = self.world.people_at(time_s)
        placed = [
            Placed(self._models[one.identity], one.identity, one.positions, one.normals)
            for one in people
        ]
        return _Instant(people, self._stage.at(placed))

    def _develop(
        self,
        station: _Station,
        index: int,
        people: Sequence[PosedPerson],
        exposures: Sequence[Picture],
    ) -> Capture:
        """The picture through lens and sensor, and the truth of the middle exposure."""
        camera = station.camera
        image = station.sensor(camera.distort(_mean([one.image for one in exposures])), index)
        owner = camera.distort(exposures[len(exposures) // 2].owner, nearest=True)
        return Capture(image, observe(camera, people, self.world.dressed, owner), owner)


def _station(simulation: Simulation, camera: SimulatedCamera) -> _Station:
    return _Station(
        timetable(simulation, camera),
        Camera(camera),
        Sensor(camera, simulation.light, simulation.seed),
        camera.shutter_ms / 1000,
    )


def _mean(images: Sequence[ImageArray]) -> ImageArray:
    if len(images) == 1:
        return images[0]
    total = np.sum(images, axis=0, dtype=np.uint16)
    return np.asarray((total + len(images) // 2) // len(images), np.uint8)
