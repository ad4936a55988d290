"""What is truly to be seen in a picture: boxes, visibility, keypoints, places on the floor.

Boxes are between the edges of pixels, as detectors give them: the picture reaches from (0, 0) to
(W, H). Keypoints are where the calibration projects them: there the centre of the top left pixel
is (0, 0), half a pixel less than between edges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product

import cv2
import numpy as np

from cameras.simulation.meshes import Dressed
from cameras.simulation.optics import Camera, View
from cameras.simulation.world import PosedPerson
from pipeline.types import BoolArray, DoubleArray, IntArray

NEIGHBOURS = np.ones((3, 3), np.uint8)
"""A point is seen where the nearest pixel or one beside it is its person's."""
CELLS = 32
"""The person's height in cells of the coarse depth map that says which keypoints it hides itself:
about 5 cm each, wider than a triangle, so that the map has no holes."""
FLESH_M = 0.5
"""No part of a person (toes, hats, skirts) is further from the box around its keypoints."""
DEEP_M = (0.10,) * 5 + (0.22,) * 12
"""How far behind the surface a keypoint lies when seen: those of the face on it, joints inside."""

_BESIDE = np.array((-1, -1, 1, 1))
_CORNERS = np.array(list(product((False, True), repeat=3)))

UNSEEN, HIDDEN, SEEN = 0, 1, 2
"""COCO's words for a keypoint: outside the picture, behind something, to be seen."""


@dataclass(frozen=True, eq=False, slots=True)
class FrameTruth:
    """What a camera has in its picture at a moment: N people, those wholly hidden included.

    Attributes:
        identities: (N,) int64.
        full_boxes: (N, 4) float64 xyxy: the whole person as if nothing hid it, also beyond the
            picture's border; things carried are no part of it.
        visible_boxes: (N, 4) float64 xyxy: what is seen of it; zeros where nothing is.
        visibility: (N,) float64 in [0, 1]: share of what the person turns to the camera, by area in
            the picture, that is seen.
        ground: (N, 2) float64: where it stands, metres.
        keypoints: (N, 17, 3) float64: x, y, and 2 seen, 1 hidden (by others, by things or by the
            person's own body), 0 outside the picture.
    """

    identities: IntArray
    full_boxes: DoubleArray
    visible_boxes: DoubleArray
    visibility: DoubleArray
    ground: DoubleArray
    keypoints: DoubleArray

    def __post_init__(self) -> None:
        for field in fields(self):
            getattr(self, field.name).flags.writeable = False


@dataclass(frozen=True, eq=False, slots=True)
class _Sight:
    """One row of `FrameTruth`."""

    full_box: DoubleArray
    visible_box: DoubleArray
    visibility: float
    keypoints: DoubleArray


def observe(
    camera: Camera,
    people: Sequence[PosedPerson],
    dressed: Mapping[int, Dressed],
    owner: np.ndarray,
) -> FrameTruth:
    """The truth of one picture; people whose box does not meet it are left out.

    Args:
        camera: Which took it.
        people: Where everybody is.
        dressed: Their meshes, by identity.
        owner: (H, W) uint16: whose each pixel is; 0 nobody's.
    """
    rows = [
        (person, sight)
        for person in people
        if (sight := _look(camera, person, dressed[person.identity], owner)) is not None
    ]
    sights = [sight for _, sight in rows]
    return FrameTruth(
        identities=np.array([person.identity for person, _ in rows], np.int64),
        full_boxes=np.array([sight.full_box for sight in sights], np.float64).reshape(-1, 4),
        visible_boxes=np.array([sight.visible_box for sight in sights], np.float64).reshape(-1, 4),
        visibility=np.array([sight.visibility for sight in sights], np.float64),
        ground=np.array([person.ground for person, _ in rows], np.float64).reshape(-1, 2),
        keypoints=np.array([sight.keypoints for sight in sights], np.float64).reshape(-1, 17, 3),
    )


def _look(
    camera: Camera, person: PosedPerson, dressed: Dressed, owner: np.ndarray
) -> _Sight | None:
    """One person in the picture, or None where it is outside."""
    if not _may_be_seen(camera.view, person.keypoints):
        return None
    pixels, depth = camera.project(person.positions)
    is_drawn = dressed.is_person & (dressed.mesh.cut <= 0)
    own = is_drawn & np.isfinite(pixels[:, 0])
    if not own.any():
        return None
    surface = pixels.T[:, own].T
    box = np.concatenate(_bounds(surface)) + 0.5
    columns, rows = _pixels_of(box, camera.size)
    inside = (owner[rows, columns] == person.identity).astype(np.uint8)
    if not inside.size:
        return None
    x, y, width, height = cv2.boundingRect(inside)
    visible = np.array((x, y, x + width, y + height), np.float64)
    visible[[0, 2]] += columns.start
    visible[[1, 3]] += rows.start
    visible *= width > 0
    seen = _Seen(owner, person.identity, box) if width else None
    keypoints = _keypoints(camera, person, seen, surface, depth[own])
    visibility = _visibility(dressed.mesh.faces, is_drawn, pixels, seen) if seen else 0.0
    return _Sight(box, visible, visibility, keypoints)


