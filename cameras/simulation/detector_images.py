"""Whole pictures of random sites with their truth, to train a detector of people with."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from cameras.simulation.cast import Actor, Cast
from cameras.simulation.exposure import exposed
from cameras.simulation.lights import Light, make_light
from cameras.simulation.optics import Camera, View
from cameras.simulation.place import build_place
from cameras.simulation.random_sites import is_free, obstacles, random_site
from cameras.simulation.renderer import Moment, Placed, Renderer, Shot
from cameras.simulation.sensor import Sensor
from cameras.simulation.settings import Simulation
from cameras.simulation.surroundings import build_surroundings
from cameras.simulation.truth import FrameTruth, observe
from cameras.simulation.visits import Activity
from cameras.simulation.visits import Moment as Doing
from cameras.simulation.world import PosedPerson, place, pose_at
from pipeline.errors import SettingsError
from pipeline.types import DoubleArray, ImageArray

Rng = np.random.Generator

_SITES, _IMAGES = 5, 6  # tell uses of the seed apart
IMAGES_PER_SITE: Final = 8
MOST_PEOPLE: Final = 25
APART_M: Final = 0.5
WALKING: Final = 0.65
SEATED: Final = 0.6
"""Share of seats that are taken."""
FAR_FROM_CHANGE_S: Final = 60.0
OUT_OF_VIEW: Final = 0.15
"""Share of places out of view where people may be."""
LEAST_VISIBLE: Final = 0.15
LEAST_PX: Final = 8.0


@dataclass(frozen=True, eq=False, slots=True)
class DetectorImage:
    """A picture (H, W, 3) uint8 BGR as a camera delivers it, and what is to be seen in it."""

    image: ImageArray
    truth: FrameTruth

    def boxes(self) -> DoubleArray:
        """(N, 4) xyxy around what is seen of each person, as people draw boxes in photographs.

        People of whom next to nothing is seen are left out.
        """
        truth = self.truth
        tall = truth.visible_boxes[:, 3] - truth.visible_boxes[:, 1]
        boxes: DoubleArray = truth.visible_boxes[
            (truth.visibility >= LEAST_VISIBLE) & (tall >= LEAST_PX)
        ]
        return boxes


@dataclass(frozen=True, eq=False, slots=True)
class _Station:
    """A random site with its camera, ready to look."""

    number: int
    site: Simulation
    camera: Camera
    sensor: Sensor
    light: Light
    scenery: tuple[Placed, ...]
    view: View


class ImageStudio:
    """Makes detector images by number; belongs to the thread that made it.

    An image follows from the seed and its number, whatever was made before.
    `IMAGES_PER_SITE` neighbours show one site with different people: ask for them in order.

    Args:
        seed: Everything random follows from it.
        people_known: How many different persons there are; they stay dressed in memory.
        surroundings: Whether trees and houses lie around the sites.

    Raises:
        RenderingError: There is no OpenGL.
    """

    def __init__(self, seed: int, people_known: int = 300, surroundings: bool = True) -> None:
        self._seed, self._people_known = seed, people_known
        self._surroundings = surroundings
        self._renderer = Renderer()
        self._cast = Cast(self._renderer, seed, alike=0.1, kept=people_known)
        self._last: _Station | None = None

    def __enter__(self) -> "ImageStudio":
        return self

    def __exit__(self, *_: object) -> None:
        self._renderer.close()

    def image(self, number: int) -> DetectorImage:
        """One image, number from 0."""
        rng = np.random.default_rng([self._seed, _IMAGES, number])
        station = self._station(number // IMAGES_PER_SITE)
        doings = _crowd(rng, station.site, station.camera)
        known = rng.choice(self._people_known, len(doings), replace=False).tolist()
        actors = [self._cast.actor(identity) for identity in known]
        people = [
            _posed(rng, row, actor, doing)
            for row, (actor, doing) in enumerate(zip(actors, doings, strict=True), start=1)
        ]
        placed = [
            Placed(actor.model, person.identity, person.positions, person.normals)
            for actor, person in zip(actors, people, strict=True)
        ]
        moment = Moment(station.light, (*station.scenery, *placed))
        camera = station.camera
        (picture,) = self._renderer.draw([Shot(moment, station.view)])
        owner = camera.distort(picture.owner, nearest=True)
        taken = station.sensor(camera.distort(picture.image), number)
        dressed = {row: actor.dressed for row, actor in enumerate(actors, start=1)}
        quality = (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95)))
        image = cv2.imdecode(cv2.imencode(".jpg", taken, quality)[1], cv2.IMREAD_COLOR)
        return DetectorImage(np.asarray(image, np.uint8), observe(camera, people, dressed, owner))

    def _station(self, number: int) -> _Station:
        if self._last is None or self._last.number != number:
            site, camera = _site(np.random.default_rng([self._seed, _SITES, number]))
            light = make_light(site.light)
            scenery = self._scenery(site)
            self._last = _Station(
                number,
                site,
                camera,
                Sensor(site.cameras[0], site.light, site.seed),
                light,
                scenery,
                exposed(self._renderer, scenery, light, camera.view),
            )
        return self._last

    def _scenery(self, site: Simulation) -> tuple[Placed, ...]:
        place = Placed(self._renderer.add(*build_place(site)))
        if not self._surroundings:
            return (place,)
        near = site.model_copy(update={"floors": site.floors[-1:]})  # not beyond the street
        return place, Placed(self._renderer.add(*build_surroundings(near)), casts=False)


def write_yolo(images: Iterable[DetectorImage], folder: Path) -> int:
    """Write `images/N.jpg` and `labels/N.txt` as YOLO is trained on; returns how many."""
    count = 0
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for count, one in enumerate(images, start=1):
        height, width = one.image.shape[:2]
        _, jpeg = cv2.imencode(".jpg", one.image)
        (folder / "images" / f"{count:06}.jpg").write_bytes(jpeg.tobytes())
        boxes = one.boxes()
        middles, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
        rows = np.hstack([middles, sizes]) / (width, height, width, height)
        lines = (f"0 {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for x, y, w, h in rows.tolist())
        (folder / "labels" / f"{count:06}.txt").write_text("".join(lines))
    return count


def _site(rng: Rng) -> tuple[Simulation, Camera]:
    """A random site; where its lens would fold the picture, the next."""
    while True:
        site = random_site(rng)
        try:
            return site, Camera(site.cameras[0])
        except SettingsError:
            continue


def _crowd(rng: Rng, site: Simulation, camera: Camera) -> list[Doing]:
    """Up to `MOST_PEOPLE` who sit on seats, stand, or walk about, most of them in view."""
    seats = [one for one in site.furniture if one.kind in ("bench", "chair")]
    doings = [
        _doing(np.array(seat.position), np.radians(seat.heading_degrees), 0.0, Activity.SIT)
        for seat in seats
        if rng.random() < SEATED
    ]
    x0, y0, x1, y1 = site.floors[-1].area
    points = rng.uniform((x0, y0), (x1, y1), (500, 2))
    pixels, _ = camera.project(np.column_stack([points, np.ones(len(points))]))
    is_seen = ((pixels >= 0) & (pixels < camera.size)).all(axis=1)
    points = points[is_seen | (rng.random(len(points)) < OUT_OF_VIEW)]
    wanted = round(MOST_PEOPLE * float(rng.random()) ** 1.6)
    for point in points[is_free(site, obstacles(site), points)]:
        if len(doings) >= wanted:
            break
        if all(np.linalg.norm(point - other.position) > APART_M for other in doings):
            speed = float(rng.uniform(0.6, 1.8)) if rng.random() < WALKING else 0.0
            activity = Activity.WALK if speed else Activity.STAND
            doings.append(_doing(point, float(rng.uniform(0, 2 * np.pi)), speed, activity))
    return doings[:wanted]


def _doing(position: np.ndarray, heading: float, speed: float, activity: Activity) -> Doing:
    far = FAR_FROM_CHANGE_S
    return Doing(position, float(heading), speed, far, activity, far, far)


def _posed(rng: Rng, identity: int, actor: Actor, doing: Doing) -> PosedPerson:
    """A person at any moment of what it does."""
    pose = pose_at(doing, float(rng.random()), float(rng.uniform(0, 100)), actor.gait)
    return place(actor.dressed, identity, pose, doing)
