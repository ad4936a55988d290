"""Clusters that agree best with the evidence on a few of all pairs: correlation clustering.

A pair that nobody scored speaks a little against its two nodes being one. Without that, leaving out
the hopeless pairs leaves out what keeps clusters apart, and chance likenesses chain everybody.

Clusters first grow by greedy contraction; then pairs of them exchange members (`member_exchange`).
After Keuper et al., "Efficient decomposition of image and mesh graphs by lifted multicuts", ICCV
2015, but in rounds over whole arrays: a round contracts all edges of which neither end has a better
one, instead of the one best edge of all.
"""

import numpy as np

from pipeline.association.block_graph import BlockGraph, disjoint, numbered, parts
from pipeline.association.member_exchange import refined
from pipeline.association.pairs import Pairs
from pipeline.types import DoubleArray, IntArray

GRID = 2.0**24
"""Weights are rounded to multiples of 1 / GRID: their sums are exact, whatever the order, and an
exchange that is worth nothing does not look like one that gains."""
LEVELS = 8
"""Edges within 1 / LEVELS of a doubling are equally good at first: a chain whose weights rise from
link to link would else contract one link a round."""


def correlation_clustering(
    pairs: Pairs, weights: DoubleArray, *, default: float, apart: Pairs, together: Pairs
) -> IntArray:
    """Cluster numbers (N,) from 0, in order of each cluster's first member.

    Seeks the greatest sum of weights over all pairs inside clusters: seldom less than the greatest.
    What is worth nothing is not joined. Of equals those with the smallest numbers come first; apart
    from that the order of nodes has no influence. Time and memory grow with N + P.

    Args:
        pairs: P of N nodes, those that are scored.
        weights: Log-odds (P,) for "same person", finite.
        default: Weight of every pair that is not scored, at most 0.
        apart: Pairs that are never in one cluster, scored or not.
        together: Pairs that always are.

    Raises:
        ValueError: A pair is to be apart, but also, perhaps by way of others, together; a weight is
            not finite; the default is above 0.
    """
    if default > 0 or not np.isfinite(weights).all():
        raise ValueError(f"expected finite weights and a default of at most 0, got {default}")
    blocks = parts(together.count, together.first, together.second)
    _expect_agreement(apart, blocks)
    base = float(np.round(default * GRID) / GRID)
    graph = BlockGraph.of(
        np.bincount(blocks).astype(np.float64),
        blocks[np.concatenate([pairs.first, apart.first])],
        blocks[np.concatenate([pairs.second, apart.second])],
        np.concatenate([np.round(weights * GRID) / GRID - base, np.full(len(apart), -np.inf)]),
        base,
    ).within_parts()
    return numbered(refined(graph, _contracted(graph))[blocks])


def _expect_agreement(apart: Pairs, blocks: IntArray) -> None:
    wrong = apart.where(blocks[apart.first] == blocks[apart.second])
    if len(wrong):
        names = f"{wrong.first[0]} and {wrong.second[0]}"
        raise ValueError(f"expected constraints that agree, got {names} both apart and together")


HUB, LEAVES = 16, 2000
"""A block that is the best of more than `HUB` others takes many of them in one round: one a round
would make time grow with the square of the largest cluster. At most so many leaves at a time."""


def _contracted(graph: BlockGraph) -> IntArray:
    """Labels (B,) after joining, the heaviest edges first, as long as one is above 0."""
    labels = np.arange(len(graph.sizes))
    while True:
        rising = graph.where(graph.weights() > 0)
        if not len(rising.first):
            return labels
        into = np.arange(len(labels))
        best, admirers = _best(rising)
        star = _star(rising, best, admirers)
        into[star] = star.min(initial=len(into))
        ends = rising.first[best], rising.second[best]
        others = best[~np.isin(ends[0], star) & ~np.isin(ends[1], star)]
        chosen = others[disjoint(rising.first[others], rising.second[others])]
        into[rising.second[chosen]] = rising.first[chosen]
        graph, labels = graph.joined(into), into[labels]


def _star(graph: BlockGraph, best: IntArray, admirers: tuple[IntArray, IntArray]) -> IntArray:
    """A block that is the best of many, and those of these that all agree with one another.

    Args:
        graph: Edges above 0.
        best: Places of edges of which neither end has a better one.
        admirers: Blocks, and of which each is a best one, the heaviest edges first.
    """
    leaves, hubs = admirers
    hub = int(np.bincount(hubs, minlength=1).argmax())
    leaves = leaves[hubs == hub][:LEAVES]
    is_free = hub in graph.first[best] or hub in graph.second[best]
    if len(leaves) <= HUB or not is_free:
        return np.empty(0, np.int64)
    agree = graph.rows()[leaves][:, leaves].toarray() != 0
    possible, taken = np.ones(len(leaves), np.bool_), [hub]
    for place, leaf in enumerate(leaves.tolist()):
        if possible[place]:
            taken.append(leaf)
            possible &= agree[place]
    return np.array(taken, np.int64)


def _best(graph: BlockGraph) -> tuple[IntArray, tuple[IntArray, IntArray]]:
    """Places of edges of which neither end has a better one; and who is whose best, as `_star`."""
    first, second, weights = graph.first, graph.second, graph.weights()
    level = np.floor(np.log2(weights) * LEVELS)
    best = np.full(len(graph.sizes), -np.inf)
    np.maximum.at(best, first, level)
    np.maximum.at(best, second, level)
    order = np.lexsort((second, first, -weights))
    one, other = (level == best[first])[order], (level == best[second])[order]
    leaves = np.concatenate([first[order][one], second[order][other]])
    hubs = np.concatenate([second[order][one], first[order][other]])
    return order[one & other], (leaves, hubs)
