"""The values that flow: read-only whatever they were made of, refused where shapes are wrong."""

from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.types import (
    Calibration,
    Clip,
    Embedding,
    EncoderIdentity,
    Evidence,
    FrameEmbeddings,
    Tracklet,
)


def tracklet(count: int = 3, **changes: Any) -> Tracklet:
    values: dict[str, Any] = {
        "camera_id": "north",
        "track_id": 7,
        "part": 1,
        "frame_indices": np.arange(count) * 2,
        "timestamps_us": np.arange(count) * 40_000 + 5,
        "boxes": np.zeros((count, 4)),
        "scores": np.ones(count),
    }
    return Tracklet(**values | changes)


def clip(count: int = 2, **changes: Any) -> Clip:
    values: dict[str, Any] = {
        "crops": np.zeros((count, 256, 128, 3), np.uint8),
        "timestamps_us": np.arange(count),
        "qualities": np.ones(count),
    }
    return Clip(**values | changes)


def frame_embeddings(vectors: Any, timestamps_us: Any) -> FrameEmbeddings:
    return FrameEmbeddings(vectors=vectors, timestamps_us=timestamps_us)


def embedding(vector: Any) -> Embedding:
    return Embedding(vector=vector, encoder=EncoderIdentity("e.onnx", "0" * 64, 4))


def calibration(**changes: Any) -> Calibration:
    values: dict[str, Any] = {
        "ground_homography": np.eye(3),
        "intrinsics": np.eye(3),
        "distortion": np.zeros(5),
        "image_height": np.inf,
    }
    return Calibration(**values | changes)


def test_arrays_have_one_type_each() -> None:
    value = tracklet()
    assert value.frame_indices.dtype == value.timestamps_us.dtype == np.int64
    assert value.boxes.dtype == value.scores.dtype == np.float32
    assert clip().crops.dtype == np.uint8
    assert clip().qualities.dtype == np.float32
    assert embedding([1, 0, 0, 0]).vector.dtype == np.float32
    assert calibration().distortion.dtype == np.float64


def test_values_cannot_change() -> None:
    value = tracklet()
    with pytest.raises(FrozenInstanceError):
        value.track_id = 8  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        value.boxes[0, 0] = 1


class Annotated(np.ndarray):
    """As memory maps are: a subclass, of which np.asarray makes a view."""


def reader_of(array: np.ndarray) -> np.ndarray:
    """A read-only view of an array that its owner can still write."""
    view = array.view()
    view.flags.writeable = False
    return view


@pytest.mark.parametrize(
    "handed",
    [
        lambda array: array,
        lambda array: array[:],
        lambda array: array.view(Annotated),
        reader_of,
        lambda array: reader_of(reader_of(array)),
    ],
    ids=["itself", "view", "subclass", "read-only view", "view of a view"],
)
def test_the_caller_cannot_change_a_value_afterwards(
    handed: Callable[[np.ndarray], np.ndarray],
) -> None:
    mine = np.zeros(3, np.float32)
    value = tracklet(scores=handed(mine))
    mine[:] = 9
    assert value.scores.tolist() == [0, 0, 0]
    mine[:] = 8  # what is mine stays mine
    assert mine.tolist() == [8, 8, 8]


def test_what_is_frozen_is_not_copied() -> None:
    first = tracklet()
    second = replace(first, track_id=8)
    assert second.boxes is first.boxes
    assert tracklet(boxes=first.boxes[:, :]).boxes.base is first.boxes


def test_key_names_the_part_from_the_second_on() -> None:
    assert tracklet().key == "north/7"
    assert tracklet(part=2).key == "north/7.2"


def test_times_of_a_tracklet() -> None:
    assert (tracklet().start_us, tracklet().end_us) == (5, 80_005)
    assert isinstance(tracklet().start_us, int)


@given(st.integers(1, 6))
def test_a_tracklet_of_any_length(count: int) -> None:
    assert len(tracklet(count).boxes) == count


TRACKLET_ERRORS: dict[str, dict[str, Any]] = {
    "a tracklet has at least one box, got none": {
        "frame_indices": [],
        "timestamps_us": [],
        "boxes": np.empty((0, 4)),
        "scores": [],
    },
    "boxes: expected (3, 4), got (3, 5)": {"boxes": np.zeros((3, 5))},
    "boxes: expected (3, 4), got (2, 4)": {"boxes": np.zeros((2, 4))},
    "scores: expected (3,), got (4,)": {"scores": np.zeros(4)},
    "timestamps_us: expected (3,), got (2,)": {"timestamps_us": [1, 2]},
    "frame_indices: expected (3,), got (3, 1)": {"frame_indices": [[1], [2], [3]]},
    "frame_indices must increase": {"frame_indices": [1, 2, 2]},
    "timestamps_us must not decrease": {"timestamps_us": [1, 3, 2]},
}


@pytest.mark.parametrize("message", TRACKLET_ERRORS)
def test_a_malformed_tracklet(message: str) -> None:
    with pytest.raises(ValueError) as caught:
        tracklet(**TRACKLET_ERRORS[message])
    assert str(caught.value) == message


def test_two_boxes_may_share_a_time() -> None:
    assert tracklet(timestamps_us=[4, 4, 4]).end_us == 4


MALFORMED: dict[str, Callable[[], object]] = {
    "crops: expected (2, 256, 128, 3), got (2, 128, 256, 3)": lambda: clip(
        crops=np.zeros((2, 128, 256, 3), np.uint8)
    ),
    "crops: expected (1, 256, 128, 3), got (2, 256, 128, 3)": lambda: clip(timestamps_us=[3]),
    "qualities: expected (2,), got (3,)": lambda: clip(qualities=np.ones(3)),
    "vectors: expected (K, D), got (4,)": lambda: frame_embeddings(np.ones(4), [1]),
    "timestamps_us: expected (2,), got (3,)": lambda: frame_embeddings(np.ones((2, 4)), [1, 2, 3]),
    "vector: expected (4,), got (3,)": lambda: embedding([1, 0, 0]),
    "vector: expected (4,), got (1, 4)": lambda: embedding([[1, 0, 0, 0]]),
    "ground_homography: expected (3, 3), got (3, 4)": lambda: calibration(
        ground_homography=np.ones((3, 4))
    ),
    "intrinsics: expected (3, 3), got (9,)": lambda: calibration(intrinsics=np.ones(9)),
    "distortion: expected (5,), got (4,)": lambda: calibration(distortion=np.ones(4)),
}


@pytest.mark.parametrize("message", MALFORMED)
def test_malformed_values(message: str) -> None:
    with pytest.raises(ValueError) as caught:
        MALFORMED[message]()
    assert str(caught.value) == message


def test_a_clip_and_embeddings_may_be_empty() -> None:
    assert clip(0).crops.shape == (0, 256, 128, 3)
    assert frame_embeddings(np.empty((0, 4)), []).vectors.shape == (0, 4)


def test_evidence_adds() -> None:
    assert Evidence(1.5, -2.0, 0.25, 4.0).log_odds == 3.75
