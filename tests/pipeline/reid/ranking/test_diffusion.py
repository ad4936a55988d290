"""Unified ensemble diffusion."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.reid.ranking.diffusion import nearest_on_simplex, unified_diffusion
from pipeline.reid.ranking.neighbours import is_among, top


def test_one_metric_is_regularised_diffusion(crowd) -> None:
    """vec F = r (I - (1 - r) S x S)^-1 vec I."""
    vectors, _ = crowd(4, 3, 0.8)
    affinities = np.maximum(vectors @ vectors.T, 0).astype(np.float64)
    found = unified_diffusion(affinities[None], neighbours=4, restart=0.2, rounds=200)
    others = affinities - np.diag(np.diag(affinities))
    kept = is_among(top(others, 4)[0], 12)
    others *= kept | kept.T
    scale = 1 / np.sqrt(others.sum(axis=1))
    steps = scale[:, None] * others * scale
    system = np.eye(144) - 0.8 * np.kron(steps, steps)
    expected = 0.2 * np.linalg.solve(system, np.eye(12).ravel()).reshape(12, 12)
    np.testing.assert_allclose(found.similarities, expected, atol=1e-9)
    assert found.weights.tolist() == pytest.approx([1])


def test_noise_loses_its_weight_and_metrics_together_beat_each(
    crowd, mean_precision: Callable[..., float]
) -> None:
    rng = np.random.default_rng(0)
    _, who = crowd(15, 6, 1.0)
    views = []
    for dimension in (16, 24):
        vectors = rng.normal(size=(15, dimension))[who]
        vectors += 0.9 * rng.normal(size=vectors.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        views.append(np.maximum(vectors @ vectors.T, 0))
    noise = rng.random((90, 90))
    affinities = np.stack([*views, (noise + noise.T) / 2])
    found = unified_diffusion(affinities)
    assert found.weights.sum() == pytest.approx(1)
    assert found.weights[2] < 0.1
    assert found.weights[:2].min() > 0.2

    def score(similarities) -> float:
        others = similarities - 10 * np.eye(90)
        return mean_precision(others, who, who)

    alone = [score(unified_diffusion(view[None]).similarities) for view in views]
    assert min(np.subtract(alone, [score(view) for view in views])) > 0
    assert score(found.similarities) > max(alone)
    np.testing.assert_allclose(found.similarities, found.similarities.T, atol=1e-12)


def test_nearest_on_simplex_worked_by_hand() -> None:
    np.testing.assert_allclose(nearest_on_simplex(np.array([0.5, 0.3, 0.2])), [0.5, 0.3, 0.2])
    np.testing.assert_allclose(nearest_on_simplex(np.array([1.0, 0.0, -5.0])), [1, 0, 0])
    np.testing.assert_allclose(nearest_on_simplex(np.array([0.6, 0.2, -1.0])), [0.7, 0.3, 0])
