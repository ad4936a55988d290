"""A tracker that exchanged two people, from the store to identities; three cameras look down."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from commands.association import associate_run
from pipeline.association.resolver import Knowledge
from pipeline.config import AssociationSettings
from pipeline.types import Calibration, DoubleArray, EncodedTracklet, NoEmbedding, Tracklet
from storage.store import CameraRecord, RunRecord, Store, open_store

ABOVE = Calibration(np.diag([0.01, 0.01, 1.0]), np.eye(3), np.zeros(5), 5000.0)
KNOWLEDGE = Knowledge(dict.fromkeys("abc", ABOVE), {}, AssociationSettings())
CROSSED = 50


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True) as opened:
        yield opened


@pytest.fixture
def run_id(store: Store) -> int:
    cameras = tuple(CameraRecord(name, f"{name}.mp4", calibrated=True) for name in "abc")
    return store.begin_run(RunRecord("room", "{}", "none", cameras, 0))


def _tracklet(camera: str, track: int, way: DoubleArray) -> EncodedTracklet:
    feet = 100 * way
    boxes = np.hstack([feet, feet]) + np.array([-20, -100, 20, 0])
    frames = np.arange(len(way))
    one = Tracklet(camera, track, 1, frames, frames * 200_000, boxes, np.ones(len(way), np.float32))
    return EncodedTracklet(one, NoEmbedding(), ())


def _views() -> list[EncodedTracklet]:
    """Two who go past one another; camera b takes each for the other from then on."""
    along = np.arange(2 * CROSSED) / 5
    one = np.stack([along, np.full(len(along), 8.0)], axis=1)
    other = np.stack([20 - along, np.full(len(along), 8.3)], axis=1)
    mixed = [np.concatenate([x[:CROSSED], y[CROSSED:]]) for x, y in ((one, other), (other, one))]
    ways = {"a": (one, other), "b": mixed, "c": (one, other)}
    return [_tracklet(c, n, way) for c in ways for n, way in enumerate(ways[c], start=1)]


def _identities(store: Store, run_id: int) -> set[frozenset[str]]:
    numbers = store.current_identities(run_id)
    return {
        frozenset(key for key in numbers if numbers[key] == number) for number in numbers.values()
    }


def test_each_part_goes_to_whom_it_shows(store: Store, run_id: int) -> None:
    store.add_tracklets(run_id, _views())
    for camera in "abc":
        store.end_camera(run_id, camera, "ended", "", 100)
    people = {frozenset({"a/1", "b/1", "b/2.3", "c/1"}), frozenset({"a/2", "b/2", "b/1.3", "c/2"})}
    for _ in range(2):  # what is split stays so, and is split no further
        found = associate_run(store, run_id, KNOWLEDGE)
        assert (found.tracklets, found.identities) == (8, 2)
        assert _identities(store, run_id) == people


def test_a_camera_that_is_read_again_comes_back_whole(store: Store, run_id: int) -> None:
    """Interrupted: only what has ended is split, for the others will be read from the start."""
    store.add_tracklets(run_id, _views())
    for camera in "ac":
        store.end_camera(run_id, camera, "ended", "", 100)
    assert associate_run(store, run_id, KNOWLEDGE).tracklets == 6
    store.end_run(run_id, "interrupted", 0)
    store.resume_run(run_id)
    of_b = [each for each in _views() if each.tracklet.camera_id == "b"]
    assert store.add_tracklets(run_id, of_b) == 0
    store.end_camera(run_id, "b", "ended", "", 100)
    assert associate_run(store, run_id, KNOWLEDGE).tracklets == 8


def test_without_calibration_all_stays_as_it_is(store: Store, run_id: int) -> None:
    store.add_tracklets(run_id, _views())
    for camera in "abc":
        store.end_camera(run_id, camera, "ended", "", 100)
    assert associate_run(store, run_id, Knowledge({}, {}, AssociationSettings())).tracklets == 6
