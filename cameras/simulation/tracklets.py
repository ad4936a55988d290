"""Tracks as detector and tracker would give them, drawn from what can truly be seen.

Boxes shake and are missed, a track ends where its person is out of sight too long, and where two
people cross it may break or go on with the other one. The rates are constants below; everything
random follows from the seed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, groupby, pairwise
from typing import Final

import numpy as np
from scipy.signal import lfilter

from cameras.simulation.sightings import Sightings
from pipeline.geometry import iou
from pipeline.types import BoolArray, DoubleArray, IntArray

LEAST_VISIBLE: Final = 0.35
LEAST_PX: Final = 40.0
"""Who is less to be seen or less high than this is not found: below, small detectors find less than
half of the people, and crops of them say little."""
LEAST_BOXES: Final = 3
OUT_OF_SIGHT_SECONDS: Final = 1.5
"""As `tracking.min_detections` and `tracking.max_gap_seconds`."""
MISSED: Final = 0.03
MISSED_HIDDEN: Final = 0.3
"""Share of boxes missed of people wholly visible, and so much more the more is hidden."""
SHAKE_X: Final = 0.05
SHAKE_Y: Final = 0.025
"""Standard deviation of a box's place and size, as shares of its size: detectors' boxes overlap the
true ones by about 85 %; arms and strides move sides more than head and feet."""
LASTING: Final = 0.5
"""Share of that variance which stays for about `LASTING_SECONDS`: errors follow the pose."""
LASTING_SECONDS: Final = 1.0
CROSSING_IOU: Final = 0.35
CROSSING_SECONDS: Final = 2.0
"""Two people cross while their boxes overlap so much, with pauses of no more than this."""
BROKEN: Final = 0.12
"""Share of crossings at which one of the tracks breaks."""
MIXED: Final = 0.04
"""Share of crossings after which both tracks go on with the other person. Of a hundred tracklets 3
are mixed then where few people meet, 10 in a crowded room; our tracker mixes 13 on MOT17 at 5
frames a second, with some 20 people in view."""


@dataclass(frozen=True, eq=False, slots=True)
class Tracks:
    """The tracks of a camera: R rows, in order of track and frame.

    Attributes:
        frames: (R,) int64: which picture, from 0.
        tracks: (R,) int64: number of the track, from 1 in order of their beginning.
        boxes: (R, 4) float64 xyxy, pixels.
        scores: (R,) float64 in [0, 1]: higher the more is seen.
        persons: (R,) int64: who it truly is.
    """

    frames: IntArray
    tracks: IntArray
    boxes: DoubleArray
    scores: DoubleArray
    persons: IntArray

    @property
    def is_mixed(self) -> BoolArray:
        """(R,): rows of tracks that hold more than one person."""
        pairs = np.unique(np.stack([self.tracks, self.persons], axis=1), axis=0)
        numbers, counts = np.unique(pairs[:, 0], return_counts=True)
        return np.isin(self.tracks, numbers[counts > 1])

    def each(self) -> Iterator[slice]:
        """The rows of each track."""
        bounds = np.flatnonzero(np.diff(self.tracks, prepend=-1, append=-1)).tolist()
        return (slice(a, b) for a, b in pairwise(bounds))


def is_findable(seen: Sightings) -> BoolArray:
    """(R,): of whom enough is to be seen."""
    tall = seen.boxes[:, 3] - seen.boxes[:, 1]
    return np.asarray((seen.visibility >= LEAST_VISIBLE) & (tall >= LEAST_PX), np.bool_)


def draw_tracks(seen: Sightings, frame_rate: float, rng: np.random.Generator) -> Tracks:
    """The tracks of a camera that takes `frame_rate` pictures a second, of whom it can see."""
    seen = seen.where(is_findable(seen))
    missed = rng.random(len(seen.frames)) < MISSED + MISSED_HIDDEN * (1 - seen.visibility)
    seen = seen.where(~missed)
    tracks = _passages(seen, OUT_OF_SIGHT_SECONDS * frame_rate)
    for first, second, frame in _crossings(seen, CROSSING_SECONDS * frame_rate):
        chance = rng.random()
        rest = [_rest(seen, tracks, person, frame) for person in (first, second)]
        if min(map(len, rest)) == 0 or chance >= BROKEN + MIXED:
            continue
        if chance < MIXED:
            tracks[rest[0]], tracks[rest[1]] = tracks[rest[1][0]], tracks[rest[0][0]]
        else:
            tracks[rest[int(rng.integers(2))]] = tracks.max() + 1
    return _numbered(_shaken(seen, tracks, frame_rate, rng))


def _passages(seen: Sightings, most_frames: float) -> IntArray:
    """Number of the track of each row (R,) where nobody is ever confused."""
    order = np.lexsort((seen.frames, seen.persons))
    away = np.diff(seen.frames[order], prepend=0) > most_frames
    begins = away | (np.diff(seen.persons[order], prepend=-1) != 0)
    tracks = np.empty(len(order), np.int64)
    tracks[order] = np.cumsum(begins)
    return tracks


def _crossings(seen: Sightings, pause_frames: float) -> list[tuple[int, int, int]]:
    """Two persons and the frame in which their boxes last overlap, in order of frames."""
    together: dict[tuple[int, int], list[int]] = {}
    rows = enumerate(seen.frames.tolist())
    for frame, group in groupby(rows, key=lambda row: row[1]):
        own = [row for row, _ in group]
        overlap = iou(seen.boxes[own], seen.boxes[own]) >= CROSSING_IOU
        for a, b in combinations(range(len(own)), 2):
            if overlap[a, b]:
                pair = (int(seen.persons[own[a]]), int(seen.persons[own[b]]))
                together.setdefault(pair, []).append(frame)
    found = [
        (*pair, frame)
        for pair, frames in together.items()
        for frame, following in zip(frames, [*frames[1:], np.inf], strict=True)
        if following - frame > pause_frames
    ]
    return sorted(found, key=lambda crossing: crossing[::-1])


def _rest(seen: Sightings, tracks: IntArray, person: int, frame: int) -> IntArray:
    """Rows of the person's track after a frame; none where it ends there."""
    own = np.flatnonzero(seen.persons == person)
    before, after = own[seen.frames[own] <= frame], own[seen.frames[own] > frame]
    if not len(before) or not len(after):
        return after[:0]
    return np.asarray(after[tracks[after] == tracks[before[-1]]], np.int64)


