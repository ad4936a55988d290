"""The command `train metric`: from stored runs to a metric, its tables and curves."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline.association.metric.metric import LocalMetric
from pipeline.association.metric.weights import load_metric
from pipeline.types import (
    Embedding,
    EncodedTracklet,
    EncoderIdentity,
    Evidence,
    FloatArray,
    Link,
    NoEmbedding,
    PairEvidence,
    Tracklet,
)
from storage.store import CameraRecord, RunRecord, open_store

ENCODER = EncoderIdentity("toy", "0" * 64, 16)
START_US = 1_767_607_200_000_000
CAMERAS = ("north", "south")
FRAMES_A_VISIT = 20
PEOPLE = 60
TOGETHER = 6
RECIPE = {
    "name": "toy",
    "intra": {"window_s": 30},
    "inter": {"window_s": 60},
    "hidden": 16,
    "iterations": 60,
    "learning_rate": 0.01,
}
Run = Callable[..., subprocess.CompletedProcess[str]]


def vector(rng: np.random.Generator, person: int) -> FloatArray:
    """Half of the dimensions tell people apart; the other half is larger, and noise."""
    own = np.random.default_rng([1, person]).normal(size=8)
    seen = np.hstack([own + 0.5 * rng.normal(size=8), 2 * rng.normal(size=8)])
    return (seen / np.linalg.norm(seen)).astype(np.float32)


def passages(person: int) -> list[tuple[str, int]]:
    """Camera and first frame (10 a second) of four visits; six people are there at once."""
    first = (person // TOGETHER) * 500
    return [("north", first), ("north", first + 50), ("south", first + 100), ("south", first + 150)]


def encoded(
    rng: np.random.Generator, person: int, visit: int, encoder: EncoderIdentity | None
) -> EncodedTracklet:
    camera, first = passages(person)[visit]
    frames = np.arange(first, first + FRAMES_A_VISIT)
    left = 10 + 100 * (person % TOGETHER)
    boxes = np.tile([left, 10.0, left + 40, 110], (FRAMES_A_VISIT, 1))
    seen = Embedding(vector(rng, person), encoder) if encoder is not None else NoEmbedding()
    tracklet = Tracklet(
        camera, 10 * person + visit + 1, 1, frames, START_US + frames * 100_000, boxes, frames * 0.0
    )
    return EncodedTracklet(tracklet, seen, ())


def link(own: Tracklet, other: Tracklet, person: int) -> Link:
    evidence = Evidence(4.0, 3.0, 0.0, 0.0)
    pair = PairEvidence(other.key, 0.5, evidence, same_identity=True)
    return Link(own.key, person + 1, evidence, (pair,), START_US, "toy")


def write_run(url: str, encoder: EncoderIdentity | None = ENCODER, people: int = PEOPLE) -> None:
    """A run in which everybody's four tracklets are linked in a row."""
    rng = np.random.default_rng(0)
    cameras = tuple(CameraRecord(name, f"{name}.mp4", calibrated=False) for name in CAMERAS)
    with open_store(url, create=True) as store:
        run_id = store.begin_run(RunRecord("plaza", "{}", "toy", cameras, START_US))
        seen = [
            [encoded(rng, person, visit, encoder) for visit in range(4)] for person in range(people)
        ]
        store.add_tracklets(run_id, [item for visits in seen for item in visits])
        store.set_links(
            run_id,
            [
                link(visits[visit].tracklet, visits[(visit + 1) % 4].tracklet, person)
                for person, visits in enumerate(seen)
                for visit in range(4)
            ],
        )
        store.end_run(run_id, "finished", START_US)


def write_truth(folder: Path) -> None:
    """Everybody's boxes; person 0 is hidden at their first visit, and person 2 swaps with 3."""
    folder.mkdir()
    rows: dict[str, list[str]] = {name: [] for name in CAMERAS}
    for person in range(PEOPLE):
        for visit, (camera, first) in enumerate(passages(person)):
            for frame in range(first, first + FRAMES_A_VISIT):
                if (person, visit) == (0, 0):
                    continue
                swaps = person in (2, 3) and visit == 0 and frame >= first + 10
                number = {2: 3, 3: 2}[person] if swaps else person
                left = 10 + 100 * (person % TOGETHER)
                rows[camera].append(f"{frame + 1},{number + 1},{left},10,40,100,1,-1,-1,-1")
    for camera, lines in rows.items():
        (folder / f"{camera}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the store `a.db` and its truth."""
    folder = tmp_path_factory.mktemp("metric")
    write_run(f"sqlite:///{folder / 'a.db'}")
    write_truth(folder / "truth")
    return folder


def train(pipeline: Run, folder: Path, output: Path, **recipe: object) -> tuple[int, str, str]:
    path = output.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(RECIPE | recipe), encoding="utf-8")
    done = pipeline("train", "metric", str(path), "--output", str(output), folder=folder)
    return done.returncode, done.stdout, done.stderr


