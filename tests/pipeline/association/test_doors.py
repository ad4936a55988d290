"""Doors that lead somewhere, and doors that tell nothing."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.association.doors import LIMIT, PSEUDO_LINKS, SHARES, learn_doorways
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.types import DoubleArray, IntArray

WEST, EAST = (0.0, 50.0), (100.0, 50.0)


def _people(exits: IntArray, entries: IntArray, gap_s: float = 10.0) -> tuple[Passages, Pairs]:
    """Of each, a passage through a, out by the west or the east (N,), then one into b; and who is
    one person."""
    count = len(exits)
    sides = np.array([WEST, EAST])
    starts = (np.arange(2 * count) // 2 * 100e6).astype(np.int64)
    starts[1::2] += round((5 + gap_s) * 1e6)
    nowhere = np.full((count, 2), (50.0, 0.0))
    numbers = np.arange(2 * count)
    passages = Passages(
        ("a", "b"),
        numbers % 2,
        starts,
        starts + 5_000_000,
        numbers,
        np.ones_like(numbers),
        came=np.stack([nowhere, sides[entries]], axis=1).reshape(-1, 2),
        left=np.stack([sides[exits], nowhere], axis=1).reshape(-1, 2),
    )
    return passages, Pairs.of(2 * count, numbers[::2], numbers[1::2])


def _evidence(passages: Passages, linked: Pairs) -> DoubleArray:
    return learn_doorways(passages, linked).of(passages, linked)


def test_the_door_that_leads_there_speaks_for_and_the_other_against() -> None:
    rng = np.random.default_rng(0)
    doors = rng.integers(2, size=100)
    learned = learn_doorways(*_people(doors, 1 - doors))
    crossed, linked = _people(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    assert learned.of(crossed, linked) == pytest.approx(
        [-LIMIT, np.log(2), np.log(2), -LIMIT], abs=0.35
    )


def test_where_every_door_leads_anywhere_they_say_little() -> None:
    rng = np.random.default_rng(1)
    people = _people(rng.integers(2, size=400), rng.integers(2, size=400))
    assert np.abs(_evidence(*people)).max() < 0.3


def test_one_link_says_little_worked_by_hand() -> None:
    """One of a hundred is linked: (1 + k p q) / ((1 + k) p q), for shares p and q of the doors."""
    rng = np.random.default_rng(2)
    exits, entries = rng.integers(2, size=100), rng.integers(2, size=100)
    passages, linked = _people(exits, entries)
    learned = learn_doorways(passages, linked.where(np.arange(100) == 0))
    chance = (exits == exits[0]).mean() * (entries == entries[0]).mean()
    expected = np.log((1 / chance + PSEUDO_LINKS) / (1 + PSEUDO_LINKS))
    assert learned.of(passages, linked)[0] == pytest.approx(expected, abs=0.01)


def test_who_took_long_or_comes_from_elsewhere_is_not_judged() -> None:
    doors = np.tile([0, 1], 50)
    learned = learn_doorways(*_people(doors, 1 - doors))
    late, linked = _people(doors, doors, gap_s=31)
    assert not learned.of(late, linked).any()
    passages, linked = _people(doors, doors)
    assert learned.of(passages, linked).any()
    assert not learned.of(replace(passages, names=("c", "d")), linked).any()


def test_where_all_stand_in_one_place_nothing_is_told() -> None:
    passages, linked = _people(np.zeros(50, np.int64), np.zeros(50, np.int64))
    still = replace(passages, came=passages.came * 0, left=passages.left * 0)
    assert _evidence(still, linked) == pytest.approx(np.zeros(50), abs=0.01)


def test_cells_share_all_that_they_hold() -> None:
    assert SHARES.sum(axis=0) == pytest.approx(np.ones(len(SHARES)))
