"""Re-ranking by neighbours: against the plainest reading of the papers, and where it must help."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.cluster import DBSCAN

from pipeline.reid.ranking import reranking
from pipeline.reid.ranking.reranking import (
    expanded_cross_neighbourhood,
    jaccard_distances,
    k_reciprocal,
)

Array = npt.NDArray[np.float64]


def plain_jaccard(embeddings: Array, k1: int, k2: int) -> tuple[Array, Array]:
    """Jaccard distances and scaled squared distances (N, N): sets, loops, nothing sparse."""
    count = len(embeddings)
    distances = np.array([[float(((a - b) ** 2).sum()) for b in embeddings] for a in embeddings])
    distances /= distances.max(axis=1, keepdims=True)
    ranking = [sorted(range(count), key=lambda j, i=i: distances[i, j]) for i in range(count)]

    def reciprocal(i: int, k: int) -> set[int]:
        return {j for j in ranking[i][: k + 1] if i in ranking[j][: k + 1]}

    encodings = np.zeros((count, count))
    for i in range(count):
        members = set(reciprocal(i, k1))
        for j in reciprocal(i, k1):
            others = reciprocal(j, -(-k1 // 2))
            if 3 * len(others & reciprocal(i, k1)) > 2 * len(others):
                members |= others
        for j in members:
            encodings[i, j] = np.exp(-distances[i, j])
        encodings[i] /= encodings[i].sum()
    encodings = np.array([np.mean([encodings[j] for j in r[:k2]], axis=0) for r in ranking])
    jaccard = np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            overlap = sum(min(encodings[i, n], encodings[j, n]) for n in range(count))
            jaccard[i, j] = 1 - overlap / (2 - overlap)
    return jaccard, distances


@pytest.mark.parametrize(("k1", "k2"), [(6, 3), (5, 1), (8, 4), (29, 6)])
def test_agrees_with_the_plain_reading(crowd, k1: int, k2: int) -> None:
    vectors, _ = crowd(6, 5, 0.9)
    jaccard, distances = plain_jaccard(vectors.astype(np.float64), k1, k2)
    found = jaccard_distances(vectors, k1, k2)
    dense = np.ones((30, 30))
    stored = found.tocoo()
    dense[stored.row, stored.col] = stored.data
    np.testing.assert_allclose(dense, jaccard, rtol=0, atol=1e-6)
    similarities = k_reciprocal(vectors[:7], vectors[7:], k1, k2, weight=0.3)
    expected = 1 - (0.7 * jaccard + 0.3 * distances)[:7, 7:]
    np.testing.assert_allclose(similarities, expected, rtol=0, atol=1e-6)


def test_blocks_change_nothing(crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, _ = crowd(8, 5, 0.9)
    whole, pairs = k_reciprocal(vectors[:9], vectors[9:], 6, 3), jaccard_distances(vectors, 6, 3)
    monkeypatch.setattr(reranking, "BLOCK_CELLS", 80)
    monkeypatch.setattr(reranking, "BLOCK_PAIRS", 7)
    np.testing.assert_array_equal(k_reciprocal(vectors[:9], vectors[9:], 6, 3), whole)
    assert (jaccard_distances(vectors, 6, 3) != pairs).nnz == 0


def test_weight_one_leaves_the_ranking_as_it_is(crowd) -> None:
    vectors, _ = crowd(20, 4, 1.0)
    similarities = k_reciprocal(vectors[:20], vectors[20:], weight=1)
    np.testing.assert_array_equal(
        np.argsort(-similarities, axis=1), np.argsort(-(vectors[:20] @ vectors[20:].T), axis=1)
    )


def test_jaccard_distances_are_distances(crowd) -> None:
    """Symmetric, 0 of oneself, within [0, 1]; those above the limit are not stored."""
    vectors, _ = crowd(20, 4, 0.7)
    found = jaccard_distances(vectors, 8, 3)
    assert abs(found - found.T).max() < 1e-6
    assert found.data.min() >= 0
    assert found.data.max() <= 1
    np.testing.assert_allclose(found.diagonal(), 0, atol=1e-6)
    near = jaccard_distances(vectors, 8, 3, limit=0.5)
    assert near.data.max() <= 0.5
    assert near.nnz == np.count_nonzero(found.data <= 0.5)


@pytest.mark.filterwarnings("ignore:Precomputed sparse input was not sorted")
def test_clusters_of_jaccard_distances_are_the_people(crowd) -> None:
    vectors, who = crowd(12, 8, 0.5)
    labels = DBSCAN(eps=0.5, min_samples=3, metric="precomputed").fit_predict(
        jaccard_distances(vectors, 8, 3, limit=0.5)
    )
    assert len(set(zip(labels, who, strict=True))) == 12
    assert -1 not in labels


def test_people_seen_often_are_found_better(crowd, mean_precision: Callable[..., float]) -> None:
    vectors, who = crowd(30, 6, 0.9)
    queries, gallery = (vectors[:60], who[:60]), (vectors[60:], who[60:])
    before = mean_precision(queries[0] @ gallery[0].T, queries[1], gallery[1])
    for rerank in (
        lambda q, g: k_reciprocal(q, g, k1=6, k2=3),
        lambda q, g: expanded_cross_neighbourhood(q, g, 3, 3),
    ):
        after = mean_precision(rerank(queries[0], gallery[0]), queries[1], gallery[1])
        assert after > before + 0.02


def test_cross_neighbourhood_worked_by_loops(crowd) -> None:
    """1 / 2M sum over j of s(pN_j, g) + s(gN_j, p), over t nearest and q nearest of each."""
    vectors, _ = crowd(4, 4, 0.8)
    similarities = vectors @ vectors.T
    others = [[j for j in np.argsort(-row) if j != i] for i, row in enumerate(similarities)]
    expanded = [o[:2] + [k for j in o[:2] for k in others[j][:3]] for o in others]
    expected = [
        [
            (
                sum(similarities[j, g] for j in expanded[p])
                + sum(similarities[j, p] for j in expanded[g])
            )
            / (2 * (2 + 2 * 3))
            for g in range(5, 16)
        ]
        for p in range(5)
    ]
    found = expanded_cross_neighbourhood(vectors[:5], vectors[5:], nearest=2, of_each=3)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_cross_neighbourhood_is_symmetric_and_without_neighbours_the_same(crowd) -> None:
    vectors, _ = crowd(5, 4, 0.8)
    there = expanded_cross_neighbourhood(vectors[:6], vectors[6:])
    back = expanded_cross_neighbourhood(vectors[6:], vectors[:6])
    np.testing.assert_allclose(there, back.T, atol=1e-6)
    same = expanded_cross_neighbourhood(vectors[:6], vectors[6:], nearest=0, of_each=0)
    np.testing.assert_allclose(same, vectors[:6] @ vectors[6:].T, atol=1e-6)
