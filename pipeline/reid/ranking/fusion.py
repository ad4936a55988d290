"""Weights for several similarities of the same pairs: learnt once, or for each query anew.

Metric ensembles: Paisitkriangkrai et al., CVPR 2015 (arXiv 1503.01543). Query-adaptive late fusion:
Zheng et al., CVPR 2015.
"""

from typing import Final

import numpy as np
from scipy.optimize import minimize

from pipeline.reid.ranking.neighbours import Similarities
from pipeline.types import DoubleArray

REFERENCE_SDS: Final = 2.0


def ensemble_weights(right: Similarities, wrong: Similarities, penalty: float = 1e3) -> DoubleArray:
    """Weights (V,) of V similarities, none negative, of sum 1, that put right ones above wrong.

    The margin of right over wrong is to be at least 1: min |w|²/2 + penalty * mean of squared
    shortfalls, the squared form of the paper's triplets.

    Args:
        right: Similarities (T, V) of T queries to a right answer each.
        wrong: Similarities (T, V) of the same queries to a wrong answer.
        penalty: Of falling short.

    Raises:
        ValueError: No similarity puts right answers above wrong ones.
    """
    gains = np.asarray(right - wrong, np.float64)
    gains /= max(float(np.abs(gains).mean()), 1e-12)

    def loss(weights: DoubleArray) -> tuple[float, DoubleArray]:
        short = np.maximum(1 - gains @ weights, 0)
        value = weights @ weights / 2 + penalty * (short**2).mean()
        return value, weights - 2 * penalty * (short @ gains) / len(gains)

    count = gains.shape[1]
    start, bounds = np.full(count, 1 / count), [(0, None)] * count
    weights = np.asarray(minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x)
    if weights.sum() <= 0:
        raise ValueError("expected a similarity that puts right answers above wrong ones, got none")
    return np.asarray(weights / weights.sum())


def reference_curves(similarities: Similarities) -> DoubleArray:
    """What strangers hardly reach: of their sorted rows, mean and two deviations (V, G).

    Args:
        similarities: (V, R, G) of R people who are not in the gallery, by V similarities.
    """
    curves = np.sort(np.asarray(similarities, np.float64), axis=2)[:, :, ::-1]
    return np.asarray(curves.mean(axis=1) + REFERENCE_SDS * curves.std(axis=1))


def query_adaptive_weights(similarities: Similarities, references: DoubleArray) -> DoubleArray:
    """Weights (V, Q), of sum 1 for each query: one over the area under its similarities' curve.

    A similarity that knows the query has few high values and a low tail; one that does not falls
    slowly. The curve is sorted, less the reference, nothing below 0, and over its greatest value;
    one that is nowhere above the reference says nothing, and has the greatest area, 1.

    Args:
        similarities: (V, Q, G).
        references: (V, G), falling; see `reference_curves`.
    """
    curves = np.sort(similarities, axis=2)[:, :, ::-1] - references[:, None]
    curves = np.maximum(curves, 0)
    areas = (curves / np.maximum(curves.max(axis=2, keepdims=True), 1e-12)).mean(axis=2)
    areas = np.where(areas > 0, areas, 1)
    return np.asarray(1 / areas / (1 / areas).sum(axis=0))


def query_adaptive_fusion(similarities: Similarities, references: DoubleArray) -> DoubleArray:
    """Similarities (Q, G): the product over V of similarities, from 0 to 1, to their weights."""
    weights = query_adaptive_weights(similarities, references)
    low, high = similarities.min(axis=2, keepdims=True), similarities.max(axis=2, keepdims=True)
    scaled = (similarities - low) / np.maximum(high - low, 1e-12)
    return np.asarray(np.exp((weights[:, :, None] * np.log(np.maximum(scaled, 1e-6))).sum(axis=0)))
