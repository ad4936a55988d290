"""People who were filmed, in clothes of other colours.

A few real videos hold a few dozen people. Their garments in other colours make many more, with the
texture, light and noise of real cameras: material for a student whose teacher says what it sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from pipeline.types import DoubleArray, ImageArray

Rng = np.random.Generator
Area = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Garment:
    """Where a garment is in the crop of an upright person, shares of its height and width.

    Attributes:
        core: Surely garment: top, left, bottom, right.
        reach: What may belong to it.
    """

    core: Area
    reach: Area


UPPER: Final = Garment((0.22, 0.38, 0.42, 0.62), (0.12, 0.08, 0.56, 0.92))
LOWER: Final = Garment((0.54, 0.36, 0.72, 0.64), (0.46, 0.08, 0.95, 0.92))
FADE: Final = 0.05
"""Share of the crop over which a garment's reach ends."""
ALIKE: Final = 45.0
"""Grey levels from the colour of its core at which a pixel is rather something else."""
SPREAD: Final = 10.0
BORDER: Final = 0.01
"""Of a garment, share of the height."""
KEPT: Final = 0.15
"""Share of garments that keep their colour."""


def redressed(rng: Rng, tracks: Sequence[ImageArray], count: int) -> list[ImageArray]:
    """So many people (k, H, W, 3), each somebody of `tracks` in two garments of other colours.

    What is taken for a garment is what looks like the middle of the trunk, or of the legs.

    Args:
        rng: Everything random follows from it.
        tracks: Crops (k, H, W, 3) uint8 BGR, one person each; at least one.
        count: How many.
    """
    people = []
    for _ in range(count):
        crops = tracks[int(rng.integers(len(tracks)))].astype(np.float64)
        for garment in (UPPER, LOWER):
            colour = rng.uniform(10, 245, 3) if rng.random() < 0.5 else _muted(rng)
            if rng.random() >= KEPT:
                crops = _dyed(crops, garment, colour)
        people.append(np.rint(crops).astype(np.uint8))
    return people


def _muted(rng: Rng) -> DoubleArray:
    """As most clothes are: nearly grey, and rather dark."""
    return np.clip(rng.triangular(10, 40, 230) + rng.normal(0, 15, 3), 5, 250)


def _dyed(crops: DoubleArray, garment: Garment, colour: DoubleArray) -> DoubleArray:
    """A garment's mean colour, over the whole track, becomes another; its shades stay."""
    height, width = crops.shape[1:3]
    top, left, bottom, right = (np.array(garment.core) * (height, width, height, width)).astype(int)
    cores = crops[:, top:bottom, left:right].reshape(len(crops), -1, 3)
    own = np.median(cores, axis=1)  # of each frame: light changes on the way
    apart = np.linalg.norm(crops - own[:, None, None], axis=3)
    is_own = 1 / (1 + np.exp((apart - ALIKE) / SPREAD))
    share = np.stack([_widened(one) for one in is_own]) * _reach(garment.reach, height, width)
    shift = colour - np.median(own, axis=0)
    return np.clip(crops + share[..., None] * shift, 0, 255)


def _widened(share: DoubleArray) -> DoubleArray:
    """Over the border, too, where the garment is mixed with what is behind it."""
    width = 2 * round(len(share) * BORDER) + 1
    wider = cv2.dilate(share, np.ones((width, width)))
    return np.asarray(cv2.GaussianBlur(wider, (width, width), 0))


def _reach(area: Area, height: int, width: int) -> DoubleArray:
    """1 inside, falling to 0 outside, (H, W)."""
    top, left, bottom, right = area
    down, across = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    rows = np.clip(np.minimum(down - top, bottom - down) / FADE + 0.5, 0, 1)
    columns = np.clip(np.minimum(across - left, right - across) / FADE + 0.5, 0, 1)
    return np.asarray(rows[:, None] * columns)
