"""Average link with cannot-links, against a naive loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.association.clustering import average_link
from pipeline.types import BoolArray, DoubleArray


def _symmetric(count: int, pairs: dict[tuple[int, int], float], default: float) -> DoubleArray:
    table = np.full((count, count), default)
    for (first, second), value in pairs.items():
        table[first, second] = table[second, first] = value
    np.fill_diagonal(table, 0)
    return table


CASES = [
    # what, N, evidence on pairs (others -1), forbidden pairs, clusters
    ("nothing speaks for anyone", 3, {}, [], [0, 1, 2]),
    ("one pair", 3, {(0, 2): 2.0}, [], [0, 1, 0]),
    ("even evidence does not join", 2, {(0, 1): 0.0}, [], [0, 1]),
    ("a chain whose mean is positive", 3, {(0, 1): 5, (1, 2): 4}, [], [0, 0, 0]),  # (4 - 1)/2 > 0
    ("a chain whose mean is not", 3, {(0, 1): 5, (1, 2): 0.5}, [], [0, 0, 1]),  # (.5 - 1)/2 < 0
    ("a forbidden pair keeps its chain apart", 3, {(0, 1): 5, (1, 2): 4}, [(0, 2)], [0, 0, 1]),
    ("the stronger of two rivals", 3, {(0, 1): 3, (1, 2): 6}, [(0, 2)], [0, 1, 1]),
    ("two pairs", 4, {(0, 3): 1, (1, 2): 1}, [], [0, 1, 1, 0]),
]


@pytest.mark.parametrize(("what", "count", "pairs", "apart", "expected"), CASES)
def test_clusters(
    what: str,
    count: int,
    pairs: dict[tuple[int, int], float],
    apart: list[tuple[int, int]],
    expected: list[int],
) -> None:
    forbidden = _symmetric(count, dict.fromkeys(apart, 1.0), 0.0).astype(bool)
    assert average_link(_symmetric(count, pairs, -1.0), forbidden).tolist() == expected, what


def _naive(log_odds: DoubleArray, forbidden: BoolArray) -> set[frozenset[int]]:
    """Join the best allowed pair of clusters until its mean evidence is no longer above 0."""
    clusters = [frozenset([index]) for index in range(len(log_odds))]
    while True:
        best, pair = 0.0, None
        for i, first in enumerate(clusters):
            for second in clusters[i + 1 :]:
                block = np.ix_(sorted(first), sorted(second))
                mean = float(log_odds[block].mean())
                if mean > best and not forbidden[block].any():
                    best, pair = mean, (first, second)
        if pair is None:
            return set(clusters)
        clusters = [c for c in clusters if c not in pair] + [pair[0] | pair[1]]


@given(seed=st.integers(0, 10_000), count=st.integers(0, 9))
def test_agrees_with_the_naive_loop(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.normal(0, 3, (count, count)), 1)
    apart = np.triu(rng.random((count, count)) < 0.2, 1)
    log_odds, forbidden = upper + upper.T, apart | apart.T
    labels = average_link(log_odds, forbidden)
    found = {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}
    assert found == _naive(log_odds, forbidden)


def test_numbers_follow_the_first_member() -> None:
    log_odds = _symmetric(4, {(1, 3): 5.0}, -1.0)
    assert average_link(log_odds, np.zeros((4, 4), bool)).tolist() == [0, 1, 2, 1]
