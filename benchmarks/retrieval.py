"""How fast searches are scored and re-ranked, at the size of Market-1501 and half of it.

Every measured run is a fresh process. What is scored are unit vectors drawn from a seed: people as
points, their clips as points near them, junk and distractors near nobody; more noise is a worse
encoder. The vectors, and for scoring the similarities, are there before the clock starts: the
comparison is of ranking and scoring alone. Time is user + system of the process with all its
threads; memory the greatest the process ever held, and what it held before the clock started.
"""

import argparse
import os
import resource
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write

from pipeline.evaluation.retrieval.scores import evaluate_retrieval
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.ranking.reranking import jaccard_distances, k_reciprocal
from pipeline.types import FloatArray, IntArray

QUERIES, GALLERY, DIMENSION, IDENTITIES, CAMERAS = 3368, 19732, 512, 750, 6
JUNK, DISTRACTORS = 3819, 2798
"""Entries of the gallery that are no person, and nobody's."""
MARKET: Final = Protocol("market-1501", junk=frozenset({-1}), distractors=frozenset({0}))
NOISE: Final = {"trained": 2.1, "untrained": 100.0}
Result = TypeVar("Result")
CLUSTERING_LIMIT: Final = 0.6
"""A distance beyond which clustering wants none."""


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """Embeddings (N, D) of clips, who is in them and before which camera."""

    embeddings: FloatArray
    identities: IntArray
    cameras: IntArray


