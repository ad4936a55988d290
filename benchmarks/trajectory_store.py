"""The trajectory store as it grows: writing, size, questions, retention; on SQLite or PostgreSQL.

Tracklets of 100 boxes at 5 a second and an embedding of 256 numbers, of ten people at a time in
each of 20 cameras, five tracklets an identity, written as a run writes them: by
`Store.add_tracklets`, 50 at a time. Making them is not measured. Before the questions the log of
SQLite is brought into the file; PostgreSQL is not helped.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import select, text

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write

from pipeline.errors import UserError
from pipeline.types import (
    Embedding,
    EncodedTracklet,
    EncoderIdentity,
    Evidence,
    Link,
    Tracklet,
)
from storage import queries
from storage.engine import checkpoint, reading
from storage.linking import EditsVersion
from storage.retention import erase_stored_before
from storage.schema import TrackletRow
from storage.store import CameraRecord, RunRecord, Store, open_store

CAMERAS, PEOPLE, RATE_HZ, BOXES, DIMENSION = 20, 10, 5, 100, 256
OF_IDENTITY, AT_ONCE = 5, 50
ENCODER: Final = EncoderIdentity("benchmark", "0" * 64, DIMENSION)
LASTS_US: Final = BOXES * 1_000_000 // RATE_HZ
MINUTE_US: Final = 60_000_000


class Crowd:
    """Tracklets in the order in which they close."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.count = 0

    def batch(self) -> list[EncodedTracklet]:
        """The next ones."""
        return [self._next() for _ in range(AT_ONCE)]

    def _next(self) -> EncodedTracklet:
        number, self.count = self.count, self.count + 1
        first_us = number * LASTS_US // (CAMERAS * PEOPLE)
        times = first_us + np.arange(BOXES) * (1_000_000 // RATE_HZ)
        corner = self._rng.uniform(0, 1500, 2) + np.arange(BOXES)[:, None] * [2.0, 0.5]
        boxes = np.hstack([corner, corner + np.array([80, 220])])
        vector = self._rng.normal(size=DIMENSION)
        return EncodedTracklet(
            Tracklet(
                f"camera-{number % CAMERAS}",
                number + 1,
                1,
                times // (1_000_000 // RATE_HZ),
                times,
                boxes,
                self._rng.uniform(0.5, 1, BOXES).astype(np.float32),
            ),
            Embedding(vector / np.linalg.norm(vector), ENCODER),
            (),
        )


def link(item: EncodedTracklet) -> Link:
    """To the identity of its neighbours in time."""
    identity = (item.tracklet.track_id - 1) // OF_IDENTITY + 1
    return Link(item.tracklet.key, identity, Evidence(1.0, 0.5, 0.0, 0.0), (), 0, "benchmark")


def grow(store: Store, run_id: int, crowd: Crowd, points: int) -> dict[str, Any]:
    """Write until there are so many points; how fast."""
    seconds, links, cpu_seconds = [], [], 0.0
    while crowd.count * BOXES < points:
        batch = crowd.batch()
        cpu_seconds -= time.process_time()
        seconds.append(timed(partial(store.add_tracklets, run_id, batch)))
        cpu_seconds += time.process_time()
        links += [link(item) for item in batch]
    linking = timed(lambda: store.add_links(run_id, links, EditsVersion(0, 0)))
    rates = AT_ONCE * BOXES / np.array(seconds)
    return {
        "points_per_second": round(len(seconds) * AT_ONCE * BOXES / sum(seconds)),
        "points_per_cpu_second": round(len(seconds) * AT_ONCE * BOXES / cpu_seconds),
        "of_batches": spread(rates),
        "slowest_batch_ms": round(max(seconds) * 1000, 1),
        "links_per_second": round(len(links) / linking),
    }


def timed(call: Callable[[], object]) -> float:
    """Seconds."""
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def spread(values: Any) -> dict[str, float]:
    """Median, least and greatest."""
    return {
        "median": round(float(np.median(values))),
        "least": round(float(np.min(values))),
        "greatest": round(float(np.max(values))),
    }


def size_bytes(store: Store) -> int:
    """What the database takes on disk, indexes included."""
    if store.engine.dialect.name == "sqlite":
        checkpoint(store.engine)
        return Path(str(store.engine.url.database)).stat().st_size
    total = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
    with reading(store.engine) as connection:
        return int(connection.execute(text(total)).scalar_one())


def asked(store: Store, run_id: int, crowd: Crowd, rounds: int, seed: int) -> dict[str, Any]:
    """Milliseconds of questions about random people, places and times."""
    rng = np.random.default_rng(seed)
    identities = crowd.count // OF_IDENTITY
    until_us = crowd.count * LASTS_US // (CAMERAS * PEOPLE)

    def trajectory() -> object:
        return queries.trajectory(store, run_id, int(rng.integers(1, identities + 1)))

    def presence() -> object:
        begin = int(rng.integers(0, until_us))
        camera = f"camera-{rng.integers(CAMERAS)}"
        return queries.presence(store, run_id, camera, begin, begin + MINUTE_US)

    found = {}
    for question in (trajectory, presence):
        question()
        milliseconds = [1000 * timed(question) for _ in range(rounds)]
        p50, p95 = np.percentile(milliseconds, [50, 95])
        found[question.__name__] = {"p50_ms": round(float(p50), 2), "p95_ms": round(float(p95), 2)}
    return found


def erased(store: Store, share: float) -> dict[str, Any]:
    """The oldest tracklets erased in the batches of retention, without rest between."""
    with reading(store.engine) as connection:
        query = select(TrackletRow.stored_at_us).order_by(TrackletRow.stored_at_us)
        times = list(connection.execute(query).scalars())
    before_us = times[round(len(times) * share)]
    counts: list[int] = []
    seconds = timed(lambda: counts.append(erase_stored_before(store, "benchmark", before_us)))
    return {"tracklets": counts[0], "seconds": round(seconds, 2)}


def measured(url: str, millions: list[float], rounds: int, seed: int) -> list[dict[str, Any]]:
    """A row for each size, the smallest first, and retention at the end."""
    cameras = tuple(CameraRecord(f"camera-{n}", "benchmark", False) for n in range(CAMERAS))
    rows: list[dict[str, Any]] = []
    with open_store(url, create=True) as store:
        run_id = store.begin_run(RunRecord("benchmark", "{}", "none", cameras, 0))
        if run_id != 1:
            raise UserError(f"database {store.name}: expected an empty one")
        crowd = Crowd(seed)
        for size in sorted(millions):
            writing = grow(store, run_id, crowd, round(size * 1e6))
            per_point = size_bytes(store) / (crowd.count * BOXES)
            a_day = per_point * PEOPLE * RATE_HZ * 86_400 / 1e9
            row = {
                "points": crowd.count * BOXES,
                "writing": writing,
                "bytes_per_point": round(per_point, 1),
                "gb_per_camera_and_day": round(a_day, 3),
                "questions": asked(store, run_id, crowd, rounds, seed),
            }
            rows.append(row)
            print(row, flush=True)
        rows[-1]["retention"] = erased(store, 0.1)
        print(rows[-1]["retention"])
        store.end_run(run_id, "finished", 0)
    return rows


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", help="URL of an empty database; default: a new SQLite file")
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 5, 20], help="of points")
    parser.add_argument("--rounds", type=int, default=200, help="times that each question is asked")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = chosen.database or f"sqlite:///{folder}/benchmark.db"
        rows = measured(url, chosen.millions, chosen.rounds, chosen.seed)
    content = document("trajectory_store", chosen.seed, rows=rows, database=url.partition(":")[0])
    write(content, chosen.output)


if __name__ == "__main__":
    start(main)
