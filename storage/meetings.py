"""Who was with whom: in view of one camera at once, or close together on the floor."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, func, select

from pipeline.association.floor_tracks import STEP_US, floor_tracks, sampled
from pipeline.association.passages import in_reach, spread
from pipeline.timestamps import to_iso
from pipeline.types import UNSUPPORTED, Calibrations, IntArray
from storage.engine import reading
from storage.paths import tracklets
from storage.queries import ALWAYS, SEEN, Period, held, where_and_when
from storage.rows import run_cameras
from storage.schema import Camera, Identity, LinkRow, TrackletRow
from storage.store import Store


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two people that were together, for how long in all, between which times, at which cameras."""

    identity: int
    other: int
    seconds: float
    first: str
    last: str
    first_us: int
    last_us: int
    cameras: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Together:
    """Spans of time (S,) in which two people were together, microseconds, ends excluded.

    Attributes:
        pair: (S, 2) identities, the smaller first.
        begin: (S,).
        end: (S,).
        camera: (S,) of one of them.
    """

    pair: IntArray
    begin: IntArray
    end: IntArray
    camera: IntArray


def in_view_together(
    store: Store,
    run_id: int,
    identity: int | None = None,
    period: Period = ALWAYS,
    *,
    least_seconds: float = 0.0,
    as_of_us: int | None = None,
) -> list[Meeting]:
    """Who was in view of one camera at once, for so long in all, the longest first.

    Args:
        store: Where the run is.
        run_id: Which run.
        identity: Whose company is asked for; None: everybody's.
        period: When.
        least_seconds: Who was together for less is left out.
        as_of_us: Who is who as it was held then.
    """
    with reading(store.engine) as connection:
        names, table = _people(connection, run_id, period, as_of_us, identity)
    found = []
    for camera in range(len(names)):
        own = table[table[:, 2] == camera]
        one, other = _meeting(own, identity)
        begin = np.maximum(own[one, 3], own[other, 3])
        end = np.minimum(own[one, 4], own[other, 4])
        pair = np.sort(np.stack([own[one, 1], own[other, 1]], axis=1), axis=1)
        found.append(_Together(pair, begin, end, np.full(len(one), camera)))
    return _meetings(found, names, identity, least_seconds)


def close_together(
    store: Store,
    run_id: int,
    calibrations: Calibrations,
    metres: float,
    identity: int | None = None,
    period: Period = ALWAYS,
    *,
    least_seconds: float = 0.0,
    as_of_us: int | None = None,
) -> list[Meeting]:
    """Who stood within so many metres of each other, whichever calibrated cameras saw them.

    Looked at four times a second, where both have a place on the floor; see `in_view_together`.
    """
    with reading(store.engine) as connection:
        names, table = _people(connection, run_id, period, as_of_us, identity)
        seen = np.array([name in calibrations for name in names], np.bool_)
        table = table[seen[table[:, 2]]]
        one, other = _meeting(table, identity)
        needed = np.unique(np.concatenate([one, other]))
        known = tracklets(connection, table[needed, 0].tolist())
    tracks = floor_tracks([known[row_id] for row_id in table[needed, 0].tolist()], calibrations)
    samples = sampled(tracks)
    one, other = np.searchsorted(needed, one), np.searchsorted(needed, other)
    begins = np.maximum(samples.begins[one], samples.begins[other])
    ends = np.minimum(samples.ends[one], samples.ends[other])
    which, step = spread(begins, ends)
    places = [
        samples.positions[samples.offsets[side[which]] + step - samples.begins[side[which]]]
        for side in (one, other)
    ]
    # Places that are not known are NaN, and near nobody.
    near = np.linalg.norm(places[0] - places[1], axis=1) <= metres
    near &= (step * STEP_US >= period.from_us) & (step * STEP_US <= period.to_us)
    first, second = table[needed[one[which[near]]]], table[needed[other[which[near]]]]
    pair = np.sort(np.stack([first[:, 1], second[:, 1]], axis=1), axis=1)
    begin = step[near] * STEP_US
    both = [
        _Together(pair, begin, begin + STEP_US, each[:, 2]) for each in (first, second)
    ]  # at each of their cameras
    return _meetings(both, names, identity, least_seconds)


