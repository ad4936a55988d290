"""Two people who cross, in a room that cameras look down on: 100 px a metre, the truth is known."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pipeline.association.exchanges import exchanges
from pipeline.association.floor_fit import CameraFit
from pipeline.association.seen import Seen
from pipeline.types import Calibration, DoubleArray, NoEmbedding, Split, Tracklet

ABOVE = Calibration(np.diag([0.01, 0.01, 1.0]), np.eye(3), np.zeros(5), 5000.0)
RATE, CROSSED = 5, 50
"""Frames a second, and at which frame the two cross."""


def _tracklet(camera: str, track: int, way: DoubleArray) -> Tracklet:
    feet = 100 * way
    boxes = np.hstack([feet, feet]) + np.array([-20, -100, 20, 0])
    frames = np.arange(len(way))
    return Tracklet(
        camera, track, 1, frames, frames * 200_000, boxes, np.ones(len(way), np.float32)
    )


def _ways(apart_m: float = 0.3) -> tuple[DoubleArray, DoubleArray]:
    """Two who go past one another at 1 m/s."""
    along = np.arange(2 * CROSSED) / RATE
    one, other = np.full(len(along), 8.0), np.full(len(along), 8.0 + apart_m)
    return np.stack([along, one], axis=1), np.stack([20 - along, other], axis=1)


def _exchanged(ways: tuple[DoubleArray, DoubleArray]) -> tuple[DoubleArray, DoubleArray]:
    one, other = ways
    return (
        np.concatenate([one[:CROSSED], other[CROSSED:]]),
        np.concatenate([other[:CROSSED], one[CROSSED:]]),
    )


def _views(cameras: str, wrong: str, apart_m: float = 0.3) -> list[Tracklet]:
    """The two in some cameras, of which one took each for the other after they crossed."""
    rng, ways = np.random.default_rng(1), _ways(apart_m)
    found = []
    for camera in cameras:
        for track, way in enumerate(_exchanged(ways) if camera in wrong else ways, start=1):
            found.append(_tracklet(camera, track, way + rng.normal(0, 0.05, way.shape)))
    return found


def _splits(
    tracklets: Sequence[Tracklet], calibrated: str = "abc", fits: Sequence[CameraFit] = ()
) -> list[Split]:
    seen = Seen.of(tracklets, [NoEmbedding()] * len(tracklets))
    return exchanges(seen, dict.fromkeys(calibrated, ABOVE), 0.2, fits)


def _frames(splits: Sequence[Split]) -> dict[str, float]:
    assert len({split.tracklet for split in splits}) == len(splits)
    return {split.tracklet: split.frame_index for split in splits}


WHERE_THEY_CROSSED = {"b/1": pytest.approx(CROSSED, abs=4), "b/2": pytest.approx(CROSSED, abs=4)}


def test_who_is_exchanged_in_one_view_of_three_is_split_where_they_crossed() -> None:
    assert _frames(_splits(_views("abc", wrong="b"))) == WHERE_THEY_CROSSED


def test_where_all_agree_nobody_is_split() -> None:
    assert _splits(_views("abc", wrong="")) == []
    assert _splits(_views("abc", wrong="abc")) == []


def test_two_views_disagree_and_in_one_of_them_the_two_were_apart() -> None:
    """Seen from the side, so to speak, they do not cover one another: no tracker errs there."""
    views = _views("ab", wrong="b")
    near = np.diag([0.0025, 0.0025, 1.0])
    side = Calibration(near, np.eye(3), np.zeros(5), 20_000.0)

    def enlarged(each: Tracklet) -> Tracklet:
        feet = 4 * np.tile(each.boxes[:, 2:] - np.array([20, 0]), 2)
        return replace(each, boxes=feet + np.array([-20, -100, 20, 0]))

    views = [enlarged(each) if each.camera_id == "a" else each for each in views]
    seen = Seen.of(views, [NoEmbedding()] * len(views))
    assert _frames(exchanges(seen, {"a": side, "b": ABOVE}, 0.2, [])) == WHERE_THEY_CROSSED


def test_two_views_disagree_and_in_one_of_them_everybody_turned_round() -> None:
    assert _frames(_splits(_views("ab", wrong="b"))) == WHERE_THEY_CROSSED


def test_who_did_not_come_near_in_the_picture_is_not_exchanged() -> None:
    assert _splits(_views("abc", wrong="b", apart_m=1.5)) == []


def test_a_track_that_ends_and_one_that_begins_there_are_no_exchange() -> None:
    [one, other] = _views("b", wrong="")
    first, rest = (
        Tracklet(
            "b",
            track,
            1,
            each.frame_indices[rows],
            each.timestamps_us[rows],
            each.boxes[rows],
            each.scores[rows],
        )
        for track, each, rows in ((1, one, slice(CROSSED)), (3, one, slice(CROSSED, None)))
    )
    assert _splits([*_views("ac", wrong=""), other, first, rest]) == []


def test_without_two_calibrated_cameras_nothing_is_known() -> None:
    views = _views("abc", wrong="b")
    assert _splits(views, calibrated="b") == _splits(views, calibrated="") == []
    # Nor where the one that erred is not calibrated.
    assert _splits(views, calibrated="ac") == []


def test_the_clock_of_a_camera_is_allowed_for() -> None:
    late = [
        replace(each, timestamps_us=each.timestamps_us + 2_000_000)
        if each.camera_id == "b"
        else each
        for each in _views("abc", wrong="b")
    ]
    splits = _splits(late, fits=[CameraFit("b", 2.0, (0.0, 0.0), 9)])
    assert _frames(splits) == WHERE_THEY_CROSSED
