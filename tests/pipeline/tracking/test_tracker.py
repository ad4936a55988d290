from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import TrackingSettings
from pipeline.motchallenge import read_rows
from pipeline.tracking.tracker import Tracker

SETTINGS = TrackingSettings(high_confidence=0.7, start_confidence=0.85, max_gap_seconds=1.0)
FRAME_US = 40_000
BOX = np.array([100.0, 100.0, 140.0, 200.0])
MOT15 = Path(__file__).resolve().parents[3] / "../shared/data/mot15"


def at(x: float, y: float = 100.0) -> np.ndarray:
    return BOX + np.array([x - 100, y - 100, x - 100, y - 100])


def ids_of(tracked: sv.Detections) -> list[int]:
    return tracked.tracker_id.tolist()


def crowd(people: int, frames: int, seed: int = 0) -> list[sv.Detections]:
    """People in random walks, with noise, misses and weak boxes."""
    random = np.random.default_rng(seed)
    height = random.uniform(60, 200, people)
    place, speed = random.uniform(0, 900, (people, 2)), random.normal(0, 1.5, (people, 2))
    made = []
    for _ in range(frames):
        place = place + speed
        noisy = place + random.normal(0, 1, (people, 2))
        boxes = np.hstack([noisy, noisy + np.stack([height * 0.4, height], axis=1)])
        scores = random.uniform(0.2, 1.0, people)
        seen = random.random(people) < 0.9
        made.append(
            sv.Detections(
                xyxy=boxes[seen].astype(np.float32), confidence=scores[seen].astype(np.float32)
            )
        )
    return made


def run(frames: list[sv.Detections], times_us=None, settings=SETTINGS) -> list[sv.Detections]:
    tracker = Tracker(settings)
    times_us = range(0, len(frames) * FRAME_US, FRAME_US) if times_us is None else times_us
    return [tracker.update(d, t) for d, t in zip(frames, times_us, strict=True)]


def test_ids_start_at_one_in_every_instance(detections):
    for _ in range(2):
        tracked = Tracker(SETTINGS).update(detections([at(100), at(400)]), 0)
        assert ids_of(tracked) == [1, 2]


def test_a_walking_person_keeps_the_id_from_the_first_box_on(detections):
    tracked = run([detections([at(100 + 3 * i)]) for i in range(30)])
    assert [ids_of(t) for t in tracked] == [[1]] * 30


def test_data_stays_aligned(detections):
    frames = []
    for i in range(5):
        frame = detections([at(500 + i), at(100 + i), at(900)], [0.9, 0.9, 0.3])
        frame.data["embedding"] = np.array([[5.0], [1.0], [9.0]], np.float32)
        frames.append(frame)
    for tracked in run(frames):
        assert tracked.data["embedding"][:, 0].tolist() == [1, 5]  # the weak one has no track
        assert np.round(tracked.xyxy[:, 0], -2).tolist() == [100, 500]
        assert ids_of(tracked) == [1, 2]
    assert frames[0].tracker_id is None  # what came in is not changed


def test_empty_frames(detections):
    tracker = Tracker(SETTINGS)
    for time_us, frame in enumerate([sv.Detections.empty(), detections([]), detections([at(0)])]):
        assert len(tracker.update(frame, time_us)) == len(frame)
    assert ids_of(tracker.update(sv.Detections.empty(), 10)) == []


@pytest.mark.parametrize(("gap_seconds", "kept"), [(0.9, True), (1.0, True), (1.1, False)])
def test_a_gap(detections, gap_seconds, kept):
    times_us = [0, 40_000, 80_000, 80_000 + round(gap_seconds * 1e6)]
    tracked = run([detections([BOX])] * 4, times_us)
    assert ids_of(tracked[-1]) == [1 if kept else 2]


@pytest.mark.parametrize("gap_seconds", [0.9, 1.1])
def test_a_gap_with_empty_frames_is_the_same_gap(detections, gap_seconds):
    count = round(gap_seconds * 1e6) // FRAME_US
    frames = [detections([BOX])] * 3 + [detections([])] * count + [detections([BOX])]
    times_us = [0, 40_000, 80_000, *(80_000 + FRAME_US * (i + 1) for i in range(count))]
    times_us.append(80_000 + round(gap_seconds * 1e6))
    assert ids_of(run(frames, times_us)[-1]) == [1 if gap_seconds < 1 else 2]


