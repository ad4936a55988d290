"""Scores of one query's candidates, refined by how alike the candidates are to one another.

Group-shuffling random walk: Shen et al., CVPR 2018 (arXiv 1807.11178). Walking on for ever from
scores y with restarts leads to (1 - alpha) (I - alpha A)^-1 y, A the transitions between
candidates. The groups are parts of the embedding; the paper has every group's transitions refine
every group's scores and takes the mean. That is linear: the mean of the groups' walks on the mean
of their scores, the cosine.
"""

from typing import Final

import numpy as np

from pipeline.reid.ranking.neighbours import Similarities, similarity_blocks, top
from pipeline.types import DoubleArray, FloatArray

BLOCK_QUERIES: Final = 32


def transitions(affinities: Similarities, temperature: float) -> DoubleArray:
    """A softmax over each one's others: (..., K, K), rows sum to 1, 0 on the diagonal; K > 1."""
    scaled = np.array(affinities, np.float64) / temperature
    diagonal = np.arange(scaled.shape[-1])
    scaled[..., diagonal, diagonal] = -np.inf
    weights = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def random_walk(scores: Similarities, steps: DoubleArray, alpha: float) -> DoubleArray:
    """Where scores (..., K) end by transitions (..., K, K): means of scores, so within their range.

    `alpha` in [0, 1) is the part that comes from others; 0 leaves the scores as they are.
    """
    system = np.eye(steps.shape[-1]) - alpha * steps
    return np.asarray(np.linalg.solve(system, (1 - alpha) * scores[..., None])[..., 0])


def group_shuffling_random_walk(
    queries: FloatArray,
    gallery: FloatArray,
    candidates: int = 75,
    alpha: float = 0.5,
    groups: int = 1,
    temperature: float = 0.05,
) -> FloatArray:
    """Similarities (Q, G), those of each query's most similar candidates refined by the walk.

    The other similarities stay, and no candidate falls below them.

    Args:
        queries: (Q, D).
        gallery: (G, D), G > 1.
        candidates: How many of the gallery each query's walk is over, at least 2.
        alpha: Part of a score that comes from other candidates, in [0, 1). The paper's .95, and its
            2 groups, want an encoder trained through the walk.
        groups: Parts of the embedding, each with transitions of its own; divides D.
        temperature: Of cosines in the transitions: smaller trusts only the most similar.
    """
    result = np.empty((len(queries), len(gallery)), np.float32)
    for rows, block in similarity_blocks(queries, gallery):
        result[rows] = block
    for start in range(0, len(queries), BLOCK_QUERIES):
        part = result[start : start + BLOCK_QUERIES]
        chosen, scores = top(part, candidates)
        members = gallery[chosen]  # (B, K, D)
        refined = sum(
            random_walk(scores, transitions(_cosines(piece), temperature), alpha)
            for piece in np.split(members, groups, axis=2)
        )
        np.put_along_axis(part, chosen, np.asarray(refined / groups, np.float32), axis=1)
    return result


def _cosines(vectors: FloatArray) -> FloatArray:
    """Cosines (B, K, K) of vectors (B, K, D)."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=2, keepdims=True), 1e-12)
    return np.asarray(unit @ unit.transpose(0, 2, 1))
