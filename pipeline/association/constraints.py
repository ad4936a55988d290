"""What cannot be: one person twice in one view at once, or faster than a way can be gone."""

from collections.abc import Mapping

import numpy as np

from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages, in_reach, spread
from pipeline.types import IntArray

Transitions = Mapping[str, Mapping[str, tuple[float, float]]]
"""Seconds [min, max] from leaving the first camera to entering the second, by ordered pair."""


def cannot_link(passages: Passages, transitions: Transitions) -> Pairs:
    """Pairs that cannot be one person.

    Two tracklets of one camera that overlap in time, unless they are pieces of one track; and two
    of different cameras between which less time passes than the site's `transitions` allow.
    """
    views = [_overlapping(passages, camera) for camera in range(len(passages.names))]
    ways = [
        _too_soon(passages, passages.names.index(first), passages.names.index(second), bounds[0])
        for first, targets in transitions.items()
        for second, bounds in targets.items()
        if first != second and {first, second} <= set(passages.names)
    ]
    found = [*views, *ways]
    if not found:
        return Pairs.none(len(passages))
    one, other = (np.concatenate(column) for column in zip(*found, strict=True))
    chains = passages.chains
    apart = chains[one] != chains[other]
    return Pairs.of(len(passages), one[apart], other[apart])


def _overlapping(passages: Passages, camera: int) -> tuple[IntArray, IntArray]:
    own = np.flatnonzero(passages.camera == camera)
    first, second = in_reach(passages.starts[own], passages.ends[own], 0)
    return own[first], own[second]


def _too_soon(
    passages: Passages, first: int, second: int, least_s: float
) -> tuple[IntArray, IntArray]:
    """Pairs that start in one camera, and in the other sooner than the way takes."""
    leaving, entering = (np.flatnonzero(passages.camera == camera) for camera in (first, second))
    starts = passages.starts[entering]
    ends = passages.ends[leaving]
    # Among those that start together the one that ends first has left: see Passages.gaps_s.
    since = np.searchsorted(starts, passages.starts[leaving], side="left")
    until = np.searchsorted(starts, ends + np.int64(least_s * 1e6), side="left")
    one, other = spread(since, until)
    pairs = Pairs.of(len(passages), leaving[one], entering[other])
    # In canonical order the first of two that start together may be the one that enters.
    soon = passages.gaps_s(pairs) < least_s
    forward = (passages.camera[pairs.first] == first) | (
        passages.starts[pairs.first] == passages.starts[pairs.second]
    )
    pairs = pairs.where(soon & forward)
    return pairs.first, pairs.second
