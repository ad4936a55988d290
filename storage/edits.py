"""What users decide about identities: applied at once, kept for every association to come.

An edit closes the links of the tracklets that move and opens others; the tracklets that it speaks
of are put down, so that it outlives the numbers of identities (`decisions`). To undo one gives its
tracklets the links back that they had.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, insert, select, update

from pipeline.errors import StoreError
from storage import audit, members, rows
from storage.decisions import Decision, constraints
from storage.engine import reading, writing
from storage.linking import EditsVersion, Relink, edits_version, lock_run, relink
from storage.schema import Edit, EditTracklet, Identity, LinkRow, Run
from storage.store import Store

EDIT_LOG_ODDS: Final = 100.0
"""What a user decided outweighs all else; as association has it."""


@dataclass(frozen=True, slots=True)
class Moved:
    """A tracklet that an edit has moved: `before` and `now` are numbers of identities."""

    tracklet: str
    before: int
    now: int


@dataclass(frozen=True, slots=True)
class EditReport:
    """What an edit did; `edit` counts them."""

    run: int
    edit: int
    kind: str
    moved: tuple[Moved, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """What users have decided about a run, for its next association.

    Attributes:
        together: Keys of pairs that are one person.
        apart: Keys of pairs that are not.
        people: Keys of tracklets that a user has taken for a person's.
        numbers: Identity of each tracklet now; empty where nobody has edited the run.
        following: First number that no identity has had.
        version: Changes with every edit.
    """

    together: tuple[tuple[str, str], ...]
    apart: tuple[tuple[str, str], ...]
    people: frozenset[str]
    numbers: dict[str, int]
    following: int
    version: EditsVersion


def merge(store: Store, run_id: int, identity: int, other: int) -> EditReport:
    """Two identities are one person, who keeps the first number."""
    with _editing(store, run_id) as connection:
        if identity == other:
            raise StoreError(f"expected two identities, got {identity} twice")
        joined = members.of_identity(connection, run_id, identity)
        moved = members.of_identity(connection, run_id, other)
        return _apply(connection, run_id, "merge", moved, joined=joined)


def split(store: Store, run_id: int, tracklets: Sequence[str]) -> EditReport:
    """These tracklets of one identity are somebody else, one person, who gets a new number."""
    with _editing(store, run_id) as connection:
        moved, left = members.parted(connection, run_id, tracklets)
        if not left:
            raise StoreError(f"identity {moved[0].number} has no other tracklets: nothing to split")
        return _apply(connection, run_id, "split", moved, left=left)


def reject(store: Store, run_id: int, tracklet: str) -> EditReport:
    """This tracklet is not the person it is linked to: it gets a number of its own."""
    with _editing(store, run_id) as connection:
        moved, left = members.parted(connection, run_id, [tracklet])
        if not left:
            raise StoreError(f"identity {moved[0].number} has no tracklet but {moved[0].key}")
        return _apply(connection, run_id, "reject", moved, left=left)


def relabel(store: Store, run_id: int, tracklets: Sequence[str], identity: int) -> EditReport:
    """These tracklets of one identity are another person, who is known already."""
    with _editing(store, run_id) as connection:
        moved, left = members.parted(connection, run_id, tracklets)
        if moved[0].number == identity:
            raise StoreError(f"{moved[0].key} is of identity {identity} already")
        joined = members.of_identity(connection, run_id, identity)
        return _apply(connection, run_id, "relabel", moved, joined=joined, left=left)


def confirm(store: Store, run_id: int, identity: int) -> EditReport:
    """All tracklets of an identity are one person: no association will part them."""
    with _editing(store, run_id) as connection:
        moved = members.of_identity(connection, run_id, identity)
        return _apply(connection, run_id, "confirm", moved)


def undo(store: Store, run_id: int) -> EditReport:
    """Take the newest edit back: its tracklets have the links again that they had before it."""
    newest = (
        select(Edit.id, Edit.kind)
        .where(Edit.run_id == run_id, Edit.undone_at_us.is_(None))
        .order_by(Edit.id.desc())
        .limit(1)
    )
    with _editing(store, run_id) as connection:
        edit = connection.execute(newest).first()
        if edit is None:
            raise StoreError(f"run {run_id}: there is no edit to undo")
        now_us = _now_us()
        changes, moved = _restored(connection, run_id, edit.id)
        relink(connection, changes, now_us)
        connection.execute(update(Edit).where(Edit.id == edit.id).values(undone_at_us=now_us))
        _log(connection, run_id, f"undo {edit.kind}", moved)
    return EditReport(run_id, edit.id, f"undo {edit.kind}", moved)


def name(store: Store, run_id: int, identity: int, words: str | None) -> None:
    """Give an identity a name, or none; not an edit, so that nothing keeps a name taken away.

    Raises:
        StoreError: The site did not allow names when it was run, or there is no such identity.
    """
    with _editing(store, run_id) as connection:
        settings = connection.execute(select(Run.settings_json).where(Run.id == run_id))
        is_allowed = json.loads(settings.scalar_one()).get("storage", {}).get("names", False)
        if words is not None and not is_allowed:
            raise StoreError(
                f"run {run_id}: names are off; a run of a site file with storage.names: true"
                " takes them"
            )
        members.of_identity(connection, run_id, identity)
        connection.execute(
            update(Identity)
            .where(Identity.run_id == run_id, Identity.number == identity)
            .values(label=words)
        )
        details: audit.Details = {"kind": "name", "identity": identity, "given": bool(words)}
        audit.log(connection, "edit", run_id, details)


def decided(store: Store, run_id: int) -> Decided:
    """What an association of this run must obey."""
    with reading(store.engine) as connection:
        decisions = _decisions(connection, run_id)
        keys = {row: key for key, row in rows.tracklet_ids(connection, run_id).items()}
        found = constraints(decisions)
        version = edits_version(connection, run_id)
        linked = members.of_run(connection, run_id) if version.made else []
        return Decided(
            together=tuple((keys[a], keys[b]) for a, b in found.together),
            apart=tuple((keys[a], keys[b]) for a, b in found.apart),
            people=frozenset(keys[row] for each in decisions for row in each.moved),
            numbers={each.key: each.number for each in linked},
            following=members.following(connection, run_id),
            version=version,
        )


@contextmanager
def _editing(store: Store, run_id: int) -> Iterator[Connection]:
    """A transaction in which nobody else decides about the run."""
    with writing(store.engine) as connection:
        lock_run(connection, run_id)
        yield connection


def _apply(
    connection: Connection,
    run_id: int,
    kind: str,
    moved: Sequence[members.Member],
    *,
    joined: Sequence[members.Member] = (),
    left: Sequence[members.Member] = (),
) -> EditReport:
    """Put an edit down, and link the tracklets that move."""
    now_us = _now_us()
    edit_id = _put_down(connection, run_id, kind, now_us, moved=moved, joined=joined, left=left)
    if joined:
        identity, number = joined[0].identity, joined[0].number
    elif left:
        number = members.following(connection, run_id)
        identity = _new_identity(connection, run_id, number, now_us)
    else:
        identity, number = moved[0].identity, moved[0].number
    changes = [Relink(each.tracklet, each.link, identity, kind, EDIT_LOG_ODDS) for each in moved]
    relink(connection, changes, now_us)
    told = tuple(Moved(each.key, each.number, number) for each in moved)
    _log(connection, run_id, kind, told)
    return EditReport(run_id, edit_id, kind, told)


def _put_down(
    connection: Connection, run_id: int, kind: str, now_us: int, **roles: Sequence[members.Member]
) -> int:
    """The edit and the tracklets that it speaks of, by their roles; its number."""
    row = {"run_id": run_id, "kind": kind, "made_at_us": now_us}
    edit_id = rows.inserted(connection.execute(insert(Edit).returning(Edit.id), row))
    spoken_of: list[dict[str, object]] = [
        {"edit_id": edit_id, "tracklet_id": each.tracklet, "role": role, "link_id": each.link}
        for role, group in roles.items()
        for each in group
    ]
    rows.insert_all(connection, EditTracklet, spoken_of)
    return edit_id


def _restored(
    connection: Connection, run_id: int, edit_id: int
) -> tuple[list[Relink], tuple[Moved, ...]]:
    """The links that tracklets had before an edit; not of those since erased."""
    query = (
        select(EditTracklet.tracklet_id, LinkRow.id, LinkRow.identity_id, LinkRow.method)
        .add_columns(Identity.number)
        .join(LinkRow, LinkRow.id == EditTracklet.link_id)
        .join(Identity, Identity.id == LinkRow.identity_id)
        .where(EditTracklet.edit_id == edit_id, EditTracklet.role == "moved")
        .order_by(EditTracklet.tracklet_id)
    )
    now = {each.tracklet: each for each in members.of_edit(connection, run_id, edit_id)}
    changes, moved = [], []
    for tracklet, link, identity, method, number in connection.execute(query):
        if tracklet in now:
            changes.append(Relink(tracklet, link, identity, method))
            moved.append(Moved(now[tracklet].key, now[tracklet].number, number))
    return changes, tuple(moved)


def _decisions(connection: Connection, run_id: int) -> list[Decision]:
    """The edits that hold, oldest first."""
    query = (
        select(EditTracklet.edit_id, EditTracklet.role, EditTracklet.tracklet_id)
        .join(Edit, Edit.id == EditTracklet.edit_id)
        .where(Edit.run_id == run_id, Edit.undone_at_us.is_(None))
        .order_by(EditTracklet.edit_id, EditTracklet.tracklet_id)
    )
    spoken_of: dict[int, dict[str, list[int]]] = {}
    for edit, role, tracklet in connection.execute(query):
        spoken_of.setdefault(edit, {}).setdefault(role, []).append(tracklet)
    return [
        Decision(*(tuple(roles.get(role, ())) for role in ("moved", "joined", "left")))
        for roles in spoken_of.values()
    ]


def _new_identity(connection: Connection, run_id: int, number: int, now_us: int) -> int:
    row = {"run_id": run_id, "number": number, "created_at_us": now_us}
    return rows.inserted(connection.execute(insert(Identity).returning(Identity.id), row))


def _log(connection: Connection, run_id: int, kind: str, moved: Sequence[Moved]) -> None:
    audit.log(connection, "edit", run_id, {"kind": kind, "tracklets": len(moved)})


def _now_us() -> int:
    return time.time_ns() // 1000