def _shaken(
    seen: Sightings, tracks: IntArray, frame_rate: float, rng: np.random.Generator
) -> Tracks:
    """The tracks with boxes and scores as detectors have them."""
    order = np.lexsort((seen.frames, tracks))
    boxes, visibility = seen.boxes[order], seen.visibility[order]
    sizes = boxes[:, 2:] - boxes[:, :2]
    errors = np.sqrt(1 - LASTING) * rng.normal(size=boxes.shape)
    found = Tracks(
        seen.frames[order],
        tracks[order],
        boxes,
        np.clip(0.3 + 0.6 * visibility + 0.05 * rng.normal(size=len(order)), 0.1, 1),
        seen.persons[order],
    )
    lasting = float(np.exp(-1 / (LASTING_SECONDS * frame_rate)))
    for rows in found.each():
        errors[rows] += np.sqrt(LASTING) * _lasting(errors[rows].shape, lasting, rng)
    middles, halves = (boxes[:, :2] + boxes[:, 2:]) / 2, sizes / 2
    shares = errors * np.tile((SHAKE_X, SHAKE_Y), 2)
    middles = middles + shares[:, :2] * sizes
    halves = halves * np.maximum(1 + shares[:, 2:], 0.5)
    return replace(found, boxes=np.hstack([middles - halves, middles + halves]))


def _lasting(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> DoubleArray:
    """Standard normal numbers (T, 4) of which each keeps a share of the one before."""
    fresh = rng.normal(size=shape)
    fresh[1:] *= np.sqrt(1 - share**2)
    return np.asarray(lfilter([1.0], [1.0, -share], fresh, axis=0))


def _numbered(tracks: Tracks) -> Tracks:
    """Without the shortest, numbered from 1 in order of their beginning."""
    parts = [rows for rows in tracks.each() if rows.stop - rows.start >= LEAST_BOXES]
    parts.sort(key=lambda rows: (int(tracks.frames[rows.start]), int(tracks.tracks[rows.start])))
    rows = np.concatenate([np.empty(0, np.int64), *(np.arange(p.start, p.stop) for p in parts)])
    lengths = [part.stop - part.start for part in parts]
    return Tracks(
        tracks.frames[rows],
        np.repeat(np.arange(1, len(parts) + 1), lengths),
        tracks.boxes[rows],
        tracks.scores[rows],
        tracks.persons[rows],
    )
