import tracemalloc
import weakref

import numpy as np
import pytest
import supervision as sv

from pipeline.config import TrackingSettings
from pipeline.tracking.tracklets import ClosedTracklet, TrackletBuilder
from pipeline.types import Clip, Frame, FrameEmbeddings, NoAppearance, Observation

SETTINGS = TrackingSettings(
    max_gap_seconds=1.0, min_detections=3, max_tracklet_seconds=10, clip_size=4
)
BOX = [100.0, 100.0, 180.0, 300.0]
MS = 1_000
SECOND_US = 1_000_000
IMAGE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)


def moved(x: float) -> list[float]:
    return [BOX[0] + x, BOX[1], BOX[2] + x, BOX[3]]


@pytest.fixture
def feed(detections):
    """`feed(builder, time_us, ids)`: one frame without pixels, index from its time."""

    def add(builder: TrackletBuilder, time_us: int, ids: list[int], **kwargs):
        boxes = [moved(i) for i in ids]
        tracked = detections(boxes, ids=ids, **kwargs)
        return builder.add_observation(tracked, Observation("a", time_us // 1000, time_us, tracked))

    return add


def names(closed: list[ClosedTracklet]) -> list[tuple[str, int]]:
    return [(tracklet.key, len(tracklet.boxes)) for tracklet, _ in closed]


def test_a_track_closes_after_the_gap_with_all_that_was_seen(feed):
    builder = TrackletBuilder("a", SETTINGS)
    for step in range(3):
        assert feed(builder, step * 100_000, [7], scores=0.5 + step / 10) == []
    assert feed(builder, 1_200_000, []) == []  # exactly the gap
    [(tracklet, appearance)] = feed(builder, 1_200_001, [])
    assert (tracklet.camera_id, tracklet.track_id, tracklet.part) == ("a", 7, 1)
    assert tracklet.frame_indices.tolist() == [0, 100, 200]
    assert tracklet.timestamps_us.tolist() == [0, 100_000, 200_000]
    assert tracklet.boxes.tolist() == [[107, 100, 187, 300]] * 3
    assert tracklet.scores.tolist() == pytest.approx([0.5, 0.6, 0.7])
    assert appearance == NoAppearance()
    assert builder.close() == []


def test_short_tracks_are_dropped(feed):
    builder = TrackletBuilder("a", SETTINGS)
    for time, ids in enumerate([[1, 2, 3], [1, 2], [1]]):
        feed(builder, time * 100_000, ids)
    assert names(feed(builder, 5 * SECOND_US, [])) == [("a/1", 3)]
    assert builder.close() == []


def test_close_returns_what_is_open_in_order_of_ids(feed):
    builder = TrackletBuilder("a", SETTINGS)
    for time in range(3):
        feed(builder, time * MS, [9, 2, 5] if time % 2 else [5, 9, 2])
    assert names(builder.close()) == [("a/2", 3), ("a/5", 3), ("a/9", 3)]
    assert builder.close() == []


def test_open_tracklets_are_those_that_will_be_kept_as_far_as_they_have_come(detections):
    builder = TrackletBuilder("a", SETTINGS)
    frames = pixel_frames(5)
    for number, frame in enumerate(frames):
        ids = [1, 2] if number < 2 else [1]
        builder.add_frame(detections([moved(i) for i in ids], ids=ids), frame)
        if number == 1:
            assert builder.open_tracklets() == [], "too short so far"
    [(tracklet, appearance)] = builder.open_tracklets()
    assert (tracklet.key, tracklet.frame_indices.tolist()) == ("a/1", [0, 1, 2, 3, 4])
    seen = appearance()
    [(closed, whole)] = builder.close()
    assert np.array_equal(closed.boxes, tracklet.boxes)
    assert np.array_equal(whole.crops, seen.crops) and len(seen.crops)
    assert builder.open_tracklets() == []


def test_long_tracks_are_cut_into_parts(feed):
    builder = TrackletBuilder("a", SETTINGS)
    closed = []
    for step in range(51):  # 25 s at 2 Hz, and one box more
        closed += feed(builder, step * SECOND_US // 2, [1])
    assert names(closed) == [("a/1", 20), ("a/1.2", 20)]
    assert names(builder.close()) == [("a/1.3", 11)]
    times = np.concatenate([tracklet.timestamps_us for tracklet, _ in closed])
    assert times.tolist() == [step * SECOND_US // 2 for step in range(40)]


def test_a_short_last_part_is_kept(feed):
    builder = TrackletBuilder("a", SETTINGS)
    closed = []
    for step in range(21):
        closed += feed(builder, step * SECOND_US // 2, [1])
    assert names(closed + builder.close()) == [("a/1", 20), ("a/1.2", 1)]


def test_no_part_is_cut_off_before_the_track_is_known_to_be_long_enough(feed):
    settings = SETTINGS.model_copy(update={"max_tracklet_seconds": 0.4})
    builder = TrackletBuilder("a", settings)
    closed = []
    for step in range(4):
        closed += feed(builder, step * SECOND_US // 2, [1])
    assert names(closed) == [("a/1", 3)]
    assert names(builder.close()) == [("a/1.2", 1)]


def test_a_recorded_track_that_comes_back_goes_on_as_the_next_part(feed):
    builder = TrackletBuilder("a", SETTINGS)
    closed = []
    for start in (0, 5, 20):
        for step in range(3):
            closed += feed(builder, start * SECOND_US + step * MS, [4])
    assert names(closed + builder.close()) == [("a/4", 3), ("a/4.2", 3), ("a/4.3", 3)]


def test_closed_and_cut_in_one_frame_are_in_order(feed):
    builder = TrackletBuilder("a", SETTINGS)
    for step in range(20):
        assert feed(builder, step * SECOND_US // 2, [5, 2] if 15 <= step <= 17 else [2]) == []
    # at 10 s, track 5 has been out of sight for 1.5 s and track 2 has lasted 10 s
    assert names(feed(builder, 10 * SECOND_US, [2])) == [("a/2", 20), ("a/5", 3)]


def test_many_tracks_against_a_loop(feed):
    """Random presence, each track on its own: split at gaps, drop what is short."""
    random = np.random.default_rng(5)
    settings = SETTINGS.model_copy(update={"max_tracklet_seconds": 1e6})
    builder, closed = TrackletBuilder("a", settings), []
    seen = random.random((200, 12)) < 0.35
    for step, present in enumerate(seen):
        closed += feed(builder, step * 300_000, np.flatnonzero(present).tolist())
    closed += builder.close()
    expected = []
    for track_id in range(12):
        times = np.flatnonzero(seen[:, track_id]) * 300_000
        runs = np.split(times, np.flatnonzero(np.diff(times) > SECOND_US) + 1)
        long = [run.tolist() for run in runs if len(run) >= 3]
        expected += [(track_id, part, run) for part, run in enumerate(long, start=1)]
    got = sorted((t.track_id, t.part, t.timestamps_us.tolist()) for t, _ in closed)
    assert got == expected


def pixel_frames(count: int, step_us: int = 40_000, image: np.ndarray = IMAGE):
    return [Frame("a", i, i * step_us, image) for i in range(count)]


def test_frames_with_pixels_give_clips(detections):
    builder = TrackletBuilder("a", SETTINGS)
    for frame in pixel_frames(50):
        assert builder.add_frame(detections([BOX], ids=[1]), frame) == []
    [(tracklet, clip)] = builder.close()
    assert isinstance(clip, Clip)
    assert len(tracklet.boxes) == 50
    assert 2 <= len(clip.crops) <= SETTINGS.clip_size
    assert (np.diff(clip.timestamps_us) > 0).all()
    assert set(clip.timestamps_us.tolist()) <= set(tracklet.timestamps_us.tolist())
    assert ((clip.qualities > 0) & (clip.qualities <= 1)).all()


def test_each_part_has_its_own_clip(detections):
    builder = TrackletBuilder("a", SETTINGS)
    closed = []
    for frame in pixel_frames(50, SECOND_US // 4):
        closed += builder.add_frame(detections([BOX], ids=[1]), frame)
    closed += builder.close()
    assert len(closed) == 2
    for tracklet, clip in closed:
        assert isinstance(clip, Clip)
        assert tracklet.start_us <= clip.timestamps_us[0] < clip.timestamps_us[-1]
        assert clip.timestamps_us[-1] <= tracklet.end_us


def test_recorded_embeddings_follow_their_track(detections):
    builder = TrackletBuilder("a", SETTINGS)
    for index in range(10):
        order = [1, 2] if index % 2 else [2, 1]
        tracked = detections([moved(300 * i) for i in order], ids=order)
        tracked.data["embedding"] = np.array([[i, index] for i in order], np.float32)
        time_us = index * SECOND_US // 2
        builder.add_observation(tracked, Observation("a", index, time_us, tracked))
    closed = builder.close()
    assert [tracklet.track_id for tracklet, _ in closed] == [1, 2]
    for tracklet, kept in closed:
        assert isinstance(kept, FrameEmbeddings)
        assert 1 <= len(kept.vectors) <= SETTINGS.clip_size
        assert (kept.vectors[:, 0] == tracklet.track_id).all()
        assert (kept.vectors[:, 1] * SECOND_US / 2 == kept.timestamps_us).all()


def test_empty_frames(detections):
    builder = TrackletBuilder("a", SETTINGS)
    assert builder.add_frame(sv.Detections.empty(), Frame("a", 0, 0, IMAGE)) == []
    assert builder.add_frame(detections([], ids=[]), Frame("a", 1, 1, IMAGE)) == []
    assert builder.close() == []


def test_replay_is_identical(detections):
    def clips() -> list[bytes]:
        builder = TrackletBuilder("a", SETTINGS)
        for frame in pixel_frames(40):
            boxes = [moved(2 * frame.index), BOX]
            builder.add_frame(detections(boxes, ids=[1, 2]), frame)
        return [clip.crops.tobytes() for _, clip in builder.close()]

    assert clips() == clips()


def test_memory_is_bounded_over_ten_thousand_frames(detections):
    """400 s in one tracklet: at most `clip_size` crops and 36 bytes a box, and no frame."""
    builder = TrackletBuilder("a", SETTINGS.model_copy(update={"max_tracklet_seconds": 1e6}))
    tracked = detections([BOX], ids=[1])
    image = IMAGE.copy()
    gone = weakref.ref(image)
    tracemalloc.start()
    for frame in pixel_frames(10_000, image=image):
        builder.add_frame(tracked, frame)
    del frame, image
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert gone() is None
    assert used < SETTINGS.clip_size * 256 * 128 * 3 + 10_000 * 72 + 200_000
    [(tracklet, clip)] = builder.close()
    assert len(tracklet.boxes) == 10_000
    assert len(clip.crops) <= SETTINGS.clip_size
    assert np.diff(clip.timestamps_us).max() < 300 * SECOND_US  # from all over its life


def test_ids_are_needed_and_unique(detections):
    builder = TrackletBuilder("a", SETTINGS)
    with pytest.raises(ValueError, match="expected tracker_id"):
        builder.add_frame(detections([BOX]), Frame("a", 0, 0, IMAGE))
    with pytest.raises(ValueError, match=r"each tracker_id once, got \[3, 3\]"):
        builder.add_frame(detections([BOX, BOX], ids=[3, 3]), Frame("a", 0, 0, IMAGE))
