"""From evidence on pairs to clusters: average link, with pairs that cannot be one person."""

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from pipeline.types import BoolArray, DoubleArray, IntArray

FORBIDDEN = 1e9
"""Cost of a pair that cannot be: one in a cluster lifts its mean above any threshold."""


def average_link(log_odds: DoubleArray, forbidden: BoolArray) -> IntArray:
    """Cluster numbers (N,) from 0, in order of each cluster's first member.

    Clusters are joined, best first, while the mean log-odds between their members is above 0 and no
    pair between them is forbidden. Memory and time grow with N squared.

    Args:
        log_odds: Symmetric evidence (N, N) for "same person".
        forbidden: Symmetric (N, N): pairs that cannot be one person.
    """
    count = len(log_odds)
    if count < 2:
        return np.zeros(count, np.int64)
    cost = np.where(forbidden, FORBIDDEN, -log_odds)
    np.fill_diagonal(cost, 0)
    # SciPy wants distances of at least 0; average link commutes with a shift by a constant.
    shift = 1.0 - min(0.0, float(cost.min()))
    tree = linkage(squareform(cost + shift * (1 - np.eye(count)), checks=False), "average")
    labels = fcluster(tree, np.nextafter(shift, 0), criterion="distance")
    return _in_order(labels)


def _in_order(labels: IntArray) -> IntArray:
    """The same clusters, numbered by their first member."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[inverse], np.int64)
