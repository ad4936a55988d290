"""Who is who, in versions: a new decision closes the one before it, and rewrites none."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    bindparam,
    func,
    insert,
    literal,
    select,
    update,
)

from pipeline.types import Evidence, Link
from storage import rows
from storage.schema import (
    Camera,
    Edit,
    ErasedTracklet,
    Identity,
    LinkPair,
    LinkRow,
    Run,
    TrackletRow,
)

PARTS = (LinkRow.appearance, LinkRow.transition_time, LinkRow.ground_plane, LinkRow.edits)
"""In the order of `Evidence`."""
NO_EVIDENCE = Evidence(0.0, 0.0, 0.0, 0.0)
COMPUTED = ("link_id", "same_identity")
"""Of a pair that another link takes over."""


class UnknownTrackletError(ValueError):
    """Links name a tracklet that the run does not have, or has no more."""


class EditedMeanwhileError(Exception):
    """A user has edited the run since the links that are to be stored were begun."""


class EditsVersion(NamedTuple):
    """How many edits of a run there are, and how many of them are undone."""

    made: int
    undone: int
    erased: int = 0


def lock_run(connection: Connection, run_id: int) -> None:
    """PostgreSQL: others who decide about this run wait for this transaction, as SQLite has it."""
    connection.execute(select(Run.id).where(Run.id == run_id).with_for_update())


def edits_version(connection: Connection, run_id: int) -> EditsVersion:
    """Which edits there are by now."""
    query = select(func.count(), func.count(Edit.undone_at_us)).where(Edit.run_id == run_id)
    of_run = ErasedTracklet.run_id == run_id
    erased = select(func.count()).select_from(ErasedTracklet).where(of_run)
    return EditsVersion(*connection.execute(query).one(), connection.execute(erased).scalar_one())


@dataclass(frozen=True, slots=True)
class Relink:
    """A new version of one tracklet's link, made of an earlier one.

    Attributes:
        tracklet: Row of the tracklet.
        source: Row of the link whose evidence and pairs it takes over.
        identity: Row of the identity that it is linked to now.
        method: Who decided.
        edits: What a user's word weighs: beside the source's evidence where the identity is the
            same, else in its place. None: the evidence is the source's.
    """

    tracklet: int
    source: int
    identity: int
    method: str
    edits: float | None = None


def relink(connection: Connection, changes: Sequence[Relink], now_us: int) -> None:
    """Close the links of these tracklets and open others in their place."""
    closed = update(LinkRow).where(
        LinkRow.tracklet_id == bindparam("tracklet"), LinkRow.valid_to_us.is_(None)
    )
    for change in changes:
        connection.execute(closed, {"tracklet": change.tracklet, "valid_to_us": now_us})
    opened = [_opened(connection, change, now_us) for change in changes]
    # Only now all are where they belong, and it can be said who shares an identity.
    for link_id, change in zip(opened, changes, strict=True):
        _take_over_pairs(connection, change, link_id)


def _opened(connection: Connection, change: Relink, now_us: int) -> int:
    """Row of the new link."""
    query = select(LinkRow.identity_id, *PARTS).where(LinkRow.id == change.source)
    identity, *parts = connection.execute(query).one()
    evidence = Evidence(*parts)
    if change.edits is not None:
        is_same = identity == change.identity
        evidence = replace(evidence if is_same else NO_EVIDENCE, edits=change.edits)
    return rows.inserted(
        connection.execute(
            insert(LinkRow).returning(LinkRow.id),
            asdict(evidence)
            | {
                "tracklet_id": change.tracklet,
                "identity_id": change.identity,
                "method": change.method,
                "decided_at_us": now_us,
            },
        )
    )


def _take_over_pairs(connection: Connection, change: Relink, link_id: int) -> None:
    own = [column for column in LinkPair.__table__.c if column.name not in COMPUTED]
    together = (
        select(LinkRow.id)
        .where(
            LinkRow.tracklet_id == LinkPair.other_tracklet_id,
            LinkRow.valid_to_us.is_(None),
            LinkRow.identity_id == change.identity,
        )
        .exists()
    )
    source = select(literal(link_id), together, *own).where(LinkPair.link_id == change.source)
    names = [*COMPUTED, *(column.name for column in own)]
    connection.execute(insert(LinkPair).from_select(names, source))


def replace_links(connection: Connection, run_id: int, links: Sequence[Link], now_us: int) -> None:
    """Close the run's open links and put these in their place.

    Raises:
        UnknownTrackletError: A link or its evidence names a tracklet that the run does not have.
        ValueError: A link holds evidence that is no finite number.
    """
    tracklets = rows.tracklet_ids(connection, run_id)
    unknown = _named(links) - set(tracklets)
    if unknown:
        raise UnknownTrackletError(f"links: unknown tracklet {min(unknown)} in run {run_id}")
    of_run = select(TrackletRow.id).where(TrackletRow.run_id == run_id)
    _close(connection, LinkRow.tracklet_id.in_(of_run), now_us)
    _add(connection, run_id, links, tracklets, now_us)


def add_links(
    connection: Connection, run_id: int, links: Sequence[Link], now_us: int
) -> frozenset[str]:
    """Close the open links of these tracklets and put these in their place; others stay.

    Returns:
        Keys of tracklets that the run does not have, or has no more: links of theirs, and what
        evidence says of them, are left out.

    Raises:
        ValueError: A link holds evidence that is no finite number.
    """
    named = _named(links)
    tracklets = rows.tracklet_ids_of(connection, run_id, named)
    known = [
        replace(link, pairs=tuple(pair for pair in link.pairs if pair.other in tracklets))
        for link in links
        if link.tracklet in tracklets
    ]
    for some in rows.batched([tracklets[link.tracklet] for link in known], rows.KEYS_AT_ONCE):
        _close(connection, LinkRow.tracklet_id.in_(some), now_us)
    _add(connection, run_id, known, tracklets, now_us)
    return frozenset(named - set(tracklets))


def current_identities(connection: Connection, run_id: int) -> dict[str, int]:
    """Numbers of the identities that hold, by the tracklets' keys."""
    query = (
        select(Camera.name, TrackletRow.track_id, TrackletRow.part, Identity.number)
        .select_from(LinkRow)
        .join(TrackletRow, TrackletRow.id == LinkRow.tracklet_id)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .join(Identity, Identity.id == LinkRow.identity_id)
        .where(TrackletRow.run_id == run_id, LinkRow.valid_to_us.is_(None))
    )
    return {
        rows.tracklet_key(camera, track_id, part): number
        for camera, track_id, part, number in connection.execute(query)
    }


