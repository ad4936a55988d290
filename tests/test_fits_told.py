"""Clocks and floors that are off are told while a run goes on, once per change."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from commands.fits_told import FitsTold
from commands.live_association import LiveAssociation
from pipeline.association.floor_fit import CameraFit
from pipeline.association.resolver import Knowledge
from pipeline.config import AssociationSettings
from pipeline.types import Calibration, EncodedTracklet, NoEmbedding, Tracklet
from storage.store import CameraRecord, RunRecord, open_store

LATE = CameraFit("gate", 1.5, (0.0, 0.0), 12)
ABOVE = Calibration(np.diag([0.01, 0.01, 1.0]), np.eye(3), np.zeros(5), 5000.0)
CAMERAS = ("hall", "gate", "yard")
WITHIN_SECONDS = 60


def test_it_is_told_once_until_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    told = FitsTold()
    found: list[tuple[list[CameraFit], str]] = [
        ([], ""),
        ([LATE], "its clock is 1.5 s ahead of the others' (12 people seen walking); association"),
        ([LATE], ""),
        ([replace(LATE, clock_s=1.6, ways=40)], ""),
        ([replace(LATE, clock_s=1.9)], "its clock is 1.9 s ahead"),
        ([replace(LATE, clock_s=1.9, shift_m=(0.1, 0.1))], ""),
        ([replace(LATE, clock_s=1.9, shift_m=(0.0, 0.5))], "its floor lies 0.5 m beside"),
        ([LATE, replace(LATE, camera="yard")], "camera yard: its clock is 1.5 s ahead"),
        ([replace(LATE, camera="yard")], ""),
        ([], ""),
    ]
    for fits, words in found:
        caplog.clear()
        told.tell(fits)
        assert words in caplog.text
        assert bool(words) == bool(caplog.records), fits


def test_a_run_finds_it_while_it_goes_on(tmp_path: Path, walkers: Callable[[], list]) -> None:
    """The association knows before its end; people walk in view of all three cameras."""
    settings = AssociationSettings(similarity_threshold=0.6)
    knowledge = Knowledge(dict.fromkeys(CAMERAS, ABOVE), {}, settings)
    records = tuple(CameraRecord(name, "", calibrated=True) for name in CAMERAS)
    with open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True) as store:
        run_id = store.begin_run(RunRecord("plaza", "{}", "none", records, 0))
        with LiveAssociation(store, run_id, knowledge, resolve_every_seconds=0.02) as live:
            store.add_tracklets(run_id, walkers())
            live.put(walkers())
            end = time.monotonic() + WITHIN_SECONDS
            while not live.fits:
                assert time.monotonic() < end
                live.check()
                time.sleep(0.01)
            [fit] = live.fits
    assert fit.camera == "gate"
    assert fit.clock_s == pytest.approx(1.5, abs=0.1)


@pytest.fixture
def walkers() -> Callable[[], list[EncodedTracklet]]:
    """Eight people who turn every few seconds; the gate's clock is 1.5 s ahead."""

    def make() -> list[EncodedTracklet]:
        rng = np.random.default_rng(0)
        found = []
        for person in range(8):
            turns = np.repeat(rng.uniform(0, 2 * np.pi, 5), 20)
            steps = 24 * np.stack([np.cos(turns), np.sin(turns)], axis=1)
            places = 100 * rng.uniform(10, 30, 2) + np.cumsum(steps, axis=0)
            times = np.arange(100) * 200_000 + 3_000_000 * person
            for camera in CAMERAS:
                feet = places + rng.normal(0, 5, places.shape)
                around = np.array([-20, -100, 20, 0])
                boxes = (np.hstack([feet, feet]) + around).astype(np.float32)
                own = times + 1_500_000 * (camera == "gate")
                scores = np.ones(100, np.float32)
                seen = Tracklet(camera, person + 1, 1, np.arange(100), own, boxes, scores)
                found.append(EncodedTracklet(seen, NoEmbedding(), ()))
        return found

    return make
