"""Splitting a tracklet where its crops change person: where the tracker went on with another.

A clip is divided where the crops before and after differ most, once what all people of the camera
have in common is taken off: light and background say nothing about who it is. How much they differ
there is held against two things that the same camera has shown: how much the two ends of other
clips differ, most of which hold one person, and how much people differ who were in the picture
together. So no constant belongs to an encoder; one that cannot tell people apart splits nothing,
nor does a camera that has never seen two people at a time, whose tracker had nobody to go over to.
"""

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from pipeline.types import (
    Appearance,
    Clip,
    DoubleArray,
    FloatArray,
    FrameEmbeddings,
    NoAppearance,
    Tracklet,
)

LEAST_CROPS: Final = 2
"""On each side of a change: one alone may show whoever passed in front."""
LEAST_KNOWN: Final = 5
"""Differences of either kind that a camera must have shown before it is judged by them."""
MOST_KNOWN: Final = 256
"""Latest differences of either kind that are kept a camera: memory stays bounded."""
MOST_RECENT: Final = 32
"""Latest tracklets of a camera among which those seen at the same time are looked for."""
DEVIATIONS: Final = 1.4826
"""Standard deviations in the median absolute deviation of a normal distribution."""
SHARED_TRACKLETS: Final = 5
"""The mean of n tracklets is what they share by n / (n + this): a few people look like themselves.
On simulated sites 0 and 5 give the same purity; in 75 s of a real office 0 left an exchange unsplit
that 2 to 20 split."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A tracklet, or what it was split into: with its own part of the appearance.

    Attributes:
        tracklet: The boxes.
        appearance: What was seen of them.
        crops: Which crops of the whole tracklet these are.
    """

    tracklet: Tracklet
    appearance: Appearance
    crops: slice


class TrackletSplitter:
    """Splits the tracklets of a run, camera by camera in the order in which they close.

    What becomes of a tracklet depends on the earlier ones of its camera alone, so that a run that
    is resumed from its start splits alike.

    Args:
        least_log_odds: Evidence for two people from which a tracklet is split; None: never.
    """

    def __init__(self, least_log_odds: float | None) -> None:
        self._least_log_odds = np.inf if least_log_odds is None else least_log_odds
        self._cameras: dict[str, _Differences] = {}
        # Of tracks that were split only: how far the numbers of their parts have moved.
        self._moved: dict[tuple[str, int], int] = {}

    def split(self, tracklet: Tracklet, appearance: Appearance, looks: FloatArray) -> list[Piece]:
        """The pieces of a tracklet in order of time; one where its crops show one person.

        Pieces are parts of the same track. Between two of them a number is left out, and those of
        the parts to come move on: only consecutive numbers say that nothing has changed.

        Args:
            tracklet: Of a camera; parts of one track come in their order.
            appearance: Its clip or recorded embeddings, K crops.
            looks: (K, D) of unit norm, the embeddings of the crops; (0, 0) where there are none.
        """
        known = self._cameras.setdefault(tracklet.camera_id, _Differences())
        own = known.learn(tracklet, looks.astype(np.float64))
        firsts = self._changes(own, known)
        part = self._part(tracklet)
        if firsts:
            track = tracklet.camera_id, tracklet.track_id
            self._moved[track] = self._moved.get(track, 0) + 2 * len(firsts)
        return _pieces(tracklet, appearance, firsts, part)

    def numbered(self, tracklet: Tracklet) -> Tracklet:
        """The tracklet with the number that its first piece would have now."""
        return _rows(tracklet, slice(None), self._part(tracklet))

    def _part(self, tracklet: Tracklet) -> int:
        return tracklet.part + self._moved.get((tracklet.camera_id, tracklet.track_id), 0)

    def _changes(self, frames: DoubleArray, known: "_Differences", offset: int = 0) -> list[int]:
        """Numbers of the crops that are the first of another person."""
        if len(frames) < 2 * LEAST_CROPS:
            return []
        first, difference = greatest_change(frames)
        if known.log_odds(difference) < self._least_log_odds:
            return []
        return [
            *self._changes(frames[:first], known, offset),
            offset + first,
            *self._changes(frames[first:], known, offset + first),
        ]


