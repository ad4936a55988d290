"""The clips of simulated tracks: rendered pictures, cut where the tracks have their boxes.

Only some moments are rendered, the same for all tracks: one picture serves everybody in it.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from cameras.simulation.scene import Scene
from cameras.simulation.timetable import Timetable
from cameras.simulation.tracklets import Tracks
from pipeline.tracking.clips import cut
from pipeline.types import ImageArray, IntArray

LOOK_SECONDS: Final = 1.0
"""Pictures are rendered at most so often: closer together a person hardly changes."""

Wanted = dict[tuple[str, int], list[int]]
"""Rows of a camera's tracks by camera and frame."""


def clip_rows(tracks: Tracks, size: int, stride: int) -> list[IntArray]:
    """Rows of at most `size` boxes of each track: the best seen of each part of its length.

    Args:
        tracks: The tracks of a camera.
        size: How many crops a clip has at most.
        stride: Only every so many pictures there are; of a track between two, another one.
    """
    return [_best(tracks, rows, size, stride) for rows in tracks.each()]


def _best(tracks: Tracks, rows: slice, size: int, stride: int) -> IntArray:
    own = np.arange(rows.start, rows.stop)
    on_grid = own[tracks.frames[own] % stride == 0]
    if not len(on_grid):
        return own[[tracks.scores[own].argmax()]]
    first, last = tracks.frames[on_grid[0]], tracks.frames[on_grid[-1]]
    slots = (tracks.frames[on_grid] - first) * size // (last - first + 1)
    order = np.lexsort((-tracks.scores[on_grid], slots))
    _, best = np.unique(slots[order], return_index=True)
    return np.asarray(on_grid[order[best]])


def clips(
    scene: Scene, tables: Mapping[str, Timetable], tracks: Mapping[str, Tracks], size: int
) -> Iterator[tuple[str, int, ImageArray]]:
    """Camera, track and crops (k, 256, 128, 3) of all tracks, one after the other as they end."""
    wanted: Wanted = {}
    missing: dict[tuple[str, int], int] = {}
    crops: dict[tuple[str, int], list[ImageArray]] = {}
    for camera_id, own in tracks.items():
        stride = max(round(LOOK_SECONDS * float(tables[camera_id].frame_rate)), 1)
        for rows in clip_rows(own, size, stride):
            missing[camera_id, int(own.tracks[rows[0]])] = len(rows)
            for row in rows.tolist():
                wanted.setdefault((camera_id, int(own.frames[row])), []).append(row)
    for together in _moments(tables, wanted):
        for shot, capture in zip(together, scene.frames(together), strict=True):
            own = tracks[shot[0]]
            for row in wanted[shot]:
                key = (shot[0], int(own.tracks[row]))
                crops.setdefault(key, []).append(cut(capture.image, own.boxes[row]))
                if len(crops[key]) == missing[key]:
                    yield *key, np.stack(crops.pop(key))


def _moments(tables: Mapping[str, Timetable], wanted: Wanted) -> Iterator[list[tuple[str, int]]]:
    """Cameras and frames of the pictures that are taken together, in order of true time."""
    moments: dict[float, list[tuple[str, int]]] = {}
    for camera_id, frame in sorted(wanted):
        moments.setdefault(tables[camera_id].true_seconds(frame), []).append((camera_id, frame))
    for time in sorted(moments):
        yield moments[time]
