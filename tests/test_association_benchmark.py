"""The benchmark of association: its sites, its recordings, peers and scores by hand."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from cameras.simulation.ground import map_ground
from cameras.simulation.routes import build_network
from cameras.simulation.settings import load_simulation
from commands.run import execute
from pipeline.config import AssociationSettings, ReidSettings, load_site
from pipeline.evaluation.ground_truth import load_ground_truth
from pipeline.geometry import iou
from pipeline.reid.opening import open_encoder
from pipeline.types import Embedding, EncoderIdentity, NoEmbedding, Split, Tracklet
from storage.store import open_store

FOLDER = Path(__file__).parents[1] / "benchmarks"
MODULES = (
    "association_sites",
    "association_recordings",
    "association_peers",
    "association_parts",
    "association",
)
SIMULATION = """\
site: lobby
start: 2026-01-05T10:00:00Z
duration_seconds: 20
seed: 3
floors:
  - {area: [-5, -4, 5, 4]}
stops:
  west: {position: [-4, 0], kind: entry}
  middle: {position: [0, 0], kind: stand, radius_m: 1.5}
  east: {position: [4, 0], kind: entry}
paths: [[west, middle], [middle, east]]
people: {count: 3, returning: 0, stops: [1, 1]}
cameras:
  - {id: north, position: [0, 7, 3], look_at: [0, 0, 0.8], image_size: [320, 180], frame_rate: 5}
  - {id: south, position: [5, -6, 2.5], look_at: [0, 0, 1], image_size: [320, 180], frame_rate: 5,
     clock_offset_ms: 250}
