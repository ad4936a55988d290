"""Pairs of tracklets that the decisions in force hold to be one person with much evidence."""

from sqlalchemy import select
from sqlalchemy.orm import aliased

from storage.engine import reading
from storage.rows import tracklet_key
from storage.schema import Camera, LinkPair, LinkRow, TrackletRow
from storage.store import Store


def sure_links(store: Store, run_id: int, log_odds: float) -> list[tuple[str, str]]:
    """Keys of two tracklets of one identity each, of whom all evidence is at least `log_odds`."""
    other, other_camera = aliased(TrackletRow), aliased(Camera)
    total = LinkPair.appearance + LinkPair.transition_time + LinkPair.ground_plane + LinkPair.edits
    query = (
        select(
            Camera.name,
            TrackletRow.track_id,
            TrackletRow.part,
            other_camera.name,
            other.track_id,
            other.part,
        )
        .select_from(LinkPair)
        .join(LinkRow, LinkRow.id == LinkPair.link_id)
        .join(TrackletRow, TrackletRow.id == LinkRow.tracklet_id)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .join(other, other.id == LinkPair.other_tracklet_id)
        .join(other_camera, other_camera.id == other.camera_id)
        .where(
            TrackletRow.run_id == run_id,
            LinkRow.valid_to_us.is_(None),
            LinkPair.same_identity,
            total >= log_odds,
        )
    )
    with reading(store.engine) as connection:
        found = {
            (tracklet_key(*row[:3]), tracklet_key(*row[3:])) for row in connection.execute(query)
        }
    return sorted(found)
