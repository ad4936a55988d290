"""How alike a tracklet is to many others: among people in one uniform, being alike says little.

Cross-domain similarity local scaling (Conneau et al., "Word translation without parallel data",
ICLR 2018, section 2.3): from the cosine of two is taken half of how alike each of them is to those
that are most like it. Theirs are the 10 nearest; we take `CROWD`, more than one person has
tracklets as a rule.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pipeline.association.looks import Gallery, Looks
from pipeline.association.pairs import Pairs, Partners
from pipeline.association.passages import Passages
from pipeline.types import BoolArray, DoubleArray, IntArray

CROWD = 20
"""The mean cosine with so many is a tracklet's crowding. Chosen on simulated people."""
NEIGHBOURS = 2000
"""Of long runs, so many tracklets are compared with so many before and after them."""
BLOCK = 512


def with_crowding(looks: Looks, passages: Passages, apart: Pairs, rows: BoolArray) -> Looks:
    """Looks of N tracklets, with the crowding of those marked in rows (N,) measured.

    Args:
        looks: N.
        passages: N.
        apart: Pairs that cannot be one person.
        rows: Whose is to be measured; that of others stays what it was.
    """
    return replace(
        looks, galleries=tuple(_measured(one, passages, apart, rows) for one in looks.galleries)
    )


def _measured(gallery: Gallery, passages: Passages, apart: Pairs, rows: BoolArray) -> Gallery:
    crowding = gallery.crowding.copy()
    for places, near, possible in comparisons(
        gallery, passages, apart, np.flatnonzero(rows[gallery.members]), BLOCK
    ):
        cosines = gallery.vectors[places] @ gallery.vectors[near].T
        cosines[~possible] = -np.inf
        count = min(CROWD, len(near))
        likest = -np.partition(-cosines, count - 1, axis=1)[:, :count]
        known = np.isfinite(likest)
        total = np.where(known, likest, 0).sum(axis=1)
        crowding[places] = total / np.maximum(known.sum(axis=1), 1)
    return replace(gallery, crowding=crowding)


def comparisons(
    gallery: Gallery, passages: Passages, apart: Pairs, places: IntArray, block: int
) -> Iterator[tuple[IntArray, IntArray, BoolArray]]:
    """With whom members of a gallery are compared: who came shortly before and after them.

    Args:
        gallery: M vectors of some of N tracklets.
        passages: N.
        apart: Pairs that cannot be one person; they are not compared.
        places: Positions among the M, increasing, of those wanted.
        block: So many at a time.

    Yields:
        Some of the places (B,), positions near them (C,), and which to compare (B, C): not with
        itself, nor with pieces of one track.
    """
    members = gallery.members
    never, chains = Partners(apart), passages.chains[members]
    position = np.full(apart.count, -1, np.int64)
    position[members] = np.arange(len(members))
    for begin in range(0, len(places), block):
        own = places[begin : begin + block]
        near = np.arange(max(own[0] - NEIGHBOURS, 0), min(own[-1] + NEIGHBOURS + 1, len(members)))
        possible = np.abs(near - own[:, None]) <= NEIGHBOURS
        possible &= chains[near] != chains[own][:, None]
        one, other = never.of(members[own])
        other = position[other] - near[0]
        inside = (other >= 0) & (other < len(near))
        possible[one[inside], other[inside]] = False
        yield own, near, possible


def contrasts(looks: Looks, pairs: Pairs) -> DoubleArray:
    """Cosines (P,) less half of the crowding of both; NaN where they cannot be compared."""
    crowding = np.zeros(looks.count)
    for gallery in looks.galleries:
        crowding[gallery.members] = gallery.crowding
    halves = (crowding[pairs.first] + crowding[pairs.second]) / 2
    return np.asarray(looks.similarities(pairs) - halves)
