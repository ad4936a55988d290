"""Where people stand, seen by a camera that looks straight down: 100 pixels a metre."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.association.floor_tracks import (
    CUT_MARGIN,
    FOOT_ERROR,
    MAX_INTERPOLATION_US,
    SHOE_M,
    STEP_US,
    covered,
    floor_track,
    floor_tracks,
    sampled,
)
from pipeline.types import Calibration, Tracklet

Make = Callable[..., Tracklet]

# Up the image is away from the camera: y falls with the row.
ABOVE = Calibration(np.diag([0.01, 0.01, 1.0]), np.eye(3), np.zeros(5), 1000.0)


def _standing_at(x: float, y: float) -> tuple[float, float, float, float]:
    """A box of 100 px that ends at (x, y) metres."""
    return (100 * x - 20, 100 * y - 100, 100 * x + 20, 100 * y)


def test_position_and_variance_worked_by_hand(tracklet: Make) -> None:
    """A box ends at the shoe; the body stands further up the image. 100 px err 2.8 px = 2.8 cm."""
    track = floor_track(tracklet("a", 1, 0, 1, _standing_at(3, 4)), {"a": ABOVE})
    np.testing.assert_allclose(track.positions, [[3, 4 - SHOE_M]] * 6)
    np.testing.assert_allclose(track.variances, (FOOT_ERROR * 100 / 100) ** 2)


def test_cut_feet_and_uncalibrated_cameras_are_nowhere(tracklet: Make) -> None:
    cut = tracklet("a", 1, 0, 1, _standing_at(3, 10 - CUT_MARGIN))
    whole = tracklet("a", 2, 0, 1, _standing_at(6, 10 - 2 * CUT_MARGIN))
    elsewhere = tracklet("c", 1, 0, 1, _standing_at(3, 4))
    lengths = [len(track.times_us) for track in floor_tracks([cut, whole, elsewhere], {"a": ABOVE})]
    assert lengths == [0, 6, 0]


def test_beyond_the_horizon_is_nowhere(tracklet: Make) -> None:
    """A camera whose horizon is at row 300: w = (v - 300) / 100."""
    tilted = np.array([[0.01, 0, 0], [0, 0.01, 0], [0, 0.01, -3.0]])
    views = {"a": Calibration(tilted, np.eye(3), np.zeros(5), np.inf)}
    assert len(floor_track(tracklet("a", 1, 0, 1, (0, 100, 40, 290)), views).times_us) == 0
    assert len(floor_track(tracklet("a", 1, 0, 1, (0, 310, 40, 500)), views).times_us) == 6


def test_feet_behind_somebody_nearer_are_covered() -> None:
    """Cases by hand: ends inside the nearer box; just above it; beside it; well above it."""
    nearer = (100, 200, 200, 400)
    boxes = np.array(
        [nearer, (130, 100, 170, 250), (130, 100, 170, 190), (210, 100, 250, 250),
         (130, 20, 170, 60)], np.float64,
    )  # fmt: skip
    assert covered(boxes, np.zeros(5, np.int64)).tolist() == [False, True, True, False, False]
    assert not covered(boxes, np.arange(5)).any()  # never in one frame


def test_samples_lie_on_straight_lines_between_the_tracks_own_times(tracklet: Make) -> None:
    """One at 5 a second walks 1 m/s east; one before it, of another time, does not disturb it."""
    still = tracklet("a", 1, 100, 101, _standing_at(9, 4))
    walking = tracklet("a", 2, 0.1, 2.1, _standing_at(1, 4))
    boxes = walking.boxes + np.array([1, 0, 1, 0]) * np.arange(11)[:, None] * 20
    walking = replace(walking, boxes=boxes)
    samples = sampled(floor_tracks([still, walking], {"a": ABOVE}))
    assert samples.begins[1] * STEP_US == 250_000
    assert samples.ends[1] == 9  # 2.0 s is the last; 2.25 s is past its end
    own = samples.positions[samples.offsets[1] : samples.offsets[2]]
    times = np.arange(1, 9) * STEP_US / 1e6
    np.testing.assert_allclose(own[:, 0], 1 + (times - 0.1), atol=1e-6)


def test_nothing_is_told_of_long_pauses() -> None:
    times = np.array([0, 4_000_000])
    lonely = Tracklet(
        "a", 1, 1, np.arange(2), times, np.tile(_standing_at(3, 4), (2, 1)), np.ones(2)
    )
    samples = sampled(floor_tracks([lonely], {"a": ABOVE}))
    known = np.isfinite(samples.positions).all(axis=1)
    near = MAX_INTERPOLATION_US // STEP_US
    assert known.sum() == 2 * (near + 1)
    assert known[: near + 1].all()


@pytest.mark.parametrize("count", [0, 1])
def test_nobody_on_the_floor_gives_no_samples(tracklet: Make, count: int) -> None:
    samples = sampled(floor_tracks([tracklet("c", 1, 0, 1)] * count, {}))
    assert len(samples.positions) == 0
    assert samples.offsets.tolist() == [0] * (count + 1)
