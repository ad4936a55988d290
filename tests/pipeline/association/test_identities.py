"""Numbers that stay, worked by hand."""

import numpy as np
import pytest

from pipeline.association.evidence import PairTable
from pipeline.association.floor_tracks import NOWHERE, sampled
from pipeline.association.identities import FREE, solved_among, taken_over
from pipeline.association.pairs import Pairs
from pipeline.association.resolver import Problem

CASES = [
    # what, clusters, earlier, fixed, following, identities, then following
    ("all new", [0, 0, 1], [-1, -1, -1], [-1, -1, -1], 7, [7, 7, 8], 9),
    ("nothing changed", [0, 0, 1], [3, 3, 5], [-1, -1, -1], 7, [3, 3, 5], 7),
    ("one moved", [0, 0, 0, 1, 1], [3, 3, 5, 5, 5], [-1] * 5, 7, [3, 3, 3, 5, 5], 7),
    ("split: the larger keeps it", [0, 0, 1], [3, 3, 3], [-1, -1, -1], 7, [3, 3, 7], 8),
    ("joined: the larger's stays", [0, 0, 0], [3, 5, 5], [-1, -1, -1], 7, [5, 5, 5], 7),
    ("fixed wins over many", [0, 0, 0], [3, 5, 5], [3, -1, -1], 7, [3, 3, 3], 7),
    ("a fixed number goes to no other", [0, 1, 1], [3, 3, 3], [3, -1, -1], 7, [3, 7, 7], 8),
    ("more keep it so", [0, 0, 0, 1, 1], [3, 3, 5, 3, 3], [-1] * 5, 7, [5, 5, 5, 3, 3], 7),
    ("nobody", [], [], [], 1, [], 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "clusters", "earlier", "fixed", "following", "wanted", "then"), CASES
)
def test_taken_over(
    what: str,
    clusters: list[int],
    earlier: list[int],
    fixed: list[int],
    following: int,
    wanted: list[int],
    then: int,
) -> None:
    columns = (np.array(column, np.int64) for column in (clusters, earlier, fixed))
    identities, left = taken_over(*columns, following)
    assert (identities.tolist(), left) == (wanted, then), what


def _problem(count: int, weights: dict[tuple[int, int], float]) -> Problem:
    first, second = np.array(sorted(weights), np.int64).T
    pairs = Pairs(count, first, second)
    said = np.array([weights[pair] for pair in sorted(weights)])
    nothing = np.zeros(len(pairs))
    table = PairTable(pairs, said, said, nothing, nothing, nothing)
    return Problem(table, Pairs.none(count), Pairs.none(count), sampled([NOWHERE] * count))


def test_fixed_people_are_not_joined_by_one_who_is_like_both() -> None:
    """0 and 1 are fixed; 2 is like both, a little more like 1."""
    problem = _problem(3, {(0, 2): 4.0, (1, 2): 5.0, (0, 1): -1.0})
    assert problem.solved().tolist() == [0, 0, 0]
    assert solved_among(problem, np.array([8, 9, FREE])).tolist() == [0, 1, 1]


def test_fixed_people_stay_together_whatever_is_said_now() -> None:
    problem = _problem(3, {(0, 1): -5.0, (1, 2): 3.0})
    clusters = solved_among(problem, np.array([4, 4, FREE]))
    assert clusters[0] == clusters[1]
