"""Clips to train a person's re-identification with, straight from the renderer.

A clip is what detector and tracker would cut of one passage of a person through the picture of one
camera: at the camera's own resolution, through its lens, noise and compression, in boxes that
shake, now and then half hidden. Only those parts of the pictures are rendered.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from cameras.simulation.cast import Actor, Cast
from cameras.simulation.exposure import exposed
from cameras.simulation.gait import stride_m
from cameras.simulation.lights import Light, make_light
from cameras.simulation.optics import Camera, View
from cameras.simulation.passages import Stage, Walk, make_stage, walk_by
from cameras.simulation.random_sites import pieces
from cameras.simulation.renderer import Moment, Placed, Renderer, Shot
from cameras.simulation.sensor import Sensor
from cameras.simulation.world import PosedPerson, place, pose_at
from pipeline.tracking.clips import cut
from pipeline.types import BoolArray, DoubleArray, ImageArray

Rng = np.random.Generator
Part = tuple[int, int, int, int]
"""Of a picture: x0, y0, x1, y1, pixels."""

_STAGES, _PASSAGES = 3, 4  # tell uses of the seed apart
SHADOW_SIZE: Final = 512
SHADOW_CELL_M: Final = 0.08
SHADED: Final = 0.4
"""Share of passages in the shade, by day: walls throw no shadows here, which makes those of people
sharper and cheaper."""
CASTING_M: Final = 4.0
"""Furniture this near to the person throws a shadow."""
MARGIN: Final = 0.08
MARGIN_PX: Final = 4
"""What is rendered around a person's box: for boxes that shake, and for blur across their edges."""
BOX_STEP: Final = 4
"""Of a person's vertices every so many are looked at: boxes shake by more than lies between."""
SHAKE: Final = 0.025
"""Standard deviation of a box's place and size, as shares of its size."""
LOST: Final = 0.1
"""Where less of its box shows the person, the tracker has none."""
OTHERS: Final = 10**9
OTHERS_KNOWN: Final = 24
"""Passers-by are numbered from `OTHERS`, so that no clip is of them."""


@dataclass(frozen=True, eq=False, slots=True)
class TrainingClip:
    """One passage of a person through the picture of a camera.

    Attributes:
        identity: Who.
        camera: Before which camera.
        crops: (K, 256, 128, 3) uint8, BGR, in order of time.
        masks: (K, 256, 128) bool: where the person, with what it carries, is seen.
    """

    identity: int
    camera: int
    crops: ImageArray
    masks: BoolArray


@dataclass(frozen=True, eq=False, slots=True)
class _Station:
    """A camera in its place, ready to look."""

    stage: Stage
    light: Light
    scenery: tuple[Placed, ...]
    view: View
    sensor: Sensor
    jpeg_quality: int

    def develop(self, image: ImageArray, part: Part, frame_index: int) -> ImageArray:
        """What the camera makes of a part of its picture."""
        taken = self.sensor(image, frame_index, part[:2])
        _, jpeg = cv2.imencode(".jpg", taken, (cv2.IMWRITE_JPEG_QUALITY, self.jpeg_quality))
        return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


class ClipStudio:
    """Makes clips of any person before any camera; belongs to the thread that made it.

    A clip follows from the seed, the settings and its three numbers, whatever was made before.
    Dressing a person or building a camera's place takes as long as several clips: ask for few at a
    time, or keep many.

    Args:
        seed: Everything random follows from it.
        frames: K, crops in a clip.
        alike: Share of persons in uniforms, `cast.ALIKE` to each: hard negatives.
        people_kept: How many persons stay dressed in memory.
        cameras_kept: How many cameras stay in memory, some 10 MB each.

    Raises:
        RenderingError: There is no OpenGL.
    """

    def __init__(
        self,
        seed: int,
        frames: int = 8,
        alike: float = 0.0,
        people_kept: int = 256,
        cameras_kept: int = 32,
    ) -> None:
        self._seed, self._frames, self._cameras_kept = seed, frames, cameras_kept
        self._renderer = Renderer(SHADOW_SIZE, SHADOW_CELL_M)
        self._cast = Cast(self._renderer, seed, alike, people_kept)
        self._stations: OrderedDict[int, _Station] = OrderedDict()

    def __enter__(self) -> "ClipStudio":
        return self

    def __exit__(self, *_: object) -> None:
        self._renderer.close()

    def clip(self, identity: int, camera: int, passage: int = 0) -> TrainingClip:
        """A passage of a person through the picture of a camera.

        Args:
            identity: Number of the person, from 0 and below `OTHERS`.
            camera: Number of the camera, from 0.
            passage: Which of its passages there, from 0.
        """
        if not 0 <= identity < OTHERS:
            raise ValueError(f"identity: expected at least 0 and below {OTHERS}, got {identity}")
        rng = np.random.default_rng([self._seed, _PASSAGES, identity, camera, passage])
        station = self._station(camera)
        lens = station.stage.camera
        walks = walk_by(rng, station.stage, self._frames)
        others = OTHERS + rng.integers(OTHERS_KNOWN, size=len(walks) - 1)
        actors = [self._cast.actor(number) for number in (identity, *np.unique(others).tolist())]
        posed = [_pose(rng, one, walk) for one, walk in zip(actors, walks, strict=False)]
        boxes = [_box(lens, actors[0], person) for person in posed[0]]
        parts = [_part(box, lens.size) for box in boxes]
        view = _flickered(rng, station.view)
        is_shaded = rng.random() < SHADED or view.infrared
        light = replace(station.light, sun=(0, 0, 0)) if is_shaded else station.light
        scenery = _scenery(station, walks[0])
        pictures = self._renderer.draw(
            [
                Shot(_moment(light, scenery, actors, people), _partial(view, part))
                for people, part in zip(zip(*posed, strict=True), parts, strict=True)
            ]
        )
        crops, masks = [], []
        for box, part, picture in zip(boxes, parts, pictures, strict=True):
            own = (picture.owner == 1).astype(np.uint8) * 255
            tracked = _shaken(rng, box) - np.tile(part[:2], 2)
            taken = station.develop(picture.image, part, int(rng.integers(2**31)))
            crops.append(cut(taken, tracked))
            masks.append(cut(own, tracked) > 127)
        kept = _found(np.stack(masks))
        return TrainingClip(identity, camera, np.stack(crops)[kept], np.stack(masks)[kept])

    def is_infrared(self, camera: int) -> bool:
        """Whether a camera's pictures are grey, under its own lamp."""
        return self._station(camera).view.infrared

    def _station(self, camera: int) -> _Station:
        if camera not in self._stations:
            stage = make_stage((self._seed, _STAGES, camera))
            rng = np.random.default_rng([self._seed, _STAGES, camera])
            light = make_light(stage.site.light)
            scenery = tuple(Placed(self._renderer.add(*piece)) for piece in pieces(stage.site))
            self._stations[camera] = _Station(
                stage,
                light,
                scenery,
                exposed(self._renderer, scenery, light, stage.camera.view),
                Sensor(stage.site.cameras[0], stage.site.light, stage.site.seed),
                int(rng.integers(45, 92)),
            )
        self._stations.move_to_end(camera)
        if len(self._stations) > self._cameras_kept:
            self._stations.popitem(last=False)
        return self._stations[camera]


