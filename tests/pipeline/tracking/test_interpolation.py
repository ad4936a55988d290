import numpy as np
import pytest

from pipeline.tracking.interpolation import interpolate
from pipeline.types import Tracklet

FRAME_US = 40_000
START_US = 1_700_000_000_000_000


def walk(frames: list[int], wobble: float = 0.0) -> Tracklet:
    """Two pixels a frame to the right, from x = 0 at frame 0."""
    indices = np.array(frames)
    left = 2.0 * indices + wobble * np.random.default_rng(0).normal(size=len(frames))
    boxes = np.stack([left, 0 * left, left + 40, 0 * left + 100], axis=1)
    times = START_US + indices * FRAME_US
    scores = np.full(len(frames), 0.9)
    return Tracklet("door", 3, 1, indices, times, boxes, scores)


def test_gaps_are_bridged_by_straight_lines_and_marked():
    found = interpolate(walk([4, 5, 8, 9]), np.arange(20))
    filled = found.tracklet
    assert filled.frame_indices.tolist() == [4, 5, 6, 7, 8, 9]
    assert found.is_made_up.tolist() == [False, False, True, True, False, False]
    assert filled.boxes[:, 0].tolist() == pytest.approx([8, 10, 12, 14, 16, 18])
    assert filled.boxes[:, 3].tolist() == [100] * 6
    assert filled.scores.tolist() == pytest.approx([0.9, 0.9, 0, 0, 0.9, 0.9])
    assert ((filled.timestamps_us - START_US) // FRAME_US).tolist() == [4, 5, 6, 7, 8, 9]
    assert (filled.camera_id, filled.track_id, filled.part) == ("door", 3, 1)


def test_only_frames_that_were_looked_at_get_a_box():
    filled = interpolate(walk([0, 4, 12]), np.arange(0, 16, 4)).tracklet
    assert filled.frame_indices.tolist() == [0, 4, 8, 12]


def test_found_boxes_stay_as_they_are_without_smoothing():
    whole = walk([0, 1, 2, 7], wobble=3.0)
    found = interpolate(whole, np.arange(8))
    assert found.tracklet.boxes[~found.is_made_up].tolist() == whole.boxes.tolist()


def test_smoothing_keeps_a_steady_walk_and_calms_a_shaky_one():
    steady = walk(list(range(60)))
    kept = interpolate(steady, np.arange(60), sigma_seconds=0.2).tracklet
    assert kept.boxes == pytest.approx(steady.boxes, abs=1e-3)
    shaky = walk(list(range(60)), wobble=3.0)
    calm = interpolate(shaky, np.arange(60), sigma_seconds=0.2).tracklet
    truth = steady.boxes[:, 0]
    assert np.abs(calm.boxes[:, 0] - truth).mean() < 0.6 * np.abs(shaky.boxes[:, 0] - truth).mean()


def test_a_single_box_stays():
    found = interpolate(walk([7]), np.arange(20), sigma_seconds=0.5)
    assert found.tracklet.frame_indices.tolist() == [7]
    assert found.is_made_up.tolist() == [False]
