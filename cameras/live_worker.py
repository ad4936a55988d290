"""One live camera: its newest frame -> detection -> tracking -> tracklets, whatever happens."""

import logging
import random
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import supervision as sv

from cameras.clock import exact
from cameras.detection_service import DetectionService
from cameras.following import Follower, OnOpen, OnTracklet
from cameras.live import LiveSource, Patience
from cameras.live_clock import SteadyClock
from cameras.motion import MotionGate
from cameras.worker import CameraStatus, State
from pipeline.config import Site, VideoCamera
from pipeline.errors import UserError
from pipeline.tracking.appearance import EmbedCrops
from pipeline.types import Appearance, Frame, ImageArray, LastSeen, Tracklet

POLL_SECONDS = 0.2
FRESH_SECONDS = 0.05
"""A frame that has waited for less is looked at; converting a newer one would gain little."""
TELL_OPEN_SECONDS = 0.5
"""Of newcomers it is told at once: their first boxes have waited until there were enough."""
LATE_SECONDS = 2.0
"""Frames may come as much later than they were taken; until then nobody is taken to have left."""

logger = logging.getLogger(__name__)


class DeliveryError(Exception):
    """Tracklets cannot be handed on: not a fault of the camera."""


@contextmanager
def delivering() -> Iterator[None]:
    """What goes wrong here is not the camera's, whatever it is: no new beginning would help."""
    try:
        yield
    except Exception as error:
        raise DeliveryError from error


