"""Questions to the store. Answers are plain values, in an order that depends on content alone."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Row, Select, func, or_, select

from pipeline.errors import StoreError
from pipeline.timestamps import to_iso
from pipeline.types import UNSUPPORTED
from storage.engine import reading
from storage.rows import tracklet_key
from storage.schema import (
    PIXEL_SCALE,
    SCORE_SCALE,
    Camera,
    Identity,
    LinkPair,
    LinkRow,
    Run,
    RunCamera,
    ThumbnailRow,
    TrackletRow,
    TrackPoint,
)
from storage.store import Store

ROWS_AT_ONCE = 5_000
KEY = re.compile(r"(?P<camera>[^/]+)/(?P<track>\d+)(\.(?P<part>\d+))?")


@dataclass(frozen=True, slots=True)
class IdentitySummary:
    """One person: cameras in order of the first visit, times, passages and boxes."""

    identity: int
    cameras: tuple[str, ...]
    tracklets: int
    first_seen: str
    last_seen: str
    first_seen_us: int
    last_seen_us: int
    boxes: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A tracklet as part of a trajectory; `identity` is 0 and `log_odds` 0 where not linked."""

    identity: int
    tracklet: str
    camera: str
    enter: str
    leave: str
    enter_us: int
    leave_us: int
    boxes: int
    mean_score: float
    log_odds: float


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


def resolve_run(store: Store, run: int | None) -> int:
    """The number of a run that is there; the newest where none is asked for."""
    query = select(Run.id).order_by(Run.id.desc()).limit(1)
    if run is not None:
        query = query.where(Run.id == run)
    with reading(store.engine) as connection:
        found = connection.execute(query).scalar()
    if found is None:
        wanted = "no run yet; `run` a site first" if run is None else f"there is no run {run}"
        raise StoreError(f"database {store.name}: {wanted}")
    return int(found)


def site(store: Store, run_id: int) -> str:
    """Name of the site that a run looked at."""
    with reading(store.engine) as connection:
        return str(connection.execute(select(Run.site).where(Run.id == run_id)).scalar_one())


def settings(store: Store, run_id: int) -> str:
    """The settings of a run as it was begun, as JSON."""
    with reading(store.engine) as connection:
        query = select(Run.settings_json).where(Run.id == run_id)
        return str(connection.execute(query).scalar_one())


def cameras(store: Store, run_id: int) -> list[str]:
    """Names of the run's cameras, in the order of the site file."""
    query = (
        select(Camera.name)
        .join(RunCamera, RunCamera.camera_id == Camera.id)
        .where(RunCamera.run_id == run_id)
        .order_by(RunCamera.position)
    )
    with reading(store.engine) as connection:
        return list(connection.execute(query).scalars())


def identities(store: Store, run_id: int, *, things: bool = False) -> list[IdentitySummary]:
    """Everybody of a run, by number; or, instead, what is rather a thing than a person."""
    is_asked = LinkRow.method == UNSUPPORTED if things else LinkRow.method != UNSUPPORTED
    passages = _passages(store, _passage_query(run_id).where(is_asked))
    grouped: dict[int, list[Passage]] = {}
    for passage in passages:
        grouped.setdefault(passage.identity, []).append(passage)
    return [_summary(number, grouped[number]) for number in sorted(grouped)]


def trajectory(store: Store, run_id: int, identity: int) -> list[Passage]:
    """The passages of one person, in order of time."""
    passages = _passages(store, _passage_query(run_id).where(Identity.number == identity))
    if not passages:
        raise StoreError(f"run {run_id} has no identity {identity}")
    return passages


def presence(store: Store, run_id: int, camera: str, from_us: int, to_us: int) -> list[Passage]:
    """Who was at a camera at some moment from `from_us` to `to_us`, in order of arrival.

    Also whom no decision has been made about; not what is rather a thing than a person.
    """
    if from_us > to_us:
        raise StoreError(f"expected --from before --to, got {to_iso(from_us)}, {to_iso(to_us)}")
    known = cameras(store, run_id)
    if camera not in known:
        raise StoreError(f"run {run_id} has no camera {camera}; it has {', '.join(known)}")
    of_run = (
        select(Camera.id)
        .join(RunCamera, RunCamera.camera_id == Camera.id)
        .where(RunCamera.run_id == run_id, Camera.name == camera)
    )
    # By the camera's number, not its name: the index on camera and time serves only that.
    query = _passage_query(run_id).where(
        TrackletRow.camera_id == of_run.scalar_subquery(),
        TrackletRow.start_us <= to_us,
        TrackletRow.end_us >= from_us,
        or_(LinkRow.method.is_(None), LinkRow.method != UNSUPPORTED),
    )
    return _passages(store, query)


