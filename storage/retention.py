"""What a site keeps, and for how long: enforced in small batches, also while cameras run."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from types import TracebackType
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Exists,
    bindparam,
    delete,
    exists,
    func,
    select,
    tuple_,
    update,
)

from pipeline.config import StorageSettings
from pipeline.errors import StoreError
from storage import audit, partitions
from storage.engine import checkpoint, reading, writing
from storage.schema import EmbeddingRow, Run, ThumbnailRow, TrackletRow, TrackPoint
from storage.sizes import POINT_BYTES
from storage.store import Store, drop_empty

EVERY_SECONDS: Final = 3600.0
TRACKLETS_AT_ONCE: Final = 200
POINTS_AT_ONCE: Final = 20_000
"""Erased in one transaction: others wait a tenth of a second or so."""
DAY_US: Final = 86_400e6
GIGABYTE: Final = 1e9
PATIENCE_SECONDS: Final = 0.5
"""For readers that keep the log from being emptied; the next time will do."""


@dataclass(frozen=True, slots=True)
class Enforced:
    """What was erased: tracklets with all that hung on them, and parts of tracklets that stay."""

    tracklets: int = 0
    points: int = 0
    embeddings: int = 0
    thumbnails: int = 0


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A tracklet that is due, the oldest first."""

    id: int
    stored_at_us: int
    boxes: int
    size_bytes: int


Freed = dict[int, tuple[int, int]]
"""Rows erased and bytes freed, by tracklet."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Something that may be erased of tracklets that stay."""

    name: str
    has: Exists
    erase: Callable[[Connection, Sequence[int]], Freed]


