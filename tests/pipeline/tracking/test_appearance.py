import numpy as np
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import TrackingSettings
from pipeline.tracking.appearance import CropLooks, RecordedLooks
from pipeline.tracking.tracker import Tracker

FRAME_US = 40_000
BOX = np.array([100.0, 100.0, 140.0, 200.0])
RED, GREEN, BLUE = np.eye(3, dtype=np.float32)


class Watched(RecordedLooks):
    """Recorded embeddings that keep account of what they are asked for."""

    def __init__(self, detections: sv.Detections, asked: list[list[int]]) -> None:
        super().__init__(detections)
        self._asked = asked

    def embed(self, looks):
        self._asked.append([int(np.argmax(look)) for look in looks])
        return super().embed(looks)


def at(x: float) -> np.ndarray:
    return BOX + np.array([x - 100, 0, x - 100, 0])


def scene(xs, colours) -> sv.Detections:
    return sv.Detections(
        xyxy=np.array([at(x) for x in xs], np.float32).reshape(-1, 4),
        confidence=np.full(len(xs), 0.9, np.float32),
        data={"embedding": np.array(colours, np.float32).reshape(-1, 3)},
    )


def about_turn() -> list[sv.Detections]:
    """Red and green walk towards each other, meet and turn round; blue stands far off."""
    ways = [6 * i if i < 25 else 6 * (49 - i) for i in range(50)]
    return [scene([100 + x, 400 - x, 900], [RED, GREEN, BLUE]) for x in ways]


def run(frames, looks=RecordedLooks) -> list[sv.Detections]:
    tracker = Tracker(TrackingSettings())
    return [tracker.update(d, i * FRAME_US, looks(d)) for i, d in enumerate(frames)]


def colours_of(tracked: list[sv.Detections]) -> dict[int, set[int]]:
    """Which colours each track has held."""
    held: dict[int, set[int]] = {}
    for frame in tracked:
        for track, colour in zip(frame.tracker_id, frame.data["embedding"], strict=True):
            held.setdefault(int(track), set()).add(int(np.argmax(colour)))
    return held


def ids_and_boxes(tracked: list[sv.Detections]) -> list:
    return [(t.tracker_id.tolist(), t.xyxy.tolist()) for t in tracked]


def test_two_people_who_turn_round_where_they_meet():
    frames = about_turn()
    assert colours_of(run(frames, lambda _: None)) == {1: {0, 1}, 2: {0, 1}, 3: {2}}
    assert colours_of(run(frames)) == {1: {0}, 2: {1}, 3: {2}}


def test_only_those_with_a_rival_are_looked_at():
    asked: list[list[int]] = []
    tracker, first = Tracker(TrackingSettings()), None
    for index, frame in enumerate(about_turn()):
        tracker.update(frame, index * FRAME_US, Watched(frame, asked))
        first = index if asked and first is None else first
    assert first is not None and 15 < first < 25  # they are 300 px apart at first, 12 at 24
    assert sorted(asked[0]) == [0, 0, 1, 1]  # the tracks' references, then the two people
    assert all(sorted(rows) == [0, 1] for rows in asked[1:])  # references are embedded once
    assert len(asked) < 20


def test_where_nothing_can_be_seen_nothing_changes():
    frames = about_turn()
    for frame in frames:
        frame.data["embedding"] = np.zeros((3, 3), np.float32)
    assert ids_and_boxes(run(frames)) == ids_and_boxes(run(frames, lambda _: None))


def test_a_stranger_who_stands_where_somebody_stood():
    """Is somebody else beside a rival; alone nobody looks, and the track goes on."""
    alone = [scene([100], [RED])] * 20 + [scene([], [])] * 10 + [scene([100], [BLUE])] * 3
    assert colours_of(run(alone)) == {1: {0, 2}}
    comes = [scene([100, 200 - 3 * i], [RED, GREEN]) for i in range(20)]
    stays = [scene([140], [GREEN])] * 10 + [scene([100, 130], [BLUE, GREEN])] * 3
    assert colours_of(run(comes + stays)) == {1: {0}, 2: {1}, 3: {2}}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.randoms(use_true_random=False))
def test_the_order_of_detections_does_not_matter(seed, shuffle):
    random = np.random.default_rng(seed)
    place, speed = random.uniform(100, 250, 5), random.normal(0, 4, 5)
    colours = random.normal(0, 1, (5, 3))
    frames = [scene(place + i * speed, colours + random.normal(0, 0.2, (5, 3))) for i in range(15)]
    mixed = [d.select(shuffle.sample(range(len(d)), len(d))) for d in frames]
    assert ids_and_boxes(run(frames)) == ids_and_boxes(run(mixed))


def test_crops_of_a_picture():
    """Outside the picture there is nothing to see; what is kept is the crop, embedded later."""
    image = np.zeros((300, 400, 3), np.uint8)
    image[:, 200:] = 255
    seen = sv.Detections(
        xyxy=np.array([at(100), at(250), at(500)], np.float32),
        confidence=np.full(3, 0.9, np.float32),
    )
    looks = CropLooks(seen, image, lambda crops: crops.mean((1, 2)).astype(np.float32))
    qualities = looks.qualities(np.array([2, 1, 0]))
    assert qualities[0] == 0
    # 40 x 100 pixels of a crop's 128 x 256, and wholly inside
    assert qualities[1:] == pytest.approx(0.9 * np.sqrt(4000 / 32768))
    assert looks.embed([looks.look(0), looks.look(1)]).tolist() == [[0] * 3, [255] * 3]
