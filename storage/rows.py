"""Between the pipeline's values and the store's rows."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Result, Row, Select, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from pipeline.errors import StoreError
from pipeline.types import (
    Embedding,
    EncodedTracklet,
    EncoderIdentity,
    FloatArray,
    IntArray,
    NoEmbedding,
    Tracklet,
)
from storage.schema import (
    PIXEL_SCALE,
    SCORE_SCALE,
    Camera,
    EmbeddingRow,
    Encoder,
    RunCamera,
    ThumbnailRow,
    TrackletRow,
    TrackPoint,
)

HALF = np.dtype("<f2")
POINTS_AT_ONCE = 10_000
INSERT_POINTS = {
    "sqlite": "INSERT INTO track_point (tracklet_id, frame_index, timestamp_us, x1, y1, x2, y2,"
    " score) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    "postgresql": "INSERT INTO track_point (tracklet_id, frame_index, timestamp_us, x1, y1, x2, y2,"
    " score) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
}
KEYS_AT_ONCE = 500
KEY = re.compile(r"(?P<camera>[^/]+)/(?P<track>\d+)(\.(?P<part>\d+))?")


def tracklet_key(camera: str, track_id: int, part: int) -> str:
    """`Tracklet.key` from its columns."""
    return f"{camera}/{track_id}" + (f".{part}" if part > 1 else "")


def inserted(result: Result[*tuple[Any, ...]]) -> int:
    """The number of the row that an INSERT ... RETURNING has made."""
    return int(result.scalar_one())


def insert_all(connection: Connection, table: type, rows: list[dict[str, object]]) -> None:
    """Many rows by one statement, run many times: much faster than one with all values."""
    if rows:
        connection.execute(insert(table), rows)


def delete_of_tracklets(
    connection: Connection, table: type[EmbeddingRow] | type[ThumbnailRow], tracklets: Sequence[int]
) -> None:
    """Rows that belong to tracklets, by the numbers of their rows."""
    if tracklets:
        connection.execute(delete(table).where(table.tracklet_id.in_(tracklets)))


def found_or_made(
    connection: Connection,
    table: type[Camera] | type[Encoder],
    key: dict[str, object],
) -> int:
    """The row of this key, even where another program makes it at the same moment."""
    query = select(table.id).filter_by(**key)
    found = connection.execute(query).scalar()
    if found is not None:
        return int(found)
    try:
        with connection.begin_nested():
            return inserted(connection.execute(insert(table).returning(table.id), key))
    except IntegrityError:
        return int(connection.execute(query).scalar_one())


def tracklet_ids(connection: Connection, run_id: int) -> dict[str, int]:
    """Numbers of the rows of a run's tracklets, by `Tracklet.key`."""
    query = (
        select(Camera.name, TrackletRow.track_id, TrackletRow.part, TrackletRow.id)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .where(TrackletRow.run_id == run_id)
    )
    return {
        tracklet_key(name, track_id, part): row_id
        for name, track_id, part, row_id in connection.execute(query)
    }


_CAMERAS: Final = (
    select(Camera.name, Camera.id)
    .join(RunCamera, RunCamera.camera_id == Camera.id)
    .where(RunCamera.run_id == bindparam("run_id"))
    .order_by(RunCamera.position)
)


def run_cameras(connection: Connection, run_id: int) -> dict[str, int]:
    """Numbers of the rows of a run's cameras, by name, in the order of the site file."""
    return {row.name: row.id for row in connection.execute(_CAMERAS, {"run_id": run_id})}


def tracklet_ids_of(connection: Connection, run_id: int, keys: Collection[str]) -> dict[str, int]:
    """Numbers of the rows of some of a run's tracklets, by `Tracklet.key`; unknown ones have none.

    What it costs depends on how many are asked for, not on how many the run has.
    """
    tracks: defaultdict[str, set[int]] = defaultdict(set)
    for key in keys:
        camera, _, track = key.rpartition("/")
        tracks[camera].add(int(track.partition(".")[0]))
    of_run = select(TrackletRow.track_id, TrackletRow.part, TrackletRow.id).where(
        TrackletRow.run_id == run_id
    )
    # By the camera's number: by its name SQLite would look through all of the run.
    found = {
        tracklet_key(name, track_id, part): row_id
        for name, camera_id in run_cameras(connection, run_id).items()
        for some in batched(sorted(tracks[name]), KEYS_AT_ONCE)
        for track_id, part, row_id in connection.execute(
            of_run.where(TrackletRow.camera_id == camera_id, TrackletRow.track_id.in_(some))
        )
    }
    return {key: found[key] for key in keys if key in found}


