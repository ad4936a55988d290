"""One ranking out of several."""

from collections.abc import Callable

import numpy as np

from pipeline.reid.ranking.aggregation import pull_and_push, ranks, reciprocal_rank_fusion


def test_fusion_worked_by_hand() -> None:
    views = np.array([[[0.9, 0.5, 0.1]], [[0.2, 0.3, 0.1]]])
    expected = [1 / 61 + 1 / 62, 1 / 62 + 1 / 61, 1 / 63 + 1 / 63]
    np.testing.assert_allclose(reciprocal_rank_fusion(views)[0], expected)


def test_two_that_agree_change_nothing() -> None:
    view = np.random.default_rng(0).random((4, 20))
    fused = reciprocal_rank_fusion(np.stack([view, view]))
    np.testing.assert_array_equal(ranks(fused), ranks(view))


def test_a_perfect_and_a_random_ranking_give_more_than_the_middle(
    crowd, mean_precision: Callable[..., float]
) -> None:
    _, who = crowd(20, 5, 1.0)
    rng = np.random.default_rng(0)
    queries, gallery = who[:30], who[30:]
    perfect = (queries[:, None] == gallery) + 0.1 * rng.random((30, 70))
    chance = rng.random((30, 70))
    middle = (1 + mean_precision(chance, queries, gallery)) / 2
    views = np.stack([perfect, chance])
    fused = reciprocal_rank_fusion(views, constant=1)
    within = np.stack(
        [(gallery[:, None] == gallery) + 0.1 * rng.random((70, 70)), rng.random((70, 70))]
    )
    assert mean_precision(fused, queries, gallery) >= middle
    assert mean_precision(pull_and_push(views, within), queries, gallery) >= middle


def test_pulling_and_pushing_worked_by_hand() -> None:
    """One query, four in the gallery, both rankings the same, one near and one far."""
    view = np.array([[1.0, 0.6, 0.4, 0.0]])
    within = np.array(
        [[1.0, 0.2, 0.8, 0.0], [0.2, 1.0, 0.4, 0.6], [0.8, 0.4, 1.0, 0.1], [0.0, 0.6, 0.1, 1.0]]
    )
    found = pull_and_push(np.stack([view, view]), np.stack([within, within]), neighbours=1)
    # Entry 0 is near and finds the query first; entry 3 is far. Rows of `within`, from 0 to 1:
    pull, push = np.array([1, 0.2, 0.8, 0]), np.array([0, 0.6, 0.1, 1])
    np.testing.assert_allclose(found[0], view[0] + pull - push)


def test_without_common_neighbours_the_mean_stays() -> None:
    views = np.array([[[1.0, 0.0, 0.5]], [[0.0, 1.0, 0.5]]])
    found = pull_and_push(views, np.ones((2, 3, 3)), neighbours=1)
    np.testing.assert_allclose(found, [[0.5, 0.5, 0.5]])


def test_pulling_helps_two_weak_rankings(crowd, mean_precision: Callable[..., float]) -> None:
    views, within = [], []
    for seed in (0, 1):
        _, who = crowd(20, 6, 1.0)
        rng = np.random.default_rng(seed)
        vectors = rng.normal(size=(20, 32))[who] + 1.7 * rng.normal(size=(120, 32))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        views.append(vectors[:40] @ vectors[40:].T)
        within.append(vectors[40:] @ vectors[40:].T)
    mean = mean_precision(np.mean(views, axis=0), who[:40], who[40:])
    both = pull_and_push(np.stack(views), np.stack(within), neighbours=5)
    assert mean_precision(both, who[:40], who[40:]) > mean + 0.01
