"""Putting tracklets down: whole ones once, open ones again and again until they have closed."""

import time
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)

from pipeline.types import Embedding, EncodedTracklet, Tracklet
from storage import embeddings, rows, sizes
from storage.linking import lock_run
from storage.schema import (
    SCORE_SCALE,
    EmbeddingRow,
    ErasedTracklet,
    Run,
    ThumbnailRow,
    TrackletRow,
    TrackPoint,
)

NO_FRAME: Final = -1

_KEY: Final = ("run_id", "camera_id", "track_id")
_KNOWN: Final = select(literal(1)).where(
    *(TrackletRow.__table__.c[name] == bindparam(name) for name in (*_KEY, "part"))
)
_ERASED: Final = select(literal(1)).where(
    *(ErasedTracklet.__table__.c[name] == bindparam(name) for name in _KEY),
    ErasedTracklet.part <= bindparam("part"),
)
_KNOWN_OR_ERASED: Final = union_all(_KNOWN, _ERASED)
"""Made once: to put it together took longer than to write a tracklet's boxes."""
_NUMBERED: Final = insert(TrackletRow).returning(TrackletRow.id)


@dataclass(frozen=True, slots=True)
class Begun:
    """What is stored of a tracklet: its row, and up to which frame."""

    row: int
    last_frame: int


@dataclass(frozen=True, slots=True)
class Added:
    """How many tracklets were new, and the keys of those that are open now."""

    new: int
    open: frozenset[str]


def add(
    connection: Connection, run_id: int, encoded: Sequence[EncodedTracklet], were_open: Set[str]
) -> Added:
    """Keep tracklets of a run; done twice it is as if done once.

    One that the run has already is left as it is, unless it was open: then it goes on to what it is
    now. One that was erased does not come back, nor do later parts of its track.

    Args:
        connection: In a transaction.
        run_id: Of which run.
        encoded: In the order in which they came.
        were_open: Keys of those that were open before.
    """
    # First, like all who decide about a run: whoever locks in another order may wait for ever.
    lock_run(connection, run_id)
    cameras = rows.run_cameras(connection, run_id)
    latest = _latest(encoded)
    growing = {key for key, item in latest.items() if item.is_open or key in were_open}
    begun = _begun(connection, run_id, growing)
    new, now_us = 0, time.time_ns() // 1000
    kept: list[tuple[int, EncodedTracklet]] = []
    points: list[tuple[int, Tracklet]] = []
    retold: list[int] = []
    for key, item in latest.items():
        known = begun.get(key)
        if known is None:
            row = _insert(connection, run_id, cameras, item, now_us)
            if row is None:
                continue
            new, known = new + 1, Begun(row, NO_FRAME)
        elif not _goes_on(connection, known, item):
            continue
        elif _tells_appearance(item):
            retold.append(known.row)
        kept.append((known.row, item))
        points += [(known.row, rest) for rest in _after(item.tracklet, known.last_frame)]
    _lengthen(connection, run_id, [item.tracklet for _, item in kept])
    rows.insert_points(connection, points)
    told = [each for each in kept if _tells_appearance(each[1])]
    rows.delete_of_tracklets(connection, EmbeddingRow, retold)
    rows.delete_of_tracklets(connection, ThumbnailRow, retold)
    embeddings.add(connection, [(row, item.embedding) for row, item in told])
    thumbnails = [row for key, item in told for row in rows.of_thumbnails(key, item)]
    rows.insert_all(connection, ThumbnailRow, thumbnails)
    closed = {key for key, item in latest.items() if not item.is_open}
    return Added(new, frozenset((were_open | growing) - closed))


def _begun(connection: Connection, run_id: int, keys: Collection[str]) -> dict[str, Begun]:
    """What is stored of some of a run's tracklets, by key.

    Asked for each time: what this program remembers may have been erased, and its row's number
    given to another, and where the answer to a commit was lost it does not know what is stored.
    """
    known = rows.tracklet_ids_of(connection, run_id, keys) if keys else {}
    if not known:
        return {}
    last = (
        select(TrackPoint.tracklet_id, func.max(TrackPoint.frame_index))
        .where(TrackPoint.tracklet_id.in_(list(known.values())))
        .group_by(TrackPoint.tracklet_id)
    )
    frames = {row: int(frame) for row, frame in connection.execute(last)}
    return {key: Begun(row, frames.get(row, NO_FRAME)) for key, row in known.items()}