def _named(links: Sequence[Link]) -> set[str]:
    """Keys of all tracklets that links and their evidence name."""
    return {link.tracklet for link in links} | {p.other for link in links for p in link.pairs}


def _close(connection: Connection, which: ColumnElement[bool], now_us: int) -> None:
    """Close the open ones of some links."""
    connection.execute(
        update(LinkRow).where(LinkRow.valid_to_us.is_(None), which).values(valid_to_us=now_us)
    )


def _add(
    connection: Connection,
    run_id: int,
    links: Sequence[Link],
    tracklets: dict[str, int],
    now_us: int,
) -> None:
    """Put links and their evidence down."""
    for link in links:
        for evidence in (link.evidence, *(pair.evidence for pair in link.pairs)):
            if not math.isfinite(evidence.log_odds):
                raise ValueError(f"links: expected finite evidence for {link.tracklet}")
    identities = _identity_ids(connection, run_id, {link.identity for link in links}, now_us)
    link_ids = _add_links(connection, links, tracklets, identities)
    pairs = [
        row
        for link_id, link in zip(link_ids, links, strict=True)
        for row in _pair_rows(link_id, link, tracklets)
    ]
    rows.insert_all(connection, LinkPair, pairs)


def _identity_ids(
    connection: Connection, run_id: int, numbers: set[int], now_us: int
) -> dict[int, int]:
    """Rows of the identities with these numbers, made where they are new."""
    known = _known_identities(connection, run_id, numbers)
    new: list[dict[str, object]] = [
        {"run_id": run_id, "number": number, "created_at_us": now_us}
        for number in sorted(numbers - set(known))
    ]
    rows.insert_all(connection, Identity, new)
    return _known_identities(connection, run_id, numbers) if new else known


def _known_identities(connection: Connection, run_id: int, numbers: set[int]) -> dict[int, int]:
    query = select(Identity.number, Identity.id).where(Identity.run_id == run_id)
    return {
        row.number: row.id
        for some in rows.batched(sorted(numbers), rows.KEYS_AT_ONCE)
        for row in connection.execute(query.where(Identity.number.in_(some)))
    }


def _add_links(
    connection: Connection,
    links: Sequence[Link],
    tracklets: dict[str, int],
    identities: dict[int, int],
) -> list[int]:
    """Numbers of the new rows, in the order of the links."""
    new: list[dict[str, object]] = [
        {
            "tracklet_id": tracklets[link.tracklet],
            "identity_id": identities[link.identity],
            "method": link.method,
            "decided_at_us": link.decided_at_us,
            "appearance": link.evidence.appearance,
            "transition_time": link.evidence.transition_time,
            "ground_plane": link.evidence.ground_plane,
            "edits": link.evidence.edits,
        }
        for link in links
    ]
    if not new:
        return []
    query = insert(LinkRow).returning(LinkRow.id, sort_by_parameter_order=True)
    return [int(number) for number in connection.execute(query, new).scalars()]


def _pair_rows(link_id: int, link: Link, tracklets: dict[str, int]) -> Iterator[dict[str, object]]:
    for position, pair in enumerate(link.pairs):
        yield {
            "link_id": link_id,
            "position": position,
            "other_tracklet_id": tracklets[pair.other],
            "similarity": None if math.isnan(pair.similarity) else pair.similarity,
            "appearance": pair.evidence.appearance,
            "transition_time": pair.evidence.transition_time,
            "ground_plane": pair.evidence.ground_plane,
            "edits": pair.evidence.edits,
            "same_identity": pair.same_identity,
        }
