"""Evidence from time and way between two cameras: given by the site, or learned from its links."""

from dataclasses import dataclass

import numpy as np

from pipeline.association.constraints import Transitions
from pipeline.association.doors import Doorways, learn_doorways
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.types import BoolArray, DoubleArray, IntArray

LIMIT = 3.0
"""The time between two cameras alone never says more than this many log-odds."""
FEWEST_LINKS = 30
"""From fewer links no times are learned."""
PSEUDO_LINKS = 5.0
"""A camera pair and time is as likely as the whole site's mean until about so many links show
otherwise: what has not been seen yet is not impossible."""
EDGES_S: DoubleArray = np.concatenate(
    [[-np.inf, -30, -10, -3], np.concatenate([[0], 2 * 1.5 ** np.arange(19)]), [np.inf]]
)
"""Bins of the gap, seconds: negative ones for views that overlap, then of growing width."""
NEXT = 10
"""Links counted of each passage: with those that follow it."""
SMOOTHING = (0.25, 0.5, 0.25)


@dataclass(frozen=True, slots=True, eq=False)
class TransitionTimes:
    """How much likelier a pair is one person for its cameras, the time between, and the doors.

    Attributes:
        names: C cameras.
        log_odds: (C, C, B) for leaving the first camera and entering the second after a gap in bin
            b of `EDGES_S`; 0 is what is usual for the site, within +-LIMIT.
        doors: Where they left and came adds to it.
    """

    names: tuple[str, ...]
    log_odds: DoubleArray
    doors: Doorways

    def of(self, passages: Passages, pairs: Pairs) -> DoubleArray:
        """Evidence (P,); 0 for cameras that were not there when it was learned."""
        position = np.array([_index(self.names, name) for name in passages.names], np.int64)
        one, other = (position[passages.camera[side]] for side in (pairs.first, pairs.second))
        known = (one >= 0) & (other >= 0)
        evidence = self.log_odds[one, other, _bins(passages.gaps_s(pairs))]
        return np.asarray(np.where(known, evidence, 0.0) + self.doors.of(passages, pairs))


def prior_log_odds(passages: Passages, pairs: Pairs, transitions: Transitions) -> DoubleArray:
    """Evidence (P,) from the site's own `transitions`, against arrival at any time of the run.

    log(T / (max - min)) for a gap inside those of the ordered pair of cameras, T being the length
    of the run; 0 outside (people may have gone elsewhere between) and for other pairs.
    """
    evidence = np.zeros(len(pairs))
    if not len(pairs):
        return evidence
    duration = max((int(passages.ends.max()) - int(passages.starts.min())) / 1e6, 1e-3)
    gaps = passages.gaps_s(pairs)
    for first, second, (low, high) in _given(passages, transitions):
        inside = _is_way(passages, pairs, first, second) & (gaps >= low) & (gaps <= high)
        evidence[inside] = np.clip(np.log(duration / max(high - low, 1.0)), 0, LIMIT)
    return evidence


def is_given(passages: Passages, pairs: Pairs, transitions: Transitions) -> BoolArray:
    """Whether the site itself says how long the way takes, (P,) bool."""
    given = np.zeros(len(pairs), np.bool_)
    for first, second, _ in _given(passages, transitions):
        given |= _is_way(passages, pairs, first, second)
    return given


