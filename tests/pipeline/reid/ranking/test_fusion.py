"""Weights of several similarities."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.reid.ranking.fusion import (
    ensemble_weights,
    query_adaptive_fusion,
    query_adaptive_weights,
    reference_curves,
)


def test_known_weights_are_recovered() -> None:
    """Pairs are judged by .7 .3 0 of three similarities, and by a margin above noise."""
    rng = np.random.default_rng(0)
    known = np.array([0.7, 0.3, 0.0])
    gains = rng.normal(size=(4000, 3))
    # The direction orthogonal to it says nothing: all gain along the known weights is the same.
    gains += np.outer(1 - gains @ known / (known @ known), known)
    weights = ensemble_weights(gains, np.zeros_like(gains))
    np.testing.assert_allclose(weights, known, atol=0.02)


def test_a_useless_similarity_weighs_little_and_none_is_negative() -> None:
    rng = np.random.default_rng(0)
    right = np.stack([rng.normal(2, 1, 2000), rng.normal(0, 1, 2000), rng.normal(-1, 1, 2000)], 1)
    wrong = rng.normal(0, 1, (2000, 3))
    weights = ensemble_weights(right, wrong)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > 0.9
    assert weights[2] == 0


def test_the_scale_of_the_similarities_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    right, wrong = rng.normal(1, 1, (500, 2)), rng.normal(0, 1, (500, 2))
    small = ensemble_weights(right / 100, wrong / 100)
    np.testing.assert_allclose(small, ensemble_weights(right, wrong), atol=1e-4)


def test_nothing_useful_is_refused() -> None:
    with pytest.raises(ValueError, match="puts right answers above wrong"):
        ensemble_weights(np.zeros((10, 2)), np.ones((10, 2)))


def _views(crowd, queries: int):
    """A useful similarity and a useless one, each with its curve for strangers."""
    vectors, who = crowd(40, 5, 0.8)
    rng = np.random.default_rng(1)
    strangers = rng.normal(size=(50, 32))
    strangers /= np.linalg.norm(strangers, axis=1, keepdims=True)
    useful, chance = vectors[:queries] @ vectors[queries:].T, rng.normal(size=(50 + queries, 200))
    size = useful.shape[1]
    references = reference_curves(np.stack([strangers @ vectors[queries:].T, chance[:50, :size]]))
    return np.stack([useful, chance[50:, :size]]), references, who


def test_a_useless_similarity_weighs_less_than_a_fifth(crowd) -> None:
    views, references, _ = _views(crowd, 20)
    weights = query_adaptive_weights(views, references)
    np.testing.assert_allclose(weights.sum(axis=0), 1)
    assert np.mean(weights[1]) < 0.2
    assert np.median(weights[1]) < 0.1


def test_fusion_by_query_beats_the_plain_mean(crowd, mean_precision: Callable[..., float]) -> None:
    views, references, who = _views(crowd, 60)
    fused = mean_precision(query_adaptive_fusion(views, references), who[:60], who[60:])
    scaled = [(v - v.min()) / (v.max() - v.min()) for v in views]
    assert fused > mean_precision(np.mean(scaled, axis=0), who[:60], who[60:]) + 0.1


def test_areas_worked_by_hand() -> None:
    """Curves 1 0 0 0 and 1 2/3 1/3 0 over references of 0: areas 1/4 and 1/2, weights 2/3, 1/3."""
    views = np.array([[[0, 0, 5.0, 0]], [[1 / 3, 1, 0, 2 / 3]]])
    weights = query_adaptive_weights(views, np.zeros((2, 4)))
    np.testing.assert_allclose(weights[:, 0], [2 / 3, 1 / 3])
