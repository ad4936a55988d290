"""Questions to the store. Answers are plain values, in an order that depends on content alone."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from scipy.special import expit
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, func, or_, select
from sqlalchemy.orm import aliased

from pipeline.errors import StoreError
from pipeline.timestamps import to_iso
from pipeline.types import UNSUPPORTED
from storage.engine import reading
from storage.rows import run_cameras, tracklet_ids_of, tracklet_key
from storage.schema import (
    SCORE_SCALE,
    Camera,
    Identity,
    LinkRow,
    Run,
    RunCamera,
    ThumbnailRow,
    TrackletRow,
)
from storage.store import Store


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
class Period:
    """From one moment to another, both included, microseconds UTC.

    Raises:
        StoreError: The one is after the other.
    """

    from_us: int
    to_us: int

    def __post_init__(self) -> None:
        if self.from_us > self.to_us:
            times = f"{to_iso(self.from_us)}, {to_iso(self.to_us)}"
            raise StoreError(f"expected --from before --to, got {times}")


ALWAYS: Final = Period(-(2**62), 2**62)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which people are asked for.

    Attributes:
        period: Seen at some moment of it.
        camera: Seen by it then; None: by any.
        least_cameras: Seen by so many at least, at any time.
        least_seconds: So long between first and last seen at least.
    """

    period: Period = ALWAYS
    camera: str | None = None
    least_cameras: int = 1
    least_seconds: float = 0.0

    def includes(self, person: IdentitySummary) -> bool:
        """Whether somebody was seen by enough cameras, and for long enough."""
        seconds = (person.last_seen_us - person.first_seen_us) / 1e6
        return len(person.cameras) >= self.least_cameras and seconds >= self.least_seconds


EVERYBODY: Final = Wanted()


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

    @property
    def confidence(self) -> float | None:
        """Probability that it is of the same person as the others; None without evidence."""
        return float(expit(self.log_odds)) if self.log_odds else None


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
    with reading(store.engine) as connection:
        return list(run_cameras(connection, run_id))


def identities(
    store: Store,
    run_id: int,
    wanted: Wanted = EVERYBODY,
    *,
    things: bool = False,
    as_of_us: int | None = None,
) -> list[IdentitySummary]:
    """People of a run, by number; or, instead, what is rather a thing than a person."""
    is_asked = LinkRow.method == UNSUPPORTED if things else LinkRow.method != UNSUPPORTED
    values = {"run_id": run_id, "as_of_us": as_of_us}
    chosen = wanted.camera is not None or wanted.period != ALWAYS
    query = _passage_query(as_of_us is None, linked=True, few=chosen).where(is_asked)
    with reading(store.engine) as connection:
        if chosen:
            names = None if wanted.camera is None else [wanted.camera]
            values |= where_and_when(connection, run_id, names, wanted.period)
            seen = (
                select(LinkRow.identity_id)
                .join(TrackletRow, TrackletRow.id == LinkRow.tracklet_id)
                .where(held(as_of_us), is_asked, SEEN)
            )
            query = query.where(Identity.id.in_(seen))
        passages = list(map(passage_of, connection.execute(query, values)))
    grouped: dict[int, list[Passage]] = {}
    for passage in passages:
        grouped.setdefault(passage.identity, []).append(passage)
    found = [_summary(number, grouped[number]) for number in sorted(grouped)]
    return [person for person in found if wanted.includes(person)]


def trajectory(
    store: Store, run_id: int, identity: int, *, as_of_us: int | None = None
) -> list[Passage]:
    """The passages of one person, in order of time."""
    values = {"run_id": run_id, "identity": identity, "as_of_us": as_of_us}
    with reading(store.engine) as connection:
        found = connection.execute(_trajectory_query(as_of_us is None), values)
        passages = list(map(passage_of, found))
    if not passages:
        raise StoreError(f"run {run_id} has no identity {identity}")
    return passages


def gaps_seconds(passages: Sequence[Passage]) -> list[float | None]:
    """How long before each passage nobody saw the person; negative where views overlap."""
    latest = itertools.accumulate((passage.leave_us for passage in passages), max)
    later = zip(passages[1:], latest, strict=False)
    return [None, *((passage.enter_us - left_us) / 1e6 for passage, left_us in later)]


def presence(
    store: Store,
    run_id: int,
    camera: str,
    from_us: int,
    to_us: int,
    *,
    as_of_us: int | None = None,
) -> list[Passage]:
    """Who was at a camera at some moment from `from_us` to `to_us`, in order of arrival.

    Also whom no decision has been made about; not what is rather a thing than a person.
    """
    with reading(store.engine) as connection:
        period = Period(from_us, to_us)
        return list(map(passage_of, present(connection, run_id, camera, period, as_of_us)))


