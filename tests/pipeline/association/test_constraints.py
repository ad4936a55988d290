"""What cannot be one person, worked by hand."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.association.constraints import cannot_link
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
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


def _passages(tracklets: Sequence[Tracklet]) -> Passages:
    passages = Passages.of(tracklets)
    return passages.take(passages.order())


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
    assert len(cannot_link(_passages(pair), transitions)) == forbidden, what


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000))
def test_what_cannot_be_is_found_as_by_looking_at_every_pair(seed: int, tracklet: Make) -> None:
    rng = np.random.default_rng(seed)
    transitions = {"a": {"b": (3.0, 9.0)}, "b": {"c": (-2.0, 5.0), "a": (1.0, 5.0)}}
    people = [
        tracklet(str(rng.choice(["a", "b", "c"])), n, s := int(rng.integers(20)), s + 1 + n % 6)
        for n in range(12)
    ]
    passages = _passages(people)
    every = Pairs.all(len(people))
    gaps, cameras = passages.gaps_s(every), [passages.names[c] for c in passages.camera]
    wanted = []
    for one, other, gap in zip(every.first, every.second, gaps, strict=True):
        ways = [(cameras[one], cameras[other])]
        if passages.starts[one] == passages.starts[other]:
            ways.append(ways[0][::-1])
        least = max(transitions.get(a, {}).get(b, (-np.inf,))[0] for a, b in ways)
        wanted.append(gap <= 0 if cameras[one] == cameras[other] else gap < least)
    np.testing.assert_array_equal(every.among(cannot_link(passages, transitions)), wanted)


def test_pieces_of_one_track_may_touch(tracklet: Make) -> None:
    pieces = [tracklet("a", 1, 0, 300), tracklet("a", 1, 300, 310, part=2)]
    assert len(cannot_link(_passages(pieces), {})) == 0


def test_no_tracklets() -> None:
    assert len(cannot_link(_passages([]), {"a": {"b": (1, 2)}})) == 0
