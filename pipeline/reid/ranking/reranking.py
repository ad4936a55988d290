"""Re-ranking by whom one is a neighbour of, rather than by whom one looks like.

k-reciprocal encoding: Zhong et al., CVPR 2017 (arXiv 1701.08398). Its Jaccard distance also serves
clustering. All of it is sparse: memory grows with N times the neighbours, not with N squared.
Expanded cross neighbourhood: Sarfraz et al., CVPR 2018 (arXiv 1711.10378).
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from scipy import sparse

from pipeline.reid.ranking.neighbours import (
    Neighbours,
    membership,
    nearest_of_all,
    similarity_blocks,
)
from pipeline.types import DoubleArray, FloatArray, IntArray

BLOCK_CELLS: Final = 2**20
"""Dense cells in which overlaps are summed at once: 8 MB."""
BLOCK_PAIRS: Final = 2**13
"""Pairs of embeddings multiplied at once."""


def k_reciprocal(
    queries: FloatArray, gallery: FloatArray, k1: int = 20, k2: int = 6, weight: float = 0.3
) -> FloatArray:
    """Similarities (Q, G): 1 - ((1 - weight) * Jaccard distance + weight * squared distance).

    The squared Euclidean distance is taken over the greatest one of its query, as in the paper,
    and `weight` is its lambda: 1 leaves the ranking as it is.

    Args:
        queries: (Q, D).
        gallery: (G, D).
        k1: Neighbours among which reciprocal ones are sought.
        k2: Nearest neighbours, oneself among them, over which encodings are averaged.
        weight: Of the distance as it was, in [0, 1].
    """
    everybody = np.concatenate([queries, gallery])
    neighbours = nearest_of_all(everybody, k1 + 1)
    encodings = _encodings(everybody, neighbours, k1, k2)
    farthest = _farthest(neighbours)
    result = np.empty((len(queries), len(gallery)), np.float32)
    for rows, block in similarity_blocks(queries, gallery):
        result[rows] = weight - weight * (2 - 2 * block) / farthest[rows, None]
    for query, entry, overlap in _overlaps(encodings[: len(queries)], encodings[len(queries) :]):
        result[query, entry] += (1 - weight) * (overlap / (2 - overlap)).astype(np.float32)
    return result


def jaccard_distances(
    embeddings: FloatArray, k1: int = 30, k2: int = 6, limit: float = 1.0
) -> sparse.csr_array:
    """Jaccard distances (N, N) of k-reciprocal encodings, in [0, 1]; **what is not stored is 1**.

    Symmetric; the diagonal is stored. Fits scikit-learn's precomputed neighbours, for which what is
    not stored is no neighbour.

    Args:
        embeddings: (N, D).
        k1: Neighbours among which reciprocal ones are sought.
        k2: Nearest neighbours, oneself among them, over which encodings are averaged.
        limit: Distances above are not stored: clustering needs none above its own.
    """
    count = len(embeddings)
    encodings = _encodings(embeddings, nearest_of_all(embeddings, k1 + 1), k1, k2)
    rows, columns, values = [], [], []
    for row, column, overlap in _overlaps(encodings, encodings):
        distances = np.maximum(1 - overlap / (2 - overlap), 0)
        kept = distances <= limit
        rows.append(row[kept].astype(np.int32))
        columns.append(column[kept].astype(np.int32))
        values.append(distances[kept].astype(np.float32))
    starts = np.searchsorted(np.concatenate(rows), np.arange(count + 1))
    table = np.concatenate(values), np.concatenate(columns), starts
    return sparse.csr_array(table, (count, count))


def _farthest(neighbours: Neighbours) -> DoubleArray:
    """Squared distance (N,) from each to the farthest of all."""
    return np.asarray(np.maximum(2 - 2 * neighbours.least.astype(np.float64), 1e-12))


def _encodings(
    embeddings: FloatArray, neighbours: Neighbours, k1: int, k2: int
) -> sparse.csr_array:
    """Each one's k-reciprocal neighbours as weights (N, N) that sum to 1, averaged over k2."""
    count = len(embeddings)
    members = _expanded(
        _reciprocal(neighbours.indices[:, : k1 + 1]),
        _reciprocal(neighbours.indices[:, : (k1 + 1) // 2 + 1]),
    ).tocoo()
    cosines = _pair_similarities(embeddings, members.row, members.col)
    distances = (2 - 2 * cosines) / _farthest(neighbours)[members.row]
    weights = np.exp(-distances)
    weights /= np.bincount(members.row, weights, count)[members.row]
    encodings = sparse.csr_array((weights, (members.row, members.col)), (count, count))
    closest = neighbours.indices[:, :k2]
    return membership(closest, count) @ encodings / closest.shape[1]


def _reciprocal(indices: IntArray) -> sparse.csr_array:
    """Who has each other among their neighbours (N, K), as a symmetric matrix (N, N) of ones."""
    among = membership(indices, len(indices))
    return among.multiply(among.T).tocsr()


def _expanded(reciprocal: sparse.csr_array, half: sparse.csr_array) -> sparse.csr_array:
    """Reciprocal neighbours, and those of neighbours who share more than two thirds of them.

    Args:
        reciprocal: R(p, k1) as (N, N) of ones.
        half: R(c, k1 / 2) as (N, N) of ones.
    """
    shared = reciprocal.multiply(reciprocal @ half).tocsr()  # half is symmetric
    sizes = half.sum(axis=1)
    shared.data = np.asarray(3 * shared.data > 2 * sizes[shared.indices], np.float32)
    shared.eliminate_zeros()
    return reciprocal + shared @ half


def _pair_similarities(embeddings: FloatArray, first: IntArray, second: IntArray) -> DoubleArray:
    """Cosines (P,) of pairs of rows."""
    result = np.empty(len(first))
    for start in range(0, len(first), BLOCK_PAIRS):
        pairs = slice(start, start + BLOCK_PAIRS)
        result[pairs] = np.einsum("pd,pd->p", embeddings[first[pairs]], embeddings[second[pairs]])
    return result


def _overlaps(
    first: sparse.csr_array, second: sparse.csr_array
) -> Iterator[tuple[IntArray, IntArray, DoubleArray]]:
    """Where sums of the smaller of two rows' entries are not 0: rows of first, of second, sums.

    Every entry of a row meets those of its column in the other matrix. In order of rows, then
    columns; first (A, N), second (B, N), sums in (0, 1].
    """
    by_column = second.tocsc()
    width = second.shape[0]
    step = max(1, BLOCK_CELLS // width)
    for start in range(0, first.shape[0], step):
        block = first[start : start + step].tocoo()
        begins = by_column.indptr[block.col].astype(np.int64)
        lengths = by_column.indptr[block.col + 1] - begins
        entry = np.repeat(np.arange(len(lengths)), lengths)
        met = np.arange(len(entry)) + np.repeat(begins - (np.cumsum(lengths) - lengths), lengths)
        smaller = np.minimum(block.data[entry], by_column.data[met])
        cells = block.row[entry].astype(np.int64) * width + by_column.indices[met]
        sums = np.bincount(cells, smaller, block.shape[0] * width)
        found = np.flatnonzero(sums)
        yield np.asarray(start + found // width), np.asarray(found % width), np.asarray(sums[found])


def expanded_cross_neighbourhood(
    queries: FloatArray, gallery: FloatArray, nearest: int = 3, of_each: int = 8
) -> FloatArray:
    """Similarities (Q, G): how alike each is to the neighbours of the other, on average.

    The neighbours are the t nearest and the q nearest of each of these. Cosines are linear, so the
    mean over neighbours is the cosine with their mean; in squared Euclidean distances of unit
    vectors the order is the same. With t = 0 similarities stay as they are.

    Args:
        queries: (Q, D).
        gallery: (G, D).
        nearest: t.
        of_each: q.
    """
    everybody = np.concatenate([queries, gallery])
    means = _neighbour_means(everybody, nearest, of_each) if nearest else everybody
    of_queries, of_gallery = means[: len(queries)], means[len(queries) :]
    return np.asarray((of_queries @ gallery.T + queries @ of_gallery.T) / 2, np.float32)


def _neighbour_means(embeddings: FloatArray, nearest: int, of_each: int) -> FloatArray:
    """Mean embedding (N, D) of each one's expanded neighbours, who may come more than once."""
    others = nearest_of_all(embeddings, max(nearest, of_each) + 1).indices[:, 1:]
    count = len(embeddings)
    near, far = membership(others[:, :nearest], count), membership(others[:, :of_each], count)
    expanded = near + near @ far
    sums = expanded @ embeddings
    return np.asarray(sums / expanded.sum(axis=1)[:, None], np.float32)
