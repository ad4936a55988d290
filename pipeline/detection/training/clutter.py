"""Things that are nobody: pieces of backgrounds, in shapes as upright as people.

Simulated places are tidier than real ones. A detector that has only seen tidy ones takes trees,
posts and posters for people.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from pipeline.detection.training.windows import Window
from pipeline.geometry import intersection
from pipeline.types import ImageArray

THINGS: Final = (2, 9)
"""In a window, the second excluded."""
HEIGHTS_PX: Final = (20.0, 240.0)
WIDTHS: Final = (0.2, 1.1)
"""Of a thing's height."""
MOST_COVERED: Final = 0.5
"""Nobody who is there is covered more by a thing."""
CORNERS: Final = (3, 9)
TRIES: Final = 5

Rng = np.random.Generator


def cluttered(rng: Rng, window: Window, others: Sequence[Window]) -> Window:
    """A window with things cut from the backgrounds of others in it; the same people."""
    image = window.image.copy()
    for _ in range(int(rng.integers(*THINGS))):
        piece = _piece(rng, others[int(rng.integers(len(others)))])
        if piece is None:
            continue
        size = np.array(piece.shape[1::-1])
        corner = rng.integers(-size // 2, len(image) - size // 2)
        box = np.concatenate([corner, corner + size]).astype(np.float64)
        areas = np.maximum((window.boxes[:, 2:] - window.boxes[:, :2]).prod(axis=1), 1)
        if (intersection(box[None], window.boxes)[0] > MOST_COVERED * areas).any():
            continue
        blend(image, piece, corner)
    return Window(image, window.boxes)


def _piece(rng: Rng, window: Window) -> ImageArray | None:
    """A thing (h, w, 4) uint8 BGR and mask, of where nobody is; None where that is hard to find."""
    height = float(np.exp(rng.uniform(*np.log(HEIGHTS_PX))))
    size = np.array((max(6.0, height * rng.uniform(*WIDTHS)), height)).astype(int)
    size = np.minimum(size, len(window.image) - 1)
    for _ in range(TRIES):
        corner = rng.integers(0, len(window.image) - size)
        box = np.concatenate([corner, corner + size]).astype(np.float64)
        if not intersection(box[None], window.boxes).any():
            part = window.image[corner[1] : corner[1] + size[1], corner[0] : corner[0] + size[0]]
            return np.dstack([_relit(rng, part), _shape(rng, size)])
    return None


def _relit(rng: Rng, part: ImageArray) -> ImageArray:
    """In another light and colour; some mirrored, some upside down, some with more contrast."""
    part = part[:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]
    middle = part.mean(axis=(0, 1))
    contrast, light = np.exp(rng.uniform(-0.3, 1.0)), np.exp(rng.uniform(-0.8, 0.5))
    light = light * np.exp(rng.uniform(-0.25, 0.25, 3))
    return np.asarray(np.clip((middle + (part - middle) * contrast) * light, 0, 255), np.uint8)


def _shape(rng: Rng, size: np.ndarray) -> ImageArray:
    """A mask (h, w): an ellipse, a rectangle or a polygon, edges soft."""
    mask = np.zeros((int(size[1]), int(size[0])), np.uint8)
    kind = rng.random()
    if kind < 0.3:
        mask[:] = 255
    elif kind < 0.6:
        middle = (int(size[0] // 2), int(size[1] // 2))
        cv2.ellipse(mask, middle, middle, 0, 0, 360, 255, cv2.FILLED)
    else:
        count = int(rng.integers(*CORNERS))
        angles = np.sort(rng.uniform(0, 2 * np.pi, count))
        reach = rng.uniform(0.5, 1, count)[:, None] * size / 2
        points = size / 2 + reach * np.column_stack([np.cos(angles), np.sin(angles)])
        cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 255)
    return np.asarray(cv2.GaussianBlur(mask, (3, 3), 0), np.uint8)


def blend(image: ImageArray, piece: ImageArray, corner: np.ndarray) -> None:
    """Put a piece (h, w, 4) into a picture, in place; what is beyond its border is cut off."""
    (x, y), (height, width) = corner.tolist(), piece.shape[:2]
    rows = slice(max(y, 0), min(y + height, image.shape[0]))
    columns = slice(max(x, 0), min(x + width, image.shape[1]))
    part = piece[rows.start - y : rows.stop - y, columns.start - x : columns.stop - x]
    mask = part[..., 3:] / 255
    image[rows, columns] = part[..., :3] * mask + image[rows, columns] * (1 - mask)