def _pose(rng: Rng, actor: Actor, walk: Walk) -> list[PosedPerson]:
    """The person at each moment of its walk."""
    began = float(rng.uniform(0, 100))
    cycles = began + walk.metres / stride_m(walk.moments[0].speed, actor.gait)
    return [
        place(actor.dressed, 1, pose_at(moment, cycle, began + second, actor.gait), moment)
        for moment, cycle, second in zip(walk.moments, cycles.tolist(), walk.seconds, strict=True)
    ]


def _scenery(station: _Station, walk: Walk) -> list[Placed]:
    """The place; what of it is near enough throws shadows."""
    places = np.array([moment.position for moment in walk.moments])
    furniture = zip(station.scenery[1:], station.stage.site.furniture, strict=True)
    return [replace(station.scenery[0], casts=False)] + [
        replace(one, casts=bool(np.abs(places - thing.position).max(axis=1).min() < CASTING_M))
        for one, thing in furniture
    ]


def _moment(
    light: Light, scenery: Sequence[Placed], actors: Sequence[Actor], people: Sequence[PosedPerson]
) -> Moment:
    """The person, number 1, and those beside it, in the place."""
    placed = (
        Placed(actor.model, number, person.positions, person.normals)
        for number, (actor, person) in enumerate(zip(actors, people, strict=False), start=1)
    )
    return Moment(light, (*placed, *scenery))


def _box(camera: Camera, actor: Actor, person: PosedPerson) -> DoubleArray:
    """The whole person in the picture, xyxy (4,), as a detector sees it: inside the picture."""
    is_drawn = actor.dressed.is_person & (actor.dressed.mesh.cut <= 0)
    pixels, _ = camera.project(person.positions[is_drawn][::BOX_STEP])
    box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)]) + 0.5
    return np.asarray(np.clip(box, 0, np.tile(camera.size, 2)))


def _part(box: DoubleArray, size: tuple[int, int]) -> Part:
    """What to render for a box."""
    margin = MARGIN * (box[2:] - box[:2]) + MARGIN_PX
    limits = np.array(size)
    x0, y0 = np.clip(np.floor(box[:2] - margin), 0, limits - 1).astype(int).tolist()
    x1, y1 = np.clip(np.ceil(box[2:] + margin), (x0 + 1, y0 + 1), limits).astype(int).tolist()
    return x0, y0, x1, y1


def _partial(view: View, part: Part) -> View:
    """The view of a part of the picture."""
    x0, y0, x1, y1 = part
    intrinsics = view.intrinsics - np.array([[0, 0, x0], [0, 0, y0], [0, 0, 0]])
    return replace(view, intrinsics=intrinsics, size=(x1 - x0, y1 - y0))


def _flickered(rng: Rng, view: View) -> View:
    """Exposure and white balance as they are at the time."""
    red, green, blue = np.array(view.gain) * 2 ** rng.normal(0, 0.2) * 2 ** rng.normal(0, 0.04, 3)
    return replace(view, gain=(float(red), float(green), float(blue)))


def _shaken(rng: Rng, box: DoubleArray) -> DoubleArray:
    """The box as a tracker has it."""
    size = np.tile(box[2:] - box[:2], 2)
    outward = np.array((-1, -1, 1, 1)) * rng.normal(SHAKE, SHAKE)
    return np.asarray(box + size * (outward + np.tile(rng.normal(0, SHAKE, 2), 2)))


def _found(masks: BoolArray) -> list[int]:
    """For each frame itself, or the nearest in which more than `LOST` shows the person."""
    share = masks.mean(axis=(1, 2))
    found = np.flatnonzero(share >= min(LOST, share.max()))
    frames = np.arange(len(masks))
    nearest = np.abs(frames[:, None] - found).argmin(axis=1)
    kept: list[int] = found[nearest].tolist()
    return kept
