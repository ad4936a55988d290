"""Pictures of scenery without people, and where people change them.

A pixel can change where a person may be in front of it, and where the point that is seen there may
be in a person's shadow: the sun's, or the dark around its feet.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cameras.simulation.atlas import Picture, Seen
from cameras.simulation.models import box_of
from cameras.simulation.optics import View
from cameras.simulation.projections import (
    DepthMap,
    is_out_of_view,
    picture_matrix,
    texels,
)
from cameras.simulation.shadows import FLOOR_BLUR_M, Fit
from cameras.simulation.tiles import around, square
from pipeline.types import BoolArray, DoubleArray, FloatArray, ImageArray, IntArray

SUN_SPREAD: Final = 6
"""So many pixels of the sun's map beside its caster lighting.glsl may still see a shadow."""
DARK_M: Final = 0.65
"""Up to here lighting.glsl darkens what is near the floor; and a little."""
SMOOTHED: Final = 2
"""How far smooth_fragment.glsl looks, pixels."""
SLACK: Final = 2
"""Patterns look at the pixel beside, and boxes are rounded to pixels."""

REACH_M: Final = 0.6
"""How far beside a person its shadows begin."""
PEOPLE_M: Final = 2.75
"""No person is higher, umbrella included."""
ASIDE_M: Final = 0.75
"""No part of a person is further beyond the scenery."""
LOWEST_M: Final = -0.3
"""No ground is lower."""

Cells = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False, slots=True)
class Still:
    """A view of scenery alone.

    Attributes:
        picture: Finished.
        seen: What is seen in each pixel, on the graphics side.
        depth: (H, W) float32, the same as `seen` has it.
        sun: (H, W) which pixel of the sun's map could shade each pixel; 0 none.
        floor: (H, W) which of the floor's.
        matrix: (4, 4) world -> clip space.
    """

    picture: Picture
    seen: Seen
    depth: FloatArray
    sun: Cells
    floor: Cells
    matrix: DoubleArray


def keep(picture: Picture, seen: Seen, view: View, fit: Fit) -> Still:
    """The still of a picture of a view, in which this is seen."""
    matrix = picture_matrix(view)
    width, height = view.size
    depth = np.frombuffer(seen.depth.read(), np.float32).reshape(height, width)
    column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    clip = np.stack([column * 2 / width - 1, row * 2 / height - 1, 2.0 * depth - 1, 1 + 0 * row])
    world = np.linalg.inv(matrix) @ clip.reshape(4, -1)
    points = world[:3] / world[3]
    is_lit = (depth.ravel() < 1) & (not view.infrared)
    is_low = is_lit & (np.abs(points[2]) < DARK_M)
    sun = _cells(fit.sun, points, is_lit & fit.shines).reshape(depth.shape)
    floor = _cells(fit.floor, points, is_low).reshape(depth.shape)
    return Still(picture, seen, depth, sun, floor, matrix)


def _cells(depth_map: DepthMap, points: DoubleArray, counts: BoolArray) -> Cells:
    """Which pixel of a map of shadows points (3, N) lie in; 0 for those that do not count."""
    size = depth_map.used[0] / depth_map.part[0]
    at = (depth_map.lookup[:2, :3] @ points + depth_map.lookup[:2, 3:]) * size
    column, row = np.floor(at).astype(np.int64)
    width, height = depth_map.used
    counts = counts & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return np.where(counts, row * width + column, 0).astype(np.intp)


@dataclass(frozen=True, eq=False, slots=True)
class Shades:
    """Where in the used parts of both maps people may throw a shadow: (h, w) uint8, 0 or 1."""

    sun: ImageArray
    floor: ImageArray


def shades(fit: Fit, boxes: DoubleArray) -> Shades:
    """Those of people in boxes (N, 8, 3)."""
    blur = int(4 * FLOOR_BLUR_M / fit.floor.pixel_m) + 3
    return Shades(_stamped(fit.sun, boxes, SUN_SPREAD), _stamped(fit.floor, boxes, blur))


