"""Queries and gallery moved towards their neighbours."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.reid.ranking.expansion import expanded_gallery, expanded_queries


def test_worked_by_hand() -> None:
    """q + .8³ x + 0 y: the second neighbour is opposite."""
    query = np.array([[1, 0]], np.float32)
    gallery = np.array([[0.8, 0.6], [-1, 0]], np.float32)
    expected = np.array([1 + 0.8**3 * 0.8, 0.8**3 * 0.6])
    found = expanded_queries(query, gallery, neighbours=2, alpha=3)
    np.testing.assert_allclose(found[0], expected / np.linalg.norm(expected), atol=1e-6)


def test_gallery_worked_by_hand() -> None:
    """Each is its own first neighbour, with weight 1."""
    gallery = np.array([[1, 0], [0.8, 0.6]], np.float32)
    expected = gallery + 0.8**3 * gallery[::-1]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(expanded_gallery(gallery, 1, 3), expected, atol=1e-6)


@pytest.mark.parametrize("with_gallery", [False, True])
def test_several_sightings_help(
    crowd, mean_precision: Callable[..., float], with_gallery: bool
) -> None:
    vectors, who = crowd(30, 6, 0.9)
    queries, gallery = vectors[:60], vectors[60:]
    before = mean_precision(queries @ gallery.T, who[:60], who[60:])
    target = expanded_gallery(gallery, 2) if with_gallery else gallery
    after = expanded_queries(queries, target, 2)
    assert mean_precision(after @ target.T, who[:60], who[60:]) > before + 0.02
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, atol=1e-6)
