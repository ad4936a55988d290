"""Which pairs of tracklets are looked at: all while they are few, else the likeliest of each."""

from collections.abc import Iterator

import numpy as np

from pipeline.association.floor_tracks import FloorSamples
from pipeline.association.looks import Looks
from pipeline.association.meetings import meetings
from pipeline.association.pairs import Pairs, Partners
from pipeline.association.passages import Passages, followers, in_reach, spread
from pipeline.types import BoolArray, FloatArray, IntArray

EXACT_PAIRS = 1_000_000
"""So many pairs are looked at one and all: some megabytes a column, and seconds."""
NEAREST = 30
"""Of more, each tracklet is compared with so many that are like it, once among those of the last
minutes, where most people are seen again, and once among all in reach."""
SOON_S = 180.0
BLOCK = 512
GROUP = 32
"""Numbers of which only the greatest is looked at, at first: sorting all is what takes long."""


def candidate_pairs(
    passages: Passages,
    looks: Looks,
    longest_s: float,
    apart: Pairs,
    free: BoolArray,
    samples: FloorSamples,
) -> Pairs:
    """Pairs that may be one person, with at most `longest_s` between end and start.

    All of them where they are at most `EXACT_PAIRS`. Else, for each free tracklet, those that are
    most like it by the cosine: before it, and, of those not free, after it; and whomever they meet
    on the floor. Memory then grows with N, time with N times the tracklets in reach, which is
    constant where people come at a constant rate.

    Args:
        passages: N of them.
        looks: N.
        longest_s: Longest absence, seconds.
        apart: Pairs that cannot be.
        free: Whose pairs are wanted (N,); others are only compared with these.
        samples: Where they stood, N.
    """
    reach_us = int(longest_s * 1e6)
    if _count_in_reach(passages, reach_us) <= EXACT_PAIRS:
        pairs = _all(passages, reach_us, free)
    else:
        pairs = _likeliest(passages, looks, reach_us, apart, free)
        pairs = Pairs.both(pairs, meetings(samples, passages.camera, free))
    return pairs.where(~pairs.among(apart))


def with_whole_identities(pairs: Pairs, known: IntArray) -> Pairs:
    """With all members of an identity wherever there is one of them.

    Args:
        pairs: Of N tracklets.
        known: Identity (N,) of each, at least 0; -1: none yet.
    """
    order = np.argsort(known, kind="stable")
    one = np.concatenate([pairs.first, pairs.second])
    other = np.concatenate([pairs.second, pairs.first])
    asks = np.flatnonzero((known[one] < 0) & (known[other] >= 0))
    # Each identity once for each who asks, however many of its members they were paired with.
    asked = np.unique(np.stack([one[asks], known[other[asks]]]), axis=1)
    since, until = (np.searchsorted(known[order], asked[1], side) for side in ("left", "right"))
    which, place = spread(since, until)
    return Pairs.both(pairs, Pairs.of(len(known), asked[0][which], order[place]))


def _count_in_reach(passages: Passages, reach_us: int) -> int:
    """How many pairs there are."""
    until = np.searchsorted(passages.starts, passages.ends + reach_us, side="right")
    return int(np.maximum(until - np.arange(len(passages)) - 1, 0).sum())


def _all(passages: Passages, reach_us: int, free: BoolArray) -> Pairs:
    if free.all():
        return Pairs.of(len(passages), *in_reach(passages.starts, passages.ends, reach_us))
    rows = np.flatnonzero(free)
    one, other = np.repeat(rows, len(passages)), np.tile(np.arange(len(passages)), len(rows))
    pairs = Pairs.of(len(passages), one, other)
    return pairs.where(passages.starts[pairs.second] <= passages.ends[pairs.first] + reach_us)


def _likeliest(
    passages: Passages, looks: Looks, reach_us: int, apart: Pairs, free: BoolArray
) -> Pairs:
    pieces = followers(passages.chains)
    pieces = pieces.where(free[pieces.first] | free[pieces.second])
    found = [(pieces.first, pieces.second)]
    for gallery in looks.galleries:
        own = gallery.members
        banned = _rows(apart, own)
        for soon_us in (min(int(SOON_S * 1e6), reach_us), reach_us):
            spans = passages.starts[own], passages.ends[own]
            for one, other in _nearest(gallery.vectors, *spans, soon_us, banned, free[own]):
                found.append((own[one], own[other]))
    one, other = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pairs.of(len(passages), one, other)


def _rows(apart: Pairs, members: IntArray) -> Pairs:
    """Pairs among members (M,), by their positions there."""
    position = np.full(apart.count, -1, np.int64)
    position[members] = np.arange(len(members))
    first, second = position[apart.first], position[apart.second]
    inside = (first >= 0) & (second >= 0)
    return Pairs(len(members), first[inside], second[inside])


def _nearest(
    vectors: FloatArray,
    starts: IntArray,
    ends: IntArray,
    reach_us: int,
    banned: Pairs,
    free: BoolArray,
) -> Iterator[tuple[IntArray, IntArray]]:
    """For each free passage the `NEAREST` in reach that are most like it, in blocks."""
    rows = np.flatnonzero(free)
    latest_end = np.maximum.accumulate(ends)
    never = Partners(banned)
    for begin in range(0, len(rows), BLOCK):
        block = rows[begin : begin + BLOCK]
        since = int(np.searchsorted(latest_end, starts[block[0]] - reach_us))
        last = ends[block].max() + reach_us
        until = len(starts) if not free.all() else block[-1] + 1
        until = min(int(np.searchsorted(starts, last, side="right")), int(until))
        similarity = vectors[block] @ vectors[since:until].T
        columns = np.arange(since, until)
        some = columns[(columns >= block[0]) | (ends[since:until] + reach_us < starts[block[-1]])]
        earlier = some < block[:, None]
        possible = earlier & (ends[some] + reach_us >= starts[block][:, None])
        possible |= ~earlier & ~free[some] & (starts[some] <= last)
        similarity[:, some - since] = np.where(possible, similarity[:, some - since], -np.inf)
        one, other = never.of(block)
        inside = (other >= since) & (other < until)
        similarity[one[inside], other[inside] - since] = -np.inf
        row, column = _greatest(similarity, NEAREST)
        yield block[row], columns[column]


def _greatest(values: FloatArray, count: int) -> tuple[IntArray, IntArray]:
    """Rows and columns of the greatest of each row, at most so many, -inf left out.

    Of equals the first. Of a row cut into groups, `count` groups have a value as great as the least
    of their greatest: what is less is not among the greatest, and that is nearly all.
    """
    least = np.full((len(values), 1), -np.inf)
    width = values.shape[1] // GROUP
    if width >= count:
        groups = values[:, : width * GROUP].reshape(len(values), GROUP, width)
        least = np.partition(groups.max(axis=1), -count, axis=1)[:, -count, None]
    elif values.shape[1] > count:
        least = np.partition(values, -count, axis=1)[:, -count, None]
    row, column = np.nonzero((values >= least) & (values > -np.inf))
    order = np.lexsort((column, -values[row, column], row))
    row, column = row[order], column[order]
    greatest = np.arange(len(row)) - np.searchsorted(row, row) < count
    return row[greatest], column[greatest]