def learn_transition_times(
    passages: Passages, clusters: IntArray, longest_s: float
) -> TransitionTimes | None:
    """Times between cameras from who was taken for one person; None from too few links.

    For camera pair (a, b) and bin g of the gap, with n of the site's pairs in reach there and m of
    them linked, P(same) = (m + k) / (n + k / r), r being the share of linked pairs at the whole
    site and k = `PSEUDO_LINKS`; the evidence is its log-odds against r. Links that are wrong by
    chance come at any time, and only flatten it; where people arrive at any time it is 0.

    Args:
        passages: N of them.
        clusters: Who each was taken for (N,).
        longest_s: Longest absence that is looked at, seconds.
    """
    linked = _linked(passages, clusters, longest_s)
    if len(linked) < FEWEST_LINKS:
        return None
    cameras = len(passages.names)
    links = np.zeros((cameras, cameras, len(EDGES_S) - 1))
    bins = _bins(passages.gaps_s(linked))
    np.add.at(links, (passages.camera[linked.first], passages.camera[linked.second], bins), 1)
    reach = _pairs_in_reach(passages, longest_s)
    rate = links.sum() / max(reach.sum(), 1.0)
    links, reach = _smooth(links), _smooth(reach)
    odds = (links + PSEUDO_LINKS) / np.maximum(reach - links + PSEUDO_LINKS / rate, 1e-9)
    evidence = np.clip(np.log(odds / (rate / max(1 - rate, 1e-9))), -LIMIT, LIMIT)
    return TransitionTimes(passages.names, evidence, learn_doorways(passages, linked))


def _linked(passages: Passages, clusters: IntArray, longest_s: float) -> Pairs:
    """Each with the `NEXT` of its cluster that follow it, but for pieces of one track."""
    order = np.argsort(clusters, kind="stable")
    pairs = Pairs.none(len(passages))
    for ahead in range(1, NEXT + 1):
        same = clusters[order[ahead:]] == clusters[order[:-ahead]]
        found = Pairs.of(len(passages), order[:-ahead][same], order[ahead:][same])
        pairs = Pairs.both(pairs, found)
    chains = passages.chains
    apart = chains[pairs.first] != chains[pairs.second]
    return pairs.where(apart & (passages.gaps_s(pairs) <= longest_s))


def _bins(gaps_s: DoubleArray) -> IntArray:
    return np.searchsorted(EDGES_S[1:-1], gaps_s, side="right")


def _pairs_in_reach(passages: Passages, longest_s: float) -> DoubleArray:
    """How many pairs there are (C, C, B), by camera left, camera entered and time between."""
    cameras = len(passages.names)
    reach = np.zeros((cameras, cameras, len(EDGES_S) - 1))
    edges = np.append(EDGES_S[1:-1], np.inf).clip(max=longest_s)
    leaving = np.argsort(passages.camera, kind="stable")
    present, begins = np.unique(passages.camera[leaving], return_index=True)
    # Only what starts later counts; pairs that start together count once, by halves.
    since = np.searchsorted(passages.starts, passages.starts[leaving], side="left")
    last = passages.ends[leaving][:, None] + (edges * 1e6).astype(np.int64)
    until = np.searchsorted(passages.starts, last, side="left")
    for second in present.tolist():
        entered = np.concatenate([[0], np.cumsum(passages.camera == second)])
        counts = np.maximum(entered[until] - entered[since][:, None], 0)
        sums = np.add.reduceat(counts, begins)
        own = present == second
        sums[own] = np.maximum(sums[own] - entered[-1], 0)
        reach[present, second] = np.diff(sums, prepend=0)
    return reach


def _smooth(table: DoubleArray) -> DoubleArray:
    """Neighbouring bins share what they hold; sums stay."""
    low, middle, high = SMOOTHING
    result = middle * table
    result[..., 1:] += high * table[..., :-1]
    result[..., :-1] += low * table[..., 1:]
    result[..., 0] += low * table[..., 0]
    result[..., -1] += high * table[..., -1]
    return result


def _given(
    passages: Passages, transitions: Transitions
) -> list[tuple[int, int, tuple[float, float]]]:
    return [
        (passages.names.index(first), passages.names.index(second), bounds)
        for first, targets in transitions.items()
        for second, bounds in targets.items()
        if {first, second} <= set(passages.names)
    ]


def _is_way(passages: Passages, pairs: Pairs, first: int, second: int) -> BoolArray:
    return np.asarray(
        (passages.camera[pairs.first] == first) & (passages.camera[pairs.second] == second)
    )


def _index(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else -1
