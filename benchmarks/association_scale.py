"""What association costs as tracklets come, and all at once: time, memory, and who was found.

People walk from camera to camera at a constant rate; their embeddings are drawn, not rendered.
Online, tracklets are handed over every half second and decided anew every minute, or less often
where that takes long, as by a live run: what was stored longer ago than anybody is remembered costs
nothing, so the curve must become flat. Offline, all are decided at once.
"""

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write

from commands.live_association import (
    ADD_REST_SECONDS,
    RESOLVE_EVERY_SECONDS,
    RESOLVE_REST_SECONDS,
    WINDOW_SECONDS,
    rest_seconds,
)
from pipeline.association.engine import AssociationEngine
from pipeline.association.resolver import Knowledge, associate
from pipeline.config import AssociationSettings
from pipeline.types import Embedding, EncoderIdentity, Link, Tracklet

SEED: Final = 77
CAMERAS: Final = 100
A_MINUTE: Final = 1000
"""Ten people a minute at each of a hundred cameras."""
VISITS: Final = 5
DIMENSION: Final = 256
COMMON: Final = 0.8
NOISE: Final = 1.0
"""Lengths, against a person's own, of what all people share and of what changes from visit to
visit: cosines of .63 for one person, .26 +- .05 for two."""
STAY_S: Final = (4.0, 15.0)
WALK_S: Final = (9.0, 20.0 / 9)
"""Shape and scale of the gamma distribution: 20 seconds, most of them 8 to 35."""
EVERY_S: Final = 0.5
KNOWLEDGE: Final = Knowledge({}, {}, AssociationSettings())


@dataclass(frozen=True, slots=True)
class Crowd:
    """Tracklets in order of their ends, the embedding of each, and who it is."""

    tracklets: list[Tracklet]
    embeddings: list[Embedding]
    persons: list[int]


