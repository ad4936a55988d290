"""Where people were: their places in the image and on the floor, and who was in a zone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy import Connection, select

from pipeline.association.floor_tracks import floor_track
from pipeline.errors import StoreError
from pipeline.geometry import foot_points
from pipeline.timestamps import to_iso
from pipeline.types import BoolArray, Calibrations, DoubleArray, Tracklet
from storage import rows
from storage.engine import reading
from storage.queries import Passage, Period, passage_of, present
from storage.schema import Camera, TrackletRow
from storage.store import Store

Zone = Sequence[tuple[float, float]]
"""Corners of a polygon in the image, pixels."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody stood: the middle of a box's lower edge, and the place on the floor, None
    where it cannot be told."""

    time: str
    time_us: int
    x_px: float
    y_px: float
    x_m: float | None
    y_m: float | None


def paths(
    store: Store, run_id: int, passages: Collection[Passage], calibrations: Calibrations
) -> dict[str, list[Place]]:
    """The ways of passages, by their tracklets' keys, in order of time."""
    with reading(store.engine) as connection:
        keys = [passage.tracklet for passage in passages]
        ids = rows.tracklet_ids_of(connection, run_id, keys)
        found = tracklets(connection, list(ids.values()))
    return {key: _path(found[row_id], calibrations) for key, row_id in ids.items()}


def tracklets(connection: Connection, ids: Sequence[int]) -> dict[int, Tracklet]:
    """Tracklets with the boxes that are kept of them, by the numbers of their rows."""
    of_tracklets = select(
        TrackletRow.id, Camera.name.label("camera"), TrackletRow.track_id, TrackletRow.part
    ).join(Camera, Camera.id == TrackletRow.camera_id)
    points = rows.points_of(connection, ids)
    return {
        row.id: rows.tracklet(row, points[row.id])
        for some in rows.batched(ids, rows.KEYS_AT_ONCE)
        for row in connection.execute(of_tracklets.where(TrackletRow.id.in_(some)))
    }


def presence_in_zone(
    store: Store,
    run_id: int,
    camera: str,
    zone: Zone,
    period: Period,
    *,
    as_of_us: int | None = None,
) -> list[Passage]:
    """Who stood in a zone of a camera's image within a period, in order of arrival.

    `enter` and `leave` are the first and last moment in the zone, `boxes` counts those in it; of
    who goes in and out the time between counts as well.

    Raises:
        StoreError: The run has no such camera, or the zone fewer than three corners.
    """
    if len(zone) < 3:
        raise StoreError(f"expected a zone of three corners at least, got {len(zone)}")
    with reading(store.engine) as connection:
        present_rows = present(connection, run_id, camera, period, as_of_us)
        found = {row.id: passage_of(row) for row in present_rows}
        known = tracklets(connection, list(found))
    inside = [_in_zone(found[row_id], known[row_id], zone, period) for row_id in found]
    return sorted((p for p in inside if p is not None), key=lambda p: (p.enter_us, p.tracklet))


def is_inside(points: DoubleArray, zone: Zone) -> BoolArray:
    """Which points (N, 2) are in a polygon: those from which a ray crosses its border an odd
    number of times."""
    corners = np.array(zone, np.float64)
    inside = np.zeros(len(points), np.bool_)
    x, y = points.T
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        crosses = (y1 > y) != (y2 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (x < x1 + (y - y1) / (y2 - y1) * (x2 - x1))
    return inside


def _path(tracklet: Tracklet, calibrations: Calibrations) -> list[Place]:
    track = floor_track(tracklet, calibrations)
    on_floor = dict(zip(track.times_us.tolist(), track.positions.round(3).tolist(), strict=True))
    feet = foot_points(tracklet.boxes).round(2).tolist()
    return [
        Place(to_iso(time_us), time_us, x_px, y_px, *on_floor.get(time_us, (None, None)))
        for time_us, (x_px, y_px) in zip(tracklet.timestamps_us.tolist(), feet, strict=True)
    ]


def _in_zone(passage: Passage, tracklet: Tracklet, zone: Zone, period: Period) -> Passage | None:
    times = tracklet.timestamps_us
    inside = is_inside(foot_points(tracklet.boxes), zone)
    here = times[inside & (times >= period.from_us) & (times <= period.to_us)].tolist()
    if not here:
        return None
    return replace(
        passage,
        enter=to_iso(here[0]),
        leave=to_iso(here[-1]),
        enter_us=here[0],
        leave_us=here[-1],
        boxes=len(here),
    )