def why(store: Store, run_id: int, tracklet: str) -> Explanation:
    """The decision that holds for a tracklet, with its evidence."""
    match = KEY.fullmatch(tracklet)
    if match is None:
        raise StoreError(f"expected a tracklet such as desk/12 or desk/12.2, got {tracklet}")
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
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .outerjoin(LinkRow, (LinkRow.tracklet_id == TrackletRow.id) & LinkRow.valid_to_us.is_(None))
        .outerjoin(Identity, Identity.id == LinkRow.identity_id)
        .where(
            TrackletRow.run_id == run_id,
            Camera.name == match["camera"],
            TrackletRow.track_id == int(match["track"]),
            TrackletRow.part == int(match["part"] or 1),
        )
    )
    key = tracklet_key(match["camera"], int(match["track"]), int(match["part"] or 1))
    with reading(store.engine) as connection:
        row = connection.execute(query).first()
        if row is None:
            raise StoreError(f"run {run_id} has no tracklet {tracklet}")
        if row.id is None:
            raise StoreError(f"run {run_id}: tracklet {tracklet} is not linked yet")
        pairs = connection.execute(_pair_query(row.id)).all()
        versions = connection.execute(
            select(func.count()).where(LinkRow.tracklet_id == row.tracklet_row)
        ).scalar_one()
    return Explanation(
        run=run_id,
        tracklet=key,
        camera=match["camera"],
        enter_us=row.start_us,
        leave_us=row.end_us,
        identity=row.number,
        method=row.method,
        decided_at=to_iso(row.decided_at_us),
        evidence=_parts(row),
        pairs=tuple(_pair(pair) for pair in pairs),
        earlier_decisions=int(versions) - 1,
    )


def thumbnails(
    store: Store, run_id: int, wanted: Collection[str] | None = None
) -> dict[str, tuple[bytes, ...]]:
    """JPEGs of each tracklet of a run, or of those wanted, in order of time, by their keys."""
    query = (
        select(Camera.name, TrackletRow.track_id, TrackletRow.part, ThumbnailRow.jpeg)
        .join(TrackletRow, TrackletRow.id == ThumbnailRow.tracklet_id)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .where(TrackletRow.run_id == run_id)
        .order_by(ThumbnailRow.tracklet_id, ThumbnailRow.position)
    )
    found: dict[str, tuple[bytes, ...]] = {}
    with reading(store.engine) as connection:
        for camera, track_id, part, jpeg in connection.execute(query):
            key = tracklet_key(camera, track_id, part)
            if wanted is None or key in wanted:
                found[key] = (*found.get(key, ()), jpeg)
    return found


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
    for _, boxes in groupby(rows, key=lambda row: row.tracklet):
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


def _passage_query(run_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Identity.number,
            Camera.name.label("camera"),
            TrackletRow.track_id,
            TrackletRow.part,
            TrackletRow.start_us,
            TrackletRow.end_us,
            TrackletRow.boxes,
            TrackletRow.mean_score,
            (
                LinkRow.appearance + LinkRow.transition_time + LinkRow.ground_plane + LinkRow.edits
            ).label("log_odds"),
        )
        .select_from(TrackletRow)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .join(
            RunCamera,
            (RunCamera.run_id == TrackletRow.run_id)
            & (RunCamera.camera_id == TrackletRow.camera_id),
        )
        .outerjoin(LinkRow, (LinkRow.tracklet_id == TrackletRow.id) & LinkRow.valid_to_us.is_(None))
        .outerjoin(Identity, Identity.id == LinkRow.identity_id)
        .where(TrackletRow.run_id == run_id)
        # Not by the camera's name: databases differ in how they sort text.
        .order_by(TrackletRow.start_us, RunCamera.position, TrackletRow.track_id, TrackletRow.part)
    )


def _passages(store: Store, query: Select[*tuple[Any, ...]]) -> list[Passage]:
    with reading(store.engine) as connection:
        found = connection.execute(query).all()
    return [
        Passage(
            identity=row.number or 0,
            tracklet=tracklet_key(row.camera, row.track_id, row.part),
            camera=row.camera,
            enter=to_iso(row.start_us),
            leave=to_iso(row.end_us),
            enter_us=row.start_us,
            leave_us=row.end_us,
            boxes=row.boxes,
            mean_score=row.mean_score / SCORE_SCALE,
            log_odds=row.log_odds or 0.0,
        )
        for row in found
    ]


def _summary(number: int, passages: list[Passage]) -> IdentitySummary:
    first = min(passage.enter_us for passage in passages)
    last = max(passage.leave_us for passage in passages)
    return IdentitySummary(
        identity=number,
        cameras=tuple(dict.fromkeys(passage.camera for passage in passages)),
        tracklets=len(passages),
        first_seen=to_iso(first),
        last_seen=to_iso(last),
        first_seen_us=first,
        last_seen_us=last,
        boxes=sum(passage.boxes for passage in passages),
    )


def _pair_query(link_id: int) -> Select[*tuple[Any, ...]]:
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
        .outerjoin(LinkRow, (LinkRow.tracklet_id == TrackletRow.id) & LinkRow.valid_to_us.is_(None))
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
