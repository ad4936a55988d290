"""Tracks drawn from sightings made by hand."""

import numpy as np
import pytest

from cameras.simulation import tracklets
from cameras.simulation.sightings import Sightings
from cameras.simulation.track_clips import clip_rows
from cameras.simulation.tracklets import Tracks, draw_tracks
from pipeline.types import IntArray

RATE = 5.0


def sightings_of(people: dict[int, tuple[IntArray, np.ndarray]]) -> Sightings:
    """People by number: frames (T,) and the left edge (T,) of a box of 40 x 100 pixels."""
    rows = sorted(
        (int(frame), person, float(x))
        for person, (frames, left) in people.items()
        for frame, x in zip(frames, left, strict=True)
    )
    frames, persons, left = (np.array(column) for column in zip(*rows, strict=True))
    boxes = np.stack([left, np.full(len(rows), 50), left + 40, np.full(len(rows), 150)], axis=1)
    return Sightings(frames, persons, boxes.astype(float), np.ones(len(rows)))


def crossing_often(turns: int) -> Sightings:
    """One stands; another passes to and fro before it."""
    frames = np.arange(turns * 40)
    passing = 300 + 260 * np.cos(frames * 2 * np.pi / 40)
    return sightings_of({1: (frames, np.full(len(frames), 300.0)), 2: (frames, passing)})


def drawn(seen: Sightings, seed: int = 0) -> Tracks:
    return draw_tracks(seen, RATE, np.random.default_rng(seed))


@pytest.fixture
def never_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracklets, "MISSED", 0.0)


@pytest.mark.usefixtures("never_missed")
@pytest.mark.parametrize(("pause", "expected"), [(7, 1), (8, 2)])
def test_a_track_ends_where_its_person_is_out_of_sight_for_long(pause: int, expected: int) -> None:
    # 5 frames a second: from frame 10 to frame 10 + pause it is 1.4 or 1.6 seconds.
    frames = np.concatenate([np.arange(11), np.arange(10 + pause, 40)])
    tracks = drawn(sightings_of({7: (frames, np.full(len(frames), 100.0))}))
    assert len(np.unique(tracks.tracks)) == expected
    np.testing.assert_array_equal(tracks.frames, frames)
    assert set(tracks.persons.tolist()) == {7}


@pytest.mark.usefixtures("never_missed")
def test_the_little_seen_and_the_short_are_left_out() -> None:
    frames = np.arange(20)
    seen = sightings_of({1: (frames, frames * 1.0), 2: (frames[:2], frames[:2] + 300.0)})
    hidden = Sightings(seen.frames, seen.persons, seen.boxes, np.where(seen.frames < 5, 0.2, 1.0))
    tracks = drawn(hidden)
    assert tracks.frames.tolist() == list(range(5, 20))
    assert set(tracks.persons.tolist()) == {1}


def test_boxes_shake_but_little_and_some_are_missed() -> None:
    frames = np.arange(4000)
    tracks = drawn(sightings_of({1: (frames, np.full(len(frames), 100.0))}))
    errors = (tracks.boxes - (100, 50, 140, 150)) / (40, 100, 40, 100)
    spread = errors.std(axis=0)
    assert np.all(np.abs(errors.mean(axis=0)) < 0.02)
    # Place and size err alike: an edge has the error of the middle and half of that of the size.
    np.testing.assert_allclose(spread, np.array([0.05, 0.025] * 2) * np.sqrt(1.25), rtol=0.15)
    np.testing.assert_allclose(1 - len(tracks.frames) / 4000, tracklets.MISSED, atol=0.01)
    moves = np.corrcoef(errors[5:, 3], errors[:-5, 3])[0, 1]
    assert 0.1 < moves < 0.3  # half of it lasts a second: e^-1 / 2 after one


def test_mixed_tracks_are_flagged_and_all_others_hold_one_person() -> None:
    tracks = drawn(crossing_often(200))
    mixed = set()
    for rows in tracks.each():
        frames, people = tracks.frames[rows], np.unique(tracks.persons[rows])
        assert (np.diff(frames) > 0).all()
        assert tracks.is_mixed[rows].all() == (len(people) > 1) == tracks.is_mixed[rows].any()
        mixed |= set(tracks.tracks[rows][tracks.is_mixed[rows]].tolist())
    # Some 400 crossings: 16 swaps and 48 breaks are to be expected.
    assert 30 < tracks.tracks.max() < 80
    assert 4 <= len(mixed) <= 40
    pairs = np.stack([tracks.frames, tracks.tracks])
    assert np.unique(pairs, axis=1).shape == pairs.shape


def test_without_mixing_every_track_is_one_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracklets, "MIXED", 0.0)
    tracks = drawn(crossing_often(100))
    assert not tracks.is_mixed.any()
    assert tracks.tracks.max() > 10


def test_everything_follows_from_the_seed() -> None:
    first, again, other = (drawn(crossing_often(20), seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.boxes, again.boxes)
    np.testing.assert_array_equal(first.tracks, again.tracks)
    assert first.boxes.shape != other.boxes.shape or not np.allclose(first.boxes, other.boxes)


def test_nobody_gives_no_tracks() -> None:
    nothing = Sightings(np.empty(0, int), np.empty(0, int), np.empty((0, 4)), np.empty(0))
    tracks = drawn(nothing)
    assert tracks.boxes.shape == (0, 4)
    assert list(tracks.each()) == []
    assert not tracks.is_mixed.any()


def test_crops_are_spread_over_a_track_and_are_its_best() -> None:
    frames = np.array([*range(30), 3, 4])
    scores = np.full(32, 0.5)
    scores[[10, 25, 31]] = 0.9
    tracks = Tracks(frames, np.repeat([1, 2], (30, 2)), np.zeros((32, 4)), scores, np.ones(32, int))
    first, second = clip_rows(tracks, size=3, stride=5)
    # Frames 0, 5, .. 25 in three parts: of 0, 5 the first, then 10, and 25 rather than 20.
    assert frames[first].tolist() == [0, 10, 25]
    assert second.tolist() == [31]
