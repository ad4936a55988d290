"""Who can be seen in a camera's pictures, and how much of them, without rendering people.

A person is an upright axis with rings around feet, hands and head, which the box is drawn around,
and a grid of points. Points that lie in the picture, before the scenery (of which one picture is
drawn) and not behind the body of somebody nearer can be seen. Poses and things carried are left
out: on three sites these boxes overlap the true ones by 77 % (IoU) on average, what is visible
differs by 6 points, and nearly nobody is seen by one way alone.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cameras.simulation.optics import Camera
from cameras.simulation.stills import Still
from cameras.simulation.timetable import Timetable
from cameras.simulation.visits import Activity, Visit
from cameras.simulation.world import World
from pipeline.types import BoolArray, DoubleArray, IntArray

RINGS: Final = ((0.0, 0.17), (0.5, 0.31), (0.98, 0.05))
"""Around feet, hands and head: at which share of the height, and how wide, metres."""
SITTING: Final = 0.77
"""Height of one who sits, of their stature."""
LEVELS: Final = 8
ASIDE_M: Final = (-0.16, 0.0, 0.16)
"""The grid: levels from feet to head, and so far to the side as the camera sees it."""
TORSO: Final = 0.7
"""Of the width of a box, what hides those behind."""
NEARER_M: Final = 0.3
"""Whose depth is less by so much hides the other."""
NEAREST_M: Final = 0.8


@dataclass(frozen=True, eq=False, slots=True)
class Sightings:
    """R times that somebody can be seen, in order of frame and person.

    Attributes:
        frames: (R,) int64: which of the camera's pictures, from 0.
        persons: (R,) int64.
        boxes: (R, 4) float64 xyxy around what can be seen, inside the picture.
        visibility: (R,) float64 in (0, 1]: share of the person that can be seen.
    """

    frames: IntArray
    persons: IntArray
    boxes: DoubleArray
    visibility: DoubleArray

    def where(self, keep: BoolArray) -> "Sightings":
        """Those marked in keep (R,)."""
        return Sightings(
            self.frames[keep], self.persons[keep], self.boxes[keep], self.visibility[keep]
        )


@dataclass(frozen=True, eq=False, slots=True)
class _Bodies:
    """B people at moments: frames (B,), persons (B,), where (B, 2) and how high (B,), metres."""

    frames: IntArray
    persons: IntArray
    ground: DoubleArray
    heights: DoubleArray

    def where(self, keep: BoolArray) -> "_Bodies":
        return _Bodies(self.frames[keep], self.persons[keep], self.ground[keep], self.heights[keep])


def sightings(world: World, camera: Camera, times: Timetable, scenery: Still) -> Sightings:
    """Who can be seen in all pictures of a camera.

    Args:
        world: Everybody.
        camera: Which looks.
        times: When it takes its pictures.
        scenery: Its view without people.
    """
    bodies = _bodies(world, times)
    toward = bodies.ground + camera.rotation.T[:2] @ camera.translation  # from camera to person
    distance = np.maximum(np.linalg.norm(toward, axis=1, keepdims=True), 1e-6)
    right = np.stack([toward[:, 1], -toward[:, 0]], axis=1) / distance
    boxes, depths = _boxes(camera, bodies)
    inside = (depths > NEAREST_M) & _meets(boxes, camera.size)
    bodies, boxes, depths = bodies.where(inside), boxes[inside], depths[inside]
    points = _grid(bodies, right[inside])
    pixels, _ = camera.project(points.reshape(-1, 3))
    pixels = pixels.reshape(*points.shape[:-1], 2)
    seen = _is_before(scenery, points) & _is_in(pixels, camera.size)
    for rows in _frames(bodies.frames):
        seen[rows] &= ~_is_covered(pixels[rows], boxes[rows], depths[rows])
    visible = seen.any(axis=(1, 2))
    trimmed = _trimmed(boxes[visible], seen[visible], camera.size)
    found = Sightings(
        bodies.frames[visible],
        bodies.persons[visible],
        trimmed,
        seen[visible].mean(axis=(1, 2)),
    )
    return found.where((trimmed[:, 2:] - trimmed[:, :2]).min(axis=1) >= 1)


def _bodies(world: World, times: Timetable) -> _Bodies:
    """Everybody at all frames, in order of frame and person."""
    seconds = np.array([times.true_seconds(index) for index in times.indices.tolist()])
    parts = []
    for visit in world.visits:
        on = (seconds >= visit.times_s[0]) & (seconds <= visit.times_s[-1])
        mesh = world.dressed[visit.person]
        stature = float(mesh.mesh.positions[mesh.is_person, 2].max())
        parts.append((visit.person, times.indices[on], *_at(visit, seconds[on], stature)))
    if not parts:
        return _Bodies(*(np.empty(0, np.int64),) * 2, np.empty((0, 2)), np.empty(0))
    frames = np.concatenate([part[1] for part in parts])
    persons = np.concatenate([np.full(len(part[1]), part[0], np.int64) for part in parts])
    order = np.lexsort((persons, frames))
    return _Bodies(
        frames[order],
        persons[order],
        np.concatenate([part[2] for part in parts])[order],
        np.concatenate([part[3] for part in parts])[order],
    )


def _at(visit: Visit, seconds: DoubleArray, stature: float) -> tuple[DoubleArray, DoubleArray]:
    """Positions (T, 2) and heights (T,) of one visit at times (T,) within it."""
    ground = np.stack(
        [np.interp(seconds, visit.times_s, visit.positions[:, axis]) for axis in (0, 1)], axis=1
    )
    sample = np.clip(np.searchsorted(visit.times_s, seconds), 0, len(visit.times_s) - 1)
    sits = visit.activity[sample] == Activity.SIT
    return ground, np.where(sits, SITTING * stature, stature)


def _boxes(camera: Camera, bodies: _Bodies) -> tuple[DoubleArray, DoubleArray]:
    """Boxes (B, 4) around whole people, NaN where they reach behind the lens; depths (B,)."""
    angles = np.arange(8) * np.pi / 4
    directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)  # (8, 2)
    points = np.empty((len(bodies.heights), len(RINGS), len(angles), 3))
    for ring, (level, radius) in enumerate(RINGS):
        points[:, ring, :, :2] = bodies.ground[:, None] + radius * directions
        points[:, ring, :, 2] = level * bodies.heights[:, None]
    pixels, _ = camera.project(points.reshape(-1, 3))
    pixels = pixels.reshape(len(points), -1, 2) + 0.5
    middles = np.column_stack([bodies.ground, bodies.heights / 2])
    _, depths = camera.project(middles)
    return np.hstack([pixels.min(axis=1), pixels.max(axis=1)]), depths


def _meets(boxes: DoubleArray, size: tuple[int, int]) -> BoolArray:
    """Which boxes (B, 4) reach into the picture; false where they are NaN."""
    return np.asarray(((boxes[:, 2:] > 0) & (boxes[:, :2] < size)).all(axis=1))


def _grid(bodies: _Bodies, right: DoubleArray) -> DoubleArray:
    """Points (B, LEVELS, 3, 3) of bodies; rows from feet to head, columns from left to right."""
    levels = (np.arange(LEVELS) + 0.5) / LEVELS
    aside = np.array(ASIDE_M)[:, None] * right[:, None]  # (B, 3, 2)
    points = np.empty((len(right), LEVELS, len(ASIDE_M), 3))
    points[..., :2] = (bodies.ground[:, None] + aside)[:, None]
    points[..., 2] = (bodies.heights[:, None] * levels)[..., None]
    return points


def _is_before(scenery: Still, points: DoubleArray) -> BoolArray:
    """Which points (..., 3) nothing of the scenery hides."""
    clip = points @ scenery.matrix[:, :3].T + scenery.matrix[:, 3]
    before = clip[..., 3] > 0
    places = clip[..., :3] / np.where(before, clip[..., 3], 1)[..., None]
    height, width = scenery.depth.shape
    column = np.rint((places[..., 0] + 1) * width / 2 - 0.5)
    row = np.rint((places[..., 1] + 1) * height / 2 - 0.5)
    on = before & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    at = (np.where(on, row, 0).astype(int), np.where(on, column, 0).astype(int))
    return np.asarray(on & ((places[..., 2] + 1) / 2 <= scenery.depth[at]))


def _is_in(pixels: DoubleArray, size: tuple[int, int]) -> BoolArray:
    """Which pixels (..., 2) are in the picture; false where they are NaN."""
    return np.asarray(((pixels >= -0.5) & (pixels < np.array(size) - 0.5)).all(axis=-1))


def _frames(frames: IntArray) -> list[slice]:
    """The rows of each frame of more than one person."""
    starts = np.flatnonzero(np.diff(frames, prepend=-1))
    ends = np.append(starts[1:], len(frames))
    return [slice(a, b) for a, b in zip(starts.tolist(), ends.tolist(), strict=True) if b - a > 1]


def _is_covered(pixels: DoubleArray, boxes: DoubleArray, depths: DoubleArray) -> BoolArray:
    """Which points (n, L, C, 2) of people of one frame lie behind somebody nearer."""
    middle, half = (boxes[:, 0] + boxes[:, 2]) / 2, TORSO * (boxes[:, 2] - boxes[:, 0]) / 2
    x, y = pixels[..., 0][..., None], pixels[..., 1][..., None]  # (n, L, C, 1)
    behind = (np.abs(x - middle) < half) & (y > boxes[:, 1]) & (y < boxes[:, 3])
    nearer = depths[None] < depths[:, None] - NEARER_M  # (n, n)
    return np.asarray((behind & nearer[:, None, None]).any(axis=-1))


def _trimmed(boxes: DoubleArray, seen: BoolArray, size: tuple[int, int]) -> DoubleArray:
    """Boxes (B, 4) less the rows and columns of the grid of which nothing is seen (B, L, C)."""
    left, right = _ends(np.asarray(seen.any(axis=1)))
    low, high = _ends(np.asarray(seen.any(axis=2)))  # from the feet
    x, y = boxes[:, 0], boxes[:, 3]
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    trimmed = np.stack(
        [x + left * width, y - high * height, x + right * width, y - low * height], axis=1
    )
    return np.asarray(np.clip(trimmed, 0, np.tile(size, 2)))


def _ends(marked: BoolArray) -> tuple[DoubleArray, DoubleArray]:
    """Where the first marked cell of each row (B, C) begins and the last ends, in [0, 1]."""
    cells = marked.shape[1]
    return marked.argmax(axis=1) / cells, 1 - marked[:, ::-1].argmax(axis=1) / cells
