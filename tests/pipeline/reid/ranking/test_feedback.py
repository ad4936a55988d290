"""A ranked list after somebody has looked at it."""

import numpy as np
import pytest

from pipeline.reid.ranking.feedback import Feedback, order_after, refined_query


def test_query_worked_by_hand() -> None:
    gallery = np.eye(3, dtype=np.float32)
    moved = refined_query(np.array([1, 0, 0], np.float32), gallery, Feedback((1,), (2,)), 0.5, 0.25)
    np.testing.assert_allclose(moved, np.array([1, 0.5, -0.25]) / np.sqrt(1.3125), atol=1e-6)


def test_confirmed_are_pinned_and_rejected_are_gone(crowd) -> None:
    vectors, _ = crowd(6, 4, 0.8)
    order = order_after(vectors[0], vectors[1:], Feedback((9, 4), (2, 7)))
    assert order[:2].tolist() == [9, 4]
    assert sorted(order.tolist()) == sorted(set(range(23)) - {2, 7})


def test_without_feedback_the_ranking_stays(crowd) -> None:
    vectors, _ = crowd(6, 4, 0.8)
    order = order_after(vectors[0], vectors[1:], Feedback((), ()))
    np.testing.assert_array_equal(order, np.argsort(-(vectors[1:] @ vectors[0])))


def test_everybody_looked_at_leaves_those_confirmed() -> None:
    gallery = np.eye(3, dtype=np.float32)
    assert order_after(gallery[0], gallery, Feedback((1,), (0, 2))).tolist() == [1]
    assert order_after(gallery[0], gallery, Feedback((), (0, 1, 2))).tolist() == []


def test_one_entry_cannot_be_both() -> None:
    with pytest.raises(ValueError, match=r"both for \[3\]"):
        Feedback((1, 3), (3,))


def test_three_rounds_of_a_simulated_person(crowd) -> None:
    """Who marks the first three unmarked of each list: what is unmarked is ranked ever better."""
    vectors, who = crowd(25, 10, 1.4)
    scores = np.zeros((25, 4))
    for query in range(25):
        gallery, is_right = np.delete(vectors, query, axis=0), np.delete(who == who[query], query)
        confirmed, rejected = list[int](), list[int]()
        for turn in range(4):
            order = order_after(
                vectors[query], gallery, Feedback(tuple(confirmed), tuple(rejected))
            )
            hits = is_right[order]
            precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            scores[query, turn] = (precisions * hits).sum() / is_right.sum()
            unmarked = [e for e in order.tolist() if e not in confirmed][:3]
            confirmed += [e for e in unmarked if is_right[e]]
            rejected += [e for e in unmarked if not is_right[e]]
    means = scores.mean(axis=0)
    assert np.all(np.diff(means) > 0)
    assert means[3] > means[0] + 0.2
