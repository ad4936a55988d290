"""What cannot be one person, worked by hand."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.association.constraints import (
    cannot_link,
    gaps_seconds,
    same_track,
    transition_log_odds,
)
from pipeline.types import Tracklet

Make = Callable[..., Tracklet]

CASES = [
    # what, first (camera, start, end), second, transitions, forbidden
    ("at once in one view", ("a", 0, 10), ("a", 5, 15), {}, True),
    ("touching in one view", ("a", 0, 10), ("a", 10, 15), {}, True),
    ("one after the other in one view", ("a", 0, 10), ("a", 11, 15), {}, False),
    ("at once in two views", ("a", 0, 10), ("b", 5, 15), {}, False),
    ("faster than the way takes", ("a", 0, 10), ("b", 14, 20), {"a": {"b": (5, 40)}}, True),
    ("as fast as the way allows", ("a", 0, 10), ("b", 15, 20), {"a": {"b": (5, 40)}}, False),
    ("slower than the way takes", ("a", 0, 10), ("b", 90, 99), {"a": {"b": (5, 40)}}, False),
    ("the other way round", ("b", 0, 10), ("a", 11, 20), {"a": {"b": (5, 40)}}, False),
    ("at once where views do not overlap", ("a", 0, 10), ("b", 5, 15), {"a": {"b": (0, 9)}}, True),
    ("at once where they do", ("a", 0, 10), ("b", 5, 15), {"a": {"b": (-9, 9)}}, False),
]


@pytest.mark.parametrize(("what", "first", "second", "transitions", "forbidden"), CASES)
def test_cannot_link(
    tracklet: Make,
    what: str,
    first: tuple[str, float, float],
    second: tuple[str, float, float],
    transitions: dict[str, dict[str, tuple[float, float]]],
    forbidden: bool,
) -> None:
    pair = [tracklet(first[0], 1, *first[1:]), tracklet(second[0], 2, *second[1:])]
    for order in (pair, pair[::-1]):
        table = cannot_link(order, transitions)
        assert table[0, 1] == table[1, 0] == forbidden, what
        assert not table.diagonal().any()


def test_pieces_of_one_track_may_touch(tracklet: Make) -> None:
    pieces = [tracklet("a", 1, 0, 300), tracklet("a", 1, 300, 310, part=2)]
    assert not cannot_link(pieces, {}).any()


def test_a_number_left_out_parts_the_pieces_of_a_track(tracklet: Make) -> None:
    """Parts 1, 2 and 4, 5: the crops changed person in between; track 2 is another's."""
    pieces = [tracklet("a", 1, 9 * part, 9 * part + 8, part=part) for part in (5, 1, 4, 2)]
    same = same_track([*pieces, tracklet("a", 2, 0, 8), tracklet("b", 1, 0, 8)])
    assert same.astype(int).tolist() == [
        [1, 0, 1, 0, 0, 0],
        [0, 1, 0, 1, 0, 0],
        [1, 0, 1, 0, 0, 0],
        [0, 1, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]


def test_gaps_are_symmetric_and_negative_where_views_share_time(tracklet: Make) -> None:
    people = [tracklet("a", 1, 0, 10), tracklet("b", 2, 4, 12), tracklet("a", 3, 20, 30)]
    gaps = gaps_seconds(people)
    np.testing.assert_allclose(gaps, gaps.T)
    np.testing.assert_allclose(gaps[np.triu_indices(3, 1)], [-6, 10, 8])


def test_transition_evidence_worked_by_hand(tracklet: Make) -> None:
    """Run of 100 s, window of 20 s: log(100/20); outside the window or the pair: nothing."""
    people = [tracklet("a", 1, 0, 10), tracklet("b", 2, 20, 30), tracklet("b", 3, 60, 100)]
    evidence = transition_log_odds(people, {"a": {"b": (5, 25)}})
    assert evidence[0, 1] == evidence[1, 0] == pytest.approx(np.log(100 / 20))
    assert evidence[0, 2] == 0
    assert evidence[1, 2] == 0


def test_no_tracklets() -> None:
    assert transition_log_odds([], {}).shape == (0, 0)
    assert cannot_link([], {}).shape == (0, 0)