def crowd(count: int) -> Crowd:
    """So many tracklets, of a fifth as many people, `A_MINUTE`."""
    rng = np.random.default_rng(SEED)
    encoder = EncoderIdentity("drawn", "0" * 64, DIMENSION)
    common = COMMON * rng.normal(size=DIMENSION)
    found: list[tuple[Tracklet, Embedding, int]] = []
    for person in range(count // VISITS):
        look = rng.normal(size=DIMENSION) + common
        camera = int(rng.integers(CAMERAS))
        begin = rng.uniform(0, 60 * count / A_MINUTE)
        for _ in range(VISITS):
            end = begin + rng.uniform(*STAY_S)
            vector = look + NOISE * rng.normal(size=DIMENSION)
            embedding = Embedding(vector / np.linalg.norm(vector), encoder)
            found.append((_tracklet(camera, len(found), begin, end), embedding, person))
            begin = end + rng.gamma(*WALK_S)
            camera = (camera + int(rng.integers(1, 4))) % CAMERAS
    found.sort(key=lambda each: each[0].end_us)
    return Crowd(*(list(column) for column in zip(*found, strict=True)))


def _tracklet(camera: int, number: int, begin: float, end: float) -> Tracklet:
    times = np.linspace(begin * 1e6, end * 1e6, 2).astype(np.int64)
    boxes = np.tile(np.array((0, 0, 10, 20), np.float32), (2, 1))
    return Tracklet(
        f"c{camera:03}", number + 1, 1, np.arange(2), times, boxes, np.ones(2, np.float32)
    )


def offline(people: Crowd) -> tuple[dict[str, int], dict[str, float]]:
    """Identities by tracklet, and CPU seconds."""
    begun = time.process_time()
    links = associate(people.tracklets, people.embeddings, KNOWLEDGE, 0)
    seconds = time.process_time() - begun
    return {link.tracklet: link.identity for link in links}, {"CPU s": seconds}


def online(people: Crowd) -> tuple[dict[str, int], dict[str, float]]:
    """Identities by tracklet, and costs of the last fifth of the time."""
    engine = AssociationEngine(KNOWLEDGE, WINDOW_SECONDS)
    told: dict[str, int] = {}
    adding: list[tuple[float, float, int]] = []
    deciding: list[tuple[float, float]] = []
    waiting, add_at_s, decide_at_s = 0, 0.0, RESOLVE_EVERY_SECONDS
    for until, now_us in _batches(people):
        now_s = (now_us - people.tracklets[0].end_us) / 1e6
        is_last = until == len(people.tracklets)
        if now_s >= add_at_s or is_last:
            some = people.tracklets[waiting:until], people.embeddings[waiting:until]
            links, seconds = _timed(engine.add, *some, 0)
            told.update({link.tracklet: link.identity for link in links})
            adding.append((now_s, seconds, until - waiting))
            waiting, add_at_s = until, now_s + rest_seconds(seconds, ADD_REST_SECONDS)
        if now_s >= decide_at_s or is_last:
            links, seconds = _timed(engine.resolve, now_us, 0)
            told.update({link.tracklet: link.identity for link in links})
            deciding.append((now_s, seconds))
            rested_s = rest_seconds(seconds, RESOLVE_REST_SECONDS)
            decide_at_s = now_s + max(RESOLVE_EVERY_SECONDS, rested_s)
    # After that nobody new comes.
    until_s = 60 * len(people.tracklets) / A_MINUTE
    late = [row for row in adding if 0.8 * until_s <= row[0] <= until_s]
    again = [row for row in deciding if 0.8 * until_s <= row[0] <= until_s]
    spent = sum(row[1] for row in [*late, *again])
    return told, {
        "CPU ms a new tracklet": 1000 * sum(row[1] for row in late) / sum(row[2] for row in late),
        "s between two times": median(one - other for (other, *_), (one, *_) in pairwise(late)),
        "CPU s to decide anew": deciding[-1][1],
        "share of a core, percent": 100 * spent / (0.2 * until_s),
        "remembered": len(engine),
    }


def _timed(work: Callable[..., list[Link]], *arguments: object) -> tuple[list[Link], float]:
    """What it gives, and CPU seconds."""
    begun = time.process_time()
    return work(*arguments), time.process_time() - begun


def _batches(people: Crowd) -> Iterator[tuple[int, int]]:
    """How many had ended at the end of each `EVERY_S`, and when that was."""
    ends = np.array([tracklet.end_us for tracklet in people.tracklets])
    slots = (ends - ends[0]) // int(EVERY_S * 1e6)
    borders = [*(np.flatnonzero(np.diff(slots)) + 1).tolist(), len(ends)]
    for until in borders:
        yield until, int(ends[0] + (slots[until - 1] + 1) * int(EVERY_S * 1e6))


MODES: Final = {"offline": offline, "online": online}


def measure(job: tuple[str, int]) -> dict[str, Any]:
    """Costs of a mode with so many tracklets, and how right it was; in a process of its own."""
    mode, count = job
    people = crowd(count)
    before = _peak_mb()
    told, costs = MODES[mode](people)
    identities = [told[tracklet.key] for tracklet in people.tracklets]
    return costs | {
        "MB more at most": _peak_mb() - before,
        "pairs right, percent": 100 * _share(identities, people.persons),
        "pairs found, percent": 100 * _share(people.persons, identities),
    }


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _share(some: list[int], others: list[int]) -> float:
    """Of the pairs that are one in `some`, how many are one in `others`."""
    both = np.unique(np.stack([some, others]), axis=1, return_counts=True)[1]
    one = np.unique(np.array(some), return_counts=True)[1]
    return float((both * (both - 1)).sum() / max((one * (one - 1)).sum(), 1))


def main() -> None:
    """Measure, print, write the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--online", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--offline", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--output", type=Path, help="JSON file")
    options = parser.parse_args()
    summary: dict[str, dict[str, Any]] = {}
    context = multiprocessing.get_context("spawn")
    for mode, counts in (("offline", options.offline), ("online", options.online)):
        for count in counts:
            with context.Pool(1) as alone:
                row = alone.apply(measure, ((mode, count),))
            summary[f"{mode}, {count:,} tracklets"] = row
            print(mode, count, {name: round(value, 2) for name, value in row.items()}, flush=True)
    write(document("association_scale", SEED, summary=summary), options.output)


if __name__ == "__main__":
    start(main)
