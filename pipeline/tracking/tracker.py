"""The tracker of one camera: detections in, the same with the number of their track out.

Association in stages by confidence, after ByteTrack (Zhang et al., arXiv 2110.06864): confident
detections are matched with all confirmed tracks, then weak ones with the confirmed tracks left
over that were seen a frame ago, then confident leftovers with tracks that are still unconfirmed;
what then remains starts new tracks.
"""

from dataclasses import dataclass

import numpy as np
import supervision as sv

from pipeline.config import TrackingSettings
from pipeline.geometry import Boxes, iou
from pipeline.tracking.kalman import States, first_states
from pipeline.tracking.matching import Assignment, interpret, overlap_cost, solve
from pipeline.types import BoolArray, DoubleArray, IntArray

# On MOT15, 0.75 and 0.85 cost 0.2 and 0.4 HOTA, 0.7 and 0.9 about 1.
CONFIDENT_GATE = 0.8
# A weak box is often a part of a person or of two; ByteTrack asks for this overlap as well.
WEAK_GATE = 0.5
# A new box that overlaps a better one of its frame by more is the same person twice. The recorded
# detections at hand hold none, so no score moves with it.
DUPLICATE_IOU = 0.6


@dataclass(slots=True)
class OpenTracks:
    """The tracks that are open, in the order of their start: arrays over N tracks.

    Attributes:
        ids: (N,) int64, from 1.
        states: Their Kalman states.
        confirmed: (N,) bool, whether a second detection has been matched.
        seen_us: (N,) int64, time of the last detection.
    """

    ids: IntArray
    states: States
    confirmed: BoolArray
    seen_us: IntArray

    def keep(self, kept: BoolArray) -> None:
        """Forget all others; `kept` is a mask (N,)."""
        if kept.all():
            return
        self.ids, self.states = self.ids[kept], self.states.subset(kept)
        self.confirmed, self.seen_us = self.confirmed[kept], self.seen_us[kept]

    def extend(self, rows: IntArray, boxes: Boxes, timestamp_us: int) -> None:
        """Take in the boxes (M, 4) that were matched with the tracks in `rows` (M,)."""
        if len(rows):
            self.states.correct(rows, boxes)
            self.confirmed[rows] = True
            self.seen_us[rows] = timestamp_us

    def start(self, ids: IntArray, boxes: Boxes, timestamp_us: int) -> None:
        """Open unconfirmed tracks at boxes (M, 4)."""
        self.ids = np.concatenate([self.ids, ids])
        self.states = self.states.extended(first_states(boxes))
        self.confirmed = np.concatenate([self.confirmed, np.zeros(len(ids), np.bool_)])
        self.seen_us = np.concatenate([self.seen_us, np.full(len(ids), timestamp_us)])


def _no_tracks() -> OpenTracks:
    none = np.zeros(0, np.int64)
    return OpenTracks(none, first_states(np.zeros((0, 4))), np.zeros(0, np.bool_), none)


