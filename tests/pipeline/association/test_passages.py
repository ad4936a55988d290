"""Columns of tracklets, and who is in reach of whom."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages, followers, in_reach
from pipeline.types import Tracklet

Make = Callable[..., Tracklet]


def test_gaps_are_negative_where_views_share_time(tracklet: Make) -> None:
    people = [tracklet("a", 1, 0, 10), tracklet("b", 2, 4, 12), tracklet("a", 3, 20, 30)]
    gaps = Passages.of(people).gaps_s(Pairs.all(3))
    np.testing.assert_allclose(gaps, [-6, 10, 8])


def test_of_two_that_start_together_the_one_that_ends_first_has_left(tracklet: Make) -> None:
    people = [tracklet("a", 1, 0, 10), tracklet("b", 1, 0, 4)]
    assert Passages.of(people).gaps_s(Pairs.all(2)).tolist() == [-4]


def test_a_number_left_out_parts_the_pieces_of_a_track(tracklet: Make) -> None:
    """Parts 1, 2 and 4, 5: the crops changed person in between; track 2 is another's."""
    pieces = [tracklet("a", 1, 9 * part, 9 * part + 8, part=part) for part in (5, 1, 4, 2)]
    people = [*pieces, tracklet("a", 2, 0, 8), tracklet("b", 1, 0, 8)]
    passages = Passages.of(people)
    keys = [each.key for each in people]
    follow = followers(passages.chains)
    named = [(keys[a], keys[b]) for a, b in zip(follow.first, follow.second, strict=True)]
    assert named == [("a/1.5", "a/1.4"), ("a/1", "a/1.2")]
    assert len(set(passages.chains.tolist())) == 4


@given(
    spans=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=15),
    reach=st.integers(0, 20),
)
def test_in_reach_as_by_looking_at_every_pair(spans: list[tuple[int, int]], reach: int) -> None:
    ordered = sorted(spans)
    starts = np.array([start for start, _ in ordered], np.int64)
    ends = starts + np.array([length for _, length in ordered], np.int64)
    found = in_reach(starts, ends, reach)
    every = np.triu_indices(len(starts), 1)
    near = starts[every[1]] - ends[every[0]] <= reach
    np.testing.assert_array_equal(np.stack(found), np.stack(every)[:, near])
