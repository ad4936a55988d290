"""From tracked detections, frame by frame, to closed tracklets with their appearance."""

from array import array
from collections.abc import Callable

import numpy as np
import supervision as sv

from pipeline.config import TrackingSettings
from pipeline.tracking.clips import BlindView, EmbeddingView, PixelView, Slots, View
from pipeline.types import EMBEDDING_KEY, Appearance, Frame, Observation, Tracklet

ClosedTracklet = tuple[Tracklet, Appearance]
OpenTracklet = tuple[Tracklet, Callable[[], Appearance]]
"""All boxes so far, and what makes what was seen of them: it costs a copy of the crops."""


class _Part:
    """One piece of an open track: its points so far, and the slots of its appearance."""

    def __init__(self, track_id: int, number: int, boxes_before: int, slots: Slots, view: View):
        self.track_id, self.number = track_id, number
        self._boxes_before = boxes_before
        self._slots = slots
        # Only the function: a view would keep the whole first frame alive.
        self._appearance = view.appearance
        self._frame_indices, self._timestamps_us = array("q"), array("q")
        self._boxes, self._scores = array("f"), array("f")

    @property
    def start_us(self) -> int:
        return self._timestamps_us[0]

    @property
    def seen_us(self) -> int:
        return self._timestamps_us[-1]

    @property
    def boxes_so_far(self) -> int:
        """Boxes of this part and of those before it."""
        return self._boxes_before + len(self._scores)

    def add(self, frame_index: int, timestamp_us: int, box: list[float], score: float) -> None:
        self._frame_indices.append(frame_index)
        self._timestamps_us.append(timestamp_us)
        self._boxes.extend(box)
        self._scores.append(score)

    def show(self, view: View, row: int) -> None:
        view.offer(row, self._slots)

    def tracklet(self, camera_id: str) -> Tracklet:
        return Tracklet(
            camera_id=camera_id,
            track_id=self.track_id,
            part=self.number,
            frame_indices=np.array(self._frame_indices),
            timestamps_us=np.array(self._timestamps_us),
            boxes=np.array(self._boxes).reshape(-1, 4),
            scores=np.array(self._scores),
        )

    def appearance(self) -> Appearance:
        return self._appearance(self._slots.picks())