class Tracker:
    """Follows the people of one camera; one instance a camera, ids from 1 in each."""

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        self._max_gap_us = round(settings.max_gap_seconds * 1e6)
        self._tracks = _no_tracks()
        self._next_id = 1
        self._now_us: int | None = None

    def update(self, detections: sv.Detections, timestamp_us: int) -> sv.Detections:
        """The detections of this frame that belong to a track, with `tracker_id` set.

        The order of the detections does not matter: they are sorted by box and confidence first,
        and returned in that order. `data` stays aligned. A track's first detection is returned at
        once; it is for the reader of the tracks to drop those that stay short.

        Args:
            detections: The people of one frame; confidence in [0, 1] is needed.
            timestamp_us: Time of the frame, microseconds UTC; gaps and irregular times are fine.

        Raises:
            ValueError: The time lies before that of the last frame, or confidence is missing.
        """
        order, boxes, scores = _sorted(detections)
        previous_us = self._advance(timestamp_us)
        matched = self._associate(boxes, scores, previous_us)
        ids = np.zeros(len(boxes), np.int64)
        ids[matched.detections] = self._tracks.ids[matched.tracks]
        self._tracks.extend(matched.tracks, boxes[matched.detections], timestamp_us)
        self._close(matched.tracks_left)
        new = self._newcomers(boxes, scores, matched)
        ids[new] = self._start(boxes[new], timestamp_us)
        tracked = detections.select(order[ids > 0])
        tracked.tracker_id = ids[ids > 0]
        return tracked

    def _advance(self, timestamp_us: int) -> int:
        """Predict all tracks to this time and close those out of sight too long.

        Returns the time of the frame before; that of this frame where it is the first.
        """
        previous_us = timestamp_us if self._now_us is None else self._now_us
        if timestamp_us < previous_us:
            raise ValueError(f"timestamp_us: expected {previous_us} or later, got {timestamp_us}")
        self._now_us = timestamp_us
        self._tracks.keep(timestamp_us - self._tracks.seen_us <= self._max_gap_us)
        self._tracks.states.predict((timestamp_us - previous_us) / 1e6)
        return previous_us

    def _associate(self, boxes: Boxes, scores: DoubleArray, previous_us: int) -> Assignment:
        """The three stages as one assignment; `detections_left` are the confident ones."""
        tracks = self._tracks
        expected, spreads = tracks.states.boxes(), tracks.states.spreads()

        def match(rows: IntArray, candidates: IntArray, gate: float) -> Assignment:
            if len(rows) == 0 or len(candidates) == 0:
                return Assignment(rows[:0], candidates[:0], rows, candidates)
            cost = overlap_cost(expected[rows], spreads[rows], boxes[candidates])
            return interpret(solve(cost, gate), rows, candidates)

        confident = scores >= self._settings.high_confidence
        first = match(np.flatnonzero(tracks.confirmed), np.flatnonzero(confident), CONFIDENT_GATE)
        in_sight = tracks.seen_us[first.tracks_left] == previous_us
        weak = match(first.tracks_left[in_sight], np.flatnonzero(~confident), WEAK_GATE)
        last = match(np.flatnonzero(~tracks.confirmed), first.detections_left, CONFIDENT_GATE)
        return Assignment(
            tracks=np.concatenate([first.tracks, weak.tracks, last.tracks]),
            detections=np.concatenate([first.detections, weak.detections, last.detections]),
            tracks_left=np.concatenate(
                [first.tracks_left[~in_sight], weak.tracks_left, last.tracks_left]
            ),
            detections_left=last.detections_left,
        )

    def _close(self, unmatched: IntArray) -> None:
        """Close the unmatched tracks that were never confirmed."""
        kept = np.ones(len(self._tracks.ids), np.bool_)
        kept[unmatched] = self._tracks.confirmed[unmatched]
        self._tracks.keep(kept)

    def _newcomers(self, boxes: Boxes, scores: DoubleArray, matched: Assignment) -> IntArray:
        """The detections that start a track: sure ones, and no second box of a person."""
        left = matched.detections_left
        left = left[scores[left] >= self._settings.start_confidence]
        if len(left) == 0:
            return left
        known = iou(boxes[left], boxes[matched.detections]) > DUPLICATE_IOU
        left = left[~known.any(axis=1)]
        best_first = left[np.argsort(-scores[left], kind="stable")]
        twice = np.triu(iou(boxes[best_first], boxes[best_first]) > DUPLICATE_IOU, k=1)
        return np.sort(best_first[~twice.any(axis=0)])

    def _start(self, boxes: Boxes, timestamp_us: int) -> IntArray:
        """Open tracks at boxes (M, 4); returns their ids (M,)."""
        ids = np.arange(self._next_id, self._next_id + len(boxes))
        if len(ids):
            self._next_id += len(ids)
            self._tracks.start(ids, boxes, timestamp_us)
        return ids


def _sorted(detections: sv.Detections) -> tuple[IntArray, DoubleArray, DoubleArray]:
    """A canonical order (N,) of the detections; boxes (N, 4) and scores (N,) in that order."""
    if detections.confidence is None:
        if len(detections):
            raise ValueError("detections: expected confidence, got none")
        return np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0)
    boxes, scores = detections.xyxy, detections.confidence
    order = np.lexsort([scores, *boxes.T])
    return order, boxes[order].astype(np.float64), scores[order].astype(np.float64)
