"""What is seen of the floor: the ways of people, and the part of it in a camera's view."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from pipeline.geometry import to_floor
from pipeline.types import Calibration, DoubleArray, IntArray

STEP_US: Final = 200_000
SMOOTHING_STEPS: Final = 2.5
LONGEST_GAP_STEPS: Final = 10
"""Who is not seen for longer begins a new piece of the way."""
FARTHEST_SEEN_M: Final = 15.0
"""Floor beyond this is not drawn as seen."""
RAYS: Final = 81
ROWS: Final = 400
MOUNT_M: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class CameraView:
    """A camera on the floor plan, metres.

    Attributes:
        camera_id: Its name.
        position: (2,) float64; NaN where its calibration does not tell.
        outline: (K, 2) float64: the floor that it sees, K >= 0.
    """

    camera_id: str
    position: DoubleArray
    outline: DoubleArray


def smoothed(
    times_us: IntArray, positions: DoubleArray, variances: DoubleArray
) -> list[DoubleArray]:
    """The way (K, 2) through positions that several cameras saw, in pieces where nobody did.

    Positions of one fifth of a second are averaged by their variances, then smoothed by a normal
    of half a second.

    Args:
        times_us: (T,) in any order, T >= 1.
        positions: (T, 2) metres.
        variances: (T,) square metres.
    """
    steps = (times_us - times_us.min()) // STEP_US
    columns = np.column_stack([positions, np.ones(len(steps))]) / variances[:, None]  # (T, 3)
    sums = np.array([np.bincount(steps, column) for column in columns.T], np.float64)  # (3, steps)
    seen = np.flatnonzero(sums[2])
    pieces = np.split(seen, np.flatnonzero(np.diff(seen) > LONGEST_GAP_STEPS) + 1)
    return [_smoothed_piece(sums[:, piece[0] : piece[-1] + 1]) for piece in pieces]


def _smoothed_piece(sums: DoubleArray) -> DoubleArray:
    """Positions (K, 2) of sums (3, K) of weighted x, weighted y, and weights."""
    smooth = gaussian_filter1d(sums, SMOOTHING_STEPS, mode="constant", truncate=5)
    return np.asarray((smooth[:2] / smooth[2]).T)


def camera_view(
    camera_id: str, calibration: Calibration, size: tuple[int, int], walls: Sequence[DoubleArray]
) -> CameraView:
    """Where a camera stands, and what it sees of the floor up to `FARTHEST_SEEN_M` away.

    That is counted from the camera, or from the nearest floor that it sees where its position is
    unknown.

    Args:
        camera_id: Its name.
        calibration: Its calibration.
        size: Width and height of its pictures, pixels.
        walls: Lines (K, 2) behind which nothing is seen, metres.
    """
    width, height = size
    columns, rows = np.linspace(0, width - 1, RAYS), np.linspace(height - 1, 0, ROWS)
    pixels = np.stack(np.meshgrid(columns, rows), axis=-1)  # (rows, columns, 2), from below
    floor = to_floor(pixels.reshape(-1, 2), calibration).reshape(pixels.shape)
    position = calibration.position[:2]
    origin = np.where(np.isfinite(position), position, floor[0, RAYS // 2])
    near_enough = np.linalg.norm(floor - origin, axis=-1) <= FARTHEST_SEEN_M  # where NaN: not
    reached = np.logical_and.accumulate(near_enough, axis=0).sum(axis=0)  # (columns,) rows
    rays = np.flatnonzero(reached)
    near, far = floor[0, rays], floor[reached[rays] - 1, rays]
    if np.isfinite(position).all():
        near, far = _before_walls(position, near, walls), _before_walls(position, far, walls)
    return CameraView(camera_id, position, np.concatenate([near, far[::-1]]))


def _before_walls(
    origin: DoubleArray, points: DoubleArray, walls: Sequence[DoubleArray]
) -> DoubleArray:
    """Points (N, 2) moved towards the origin (2,) as far as walls stand between.

    Walls within `MOUNT_M` of the origin do not count: the camera hangs on them.
    """
    begins = np.concatenate([np.empty((0, 2)), *(wall[:-1] for wall in walls)])  # (S, 2)
    along = np.concatenate([np.empty((0, 2)), *(np.diff(wall, axis=0) for wall in walls)])
    rays, offsets = points - origin, begins - origin
    across = _cross(rays[:, None], along)  # (N, S)
    with np.errstate(divide="ignore", invalid="ignore"):  # parallel: nowhere
        at_ray = _cross(offsets, along) / across
        at_wall = _cross(offsets[None], rays[:, None]) / across
    nearest = MOUNT_M / np.maximum(np.linalg.norm(rays, axis=1), MOUNT_M)[:, None]
    hit = (at_ray > nearest) & (at_wall >= 0) & (at_wall <= 1)
    reach = np.where(hit, at_ray, 1.0).min(axis=1, initial=1.0)
    return np.asarray(origin + reach[:, None] * rays)


def _cross(first: DoubleArray, second: DoubleArray) -> DoubleArray:
    """The cross product of plane vectors (..., 2)."""
    return np.asarray(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])
