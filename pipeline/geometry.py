"""Boxes in the image and points on the floor.

Boxes are (N, 4) xyxy in pixels everywhere; formats of files are converted where they are read.
Results are float64.
"""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.types import Calibration, DoubleArray

# OpenCV's default of 5 iterations leaves up to 20 px near the edge of a wide lens; 100 leave none.
_UNDISTORTION = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)

Boxes = npt.NDArray[np.floating[Any]]


def area(boxes: Boxes) -> DoubleArray:
    """Areas (N,) of boxes (N, 4), square pixels; inverted boxes have none."""
    exact = boxes.astype(np.float64)
    sides = np.maximum(exact[:, 2:] - exact[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def intersection(first: Boxes, second: Boxes) -> DoubleArray:
    """Areas (N, M) in which boxes (N, 4) and (M, 4) overlap, square pixels."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.maximum(bottom_right.astype(np.float64) - top_left, 0)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(first: Boxes, second: Boxes) -> DoubleArray:
    """Intersection over union (N, M) in [0, 1]; 0 where both boxes are empty."""
    shared = intersection(first, second)
    union = area(first)[:, None] + area(second)[None, :] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def xywh_to_xyxy(boxes: Boxes) -> DoubleArray:
    """Left, top, width, height (N, 4), as MOTChallenge files have them, to xyxy."""
    exact = boxes.astype(np.float64)
    return np.hstack([exact[:, :2], exact[:, :2] + exact[:, 2:]])


def xyxy_to_xywh(boxes: Boxes) -> DoubleArray:
    """The inverse of `xywh_to_xyxy`."""
    exact = boxes.astype(np.float64)
    return np.hstack([exact[:, :2], exact[:, 2:] - exact[:, :2]])


def foot_points(boxes: Boxes) -> DoubleArray:
    """Where people stand (N, 2), pixels: the middle of the lower edge of boxes (N, 4)."""
    exact = boxes.astype(np.float64)
    return np.stack([(exact[:, 0] + exact[:, 2]) / 2, exact[:, 3]], axis=1)


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
        criteria=_UNDISTORTION,
    )[:, 0]
    homogeneous = np.hstack([undistorted, np.ones((len(points), 1))])
    floor: DoubleArray = homogeneous @ calibration.ground_homography.T  # (N, 3)
    missing: DoubleArray = np.full((len(points), 2), np.nan)
    # On the horizon the third coordinate is 0 up to the rounding of its terms.
    rounding = 1e-12 * np.abs(homogeneous) @ np.abs(calibration.ground_homography[2])  # (N,)
    visible = floor[:, 2:] > rounding[:, None]
    return np.divide(floor[:, :2], floor[:, 2:], out=missing, where=visible)


def to_image(places: Boxes, height_m: float, calibration: Calibration) -> DoubleArray:
    """Pixels (N, 2) of points at a height above floor positions (N, 2) in metres.

    NaN behind the camera, at or above its own height, and where it is not known where it stands.
    """
    east, north, above = calibration.position
    if not above > height_m:
        return np.full((len(places), 2), np.nan)
    # Where the ray through the point meets the floor.
    share = above / (above - height_m)
    shadow = np.array([east, north]) + share * (places - np.array([east, north]))
    inverse = np.linalg.inv(calibration.ground_homography)
    homogeneous = np.hstack([shadow, np.ones((len(places), 1))]) @ inverse.T
    before = homogeneous[:, 2:] > 0
    missing = np.full((len(places), 2), np.nan)
    pixels = np.divide(homogeneous[:, :2], homogeneous[:, 2:], out=missing, where=before)
    if not calibration.distortion.any():
        return np.asarray(pixels)
    rays = np.hstack([pixels, np.ones((len(pixels), 1))]) @ np.linalg.inv(calibration.intrinsics).T
    found = cv2.projectPoints(
        rays, np.zeros(3), np.zeros(3), calibration.intrinsics, calibration.distortion
    )[0][:, 0]
    return np.asarray(found, np.float64)
