"""Evidence from the floor, seen by a camera that looks straight down: 100 pixels a metre."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.association.ground_plane import (
    CUT_MARGIN_PX,
    FLOOR_AREA_M2,
    FOOT_ERROR,
    LOWEST_LOG_ODDS,
    floor_track,
    ground_plane_log_odds,
)
from pipeline.association.pairs import Pairs
from pipeline.types import Calibration, Tracklet

Make = Callable[..., Tracklet]

ABOVE = Calibration(np.diag([0.01, 0.01, 1.0]), np.eye(3), np.zeros(5), 1000.0)
VIEWS = {"a": ABOVE, "b": ABOVE}
SIGMA = 0.5


def _standing_at(x: float, y: float) -> tuple[float, float, float, float]:
    """A box whose feet are at (x, y) metres."""
    return (100 * x - 20, 100 * y - 100, 100 * x + 20, 100 * y)


def _pair(make: Make, first: Tracklet, second: Tracklet) -> tuple[float, bool]:
    evidence, too_fast = ground_plane_log_odds([first, second], VIEWS, SIGMA, Pairs.all(2))
    return float(evidence[0]), bool(too_fast[0])


def test_position_and_variance_worked_by_hand(tracklet: Make) -> None:
    """Feet in metres; box of 100 px errs 4 px = 4 cm beside the 50 cm of the floor itself."""
    track = floor_track(tracklet("a", 1, 0, 1, _standing_at(3, 4)), VIEWS, SIGMA)
    np.testing.assert_allclose(track.positions, [[3, 4]] * 6)
    np.testing.assert_allclose(track.variances, 0.25 + (FOOT_ERROR * 100 / 100) ** 2)


def test_same_place_at_the_same_time_worked_by_hand(tracklet: Make) -> None:
    """log(A / (2 pi s^2)) a position, for 1 + 2 independent ones in two seconds."""
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    second = tracklet("b", 1, 0, 2, _standing_at(3, 4))
    variance = 2 * (0.25 + 0.0016)
    expected = 3 * np.log(FLOOR_AREA_M2 / (2 * np.pi * variance))
    assert _pair(tracklet, first, second)[0] == pytest.approx(expected)


def test_apart_at_the_same_time_speaks_against(tracklet: Make) -> None:
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    for distance, least in ((1.0, -1e9), (3.0, -20.0), (9.0, 3 * LOWEST_LOG_ODDS)):
        second = tracklet("b", 1, 0, 2, _standing_at(3 + distance, 4))
        near = _pair(tracklet, first, second)[0]
        assert near >= least
        assert (near > 0) == (distance < 2)
    assert near == pytest.approx(3 * LOWEST_LOG_ODDS)  # bounded: one wrong box is no proof


def test_soon_after_nearby_speaks_for_and_long_after_says_nothing(tracklet: Make) -> None:
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    soon = _pair(tracklet, first, tracklet("b", 1, 2.5, 4, _standing_at(3.3, 4)))
    late = _pair(tracklet, first, tracklet("b", 1, 60, 62, _standing_at(3.3, 4)))
    assert soon[0] > 1
    assert not soon[1]
    assert late == (0.0, False)


def test_nobody_runs_a_hundred_metres_in_a_second(tracklet: Make) -> None:
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    assert _pair(tracklet, first, tracklet("b", 1, 3, 4, _standing_at(103, 4)))[1]
    assert not _pair(tracklet, first, tracklet("b", 1, 3, 4, _standing_at(7, 4)))[1]


def test_cut_feet_and_uncalibrated_cameras_say_nothing(tracklet: Make) -> None:
    first = tracklet("a", 1, 0, 2, _standing_at(3, 4))
    cut = tracklet("b", 1, 0, 2, _standing_at(3, (1000 - CUT_MARGIN_PX) / 100))
    assert _pair(tracklet, first, cut) == (0.0, False)
    elsewhere = tracklet("c", 1, 0, 2, _standing_at(3, 4))
    assert _pair(tracklet, first, elsewhere) == (0.0, False)


def test_beyond_the_horizon_says_nothing(tracklet: Make) -> None:
    """A camera whose horizon is at row 300: w = (v - 300) / 100."""
    tilted = np.array([[0.01, 0, 0], [0, 0.01, 0], [0, 0.01, -3.0]])
    views = {"a": Calibration(tilted, np.eye(3), np.zeros(5), np.inf)}
    assert len(floor_track(tracklet("a", 1, 0, 1, (0, 100, 40, 290)), views, SIGMA).times_us) == 0
    assert len(floor_track(tracklet("a", 1, 0, 1, (0, 300, 40, 500)), views, SIGMA).times_us) == 6


def test_times_too_far_apart_are_not_compared(tracklet: Make) -> None:
    """The second was seen at 0 and 10 s only: what it did at 5 s is not known."""
    first = tracklet("a", 1, 4, 6, _standing_at(3, 4))
    second = Tracklet(
        "b", 1, 1, np.arange(2), np.array([0, 10_000_000]), np.tile(_standing_at(9, 9), (2, 1)),
        np.ones(2),
    )  # fmt: skip
    assert _pair(tracklet, first, second) == (0.0, False)
