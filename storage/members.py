"""Tracklets of a run with the links that hold, and by them the members of its identities."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, literal, select

from pipeline.errors import StoreError
from storage import rows
from storage.schema import Audit, Camera, EditTracklet, Identity, LinkRow, Run, TrackletRow

ERASURE: Final = "erasure"
"""What the audit log calls it when an identity is erased."""


@dataclass(frozen=True, slots=True)
class Member:
    """A tracklet with the link that holds: rows, and the number of the identity."""

    tracklet: int
    key: str
    link: int
    identity: int
    number: int


def of_run(connection: Connection, run_id: int) -> list[Member]:
    """Every tracklet that is linked, in order of time."""
    return _fetched(connection, run_id, literal(value=True))


def of_identity(connection: Connection, run_id: int, number: int) -> list[Member]:
    """The tracklets of one identity, in order of time.

    Raises:
        StoreError: There is no such identity.
    """
    members = _fetched(connection, run_id, Identity.number == number)
    if not members:
        raise StoreError(f"run {run_id} has no identity {number}")
    return members


def of_edit(connection: Connection, run_id: int, edit_id: int) -> list[Member]:
    """The tracklets that an edit speaks of, as they are linked now."""
    spoken_of = select(EditTracklet.tracklet_id).where(EditTracklet.edit_id == edit_id)
    return _fetched(connection, run_id, LinkRow.tracklet_id.in_(spoken_of))


def parted(
    connection: Connection, run_id: int, tracklets: Sequence[str]
) -> tuple[list[Member], list[Member]]:
    """The tracklets of these keys, all of one identity, and the others of it.

    Raises:
        StoreError: They are of two, or one of them does not exist.
    """
    named = [_named(connection, run_id, key) for key in tracklets]
    for each in named[1:]:
        if each.number != named[0].number:
            raise StoreError(
                f"expected tracklets of one identity, got {named[0].key} of {named[0].number} and"
                f" {each.key} of {each.number}"
            )
    taken = {each.tracklet: each for each in named}
    every = of_identity(connection, run_id, named[0].number)
    return list(taken.values()), [each for each in every if each.tracklet not in taken]


def following(connection: Connection, run_id: int) -> int:
    """The number after the last one that an identity of the run has, or had when it was erased."""
    query = select(func.max(Identity.number)).where(Identity.run_id == run_id)
    erasures = (
        select(Audit.details_json)
        .join(Run, Run.id == Audit.run_id)
        # The id of a run that has been dropped may be another's now.
        .where(Run.id == run_id, Audit.at_us >= Run.started_at_us, Audit.action == ERASURE)
    )
    gone = [int(json.loads(each)["identity"]) for each in connection.execute(erasures).scalars()]
    return max([int(connection.execute(query).scalar() or 0), *gone]) + 1


def _named(connection: Connection, run_id: int, key: str) -> Member:
    tracklet = rows.tracklet_row(connection, run_id, key)
    if tracklet is None:
        raise StoreError(f"run {run_id} has no tracklet {key}")
    members = _fetched(connection, run_id, LinkRow.tracklet_id == tracklet)
    if not members:
        raise StoreError(f"run {run_id}: tracklet {key} is not linked yet")
    return members[0]


def _fetched(connection: Connection, run_id: int, wanted: ColumnElement[bool]) -> list[Member]:
    query = (
        select(Camera.name, TrackletRow.track_id, TrackletRow.part)
        .add_columns(LinkRow.tracklet_id, LinkRow.id, LinkRow.identity_id, Identity.number)
        .select_from(LinkRow)
        .join(Identity, Identity.id == LinkRow.identity_id)
        .join(TrackletRow, TrackletRow.id == LinkRow.tracklet_id)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .where(Identity.run_id == run_id, LinkRow.valid_to_us.is_(None), wanted)
        .order_by(TrackletRow.start_us, TrackletRow.id)
    )
    return [
        Member(tracklet, rows.tracklet_key(camera, track, part), link, identity, number)
        for camera, track, part, tracklet, link, identity, number in connection.execute(query)
    ]
