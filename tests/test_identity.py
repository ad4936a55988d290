"""Users' edits, as commands, and the association that obeys them."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands.association import associate_run
from pipeline.association.resolver import Knowledge
from pipeline.config import AssociationSettings
from pipeline.types import Embedding, EncodedTracklet, EncoderIdentity, Tracklet
from storage import edits, queries
from storage.store import CameraRecord, RunRecord, Store, open_store

Run = Callable[..., subprocess.CompletedProcess[str]]

KNOWLEDGE = Knowledge({}, {}, AssociationSettings())
ENCODER = EncoderIdentity("toy", "ab" * 32, 8)
PEOPLE = {"north/1": 0, "north/2": 1, "north/3": 2, "gate/1": 0, "gate/2": 1, "gate/3": 2}
"""Who walked from the one camera to the other; all look very different."""


def seen(key: str, person: int) -> EncodedTracklet:
    camera, track = key.split("/")
    start = 60 * (camera == "gate") + 10 * person
    times = np.arange(10, dtype=np.int64) * 100_000 + start * 1_000_000
    boxes = np.tile([10.0, 10, 40, 100], (10, 1)) + 5 * np.arange(10)[:, None]
    tracklet = Tracklet(camera, int(track), 1, np.arange(10), times, boxes, np.full(10, 0.9))
    return EncodedTracklet(tracklet, Embedding(np.eye(8)[person], ENCODER), ())


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'tracking.db'}"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """Three people in two cameras, associated."""
    cameras = tuple(CameraRecord(name, f"{name}.mp4", False) for name in ("north", "gate"))
    with open_store(url, create=True) as opened:
        opened.begin_run(RunRecord("plaza", "{}", "toy", cameras, 0))
        opened.add_tracklets(1, [seen(key, person) for key, person in PEOPLE.items()])
        associate_run(opened, 1, KNOWLEDGE)
        yield opened


def numbers(store: Store) -> dict[str, int]:
    return {
        passage.tracklet: person.identity
        for person in queries.identities(store, 1)
        for passage in queries.trajectory(store, 1, person.identity)
    }


RIGHT = {"north/1": 1, "gate/1": 1, "north/2": 2, "gate/2": 2, "north/3": 3, "gate/3": 3}


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        (lambda s: edits.merge(s, 1, 3, 1), {"north/1": 3, "gate/1": 3}),
        (lambda s: edits.split(s, 1, ["gate/2"]), {"gate/2": 4}),
        (lambda s: edits.reject(s, 1, "north/3"), {"north/3": 4}),
        (lambda s: edits.relabel(s, 1, ["gate/1"], 2), {"gate/1": 2}),
        (lambda s: edits.confirm(s, 1, 2), {}),
    ],
    ids=["merge", "split", "reject", "relabel", "confirm"],
)
def test_the_next_association_obeys_and_numbers_stay(
    store: Store, edit: Callable[[Store], object], changed: dict[str, int]
) -> None:
    assert numbers(store) == RIGHT
    edit(store)
    assert numbers(store) == RIGHT | changed
    associate_run(store, 1, KNOWLEDGE)
    assert numbers(store) == RIGHT | changed
    edits.undo(store, 1)
    assert numbers(store) == RIGHT
    associate_run(store, 1, KNOWLEDGE)
    assert numbers(store) == RIGHT


def test_tracklets_that_come_later_join_whom_a_user_made(store: Store) -> None:
    """Known again by the evidence, under the number that the user knows."""
    edits.merge(store, 1, 3, 1)
    edits.split(store, 1, ["gate/2"])
    later = seen("gate/2", 1)
    moved = Tracklet(
        "north", 9, 1, later.tracklet.frame_indices, later.tracklet.timestamps_us + 60_000_000,
        later.tracklet.boxes, later.tracklet.scores,
    )  # fmt: skip
    store.add_tracklets(1, [EncodedTracklet(moved, later.embedding, ())])
    associate_run(store, 1, KNOWLEDGE)
    found = numbers(store)
    assert found["north/9"] in (2, 4), "with one of the two whom it looks like"
    assert {k: v for k, v in found.items() if k != "north/9"} == RIGHT | {
        "north/1": 3, "gate/1": 3, "gate/2": 4,
    }  # fmt: skip


def test_an_edit_during_an_association_is_obeyed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = Store.load_tracklets

    def load_then_edit(self: Store, run_id: int) -> Any:
        loaded = load(self, run_id)
        monkeypatch.setattr(Store, "load_tracklets", load)
        edits.merge(self, run_id, 1, 2)
        return loaded

    monkeypatch.setattr(Store, "load_tracklets", load_then_edit)
    associate_run(store, 1, KNOWLEDGE)
    assert numbers(store) == RIGHT | {"north/2": 1, "gate/2": 1}


@pytest.mark.usefixtures("store")
def test_commands(url: str, pipeline: Run, tmp_path: Path) -> None:
    def told(*arguments: str) -> Any:
        done = pipeline("identity", *arguments, "--database", url, "--json", folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    assert told("merge", "3", "1") == {
        "run": 1,
        "edit": 1,
        "kind": "merge",
        "moved": [
            {"tracklet": "north/1", "before": 1, "now": 3},
            {"tracklet": "gate/1", "before": 1, "now": 3},
        ],
    }
    assert told("split", "gate/1", "gate/3")["moved"][1]["now"] == 4
    assert told("reject", "gate/2")["moved"][0]["now"] == 5
    assert told("relabel", "gate/2", "--to", "2")["kind"] == "relabel"
    assert told("confirm", "2")["edit"] == 5
    assert told("undo")["kind"] == "undo confirm"
    done = pipeline("identity", "undo", "--database", url, folder=tmp_path)
    assert done.stdout.splitlines()[0] == "run 1, edit 4: undo relabel"
    assert done.stdout.split()[-3:] == ["gate/2", "2", "5"]
    for arguments, reason in (
        (("merge", "2", "9"), "error: run 1 has no identity 9\n"),
        (("name", "2", "Ann"), "error: run 1: names are off; a run of a site file"),
    ):
        done = pipeline("identity", *arguments, "--database", url, folder=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(reason)


@pytest.mark.usefixtures("store")
def test_export_and_erase(url: str, pipeline: Run, tmp_path: Path) -> None:
    done = pipeline(
        "identity", "export", "2", "--output", "ann.zip", "--database", url, folder=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "ann.zip\n")
    assert (tmp_path / "ann.zip").stat().st_size > 500
    done = pipeline("identity", "erase", "2", "--database", url, "--json", folder=tmp_path)
    assert json.loads(done.stdout)["rows"]["tracklets"] == 2
    done = pipeline("identity", "erase", "3", "--database", url, folder=tmp_path)
    assert done.stdout.startswith("run 1: identity 3 is erased: 2 tracklets, 20 points, 2 emb")
    done = pipeline("identity", "erase", "3", "--database", url, folder=tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: run 1 has no identity 3\n")
