"""Everything that is known about one person, as one zip file."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Row, select

from pipeline.timestamps import to_iso
from storage import audit, members, queries, rows
from storage.engine import reading
from storage.exports.files import complete_file
from storage.members import Member
from storage.schema import (
    PIXEL_SCALE,
    SCORE_SCALE,
    Camera,
    Edit,
    EditTracklet,
    EmbeddingRow,
    Encoder,
    Identity,
    LinkPair,
    LinkRow,
    ThumbnailRow,
    TrackletRow,
    TrackPoint,
)
from storage.store import Store

LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)
"""What a zip file says of the age of its members: the same content gives the same bytes."""
TRAJECTORY = ("tracklet", "camera", "enter", "leave", "boxes", "mean_score", "log_odds")
POINTS = ("tracklet", "frame", "timestamp", "left", "top", "right", "bottom", "score")
AT_ONCE: Final = 200


def export_identity(store: Store, run_id: int, number: int, output: Path) -> int:
    """Write a zip file; how many tracklets are in it.

    `person.json` (passages, decisions with evidence in all versions, edits, embeddings),
    `trajectory.csv`, `points.csv` (pixels, frames from 0) and `thumbnails/`. Of other people there
    are the keys of the tracklets with which these were compared.

    Raises:
        StoreError: There is no such identity, or the file cannot be written.
    """
    passages = queries.trajectory(store, run_id, number)
    with reading(store.engine) as connection:
        everybody = members.of_identity(connection, run_id, number)
        with (
            complete_file(output) as file,
            zipfile.ZipFile(file.buffer, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            person = {
                "site": queries.site(store, run_id),
                "run": run_id,
                "identity": number,
                "name": _name(connection, everybody[0]),
                "passages": [_columns(passage, TRAJECTORY) for passage in passages],
                "decisions": list(_decisions(connection, everybody)),
                "edits": list(_edits(connection, everybody)),
                "embeddings": list(_embeddings(connection, everybody)),
            }
            _add(archive, "person.json", [json.dumps(person, indent=1)])
            table = (_columns(passage, TRAJECTORY).values() for passage in passages)
            _add(archive, "trajectory.csv", _csv(TRAJECTORY, table))
            _add(archive, "points.csv", _csv(POINTS, _points(connection, everybody)))
            for name, jpeg in _thumbnails(connection, everybody):
                archive.writestr(zipfile.ZipInfo(name, LONG_AGO), jpeg)
    details: audit.Details = {"format": "person", "identity": number, "tracklets": len(everybody)}
    audit.log_export(store, run_id, details)
    return len(everybody)


def _columns(passage: queries.Passage, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(passage, name) for name in names}


def _add(archive: zipfile.ZipFile, name: str, pieces: Iterable[str]) -> None:
    """A text in pieces, so that a long one need not be in memory."""
    entry = zipfile.ZipInfo(name, LONG_AGO)
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as file:
        for piece in pieces:
            file.write(piece.encode())


def _csv(heading: Sequence[str], table: Iterable[Iterable[Any]]) -> Iterator[str]:
    """A table line by line."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for row in chain([heading], table):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def _batches(everybody: Sequence[Member]) -> Iterator[dict[int, str]]:
    """Keys of tracklets by their rows, some at a time: a query takes only so many."""
    for start in range(0, len(everybody), AT_ONCE):
        yield {each.tracklet: each.key for each in everybody[start : start + AT_ONCE]}


def _name(connection: Connection, member: Member) -> str | None:
    return connection.execute(
        select(Identity.label).where(Identity.id == member.identity)
    ).scalar_one()


def _decisions(connection: Connection, everybody: Sequence[Member]) -> Iterator[dict[str, Any]]:
    """Every version of the links of these tracklets, with the pairs that spoke for it."""
    for keys in _batches(everybody):
        query = (
            select(LinkRow, Identity.number)
            .join(Identity, Identity.id == LinkRow.identity_id)
            .where(LinkRow.tracklet_id.in_(keys))
            .order_by(LinkRow.tracklet_id, LinkRow.id)
        )
        pairs = _pairs(connection, keys)
        for row in connection.execute(query):
            yield {
                "tracklet": keys[row.tracklet_id],
                "identity": row.number,
                "method": row.method,
                "decided_at": to_iso(row.decided_at_us),
                "held_until": None if row.valid_to_us is None else to_iso(row.valid_to_us),
                "log_odds": _parts(row),
                "pairs": pairs.get(row.id, []),
            }