def source(folder: Path, **more: object) -> dict[str, object]:
    return {"database": f"sqlite:///{folder / 'a.db'}", **more}


@pytest.mark.parametrize("labels", ["truth", "own"])
def test_a_site_teaches_its_metric(pipeline: Run, site: Path, tmp_path: Path, labels: str) -> None:
    """By the truth, or by what it is itself sure of."""
    more = {"ground_truth": str(site / "truth")} if labels == "truth" else {"overlapping": []}
    code, printed, errors = train(pipeline, site, tmp_path / "m", train=[source(site, **more)])
    assert code == 0, errors
    metric = load_metric(tmp_path / "m/metric.safetensors")
    assert metric.encoder == ENCODER
    assert isinstance(metric.intra, LocalMetric)
    report = json.loads((tmp_path / "m/metric.json").read_text())
    (reading,) = report["train"]
    if labels == "truth":
        # The one who is hidden meets nobody; of the two who swap, each is half the other.
        assert (reading["tracklets"], reading["impure"]) == (4 * PEOPLE - 3, 3)
        assert "237 tracklets" in errors and "3 not purely one person left out" in errors
    else:
        assert (reading["tracklets"], reading["contradictory"]) == (4 * PEOPLE, 0)
    table = report["tables"][0]
    assert table["words"] == "same camera, up to 30 s apart, held-out people"
    found = {row["method"]: row["auc"] for row in table["rows"]}
    assert found["intra network"] > found["cosine"] + 0.05
    assert "same camera, up to 30 s apart: intra network, surely better than cosine" in printed
    assert "intra network" in printed and "error %" in printed
    header, *rows = (tmp_path / "m/curves.csv").read_text().splitlines()
    assert header == "network,fold,iteration,loss,held_out_auc"
    assert len(rows) == 3 * 5 * 8
    assert (tmp_path / "m/curves.png").read_bytes()[:4] == b"\x89PNG"


def test_too_little_is_said_and_no_error(pipeline: Run, tmp_path: Path) -> None:
    write_run(f"sqlite:///{tmp_path / 'a.db'}", people=6)
    code, printed, _ = train(pipeline, tmp_path, tmp_path / "m", train=[source(tmp_path)])
    assert code == 0
    assert (
        "same camera, up to 30 s: cosine, too thin to learn from: 6 people with 12 pairs" in printed
    )
    assert len(load_metric(tmp_path / "m/metric.safetensors").fallbacks()) == 2


def test_further_runs_are_scored_alone(pipeline: Run, site: Path, tmp_path: Path) -> None:
    truth = source(site, ground_truth=str(site / "truth"))
    code, printed, _ = train(pipeline, site, tmp_path / "m", train=[truth], test=[truth])
    assert code == 0
    assert "same camera, up to 30 s apart, test" in printed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"run": 7}, "there is no run 7"),
        ({"database": "sqlite:///nowhere.db"}, "nowhere.db"),
        ({"ground_truth": "/nowhere"}, "/nowhere: expected a folder of ground truth"),
        ({"overlapping": [["north", "east"]]}, "expected one of its cameras, got east"),
    ],
)
def test_what_is_wrong_is_one_line(
    pipeline: Run, site: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    code, _, errors = train(pipeline, site, tmp_path / "m", train=[source(site) | change])
    assert code == 2
    assert message in errors
    assert errors.startswith("error: ") and errors.count("\n") == 1


def test_vectors_of_one_encoder_only(pipeline: Run, site: Path, tmp_path: Path) -> None:
    write_run(f"sqlite:///{tmp_path / 'other.db'}", EncoderIdentity("new", "1" * 64, 16))
    other = {"database": f"sqlite:///{tmp_path / 'other.db'}"}
    code, _, errors = train(pipeline, site, tmp_path / "m", train=[source(site), other])
    assert code == 2
    assert (
        "expected embeddings by toy 000000000000, got some by new 111111111111: `reembed`" in errors
    )
    write_run(f"sqlite:///{tmp_path / 'none.db'}", None)
    none = {"database": f"sqlite:///{tmp_path / 'none.db'}"}
    code, _, errors = train(pipeline, site, tmp_path / "m", train=[none])
    assert code == 2
    assert "no tracklet has an embedding to learn from" in errors