def present(
    connection: Connection, run_id: int, camera: str, period: Period, as_of_us: int | None
) -> Iterable[Row[*tuple[Any, ...]]]:
    """Rows of passages at a camera, also of those who are not linked, in order of arrival."""
    values = where_and_when(connection, run_id, [camera], period)
    query = _presence_query(as_of_us is None)
    return connection.execute(query, values | {"as_of_us": as_of_us})


SEEN: Final = and_(
    # Not as the column alone: SQLite would take the index of the run, and read all of it.
    TrackletRow.run_id + 0 == bindparam("run_id"),
    TrackletRow.camera_id.in_(bindparam("camera_ids", expanding=True)),
    TrackletRow.start_us >= bindparam("earliest_us"),
    TrackletRow.start_us <= bindparam("to_us"),
    TrackletRow.end_us >= bindparam("from_us"),
)
"""Tracklets that some of a run's cameras saw at some moment of a period: a range of their index,
as none is longer than the run's longest. The values are those of `where_and_when`."""


def where_and_when(
    connection: Connection, run_id: int, names: Sequence[str] | None, period: Period
) -> dict[str, Any]:
    """Values for `SEEN`: of these cameras, or of all.

    Raises:
        StoreError: The run has no such camera.
    """
    known = run_cameras(connection, run_id)
    wanted = list(known) if names is None else names
    for name in wanted:
        if name not in known:
            raise StoreError(f"run {run_id} has no camera {name}; it has {', '.join(known)}")
    longest_us = int(connection.execute(_LONGEST, {"run_id": run_id}).scalar_one())
    return {
        "run_id": run_id,
        "camera_ids": [known[name] for name in wanted],
        "earliest_us": period.from_us - longest_us,
        "from_us": period.from_us,
        "to_us": period.to_us,
    }


def held(as_of_us: int | None) -> ColumnElement[bool]:
    """Which links hold now, or held at a time, a value for `as_of_us`: of two the earlier.

    A decision takes a while: until it was put down, the one before it was the answer.
    """
    return _HOLDS if as_of_us is None else _HELD


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
        if wanted is not None:
            ids = tracklet_ids_of(connection, run_id, wanted).values()
            query = query.where(ThumbnailRow.tracklet_id.in_(ids))
        for camera, track_id, part, jpeg in connection.execute(query):
            key = tracklet_key(camera, track_id, part)
            found[key] = (*found.get(key, ()), jpeg)
    return found


_other = aliased(LinkRow)
_HOLDS: Final = LinkRow.valid_to_us.is_(None)
_HELD: Final = (
    LinkRow.id
    == select(func.min(_other.id))
    .where(
        _other.tracklet_id == LinkRow.tracklet_id,
        _other.decided_at_us <= bindparam("as_of_us"),
        or_(_other.valid_to_us.is_(None), _other.valid_to_us > bindparam("as_of_us")),
    )
    .scalar_subquery()
)
_LONGEST: Final = select(Run.longest_us).where(Run.id == bindparam("run_id"))


# Made once: to put such a query together takes longer than the database needs to answer it.
@cache
def _trajectory_query(is_now: bool) -> Select[*tuple[Any, ...]]:
    return _passage_query(is_now, linked=True).where(
        Identity.run_id == bindparam("run_id"), Identity.number == bindparam("identity")
    )


@cache
def _presence_query(is_now: bool) -> Select[*tuple[Any, ...]]:
    is_person = or_(LinkRow.method.is_(None), LinkRow.method != UNSUPPORTED)
    return _passage_query(is_now, linked=False).where(SEEN, is_person)


@cache
def _passage_query(is_now: bool, *, linked: bool, few: bool = False) -> Select[*tuple[Any, ...]]:
    """Passages of a run; only those with an identity, or all.

    Of a few identities they are found by these, not by the run: see `SEEN`.
    """
    holds = _HOLDS if is_now else _HELD
    run = TrackletRow.run_id + 0 if few else TrackletRow.run_id
    return (
        select(
            Identity.number,
            Camera.name.label("camera"),
            TrackletRow.id,
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
        .join(LinkRow, (LinkRow.tracklet_id == TrackletRow.id) & holds, isouter=not linked)
        .join(Identity, Identity.id == LinkRow.identity_id, isouter=not linked)
        .where(run == bindparam("run_id"))
        # Not by the camera's name: databases differ in how they sort text.
        .order_by(TrackletRow.start_us, RunCamera.position, TrackletRow.track_id, TrackletRow.part)
    )


def passage_of(row: Row[*tuple[Any, ...]]) -> Passage:
    """A passage from a row of `present`."""
    return Passage(
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
