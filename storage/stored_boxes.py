"""Boxes of linked tracklets as a run has them now, streamed."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from pipeline.types import UNSUPPORTED
from storage.engine import reading
from storage.rows import tracklet_key
from storage.schema import (
    PIXEL_SCALE,
    SCORE_SCALE,
    Camera,
    Identity,
    LinkRow,
    TrackletRow,
    TrackPoint,
)
from storage.store import Store

ROWS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class ExportRow:
    """One box of a linked tracklet."""

    camera: str
    frame_index: int
    timestamp_us: int
    identity: int
    tracklet: str
    box: tuple[float, float, float, float]
    score: float


def export_rows(store: Store, run_id: int, camera: str) -> Iterator[ExportRow]:
    """Boxes of a camera by frame and identity, streamed: memory does not grow with their number.

    Tracklets without a link are left out, and what is rather a thing than a person.
    """
    order = (TrackPoint.frame_index, Identity.number, TrackletRow.track_id, TrackletRow.part)
    return _export_rows(store, _export_query(run_id, camera).order_by(*order), camera)


def export_tracklets(store: Store, run_id: int, camera: str) -> Iterator[list[ExportRow]]:
    """The same boxes, those of one tracklet at a time, in order of their beginnings."""
    order = (TrackletRow.start_us, TrackletRow.track_id, TrackletRow.part, TrackPoint.frame_index)
    rows = _export_rows(store, _export_query(run_id, camera).order_by(*order), camera)
    for _, boxes in itertools.groupby(rows, key=lambda row: row.tracklet):
        yield list(boxes)


def _export_query(run_id: int, camera: str) -> Select[*tuple[Any, ...]]:
    return (
        select(
            TrackletRow.track_id,
            TrackletRow.part,
            Identity.number,
            TrackPoint.frame_index,
            TrackPoint.timestamp_us,
            TrackPoint.x1,
            TrackPoint.y1,
            TrackPoint.x2,
            TrackPoint.y2,
            TrackPoint.score,
        )
        .join(TrackletRow, TrackletRow.id == TrackPoint.tracklet_id)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .join(LinkRow, (LinkRow.tracklet_id == TrackletRow.id) & LinkRow.valid_to_us.is_(None))
        .join(Identity, Identity.id == LinkRow.identity_id)
        .where(TrackletRow.run_id == run_id, Camera.name == camera, LinkRow.method != UNSUPPORTED)
    )


def _export_rows(store: Store, query: Select[*tuple[Any, ...]], camera: str) -> Iterator[ExportRow]:
    with (
        reading(store.engine) as connection,
        connection.execution_options(yield_per=ROWS_AT_ONCE).execute(query) as streamed,
    ):
        for row in streamed:
            yield ExportRow(
                camera=camera,
                frame_index=row.frame_index,
                timestamp_us=row.timestamp_us,
                identity=row.number,
                tracklet=tracklet_key(camera, row.track_id, row.part),
                box=(
                    row.x1 / PIXEL_SCALE,
                    row.y1 / PIXEL_SCALE,
                    row.x2 / PIXEL_SCALE,
                    row.y2 / PIXEL_SCALE,
                ),
                score=row.score / SCORE_SCALE,
            )
