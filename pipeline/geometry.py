"""Boxes in the image and points on the floor.

Boxes are (N, 4) xyxy in pixels everywhere; formats of files are converted where they are read.
Results are float64.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.types import Calibration, DoubleArray

Boxes = npt.NDArray[np.floating[Any]]


def area(boxes: Boxes) -> DoubleArray:
    """Areas (N,) of boxes (N, 4), square pixels; inverted boxes have none."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).astype(np.float64)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersection(first: Boxes, second: Boxes) -> DoubleArray:
    """Areas (N, M) in which boxes (N, 4) and (M, 4) overlap, square pixels."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.maximum(bottom_right - top_left, 0).astype(np.float64)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(first: Boxes, second: Boxes) -> DoubleArray:
    """Intersection over union (N, M) in [0, 1]; 0 where both boxes are empty."""
    shared = intersection(first, second)
    union = area(first)[:, None] + area(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def xywh_to_xyxy(boxes: Boxes) -> DoubleArray:
    """Left, top, width, height (N, 4), as MOTChallenge files have them, to xyxy."""
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]).astype(np.float64)


def xyxy_to_xywh(boxes: Boxes) -> DoubleArray:
    """The inverse of `xywh_to_xyxy`."""
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).astype(np.float64)


def foot_points(boxes: Boxes) -> DoubleArray:
    """Where people stand (N, 2), pixels: the middle of the lower edge of boxes (N, 4)."""
    return np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]], axis=1).astype(np.float64)


def to_floor(points: Boxes, calibration: Calibration) -> DoubleArray:
    """Pixels (N, 2) to floor positions (N, 2) in metres.

    Points at or above the horizon have no place on the floor: their rows are NaN.
    """
    if len(points) == 0:
        return np.empty((0, 2))
    undistorted = cv2.undistortPoints(
        np.ascontiguousarray(points, np.float64)[:, None],
        calibration.intrinsics,
        calibration.distortion,
        P=calibration.intrinsics,
    )[:, 0]
    homogeneous = np.hstack([undistorted, np.ones((len(points), 1))])
    floor: DoubleArray = homogeneous @ calibration.ground_homography.T  # (N, 3)
    missing: DoubleArray = np.full((len(points), 2), np.nan)
    return np.divide(floor[:, :2], floor[:, 2:], out=missing, where=floor[:, 2:] > 1e-12)
