"""Clocks and floors of cameras, from people who walk where they look; the truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.association.floor_fit import CameraFit, camera_fits, corrected, fits_of
from pipeline.association.floor_tracks import floor_tracks, sampled
from pipeline.association.passages import Passages
from pipeline.association.seen import Seen
from pipeline.types import Calibration, NoEmbedding, Tracklet

ABOVE = Calibration(np.diag([0.01, 0.01, 1.0]), np.eye(3), np.zeros(5), 5000.0)
CAMERAS = ("a", "b", "c")


def _walkers(
    cameras: tuple[str, ...] = CAMERAS, people: int = 8, speed: float = 1.2, seed: int = 0
) -> list[Tracklet]:
    """People who change direction every few seconds, seen for 20 s with 5 px of noise."""
    rng = np.random.default_rng(seed)
    found = []
    for person in range(people):
        turns = np.repeat(rng.uniform(0, 2 * np.pi, 5), 20)
        steps = speed / 5 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
        places = 100 * (rng.uniform(10, 30, 2) + np.cumsum(steps, axis=0))
        times = np.arange(100) * 200_000 + 3_000_000 * person
        for camera in cameras:
            feet = places + rng.normal(0, 5, places.shape)
            boxes = np.hstack([feet, feet]) + np.array([-20, -100, 20, 0])
            found.append(Tracklet(camera, person, 1, times // 200_000, times, boxes, np.ones(100)))
    return found


def _fits(tracklets: list[Tracklet]) -> list[CameraFit]:
    seen = Seen.of(tracklets, [NoEmbedding()] * len(tracklets))
    return list(camera_fits(seen, dict.fromkeys(CAMERAS, ABOVE)))


def _late(tracklets: list[Tracklet], camera: str, seconds: float) -> list[Tracklet]:
    return [
        replace(each, timestamps_us=each.timestamps_us + round(seconds * 1e6))
        if each.camera_id == camera
        else each
        for each in tracklets
    ]


def test_where_all_agree_nothing_is_told() -> None:
    for seed in range(3):
        assert _fits(_walkers(seed=seed)) == []


@pytest.mark.parametrize("seconds", [-2.4, -0.5, 0.9, 2.0])
def test_the_clock_that_is_wrong_is_found(seconds: float) -> None:
    [fit] = _fits(_late(_walkers(), "b", seconds))
    assert fit.camera == "b"
    assert fit.clock_s == pytest.approx(seconds, abs=0.1)
    assert fit.shift_m == (0, 0)
    assert ("ahead" in fit.words) == (seconds > 0)


def test_the_floor_that_is_beside_is_found() -> None:
    moved = [
        replace(each, boxes=each.boxes + np.array([40, -30, 40, -30]))
        if each.camera_id == "c"
        else each
        for each in _walkers()
    ]
    [fit] = _fits(moved)
    assert fit.camera == "c"
    assert fit.clock_s == 0
    assert fit.shift_m == pytest.approx((0.4, -0.3), abs=0.05)
    assert "its floor lies 0.5 m beside the others'" in fit.words


def test_further_off_than_is_searched_nothing_is_told() -> None:
    assert _fits(_late(_walkers(), "b", 7.0)) == []


def test_people_who_stand_have_no_clock() -> None:
    assert _fits(_late(_walkers(speed=0.0), "b", 0.9)) == []


def test_different_people_seen_by_two_cameras_agree_on_nothing() -> None:
    others = [*_walkers(("a",), seed=1), *_walkers(("b",), seed=2)]
    assert _fits(others) == []


def test_few_ways_tell_nothing() -> None:
    assert _fits(_late(_walkers(people=4), "b", 0.9)) == []


def test_what_is_found_is_put_right() -> None:
    tracklets = _late(_walkers(), "b", 0.9)
    tracks = floor_tracks(tracklets, dict.fromkeys(CAMERAS, ABOVE))
    cameras = [tracklet.camera_id for tracklet in tracklets]
    right = corrected(tracks, cameras, _fits(tracklets))
    passages = Passages.of(tracklets)
    assert [fit.camera for fit in fits_of(passages, sampled(tracks))] == ["b"]
    assert fits_of(passages, sampled(right)) == ()


def test_uncalibrated_sites_have_no_fits() -> None:
    tracklets = _walkers()
    seen = Seen.of(tracklets, [NoEmbedding()] * len(tracklets))
    assert camera_fits(seen, {}) == ()
    assert camera_fits(seen, {"a": ABOVE}) == ()
    assert camera_fits(Seen.of([], []), {"a": ABOVE, "b": ABOVE}) == ()
