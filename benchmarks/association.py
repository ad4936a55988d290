"""Who is who across cameras: ours and peers on the same tracklets and embeddings, with exact truth.

Sites, their people and what cameras see of them are simulated (`association_sites.py`); crops are
rendered and embedded once and kept in a folder (`association_recordings.py`), so that detector and
tracker play no part.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from association_parts import (
    by_plain_cosine,
    cautious,
    corrected,
    decided,
    divided,
    expanded,
    knowledge,
    learnt_metric,
    measured,
    replayed,
)
from association_peers import PEERS, Peer, make_problem
from association_recordings import Recording, read_recording, record
from association_sites import TUNED, UNTOUCHED, difficulties, make_site, room_site
from documents import document, start, write
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cameras.simulation.settings import Simulation
from pipeline.association.metric.metric import LocalityAwareMetric
from pipeline.association.resolver import first_round
from pipeline.association.seen import Seen
from pipeline.config import ReidSettings
from pipeline.detection.devices import find_device
from pipeline.evaluation.camera_tracks import identified
from pipeline.evaluation.multi_camera import evaluate
from pipeline.reid.encoder import ClipEncoder
from pipeline.reid.opening import open_encoder
from pipeline.types import Embedding, IntArray, NoEmbedding

THRESHOLDS: Final = np.round(np.arange(0.1, 0.96, 0.05), 2).tolist()
"""Tried for each peer on the tuned sites."""
ROOM_PEOPLE: Final = (3, 10, 15)
ROOM_SEED: Final = 7301
ROOM_RANK_1: Final = 0.61
"""What the embeddings recorded with CMC1 reach across cameras, frame by frame."""
NOISE_DRAWS: Final = 20
SETS: Final = ("tuned", "room", "difficulties", "untouched")

Method = Callable[[Recording], IntArray]
"""Identities (N,) of N tracklets."""
Scores = dict[str, float | int]


def associated(recording: Recording, *, calibrated: bool, timed: bool = True) -> IntArray:
    """Identities (N,) that this project's association gives, perhaps with parts of it left out."""
    known = knowledge(recording)
    known = known if calibrated else replace(known, calibrations={})
    if timed:
        return decided(recording, known)
    seen = Seen.of(recording.tracklets, recording.embeddings)
    clusters = first_round(seen, known)[1].tolist()
    keys = (tracklet.key for tracklet in seen.tracklets)
    numbers = dict(zip(keys, clusters, strict=True))
    return np.array([numbers[tracklet.key] for tracklet in recording.tracklets], np.int64)


OURS: Final[Mapping[str, Method]] = {
    "ours, plain cosine": by_plain_cosine,
    "ours, appearance only": lambda each: associated(each, calibrated=False, timed=False),
    "ours, + transition times": lambda each: associated(each, calibrated=False),
    "ours, + ground plane": lambda each: associated(each, calibrated=True),
    "ours, + exchanged split": lambda each: associated(each, calibrated=True),
    "ours, + re-ranking": expanded,
    "ours, live, first told": lambda each: replayed(each, resolve=False),
    "ours, live, + re-solve": lambda each: replayed(each, resolve=True),
    "ours, + ten edits": corrected,
}
"""A row each. The first five add up; re-ranking and edits go on from there. Live has the fourth."""
SPLIT: Final = (
    *("ours, + exchanged split", "ours, + re-ranking"),
    *("ours, + ten edits", "ours, + locality metric"),
)
"""Who gets the tracklets that association gets in `run`; others get them as they were drawn."""
CONFIDENCES: Final = (0.5, 0.8, 0.95, 0.99, 0.999)
"""Below which links are not made, for the curve of precision and coverage."""


def peer(method: Peer, threshold: float) -> Method:
    """A peer at its threshold."""

    def decide(recording: Recording) -> IntArray:
        problem = make_problem(recording.tracklets, recording.embeddings, recording.calibrations)
        return method(problem, threshold)

    return decide


def truth(recording: Recording) -> IntArray:
    """Who each tracklet shows most of the time: who splits none can do no better."""
    return recording.persons


# Scores.


def scores(recording: Recording, identities: IntArray) -> Scores:
    """Scores of a decision, percent; multi-camera ones over all boxes."""
    names = [camera.id for camera in recording.site.cameras]
    found = identified(names, recording.tracklets, identities)
    all_cameras = evaluate(recording.truth, found).multi_camera.to_json()
    precision, recall = pairwise(identities, recording.persons)
    return {
        "IDF1": all_cameras["IDF1"],
        "HOTA": all_cameras["HOTA"],
        "AssA": all_cameras["AssA"],
        "pairs_right": 100 * precision,
        "pairs_found": 100 * recall,
        "identities": len(np.unique(identities)),
        "people": len(np.unique(recording.persons)),
    }


