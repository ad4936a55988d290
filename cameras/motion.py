"""Whether anything has moved in a camera's picture."""

import cv2
import numpy as np

from pipeline.types import FloatArray, Frame, ImageArray

GRID_WIDTH = 128
"""Cells across a frame; pixels between are left out where it is large, as they cost and add
little."""
SAMPLES_A_CELL = 3
LEAST_CHANGE = 5.0
"""Grey levels by which a cell and its neighbours must change on average."""
NOISE_FACTOR = 6.0
"""The same in units of the picture's noise."""


class MotionGate:
    """Says which frames of one camera need to be looked at.

    A frame is compared with the last that was looked at, not with the one before: slow movements
    add up, and what held there holds here. Brightness of the whole picture does not matter, nor
    noise: both are read from the cells in the middle of the order, which show the background.

    Args:
        longest_seconds: How long a frame may stand for later ones; None: every frame is needed.
    """

    def __init__(self, longest_seconds: float | None) -> None:
        self._longest_us = None if longest_seconds is None else longest_seconds * 1e6
        self._reference: FloatArray = np.empty((0, 0), np.float32)
        self._reference_us = 0

    def opens(self, frame: Frame) -> bool:
        """Whether people must be sought in this frame; then it is what later ones are held to."""
        if self._longest_us is None:
            return True
        picture = shrink(frame.image)
        is_recent = frame.timestamp_us - self._reference_us < self._longest_us
        if is_recent and not has_moved(self._reference, picture):
            return False
        self._reference, self._reference_us = picture, frame.timestamp_us
        return True


def shrink(image: ImageArray) -> FloatArray:
    """A frame (H, W, 3) as a coarse grid of brightness, grey levels."""
    height, width = image.shape[:2]
    step = max(1, width // (GRID_WIDTH * SAMPLES_A_CELL))
    # Green carries most of the luma, and one channel costs a third of the conversion.
    green = np.ascontiguousarray(image[::step, ::step, 1])
    size = (GRID_WIDTH, max(1, round(GRID_WIDTH * height / width)))
    return cv2.resize(green, size, interpolation=cv2.INTER_AREA).astype(np.float32)


def has_moved(before: FloatArray, now: FloatArray) -> bool:
    """Whether something moved between two grids of `shrink`; True where their sizes differ."""
    if before.shape != now.shape:
        return True
    change = now - before
    change -= np.median(change)  # of light
    change = np.abs(cv2.blur(change, (3, 3)))
    noise = 1.4826 * np.median(change)  # the standard deviation of a normal
    return bool(change.max() > max(LEAST_CHANGE, NOISE_FACTOR * noise))
