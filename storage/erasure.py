"""Erasing everything about one person, and saying so in the audit log."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select

from storage import audit, members
from storage.engine import wiped, writing
from storage.linking import lock_run
from storage.retention import TRACKLETS_AT_ONCE
from storage.schema import (
    Base,
    Edit,
    EditTracklet,
    EmbeddingRow,
    ErasedTracklet,
    Identity,
    LinkPair,
    LinkRow,
    ThumbnailRow,
    TrackletRow,
    TrackPoint,
)
from storage.store import Store

CONCERNED: tuple[type[Base], ...] = (
    TrackletRow,
    TrackPoint,
    EmbeddingRow,
    ThumbnailRow,
    LinkRow,
    LinkPair,
    Identity,
    Edit,
    EditTracklet,
)


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows are gone: links with all their versions, and what others' links said of them.

    What was said of an identity that has gone, in earlier versions of others' links, goes with it.
    """

    tracklets: int = 0
    points: int = 0
    embeddings: int = 0
    thumbnails: int = 0
    links: int = 0
    pairs: int = 0

    def __add__(self, other: "Erased") -> "Erased":
        mine, yours = asdict(self), asdict(other)
        return Erased(**{name: mine[name] + yours[name] for name in mine})


@dataclass(frozen=True, slots=True)
class Erasure:
    """What `erase_identity` did.

    Attributes:
        run: Of which run.
        identity: Who.
        rows: What is gone from the tables.
        is_wiped: Whether it is gone from free space and logs of the database too; else somebody
            reads it, and it goes when they have ended.
    """

    run: int
    identity: int
    rows: Erased
    is_wiped: bool


def erase_identity(store: Store, run_id: int, number: int) -> Erasure:
    """Erase the tracklets of an identity with all that hangs on them, and the identity.

    In batches, so that cameras need not wait; stopped half way, the next call goes on. Their keys
    are kept, so that a resumed run that reads its recordings again does not bring them back.

    Raises:
        StoreError: There is no such identity.
    """
    erased = Erased()
    is_last = False
    while not is_last:
        with writing(store.engine) as connection:
            lock_run(connection, run_id)
            everybody = members.of_identity(connection, run_id, number)
            batch = everybody[:TRACKLETS_AT_ONCE]
            is_last = len(batch) == len(everybody)
            gone = _erase(connection, [each.tracklet for each in batch])
            if is_last:
                _forget(connection, run_id, batch[0].identity)
            details: audit.Details = {"identity": number, **asdict(gone)}
            audit.log(connection, members.ERASURE, run_id, details)
        erased += gone
    is_wiped = wiped(store.engine, [table.__tablename__ for table in CONCERNED])
    with writing(store.engine) as connection:
        left = _count(connection, Identity.run_id == run_id, Identity.number == number)
        details = {"identity": number, "identities_left": left, "wiped": is_wiped}
        audit.log(connection, "erasure proof", run_id, details)
    return Erasure(run_id, number, erased, is_wiped)


def _erase(connection: Connection, tracklets: Sequence[int]) -> Erased:
    of_links = select(LinkRow.id).where(LinkRow.tracklet_id.in_(tracklets))
    pairs = LinkPair.link_id.in_(of_links) | LinkPair.other_tracklet_id.in_(tracklets)
    erased = Erased(
        tracklets=len(tracklets),
        points=_count(connection, TrackPoint.tracklet_id.in_(tracklets)),
        embeddings=_count(connection, EmbeddingRow.tracklet_id.in_(tracklets)),
        thumbnails=_count(connection, ThumbnailRow.tracklet_id.in_(tracklets)),
        links=_count(connection, LinkRow.tracklet_id.in_(tracklets)),
        pairs=_count(connection, pairs),
    )
    names = [column.name for column in ErasedTracklet.__table__.c]
    keys = select(*(getattr(TrackletRow, name) for name in names))
    gone = keys.where(TrackletRow.id.in_(tracklets))
    connection.execute(insert(ErasedTracklet).from_select(names, gone))
    connection.execute(delete(TrackletRow).where(TrackletRow.id.in_(tracklets)))
    return erased


def _forget(connection: Connection, run_id: int, identity: int) -> None:
    """Erase an identity, and edits that speak of nobody any more."""
    connection.execute(delete(Identity).where(Identity.id == identity))
    spoken_of = select(EditTracklet.edit_id)
    connection.execute(delete(Edit).where(Edit.run_id == run_id, Edit.id.not_in(spoken_of)))


def _count(connection: Connection, *conditions: ColumnElement[bool]) -> int:
    return int(connection.execute(select(func.count()).where(*conditions)).scalar_one())