def _latest(encoded: Sequence[EncodedTracklet]) -> dict[str, EncodedTracklet]:
    """Each tracklet as it was told last, with the last that was told of its appearance."""
    found: dict[str, EncodedTracklet] = {}
    for item in encoded:
        earlier = found.get(item.tracklet.key)
        if earlier is not None and not earlier.is_open:
            continue
        if earlier is not None and not _tells_appearance(item):
            item = replace(item, embedding=earlier.embedding, thumbnails=earlier.thumbnails)
        found[item.tracklet.key] = item
    return found


def _tells_appearance(item: EncodedTracklet) -> bool:
    return not item.is_open or isinstance(item.embedding, Embedding)


def _insert(
    connection: Connection, run_id: int, cameras: dict[str, int], item: EncodedTracklet, now_us: int
) -> int | None:
    """The row of a new tracklet; None where the run has it already, or has erased it."""
    tracklet = item.tracklet
    key = {
        "run_id": run_id,
        "camera_id": cameras[tracklet.camera_id],
        "track_id": tracklet.track_id,
        "part": tracklet.part,
    }
    if connection.execute(_KNOWN_OR_ERASED, key).first() is not None:
        return None
    row = (
        key
        | _measures(tracklet)
        | {
            "start_us": tracklet.start_us,
            "stored_at_us": now_us,
            "size_bytes": sizes.of_tracklet(item, connection.dialect.name),
        }
    )
    return rows.inserted(connection.execute(_NUMBERED, row))


def _goes_on(connection: Connection, known: Begun, item: EncodedTracklet) -> bool:
    """Bring the row of a tracklet that was open up to date; False where more is known of it.

    Where it was found to show two people when it closed, it ends before what was stored of it.
    """
    tracklet, last = item.tracklet, int(item.tracklet.frame_indices[-1])
    if last < known.last_frame and item.is_open:
        return False
    dialect = connection.dialect.name
    size: ColumnElement[int] | int = sizes.of_tracklet(item, dialect)
    if not _tells_appearance(item):
        more = len(tracklet.scores) - TrackletRow.boxes
        size = TrackletRow.size_bytes + sizes.POINT_BYTES[dialect] * more
    of_row = update(TrackletRow).where(TrackletRow.id == known.row)
    connection.execute(of_row.values(**_measures(tracklet), size_bytes=size))
    if last < known.last_frame:
        beyond = (TrackPoint.tracklet_id == known.row) & (TrackPoint.frame_index > last)
        connection.execute(delete(TrackPoint).where(beyond))
    return True


def _measures(tracklet: Tracklet) -> dict[str, int]:
    """Columns that change while a tracklet is open."""
    return {
        "end_us": tracklet.end_us,
        "boxes": len(tracklet.scores),
        "mean_score": round(float(tracklet.scores.mean()) * SCORE_SCALE),
    }


def _after(tracklet: Tracklet, frame_index: int) -> Iterable[Tracklet]:
    """The tracklet after a frame; none where it does not go on."""
    if frame_index == NO_FRAME:
        return [tracklet]
    later = tracklet.frame_indices > frame_index
    if not later.any():
        return []
    return [
        replace(
            tracklet,
            frame_indices=tracklet.frame_indices[later],
            timestamps_us=tracklet.timestamps_us[later],
            boxes=tracklet.boxes[later],
            scores=tracklet.scores[later],
        )
    ]


def _lengthen(connection: Connection, run_id: int, new: Sequence[Tracklet]) -> None:
    """Remember the longest tracklet of a run."""
    longest_us = max((tracklet.end_us - tracklet.start_us for tracklet in new), default=0)
    connection.execute(
        update(Run)
        .where(Run.id == run_id, Run.longest_us < longest_us)
        .values(longest_us=longest_us)
    )
