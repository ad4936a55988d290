"""Clusters made better by exchanging members: Kernighan and Lin's way, many pairs of them at once.

Two clusters, the second perhaps empty, move one member after another to the other side, each the
one that gains most or loses least, each once; the sequence is cut where its sum is greatest. That
covers single moves, exchanges and splits; joining the two as a whole is tried besides (Kernighan
and Lin, Bell System Technical Journal 49, 1970; Keuper et al., ICCV 2015, algorithm 2).
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from pipeline.association.block_graph import BlockGraph, disjoint, numbered
from pipeline.association.pairs import Pairs
from pipeline.types import BoolArray, DoubleArray, IntArray

ROUNDS = 50
"""At most; few are needed."""
EXCHANGED = 64
"""Most members in one sequence: of larger pairs of clusters those that gain most alone."""
BATCH = 200_000
"""Numbers looked at together; bounds memory."""


@dataclass(frozen=True, slots=True, eq=False)
class _Clusters:
    """K clusters of B blocks; number K is an empty one.

    Attributes:
        labels: Cluster of each block (B,).
        members: Blocks, cluster by cluster (B,).
        starts: Place of a cluster's first member among `members` (K + 1,).
        counts: How many blocks it has (K + 1,).
        ranks: Place of each block in its cluster (B,).
    """

    labels: IntArray
    members: IntArray
    starts: IntArray
    counts: IntArray
    ranks: IntArray

    @classmethod
    def of(cls, labels: IntArray) -> "_Clusters":
        members = np.argsort(labels, kind="stable")
        counts = np.bincount(labels, minlength=labels.max(initial=-1) + 2)
        starts = np.cumsum(counts) - counts
        ranks = np.empty_like(members)
        ranks[members] = np.arange(len(labels)) - starts[labels[members]]
        return cls(labels, members, starts, counts, ranks)

    @property
    def empty(self) -> int:
        """Number of the empty one, K."""
        return len(self.counts) - 1


def refined(graph: BlockGraph, labels: IntArray) -> IntArray:
    """Labels (B,) of clusters that have exchanged members until nothing gains.

    In rounds, the greatest gains first; of one round no two concern the same cluster, so gains add.
    """
    rows = graph.rows()
    fresh = np.ones(len(labels), np.bool_)
    for _ in range(ROUNDS):
        clusters = _Clusters.of(numbered(labels))
        one, other = _meetings(graph, rows, clusters, fresh)
        gains, pair, block = _exchanges(graph, rows, clusters, one, other)
        if not (gains > 0).any():
            break
        other = np.where(other == clusters.empty, clusters.empty + np.arange(len(other)), other)
        chosen = _chosen(gains, one, other)
        moves = np.isin(pair, chosen)
        pair, block = pair[moves], block[moves]
        labels = clusters.labels.copy()
        labels[block] = one[pair] + other[pair] - labels[block]
        fresh = np.isin(labels, [one[chosen], other[chosen]])
    return labels


def _chosen(gains: DoubleArray, one: IntArray, other: IntArray) -> IntArray:
    """Pairs of clusters that gain, none in two of them, the greatest gains first."""
    places = np.flatnonzero(gains > 0)
    places = places[np.lexsort((other[places], one[places], -gains[places]))]
    return places[disjoint(one[places], other[places])]


def _meetings(
    graph: BlockGraph, rows: csr_array, clusters: _Clusters, fresh: BoolArray
) -> tuple[IntArray, IntArray]:
    """Pairs of clusters that may have something to exchange, the first (P,) and the second (P,).

    Those of which a member of the one is drawn to the other, and each cluster with the empty one,
    to be split; of those that have changed lately, with a member in `fresh` (B,).
    """
    count = clusters.empty
    changed = np.zeros(count, np.bool_)
    changed[clusters.labels[fresh]] = True
    block, there = _drawn(graph, rows, clusters, fresh)
    here = clusters.labels[block]
    meet = (here != there) & (changed[here] | changed[there])
    met = Pairs.of(count, here[meet], there[meet])
    alone = np.flatnonzero(changed & (clusters.counts[:count] > 1))
    one = np.concatenate([met.first, alone])
    return one, np.concatenate([met.second, np.full(len(alone), count)])


def _drawn(
    graph: BlockGraph, rows: csr_array, clusters: _Clusters, fresh: BoolArray
) -> tuple[IntArray, IntArray]:
    """Blocks, fresh or next to fresh ones, and clusters to which each weighs above 0.

    What keeps two blocks apart does not count here: one of them may have to leave.
    """
    finite = csr_array(
        (np.where(np.isinf(rows.data), 0, rows.data), rows.indices, rows.indptr), rows.shape
    )
    near = np.flatnonzero(fresh | (abs(finite) @ fresh.astype(np.float64) > 0))
    ends = np.arange(len(fresh)), clusters.labels
    belongs = csr_array((np.ones(len(fresh)), ends), (len(fresh), clusters.empty))
    sums = (finite[near] @ belongs).tocoo()
    block, there = near[sums.row], sums.col.astype(np.int64)
    sizes = np.bincount(clusters.labels, graph.sizes)
    drawn = sums.data + graph.default * graph.sizes[block] * sizes[there] > 0
    return block[drawn], there[drawn]


def _exchanges(
    graph: BlockGraph, rows: csr_array, clusters: _Clusters, one: IntArray, other: IntArray
) -> tuple[DoubleArray, IntArray, IntArray]:
    """The best exchange of each pair of clusters: its gain (P,), at least 0, and what moves.

    That is by pair (M,) and block (M,), nothing where the gain is 0.
    """
    counts = clusters.counts[one] + clusters.counts[other]
    degrees = np.diff(rows.indptr).astype(np.float64)
    edges = np.bincount(clusters.labels, degrees, len(clusters.counts))
    work = np.maximum(edges[one] + edges[other], np.minimum(counts, EXCHANGED) ** 2)
    order = np.argsort(counts, kind="stable")
    batch = np.cumsum(work[order]) // BATCH
    gains = np.zeros(len(one))
    pair, block = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for places in np.split(order, np.flatnonzero(np.diff(batch)) + 1) if len(order) else []:
        met = _Meetings.of(graph, rows, clusters, one[places], other[places])
        gains[places], moves = met.best()
        pair.append(places[met.pair[moves]])
        block.append(met.block[moves])
    return gains, np.concatenate(pair), np.concatenate(block)


@dataclass(frozen=True, slots=True, eq=False)
class _Meetings:
    """P pairs of clusters with their M members side by side, and the E edges between these.

    Attributes:
        pair: Which pair a member belongs to (M,), increasing.
        block: Which block it is (M,).
        in_second: Whether it is in the second cluster (M,).
        sizes: Its nodes (M,).
        edge_pair: Which pair an edge belongs to (E,); every edge is there in both directions.
        here: One end of it, a place among the members (E,).
        there: The other end (E,).
        excess: As in the graph (E,).
        default: Weight of a pair of nodes that is not scored.
    """

    pair: IntArray
    block: IntArray
    in_second: BoolArray
    sizes: DoubleArray
    edge_pair: IntArray
    here: IntArray
    there: IntArray
    excess: DoubleArray
    default: float

    @classmethod
    def of(
        cls,
        graph: BlockGraph,
        rows: csr_array,
        clusters: _Clusters,
        one: IntArray,
        other: IntArray,
    ) -> "_Meetings":
        """The first (P,) and the second (P,) clusters, and what is between their members."""
        both = np.stack([one, other], axis=1).ravel()
        counts = clusters.counts[both]
        block = clusters.members[_ranges(clusters.starts[both], counts)]
        half = np.repeat(np.arange(len(both)), counts)
        degrees = np.diff(rows.indptr)[block]
        edge = _ranges(rows.indptr[block], degrees)
        here = np.repeat(np.arange(len(block)), degrees)
        pair, far = half[here] // 2, rows.indices[edge]
        label = clusters.labels[far]
        inside = (label == one[pair]) | (label == other[pair])
        pair, here, far, label = pair[inside], here[inside], far[inside], label[inside]
        begins = np.cumsum(counts) - counts
        there = begins[2 * pair + (label == other[pair])] + clusters.ranks[far]
        members = half // 2, block, half % 2 == 1, graph.sizes[block]
        return cls(*members, pair, here, there, rows.data[edge[inside]], graph.default)

    def best(self) -> tuple[DoubleArray, BoolArray]:
        """Gain (P,) of each pair's best exchange, at least 0, and who moves in it (M,)."""
        excess = self._finite_excess()
        across = self.in_second[self.here] != self.in_second[self.there]
        second = np.bincount(self.pair, self.sizes * self.in_second)
        first = np.bincount(self.pair, self.sizes) - second
        joins = np.bincount(self.edge_pair, excess * across, len(first)) / 2
        joins += self.default * first * second
        towards = np.bincount(self.here, np.where(across, excess, -excess), len(self.pair))
        more = np.where(self.in_second, -1, 1) * (second - first)[self.pair] + self.sizes
        gains, moves = self._best_sequences(excess, towards + self.default * self.sizes * more)
        joined = (joins > gains)[self.pair]
        return np.maximum(gains, joins), np.where(joined, self.in_second, moves)

    def _finite_excess(self) -> DoubleArray:
        """The excess (E,); what keeps apart outweighs all else in its pair of clusters.

        So two that cannot be in one cluster may change places one after the other.
        """
        count = int(self.pair[-1]) + 1
        finite = np.isfinite(self.excess)
        scored = np.bincount(self.edge_pair[finite], np.abs(self.excess[finite]), count)
        unscored = -self.default * np.bincount(self.pair, self.sizes, count) ** 2
        return np.where(finite, self.excess, -(1 + scored + unscored)[self.edge_pair])

    def _best_sequences(
        self, excess: DoubleArray, alone: DoubleArray
    ) -> tuple[DoubleArray, BoolArray]:
        """The greatest sum of moves one by one (P,), and who moves (M,).

        `alone` is what each would gain by changing sides alone (M,); it says who takes part.
        """
        place = np.arange(len(self.pair)) - np.searchsorted(self.pair, self.pair)
        rank = np.empty_like(place)
        rank[np.lexsort((-alone, self.pair))] = place
        shape = int(self.pair[-1]) + 1, min(int(place.max()) + 1, EXCHANGED)
        part = rank < shape[1]
        at = self.pair[part], rank[part]
        sizes, sides, gains = np.zeros(shape), np.zeros(shape), np.full(shape, -np.inf)
        sizes[at], gains[at] = self.sizes[part], alone[part]
        sides[at] = np.where(self.in_second[part], 1, -1)
        weights = self.default * sizes[:, :, None] * sizes[:, None, :]
        inner = part[self.here] & part[self.there]
        here, there = self.here[inner], self.there[inner]
        weights[self.edge_pair[inner], rank[here], rank[there]] += excess[inner]
        best, moves = _best_sequences(weights, sides, gains)
        moved = np.zeros(len(self.pair), np.bool_)
        moved[part] = moves[at]
        return best, moved


