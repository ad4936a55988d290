"""Why a tracklet has its identity: the evidence that was put down with the decision."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, func, select

from pipeline.errors import StoreError
from pipeline.timestamps import to_iso
from storage import rows
from storage.engine import reading
from storage.queries import held
from storage.rows import tracklet_key
from storage.schema import Camera, Identity, LinkPair, LinkRow, TrackletRow
from storage.store import Store

KEY = re.compile(r"(?P<camera>[^/]+)/(?P<track>\d+)(\.(?P<part>\d+))?")


@dataclass(frozen=True, slots=True)
class Parts:
    """Evidence for "same person" in log-odds; the parts add up to `log_odds`."""

    log_odds: float
    appearance: float
    transition_time: float
    ground_plane: float
    edits: float


@dataclass(frozen=True, slots=True)
class Pair:
    """What speaks for and against another tracklet being the same person."""

    tracklet: str
    camera: str
    enter_us: int
    leave_us: int
    identity: int
    same_identity: bool
    similarity: float | None
    evidence: Parts


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a tracklet has its identity."""

    run: int
    tracklet: str
    camera: str
    enter_us: int
    leave_us: int
    identity: int
    method: str
    decided_at: str
    evidence: Parts
    pairs: tuple[Pair, ...]
    earlier_decisions: int


def why(store: Store, run_id: int, tracklet: str, *, as_of_us: int | None = None) -> Explanation:
    """The decision that holds for a tracklet, or held at a time, with its evidence."""
    camera, track, part = parsed(tracklet)
    query = (
        select(
            TrackletRow.id.label("tracklet_row"),
            TrackletRow.start_us,
            TrackletRow.end_us,
            Identity.number,
            LinkRow.id,
            LinkRow.method,
            LinkRow.decided_at_us,
            LinkRow.appearance,
            LinkRow.transition_time,
            LinkRow.ground_plane,
            LinkRow.edits,
        )
        .select_from(TrackletRow)
        .outerjoin(LinkRow, (LinkRow.tracklet_id == TrackletRow.id) & held(as_of_us))
        .outerjoin(Identity, Identity.id == LinkRow.identity_id)
        .where(
            TrackletRow.run_id == run_id,
            TrackletRow.camera_id.in_(rows.cameras_named(run_id, camera)),
            TrackletRow.track_id == track,
            TrackletRow.part == part,
        )
    )
    with reading(store.engine) as connection:
        row = connection.execute(query, {"as_of_us": as_of_us}).first()
        if row is None:
            raise StoreError(f"run {run_id} has no tracklet {tracklet}")
        if row.id is None:
            raise StoreError(f"run {run_id}: tracklet {tracklet} is not linked yet")
        others = _pair_query(row.id, as_of_us)
        pairs = connection.execute(others, {"as_of_us": as_of_us}).all()
        versions = connection.execute(
            select(func.count()).where(LinkRow.tracklet_id == row.tracklet_row, LinkRow.id < row.id)
        ).scalar_one()
    return Explanation(
        run=run_id,
        tracklet=tracklet_key(camera, track, part),
        camera=camera,
        enter_us=row.start_us,
        leave_us=row.end_us,
        identity=row.number,
        method=row.method,
        decided_at=to_iso(row.decided_at_us),
        evidence=_parts(row),
        pairs=tuple(_pair(pair) for pair in pairs),
        earlier_decisions=int(versions),
    )


def parsed(tracklet: str) -> tuple[str, int, int]:
    """Camera, track and part of a tracklet's key.

    Raises:
        StoreError: It is none.
    """
    match = KEY.fullmatch(tracklet)
    if match is None:
        raise StoreError(f"expected a tracklet such as desk/12 or desk/12.2, got {tracklet}")
    return match["camera"], int(match["track"]), int(match["part"] or 1)


def _pair_query(link_id: int, as_of_us: int | None) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Camera.name.label("camera"),
            TrackletRow.track_id,
            TrackletRow.part,
            TrackletRow.start_us,
            TrackletRow.end_us,
            Identity.number,
            LinkPair.same_identity,
            LinkPair.similarity,
            LinkPair.appearance,
            LinkPair.transition_time,
            LinkPair.ground_plane,
            LinkPair.edits,
        )
        .join(TrackletRow, TrackletRow.id == LinkPair.other_tracklet_id)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .outerjoin(LinkRow, (LinkRow.tracklet_id == TrackletRow.id) & held(as_of_us))
        .outerjoin(Identity, Identity.id == LinkRow.identity_id)
        .where(LinkPair.link_id == link_id)
        .order_by(LinkPair.position)
    )


def _pair(row: Row[*tuple[Any, ...]]) -> Pair:
    return Pair(
        tracklet=tracklet_key(row.camera, row.track_id, row.part),
        camera=row.camera,
        enter_us=row.start_us,
        leave_us=row.end_us,
        identity=row.number or 0,
        same_identity=row.same_identity,
        similarity=row.similarity,
        evidence=_parts(row),
    )


def _parts(row: Row[*tuple[Any, ...]]) -> Parts:
    total = row.appearance + row.transition_time + row.ground_plane + row.edits
    return Parts(total, row.appearance, row.transition_time, row.ground_plane, row.edits)
