"""The tracker of one camera: detections in, the same with the number of their track out.

Each frame's detections are assigned to all confirmed tracks at once. Weak ones (as in ByteTrack,
Zhang et al., arXiv 2110.06864) extend only tracks that were seen lately, and have to overlap more;
what is weak is measured by the confidence that this camera's tracked people usually have, because
detectors differ in that. Where a track or a detection has a rival, how people look may count too,
and is asked for only there. Confident leftovers go to tracks that are still unconfirmed, and what
then remains starts new tracks. Cameras are taken to stand still: no motion of the whole image is
looked for.
"""

from dataclasses import dataclass

import numpy as np
import supervision as sv

from pipeline.config import TrackingSettings
from pipeline.geometry import Boxes, iou
from pipeline.tracking.appearance import Looks, References, Sight, no_references
from pipeline.tracking.kalman import States, first_states
from pipeline.tracking.matching import Pairs, candidates, contested, solve
from pipeline.types import BoolArray, DoubleArray, IntArray

# Tuned on MOT15 and simulated sites, as in `kalman.py`, and on dense simulated crowds with precise
# boxes of whole people, and unsure ones of parts, at 30 frames a second. Losses are means of HOTA
# and IDF1 at full rate, 5 and 2 frames a second.
LEAST_OVERLAP = 0.15
"""What a detection has to overlap a track by; 0.11 costs 0.4 on MOT15, 0.18 costs 0.3 on sites and
in crowds."""
WEAK_OVERLAP = 0.5
"""The same for a weak one, which often is a part of a person or of two; 0.45 costs 0.6 in crowds,
0.55 costs 0.8 on sites."""
WEAK_GAP_US = 500_000
"""A track not seen for longer than this before the last frame is not found again by a weak one;
0 costs 1.2 on simulated sites."""
# A new box that overlaps a better one of its frame by more is the same person twice. The recorded
# detections at hand hold none, so no score moves with it.
DUPLICATE_IOU = 0.6

FIRST_CONFIDENCE = 0.7
FIRST_WEIGHT = 10
MEMORY_DETECTIONS = 1000
"""What is usual is a mean over about so many; of confidences 300 to 3000 score the same."""

APPEARANCE_WEIGHT = 2.0
"""Cost of a cosine distance of 1 more than usual. On one simulated site 0.5, 1, 1.5 and 3 cost 2.0,
1.7, 1.6 and 1.1 of the mean of HOTA and IDF1."""
FIRST_DISTANCE = 0.3


@dataclass(slots=True)
class OpenTracks:
    """The tracks that are open, in the order of their start: arrays over N tracks.

    Attributes:
        ids: (N,) int64, from 1.
        states: Their Kalman states.
        confirmed: (N,) bool, whether a second detection has been matched.
        seen_us: (N,) int64, time of the last detection.
        references: How they look; nothing is kept unless it is asked for.
    """

    ids: IntArray
    states: States
    confirmed: BoolArray
    seen_us: IntArray
    references: References

    def keep(self, kept: BoolArray) -> None:
        """Forget all others; `kept` is a mask (N,)."""
        if kept.all():
            return
        self.ids, self.states = self.ids[kept], self.states.subset(kept)
        self.confirmed, self.seen_us = self.confirmed[kept], self.seen_us[kept]
        self.references = self.references.subset(kept)

    def extend(self, rows: IntArray, boxes: Boxes, scores: DoubleArray, timestamp_us: int) -> None:
        """Take in the boxes (M, 4) that were matched with the tracks in `rows` (M,)."""
        self.states.correct(rows, boxes, scores)
        self.confirmed[rows] = True
        self.seen_us[rows] = timestamp_us

    def start(self, ids: IntArray, boxes: Boxes, timestamp_us: int) -> None:
        """Open unconfirmed tracks at boxes (M, 4)."""
        self.ids = np.concatenate([self.ids, ids])
        self.states = self.states.extended(first_states(boxes))
        self.confirmed = np.concatenate([self.confirmed, np.zeros(len(ids), np.bool_)])
        self.seen_us = np.concatenate([self.seen_us, np.full(len(ids), timestamp_us)])
        self.references = self.references.extended(len(ids))


def _no_tracks() -> OpenTracks:
    none = np.zeros(0, np.int64)
    states = first_states(np.zeros((0, 4)))
    return OpenTracks(none, states, np.zeros(0, np.bool_), none, no_references())


@dataclass(slots=True)
class Usual:
    """What a camera usually shows: a running mean that forgets, from a first guess."""

    value: float
    count: int = FIRST_WEIGHT

    def learn(self, values: DoubleArray) -> None:
        """Take in values (M,) of detections that continue tracks."""
        if len(values):
            self.count = min(self.count + len(values), MEMORY_DETECTIONS)
            self.value += float((values - self.value).sum()) / self.count


