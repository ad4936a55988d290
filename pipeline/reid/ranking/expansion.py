"""Embeddings moved towards their neighbours: a sought person seen several times is found better.

Query expansion with weights similarity^alpha: Radenovic et al., TPAMI 2019 (arXiv 1711.02512); the
same for the gallery: database-side augmentation, Turcot and Lowe 2009.
"""

import numpy as np

from pipeline.reid.ranking.neighbours import Neighbours, nearest, nearest_of_all
from pipeline.types import FloatArray


def expanded_queries(
    queries: FloatArray, gallery: FloatArray, neighbours: int = 5, alpha: float = 3.0
) -> FloatArray:
    """Queries (Q, D) plus their nearest of the gallery times similarity^alpha; unit vectors.

    The query itself weighs 1; opposite ones (negative similarities) nothing.
    """
    return _normalised(queries + _weighted(nearest(queries, gallery, neighbours), gallery, alpha))


def expanded_gallery(gallery: FloatArray, neighbours: int = 5, alpha: float = 3.0) -> FloatArray:
    """The same for the gallery (G, D), each with its nearest others."""
    return _normalised(_weighted(nearest_of_all(gallery, neighbours + 1), gallery, alpha))


def _weighted(found: Neighbours, gallery: FloatArray, alpha: float) -> FloatArray:
    weights = np.maximum(found.similarities, 0) ** alpha  # (N, K)
    total = np.zeros((len(weights), gallery.shape[1]), np.float32)
    for rank in range(weights.shape[1]):  # (N, K, D) at once is K times the memory
        total += weights[:, rank, None] * gallery[found.indices[:, rank]]
    return total


def _normalised(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
