"""Where people went: visits of cameras, moves between them, and how long both took.

A visit is all passages of a person through one camera with at most ten seconds between. A move is
from one visit to the person's next visit of another camera; where views overlap it takes less than
no time.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from sqlalchemy import select

from pipeline.timestamps import to_iso
from pipeline.types import UNSUPPORTED
from storage.engine import reading
from storage.queries import ALWAYS, SEEN, Period, held, where_and_when
from storage.rows import run_cameras
from storage.schema import Camera, Identity, LinkRow, TrackletRow
from storage.store import Store

BACK_WITHIN_US = 10_000_000
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Visit:
    """A person at a camera, with little time out of its view."""

    identity: int
    camera: str
    enter_us: int
    leave_us: int

    @property
    def seconds(self) -> float:
        """From first to last seen."""
        return (self.leave_us - self.enter_us) / 1e6


@dataclass(frozen=True, slots=True)
class Move:
    """A person from one camera to another; `seconds` are negative where views overlap."""

    identity: int
    origin: str
    destination: str
    leave: str
    enter: str
    leave_us: int
    enter_us: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Flow:
    """How many moves from one camera to another ended within an hour (UTC)."""

    origin: str
    destination: str
    hour: str
    moves: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Times in seconds."""

    count: int
    least: float
    median: float
    mean: float
    p90: float
    most: float


@dataclass(frozen=True, slots=True)
class Dwell:
    """How long people stayed at a camera: a visit each."""

    camera: str
    people: int
    seconds: Spread


@dataclass(frozen=True, slots=True)
class Transition:
    """How long people took from one camera to another; `share` of all moves from the first."""

    origin: str
    destination: str
    share: float
    seconds: Spread


def visits(
    store: Store, run_id: int, period: Period = ALWAYS, *, as_of_us: int | None = None
) -> list[Visit]:
    """Visits with a moment in the period, by identity, time and camera.

    Those that began before it, or go on after it, are whole.
    """
    with reading(store.engine) as connection:
        places = {name: place for place, name in enumerate(run_cameras(connection, run_id))}
        query = (
            select(Identity.number, Camera.name, TrackletRow.start_us, TrackletRow.end_us)
            .select_from(TrackletRow)
            .join(Camera, Camera.id == TrackletRow.camera_id)
            .join(LinkRow, LinkRow.tracklet_id == TrackletRow.id)
            .join(Identity, Identity.id == LinkRow.identity_id)
            .where(SEEN, held(as_of_us), LinkRow.method != UNSUPPORTED)
        )
        values = where_and_when(connection, run_id, None, period) | {"as_of_us": as_of_us}
        found = [Visit(*row) for row in connection.execute(query, values)]
    found.sort(key=lambda visit: (visit.identity, places[visit.camera], visit.enter_us))
    by_camera = groupby(found, key=lambda visit: (visit.identity, visit.camera))
    joined = [visit for _, passages in by_camera for visit in _joined(list(passages))]
    return sorted(joined, key=lambda v: (v.identity, v.enter_us, places[v.camera]))


def moves(found: Sequence[Visit]) -> list[Move]:
    """From each visit to the person's next one of another camera, by time of arrival."""
    every = [
        _move(before, after)
        for _, own in groupby(found, key=lambda visit: visit.identity)
        for before, after in pairwise(own)
        if before.camera != after.camera
    ]
    return sorted(every, key=lambda move: (move.enter_us, move.identity))


def flows(found: Iterable[Move]) -> list[Flow]:
    """Moves of each pair of cameras and hour, in order of hour and then of number."""
    counts = Counter((m.enter_us // HOUR_US, m.origin, m.destination) for m in found)
    ordered = sorted(counts.items(), key=lambda each: (each[0][0], -each[1], each[0][1:]))
    return [
        Flow(origin, destination, to_iso(hour * HOUR_US), number)
        for (hour, origin, destination), number in ordered
    ]


def dwell_times(found: Iterable[Visit]) -> list[Dwell]:
    """Of each camera, those that people stay at longest first."""
    by_camera: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in found:
        by_camera[visit.camera].append(visit)
    dwells = [
        Dwell(camera, len({v.identity for v in own}), _spread([v.seconds for v in own]))
        for camera, own in by_camera.items()
    ]
    return sorted(dwells, key=lambda dwell: (-dwell.seconds.median, dwell.camera))


def transitions(found: Iterable[Move]) -> list[Transition]:
    """Of each ordered pair of cameras, the most frequent first."""
    by_pair: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for move in found:
        by_pair[move.origin, move.destination].append(move.seconds)
    leaving: Counter[str] = Counter()
    for (origin, _), seconds in by_pair.items():
        leaving[origin] += len(seconds)
    every = [
        Transition(origin, destination, len(seconds) / leaving[origin], _spread(seconds))
        for (origin, destination), seconds in by_pair.items()
    ]
    return sorted(every, key=lambda t: (-t.seconds.count, t.origin, t.destination))


def passed(
    found: Iterable[Visit], origin: str, destination: str, within_seconds: float
) -> list[Move]:
    """Who was at one camera and then at another, by time of arrival there.

    Of each visit of the first the next arrival at the second, at most so long after leaving; the
    person may have been at other cameras between.
    """
    every = []
    for _, group in groupby(found, key=lambda visit: visit.identity):
        own = list(group)
        for place, before in enumerate(own):
            if before.camera == origin:
                after = next((v for v in own[place + 1 :] if v.camera == destination), None)
                every += [] if after is None else [_move(before, after)]
    kept = [move for move in every if move.seconds <= within_seconds]
    return sorted(kept, key=lambda move: (move.enter_us, move.identity))


def _joined(passages: Sequence[Visit]) -> list[Visit]:
    """Passages of one person through one camera, in order of time, as visits."""
    found = [passages[0]]
    for passage in passages[1:]:
        last = found[-1]
        if passage.enter_us > last.leave_us + BACK_WITHIN_US:
            found.append(passage)
        else:
            leave_us = max(last.leave_us, passage.leave_us)
            found[-1] = Visit(last.identity, last.camera, last.enter_us, leave_us)
    return found


def _move(before: Visit, after: Visit) -> Move:
    return Move(
        identity=before.identity,
        origin=before.camera,
        destination=after.camera,
        leave=to_iso(before.leave_us),
        enter=to_iso(after.enter_us),
        leave_us=before.leave_us,
        enter_us=after.enter_us,
        seconds=(after.enter_us - before.leave_us) / 1e6,
    )


def _spread(seconds: Sequence[float]) -> Spread:
    least, median, p90, most = np.quantile(seconds, (0, 0.5, 0.9, 1)).tolist()
    return Spread(len(seconds), least, median, float(np.mean(seconds)), p90, most)
