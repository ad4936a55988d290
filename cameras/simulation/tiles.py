"""The part of a picture that is drawn: tiles, as triangles."""

from typing import Final

import cv2
import numpy as np

from pipeline.types import FloatArray, ImageArray, IntArray

TILE: Final = 8
"""Pixels; even, as shaders compare the pixels of blocks of two by two."""
CORNERS: Final = 6
"""Of the two triangles of a rectangle."""
MOST: Final = 4096
BYTES: Final = MOST * CORNERS * 8
"""Room for the triangles of `MOST` rectangles."""


def whole(size: tuple[int, int]) -> IntArray:
    """(1, 4) left, top, right, bottom of all of a picture."""
    return np.array([(0, 0, *size)])


def around(mask: ImageArray, reach: int) -> IntArray:
    """(N, 4) rectangles that hold all within `reach` of a mask's (H, W) pixels: rows of tiles."""
    size = mask.shape[::-1]
    wide = cv2.dilate(mask, square(reach))
    height, width = (-(-side // TILE) for side in mask.shape)
    full = np.zeros((height * TILE, width * TILE), np.uint8)
    full[: size[1], : size[0]] = wide
    tiles = np.zeros((height, width + 2), np.int8)
    tiles[:, 1:-1] = full.reshape(height, TILE, width, TILE).max(axis=1).max(axis=2)
    steps = np.diff(tiles, axis=1)
    (row, first), (_, last) = np.nonzero(steps == 1), np.nonzero(steps == -1)
    found = np.minimum(TILE * np.stack([first, row, last, row + 1], axis=1), (*size, *size))
    return found if len(found) <= MOST else whole(size)


def triangles(rectangles: IntArray, size: tuple[int, int]) -> FloatArray:
    """(N * CORNERS, 2) in clip space: rectangles of a picture of this size."""
    corners = rectangles[:, [0, 1, 2, 1, 0, 3, 0, 3, 2, 1, 2, 3]].reshape(-1, 2)
    return (corners * 2 / size - 1).astype(np.float32)


def square(reach: int) -> ImageArray:
    """What to dilate by to reach so far on all sides."""
    return np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
