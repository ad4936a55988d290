"""The timeline, measured in its pixels."""

import cv2
import numpy as np
import pytest

from pipeline.charts import (
    DPI,
    HEAD_IN,
    LEFT_IN,
    MOST_IDENTITIES,
    Bar,
    colour_of,
    lanes_of,
    letters_on,
    most_seen,
    timeline,
)
from pipeline.rendering import COLOURS
from pipeline.types import BoolArray, ImageArray

START_US = 1_767_607_200_000_000


def bar(identity: int, camera: str, enter: float, leave: float) -> Bar:
    return Bar(identity, camera, START_US + round(enter * 1e6), START_US + round(leave * 1e6))


def decoded(png: bytes) -> ImageArray:
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def of_colour(picture: ImageArray, identity: int) -> BoolArray:
    """Pixels of an identity's bars: right of its number."""
    same = (picture == COLOURS.by_idx(identity).as_bgr()).all(axis=2)
    same[:, : round(LEFT_IN * DPI)] = False
    return same


def span(marked: BoolArray, axis: int) -> tuple[int, int]:
    places = np.flatnonzero(marked.any(axis=axis))
    return int(places[0]), int(places[-1])


def test_bars_are_as_long_as_passages_and_begin_when_they_do() -> None:
    picture = decoded(timeline("plaza", [bar(1, "a", 0, 40), bar(2, "b", 20, 30)]))
    first, second = (span(of_colour(picture, identity), 0) for identity in (1, 2))
    per_second = (first[1] - first[0]) / 40
    assert second[1] - second[0] == pytest.approx(10 * per_second, abs=3)
    assert second[0] - first[0] == pytest.approx(20 * per_second, abs=3)


def test_identities_have_rows_in_order_and_views_at_once_have_lanes() -> None:
    bars = [bar(2, "a", 0, 10), bar(1, "a", 5, 20), bar(1, "b", 6, 19), bar(1, "a", 30, 40)]
    picture = decoded(timeline("plaza", bars))
    (top, middle), (below, bottom) = (span(of_colour(picture, i), 1) for i in (1, 2))
    assert HEAD_IN * DPI < top < middle < below
    assert middle - top > 1.8 * (bottom - below)  # two lanes, and what lies between them


def test_short_passages_at_the_end_are_named_beside_them() -> None:
    named, unnamed = (
        decoded(timeline("plaza", [bar(1, "a", 0, 99), bar(1, name, 99.5, 100)]))
        for name in ("hall", " ")
    )
    _, right = span(of_colour(named, 1), 0)
    assert (named[:, right + 3 :] < 100).any()
    assert not (unnamed[: named.shape[0] - 100, right + 3 :] < 100).any()


@pytest.mark.parametrize(
    ("bars", "lanes"),
    [
        ([], []),
        ([(0, 5), (5, 9)], [0, 0]),  # one ends as the other begins
        ([(0, 5), (4, 9), (5, 6)], [0, 1, 0]),
        ([(0, 9), (1, 9), (2, 3), (3, 9)], [0, 1, 2, 2]),
    ],
)
def test_lanes(bars: list[tuple[int, int]], lanes: list[int]) -> None:
    assert lanes_of([bar(1, "a", *times) for times in bars]) == lanes


def test_who_is_seen_longest_is_shown_in_order_of_numbers() -> None:
    seen = {number: float(number % 50) for number in range(1, 61)}
    shown = most_seen(seen)
    assert len(shown) == MOST_IDENTITIES
    assert shown == sorted(shown)
    assert min(seen[number] for number in shown) == 10  # of 1..9 and 51..59 nobody, nor 50
    assert most_seen({3: 1.0, 1: 2.0}) == [1, 3]


def test_a_chart_of_very_many_people_stays_small() -> None:
    bars = [bar(number, "a", number, number + 2) for number in range(1, 200)]
    assert decoded(timeline("plaza", bars)).shape[0] < 2500


def test_a_passage_of_one_moment_can_be_seen() -> None:
    picture = decoded(timeline("plaza", [bar(1, "a", 3, 3), bar(2, "a", 0, 900)]))
    assert of_colour(picture, 1).any()


@pytest.mark.parametrize("identity", [1, 7, 400])
def test_colours_are_those_of_all_pictures(identity: int) -> None:
    assert colour_of(identity) == COLOURS.by_idx(identity).as_hex()


def test_letters_can_be_read_on_every_colour() -> None:
    """Their luminance differs by a third of the whole range at least."""
    for identity, colour in enumerate(COLOURS.colors):
        letters = letters_on(identity).lstrip("#")
        one, other = (
            np.dot([0.299, 0.587, 0.114], rgb)
            for rgb in (colour.as_rgb(), tuple(bytes.fromhex(letters)))
        )
        assert abs(one - other) > 85