def _people(
    connection: Connection,
    run_id: int,
    period: Period,
    as_of_us: int | None,
    identity: int | None,
) -> tuple[list[str], IntArray]:
    """Names of cameras, and passages of people (N, 5) by begin: number of the row, identity,
    camera, begin and end, both within the period; where an identity is given, of the time in
    which it was there."""
    if identity is not None:
        period = _lifetime(connection, run_id, identity, period, as_of_us)
    names = list(run_cameras(connection, run_id))
    query = (
        select(
            TrackletRow.id, Identity.number, Camera.name, TrackletRow.start_us, TrackletRow.end_us
        )
        .select_from(TrackletRow)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .join(LinkRow, LinkRow.tracklet_id == TrackletRow.id)
        .join(Identity, Identity.id == LinkRow.identity_id)
        .where(SEEN, held(as_of_us), LinkRow.method != UNSUPPORTED)
    )
    values = where_and_when(connection, run_id, None, period) | {"as_of_us": as_of_us}
    places = {name: place for place, name in enumerate(names)}
    rows = [
        (row_id, number, places[camera], start, end)
        for row_id, number, camera, start, end in connection.execute(query, values)
    ]
    table = np.array(rows, np.int64).reshape(-1, 5)
    table[:, 3] = np.maximum(table[:, 3], period.from_us)
    table[:, 4] = np.minimum(table[:, 4], period.to_us)
    return names, table[np.lexsort((table[:, 0], table[:, 3]))]


def _lifetime(
    connection: Connection, run_id: int, identity: int, period: Period, as_of_us: int | None
) -> Period:
    """The part of a period from when an identity was seen first to when it was seen last."""
    query = (
        select(func.min(TrackletRow.start_us), func.max(TrackletRow.end_us))
        .join(LinkRow, LinkRow.tracklet_id == TrackletRow.id)
        .join(Identity, Identity.id == LinkRow.identity_id)
        .where(Identity.run_id == run_id, Identity.number == identity, held(as_of_us))
    )
    first_us, last_us = connection.execute(query, {"as_of_us": as_of_us}).one()
    if first_us is None:
        return period
    return Period(max(period.from_us, first_us), min(period.to_us, last_us))


def _meeting(table: IntArray, identity: int | None) -> tuple[IntArray, IntArray]:
    """Rows (P,) and (P,) of two people each who are there at once."""
    one, other = in_reach(table[:, 3], table[:, 4], 0)
    kept = table[one, 1] != table[other, 1]
    if identity is not None:
        kept &= (table[one, 1] == identity) | (table[other, 1] == identity)
    return one[kept], other[kept]


def _meetings(
    found: Sequence[_Together], names: Sequence[str], identity: int | None, least_seconds: float
) -> list[Meeting]:
    """What spans of time come to, those of the same two in common counted once."""
    pair = np.concatenate([each.pair for each in found])
    begin, end = (np.concatenate([getattr(e, name) for e in found]) for name in ("begin", "end"))
    camera = np.concatenate([each.camera for each in found])
    order = np.lexsort((end, begin, pair[:, 1], pair[:, 0]))
    pair, begin, end, camera = pair[order], begin[order], end[order], camera[order]
    bounds = np.flatnonzero(np.any(np.diff(pair, axis=0), axis=1)) + 1
    meetings = []
    for rows in np.split(np.arange(len(pair)), bounds) if len(pair) else []:
        # What of each span comes after the end of all before it.
        before = np.maximum.accumulate(np.r_[begin[rows[0]], end[rows[:-1]]])
        seconds = float(np.maximum(end[rows] - np.maximum(begin[rows], before), 0).sum() / 1e6)
        if seconds < least_seconds:
            continue
        low, high = pair[rows[0]].tolist()
        first, last = int(begin[rows].min()), int(end[rows].max())
        met_at = tuple(names[place] for place in np.unique(camera[rows]).tolist())
        who = (low, high) if identity in (None, low) else (high, low)
        meetings.append(
            Meeting(*who, round(seconds, 3), to_iso(first), to_iso(last), first, last, met_at)
        )
    return sorted(meetings, key=lambda m: (-m.seconds, m.identity, m.other))