def _may_be_seen(view: View, keypoints: np.ndarray) -> bool:
    """Whether the box (along the axes) around a person meets the pyramid of sight; cheap."""
    low, high = _bounds(keypoints)
    corners = np.where(_CORNERS, high + FLESH_M, low - FLESH_M)
    x, y, depth = view.intrinsics @ (view.rotation @ corners.T + view.translation[:, None])
    width, height = view.size
    # Distances from the planes through the lens, with half a pixel to the picture's edges.
    planes = (
        *(x + depth / 2, (width - 0.5) * depth - x),
        *(y + depth / 2, (height - 0.5) * depth - y),
        depth,
    )
    return all(plane.max() > 0 for plane in planes)


def _bounds(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest coordinates (K,) of points (N, K)."""
    columns = np.ascontiguousarray(points.T)  # rows of three are slow to reduce
    return columns.min(axis=1), columns.max(axis=1)


def _pixels_of(box: DoubleArray, size: tuple[int, int]) -> tuple[slice, slice]:
    """Columns and rows that a box touches in a picture."""
    left, top = np.clip(np.floor(box[:2]), 0, size).astype(int).tolist()
    right, bottom = np.clip(np.ceil(box[2:]), 0, size).astype(int).tolist()
    return slice(left, right), slice(top, bottom)


class _Seen:
    """Where a person's own pixels are, or beside."""

    def __init__(self, owner: np.ndarray, identity: int, box: DoubleArray) -> None:
        columns, rows = _pixels_of(box + _BESIDE, owner.shape[::-1])
        self._corner = np.array((columns.start, rows.start))
        own = (owner[rows, columns] == identity).astype(np.uint8)
        self._near = cv2.dilate(own, NEIGHBOURS)

    def at(self, x: DoubleArray, y: DoubleArray) -> BoolArray:
        """Whether one is at the pixel nearest to points (N,), (N,) of the picture, or beside."""
        height, width = self._near.shape
        left, top = self._corner
        column, row = np.rint(x).astype(np.int64) - left, np.rint(y).astype(np.int64) - top
        is_on = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        return np.asarray(is_on & (self._near[row * is_on, column * is_on] != 0), np.bool_)


def _visibility(faces: np.ndarray, is_drawn: BoolArray, pixels: DoubleArray, seen: _Seen) -> float:
    """Share of the triangles turned to the camera, by area in the picture, that are seen."""
    # With corners that are not drawn or not in the picture the area is NaN, so not above 0.
    corners = np.ascontiguousarray(faces.T, np.intp)
    x, y = (np.where(is_drawn, axis, np.nan).take(corners) for axis in pixels.T)
    # Counter-clockwise seen from outside is clockwise with y down.
    area = (x[2] - x[0]) * (y[1] - y[0]) - (x[1] - x[0]) * (y[2] - y[0])
    front = np.flatnonzero(area > 0)
    if not front.size:
        return 0.0
    area = area[front]
    column, row = (axis.take(front, axis=1).sum(axis=0) / 3 for axis in (x, y))
    return float(area @ seen.at(column, row) / area.sum())


def _keypoints(
    camera: Camera,
    person: PosedPerson,
    seen: _Seen | None,
    surface: DoubleArray,
    surface_depth: DoubleArray,
) -> DoubleArray:
    """(17, 3): x, y and how each keypoint is seen.

    Args:
        camera: Which looks.
        person: Whose keypoints.
        seen: Where its own pixels are; None: nowhere.
        surface: (V, 2) pixels of its surface, finite.
        surface_depth: (V,) their depths, metres.
    """
    points, depth = camera.project(person.keypoints)
    points = np.nan_to_num(points, nan=-1e6)
    is_inside = np.asarray(((points >= -0.5) & (points < np.array(camera.size) - 0.5)).all(axis=1))
    how = np.full(len(points), HIDDEN)
    if seen:
        is_behind = depth > _front_depth(surface, surface_depth, points) + np.array(DEEP_M)
        how[seen.at(*points.T) & ~is_behind] = SEEN
    return np.column_stack([np.where(is_inside[:, None], points, 0), np.where(is_inside, how, 0)])


def _front_depth(surface: DoubleArray, depth: DoubleArray, points: DoubleArray) -> DoubleArray:
    """Depth (K,) of a person's surface at points (K, 2) of the picture; infinite beside it."""
    low, high = _bounds(surface)
    cell = max(float((high - low).max()) / CELLS, 1e-6)
    nearest = np.full((CELLS + 1, CELLS + 1), np.inf)
    column, row = ((surface.T - low[:, None]) / cell).astype(np.int64)
    np.minimum.at(nearest, (row, column), depth)
    column, row = np.floor((points - low) / cell).astype(np.int64).T
    is_on = (column >= 0) & (column <= CELLS) & (row >= 0) & (row <= CELLS)
    return np.where(is_on, nearest[row * is_on, column * is_on], np.inf)