class Tracker:
    """Follows the people of one camera; one instance a camera, ids from 1 in each."""

    def __init__(self, settings: TrackingSettings) -> None:
        self._settings = settings
        self._max_gap_us = round(settings.max_gap_seconds * 1e6)
        self._tracks = _no_tracks()
        self._next_id = 1
        self._now_us: int | None = None
        self._confidence, self._distance = Usual(FIRST_CONFIDENCE), Usual(FIRST_DISTANCE)

    def update(
        self, detections: sv.Detections, timestamp_us: int, looks: Looks | None = None
    ) -> sv.Detections:
        """The detections of this frame that belong to a track, with `tracker_id` set.

        The order of the detections does not matter: they are sorted by box and confidence first,
        and returned in that order. `data` stays aligned. A track's first detection is returned at
        once; it is for the reader of the tracks to drop those that stay short.

        Args:
            detections: The people of one frame; confidence in [0, 1] is needed.
            timestamp_us: Time of the frame, microseconds UTC; gaps and irregular times are fine.
            looks: How the people of the frame look, where that may decide what places leave open.

        Raises:
            ValueError: The time lies before that of the last frame, or confidence is missing.
        """
        order, boxes, scores = _sorted(detections)
        previous_us = self._advance(timestamp_us)
        sight = None if looks is None else Sight(looks, order)
        rows, columns = self._associate(boxes, scores, previous_us, sight)
        new = self._newcomers(boxes, scores, columns)
        self._confidence.learn(scores[columns])
        ids = np.zeros(len(boxes), np.int64)
        ids[columns] = self._tracks.ids[rows]
        self._tracks.extend(rows, boxes[columns], scores[columns], timestamp_us)
        if sight is not None:
            self._learn_appearance(rows, columns, sight, timestamp_us)
        self._tracks.keep(self._tracks.confirmed | (self._tracks.seen_us == timestamp_us))
        ids[new] = self._start(boxes[new], timestamp_us)
        tracked = np.flatnonzero(ids)
        return _select(detections, order[tracked], ids[tracked])

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

    def _associate(
        self, boxes: Boxes, scores: DoubleArray, previous_us: int, sight: Sight | None
    ) -> tuple[IntArray, IntArray]:
        """Rows of the tracks, and of the detections that go on with them, each at most once."""
        tracks = self._tracks
        weak = scores < self._settings.high_confidence * self._confidence.value
        least = np.where(weak, WEAK_OVERLAP, LEAST_OVERLAP)
        pairs = candidates(tracks.states.boxes(), tracks.states.spreads(), boxes, least)
        if weak.any():
            lately = tracks.confirmed & (tracks.seen_us >= previous_us - WEAK_GAP_US)
            pairs = pairs[lately[pairs.tracks] | ~weak[pairs.detections]]
        if sight is not None:
            pairs = self._with_appearance(pairs, sight)
        if tracks.confirmed.all():
            made = pairs[solve(pairs)]
            return made.tracks, made.detections
        is_confirmed = tracks.confirmed[pairs.tracks]
        confirmed, unconfirmed = pairs[is_confirmed], pairs[~is_confirmed]
        first = confirmed[solve(confirmed)]
        unconfirmed = unconfirmed[~np.isin(unconfirmed.detections, first.detections)]
        last = unconfirmed[solve(unconfirmed)]
        return (
            np.concatenate([first.tracks, last.tracks]),
            np.concatenate([first.detections, last.detections]),
        )

    def _with_appearance(self, pairs: Pairs, sight: Sight) -> Pairs:
        """The same pairs, of which those with a rival cost more the less the two look alike."""
        has_rival = contested(pairs)
        if not has_rival.any():
            return pairs
        sight.contest = pairs[has_rival]
        sight.distances = self._tracks.references.distances(sight.contest, sight)
        costs = pairs.costs.copy()
        costs[has_rival] += APPEARANCE_WEIGHT * np.nan_to_num(
            sight.distances - self._distance.value
        )
        return Pairs(pairs.tracks, pairs.detections, costs)

    def _learn_appearance(
        self, rows: IntArray, columns: IntArray, sight: Sight, timestamp_us: int
    ) -> None:
        """Take in how far matched people were from their references, and how clear ones look."""
        contest = sight.contest
        track_of = np.full(len(sight.qualities), -1)
        track_of[columns] = rows
        made = track_of[contest.detections] == contest.tracks
        self._distance.learn(sight.distances[made & ~np.isnan(sight.distances)])
        is_sure = ~(np.isin(rows, contest.tracks) | np.isin(columns, contest.detections))
        self._tracks.references.offer(rows[is_sure], columns[is_sure], sight, timestamp_us)

    def _newcomers(self, boxes: Boxes, scores: DoubleArray, matched: IntArray) -> IntArray:
        """The detections that start a track: sure ones, and no second box of a person."""
        sure = scores >= self._settings.start_confidence * self._confidence.value
        sure[matched] = False
        left = np.flatnonzero(sure)
        if len(left) == 0:
            return left
        known = iou(boxes[left], boxes[matched]) > DUPLICATE_IOU
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


def _select(detections: sv.Detections, rows: IntArray, ids: IntArray) -> sv.Detections:
    """Some of the detections (N,), with their `tracker_id` (N,)."""
    if detections.data or detections.mask is not None or detections.metadata:
        tracked = detections.select(rows)
        tracked.tracker_id = ids
        return tracked
    # `select` copies twice: on bare detections, those of most frames, it takes a fifth of the time.
    confidence, class_id = detections.confidence, detections.class_id
    return sv.Detections(
        xyxy=detections.xyxy[rows],
        confidence=None if confidence is None else confidence[rows],
        class_id=None if class_id is None else class_id[rows],
        tracker_id=ids,
    )