class _Differences:
    """What one camera has shown: of clips in themselves, and of people seen at the same time."""

    def __init__(self) -> None:
        self._within: deque[float] = deque(maxlen=MOST_KNOWN)
        self._between: deque[float] = deque(maxlen=MOST_KNOWN)
        self._recent: deque[tuple[int, int, DoubleArray]] = deque(maxlen=MOST_RECENT)
        self._sum: DoubleArray | float = 0.0
        self._count = 0

    def learn(self, tracklet: Tracklet, frames: DoubleArray) -> DoubleArray:
        """Take in a tracklet with its frame embeddings (K, D).

        Returns:
            (K, D) of unit norm, what is its own in them.
        """
        if len(frames) == 0:
            return frames
        frames = self._centred(frames)
        if len(frames) >= 2 * LEAST_CROPS:
            self._within.append(greatest_change(frames)[1])
        mean = frames.mean(axis=0)
        for start_us, end_us, other in self._recent:
            if start_us <= tracklet.end_us and tracklet.start_us <= end_us:
                self._between.append(float(1 - mean @ other))
        self._recent.append((tracklet.start_us, tracklet.end_us, mean))
        return frames

    def _centred(self, frames: DoubleArray) -> DoubleArray:
        """The frames (K, D) less what the camera's tracklets have in common, these among them."""
        self._sum, self._count = self._sum + frames.mean(axis=0), self._count + 1
        own = frames - self._sum / (self._count + SHARED_TRACKLETS)
        return np.asarray(own / np.maximum(np.linalg.norm(own, axis=1, keepdims=True), 1e-12))

    def log_odds(self, difference: float) -> float:
        """Evidence for two people from the difference between the crops of a clip's ends.

        For two normal classes of equal spread the log-odds are linear. Medians, because a few clips
        do hold two people, and two tracklets may be of one.
        """
        if min(len(self._within), len(self._between)) < LEAST_KNOWN:
            return -np.inf
        same, spread_of_same = _robust(self._within)
        other, spread_of_other = _robust(self._between)
        variance = max((spread_of_same**2 + spread_of_other**2) / 2, 1e-6)
        return max(other - same, 0.0) / variance * (difference - (same + other) / 2)


def greatest_change(frames: DoubleArray) -> tuple[int, float]:
    """Where the frame embeddings of a clip differ most, before and after, and by how much.

    The division at which the mean cosine distance between the two sides exceeds that within them
    by most, over all pairs; the energy statistic of change points without its weights (Matteson
    and James 2014, arXiv 1306.4933). Weights would draw it to the middle.

    Args:
        frames: (K, D) of unit norm, K >= 2 `LEAST_CROPS`.

    Returns:
        The number of the first frame after the change, and the mean cosine distance between the
        two sides, in [0, 2].
    """
    total = len(frames)
    before = np.arange(LEAST_CROPS, total - LEAST_CROPS + 1)
    after = total - before
    sums = np.cumsum(frames, axis=0)[before - 1]  # (S, D)
    rest = frames.sum(axis=0) - sums
    between = 1 - (sums * rest).sum(axis=1) / (before * after)
    pairs = (before * (before - 1) + after * (after - 1)) / 2
    alike = ((sums**2).sum(axis=1) + (rest**2).sum(axis=1) - total) / 2
    within = 1 - alike / pairs
    best = int(np.argmax(between - within))
    return int(before[best]), float(between[best])


def _robust(values: deque[float]) -> tuple[float, float]:
    """Median, and standard deviation by the median absolute deviation."""
    median = np.median(values)
    return float(median), float(DEVIATIONS * np.median(np.abs(np.array(values) - median)))


def _pieces(
    tracklet: Tracklet, appearance: Appearance, firsts: list[int], part: int
) -> list[Piece]:
    """The tracklet divided before the crops `firsts`, with parts numbered from `part`."""
    if isinstance(appearance, NoAppearance) or not firsts:
        return [Piece(_rows(tracklet, slice(None), part), appearance, slice(None))]
    times = appearance.timestamps_us
    rows = [_handover(tracklet, int(times[i - 1]), int(times[i])) for i in firsts]
    boxes = pairwise([0, *rows, len(tracklet.scores)])
    crops = pairwise([0, *firsts, len(times)])
    return [
        Piece(
            _rows(tracklet, slice(*of_boxes), part + 2 * number),
            _crops(appearance, slice(*of_crops)),
            slice(*of_crops),
        )
        for number, (of_boxes, of_crops) in enumerate(zip(boxes, crops, strict=True))
    ]


def _handover(tracklet: Tracklet, before_us: int, after_us: int) -> int:
    """The row of the first box of another person, between two crops: after the widest jump.

    From one box to the next, of its centre and in heights of a person.
    """
    first, last = np.searchsorted(tracklet.timestamps_us, [before_us, after_us])
    boxes = tracklet.boxes[first : last + 1].astype(np.float64)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    jumps = np.linalg.norm(np.diff(centres, axis=0), axis=1)
    heights = np.maximum(boxes[:-1, 3] - boxes[:-1, 1], 1e-9)
    return int(first) + 1 + int(np.argmax(jumps / heights))


def _rows(tracklet: Tracklet, rows: slice, part: int) -> Tracklet:
    return Tracklet(
        camera_id=tracklet.camera_id,
        track_id=tracklet.track_id,
        part=part,
        frame_indices=tracklet.frame_indices[rows],
        timestamps_us=tracklet.timestamps_us[rows],
        boxes=tracklet.boxes[rows],
        scores=tracklet.scores[rows],
    )


def _crops(appearance: Clip | FrameEmbeddings, rows: slice) -> Clip | FrameEmbeddings:
    times = appearance.timestamps_us[rows]
    if isinstance(appearance, Clip):
        return Clip(appearance.crops[rows], times, appearance.qualities[rows])
    return FrameEmbeddings(appearance.vectors[rows], times)
