"""Times between cameras: given, and learned."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.association.transitions import (
    FEWEST_LINKS,
    learn_transition_times,
    prior_log_odds,
)
from pipeline.types import DoubleArray, IntArray, Tracklet

Make = Callable[..., Tracklet]


def test_given_times_worked_by_hand(tracklet: Make) -> None:
    """Run of 100 s, window of 20 s: log(100/20); outside the window or the pair: nothing."""
    people = [tracklet("a", 1, 0, 10), tracklet("b", 2, 20, 30), tracklet("b", 3, 60, 100)]
    evidence = prior_log_odds(Passages.of(people), Pairs.all(3), {"a": {"b": (5, 25)}})
    assert evidence[0] == pytest.approx(np.log(100 / 20))
    assert evidence[1:].tolist() == [0, 0]


def _walks(rng: np.random.Generator, count: int, gaps: DoubleArray) -> tuple[Passages, IntArray]:
    """People who cross a, and b so much later; and who is truly one."""
    starts = np.sort(rng.uniform(0, 3000, count))
    spans = np.concatenate([starts, starts + 5 + gaps])
    order = np.argsort(spans, kind="stable")
    starts_us = (spans[order] * 1e6).astype(np.int64)
    camera = np.repeat([0, 1], count)[order]
    person = np.tile(np.arange(count), 2)[order]
    numbers = np.arange(2 * count)
    ends_us = starts_us + 5_000_000
    feet = np.zeros((len(numbers), 2))
    passages = Passages(
        ("a", "b"), camera, starts_us, ends_us, numbers, np.ones_like(numbers), feet, feet
    )
    return passages, person


def _linked(person: IntArray) -> Pairs:
    rank = np.argsort(person, kind="stable").reshape(-1, 2)
    return Pairs.of(len(person), rank[:, 0], rank[:, 1])


def test_the_time_that_people_take_speaks_for_a_pair() -> None:
    rng = np.random.default_rng(0)
    passages, person = _walks(rng, 200, rng.normal(20, 2, 200))
    times = learn_transition_times(passages, person, 600)
    assert times is not None
    every = Pairs.all(len(passages))
    evidence, gaps = times.of(passages, every), passages.gaps_s(every)
    forward = (passages.camera[every.first] == 0) & (passages.camera[every.second] == 1)
    assert evidence[forward & (gaps > 18) & (gaps < 22)].min() > 2
    assert evidence[forward & (gaps > 60) & (gaps < 400)].max() < 0
    assert evidence[~forward].max() < 0  # nobody goes from b to a


def test_where_people_arrive_at_any_time_the_time_says_little() -> None:
    rng = np.random.default_rng(1)
    passages, person = _walks(rng, 200, rng.uniform(0, 590, 200))
    times = learn_transition_times(passages, person, 600)
    assert times is not None
    linked = _linked(person)
    evidence = times.of(passages, linked)
    assert np.ptp(evidence[passages.gaps_s(linked) > 20]) < 1


def test_wrong_links_at_any_time_only_flatten_it() -> None:
    """A third of the people were mistaken for one another."""
    rng = np.random.default_rng(2)
    passages, person = _walks(rng, 200, rng.normal(20, 2, 200))
    taken = person.copy()
    wrong = rng.choice(len(taken), 130, replace=False)
    taken[wrong] = rng.permutation(taken[wrong])
    flat = learn_transition_times(passages, taken, 600)
    clean = learn_transition_times(passages, person, 600)
    assert flat is not None and clean is not None
    linked = _linked(person)
    assert 1 < flat.of(passages, linked).mean() <= clean.of(passages, linked).mean()


def test_from_few_links_nothing_is_learned() -> None:
    rng = np.random.default_rng(3)
    passages, person = _walks(rng, FEWEST_LINKS - 1, np.full(FEWEST_LINKS - 1, 20.0))
    assert learn_transition_times(passages, person, 600) is None


def test_cameras_that_came_later_are_not_judged() -> None:
    rng = np.random.default_rng(4)
    passages, person = _walks(rng, 100, np.full(100, 20.0))
    times = learn_transition_times(passages, person, 600)
    assert times is not None
    renamed = replace(passages, names=("c", "d"))
    assert not times.of(renamed, _linked(person)).any()