"""


@pytest.fixture(scope="module")
def benchmark() -> Iterator[SimpleNamespace]:
    """The benchmark's modules, which import one another by their bare names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield SimpleNamespace(**{name: __import__(name) for name in MODULES})
        for name in (*MODULES, "documents"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def folder(
    benchmark: SimpleNamespace, toy_encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A recorded site of two cameras and three people, 20 seconds."""
    base = tmp_path_factory.mktemp("recording")
    (base / "lobby.yaml").write_text(SIMULATION, encoding="utf-8")
    encoder = open_encoder(ReidSettings(weights=str(toy_encoder)), torch.device("cpu"), base)
    simulation = load_simulation(base / "lobby.yaml")
    for name in ("first", "again"):
        benchmark.association_recordings.record(simulation, encoder, base / name, lambda _: None)
    before = (base / "first" / "site.yaml").stat().st_mtime_ns
    benchmark.association_recordings.record(simulation, encoder, base / "first", lambda _: None)
    assert (base / "first" / "site.yaml").stat().st_mtime_ns == before  # it was there already
    return base / "first"


def test_the_same_site_gives_the_same_recording(folder: Path) -> None:
    again = folder.with_name("again")
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert len(names) == 11
    for name in names:
        if name.suffix == ".npz":
            one, other = np.load(folder / name), np.load(again / name)
            np.testing.assert_array_equal(one["embedding"], other["embedding"])
            np.testing.assert_array_equal(one["person"], other["person"])
        else:
            assert (folder / name).read_bytes() == (again / name).read_bytes(), name


def test_a_recording_knows_who_everybody_is(benchmark: SimpleNamespace, folder: Path) -> None:
    recording = benchmark.association_recordings.read_recording(folder)
    assert set(recording.persons.tolist()) == {1, 2, 3}
    assert {tracklet.camera_id for tracklet in recording.tracklets} == {"north", "south"}
    assert all(isinstance(one, Embedding) for one in recording.embeddings)
    for tracklet, person in zip(recording.tracklets, recording.persons, strict=True):
        truth = recording.truth[tracklet.camera_id].tracks
        own = truth.ids == person
        rows = {
            int(f): box for f, box in zip(truth.frame_indices[own], truth.boxes[own], strict=True)
        }
        overlaps = [
            iou(box[None].astype(float), rows[frame][None])[0, 0]
            for frame, box in zip(tracklet.frame_indices.tolist(), tracklet.boxes, strict=True)
        ]
        assert np.mean(overlaps) > 0.75
    scores = benchmark.association.scores(recording, benchmark.association.truth(recording))
    assert scores["IDF1"] > 90 and scores["pairs_right"] == scores["pairs_found"] == 100
    assert scores["identities"] == scores["people"] == 3


def test_who_is_exchanged_is_split_as_in_a_run(
    benchmark: SimpleNamespace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = benchmark.association_recordings.read_recording(folder)
    assert benchmark.association_parts.divided(recording) is recording  # nobody is exchanged here
    whole = max(recording.tracklets, key=lambda each: len(each.scores))
    first = int(whole.frame_indices[5])
    monkeypatch.setattr(
        benchmark.association_parts, "exchanges", lambda *_: [Split(whole.key, first)]
    )
    divided = benchmark.association_parts.divided(recording)
    rows = {each.key: row for row, each in enumerate(divided.tracklets)}
    assert len(rows) == len(recording.tracklets) + 1
    parts = [rows[whole.key], rows[f"{whole.key}.3"]]
    frames = [divided.tracklets[row].frame_indices.tolist() for row in parts]
    assert [len(frames[0]), frames[0] + frames[1]] == [5, whole.frame_indices.tolist()]
    without = {row for row, one in enumerate(divided.embeddings) if isinstance(one, NoEmbedding)}
    assert without == set(parts)
    whose = recording.persons[recording.tracklets.index(whole)]
    assert divided.persons[parts].tolist() == [whose, whose]
    found = benchmark.association.table(recording, {"ours, + exchanged split": len_of})
    assert found["ours, + exchanged split"]["identities"] == len(rows)


def len_of(recording: Any) -> np.ndarray:
    """Everybody is somebody else."""
    return np.arange(len(recording.tracklets))


def test_run_and_evaluate_take_the_folder(folder: Path, tmp_path: Path) -> None:
    site = load_site(folder / "site.yaml")
    with open_store(f"sqlite:///{tmp_path / 'run.db'}", create=True) as store:
        report = execute(site, store, resume=False)
    assert report.status == "finished"
    assert report.tracklets >= 6
    assert set(load_ground_truth(folder / "gt", ["north", "south"])) == {"north", "south"}


def test_sites_can_be_walked_and_differ_by_seed(benchmark: SimpleNamespace) -> None:
    sites = benchmark.association_sites
    cases = (*sites.TUNED, *sites.UNTOUCHED)
    assert len({case.seed for case in cases}) == len({case.layout for case in cases}) == 4
    for case in (*cases, *list(sites.difficulties())[::8]):
        made = sites.make_site(case)
        build_network(made, map_ground(made))  # raises where a stop cannot be reached
        assert made == sites.make_site(case)
    room = sites.room_site(10, 1)
    build_network(room, map_ground(room))
    assert len(room.cameras) == 4
    other = sites.make_site(sites.Case("plaza", "plaza", seed=1))
    assert other.walls != sites.make_site(sites.TUNED[0]).walls


ENCODER = EncoderIdentity("toy", "0" * 64, 3)
SECOND_US = 1_000_000


def passage(camera: str, track: int, begin: int, end: int) -> Tracklet:
    """A tracklet of one box a second."""
    seconds = np.arange(begin, end + 1)
    boxes = np.tile(np.array([[0, 0, 10, 20]]), (len(seconds), 1))
    return Tracklet(camera, track, 1, seconds, seconds * SECOND_US, boxes, np.ones(len(seconds)))


def embedding(*vector: float) -> Embedding:
    return Embedding(np.array(vector) / np.linalg.norm(vector), ENCODER)


def problem_of(benchmark: SimpleNamespace, rows: list[tuple[Tracklet, Embedding]]) -> object:
    tracklets, embeddings = zip(*rows, strict=True)
    return benchmark.association_peers.make_problem(tracklets, embeddings, {})


def same(identities: np.ndarray) -> set[frozenset[int]]:
    """Who is together, whatever the numbers."""
    return {frozenset(np.flatnonzero(identities == one).tolist()) for one in set(identities)}


PEERS = [
    "greedy cosine per window",
    "average link, no overlaps",
    "Hungarian per second",
    "union-find",
]


@pytest.mark.parametrize("peer", PEERS)
def test_every_peer_joins_who_is_alike_and_no_other(benchmark: SimpleNamespace, peer: str) -> None:
    rows = [
        (passage("a", 1, 0, 9), embedding(1, 0, 0.1)),
        (passage("a", 2, 3, 12), embedding(0, 1, 0.1)),
        (passage("b", 1, 20, 29), embedding(1, 0, -0.1)),
        (passage("b", 2, 50, 59), embedding(0, 1, -0.1)),
        (passage("c", 1, 90, 99), embedding(0, 0, 1)),
    ]
    method = benchmark.association_peers.PEERS[peer]
    together = {frozenset({0, 2}), frozenset({1, 3}), frozenset({4})}
    assert same(method(problem_of(benchmark, rows), 0.8)) == together
    assert len(same(method(problem_of(benchmark, rows), 0.999))) == 5


@pytest.mark.parametrize("peer", PEERS[:3])
def test_two_of_one_view_at_once_stay_apart_in_all_but_union_find(
    benchmark: SimpleNamespace, peer: str
) -> None:
    rows = [
        (passage("a", 1, 0, 9), embedding(1, 0, 0)),
        (passage("a", 2, 0, 9), embedding(1, 0, 0.01)),
        (passage("b", 1, 20, 29), embedding(1, 0, 0)),
    ]
    found = benchmark.association_peers.PEERS[peer](problem_of(benchmark, rows), 0.5)
    assert found[0] != found[1]
    chained = benchmark.association_peers.union_find(problem_of(benchmark, rows), 0.5)
    assert chained[0] == chained[1] == chained[2]


def test_on_the_floor_who_stands_elsewhere_is_somebody_else(
    benchmark: SimpleNamespace,
) -> None:
    rows = [
        (passage("a", 1, 0, 9), embedding(1, 0, 0)),
        (passage("b", 1, 0, 9), embedding(1, 0, 0)),
        (passage("b", 2, 0, 9), embedding(0.9, 0.4, 0)),
    ]
    problem = problem_of(benchmark, rows)
    where = {0: np.array([0.0, 0]), 1: np.array([5.0, 0]), 2: np.array([0.3, 0])}
    places = [where] * len(problem.places)  # type: ignore[attr-defined]
    from dataclasses import replace

    hungarian = benchmark.association_peers.hungarian_windows
    assert same(hungarian(problem, 0.5)) == {frozenset({0, 1}), frozenset({2})}
    moved = replace(problem, places=places)  # type: ignore[type-var]
    assert same(hungarian(moved, 0.5)) == {frozenset({0, 2}), frozenset({1})}


def test_pairwise_scores_by_hand(benchmark: SimpleNamespace) -> None:
    # Joined: 01, 02, 12, 34; of one person: 01, 23, 24, 34; both: 01, 34.
    identities, persons = np.array([1, 1, 1, 2, 2]), np.array([7, 7, 8, 8, 8])
    assert benchmark.association.pairwise(identities, persons) == (0.5, 0.5)
    nobody = np.arange(3)
    assert benchmark.association.pairwise(nobody, nobody) == (1.0, 1.0)


def test_noise_takes_rank_1_to_where_it_is_wanted(benchmark: SimpleNamespace) -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(20), 3)
    tracklets = [passage("abc"[row % 3], row + 1, 0, 1) for row in range(60)]
    vectors = np.eye(64)[people] + 0.02 * rng.normal(size=(60, 64))
    identity = EncoderIdentity("toy", "0" * 64, 64)
    embeddings = [Embedding(vector / np.linalg.norm(vector), identity) for vector in vectors]
    made = benchmark.association_recordings.Recording(
        None, tracklets, embeddings, {}, {}, people, np.zeros(60, bool)
    )
    noise = benchmark.association.noise_for(made, 0.6)
    reached = [
        benchmark.association.rank_1_across_cameras(
            benchmark.association.blurred(made, noise, seed)
        )
        for seed in range(100, 120)
    ]
    assert benchmark.association.rank_1_across_cameras(made) == 1.0
    assert abs(np.mean(reached) - 0.6) < 0.06


@pytest.fixture
def walkers(benchmark: SimpleNamespace) -> Any:
    """30 people seen six times, a minute apart, by three cameras; some look much alike."""
    rng = np.random.default_rng(5)
    people = np.repeat(np.arange(30), 6)
    starts = rng.uniform(0, 300, 30)[people] + 60 * np.tile(np.arange(6), 30)
    tracklets = [
        passage("abc"[row % 3], row + 1, start, start + 5) for row, start in enumerate(starts)
    ]
    looks = rng.normal(size=(30, 32))
    looks[1::2] += 0.6 * looks[::2]
    vectors = looks[people] + 1.1 * rng.normal(size=(180, 32))
    identity = EncoderIdentity("toy", "0" * 64, 32)
    embeddings = [Embedding(vector / np.linalg.norm(vector), identity) for vector in vectors]
    site = SimpleNamespace(transitions={}, association=AssociationSettings())
    return benchmark.association_recordings.Recording(
        site, tracklets, embeddings, {}, {}, people, np.zeros(180, bool)
    )


def test_edits_make_it_better_and_caution_makes_fewer_links(
    benchmark: SimpleNamespace, walkers: Any
) -> None:
    parts, scored = benchmark.association_parts, benchmark.association
    as_is = parts.decided(walkers, parts.knowledge(walkers))
    corrected = parts.corrected(walkers)
    assert scored.quick_idf1(walkers, corrected) > scored.quick_idf1(walkers, as_is) + 0.01
    assert len(np.unique(parts.cautious(walkers, 0.999))) > len(np.unique(as_is))


def test_live_tells_everybody(benchmark: SimpleNamespace, walkers: Any) -> None:
    parts, scored = benchmark.association_parts, benchmark.association
    first, anew = (parts.replayed(walkers, resolve=resolve) for resolve in (False, True))
    assert len(first) == len(anew) == 180
    assert min(scored.quick_idf1(walkers, each) for each in (first, anew)) > 0.6
    assert (first != anew).any()


def test_a_metric_of_one_site_reads_another(benchmark: SimpleNamespace, walkers: Any) -> None:
    parts = benchmark.association_parts
    metric = parts.learnt_metric([walkers])
    assert len(parts.measured(walkers, metric)) == 180
    assert metric.encoder == walkers.embeddings[0].encoder