def batched(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    """The items, so many at a time."""
    return (items[begin : begin + size] for begin in range(0, len(items), size))


def tracklet_row(connection: Connection, run_id: int, key: str) -> int | None:
    """Number of the row of a run's tracklet; None where there is none of this key.

    Raises:
        StoreError: The key is none.
    """
    match = KEY.fullmatch(key)
    if match is None:
        raise StoreError(f"expected a tracklet such as desk/12 or desk/12.2, got {key}")
    query = select(TrackletRow.id).where(
        TrackletRow.run_id == run_id,
        TrackletRow.camera_id.in_(cameras_named(run_id, match["camera"])),
        TrackletRow.track_id == int(match["track"]),
        TrackletRow.part == int(match["part"] or 1),
    )
    found = connection.execute(query).scalar()
    return None if found is None else int(found)


def cameras_named(run_id: int, name: str) -> Select[int]:
    """The number of a run's camera; none where it has none of this name.

    To find tracklets by: by the name of the camera SQLite would look through all of the run.
    """
    of_run = select(Camera.id).join(RunCamera, RunCamera.camera_id == Camera.id)
    return of_run.where(RunCamera.run_id == run_id, Camera.name == name)


def insert_points(connection: Connection, tracklets: Sequence[tuple[int, Tracklet]]) -> None:
    """Rows of `track_point` of tracklets, by the numbers of their rows.

    As tuples for the driver: twice as fast as by SQLAlchemy's own insert.
    """
    if tracklets:
        points = [
            row for tracklet_id, tracklet in tracklets for row in _points(tracklet_id, tracklet)
        ]
        connection.exec_driver_sql(INSERT_POINTS[connection.dialect.name], points)


def _points(tracklet_id: int, tracklet: Tracklet) -> Iterator[tuple[int, ...]]:
    """Boxes in tenths of a pixel, scores per mille."""
    columns = np.column_stack(
        [
            np.full(len(tracklet.scores), tracklet_id),
            tracklet.frame_indices,
            tracklet.timestamps_us,
            np.rint(tracklet.boxes.astype(np.float64) * PIXEL_SCALE).astype(np.int64),
            np.rint(tracklet.scores.astype(np.float64) * SCORE_SCALE).astype(np.int64),
        ]
    )
    return map(tuple, columns.tolist())


def of_thumbnails(tracklet_id: int, encoded: EncodedTracklet) -> Iterator[dict[str, object]]:
    """Rows of `thumbnail`, in order of time."""
    for position, thumbnail in enumerate(encoded.thumbnails):
        yield {
            "tracklet_id": tracklet_id,
            "position": position,
            "timestamp_us": thumbnail.timestamp_us,
            "jpeg": thumbnail.jpeg,
        }


def packed(vector: FloatArray) -> bytes:
    """A vector (D,) as float16: a hundredth of a cosine is far above its rounding."""
    return vector.astype(HALF).tobytes()


def points_of(connection: Connection, tracklets: Sequence[int]) -> dict[int, IntArray]:
    """Columns (T, 7) of tracklets by the numbers of their rows, as of `points_by_tracklet`.

    By numbers, not by a join: of tables of many days PostgreSQL then reads those that it needs.
    """
    columns = select(
        TrackPoint.tracklet_id,
        TrackPoint.frame_index,
        TrackPoint.timestamp_us,
        TrackPoint.x1,
        TrackPoint.y1,
        TrackPoint.x2,
        TrackPoint.y2,
        TrackPoint.score,
    ).order_by(TrackPoint.tracklet_id, TrackPoint.frame_index)
    found: dict[int, IntArray] = {}
    for some in batched(tracklets, KEYS_AT_ONCE):
        query = columns.where(TrackPoint.tracklet_id.in_(some))
        found |= points_by_tracklet(connection.execute(query))
    return found


def points_by_tracklet(result: Result[*tuple[Any, ...]]) -> dict[int, IntArray]:
    """Columns (T, 7) of each tracklet: frame, time, x1, y1, x2, y2, score; rows come sorted."""
    # Plain tuples: NumPy takes 7 times as long to read SQLAlchemy's rows.
    chunks = [
        np.array([tuple(row) for row in part], np.int64)
        for part in result.partitions(POINTS_AT_ONCE)
    ]
    table = np.concatenate(chunks) if chunks else np.empty((0, 8), np.int64)
    keys, starts = np.unique(table[:, 0], return_index=True)
    parts = np.split(table[:, 1:], starts[1:])
    return dict(zip(keys.tolist(), parts, strict=False))


def tracklet(row: Row[*tuple[Any, ...]], points: IntArray) -> Tracklet:
    """A tracklet from its row and its points (T, 7)."""
    return Tracklet(
        camera_id=row.camera,
        track_id=row.track_id,
        part=row.part,
        frame_indices=points[:, 0],
        timestamps_us=points[:, 1],
        boxes=(points[:, 2:6] / PIXEL_SCALE).astype(np.float32),
        scores=(points[:, 6] / SCORE_SCALE).astype(np.float32),
    )


def embedding(row: Row[*tuple[Any, ...]]) -> Embedding | NoEmbedding:
    """The embedding beside a tracklet's row, if it has one."""
    if row.vector is None:
        return NoEmbedding()
    encoder = EncoderIdentity(row.encoder, row.sha256, row.dimension)
    return Embedding(np.frombuffer(row.vector, HALF).astype(np.float32), encoder)
