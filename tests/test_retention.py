"""`retention` and `audit` as commands, and what a run keeps to."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.errors import StoreError
from pipeline.types import EncodedTracklet, NoEmbedding, Tracklet
from storage.retention import Enforced, Retention
from storage.store import CameraRecord, RunRecord, Store, open_store

Run = Callable[..., subprocess.CompletedProcess[str]]

SITE = """\
site: plaza
start: 2026-01-05T10:00:00Z
cameras:
  - {{id: north, tracks: north.txt, frame_rate: 5, image_size: [640, 480]}}
storage: {{url: "sqlite:///tracking.db", {limits}}}
"""
TRACKS = "".join(f"{frame},1,{frame},20,30,60,0.9,-1,-1,-1\n" for frame in range(1, 40))


def site(folder: Path, limits: str) -> None:
    (folder / "site.yaml").write_text(SITE.format(limits=limits), encoding="utf-8")
    (folder / "north.txt").write_text(TRACKS, encoding="utf-8")


def stored(folder: Path) -> Store:
    """A database with three tracklets of fifty boxes."""
    opened = open_store(f"sqlite:///{folder / 'tracking.db'}", create=True)
    camera = CameraRecord("north", "north.txt", False)
    run_id = opened.begin_run(RunRecord("plaza", "{}", "toy", (camera,), 0))
    frames = np.arange(50)
    for number in (1, 2, 3):
        tracklet = Tracklet(
            "north", number, 1, frames, frames, np.full((50, 4), 9.0), np.ones(50)
        )  # fmt: skip
        opened.add_tracklets(run_id, [EncodedTracklet(tracklet, NoEmbedding(), ())])
    return opened


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_commands(pipeline: Run, tmp_path: Path) -> None:
    site(tmp_path, "points_days: 1.0e-9, retention_gb: 6.0e-6")
    with stored(tmp_path):
        pass
    command = ("retention", "site.yaml")
    assert answer(pipeline(*command, "--json", folder=tmp_path)) == {
        "site": "plaza",
        "database": "sqlite:///tracking.db",
        "tracklets": 2,
        "points": 48,
        "embeddings": 0,
        "thumbnails": 0,
    }
    done = pipeline(*command, folder=tmp_path)
    assert done.stdout == (
        "plaza in sqlite:///tracking.db: 0 tracklets, 0 points, 0 embeddings, 0 thumbnails erased\n"
    )
    [entry] = answer(pipeline("audit", "--json", folder=tmp_path))["entries"]
    assert (entry["action"], entry["site"], entry["run"]) == ("retention", "plaza", 0)
    assert entry["details"] == {"tracklets": 2, "points": 48, "embeddings": 0, "thumbnails": 0}
    done = pipeline("audit", folder=tmp_path)
    assert done.stdout.splitlines()[0] == "1 entries"
    assert "embeddings 0, points 48, thumbnails 0, tracklets 2" in done.stdout


def test_without_a_database_nothing_is_made(pipeline: Run, tmp_path: Path) -> None:
    site(tmp_path, "retention_days: 1")
    done = pipeline("retention", "site.yaml", folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("no such file; `run` a site first\n")


def test_a_run_keeps_to_the_limits(pipeline: Run, tmp_path: Path) -> None:
    """Before its cameras start."""
    site(tmp_path, "retention_days: 1.0e-9")
    with stored(tmp_path):
        pass
    report = answer(pipeline("run", "site.yaml", "--json", folder=tmp_path))
    assert (report["tracklets"], report["warnings"]) == (1, [])
    [entry] = answer(pipeline("audit", "--json", folder=tmp_path))["entries"]
    assert entry["details"]["tracklets"] == 3


def test_a_run_says_where_it_could_not(
    pipeline: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(keeper: Retention) -> Enforced:
        keeper.failure = StoreError("locked: another program is writing to it")
        return Enforced()

    monkeypatch.setattr(Retention, "enforce", fail)
    site(tmp_path, "retention_days: 1")
    done = pipeline("run", "site.yaml", "--json", folder=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["warnings"] == [
        "retention: locked: another program is writing to it"
    ]