class LiveWorker:
    """Follows the people of one live camera until it is stopped, in a thread of its own.

    One frame at a time is at the detector, the newest when it is its turn: where that is slow,
    every camera is looked at less often, and none waits for more than one frame of each other. A
    fault of ours ends what is open and begins anew after a while, as often as it takes.

    Args:
        camera: Its settings.
        site: The settings it shares with the others.
        detector: Finds people in its frames.
        on_tracklet: Called from the worker's thread with each tracklet that closes.
        on_open: Called from there twice a second, and at once when somebody comes, with each that
            is open and has gone on.
        stop: When set, the worker closes what is open and ends.
        embed: How people are compared by their looks.
        steady: What dates arrivals; shared by all cameras.
        last_seen: What the run has of this camera: tracks and frames go on from there.
        patience: How long is waited for the camera.
    """

    def __init__(
        self,
        camera: VideoCamera,
        site: Site,
        detector: DetectionService,
        on_tracklet: OnTracklet,
        on_open: OnOpen,
        stop: threading.Event,
        embed: EmbedCrops | None,
        steady: SteadyClock,
        last_seen: LastSeen = LastSeen(),  # noqa: B008 (frozen)
        patience: Patience = Patience(),  # noqa: B008 (frozen)
    ) -> None:
        self._camera = camera
        self._site = site
        self._detector = detector
        self._on_tracklet = on_tracklet
        self._on_open = on_open
        self._stop = stop
        self._embed = embed
        self._steady = steady
        self._offset_us = round(exact(camera.time_offset_ms) * 1000)
        self._last_track = last_seen.track
        self._patience = patience
        self._source = LiveSource(camera, site, steady, patience, last_seen.frame + 1)
        self._gap_seconds = site.tracking.max_gap_seconds + LATE_SECONDS
        self._seen = time.monotonic()
        self._told_open = self._seen
        self.status = CameraStatus(camera.id, live=self._source.status())
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.id}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let it end at the next frame."""
        self._stop.set()

    @property
    def last_seen(self) -> LastSeen:
        """From where another worker of the camera goes on, once this one has ended."""
        return LastSeen(self._last_track, self._source.last_index)

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the thread; whether it has finished."""
        # Not by the thread's own `join`: where a signal interrupts that, Python 3.11 takes the
        # thread for finished.
        return self._finished.wait(timeout_seconds)

    def _run(self) -> None:
        self.status.state = State.RUNNING
        try:
            self._follow_for_ever()
            self.status.state = State.STOPPED
        except (DeliveryError, UserError) as error:
            cause = error.__cause__ or error
            if not isinstance(cause, UserError):
                self.status.fault = "".join(traceback.format_exception(cause))
            self.status.message = str(cause)
            self.status.state = State.FAILED
        finally:
            self._source.close()
            self.status.live = self._source.status()
            self._finished.set()

    def _follow_for_ever(self) -> None:
        faults, since = 0, time.monotonic()
        while not self._stop.is_set():
            try:
                self._follow_all()
            except (DeliveryError, UserError):
                raise
            # The worker's outer edge: a fault is told, and following begins anew.
            except Exception as error:
                faults = 0 if time.monotonic() - since > self._patience.longest_backoff else faults
                self._tell_fault(error)
                self._stop.wait(self._wait_seconds(faults))
                faults, since = faults + 1, time.monotonic()

    def _wait_seconds(self, faults: int) -> float:
        patience = self._patience
        wait = min(patience.backoff * 2.0 ** min(faults, 16), patience.longest_backoff)
        return wait * random.uniform(0.75, 1.25)  # noqa: S311 (no secret)

    def _tell_fault(self, error: Exception) -> None:
        self.status.restarts += 1
        self.status.message = f"{self._camera.id}: {type(error).__name__}: {error}"
        extra = {"camera": self._camera.id}
        logger.error("%s; following begins anew", self.status.message, exc_info=error, extra=extra)

    def _follow_all(self) -> None:
        """Until stopped, or a fault; in both cases those who are open are handed over."""
        follower = self._follower()
        gate = MotionGate(self._site.detection.motion_gate_seconds)
        shape: tuple[int, ...] = ()
        held: sv.Detections | None = None
        try:
            while not self._stop.is_set():
                frame = self._source.poll(POLL_SECONDS)
                self.status.live = self._source.status()
                if frame is None:
                    follower = self._without_frame(follower)
                    self._tell_open(follower)
                    continue
                self._seen = time.monotonic()
                if gate.opens(frame) or held is None or frame.image.shape != shape:
                    frame, held = self._detected(frame)
                if shape not in ((), frame.image.shape):
                    # Boxes in pixels of another size: nobody can be followed from one to the other.
                    extra = {"camera": self._camera.id}
                    logger.warning(
                        "%s: pictures are of another size now", self._camera.id, extra=extra
                    )
                    follower = self._anew(follower)
                shape = frame.image.shape
                follower.see(held, frame)
                self._tell_open(follower)
                self.status.lag_us = self._steady.now_us() - frame.timestamp_us + self._offset_us
        finally:
            self._anew(follower)

    def _detected(self, frame: Frame) -> tuple[Frame, sv.Detections]:
        """A frame, or a newer one that came before it was its turn, and who is there."""
        newest, asked = frame, time.monotonic()

        def image() -> ImageArray:
            nonlocal newest
            if time.monotonic() - asked > FRESH_SECONDS:
                newest = self._source.newer(frame)
            return newest.image

        found = self._detector.submit_later(image).result()
        return newest, found

    def _without_frame(self, follower: Follower) -> Follower:
        """Hand over those who are open, once the camera has been silent for longer than a gap."""
        if not follower.has_seen or time.monotonic() - self._seen < self._gap_seconds:
            return follower
        return self._anew(follower)

    def _anew(self, follower: Follower) -> Follower:
        """Close what is open, and begin with tracks of other numbers."""
        self._last_track = follower.last_track
        follower.close()
        return self._follower()

    def _follower(self) -> Follower:
        return Follower(
            self._camera.id, self._site, self._deliver, self.status, self._embed, self._last_track
        )

    def _tell_open(self, follower: Follower) -> None:
        is_due = time.monotonic() - self._told_open >= TELL_OPEN_SECONDS
        if is_due or follower.has_newcomers:
            self._told_open = time.monotonic()
            with delivering():
                follower.tell_open(self._on_open)

    def _deliver(self, tracklet: Tracklet, appearance: Appearance) -> None:
        with delivering():
            self._on_tracklet(tracklet, appearance)


class PausedWorker:
    """A live camera that nobody looks at: waits until it is stopped.

    Args:
        camera_id: Which camera.
    """

    def __init__(self, camera_id: str) -> None:
        self.status = CameraStatus(camera_id)
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin to wait."""
        self.status.state = State.PAUSED

    def stop(self) -> None:
        """Wait no longer."""
        self.status.state = State.ENDED
        self._stopped.set()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the end; whether it has come."""
        return self._stopped.wait(timeout_seconds)
