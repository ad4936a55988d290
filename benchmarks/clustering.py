"""Correlation clustering of simulated evidence: what it costs as N grows, and how good it is."""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations, repeat
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import Bounds, milp
from scipy.spatial.distance import squareform

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write

from pipeline.association.block_graph import parts
from pipeline.association.correlation_clustering import correlation_clustering
from pipeline.association.pairs import Pairs
from pipeline.types import DoubleArray, IntArray

DIMENSIONS, GATE_SECONDS, PAIRS_EACH = 64, 60.0, 30
DEFAULT, GREATEST = -0.5, 8.0
"""Log-odds of pairs that are not scored, and where those of scored ones are cut off."""
LIKENESS: Final = {"clear": 0.45, "hard": 0.3, "very hard": 0.2}
"""Mean cosine of two tracklets of a person; others' are around 0, deviation 1/8."""
SIZES: Final = (1_000, 10_000, 100_000)
COMPARED, SMALL, SMALL_GRAPHS, ROUNDS = 1_000, 16, 20, 3


def crowd(
    count: int, seed: int, likeness: float, least: int = 4, most: int = 20
) -> tuple[Pairs, DoubleArray, IntArray]:
    """Scored pairs, their weights (P,), and who each tracklet is (N,)."""
    rng = np.random.default_rng(seed)
    people = np.repeat(np.arange(count), rng.integers(least, most + 1, count))[:count]
    seen = rng.uniform(0, count * GATE_SECONDS / PAIRS_EACH, count)[people]
    times = seen + rng.uniform(-GATE_SECONDS, GATE_SECONDS, count)
    people, times = people[np.argsort(times)], np.sort(times)
    near = np.searchsorted(times, times + GATE_SECONDS) - np.arange(count) - 1
    first = np.repeat(np.arange(count), near)
    second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(near) - near, near)
    vectors = rng.normal(size=(count, DIMENSIONS))[people] * np.sqrt(likeness / (1 - likeness))
    vectors += rng.normal(size=(count, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = sum((each[first] * each[second] for each in vectors.T), start=np.zeros(len(first)))
    weights = likeness * DIMENSIONS * (cosines - likeness / 2)  # of equal normal distributions
    return Pairs(count, first, second), np.clip(weights, -GREATEST, GREATEST), people


def ours(pairs: Pairs, weights: DoubleArray) -> IntArray:
    """Correlation clustering."""
    none = Pairs.none(pairs.count)
    return correlation_clustering(pairs, weights, default=DEFAULT, apart=none, together=none)


def table(pairs: Pairs, weights: DoubleArray) -> DoubleArray:
    """Weight of every pair, scored or not (N, N)."""
    every = np.full((pairs.count, pairs.count), DEFAULT)
    every[pairs.first, pairs.second] = every[pairs.second, pairs.first] = weights
    return every


def worth(every: DoubleArray, labels: IntArray) -> float:
    """Sum of weights over all pairs inside clusters."""
    return float(np.triu(every * (labels[:, None] == labels), 1).sum())


def greatest_worth(every: DoubleArray) -> float:
    """Of all partitions, by integer programming (HiGHS): pairs that are transitive."""
    costs = -squareform(every, checks=False)
    number = squareform(np.arange(len(costs)))
    corners = np.array(list(combinations(range(len(every)), 3)))
    sides = np.tile(number[corners[:, [0, 1, 0]], corners[:, [1, 2, 2]]], (3, 1))
    rows = np.zeros((len(sides), len(costs)))
    rows[np.arange(len(rows))[:, None], sides] = np.repeat(1 - 2 * np.eye(3), len(corners), axis=0)
    limits = {"bounds": Bounds(0, 1), "constraints": (rows, -np.inf, 1)}
    return float(-milp(costs, integrality=1, **limits).fun)


def f1(labels: IntArray, people: IntArray) -> float:
    """Of pairs in one cluster, against pairs of one person."""
    both = labels * len(people) + people
    counts = [np.unique(of, return_counts=True)[1] for of in (both, labels, people)]
    hits, found, true = (float((count * (count - 1)).sum()) for count in counts)
    return 2 * hits / (found + true)


def cost(seed: int, likeness: float, count: int) -> dict[str, float]:
    """Of one solution; peak memory is that of the process, pairs and imports with it."""
    pairs, weights, people = crowd(count, seed, likeness)
    part = parts(count, pairs.first[weights > 0], pairs.second[weights > 0])
    before = time.process_time()
    labels = ours(pairs, weights)
    seconds = time.process_time() - before
    score = f1(labels, people)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    figures = {"cpu_seconds": seconds, "peak_memory_mb": peak, "pairwise_f1": score}
    return {"pairs": len(pairs), "largest_part": int(np.bincount(part).max()), **figures}


def quality(seed: int, likeness: float) -> dict[str, float]:
    """Beside average link at a size that it can do, beside the best where that can be found."""
    pairs, weights, people = crowd(COMPARED, seed, likeness)
    mine, every = ours(pairs, weights), table(pairs, weights)
    tree = linkage(squareform(GREATEST - every, checks=False), "average")
    theirs = fcluster(tree, np.nextafter(GREATEST, 0), "distance")  # mean weight above 0
    small = [crowd(SMALL, SMALL_GRAPHS * seed + g, likeness, 2, 6)[:2] for g in range(SMALL_GRAPHS)]
    found = np.array([worth(table(*graph), ours(*graph)) for graph in small])
    best = np.array([greatest_worth(table(*graph)) for graph in small])
    return {
        "pairwise_f1": f1(mine, people),
        "pairwise_f1_of_average_link": f1(theirs, people),
        "objective_to_that_of_average_link": worth(every, mine) / worth(every, theirs),
        "objective_to_the_best": float(found.sum() / best.sum()),
        "share_at_the_best": float((found > best - 1e-6).mean()),
    }


def row(measure: Callable[..., dict[str, float]], *inputs: float) -> dict[str, dict[str, float]]:
    """Median, least and greatest of each measure; every round is a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as pool:
        runs = list(pool.map(measure, range(ROUNDS), *map(repeat, inputs)))
    columns = {key: sorted(run[key] for run in runs) for key in runs[0]}
    return {k: {"median": median(v), "min": v[0], "max": v[-1]} for k, v in columns.items()}


def main() -> None:
    """Measure, print, write the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, help="JSON file for everything")
    options = parser.parse_args()
    summary: dict[str, dict[str, Any]] = {"scale": {}, "quality": {}}
    for name, likeness in LIKENESS.items():
        for count in SIZES:
            summary["scale"][f"{name}, N {count}"] = row(cost, likeness, count)
        summary["quality"][name] = row(quality, likeness)
    print(summary)
    write(document("clustering", 0, rounds=ROUNDS, summary=summary), options.output)


if __name__ == "__main__":
    start(main)
