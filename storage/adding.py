"""Putting tracklets down: whole ones once, open ones again and again until they have closed."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    delete,
    insert,
    literal,
    select,
    union_all,
    update,
)

from pipeline.types import Embedding, EncodedTracklet, Tracklet
from storage import embeddings, rows, sizes
from storage.schema import (
    SCORE_SCALE,
    Camera,
    EmbeddingRow,
    ErasedTracklet,
    Run,
    RunCamera,
    ThumbnailRow,
    TrackletRow,
    TrackPoint,
)

NO_FRAME: Final = -1


# Made once: to put them together took longer than to write a tracklet's boxes.
_KNOWN_OR_ERASED: Final = union_all(
    *(
        select(literal(1)).where(
            *(table.c[key.name] == bindparam(key.name) for key in ErasedTracklet.__table__.c)
        )
        for table in (TrackletRow.__table__, ErasedTracklet.__table__)
    )
)
_NUMBERED: Final = insert(TrackletRow).returning(TrackletRow.id)


@dataclass(frozen=True, slots=True)
class Begun:
    """What is stored of an open tracklet: its row, and up to which frame."""

    row: int
    last_frame: int


@dataclass(frozen=True, slots=True)
class Added:
    """How many tracklets were new, and what is stored of open ones, by key."""

    new: int
    open: dict[str, Begun]


def add(
    connection: Connection,
    run_id: int,
    encoded: Sequence[EncodedTracklet],
    begun: Mapping[str, Begun],
) -> Added:
    """Keep tracklets of a run.

    One that it has already is left as it is, unless it was open: then it goes on to what it is now.
    One that was erased does not come back.

    Args:
        connection: In a transaction.
        run_id: Of which run.
        encoded: In the order in which they came.
        begun: What is stored of the run's open tracklets, by key.
    """
    cameras = run_cameras(connection, run_id)
    now_us = time.time_ns() // 1000
    still, new = dict(begun), 0
    kept: list[tuple[int, EncodedTracklet]] = []
    points: list[tuple[int, Tracklet]] = []
    retold: list[int] = []
    for item in _latest(encoded):
        tracklet = item.tracklet
        known = still.pop(tracklet.key, None)
        if known is not None and not _went_on(connection, known, item):
            known = None
        if known is None:
            row = _insert(connection, run_id, cameras, item, now_us)
            if row is None:
                continue
            new, known = new + 1, Begun(row, NO_FRAME)
        elif _tells_appearance(item):
            retold.append(known.row)
        if item.is_open:
            still[tracklet.key] = Begun(known.row, int(tracklet.frame_indices[-1]))
        kept.append((known.row, item))
        points += [(known.row, rest) for rest in _after(tracklet, known.last_frame)]
    _lengthen(connection, run_id, [item.tracklet for _, item in kept])
    rows.insert_points(connection, points)
    told = [each for each in kept if _tells_appearance(each[1])]
    rows.delete_of_tracklets(connection, EmbeddingRow, retold)
    rows.delete_of_tracklets(connection, ThumbnailRow, retold)
    embeddings.add(connection, [(row, item.embedding) for row, item in told])
    thumbnails = [row for key, item in told for row in rows.of_thumbnails(key, item)]
    rows.insert_all(connection, ThumbnailRow, thumbnails)
    return Added(new, still)


def run_cameras(connection: Connection, run_id: int) -> dict[str, int]:
    """Numbers of the rows of a run's cameras, by name."""
    query = (
        select(Camera.name, Camera.id)
        .join(RunCamera, RunCamera.camera_id == Camera.id)
        .where(RunCamera.run_id == run_id)
    )
    return {row.name: row.id for row in connection.execute(query)}


def _latest(encoded: Sequence[EncodedTracklet]) -> Iterable[EncodedTracklet]:
    """Each tracklet as it was told last, with the last that was told of its appearance."""
    found: dict[str, EncodedTracklet] = {}
    for item in encoded:
        earlier = found.get(item.tracklet.key)
        if earlier is not None and not earlier.is_open:
            continue
        if earlier is not None and not _tells_appearance(item):
            item = replace(item, embedding=earlier.embedding, thumbnails=earlier.thumbnails)
        found[item.tracklet.key] = item
    return found.values()


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


def _went_on(connection: Connection, known: Begun, item: EncodedTracklet) -> bool:
    """Bring the row of an open tracklet up to date; False where it has been erased.

    Where it was found to show two people when it closed, it ends before what was stored of it.
    """
    tracklet, last = item.tracklet, int(item.tracklet.frame_indices[-1])
    dialect = connection.dialect.name
    size: ColumnElement[int] | int = sizes.of_tracklet(item, dialect)
    if not _tells_appearance(item):
        more = len(tracklet.scores) - TrackletRow.boxes
        size = TrackletRow.size_bytes + sizes.POINT_BYTES[dialect] * more
    of_row = update(TrackletRow).where(TrackletRow.id == known.row)
    changed = of_row.values(**_measures(tracklet), size_bytes=size)
    if connection.execute(changed).rowcount == 0:
        return False
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
