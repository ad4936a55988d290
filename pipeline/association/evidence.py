"""What is known about pairs of tracklets, part by part, and what of it a link keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.association.pairs import Pairs
from pipeline.types import (
    BoolArray,
    DoubleArray,
    Evidence,
    IntArray,
    Link,
    PairEvidence,
    Tracklet,
)

PAIRS_KEPT = 5
"""Strongest pairs kept with a link, and as many of its closest rivals."""
UNINFORMED_LOG_ODDS = -0.5
"""A pair about which nothing is known is rather two people: there are many."""


@dataclass(frozen=True, slots=True, eq=False)
class PairTable:
    """What is known about P pairs of tracklets; columns (P,), log-odds.

    Attributes:
        pairs: Those that were looked at and may be one person.
        similarity: Cosine of embeddings without their cameras' offsets; NaN where one has none.
        appearance: Evidence from embeddings.
        transition_time: Evidence from the time between two cameras.
        ground_plane: Evidence from positions on the floor.
        edits: Evidence from what users decided.
    """

    pairs: Pairs
    similarity: DoubleArray
    appearance: DoubleArray
    transition_time: DoubleArray
    ground_plane: DoubleArray
    edits: DoubleArray

    def log_odds(self) -> DoubleArray:
        """The sum of the parts (P,); uninformed pairs speak a little against."""
        total = self.appearance + self.transition_time + self.ground_plane + self.edits
        uninformed = np.isnan(self.similarity) & (self.ground_plane == 0)
        return np.where(uninformed, total + UNINFORMED_LOG_ODDS, total)

    def parts(self) -> DoubleArray:
        """Appearance, transition time, ground plane, edits: (P, 4)."""
        return np.column_stack(
            [self.appearance, self.transition_time, self.ground_plane, self.edits]
        )


def links(
    tracklets: Sequence[Tracklet],
    table: PairTable,
    identities: IntArray,
    decided_at_us: int,
    method: str,
    wanted: IntArray,
) -> list[Link]:
    """Links of the wanted tracklets, with the mean evidence and the pairs that say most.

    Args:
        tracklets: N.
        table: Evidence on pairs of them.
        identities: (N,).
        decided_at_us: When, microseconds UTC.
        method: Which way of clustering.
        wanted: (M,) positions of tracklets, increasing.
    """
    parts = table.parts()
    node, other, row = _both_ways(table.pairs, wanted)
    same = identities[wanted[node]] == identities[other]
    means = _means(len(wanted), node[same], parts[row[same]])
    shown: list[list[PairEvidence]] = [[] for _ in wanted]
    for index in _strongest(node, ~same, table.log_odds()[row]):
        shown[node[index]].append(
            PairEvidence(
                other=tracklets[other[index]].key,
                similarity=float(table.similarity[row[index]]),
                evidence=_evidence(parts[row[index]]),
                same_identity=bool(same[index]),
            )
        )
    return [
        Link(
            tracklet=tracklets[place].key,
            identity=int(identities[place]),
            evidence=_evidence(mean),
            pairs=tuple(kept),
            decided_at_us=decided_at_us,
            method=method,
        )
        for place, mean, kept in zip(wanted, means, shown, strict=True)
    ]


def _both_ways(pairs: Pairs, wanted: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Each pair as each of the wanted sees it: position of who among these, whom, row of the pair.

    All (Q,), Q at most 2P.
    """
    rows = np.arange(len(pairs))
    node = np.concatenate([pairs.first, pairs.second])
    place = np.searchsorted(wanted, node).clip(max=max(len(wanted) - 1, 0))
    is_wanted = wanted[place] == node if len(wanted) else np.zeros(len(node), np.bool_)
    other, row = np.concatenate([pairs.second, pairs.first]), np.concatenate([rows, rows])
    return place[is_wanted], other[is_wanted], row[is_wanted]


def _means(count: int, node: IntArray, parts: DoubleArray) -> DoubleArray:
    """Mean of the parts by node (count, 4); 0 where a node has none."""
    sums = np.zeros((count, parts.shape[1]))
    np.add.at(sums, node, parts)
    return np.asarray(sums / np.maximum(np.bincount(node, minlength=count), 1)[:, None])


def _strongest(node: IntArray, is_rival: BoolArray, log_odds: DoubleArray) -> IntArray:
    """Positions of the `PAIRS_KEPT` best of each node's own, then of its rivals, best first."""
    order = np.lexsort((np.arange(len(node)), -log_odds, is_rival, node))
    group = node[order] * 2 + is_rival[order]
    begins = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.empty(0)
    lengths = np.diff(np.append(begins, len(group)))
    rank = np.arange(len(group)) - np.repeat(begins, lengths.astype(np.int64))
    return np.asarray(order[rank < PAIRS_KEPT])


def _evidence(parts: DoubleArray) -> Evidence:
    return Evidence(*(float(part) for part in parts))
