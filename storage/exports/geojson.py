"""GeoJSON (RFC 7946) of a site whose place on earth is known: a way over the map a tracklet.

A FeatureCollection of LineStrings, of a Point where one place is all that is known; each with
identity, camera, tracklet, and the times of its places. Tracklets whose feet are never to be seen,
and those of cameras without calibration, are left out.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.association.floor_tracks import floor_track
from pipeline.config import OriginSettings
from pipeline.timestamps import to_iso
from pipeline.types import Calibrations, DoubleArray
from storage import queries, stored_boxes
from storage.exports.files import complete_file
from storage.exports.rows import tracklet_of
from storage.store import Store

EQUATOR_M, FLATTENING = 6_378_137.0, 1 / 298.257223563
"""Of WGS 84."""


def export(
    store: Store, run_id: int, output: Path, calibrations: Calibrations, origin: OriginSettings
) -> list[Path]:
    """Write the file; its path.

    Raises:
        StoreError: It cannot be written.
    """
    with complete_file(output) as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, feature in enumerate(_features(store, run_id, calibrations, origin)):
            file.write(f"{',' if number else ''}\n{json.dumps(feature)}")
        file.write("]}\n")
    return [output]


def to_earth(places: DoubleArray, origin: OriginSettings) -> DoubleArray:
    """Longitudes and latitudes (N, 2) in degrees of floor positions (N, 2) in metres.

    By the radii of curvature at the origin: a millimetre off some hundred metres away.
    """
    heading = np.radians(origin.heading_degrees)
    x, y = places.T
    east = x * np.cos(heading) + y * np.sin(heading)
    north = y * np.cos(heading) - x * np.sin(heading)
    latitude = np.radians(origin.latitude)
    squared = FLATTENING * (2 - FLATTENING)
    flat = 1 - squared * np.sin(latitude) ** 2
    meridian_m = EQUATOR_M * (1 - squared) / flat**1.5
    parallel_m = EQUATOR_M / np.sqrt(flat) * np.cos(latitude)
    longitudes = origin.longitude + np.degrees(east / parallel_m)
    return np.stack([longitudes, origin.latitude + np.degrees(north / meridian_m)], axis=1)


def _features(
    store: Store, run_id: int, calibrations: Calibrations, origin: OriginSettings
) -> Iterator[dict[str, object]]:
    for camera in queries.cameras(store, run_id):
        if camera not in calibrations:
            continue
        for rows in stored_boxes.export_tracklets(store, run_id, camera):
            track = floor_track(tracklet_of(rows), calibrations)
            if not len(track.times_us):
                continue
            line = to_earth(track.positions, origin).round(8).tolist()  # a millimetre
            is_line = len(line) > 1
            yield {
                "type": "Feature",
                "geometry": {
                    "type": "LineString" if is_line else "Point",
                    "coordinates": line if is_line else line[0],
                },
                "properties": {
                    "identity": rows[0].identity,
                    "camera": camera,
                    "tracklet": rows[0].tracklet,
                    "times": [to_iso(time_us) for time_us in track.times_us.tolist()],
                },
            }