def _stamped(depth_map: DepthMap, boxes: DoubleArray, margin: int) -> ImageArray:
    stamped = np.zeros(depth_map.used[::-1], np.uint8)
    for left, top, right, bottom in texels(depth_map, boxes, margin).tolist():
        stamped[top:bottom, left:right] = 1
    stamped[0, 0] = 0  # stands for none
    return stamped


def room_around(corners: DoubleArray) -> DoubleArray:
    """(8, 3) corners of the box that scenery (N, 3) that casts shadows and people are in."""
    margin = (ASIDE_M, ASIDE_M, 0)
    low, high = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    return box_of(np.stack([low, high, (*low[:2], PEOPLE_M)]))


def who_matter(views: Sequence[View], boxes: DoubleArray, to_sun: DoubleArray) -> list[bool]:
    """Which people in boxes (N, 8, 3) are seen in any view, or a shadow of theirs is."""
    matrices = [picture_matrix(view) for view in views]
    return [
        not all(is_out_of_view(matrix, corners) for matrix in matrices)
        for corners in _reaches(boxes, to_sun)
    ]


def _reaches(boxes: DoubleArray, to_sun: DoubleArray) -> DoubleArray:
    """(N, 16, 3) corners around all that people in boxes (N, 8, 3) change."""
    middles = boxes.mean(axis=1, keepdims=True)
    wide = boxes + REACH_M * np.sign(boxes - middles)
    falls = np.maximum(wide[..., 2:] - LOWEST_M, 0) / max(to_sun[2], 1e-3)
    return np.concatenate([wide, wide - falls * to_sun], axis=1)


@dataclass(frozen=True, eq=False, slots=True)
class Edit:
    """How people change a still.

    Attributes:
        still: What.
        is_seen: (N,) who may be seen in it.
        mask: (H, W) uint8, 1 for pixels that may change.
    """

    still: Still
    is_seen: tuple[bool, ...]
    mask: ImageArray

    def pieces(self) -> IntArray:
        """(N, 4) rectangles to draw: what may change, and what smoothing reads beside it."""
        return around(self.mask, SMOOTHED)

    def applied(self, picture: Picture) -> Picture:
        """The still with the pieces of a picture."""
        image, owner = self.still.picture.image.copy(), self.still.picture.owner.copy()
        cv2.copyTo(picture.image, self.mask, image)
        cv2.copyTo(picture.owner, self.mask, owner)
        return Picture(image, owner)


def edit(still: Still, boxes: DoubleArray, shade: Shades) -> Edit:
    """How people in boxes (N, 8, 3) who throw these shadows change a still."""
    mask = shade.sun.take(still.sun) | shade.floor.take(still.floor)
    is_seen = tuple([_cover(mask, still, box) for box in boxes])
    wide = np.asarray(cv2.dilate(mask, square(SLACK + SMOOTHED)), np.uint8)
    return Edit(still, is_seen, wide)


def _cover(mask: ImageArray, still: Still, box: DoubleArray) -> bool:
    """Mark where a box (8, 3) lies before the scenery; whether anywhere."""
    if is_out_of_view(still.matrix, box):
        return False
    clip = box @ still.matrix[:, :3].T + still.matrix[:, 3]
    if (clip[:, 2] < -clip[:, 3]).any():  # partly behind the lens: its outline is not known
        mask[:] = 1
        return True
    places = clip[:, :3] / clip[:, 3:]
    height, width = mask.shape
    pixels = np.rint((places[:, :2] + 1) * (width / 2, height / 2) - 0.5).astype(np.int32)
    left, top = np.clip(pixels.min(axis=0), 0, (width, height)).tolist()
    right, bottom = np.clip(pixels.max(axis=0) + 1, 0, (width, height)).tolist()
    part = (slice(top, bottom), slice(left, right))
    covered = np.zeros((bottom - top, right - left), np.uint8)
    if not covered.size:
        return False
    cv2.fillConvexPoly(covered, cv2.convexHull(pixels - np.array((left, top), np.int32)), 1)
    nearest = (places[:, 2].min() + 1) / 2 - 1e-6
    covered &= still.depth[part] >= nearest
    mask[part] |= covered
    return bool(covered.any())