def pairwise(identities: IntArray, persons: IntArray) -> tuple[float, float]:
    """Of the pairs of tracklets that are joined, how many are one person; and of one person's."""
    _, cells = np.unique(np.stack([identities, persons]), axis=1, return_counts=True)
    both, joined, same = (
        _pairs(counts)
        for counts in (
            cells,
            np.unique(identities, return_counts=True)[1],
            np.unique(persons, return_counts=True)[1],
        )
    )
    return (both / joined if joined else 1.0), (both / same if same else 1.0)


def _pairs(counts: IntArray) -> int:
    return int((counts * (counts - 1) // 2).sum())


def quick_idf1(recording: Recording, identities: IntArray) -> float:
    """IDF1 of tracklets by their boxes: leaves out what nobody tracked, and is much faster."""
    boxes = np.array([len(tracklet.boxes) for tracklet in recording.tracklets])
    found, rows = np.unique(identities, return_inverse=True)
    people, columns = np.unique(recording.persons, return_inverse=True)
    shared = np.zeros((len(found), len(people)))
    np.add.at(shared, (rows, columns), boxes)
    return float(shared[linear_sum_assignment(shared, maximize=True)].sum() / boxes.sum())


def tuned_peers(recordings: Sequence[Recording]) -> dict[str, float]:
    """The threshold of each peer that is best on average over recordings; of equals the least."""
    best = {}
    for name, method in PEERS.items():
        means = [
            np.mean([quick_idf1(one, peer(method, threshold)(one)) for one in recordings])
            for threshold in THRESHOLDS
        ]
        best[name] = THRESHOLDS[int(np.argmax(means))]
    return best


# Embeddings that tell little.


def rank_1_across_cameras(recording: Recording) -> float:
    """Share of tracklets whose most similar one of other cameras is of the same person.

    Those whose person no other camera has are not asked.
    """
    vectors = np.stack([e.vector for e in recording.embeddings if isinstance(e, Embedding)])
    names = np.array([tracklet.camera_id for tracklet in recording.tracklets])
    persons, others = recording.persons, names[:, None] != names
    asked = (others & (persons[:, None] == persons)).any(axis=1)
    similarity = np.where(others, vectors @ vectors.T, -np.inf)
    return float((persons[similarity.argmax(axis=1)] == persons)[asked].mean())


def blurred(recording: Recording, noise: float, seed: int) -> Recording:
    """With embeddings to which normal noise of a given length is added."""
    rng = np.random.default_rng(seed)
    embeddings: list[Embedding | NoEmbedding] = []
    for one in recording.embeddings:
        if isinstance(one, Embedding):
            moved = one.vector + rng.normal(0, noise / np.sqrt(len(one.vector)), len(one.vector))
            one = Embedding(moved / np.linalg.norm(moved), one.encoder)
        embeddings.append(one)
    return replace(recording, embeddings=embeddings)


def noise_for(recording: Recording, rank_1: float) -> float:
    """The length of noise with which rank 1 across cameras falls to this, by bisection."""

    def reached(noise: float) -> float:
        drawn = (blurred(recording, noise, seed) for seed in range(NOISE_DRAWS))
        return float(np.mean([rank_1_across_cameras(one) for one in drawn]))

    low, high = 0.0, 8.0
    while high - low > 0.01:
        middle = (low + high) / 2
        low, high = (middle, high) if reached(middle) > rank_1 else (low, middle)
    return (low + high) / 2


# What is measured.


@dataclass(frozen=True, slots=True)
class Studio:
    """Makes recordings in a folder, or finds them there."""

    encoder: ClipEncoder
    folder: Path

    def recording(self, name: str, simulation: Simulation) -> Recording:
        """The recording of a site."""
        folder = self.folder / name.replace(" ", "-").replace(",", "")
        record(simulation, self.encoder, folder, lambda words: print(words, file=sys.stderr))
        return read_recording(folder)


def recordings(studio: Studio, name: str) -> Iterator[tuple[str, Recording]]:
    """The recordings of a set, by name."""
    if name == "room":
        rooms = [
            studio.recording(f"room {people}", room_site(people, ROOM_SEED))
            for people in ROOM_PEOPLE
        ]
        noise = noise_for(rooms[0], ROOM_RANK_1)
        for people, one in zip(ROOM_PEOPLE, rooms, strict=True):
            yield f"room, weak embeddings, {people} people", blurred(one, noise, seed=0)
        return
    cases = {"tuned": TUNED, "untouched": UNTOUCHED, "difficulties": difficulties()}
    for case in cases[name]:
        yield case.name, studio.recording(case.name, make_site(case))


def table(recording: Recording, methods: Mapping[str, Method]) -> dict[str, Scores]:
    """Scores by method."""
    split = divided(recording)
    given = {name: split if name in SPLIT else recording for name in methods}
    return {name: scores(given[name], method(given[name])) for name, method in methods.items()}


def abstention(recording: Recording) -> dict[str, Scores]:
    """Precision and coverage of links, by the confidence below which none is made."""
    found, recording = {}, divided(recording)
    for confidence in CONFIDENCES:
        identities = cautious(recording, confidence)
        precision, recall = pairwise(identities, recording.persons)
        found[f"at least {confidence:g}"] = {
            "pairs_right": 100 * precision,
            "pairs_found": 100 * recall,
            "identities": len(np.unique(identities)),
        }
    return found


def by_score(tables: Mapping[str, Mapping[str, Scores]]) -> dict[str, Any]:
    """The tables of several sites as one a score: a row a site, a column a method."""
    names = next(iter(next(iter(tables.values())).values()))
    return {
        score: {
            site: {method: cells[score] for method, cells in rows.items()}
            for site, rows in tables.items()
        }
        for score in names
    }


def about(recording: Recording) -> dict[str, Any]:
    """What a recording is."""
    return {
        "cameras": len(recording.site.cameras),
        "people": len(np.unique(recording.persons)),
        "tracklets": len(recording.tracklets),
        "mixed": int(recording.is_mixed.sum()),
        "rank_1_across_cameras": rank_1_across_cameras(recording),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True, help="where recordings are kept")
    parser.add_argument("--encoder", default="bundled", help="any encoder that `reid` takes")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["tuned", "room"])
    parser.add_argument("--output", type=Path, help="JSON file")
    options = parser.parse_args()
    kept = options.folder / "encoder"
    encoder = open_encoder(ReidSettings(weights=options.encoder), find_device("cpu"), kept)
    studio = Studio(encoder, options.folder)
    tuned = dict(recordings(studio, "tuned"))
    thresholds = tuned_peers(list(tuned.values()))
    peers = {name: peer(method, thresholds[name]) for name, method in PEERS.items()}
    summary: dict[str, Any] = {"sites": {}}
    to_cosine: dict[str, list[str]] = {}

    @cache
    def metric_without(site: str) -> LocalityAwareMetric:
        """Learnt on the tuned sites but this."""
        return learnt_metric([one for other, one in tuned.items() if other != site])

    for name in options.sets:
        tables = {}
        for site, recording in recordings(studio, name):
            summary["sites"][site] = about(recording)
            local = metric_without(site if site in tuned else "")
            to_cosine[site] = local.fallbacks()
            methods: dict[str, Method] = {
                **OURS,
                "ours, + locality metric": partial(measured, metric=local),
                **peers,
                "truth of each tracklet": truth,
            }
            tables[site] = table(recording, methods)
            _print(site, summary["sites"][site], tables[site])
            if name in ("tuned", "untouched"):
                summary.setdefault("abstention", {})[site] = abstention(recording)
        summary |= {name: by_score(tables)} if name == "difficulties" else tables
    settings = {
        "encoder": encoder.identity.words,
        "seeds": {case.name: case.seed for case in (*TUNED, *UNTOUCHED, *difficulties())},
        "peers": {name: {"least_cosine": value} for name, value in thresholds.items()},
        "left to cosine by the locality metric": to_cosine,
    }
    write(
        document("association", ROOM_SEED, settings=settings, summary=summary),
        options.output,
    )


def _print(site: str, numbers: Mapping[str, Any], rows: Mapping[str, Scores]) -> None:
    words = ", ".join(f"{key} {value:.3g}" for key, value in numbers.items())
    print(f"\n{site}: {words}")
    for name, cells in rows.items():
        shown = "  ".join(f"{key} {value:6.1f}" for key, value in cells.items())
        print(f"{name:28} {shown}")


if __name__ == "__main__":
    start(main)
