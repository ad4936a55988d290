"""Matrices that take the world to pictures and to the maps of depth that shadows come from.

Clip space is OpenGL's, but pictures are drawn upside down: OpenGL reads rows from the bottom up, so
that they come out from the top down.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cameras.simulation.optics import View
from pipeline.types import DoubleArray, IntArray

NEAR_M: Final = 0.1
FAR_M: Final = 400.0


@dataclass(frozen=True, eq=False, slots=True)
class DepthMap:
    """How a map of depth looks along one direction, as an orthographic camera.

    Attributes:
        matrix: (4, 4) world -> clip space of the used part of the map.
        lookup: (4, 4) world -> texture coordinates and depth, each from 0 to 1.
        used: Width and height of the used part, pixels.
        part: The same as parts of the map's width and height.
        pixel_m: Metres that a pixel covers.
    """

    matrix: DoubleArray
    lookup: DoubleArray
    used: tuple[int, int]
    part: tuple[float, float]
    pixel_m: float


def picture_matrix(view: View) -> DoubleArray:
    """(4, 4) world -> clip space. OpenCV's pixel (0, 0) has its centre at (0.5, 0.5) in OpenGL."""
    width, height = view.size
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]]) @ view.intrinsics
    clip = np.zeros((4, 4))
    clip[0, :3] = 2 / width * half[0] - half[2]
    clip[1, :3] = 2 / height * half[1] - half[2]
    clip[2, 2] = (FAR_M + NEAR_M) / (FAR_M - NEAR_M)
    clip[2, 3] = -2 * FAR_M * NEAR_M / (FAR_M - NEAR_M)
    clip[3, :3] = half[2]
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = view.rotation, view.translation
    return clip @ world


def sun_map(corners: DoubleArray, to_sun: DoubleArray, size: int, finest_m: float) -> DepthMap:
    """The map seen from the sun that holds all corners (N, 3), at most `size` pixels wide."""
    side = np.cross(to_sun, (0.0, 0.0, 1.0) if abs(to_sun[2]) < 0.99 else (0.0, 1.0, 0.0))
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(to_sun, side), -to_sun])
    seen = corners @ axes.T
    low, high = seen.min(axis=0) - 0.1, seen.max(axis=0) + 0.1
    return _depth_map(axes, low, high, size, finest_m)


def floor_map(corners: DoubleArray, reach_m: float, size: int, finest_m: float) -> DepthMap:
    """The map seen from just above the floor upwards, `reach_m` high, over all corners (N, 3)."""
    low = np.array([*(corners[:, :2].min(axis=0) - 0.3), 0.02])
    high = np.array([*(corners[:, :2].max(axis=0) + 0.3), reach_m])
    return _depth_map(np.eye(3), low, high, size, finest_m)


def _depth_map(
    axes: DoubleArray, low: DoubleArray, high: DoubleArray, size: int, finest_m: float
) -> DepthMap:
    pixel_m = max(finest_m, float((high - low)[:2].max()) / (size - 1))
    width, height = np.ceil((high - low)[:2] / pixel_m).astype(int).tolist()
    scale = np.array([*(1 / (size * pixel_m),) * 2, 1 / (high - low)[2]])
    lookup = np.eye(4)
    lookup[:3, :3] = scale[:, None] * axes
    lookup[:3, 3] = -scale * low
    clip = np.diag([2 * size / width, 2 * size / height, 2, 1])
    clip[:3, 3] = -1
    return DepthMap(clip @ lookup, lookup, (width, height), (width / size, height / size), pixel_m)


def is_out_of_view(matrix: DoubleArray, corners: DoubleArray) -> bool:
    """Whether a box given by its corners (8, 3) lies wholly beyond one side of the picture."""
    clip = corners @ matrix[:, :3].T + matrix[:, 3]
    sides = np.concatenate([clip[:, :3] > clip[:, 3:], clip[:, :3] < -clip[:, 3:]], axis=1)
    return bool(sides.all(axis=0).any())


def texels(depth_map: DepthMap, boxes: DoubleArray, margin: int) -> IntArray:
    """(N, 4) left, top, right, bottom of boxes (N, 8, 3) and a margin, in pixels of the map."""
    size = depth_map.used[0] / depth_map.part[0]
    at = (boxes @ depth_map.lookup[:2, :3].T + depth_map.lookup[:2, 3]) * size
    low, high = np.floor(at.min(axis=1)) - margin, np.ceil(at.max(axis=1)) + margin
    ends = np.clip(np.concatenate([low, high], axis=1), 0, (*depth_map.used,) * 2)
    return np.asarray(ends, np.int64)


def column_major(matrix: DoubleArray) -> tuple[float, ...]:
    """A matrix as OpenGL wants it."""
    return tuple(matrix.T.ravel().tolist())
