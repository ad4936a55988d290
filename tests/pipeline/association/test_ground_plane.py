"""Evidence from the floor, seen by cameras that look straight down: 100 pixels a metre."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.association import ground_plane
from pipeline.association.floor_tracks import FOOT_ERROR, floor_tracks, sampled
from pipeline.association.ground_plane import (
    FLOOR_AREA_M2,
    MAX_INDEPENDENT,
    WRONG,
    ground_plane_log_odds,
)
from pipeline.association.pairs import Pairs
from pipeline.types import Calibration, Tracklet

Make = Callable[..., Tracklet]

ABOVE = Calibration(np.diag([0.01, 0.01, 1.0]), np.eye(3), np.zeros(5), 1000.0)
VIEWS = {"a": ABOVE, "b": ABOVE}
SIGMA = 0.2


def _standing_at(x: float, y: float) -> tuple[float, float, float, float]:
    """A box whose feet are at (x, y) metres."""
    return (100 * x - 20, 100 * y - 100, 100 * x + 20, 100 * y)


def _pair(first: Tracklet, second: Tracklet) -> tuple[float, bool]:
    samples = sampled(floor_tracks([first, second], VIEWS))
    evidence, too_fast = ground_plane_log_odds(samples, SIGMA, Pairs.all(2))
    return float(evidence[0]), bool(too_fast[0])


def test_same_place_at_the_same_time_worked_by_hand(tracklet: Make) -> None:
    """log((1 - w) A / (2 pi s^2) + w) a position, for 1 + 2 independent ones in two seconds."""
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    second = tracklet("b", 1, 0, 2, _standing_at(3, 4))
    variance = 2 * (SIGMA**2 + FOOT_ERROR**2)
    expected = 3 * np.log((1 - WRONG) * FLOOR_AREA_M2 / (2 * np.pi * variance) + WRONG)
    assert _pair(first, second)[0] == pytest.approx(expected)


def test_the_further_apart_at_the_same_time_the_more_speaks_against(tracklet: Make) -> None:
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    distances = (0.0, 0.5, 1.0, 1.5, 3.0)
    found = [
        _pair(first, tracklet("b", 1, 0, 2, _standing_at(3 + d, 4)))[0] for d in distances
    ]  # fmt: skip
    assert (np.diff(found) < 0).all()
    assert found[1] > 0 > found[2]
    assert found[-1] == pytest.approx(3 * np.log(WRONG), abs=1e-3)  # one wrong box is no proof


def test_standing_on_together_is_not_told_for_ever(tracklet: Make) -> None:
    a_while, for_ever = (
        _pair(
            tracklet("a", 1, 0, seconds, _standing_at(3, 4)),
            tracklet("b", 1, 0, seconds, _standing_at(3, 4)),
        )[0]
        for seconds in (MAX_INDEPENDENT, 10 * MAX_INDEPENDENT)
    )
    assert for_ever == pytest.approx(a_while)


def test_people_whose_ways_cross_are_not_one(tracklet: Make) -> None:
    """They meet in the middle of ten seconds: the rest of the way decides."""
    first = tracklet("a", 1, 0, 10, _standing_at(3, 4))
    east = np.array([1, 0, 1, 0]) * np.linspace(-500, 500, len(first.boxes))[:, None]
    other = replace(first, camera_id="b", boxes=first.boxes + east)
    assert _pair(first, other)[0] < -5
    assert _pair(other, replace(other, camera_id="a"))[0] > 10


def test_soon_after_nearby_speaks_for_and_long_after_says_nothing(tracklet: Make) -> None:
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    soon = _pair(first, tracklet("b", 1, 2.5, 4, _standing_at(3.3, 4)))
    far = _pair(first, tracklet("b", 1, 2.5, 4, _standing_at(6, 4)))
    late = _pair(first, tracklet("b", 1, 50, 52, _standing_at(3.3, 4)))
    assert soon[0] > 1
    assert not soon[1]
    assert far[0] < 0
    assert late[0] == pytest.approx(0, abs=0.01)


def test_order_does_not_matter(tracklet: Make) -> None:
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    second = tracklet("b", 1, 2.5, 4, _standing_at(3.3, 4))
    assert _pair(first, second) == _pair(second, first)


def test_nobody_runs_a_hundred_metres_in_a_second(tracklet: Make) -> None:
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    assert _pair(first, tracklet("b", 1, 3, 4, _standing_at(103, 4)))[1]
    assert not _pair(first, tracklet("b", 1, 3, 4, _standing_at(7, 4)))[1]


def test_uncalibrated_cameras_say_nothing(tracklet: Make) -> None:
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    assert _pair(first, tracklet("c", 1, 0, 2, _standing_at(3, 4))) == (0.0, False)


def test_times_too_far_apart_are_not_compared(tracklet: Make) -> None:
    """The second was seen at 0 and 10 s only: what it did at 5 s is not known."""
    first = tracklet("a", 1, 4, 6, _standing_at(3, 4))
    second = Tracklet(
        "b", 1, 1, np.arange(2), np.array([0, 10_000_000]), np.tile(_standing_at(9, 9), (2, 1)),
        np.ones(2),
    )  # fmt: skip
    assert _pair(first, second) == (0.0, False)


def test_pairs_in_blocks_are_as_one_by_one(tracklet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    some = [
        tracklet("ab"[n % 2], n, begin, begin + 3, _standing_at(*rng.uniform(2, 8, 2)))
        for n, begin in enumerate(rng.uniform(0, 8, 30))
    ]
    samples, pairs = sampled(floor_tracks(some, VIEWS)), Pairs.all(30)
    whole = ground_plane_log_odds(samples, SIGMA, pairs)
    alone = [
        ground_plane_log_odds(samples, SIGMA, Pairs.of(30, np.array([i]), np.array([j])))[0][0]
        for i, j in zip(pairs.first, pairs.second, strict=True)
    ]
    np.testing.assert_allclose(whole[0], alone)
    monkeypatch.setattr(ground_plane, "BLOCK", 7)
    np.testing.assert_allclose(ground_plane_log_odds(samples, SIGMA, pairs)[0], whole[0])