def test_a_walker_is_found_again_where_the_walk_leads(detections):
    walk = [detections([at(100 + 4 * i)]) for i in range(40)]
    tracked = run([d if i < 25 or i > 36 else detections([]) for i, d in enumerate(walk)])
    assert ids_of(tracked[-1]) == [1]


def test_an_unconfirmed_track_dies_at_its_first_miss(detections):
    frames = [detections([BOX]), detections([]), detections([BOX]), detections([BOX])]
    assert [ids_of(t) for t in run(frames)] == [[1], [], [2], [2]]


def test_weak_detections_extend_but_never_start(detections):
    strong, weak = detections([BOX]), detections([BOX], 0.3)
    assert all(ids_of(t) == [] for t in run([weak] * 10))
    assert [ids_of(t) for t in run([strong, strong, *[weak] * 5])] == [[1]] * 7
    # at 0.7 of the usual confidence and above one extends, at 0.85 one starts
    middling = detections([BOX], 0.58)
    assert [ids_of(t) for t in run([middling, strong, middling])] == [[], [1], [1]]


def test_weak_detections_do_not_find_people_lost_for_long(detections):
    strong, weak, none = detections([BOX]), detections([BOX], 0.3), detections([])
    for empty, found in [(5, [1]), (20, [])]:  # 0.2 and 0.8 seconds
        tracked = run([strong, strong, *[none] * empty, weak, strong])
        assert [ids_of(t) for t in tracked[-2:]] == [found, [1]]


def test_a_strong_detection_wins_over_a_weak_one_that_fits_a_little_better(detections):
    start = detections([BOX])
    for offset, winner in [(2, 102), (15, 100)]:
        both = detections([at(100 + offset), BOX], [0.9, 0.4])
        tracked = run([start, start, both])[-1]
        assert tracked.xyxy[ids_of(tracked).index(1), 0] == winner


def test_a_weak_box_of_parts_of_two_people_does_not_stand_for_a_hidden_one(detections):
    part = at(109) - [0, 0, 0, 20]  # overlaps by 0.53, its height by 0.8
    start, after = detections([BOX, at(118)]), detections([BOX, part], [0.9, 0.3])
    tracked = run([start] * 5 + [after] * 5)
    assert [ids_of(t) for t in tracked] == [[1, 2]] * 5 + [[1]] * 5


def test_what_is_weak_depends_on_what_the_camera_usually_gives(detections):
    """A detector that is never sure: 0.45 starts nothing at first and people later."""
    known, stranger = [BOX, at(300), at(500)], at(700)
    unsure = [detections([*known, stranger], [0.45] * 4)]
    assert ids_of(run(unsure)[0]) == []
    start = [detections(known, 0.9)] * 2
    tracked = run([*start, *[detections(known, 0.45)] * 60, *unsure])
    assert ids_of(tracked[-1]) == [1, 2, 3, 4]


def test_two_people_who_cross_keep_their_ids(detections):
    frames = [detections([at(100 + 6 * i), at(400 - 6 * i, 110)]) for i in range(50)]
    tracked = run(frames)
    first, last = tracked[0], tracked[-1]
    assert dict(zip(ids_of(first), first.xyxy[:, 0].tolist(), strict=True)) == {1: 100, 2: 400}
    assert dict(zip(ids_of(last), last.xyxy[:, 0].tolist(), strict=True)) == {1: 394, 2: 106}


def test_a_person_found_twice_gives_one_track(detections):
    twice = detections([BOX, BOX + np.array([1, -2, 2, 3])], [0.9, 0.8])
    tracked = run([twice] * 10)
    assert [ids_of(t) for t in tracked] == [[1]] * 10
    assert tracked[0].confidence.tolist() == pytest.approx([0.9])
    late = run([detections([BOX])] * 3 + [twice] * 3)
    assert [ids_of(t) for t in late] == [[1]] * 6


def test_people_side_by_side_are_not_taken_for_one(detections):
    tracked = run([detections([at(100), at(120)])] * 3)
    assert [ids_of(t) for t in tracked] == [[1, 2]] * 3


