"""The people of one camera: detections in, tracklets out when they close."""

from collections.abc import Callable
from typing import Protocol

import supervision as sv

from pipeline.config import Site
from pipeline.tracking.appearance import CropLooks, EmbedCrops, Looks, RecordedLooks
from pipeline.tracking.tracker import Tracker
from pipeline.tracking.tracklets import ClosedTracklet, TrackletBuilder
from pipeline.types import (
    EMBEDDING_KEY,
    Appearance,
    Frame,
    ImageArray,
    NoAppearance,
    Observation,
    Tracklet,
)

OnTracklet = Callable[[Tracklet, Appearance], None]
OnOpen = Callable[[Tracklet, Appearance], bool]
"""Whether it was taken; where there is no time for it, it is not."""

FIRST_LOOK_US = 2_000_000
LATER_LOOKS = 4
"""An open tracklet is looked at again when it has become so many times as long: embedding costs
much more than tracking, and what is seen changes less and less."""


class Progress(Protocol):
    """What is told of a camera while its people are followed."""

    frames: int
    position_us: int
    first_us: int
    last_index: int
    open_tracks: int
    tracklets: int


class Follower:
    """Tracks the people of one camera and hands over their tracklets.

    Args:
        camera_id: Which camera.
        site: The settings it shares with the others.
        on_tracklet: Called with each tracklet that closes.
        progress: Kept up to date.
        embed: How people are compared by their looks; None for recorded cameras.
        last_track: Number of a track that was there before; those here come after it.

    Attributes:
        has_seen: Whether anything was taken in.
        last_track: Number of the last track so far.
    """

    def __init__(
        self,
        camera_id: str,
        site: Site,
        on_tracklet: OnTracklet,
        progress: Progress,
        embed: EmbedCrops | None = None,
        last_track: int = 0,
    ) -> None:
        self._site = site
        self._on_tracklet = on_tracklet
        self._progress = progress
        self._embed = embed
        self._before = last_track
        self._tracker = Tracker(site.tracking)
        self._builder = TrackletBuilder(camera_id, site.tracking)
        self.last_track = last_track
        self.has_seen = False
        # Of those who are open: the end that was told last, and their length at the last look.
        self._told: dict[str, tuple[int, int]] = {}
        self._known: frozenset[int] = frozenset()

    def see(self, detections: sv.Detections, frame: Frame) -> None:
        """Take in a frame and its detections."""
        tracked = self._track(detections, frame.timestamp_us, frame.image)
        self._close(self._builder.add_frame(tracked, frame))
        self._note(frame.index, frame.timestamp_us, len(tracked))

    def see_recorded(self, observation: Observation, *, is_tracked: bool) -> None:
        """Take in what was recorded instead of a frame, with or without tracks."""
        tracked = observation.detections
        if not is_tracked:
            tracked = self._track(tracked, observation.timestamp_us, None)
        self._close(self._builder.add_observation(tracked, observation))
        self._note(observation.index, observation.timestamp_us, len(tracked))

    @property
    def has_newcomers(self) -> bool:
        """Whether somebody is in view who was not when that was told last."""
        return not self._builder.open_tracks <= self._known

    def tell_open(self, on_open: OnOpen) -> None:
        """Tell who is in view, as far as they have come; of some also what was seen of them.

        Others have no appearance. Each is looked at when it has lasted for `FIRST_LOOK_US`, and
        again at `LATER_LOOKS` times that, and so on.
        """
        told = {}
        self._known = self._builder.open_tracks
        for tracklet, appearance in self._builder.open_tracklets():
            end_us, looked_us = self._told.get(tracklet.key, (0, FIRST_LOOK_US // LATER_LOOKS))
            lasted_us = tracklet.end_us - tracklet.start_us
            is_due = lasted_us >= LATER_LOOKS * looked_us
            seen = appearance() if is_due else NoAppearance()
            if tracklet.end_us > end_us and on_open(tracklet, seen):
                end_us, looked_us = tracklet.end_us, lasted_us if is_due else looked_us
            told[tracklet.key] = end_us, looked_us
        self._told = told

    def close(self) -> None:
        """Close all that is open; nothing may be seen after that."""
        self._close(self._builder.close())
        self._progress.open_tracks = 0

    def _track(
        self, detections: sv.Detections, timestamp_us: int, image: ImageArray | None
    ) -> sv.Detections:
        assert detections.confidence is not None
        confident = detections[detections.confidence >= self._site.detection.confidence]
        assert isinstance(confident, sv.Detections)
        tracked = self._tracker.update(confident, timestamp_us, self._looks(confident, image))
        if self._before and tracked.tracker_id is not None:
            tracked.tracker_id = tracked.tracker_id + self._before
        if tracked.tracker_id is not None and len(tracked):
            self.last_track = max(self.last_track, int(tracked.tracker_id.max()))
        return tracked

    def _looks(self, detections: sv.Detections, image: ImageArray | None) -> Looks | None:
        """How people look, where the tracker may ask."""
        if not self._site.tracking.appearance:
            return None
        if image is not None:
            assert self._embed is not None
            return CropLooks(detections, image, self._embed)
        return RecordedLooks(detections) if EMBEDDING_KEY in detections.data else None

    def _close(self, closed: list[ClosedTracklet]) -> None:
        for tracklet, appearance in closed:
            self._on_tracklet(tracklet, appearance)
            self._progress.tracklets += 1

    def _note(self, index: int, timestamp_us: int, people: int) -> None:
        progress, self.has_seen = self._progress, True
        if progress.frames == 0:
            progress.first_us = timestamp_us
        progress.frames += 1
        progress.last_index = index
        progress.position_us = timestamp_us
        progress.open_tracks = people
