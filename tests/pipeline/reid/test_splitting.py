"""Tracklets that hold two people: found by their crops, split, and numbered."""

from itertools import pairwise

import numpy as np
import pytest

from pipeline.reid.splitting import LEAST_KNOWN, Piece, TrackletSplitter, greatest_change
from pipeline.types import Appearance, Clip, FloatArray, FrameEmbeddings, NoAppearance, Tracklet

DIMENSION, SECOND_US = 32, 1_000_000
PEOPLE = np.eye(DIMENSION)
NO_FRAMES = np.zeros((0, 0), np.float32)
Noise = np.random.Generator


def frames_of(people: list[int], noise: Noise, spread: float = 0.08) -> FloatArray:
    """Frame embeddings of the person in each crop."""
    vectors = PEOPLE[people] + noise.normal(0, spread, (len(people), DIMENSION))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def tracklet_of(
    track: int, crops: int, part: int = 1, start: int = 0, jumps_at: int = 0, camera: str = "hall"
) -> Tracklet:
    """Ten boxes a second, a crop a second; the person jumps aside before box `jumps_at`."""
    count = 10 * (crops - 1) + 1
    x = np.arange(count) + np.where(np.arange(count) < jumps_at, 0, 30)
    boxes = np.stack([x, np.zeros(count), x + 20, np.full(count, 60)], axis=1)
    times = start + np.arange(count) * SECOND_US // 10
    return Tracklet(camera, track, part, np.arange(count), times, boxes, np.full(count, 0.9))


def crop_times(count: int) -> np.ndarray:
    return np.arange(count) * SECOND_US


def split(
    splitter: TrackletSplitter, tracklet: Tracklet, frames: FloatArray
) -> tuple[list[Piece], list[Tracklet]]:
    pieces = splitter.split(tracklet, FrameEmbeddings(frames, crop_times(len(frames))), frames)
    return pieces, [piece.tracklet for piece in pieces]


def experienced(least_log_odds: float | None = 3, spread: float = 0.08) -> TrackletSplitter:
    """One that has seen a dozen people in one picture."""
    splitter, noise = TrackletSplitter(least_log_odds), np.random.default_rng(1)
    for person in range(12):
        frames = frames_of([person] * 6, noise, spread)
        assert len(split(splitter, tracklet_of(100 + person, 6), frames)[0]) == 1
    return splitter


def test_what_all_people_of_a_camera_share_does_not_hide_who_they_are() -> None:
    """A background that makes any two crops alike to a thousandth."""

    def before_it(frames: FloatArray) -> FloatArray:
        background = 30 * np.eye(DIMENSION, dtype=np.float32)[-1]
        return (frames + background) / np.linalg.norm(frames + background, axis=1, keepdims=True)

    splitter, noise = TrackletSplitter(3), np.random.default_rng(10)
    for person in range(12):
        frames = before_it(frames_of([person] * 6, noise, 0.02))
        split(splitter, tracklet_of(100 + person, 6), frames)
    frames = before_it(frames_of([0, 0, 0, 1, 1, 1], noise, 0.02))
    assert len(split(splitter, tracklet_of(7, 6), frames)[0]) == 2


def test_the_greatest_change_worked_by_hand() -> None:
    """Two of one person and three of one at a right angle: 1 apart; each side is one point."""
    assert greatest_change(PEOPLE[[0, 0, 1, 1, 1]]) == (2, 1.0)


def test_the_greatest_change_against_a_loop() -> None:
    frames = frames_of([0] * 9, np.random.default_rng(0), 0.3).astype(np.float64)
    distances = 1 - frames @ frames.T
    excesses = {}
    for first in range(2, 8):
        side = np.arange(9) < first
        pairs = np.triu(np.ones((9, 9), bool), 1)
        apart = distances[pairs & (side[:, None] != side)].mean()
        excesses[first] = (apart - distances[pairs & (side[:, None] == side)].mean(), apart)
    best = max(excesses, key=lambda first: excesses[first])
    first, difference = greatest_change(frames)
    assert first == best
    assert difference == pytest.approx(excesses[best][1])


def test_a_change_of_person_splits_boxes_and_crops() -> None:
    """The boxes at the jump between the crops before and after: the 34th of 31 to 40."""
    frames = frames_of([0, 0, 0, 0, 1, 1], np.random.default_rng(2))
    tracklet = tracklet_of(7, 6, jumps_at=34)
    pieces, tracklets = split(experienced(), tracklet, frames)
    assert [piece.key for piece in tracklets] == ["hall/7", "hall/7.3"]
    assert [len(piece.boxes) for piece in tracklets] == [34, 17]
    for name in ("frame_indices", "timestamps_us", "boxes", "scores"):
        joined = np.concatenate([getattr(piece, name) for piece in tracklets])
        np.testing.assert_array_equal(joined, getattr(tracklet, name))
    assert [piece.appearance.timestamps_us.tolist() for piece in pieces] == [
        [0, SECOND_US, 2 * SECOND_US, 3 * SECOND_US],
        [4 * SECOND_US, 5 * SECOND_US],
    ]
    assert [piece.crops for piece in pieces] == [slice(0, 4), slice(4, 6)]


