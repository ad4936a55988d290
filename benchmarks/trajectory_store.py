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
from storage.explanations import why
from storage.linking import EditsVersion
from storage.meetings import in_view_together
from storage.movements import flows, moves, visits
from storage.paths import paths, presence_in_zone
from storage.queries import Period
from storage.retention import erase_stored_before
from storage.schema import TrackletRow
from storage.search.gallery import SearchGallery
from storage.search.ranking import Search, Shown
from storage.store import CameraRecord, RunRecord, Store, open_store

CAMERAS, PEOPLE, RATE_HZ, BOXES, DIMENSION = 20, 10, 5, 100, 256
OF_IDENTITY, AT_ONCE = 5, 50
ENCODER: Final = EncoderIdentity("benchmark", "0" * 64, DIMENSION)
LASTS_US: Final = BOXES * 1_000_000 // RATE_HZ
MINUTE_US: Final = 60_000_000


class Crowd:
    """Tracklets in the order in which they close."""

    def __init__(self, seed: int, boxes: int = BOXES) -> None:
        self._rng = np.random.default_rng(seed)
        self._boxes = boxes
        self.count = 0

    def batch(self) -> list[EncodedTracklet]:
        """The next ones."""
        return [self._next() for _ in range(AT_ONCE)]

    def _next(self) -> EncodedTracklet:
        number, self.count = self.count, self.count + 1
        first_us = number * LASTS_US // (CAMERAS * PEOPLE)
        times = first_us + np.arange(self._boxes) * (1_000_000 // RATE_HZ)
        corner = self._rng.uniform(0, 1500, 2) + np.arange(self._boxes)[:, None] * [2.0, 0.5]
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
                self._rng.uniform(0.5, 1, self._boxes).astype(np.float32),
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
    total = len(seconds) * AT_ONCE * BOXES
    return {
        "points a second": total / sum(seconds),
        "points a CPU second": total / cpu_seconds,
        "batches, points a second": spread(rates),
        "slowest batch, ms": 1000 * max(seconds),
        "links a second": len(links) / linking,
    }


def timed(call: Callable[[], object]) -> float:
    """Seconds."""
    begun = time.monotonic()
    call()
    return time.monotonic() - begun


def spread(values: Any) -> dict[str, float]:
    """Median, least and greatest."""
    return {
        "median": float(np.median(values)),
        "min": float(np.min(values)),
        "max": float(np.max(values)),
    }


def size_bytes(store: Store) -> int:
    """What the database takes on disk, indexes included."""
    if store.engine.dialect.name == "sqlite":
        checkpoint(store.engine)
        return Path(str(store.engine.url.database)).stat().st_size
    total = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
    with reading(store.engine) as connection:
        return int(connection.execute(text(total)).scalar_one())


class Questions:
    """Questions about random people, places and times, each with its answer from the store.

    Args:
        store: What is asked.
        run_id: Its run.
        crowd: Who was written.
        seed: Of what is asked for.
    """

    def __init__(self, store: Store, run_id: int, crowd: Crowd, seed: int) -> None:
        self._store, self._run_id = store, run_id
        self._rng = np.random.default_rng(seed)
        self._identities = crowd.count // OF_IDENTITY
        self._until_us = crowd.count * LASTS_US // (CAMERAS * PEOPLE)

    def _minutes(self, count: int) -> Period:
        begin = int(self._rng.integers(0, self._until_us))
        return Period(begin, begin + count * MINUTE_US)

    def _camera(self) -> str:
        return f"camera-{self._rng.integers(CAMERAS)}"

    def _identity(self) -> int:
        return int(self._rng.integers(1, self._identities + 1))

    def trajectory(self) -> object:
        """Through which cameras a person went."""
        return queries.trajectory(self._store, self._run_id, self._identity())

    def path(self) -> object:
        """The same with every box, 500 of them."""
        passages = queries.trajectory(self._store, self._run_id, self._identity())
        return paths(self._store, self._run_id, passages, {})

    def presence(self) -> object:
        """Who was at a camera in a minute."""
        minute = self._minutes(1)
        return queries.presence(
            self._store, self._run_id, self._camera(), minute.from_us, minute.to_us
        )

    def zone(self) -> object:
        """Who of them was in a quarter of its picture."""
        corners = ((0.0, 0.0), (800.0, 0.0), (800.0, 800.0), (0.0, 800.0))
        period = self._minutes(1)
        return presence_in_zone(self._store, self._run_id, self._camera(), corners, period)

    def evidence(self) -> object:
        """Why a tracklet is whom it is taken for."""
        number = int(self._rng.integers(self._identities * OF_IDENTITY))
        return why(self._store, self._run_id, f"camera-{number % CAMERAS}/{number + 1}")

    def identities(self) -> object:
        """Whom a camera saw in ten minutes, and where else they were."""
        wanted = queries.Wanted(camera=self._camera(), period=self._minutes(10))
        return queries.identities(self._store, self._run_id, wanted)

    def together(self) -> object:
        """Who was in view with a person."""
        return in_view_together(self._store, self._run_id, self._identity())

    def moves(self) -> object:
        """How many went from where to where in ten minutes."""
        return flows(moves(visits(self._store, self._run_id, self._minutes(10))))


ASKED: Final = {
    "trajectory": Questions.trajectory,
    "path": Questions.path,
    "presence": Questions.presence,
    "presence in a zone": Questions.zone,
    "evidence": Questions.evidence,
    "identities": Questions.identities,
    "together": Questions.together,
    "moves": Questions.moves,
}


def asked(store: Store, run_id: int, crowd: Crowd, rounds: int, seed: int) -> dict[str, Any]:
    """Milliseconds of each question."""
    questions = Questions(store, run_id, crowd, seed)
    found: dict[str, float] = {}
    for name, question in ASKED.items():
        question(questions)
        found |= percentiles(name, [timed(partial(question, questions)) for _ in range(rounds)])
    return found


def percentiles(name: str, seconds: list[float]) -> dict[str, float]:
    """Of times, in milliseconds."""
    p50, p95 = np.percentile(np.array(seconds) * 1000, [50, 95])
    return {f"{name}, p50": float(p50), f"{name}, p95": float(p95)}


def searches(
    store: Store, run_id: int, counts: list[int], rounds: int, seed: int
) -> dict[str, dict[str, Any]]:
    """A row for each number of embeddings, the smallest first; of tracklets of one box."""
    crowd, found = Crowd(seed, boxes=1), {}
    for count in sorted(counts):
        links: list[Link] = []
        while crowd.count < count:
            batch = crowd.batch()
            store.add_tracklets(run_id, batch)
            links += map(link, batch)
        store.add_links(run_id, links, EditsVersion(0, 0))
        found[f"{count:,} embeddings"] = searched(store, run_id, crowd, rounds, seed)
        print(found, flush=True)
    return found


def searched(store: Store, run_id: int, crowd: Crowd, rounds: int, seed: int) -> dict[str, Any]:
    """Milliseconds of a search for somebody new, in a process that has the embeddings."""
    galleries: list[SearchGallery] = []
    loading = timed(lambda: galleries.append(SearchGallery.load(store, run_id, ENCODER)))
    found: dict[str, Any] = {"loading, s": loading}
    for name, is_indexed in (("exact", False), ("indexed", True)):
        search = Search(galleries[0], indexed=is_indexed)
        places = np.random.default_rng(seed).choice(crowd.count, rounds, replace=False).tolist()
        shown = [Shown(galleries[0].vectors[place], place) for place in places]
        found |= percentiles(name, [timed(partial(search.find, [one])) for one in shown])
    return found


def erased(store: Store, share: float) -> dict[str, Any]:
    """The oldest tracklets erased in the batches of retention, without rest between."""
    with reading(store.engine) as connection:
        query = select(TrackletRow.stored_at_us).order_by(TrackletRow.stored_at_us)
        times = list(connection.execute(query).scalars())
    before_us = times[round(len(times) * share)]
    counts: list[int] = []
    seconds = timed(lambda: counts.append(erase_stored_before(store, "benchmark", before_us)))
    return {"tracklets": counts[0], "seconds": seconds}


def measured(
    url: str, millions: list[float], embeddings: list[int], rounds: int, seed: int
) -> dict[str, Any]:
    """Tables with a row for each size, the smallest first; retention, and searches at the end."""
    cameras = tuple(CameraRecord(f"camera-{n}", "benchmark", False) for n in range(CAMERAS))
    tables: dict[str, Any] = {"writing": {}, "questions, ms": {}}
    with open_store(url, create=True) as store:
        run_id = store.begin_run(RunRecord("benchmark", "{}", "none", cameras, 0))
        if run_id != 1:
            raise UserError(f"database {store.name}: expected an empty one")
        crowd = Crowd(seed)
        for size in sorted(millions):
            row = f"{size:g} million points"
            writing = grow(store, run_id, crowd, round(size * 1e6))
            per_point = size_bytes(store) / (crowd.count * BOXES)
            a_day = per_point * PEOPLE * RATE_HZ * 86_400 / 1e9
            sizes = {"bytes a point": per_point, "GB a camera and day": a_day}
            tables["writing"][row] = writing | sizes
            tables["questions, ms"][row] = asked(store, run_id, crowd, rounds, seed)
            print(row, {name: table.get(row) for name, table in tables.items()}, flush=True)
        tables["retention"] = {"the oldest tenth": erased(store, 0.1)}
        print(tables["retention"])
        store.end_run(run_id, "finished", 0)
        another = store.begin_run(RunRecord("another", "{}", "none", cameras, 0))
        tables["search, ms"] = searches(store, another, embeddings, min(rounds, 50), seed)
        store.end_run(another, "finished", 0)
    return tables


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", help="URL of an empty database; default: a new SQLite file")
    parser.add_argument("--millions", type=float, nargs="+", default=[1, 5, 20], help="of points")
    parser.add_argument(
        "--embeddings", type=int, nargs="+", default=[10_000, 100_000, 1_000_000], help="searched"
    )
    parser.add_argument("--rounds", type=int, default=200, help="times that each question is asked")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="JSON file")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = chosen.database or f"sqlite:///{folder}/benchmark.db"
        summary = measured(url, chosen.millions, chosen.embeddings, chosen.rounds, chosen.seed)
    kind = url.partition(":")[0]
    content = document("trajectory_store", chosen.seed, database=kind, summary={kind: summary})
    write(content, chosen.output)


if __name__ == "__main__":
    start(main)