def test_four_frames_a_second_with_little_overlap(detections):
    """A brisk walk of 0.9 heights a second: boxes of successive frames overlap by a third."""
    frames = [detections([at(100 + 22 * i), at(700 - 22 * i, 400)]) for i in range(20)]
    tracked = run(frames, range(0, 5_000_000, 250_000))
    for index, frame in enumerate(tracked):
        people = dict(zip(ids_of(frame), frame.xyxy[:, 1].tolist(), strict=True))
        assert people == {1: 100, 2: 400}, index


@pytest.mark.parametrize("seed", range(3))
def test_half_the_frame_rate_at_half_the_speed_gives_the_same_ids(seed):
    settings = SETTINGS.model_copy(update={"max_gap_seconds": 30.0})
    frames = crowd(8, 60, seed)
    fast = run(frames, [i * 40_000 for i in range(60)], settings)
    slow = run(frames, [i * 80_000 for i in range(60)], settings)
    assert [ids_of(t) for t in fast] == [ids_of(t) for t in slow]


def test_irregular_times_keep_a_walker(detections):
    random = np.random.default_rng(3)
    times_us = np.cumsum(random.integers(5_000, 200_000, 60))
    frames = [detections([at(100 + 1e-4 * t)]) for t in times_us]  # 100 pixels a second
    assert all(ids_of(t) == [1] for t in run(frames, times_us.tolist()))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_detections_does_not_matter(seed, shuffle):
    frames = crowd(6, 15, seed)
    mixed = [d.select(shuffle.sample(range(len(d)), len(d))) for d in frames]
    for first, second in zip(run(frames), run(mixed), strict=True):
        assert first.xyxy.tolist() == second.xyxy.tolist()
        assert ids_of(first) == ids_of(second)


def test_replay_is_identical():
    frames = crowd(20, 50)
    for first, second in zip(run(frames), run(frames), strict=True):
        assert first.xyxy.tobytes() == second.xyxy.tobytes()
        assert ids_of(first) == ids_of(second)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_no_id_twice_in_a_frame_and_none_comes_back(seed):
    tracked = run(crowd(10, 40, seed))
    last_seen: dict[int, int] = {}
    for index, frame in enumerate(tracked):
        assert len(set(ids_of(frame))) == len(frame)
        for track_id in ids_of(frame):
            assert index - last_seen.get(track_id, index) <= 1e6 / FRAME_US
            last_seen[track_id] = index
    assert sorted(last_seen) == list(range(1, len(last_seen) + 1))


def test_time_must_not_run_backwards(detections):
    tracker = Tracker(SETTINGS)
    tracker.update(detections([BOX]), 1000)
    with pytest.raises(ValueError, match="expected 1000 or later, got 999"):
        tracker.update(detections([BOX]), 999)


def test_confidence_is_needed():
    with pytest.raises(ValueError, match="expected confidence"):
        Tracker(SETTINGS).update(sv.Detections(xyxy=BOX[None]), 0)


@pytest.mark.skipif(not MOT15.is_dir(), reason="MOT15 is not at hand")
def test_recorded_people_are_followed():
    """TUD-Stadtmitte: 10 people in 179 frames; most keep one id for most of their time."""
    folder = MOT15 / "TUD-Stadtmitte"
    found, truth = (read_rows(folder / f"{name}.txt", ValueError) for name in ("det", "gt"))
    tracker = Tracker(TrackingSettings())
    kept, boxes = 0, 0
    votes: dict[int, list[int]] = {}
    for index in range(179):
        rows = found.frame_indices == index
        frame = sv.Detections(
            xyxy=found.boxes[rows].astype(np.float32), confidence=found.scores[rows]
        )
        tracked = tracker.update(frame, index * FRAME_US)
        rows = truth.frame_indices == index
        overlaps = sv.box_iou_batch(truth.boxes[rows], tracked.xyxy)
        for person, overlap in zip(truth.ids[rows], overlaps, strict=True):
            if len(overlap) and overlap.max() > 0.5:
                votes.setdefault(int(person), []).append(ids_of(tracked)[overlap.argmax()])
    for seen_as in votes.values():
        kept += max(seen_as.count(i) for i in set(seen_as))
        boxes += len(seen_as)
    assert boxes > 600
    assert kept / boxes > 0.8
