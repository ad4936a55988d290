"""One ranking out of several: of other encoders, colours, places, times.

Reciprocal rank fusion: Cormack et al., SIGIR 2009. Similarity pulling and dissimilarity pushing: Ye
et al., IEEE Transactions on Multimedia 2016; the weights here are our own reading of it.
"""

import numpy as np

from pipeline.reid.ranking.neighbours import Similarities, is_among, top
from pipeline.types import DoubleArray, IntArray


def ranks(similarities: Similarities) -> IntArray:
    """Rank from 1 of each entry (..., G) of its row; equals in order of index."""
    order = np.argsort(-similarities, axis=-1, kind="stable")
    result = np.empty(order.shape, np.int64)
    np.put_along_axis(result, order, np.arange(1, order.shape[-1] + 1), axis=-1)
    return result


def reciprocal_rank_fusion(similarities: Similarities, constant: float = 60.0) -> DoubleArray:
    """Similarities (Q, G): the sum over V rankings (V, Q, G) of 1 / (constant + rank)."""
    return np.asarray((1 / (constant + ranks(similarities))).sum(axis=0))


def pull_and_push(
    similarities: Similarities, within_gallery: Similarities, neighbours: int = 10
) -> DoubleArray:
    """Similarities (Q, G): the mean of V rankings, pulled to those all hold near, pushed from far.

    Who is among the nearest of a query in all rankings is sought in turn; the gallery is pulled by
    how alike it is to them, each weighted by the reciprocal rank at which it finds the query. Who
    is among the farthest in all pushes away those alike to it. All similarities are brought to
    [0, 1] in their row first; a query without such neighbours keeps the mean.

    Args:
        similarities: (V, Q, G).
        within_gallery: Of the gallery to itself, (V, G, G).
        neighbours: How many are near, and how many far.
    """
    size = similarities.shape[2]
    base, between = _scaled(similarities).mean(axis=0), _scaled(within_gallery).mean(axis=0)
    near = np.all([is_among(top(view, neighbours)[0], size) for view in similarities], axis=0)
    far = np.all([is_among(top(-view, neighbours)[0], size) for view in similarities], axis=0)
    back = _mean_back_ranks(similarities, within_gallery)
    return np.asarray(base + _mean(near / back, between) - _mean(far, between))


def _scaled(similarities: Similarities) -> DoubleArray:
    """Each row from 0 to 1."""
    low, high = similarities.min(axis=-1, keepdims=True), similarities.max(axis=-1, keepdims=True)
    return np.asarray((similarities - low) / np.maximum(high - low, 1e-12), np.float64)


def _mean_back_ranks(similarities: Similarities, within_gallery: Similarities) -> DoubleArray:
    """Rank (Q, G), from 1, of the query in the search of each of the gallery for it, mean of V."""
    total = np.zeros(similarities.shape[1:])
    for view, gallery in zip(similarities, within_gallery, strict=True):
        for entry, row in enumerate(gallery):
            others = np.sort(np.delete(row, entry))
            more_alike = len(others) - np.searchsorted(others, view[:, entry], side="right")
            total[:, entry] += 1 + more_alike
    return total / len(similarities)


def _mean(weights: DoubleArray, values: DoubleArray) -> DoubleArray:
    """Means (Q, G) of rows of values (G, G) by weights (Q, G); 0 where none weighs."""
    return np.asarray(weights @ values / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12))
