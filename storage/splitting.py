"""Splitting stored tracklets that show two people one after the other."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from pipeline.types import Split
from storage import rows, sizes
from storage.schema import EmbeddingRow, ThumbnailRow, TrackletRow, TrackPoint

_NUMBERS_APART = 2
"""One between the parts is left out: only consecutive ones say that nothing has changed."""


def split_tracklets(connection: Connection, run_id: int, splits: Sequence[Split]) -> int:
    """Split tracklets of a run; those that it does not have, or has no more, are left out.

    Returns:
        How many new parts there are.
    """
    ids = rows.tracklet_ids_of(connection, run_id, {split.tracklet for split in splits})
    # From the end, so that what is still to be split keeps its row.
    last_first = sorted(splits, key=lambda split: -split.frame_index)
    return sum(
        _split(connection, ids[split.tracklet], split.frame_index)
        for split in last_first
        if split.tracklet in ids
    )


def _split(connection: Connection, tracklet_id: int, frame_index: int) -> bool:
    """Move the boxes from a frame on, and the thumbnails, to a new part; whether there are any.

    The embedding goes: it was of both people.
    """
    columns = select(*TrackletRow.__table__.columns)
    whole = connection.execute(columns.where(TrackletRow.id == tracklet_id)).one()
    time_us = connection.execute(
        select(func.min(TrackPoint.timestamp_us)).where(
            TrackPoint.tracklet_id == tracklet_id, TrackPoint.frame_index >= frame_index
        )
    ).scalar()
    if time_us is None or time_us == whole.start_us:
        return False
    _make_room(connection, whole)
    copy = {**whole._mapping, "part": whole.part + _NUMBERS_APART}
    del copy["id"]
    new_id = rows.inserted(connection.execute(insert(TrackletRow).returning(TrackletRow.id), copy))
    for table, later in (
        (TrackPoint, TrackPoint.frame_index >= frame_index),
        (ThumbnailRow, ThumbnailRow.timestamp_us >= time_us),
    ):
        connection.execute(
            update(table).where(table.tracklet_id == tracklet_id, later).values(tracklet_id=new_id)
        )
    connection.execute(delete(EmbeddingRow).where(EmbeddingRow.tracklet_id == tracklet_id))
    for part_id in (tracklet_id, new_id):
        _describe(connection, part_id)
    return True


def _make_room(connection: Connection, whole: Row[*tuple[Any, ...]]) -> None:
    """Number the later parts of the track on, the last first: no two may have one number."""
    later = (
        select(TrackletRow.id, TrackletRow.part)
        .filter_by(run_id=whole.run_id, camera_id=whole.camera_id, track_id=whole.track_id)
        .where(TrackletRow.part > whole.part)
        .order_by(TrackletRow.part.desc())
    )
    for part_id, part in connection.execute(later).all():
        moved = update(TrackletRow).where(TrackletRow.id == part_id)
        connection.execute(moved.values(part=part + _NUMBERS_APART))


def _describe(connection: Connection, tracklet_id: int) -> None:
    """Put down what the row of a tracklet says of its points and pictures."""
    points = select(
        func.min(TrackPoint.timestamp_us).label("start_us"),
        func.max(TrackPoint.timestamp_us).label("end_us"),
        func.count().label("boxes"),
        func.avg(TrackPoint.score).label("score"),
    ).where(TrackPoint.tracklet_id == tracklet_id)
    found = connection.execute(points).one()
    pictures = select(func.sum(func.length(ThumbnailRow.jpeg))).where(
        ThumbnailRow.tracklet_id == tracklet_id
    )
    size = sizes.of_parts(
        found.boxes, 0, connection.execute(pictures).scalar() or 0, connection.dialect.name
    )
    connection.execute(
        update(TrackletRow)
        .where(TrackletRow.id == tracklet_id)
        .values(
            start_us=found.start_us,
            end_us=found.end_us,
            boxes=found.boxes,
            mean_score=round(found.score),
            size_bytes=size,
        )
    )