def _best_sequences(
    weights: DoubleArray, sides: DoubleArray, gains: DoubleArray
) -> tuple[DoubleArray, BoolArray]:
    """Move members one by one, each the best of those left; keep the steps of the greatest sum.

    Args:
        weights: Of pairs of members (P, W, W), symmetric, finite.
        sides: Where they start, 1 or -1 (P, W).
        gains: Of changing sides alone (P, W), -inf for nobody.

    Returns:
        The greatest sum (P,), at least 0, and who moves for it (P, W).
    """
    pairs, width = np.arange(len(gains)), gains.shape[1]
    order = np.empty(gains.shape, np.int64)
    total, best, steps = np.zeros(len(gains)), np.zeros(len(gains)), np.zeros(len(gains), np.int64)
    for step in range(width):
        mover = gains.argmax(axis=1)
        order[:, step] = mover
        total += gains[pairs, mover]
        is_best = total > best
        best[is_best], steps[is_best] = total[is_best], step + 1
        gains[pairs, mover] = -np.inf  # each once
        gains += 2 * sides * sides[pairs, mover, None] * weights[pairs, mover]
    moves = np.zeros(gains.shape, np.bool_)
    taken = np.nonzero(np.arange(width) < steps[:, None])
    moves[taken[0], order[taken]] = True
    return best, moves


def _ranges(starts: IntArray, lengths: IntArray) -> IntArray:
    """From each start as many consecutive numbers as its length, one run after another."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