class Retention:
    """Keeps a site within its limits: by `enforce`, and as a context every hour by a thread.

    Of tracklets whose points are too old the first and the last stay: when and where somebody came
    and went. Sizes are estimated (`sizes`), so that they are of one site alone. Where the database
    fails in the thread it is tried anew an hour later, and `warnings` says so.

    Args:
        store: Where.
        site: Whose.
        settings: The limits.
    """

    def __init__(self, store: Store, site: str, settings: StorageSettings) -> None:
        self.failure: StoreError | None = None
        self._store = store
        self._site = site
        self._settings = settings
        self._done: dict[str, tuple[int, int]] = {}  # how far parts of tracklets were looked at
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="retention", daemon=True)

    def __enter__(self) -> "Retention":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What users should know, a line each."""
        return () if self.failure is None else (f"retention: {self.failure}",)

    def enforce(self) -> Enforced:
        """Erase what is beyond the limits now."""
        now_us, settings = time.time_ns() // 1000, self._settings
        erased = Enforced(self._erase_old(now_us) + self._erase_beyond_size())
        for part, days in (
            (POINTS, settings.points_days),
            (EMBEDDINGS, settings.embeddings_days),
            (THUMBNAILS, settings.thumbnails_days),
        ):
            if days is not None:
                count = self._erase_part(part, now_us - round(days * DAY_US))
                erased = replace(erased, **{part.name: count})
        if any(asdict(erased).values()):
            with writing(self._store.engine) as connection:
                audit.log_of_site(connection, "retention", self._site, asdict(erased))
            checkpoint(self._store.engine, PATIENCE_SECONDS)
        partitions.drop_empty(self._store.engine, PATIENCE_SECONDS)
        return erased

    def _serve(self) -> None:
        while not self._stop.wait(EVERY_SECONDS):
            try:
                self.enforce()
                self.failure = None
            except StoreError as error:
                self.failure = error

    def _erase_old(self, now_us: int) -> int:
        days = self._settings.retention_days
        return 0 if days is None else self.erase_stored_before(now_us - round(days * DAY_US))

    def erase_stored_before(self, before_us: int) -> int:
        """Tracklets that were stored earlier, then identities and runs without any; how many."""
        erased = 0
        while batch := self._due(TrackletRow.stored_at_us < before_us):
            erased += self._erase(batch)
        drop_empty(self._store.engine, self._site, before_us)
        if erased:
            checkpoint(self._store.engine, PATIENCE_SECONDS)
        return erased

    def _erase_beyond_size(self) -> int:
        """The oldest tracklets, until the site takes no more than it may."""
        if self._settings.retention_gb is None:
            return 0
        of_site = select(func.sum(TrackletRow.size_bytes)).join(Run, Run.id == TrackletRow.run_id)
        with reading(self._store.engine) as connection:
            taken = connection.execute(of_site.where(Run.site == self._site)).scalar()
        excess, erased = int(taken or 0) - self._settings.retention_gb * GIGABYTE, 0
        while excess > 0 and (batch := self._due(TrackletRow.id > 0)):
            needed = _until(batch, excess)
            erased += self._erase(needed)
            excess -= sum(each.size_bytes for each in needed)
        if erased:
            drop_empty(self._store.engine, self._site, 0)
        return erased

    def _erase_part(self, part: _Part, before_us: int) -> int:
        """One part of all tracklets that were stored earlier."""
        erased = 0
        while batch := self._due(
            TrackletRow.stored_at_us < before_us,
            tuple_(TrackletRow.stored_at_us, TrackletRow.id) > self._done.get(part.name, (0, 0)),
            part.has,
        ):
            with _breathing(self._stop), writing(self._store.engine) as connection:
                freed = part.erase(connection, [each.id for each in batch])
                _shrink(connection, freed)
            erased += sum(count for count, _ in freed.values())
            self._done[part.name] = batch[-1].stored_at_us, batch[-1].id
        return erased

    def _erase(self, batch: Sequence[_Candidate]) -> int:
        with _breathing(self._stop), writing(self._store.engine) as connection:
            ids = [each.id for each in batch]
            connection.execute(delete(TrackletRow).where(TrackletRow.id.in_(ids)))
        return len(batch)

    def _due(self, *conditions: ColumnElement[bool]) -> list[_Candidate]:
        """The oldest tracklets of the site that fulfil conditions; none when it is to stop."""
        query = (
            select(
                TrackletRow.id, TrackletRow.stored_at_us, TrackletRow.boxes, TrackletRow.size_bytes
            )
            .join(Run, Run.id == TrackletRow.run_id)
            .where(Run.site == self._site, *conditions)
            .order_by(TrackletRow.stored_at_us, TrackletRow.id)
            .limit(TRACKLETS_AT_ONCE)
        )
        if self._stop.is_set():
            return []
        with reading(self._store.engine) as connection:
            found = [_Candidate(*row) for row in connection.execute(query)]
        return _until(found, POINTS_AT_ONCE, lambda each: each.boxes)


def erase_stored_before(store: Store, site: str, before_us: int) -> int:
    """Erase the tracklets of a site that were stored earlier; how many."""
    return Retention(store, site, StorageSettings()).erase_stored_before(before_us)


def _until(
    batch: Sequence[_Candidate],
    enough: float,
    weight: Callable[[_Candidate], int] = lambda each: each.size_bytes,
) -> list[_Candidate]:
    """The first of them, at least one, that together come to so much."""
    total, taken = 0, []
    for each in batch:
        taken.append(each)
        total += weight(each)
        if total >= enough:
            break
    return taken


@contextmanager
def _breathing(stop: threading.Event) -> Iterator[None]:
    """Afterwards others get as long to write as this took."""
    started = time.monotonic()
    yield
    stop.wait(time.monotonic() - started)


def _shrink(connection: Connection, freed: Freed) -> None:
    smaller = (
        update(TrackletRow)
        .where(TrackletRow.id == bindparam("key"))
        .values(size_bytes=TrackletRow.size_bytes - bindparam("freed"))
    )
    rows = [{"key": key, "freed": size} for key, (_, size) in freed.items()]
    connection.execute(smaller, rows)


def _erase_points(connection: Connection, tracklets: Sequence[int]) -> Freed:
    """All but the first and the last."""
    first, last = func.min(TrackPoint.frame_index), func.max(TrackPoint.frame_index)
    query = (
        select(TrackPoint.tracklet_id, first, last, func.count())
        .where(TrackPoint.tracklet_id.in_(tracklets))
        .group_by(TrackPoint.tracklet_id)
    )
    inner = delete(TrackPoint).where(
        TrackPoint.tracklet_id == bindparam("key"),
        TrackPoint.frame_index > bindparam("first"),
        TrackPoint.frame_index < bindparam("last"),
    )
    spans = connection.execute(query).all()
    rows = [{"key": key, "first": start, "last": end} for key, start, end, _ in spans]
    connection.execute(inner, rows)
    size = POINT_BYTES[connection.dialect.name]
    return {key: (count - 2, (count - 2) * size) for key, _, _, count in spans}


def _erase_of(table: type[EmbeddingRow | ThumbnailRow], size: Any) -> Callable[..., Freed]:
    """Erases all rows of a table that belong to tracklets."""

    def erase(connection: Connection, tracklets: Sequence[int]) -> Freed:
        own = table.tracklet_id.in_(tracklets)
        query = select(table.tracklet_id, func.count(), func.sum(size)).where(own)
        found = connection.execute(query.group_by(table.tracklet_id)).all()
        connection.execute(delete(table).where(own))
        return {key: (count, int(size)) for key, count, size in found}

    return erase


POINTS = _Part(
    "points",
    select(TrackPoint.frame_index)
    .where(TrackPoint.tracklet_id == TrackletRow.id)
    .order_by(TrackPoint.frame_index)
    .offset(2)
    .limit(1)
    .exists(),
    _erase_points,
)
EMBEDDINGS = _Part(
    "embeddings",
    exists().where(EmbeddingRow.tracklet_id == TrackletRow.id),
    _erase_of(EmbeddingRow, func.length(EmbeddingRow.vector)),
)
THUMBNAILS = _Part(
    "thumbnails",
    exists().where(ThumbnailRow.tracklet_id == TrackletRow.id),
    _erase_of(ThumbnailRow, func.length(ThumbnailRow.jpeg)),
)
