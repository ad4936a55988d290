"""The walk over candidates: its algebra, a graph drawn by hand, and whether it helps."""

from collections.abc import Callable

import numpy as np

from pipeline.reid.ranking.random_walk import (
    group_shuffling_random_walk,
    random_walk,
    transitions,
)


def test_rows_sum_to_one_and_nobody_stays() -> None:
    steps = transitions(np.random.default_rng(0).normal(size=(3, 7, 7)), 0.1)
    np.testing.assert_allclose(steps.sum(axis=-1), 1)
    assert np.all(np.diagonal(steps, axis1=1, axis2=2) == 0)


def test_alpha_zero_gives_the_scores_back() -> None:
    rng = np.random.default_rng(0)
    scores, steps = rng.random((4, 7)), transitions(rng.random((4, 7, 7)), 0.1)
    np.testing.assert_allclose(random_walk(scores, steps, 0), scores)


def test_it_is_where_walking_on_and_on_leads() -> None:
    rng = np.random.default_rng(1)
    scores, steps = rng.random(6), transitions(rng.random((6, 6)), 0.2)
    walked = scores
    for _ in range(400):
        walked = 0.9 * steps @ walked + 0.1 * scores
    np.testing.assert_allclose(random_walk(scores, steps, 0.9), walked)
    assert scores.min() <= walked.min() <= walked.max() <= scores.max()


def test_who_is_reached_only_by_way_of_another_comes_first() -> None:
    """Two look like the query (0, 1), and each like 2, the person from behind, who does not.

    3 does a little, and is like 4 and 5, who do not at all; 0 and 1 are like one of these, too.
    """
    scores = np.array([0.9, 0.9, 0.3, 0.35, 0.0, 0.0])
    steps = np.array(
        [
            [0, 0, 0.5, 0, 0.5, 0],
            [0, 0, 0.5, 0, 0, 0.5],
            [0.5, 0.5, 0, 0, 0, 0],
            [0, 0, 0, 0, 0.5, 0.5],
            [0, 0, 0, 0.5, 0, 0.5],
            [0, 0, 0, 0.5, 0.5, 0],
        ]
    )
    assert np.count_nonzero(scores > scores[2]) == 3
    assert random_walk(scores, steps, 0.95).argmax() == 2


def test_others_keep_their_scores_and_stay_behind(crowd) -> None:
    vectors, _ = crowd(10, 5, 1.0)
    queries, gallery = vectors[:5], vectors[5:]
    before = queries @ gallery.T
    after = group_shuffling_random_walk(queries, gallery, candidates=8)
    for row, refined in zip(before, after, strict=True):
        chosen = np.argsort(-row)[:8]
        rest = np.setdiff1d(np.arange(45), chosen)
        np.testing.assert_allclose(refined[rest], row[rest], atol=1e-6)
        assert refined[chosen].min() >= row[chosen].min() - 1e-6
    same = group_shuffling_random_walk(queries, gallery, candidates=8, alpha=0)
    np.testing.assert_allclose(same, before, atol=1e-6)


def test_shuffled_groups_are_the_mean_of_their_walks_on_the_mean_score(crowd) -> None:
    """Every group's transitions on every group's scores, all four, as the paper has it."""
    vectors, _ = crowd(3, 4, 1.0, dimension=8)
    query, gallery = vectors[:1], vectors[1:]
    parts = np.split(gallery, 2, axis=1)
    scores = [2 * query[:, p] @ gallery[:, p].T for p in (slice(0, 4), slice(4, 8))]
    walks = []
    for part in parts:
        unit = part / np.linalg.norm(part, axis=1, keepdims=True)
        steps = transitions(unit @ unit.T, 0.1)
        walks += [random_walk(score[0], steps, 0.9) for score in scores]
    found = group_shuffling_random_walk(query, gallery, 11, 0.9, 2, 0.1)
    np.testing.assert_allclose(found[0], np.mean(walks, axis=0), atol=1e-5)


def test_it_helps(crowd, mean_precision: Callable[..., float]) -> None:
    vectors, who = crowd(30, 6, 0.9)
    queries, gallery = vectors[:60], vectors[60:]
    before = mean_precision(queries @ gallery.T, who[:60], who[60:])
    after = group_shuffling_random_walk(queries, gallery, candidates=40)
    assert mean_precision(after, who[:60], who[60:]) > before + 0.05