def draw(seed: int, noise: float, queries: int, gallery: int) -> tuple[Clips, Clips]:
    """Queries and gallery in Market-1501's proportions."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((IDENTITIES + 1, DIMENSION), np.float32)

    def clips(identities: IntArray) -> Clips:
        vectors = noise * rng.standard_normal((len(identities), DIMENSION), np.float32)
        vectors += centres[np.maximum(identities, 0)] * (identities > 0)[:, None]
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Clips(vectors, identities, rng.integers(1, CAMERAS + 1, len(identities)))

    nobody = np.repeat([-1, 0], [gallery * JUNK // GALLERY, gallery * DISTRACTORS // GALLERY])
    people = rng.integers(1, IDENTITIES + 1, gallery - len(nobody))
    known = clips(np.concatenate([nobody, people]))
    return clips(rng.integers(1, IDENTITIES + 1, queries)), known


def mean_precision(similarities: FloatArray, queries: Clips, gallery: Clips) -> float:
    """Mean average precision, beside all else that the evaluation gives."""
    labels = (queries.identities, queries.cameras, gallery.identities, gallery.cameras)
    return evaluate_retrieval(similarities, *labels, MARKET).map


def sorted_mean_precision(similarities: FloatArray, queries: Clips, gallery: Clips) -> float:
    """Mean average precision as it is mostly written: every row sorted, then looked through."""
    precisions = []
    for row, identity, camera in zip(
        similarities, queries.identities, queries.cameras, strict=True
    ):
        order = np.argsort(-row)
        who, where = gallery.identities[order], gallery.cameras[order]
        counts = (who != -1) & ~((who == identity) & (where == camera))
        hits = who[counts] == identity
        if hits.any():
            at = np.cumsum(hits) / np.arange(1, len(hits) + 1)
            precisions.append(float(at[hits].mean()))
    return float(np.mean(precisions))


# The measured processes.


def scoring(counts_ranks: bool, noise: float, seed: int) -> dict[str, float]:
    """CMC, mAP and mINP of all queries at the size of Market-1501; or mAP alone, by sorting."""
    queries, gallery = draw(seed, noise, QUERIES, GALLERY)
    similarities = queries.embeddings @ gallery.embeddings.T
    how = mean_precision if counts_ranks else sorted_mean_precision
    score, cost = clocked(lambda: how(similarities, queries, gallery))
    return {**cost, "mAP": score}


def reranking(seed: int) -> dict[str, float]:
    """k-reciprocal re-ranking at half that size, and what it is good for here."""
    queries, gallery = draw(seed, NOISE["trained"], QUERIES // 2, GALLERY // 2)
    found, cost = clocked(lambda: k_reciprocal(queries.embeddings, gallery.embeddings))
    before = queries.embeddings @ gallery.embeddings.T
    scores = (mean_precision(values, queries, gallery) for values in (before, found))
    return {**cost, **dict(zip(("mAP_before", "mAP"), scores, strict=True))}


def clustering(seed: int) -> dict[str, float]:
    """Jaccard distances of all clips at half that size, as far as clustering wants them."""
    clips = draw(seed, NOISE["trained"], QUERIES // 2, GALLERY // 2)
    everybody = np.concatenate([part.embeddings for part in clips])
    found, cost = clocked(lambda: jaccard_distances(everybody, limit=CLUSTERING_LIMIT))
    return {**cost, "stored_a_row": found.nnz / len(everybody)}


def clocked(work: Callable[[], Result]) -> tuple[Result, dict[str, float]]:
    """What some work gives, and its CPU seconds and memory."""
    before = resource.getrusage(resource.RUSAGE_SELF)
    result = work()
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = {"memory_before_mb": before.ru_maxrss / 1024, "peak_memory_mb": after.ru_maxrss / 1024}
    return result, {"cpu_seconds": cpu, **memory}


# Measuring them.


def plan(seed: int) -> dict[str, Callable[[], dict[str, float]]]:
    """What is measured, by name."""
    jobs: dict[str, Callable[[], dict[str, float]]] = {}
    for encoder, noise in NOISE.items():
        for way, counts in (("ours", True), ("sorted", False)):
            jobs[f"scoring, {encoder}, {way}"] = partial(scoring, counts, noise, seed)
    jobs["k-reciprocal re-ranking"] = partial(reranking, seed)
    jobs["Jaccard distances"] = partial(clustering, seed)
    return jobs


def measure(rounds: int, seed: int) -> list[dict[str, Any]]:
    """Every run in the order in which it was made; who comes first moves on each round."""
    jobs, runs = list(plan(seed).items()), []
    for number in range(rounds):
        shift = number % len(jobs)
        for name, job in jobs[shift:] + jobs[:shift]:
            load = os.getloadavg()[0]
            with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                values = pool.submit(job).result()
            runs.append({"round": number + 1, "name": name, "load_before": load, **values})
            print(f"round {number + 1}: {name}: {values['cpu_seconds']:.2f} s", file=sys.stderr)
    return runs


def summarise(runs: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """Median, least and greatest of everything measured."""
    rows: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        for key in run.keys() - {"round", "name", "load_before"}:
            rows[run["name"]][key].append(run[key])
    return {
        name: {
            key: {"median": statistics.median(v), "min": min(v), "max": max(v)}
            for key, v in sorted(values.items())
        }
        for name, values in rows.items()
    }


def disagreements(summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """Encoders for which the two ways of scoring do not give one mAP."""
    return [
        encoder
        for encoder in NOISE
        if abs(
            summary[f"scoring, {encoder}, ours"]["mAP"]["median"]
            - summary[f"scoring, {encoder}, sorted"]["mAP"]["median"]
        )
        > 1e-9
    ]


def show(summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    """The table: median [least..greatest]."""
    print(f"{'median [min..max]':32}{'CPU seconds':>24}{'peak MB':>24}{'before MB':>12}")
    for name, values in summary.items():
        cells = [
            f"{v['median']:.{digits}f} [{v['min']:.{digits}f}..{v['max']:.{digits}f}]"
            for v, digits in ((values["cpu_seconds"], 2), (values["peak_memory_mb"], 0))
        ]
        before = values["memory_before_mb"]["median"]
        print(f"{name:32}{cells[0]:>24}{cells[1]:>24}{before:>12.0f}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file for everything")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds: expected at least 1")
    return options


def main() -> None:
    """Measure, print the table, write the JSON document."""
    options = _options()
    runs = measure(options.rounds, options.seed)
    summary = summarise(runs)
    show(summary)
    for encoder in disagreements(summary):
        print(f"warning: {encoder}: the two sides' mAP differ", file=sys.stderr)
    result = document(
        "retrieval",
        options.seed,
        settings={
            "queries": QUERIES,
            "gallery": GALLERY,
            "dimension": DIMENSION,
            "noise": NOISE,
            "reranked": QUERIES // 2 + GALLERY // 2,
        },
        summary=summary,
        runs=runs,
    )
    write(result, options.output)


if __name__ == "__main__":
    start(main)