def test_a_clip_is_split_with_its_crops() -> None:
    frames = frames_of([0, 0, 1, 1], np.random.default_rng(2))
    crops = np.arange(4, dtype=np.uint8)[:, None, None, None] * np.ones((1, 256, 128, 3), np.uint8)
    clip = Clip(crops, crop_times(4), np.arange(4) / 4)
    pieces = experienced().split(tracklet_of(7, 4), clip, frames)
    clips = [piece.appearance for piece in pieces]
    assert all(isinstance(one, Clip) for one in clips)
    assert [one.crops[:, 0, 0, 0].tolist() for one in clips] == [[0, 1], [2, 3]]
    assert [one.qualities.tolist() for one in clips] == [[0, 0.25], [0.5, 0.75]]


def test_three_people_make_three_pieces_and_later_parts_move_on() -> None:
    """Numbers between pieces are left out; the part after goes on from the last piece."""
    splitter, noise = experienced(), np.random.default_rng(3)
    keys = []
    for part, people in enumerate([[5, 5, 5, 5], [5, 5, 6, 6, 4, 4], [4, 4, 4, 4]], start=1):
        _, tracklets = split(splitter, tracklet_of(9, len(people), part), frames_of(people, noise))
        keys += [tracklet.key for tracklet in tracklets]
    assert keys == ["hall/9", "hall/9.2", "hall/9.4", "hall/9.6", "hall/9.7"]


def test_one_person_stays_whole_whatever_one_crop_shows() -> None:
    """A person who looks otherwise at the end, half as far off as another; and one odd crop."""
    splitter, noise = experienced(), np.random.default_rng(4)
    turned = PEOPLE[[0] * 6].copy()
    turned[3:, 1] = 0.9  # a cosine of .74
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    for frames in (turned.astype(np.float32), frames_of([0, 0, 0, 0, 1], noise)):
        assert len(split(splitter, tracklet_of(7, len(frames)), frames)[0]) == 1


@pytest.mark.parametrize(
    ("why", "splitter"),
    [
        ("it is switched off", experienced(None)),
        ("nothing is known of the camera", TrackletSplitter(2)),
        ("the encoder tells nobody apart", experienced(spread=5)),
    ],
)
def test_no_split_where(why: str, splitter: TrackletSplitter) -> None:
    frames = frames_of([0, 0, 0, 1, 1, 1], np.random.default_rng(5))
    assert len(split(splitter, tracklet_of(7, 6), frames)[0]) == 1, why


def test_people_are_only_compared_when_seen_together_in_one_camera() -> None:
    """Else nothing says that they are not one person."""
    splitter, noise = TrackletSplitter(2), np.random.default_rng(6)
    for person in range(12):
        alone = tracklet_of(person + 1, 6, start=60 * SECOND_US * person)
        split(splitter, alone, frames_of([person] * 6, noise))
        elsewhere = tracklet_of(1, 6, start=60 * SECOND_US * person, camera=f"other{person}")
        split(splitter, elsewhere, frames_of([person + 1] * 6, noise))
    frames = frames_of([0, 0, 0, 1, 1, 1], noise)
    assert len(split(splitter, tracklet_of(99, 6), frames)[0]) == 1


@pytest.mark.parametrize("appearance", [NoAppearance(), FrameEmbeddings(NO_FRAMES, np.arange(0))])
def test_what_was_not_seen_stays_whole(appearance: Appearance) -> None:
    [piece] = experienced().split(tracklet_of(7, 4), appearance, NO_FRAMES)
    assert piece.tracklet.key == "hall/7"
    assert piece.appearance is appearance
    assert piece.crops == slice(None)


def test_two_whose_tracks_were_exchanged_become_four_with_unique_keys() -> None:
    splitter, noise = experienced(), np.random.default_rng(7)
    keys = []
    for track, people in ((1, [2, 2, 2, 3, 3, 3]), (2, [3, 3, 3, 2, 2, 2])):
        _, tracklets = split(splitter, tracklet_of(track, 6), frames_of(people, noise))
        keys += [tracklet.key for tracklet in tracklets]
    assert keys == ["hall/1", "hall/1.3", "hall/2", "hall/2.3"]


def test_other_cameras_do_not_matter() -> None:
    """Else the result would hang on how the threads of the cameras took turns."""
    alone, noise = experienced(), np.random.default_rng(8)
    beside = experienced()
    for other in range(2 * LEAST_KNOWN):
        strange = tracklet_of(other + 1, 6, camera="roof")
        split(beside, strange, frames_of([0] * 6, noise, 2.0))
    frames = frames_of([0, 0, 0, 1, 1, 1], noise)
    lengths = [
        [len(one.boxes) for one in split(splitter, tracklet_of(7, 6), frames)[1]]
        for splitter in (alone, beside)
    ]
    assert lengths[0] == lengths[1]
    assert len(lengths[0]) == 2


def test_pieces_follow_one_another_in_time() -> None:
    frames = frames_of([0, 0, 1, 1, 2, 2], np.random.default_rng(9))
    _, tracklets = split(experienced(), tracklet_of(7, 6), frames)
    assert len(tracklets) == 3
    assert all(earlier.end_us < later.start_us for earlier, later in pairwise(tracklets))