def _pairs(connection: Connection, tracklets: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    """What spoke for and against others, by the rows of these tracklets' links."""
    query = (
        select(LinkPair, Camera.name, TrackletRow.track_id, TrackletRow.part)
        .join(LinkRow, LinkRow.id == LinkPair.link_id)
        .join(TrackletRow, TrackletRow.id == LinkPair.other_tracklet_id)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .where(LinkRow.tracklet_id.in_(tracklets))
        .order_by(LinkPair.link_id, LinkPair.position)
    )
    found: dict[int, list[dict[str, Any]]] = {}
    for row in connection.execute(query):
        pair = {
            "tracklet": rows.tracklet_key(row.name, row.track_id, row.part),
            "same_identity": row.same_identity,
            "similarity": row.similarity,
            "log_odds": _parts(row),
        }
        found.setdefault(row.link_id, []).append(pair)
    return found


def _parts(row: Row[*tuple[Any, ...]]) -> dict[str, float]:
    return {
        part: getattr(row, part)
        for part in ("appearance", "transition_time", "ground_plane", "edits")
    }


def _edits(connection: Connection, everybody: Sequence[Member]) -> Iterator[dict[str, Any]]:
    for keys in _batches(everybody):
        query = (
            select(Edit.kind, Edit.made_at_us, Edit.undone_at_us)
            .add_columns(EditTracklet.tracklet_id, EditTracklet.role)
            .join(EditTracklet, EditTracklet.edit_id == Edit.id)
            .where(EditTracklet.tracklet_id.in_(keys))
            .order_by(EditTracklet.tracklet_id, Edit.id)
        )
        for kind, made_at_us, undone_at_us, tracklet, role in connection.execute(query):
            yield {
                "tracklet": keys[tracklet],
                "edit": kind,
                "role": role,
                "made_at": to_iso(made_at_us),
                "undone_at": None if undone_at_us is None else to_iso(undone_at_us),
            }


def _embeddings(connection: Connection, everybody: Sequence[Member]) -> Iterator[dict[str, Any]]:
    for keys in _batches(everybody):
        query = (
            select(EmbeddingRow.tracklet_id, EmbeddingRow.vector, Encoder.name, Encoder.sha256)
            .join(Encoder, Encoder.id == EmbeddingRow.encoder_id)
            .where(EmbeddingRow.tracklet_id.in_(keys))
            .order_by(EmbeddingRow.tracklet_id)
        )
        for tracklet, vector, encoder, sha256 in connection.execute(query):
            numbers = np.frombuffer(vector, rows.HALF).astype(np.float64).tolist()
            yield {
                "tracklet": keys[tracklet],
                "encoder": encoder,
                "sha256": sha256,
                "vector": numbers,
            }


def _points(connection: Connection, everybody: Sequence[Member]) -> Iterator[tuple[Any, ...]]:
    for keys in _batches(everybody):
        query = (
            select(TrackPoint)
            .where(TrackPoint.tracklet_id.in_(keys))
            .order_by(TrackPoint.tracklet_id, TrackPoint.frame_index)
        )
        for row in connection.execute(query):
            columns: tuple[Any, ...] = tuple(row)
            tracklet, frame, time_us, *box, score = columns
            corners = (value / PIXEL_SCALE for value in box)
            yield keys[tracklet], frame, to_iso(time_us), *corners, score / SCORE_SCALE


def _thumbnails(connection: Connection, everybody: Sequence[Member]) -> Iterator[tuple[str, bytes]]:
    for keys in _batches(everybody):
        query = (
            select(ThumbnailRow.tracklet_id, ThumbnailRow.position, ThumbnailRow.jpeg)
            .where(ThumbnailRow.tracklet_id.in_(keys))
            .order_by(ThumbnailRow.tracklet_id, ThumbnailRow.position)
        )
        for tracklet, position, jpeg in connection.execute(query):
            yield f"thumbnails/{keys[tracklet].replace('/', '-')}-{position}.jpg", jpeg
