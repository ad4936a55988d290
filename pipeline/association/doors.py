"""Which doors lead where: where people leave one view, and come into another soon after.

Learned from links, like the times between cameras. A view is cut into cells, and cells share what
they hold with their neighbours; no doors need to be drawn.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.types import BoolArray, DoubleArray, IntArray

GRID: Final = 6
"""A view has so many cells a side."""
REACH: Final = 0.7
"""Deviation of the smoothing, cells."""
SOON_S: Final = 30.0
"""Who takes longer may have gone round by other doors."""
OVERLAP_S: Final = 2.0
PSEUDO_LINKS: Final = 5.0
"""Any door leads anywhere until about so many links of two cameras show otherwise."""
LIMIT: Final = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Doorways:
    """How much likelier a pair is one person for where it left and came.

    Attributes:
        names: C cameras.
        extents: (C, 4) of each: least and greatest x, then y, of feet that come or leave, pixels.
        log_odds: (cells left, cells entered) by cameras left and entered; 0 is what chance gives.
    """

    names: tuple[str, ...]
    extents: DoubleArray
    log_odds: Mapping[tuple[int, int], DoubleArray]

    def of(self, passages: Passages, pairs: Pairs) -> DoubleArray:
        """Evidence (P,); 0 for cameras unknown here and for who took long, within +-LIMIT."""
        index = {name: number for number, name in enumerate(self.names)}
        position = np.array([index.get(name, -1) for name in passages.names], np.int64)
        camera = position[passages.camera]
        left, came = (_cells(feet, camera, self.extents) for feet in (passages.left, passages.came))
        rows = np.flatnonzero(_is_soon(passages, pairs))
        ways = camera[pairs.first[rows]], camera[pairs.second[rows]]
        evidence = np.zeros(len(pairs))
        for way, table in self.log_odds.items():
            own = rows[(ways[0] == way[0]) & (ways[1] == way[1])]
            evidence[own] = table[left[pairs.first[own]], came[pairs.second[own]]]
        return evidence


def learn_doorways(passages: Passages, linked: Pairs) -> Doorways:
    """From pairs that are taken for one person.

    For cells x of the camera left and y of that entered, log((n(x, y) + k p(x) q(y)) / ((n + k)
    p(x) q(y))): n links, p and q how often anybody leaves and comes there, k = `PSEUDO_LINKS`.
    """
    extents = _extents(passages)
    left, came = (_cells(feet, passages.camera, extents) for feet in (passages.left, passages.came))
    linked = linked.where(_is_soon(passages, linked))
    first, second = passages.camera[linked.first], passages.camera[linked.second]
    tables = {}
    for one, other in np.unique(np.column_stack([first, second]), axis=0).tolist():
        own = (first == one) & (second == other)
        chance = np.outer(
            _usual(left[passages.camera == one]), _usual(came[passages.camera == other])
        )
        links = np.zeros((GRID**2, GRID**2))
        np.add.at(links, (left[linked.first[own]], came[linked.second[own]]), 1)
        links = SHARES @ links @ SHARES.T
        odds = (links + PSEUDO_LINKS * chance) / ((links.sum() + PSEUDO_LINKS) * chance)
        tables[one, other] = np.clip(np.log(odds), -LIMIT, LIMIT)
    return Doorways(passages.names, extents, tables)


def _is_soon(passages: Passages, pairs: Pairs) -> BoolArray:
    gaps = passages.gaps_s(pairs)
    return (gaps >= -OVERLAP_S) & (gaps <= SOON_S)


def _extents(passages: Passages) -> DoubleArray:
    extents = np.zeros((len(passages.names), 4))
    for camera in range(len(passages.names)):
        own = passages.camera == camera
        feet = np.concatenate([passages.left[own], passages.came[own]])
        if len(feet):
            extents[camera] = np.column_stack([feet.min(axis=0), feet.max(axis=0)]).ravel()
    return extents


def _cells(feet: DoubleArray, camera: IntArray, extents: DoubleArray) -> IntArray:
    """Which cell (N,) of their camera's view feet (N, 2) stand in."""
    low, high = extents[camera][:, ::2], extents[camera][:, 1::2]
    share = (feet - low) / np.maximum(high - low, 1.0)
    column, row = np.clip((share * GRID).astype(np.int64), 0, GRID - 1).T
    return np.asarray(row * GRID + column)


def _usual(cells: IntArray) -> DoubleArray:
    """How often each cell is met, smoothed; none never."""
    counts = SHARES @ np.bincount(cells, minlength=GRID**2) + 1e-3
    return np.asarray(counts / counts.sum())


def _shares() -> DoubleArray:
    """How a cell's count spreads over all cells: columns add up to 1."""
    places = np.stack(np.divmod(np.arange(GRID**2), GRID), axis=1)
    squares = ((places[:, None] - places) ** 2).sum(axis=2)
    near = np.exp(-squares / (2 * REACH**2))
    return np.asarray(near / near.sum(axis=0))


SHARES: Final = _shares()