class TrackletBuilder:
    """Collects the tracks of one camera and hands them out when they close.

    A track closes when it was not seen for `max_gap_seconds`, and is dropped when it has fewer
    than `min_detections` boxes. One that goes on for `max_tracklet_seconds` is cut there, and goes
    on as the next part of the same track; so does a recorded track that comes back after a gap.
    Boxes and scores are those of the detections. All lists are in order of track and part.
    """

    def __init__(self, camera_id: str, settings: TrackingSettings) -> None:
        self._camera_id = camera_id
        self._settings = settings
        self._max_gap_us = round(settings.max_gap_seconds * 1e6)
        self._max_tracklet_us = round(settings.max_tracklet_seconds * 1e6)
        self._open: dict[int, _Part] = {}
        self._last_parts: dict[int, int] = {}

    def add_frame(self, tracked: sv.Detections, frame: Frame) -> list[ClosedTracklet]:
        """Take in the tracked people of a frame with pixels; returns what has closed.

        Args:
            tracked: `tracker_id` (N,) unique, never one of a track that closed; see `Tracker`.
            frame: The frame, later than those before. Appearances are `Clip`.

        Raises:
            ValueError: `tracker_id` is missing or not unique.
        """
        view = PixelView(tracked, frame.image, frame.timestamp_us)
        closed = self._close_unseen(frame.timestamp_us)
        return _in_order(closed + self._extend(tracked, frame.index, frame.timestamp_us, view))

    def add_observation(
        self, tracked: sv.Detections, observation: Observation
    ) -> list[ClosedTracklet]:
        """Take in the tracked people of a frame without pixels; returns what has closed.

        Args:
            tracked: `tracker_id` (N,) unique; ids of recorded tracks may come back. Appearances
                are `FrameEmbeddings` where `data["embedding"]` is there, else `NoAppearance`.
            observation: Where and when; its own detections are not read.

        Raises:
            ValueError: `tracker_id` is missing or not unique.
        """
        now_us = observation.timestamp_us
        has_embeddings = EMBEDDING_KEY in tracked.data
        view = EmbeddingView(tracked, now_us) if has_embeddings else BlindView()
        closed = self._close_unseen(now_us)
        # Only recorded ids come back, and a recording ends: a live camera's memory stays bounded.
        self._last_parts.update((tracklet.track_id, tracklet.part) for tracklet, _ in closed)
        return _in_order(closed + self._extend(tracked, observation.index, now_us, view))

    def close(self) -> list[ClosedTracklet]:
        """Close all that is open, at the end of the recording."""
        parts = list(self._open.values())
        self._open.clear()
        return _in_order(self._long_enough(parts))

    def open_tracklets(self) -> list[OpenTracklet]:
        """Those that are open and have enough boxes to be kept, as far as they have come."""
        return [(part.tracklet(self._camera_id), part.appearance) for part in self._kept()]

    @property
    def open_tracks(self) -> frozenset[int]:
        """Numbers of the tracks of those."""
        return frozenset(part.track_id for part in self._kept())

    def _kept(self) -> list[_Part]:
        least = self._settings.min_detections
        return [part for part in self._open.values() if part.boxes_so_far >= least]

    def _close_unseen(self, now_us: int) -> list[ClosedTracklet]:
        gone = [part for part in self._open.values() if now_us - part.seen_us > self._max_gap_us]
        for part in gone:
            del self._open[part.track_id]
        return self._long_enough(gone)

    def _long_enough(self, parts: list[_Part]) -> list[ClosedTracklet]:
        least = self._settings.min_detections
        return [self._closed(part) for part in parts if part.boxes_so_far >= least]

    def _closed(self, part: _Part) -> ClosedTracklet:
        return part.tracklet(self._camera_id), part.appearance()

    def _extend(
        self, tracked: sv.Detections, frame_index: int, timestamp_us: int, view: View
    ) -> list[ClosedTracklet]:
        """Add the boxes of a frame to their tracks; returns the parts that were cut off."""
        ids, boxes = _ids(tracked), tracked.xyxy.tolist()
        scores = [1.0] * len(ids) if tracked.confidence is None else tracked.confidence.tolist()
        cut_off = [
            part for i in ids if (part := self._open.get(i)) and self._full(part, timestamp_us)
        ]
        for part in cut_off:
            self._begin(part.track_id, part.number + 1, part.boxes_so_far, timestamp_us, view)
        for row, track_id in enumerate(ids):
            if track_id not in self._open:
                number = self._last_parts.get(track_id, 0) + 1
                self._begin(track_id, number, 0, timestamp_us, view)
            part = self._open[track_id]
            part.add(frame_index, timestamp_us, boxes[row], scores[row])
            part.show(view, row)
        return [self._closed(part) for part in cut_off]

    def _begin(
        self, track_id: int, number: int, boxes_before: int, start_us: int, view: View
    ) -> None:
        slots = Slots(self._settings.clip_size, start_us, view.look_interval_us)
        self._open[track_id] = _Part(track_id, number, boxes_before, slots, view)

    def _full(self, part: _Part, now_us: int) -> bool:
        """Whether a part ends before this time; never before the track is known to be kept."""
        long = now_us - part.start_us >= self._max_tracklet_us
        return long and part.boxes_so_far >= self._settings.min_detections


def _in_order(closed: list[ClosedTracklet]) -> list[ClosedTracklet]:
    return sorted(closed, key=lambda pair: (pair[0].track_id, pair[0].part))


def _ids(tracked: sv.Detections) -> list[int]:
    """The track of each row."""
    if tracked.tracker_id is None:
        if len(tracked):
            raise ValueError("tracked: expected tracker_id, got none")
        return []
    ids: list[int] = tracked.tracker_id.tolist()
    if len(set(ids)) != len(ids):
        raise ValueError(f"tracked: expected each tracker_id once, got {sorted(ids)}")
    return ids
