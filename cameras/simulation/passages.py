"""One passage of a person before one camera of a random site: where it is at which moment."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cameras.simulation.ground import Block
from cameras.simulation.optics import Camera
from cameras.simulation.random_sites import is_free, obstacles, random_site, tall_obstacles
from cameras.simulation.settings import Simulation
from cameras.simulation.visits import Activity, Moment
from pipeline.types import BoolArray, DoubleArray

STATURE_M: Final = 1.7
HEIGHTS_PX: Final = (64, 256)
"""Smallest and tallest person in a picture that is worth a crop."""
CHEST_M: Final = 1.2
TALL_M: Final = 2.2
SIGHT_STEPS: Final = 16
INSIDE: Final = 0.88
"""Least share of a person's height inside the picture."""
FEWEST_SPOTS: Final = 40
SPOTS: Final = 3000
TICK_S: Final = 0.1
LONGEST_S: Final = 8.0
FRAME_S: Final = (0.25, 0.8)
SPEED: Final = (0.7, 1.8)
STANDING: Final = 0.12
BESIDE: Final = (0.7, 0.2, 0.1)
"""How often nobody, one or two are near."""
TOGETHER: Final = 0.5
"""Share of those who walk along with the person rather than across."""


@dataclass(frozen=True, eq=False, slots=True)
class Stage:
    """A random site, and where people can be seen on it.

    Attributes:
        site: The place, with one camera.
        camera: Which looks.
        blocks: What stands about.
        tall: What of it hides a whole person.
        spots: (N, 2) metres.
    """

    site: Simulation
    camera: Camera
    blocks: tuple[Block, ...]
    tall: tuple[Block, ...]
    spots: DoubleArray

    def is_good(self, points: DoubleArray) -> BoolArray:
        """Whether people at points (N, 2) can stand there, inside the picture and not too small."""
        head = np.column_stack([points, np.full(len(points), STATURE_M)])
        foot = head * (1, 1, 0)
        (top, depth), (bottom, _) = self.camera.project(head), self.camera.project(foot)
        width, height = self.camera.size
        tall = bottom[:, 1] - top[:, 1]
        seen = np.clip(bottom[:, 1], 0, height) - np.clip(top[:, 1], 0, height)
        with np.errstate(invalid="ignore"):
            good = (seen > INSIDE * tall) & (tall > HEIGHTS_PX[0]) & (tall < HEIGHTS_PX[1])
            good &= (np.abs(top[:, 0] - width / 2) < width / 2 - 0.1 * tall) & (depth > 1)
        return np.asarray(good & self._is_open(points), np.bool_)

    def _is_open(self, points: DoubleArray) -> BoolArray:
        """Whether points (N, 2) are free and nothing tall stands between them and the camera."""
        eye = np.array(self.site.cameras[0].position)
        # So far towards the camera the line of sight is below the top of tall things.
        share = min((TALL_M - CHEST_M) / (eye[2] - CHEST_M), 1.0)
        steps = np.linspace(0, share, SIGHT_STEPS)[:, None, None]
        sight = points + steps * (eye[:2] - points)
        is_open = is_free(self.site, self.blocks, points)
        for block in self.tall:
            is_open &= (block.distance(sight) > 0).all(axis=0)
        return is_open


@dataclass(frozen=True, eq=False, slots=True)
class Walk:
    """Where a person is at the K moments of a clip; (K,) seconds and metres that it walked."""

    moments: tuple[Moment, ...]
    seconds: DoubleArray
    metres: DoubleArray


def make_stage(seed: tuple[int, ...]) -> Stage:
    """The first of a series of random sites whose camera sees enough floor."""
    attempt = 0
    while True:
        rng = np.random.default_rng([*seed, attempt])
        site = random_site(rng, distorted=False)
        blocks, camera = obstacles(site), Camera(site.cameras[0])
        stage = Stage(site, camera, blocks, tall_obstacles(site), np.empty((0, 2)))
        x0, y0, x1, y1 = site.floors[-1].area
        points = rng.uniform((x0, y0), (x1, y1), (SPOTS, 2))
        spots = points[stage.is_good(points)]
        if len(spots) >= FEWEST_SPOTS:
            return replace(stage, spots=spots)
        attempt += 1


def walk_by(rng: np.random.Generator, stage: Stage, frames: int) -> list[Walk]:
    """A passage through a random spot in a random direction; the person's walk comes first.

    The others are near it, beside or across; where they walk nobody checks.
    """
    times = np.arange(-LONGEST_S, LONGEST_S, TICK_S)
    speed = 0.0 if rng.random() < STANDING else float(rng.uniform(*SPEED))
    centre = stage.spots[rng.integers(len(stage.spots))]
    path = _path(rng, centre, speed, times)
    first, last = _run(stage.is_good(path[:, :2]) | (times == times[len(times) // 2]))
    length = min(times[last] - times[first], frames * float(rng.uniform(*FRAME_S)))
    start = rng.uniform(times[first], times[last] - length) if last > first else times[first]
    chosen = np.linspace(start, start + length, frames)
    walks = [_walk(path, times, chosen, speed)]
    for _ in range(int(rng.choice(len(BESIDE), p=BESIDE))):
        angle, apart = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.4)
        away = apart * np.array((np.cos(angle), np.sin(angle)))
        if rng.random() < TOGETHER:
            shifted = path + np.array((*away, rng.normal(0, 0.15)))
            walks.append(_walk(shifted, times, chosen, speed))
        else:
            meeting = walks[0].moments[int(rng.integers(frames))].position + away
            own = float(rng.uniform(*SPEED))
            moved = times - times[len(times) // 2] + chosen[int(rng.integers(frames))]
            walks.append(_walk(_path(rng, meeting, own, times), moved, chosen, own))
    return walks


def _path(
    rng: np.random.Generator, centre: DoubleArray, speed: float, times: DoubleArray
) -> DoubleArray:
    """x, y and heading (T, 3) of a gentle curve through a point in the middle of the times."""
    turn = rng.normal(0, 0.12 if speed else 0.25)
    headings = rng.uniform(0, 2 * np.pi) + turn * (times if speed else np.sin(times))
    steps = speed * TICK_S * np.stack([np.cos(headings), np.sin(headings)], axis=1)
    points = np.cumsum(steps, axis=0)
    return np.column_stack([centre + points - points[len(points) // 2], headings])


def _run(good: BoolArray) -> tuple[int, int]:
    """First and last of the good ones around the middle, without a gap."""
    middle = len(good) // 2
    before, after = good[middle::-1], good[middle:]
    back = len(before) if before.all() else int(before.argmin())
    on = len(after) if after.all() else int(after.argmin())
    return middle - back + 1, middle + on - 1


def _walk(path: DoubleArray, times: DoubleArray, chosen: DoubleArray, speed: float) -> Walk:
    """The path (T, 3) of times (T,) at the chosen ones (K,)."""
    x, y, headings = (np.interp(chosen, times, column) for column in path.T)
    activity = Activity.WALK if speed else Activity.STAND
    moments = tuple(
        Moment(np.array((x_, y_)), float(heading), speed, speed * float(time), activity, 9.0, 9.0)
        for x_, y_, heading, time in zip(x, y, headings, chosen, strict=True)
    )
    return Walk(moments, chosen - times[0], speed * (chosen - times[0]))
