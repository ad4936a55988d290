"""Numbers that stay: new clusters take over the identities they share most tracklets with."""

from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.association.pairs import Pairs
from pipeline.association.passages import spread
from pipeline.association.resolver import Problem
from pipeline.types import IntArray

FREE: Final = -1
"""Of a tracklet whose identity is to be decided."""


def solved_among(problem: Problem, fixed: IntArray) -> IntArray:
    """Clusters (N,) in which fixed tracklets stay as they are.

    Those of one fixed identity are together, those of two never: where a solution joins two by way
    of free tracklets, they are kept apart from then on and it is solved anew.

    Args:
        problem: Evidence on pairs of N tracklets.
        fixed: Identity (N,) of each, or FREE.
    """
    known = np.flatnonzero(fixed != FREE)
    if not len(known):
        return problem.solved()
    order = known[np.argsort(fixed[known], kind="stable")]
    follows = fixed[order[1:]] == fixed[order[:-1]]
    chains = Pairs.of(len(fixed), order[:-1][follows], order[1:][follows])
    problem = problem.with_together(chains)
    while True:
        clusters = problem.solved()
        mixed = _mixed(clusters, fixed, order)
        if not len(mixed):
            return clusters
        problem = problem.with_apart(mixed)


def _mixed(clusters: IntArray, fixed: IntArray, order: IntArray) -> Pairs:
    """First members of fixed identities that share a cluster."""
    _, first = np.unique(fixed[order], return_index=True)
    heads = order[first]
    heads = heads[np.argsort(clusters[heads], kind="stable")]
    ends = np.searchsorted(clusters[heads], clusters[heads], side="right")
    one, other = spread(np.arange(len(heads)) + 1, ends)
    return Pairs.of(len(clusters), heads[one], heads[other])


def taken_over(
    clusters: IntArray, earlier: IntArray, fixed: IntArray, following: int
) -> tuple[IntArray, int]:
    """Identities (N,) of clusters, and the number of the next new one.

    A cluster with fixed members has their identity. Of the others each takes over one that its
    members had, such that as many tracklets as possible keep theirs; who had none, or lost it to
    another cluster, gets a new number, in order of the first members.

    Args:
        clusters: (N,) from 0 in order of their first members.
        earlier: Identity (N,) that each had, or FREE.
        fixed: Identity (N,) that each must keep, or FREE.
        following: First number that nobody has had.
    """
    count = int(clusters.max(initial=-1)) + 1
    names = np.full(count, FREE, np.int64)
    known = fixed != FREE
    names[clusters[known]] = fixed[known]
    had = (earlier != FREE) & ~known & (names[clusters] == FREE) & ~np.isin(earlier, fixed[known])
    for group in _groups(clusters[had], earlier[had]):
        rows, columns = np.unique(clusters[had][group]), np.unique(earlier[had][group])
        shared = np.zeros((len(rows), len(columns)))
        places = (
            np.searchsorted(rows, clusters[had][group]),
            np.searchsorted(columns, earlier[had][group]),
        )
        np.add.at(shared, places, 1)
        one, other = linear_sum_assignment(-shared)
        meant = shared[one, other] > 0
        names[rows[one[meant]]] = columns[other[meant]]
    new = np.flatnonzero(names == FREE)
    names[new] = following + np.arange(len(new))
    return names[clusters], following + len(new)


def _groups(clusters: IntArray, earlier: IntArray) -> list[IntArray]:
    """Positions of tracklets whose clusters and earlier identities meet, group by group."""
    if not len(clusters):
        return []
    offset = int(clusters.max()) + 1
    ends = (clusters, earlier + offset)
    size = offset + int(earlier.max()) + 1
    graph = coo_array((np.ones(len(clusters)), ends), (size, size))
    part = connected_components(graph, directed=False)[1][clusters]
    order = np.argsort(part, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(part[order])) + 1)
