"""Who stood near whom on the floor: pairs worth a look, whatever they look like."""

from itertools import product
from typing import Final

import numpy as np

from pipeline.association.floor_tracks import FloorSamples
from pipeline.association.pairs import Pairs
from pipeline.association.passages import spread
from pipeline.types import BoolArray, IntArray

EVERY: Final = 4
"""Steps of the samples: once a second."""
CELL_M: Final = 1.0
"""Who stands in one cell of the floor, or in neighbouring ones, meets."""


def meetings(samples: FloorSamples, camera: IntArray, free: BoolArray) -> Pairs:
    """Pairs of N tracklets of two cameras, one of them free, that were near at some second.

    Args:
        samples: Of N tracklets.
        camera: (N,) which camera saw each.
        free: (N,) whose pairs are wanted.
    """
    owner = np.repeat(np.arange(len(camera)), np.diff(samples.offsets))
    step = samples.begins[owner] + np.arange(len(owner)) - samples.offsets[owner]
    rows = np.flatnonzero((step % EVERY == 0) & np.isfinite(samples.positions).all(axis=1))
    if not len(rows):
        return Pairs.none(len(camera))
    owner, second = owner[rows], step[rows] // EVERY
    cells = np.floor(samples.positions[rows] / CELL_M).astype(np.int64)
    # With a border, so that neighbours are never cells of another row or second.
    cells -= cells.min(axis=0) - 1
    second = second - second.min()
    width, height = (cells.max(axis=0) + 2).tolist()
    code = (second * width + cells[:, 0]) * height + cells[:, 1]
    order = np.argsort(code, kind="stable")
    ranked, found = code[order], []
    asks = np.flatnonzero(free[owner])
    for east, north in product((-1, 0, 1), repeat=2):
        wanted = code[asks] + east * height + north
        since, until = (np.searchsorted(ranked, wanted, side) for side in ("left", "right"))
        which, place = spread(since, until)
        one, other = owner[asks[which]], owner[order[place]]
        apart = camera[one] != camera[other]
        found.append(Pairs.of(len(camera), one[apart], other[apart]))
    one, other = (np.concatenate([getattr(p, side) for p in found]) for side in ("first", "second"))
    return Pairs.of(len(camera), one, other)
