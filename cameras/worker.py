"""One camera: source -> detection -> tracking -> tracklets."""

import threading
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum

import supervision as sv

from cameras.detection_service import DetectionService
from cameras.following import Follower, OnTracklet
from cameras.live import LiveStatus
from cameras.motion import MotionGate
from cameras.sources import open_frames, open_observations
from pipeline.config import Camera, PixelCamera, Site, TracksCamera
from pipeline.errors import UserError
from pipeline.tracking.appearance import EmbedCrops
from pipeline.types import Frame

FRAMES_IN_FLIGHT = 2
"""Frames of one camera that may wait for the detector: the next is decoded meanwhile."""


class State(Enum):
    """How far a camera is."""

    WAITING = "waiting"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"
    STOPPED = "stopped"
    PAUSED = "paused"


@dataclass(slots=True)
class CameraStatus:
    """What a worker tells about its camera while it runs; only the worker writes it.

    Attributes:
        camera_id: Which camera.
        state: How far it is.
        frames: Frames looked at so far.
        position_us: Time of the last of them, microseconds UTC; 0 before the first.
        first_us: Time of the first, microseconds UTC.
        last_index: Number of the last frame in its source.
        expected_frames: Frames that the source announces; 0 where unknown.
        open_tracks: People followed at this moment.
        tracklets: Tracklets closed so far.
        message: Why it failed, one line; empty otherwise.
        fault: The traceback of a failure that is a fault of ours; empty otherwise.
        live: How the connection to a live camera is; None of recordings.
        restarts: How often following a live camera's people was begun anew after a fault of ours.
        lag_us: From the time of a live camera's last frame to the end of its tracking.
    """

    camera_id: str
    state: State = State.WAITING
    frames: int = 0
    position_us: int = 0
    first_us: int = 0
    last_index: int = 0
    expected_frames: int = 0
    open_tracks: int = 0
    tracklets: int = 0
    message: str = ""
    fault: str = ""
    live: LiveStatus | None = None
    restarts: int = 0
    lag_us: int = 0


class CameraWorker:
    """Runs one recorded camera to its end, in a thread of its own.

    Args:
        camera: Its settings.
        site: The settings it shares with the others.
        detector: Finds people in its frames; not used for recorded detections or tracks.
        on_tracklet: Called from the worker's thread with each tracklet that closes, in an order
            that depends on this camera's input alone.
        stop: When set, the worker stops at the next frame and leaves its open tracks unclosed: what
            would be cut short here is whole when the run is resumed.
    """

    def __init__(
        self,
        camera: Camera,
        site: Site,
        detector: DetectionService,
        on_tracklet: OnTracklet,
        stop: threading.Event,
        embed: EmbedCrops | None = None,
    ) -> None:
        self._camera = camera
        self._site = site
        self._detector = detector
        self._stop = stop
        self.status = CameraStatus(camera.id)
        self._follower = Follower(camera.id, site, on_tracklet, self.status, embed)
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.id}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Let it end at the next frame."""
        self._stop.set()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the thread; whether it has finished."""
        # Not by the thread's own `join`: where a signal interrupts that, Python 3.11 takes the
        # thread for finished.
        return self._finished.wait(timeout_seconds)

    def _run(self) -> None:
        self.status.state = State.RUNNING
        try:
            self._process()
            self.status.state = State.STOPPED if self._stop.is_set() else State.ENDED
        except UserError as error:
            self._fail(str(error))
        # The worker's outer edge: a fault in one camera is reported and leaves the others running.
        except Exception as error:
            self.status.fault = traceback.format_exc()
            self._fail(f"{self._camera.id}: {type(error).__name__}: {error}")
        finally:
            self._finished.set()

    def _fail(self, message: str) -> None:
        self.status.message = message
        self.status.state = State.FAILED

    def _process(self) -> None:
        """Everything that the source holds; what was tracked before it fails is kept."""
        try:
            if isinstance(self._camera, PixelCamera):
                self._process_frames(self._camera)
            else:
                self._process_recorded()
        finally:
            if not self._stop.is_set():
                self._follower.close()

    def _process_frames(self, camera: PixelCamera) -> None:
        source = open_frames(camera, self._site)
        self.status.expected_frames = source.expected_frames or 0
        try:
            for frame, detections in self._detected(source):
                self._follower.see(detections, frame)
        finally:
            source.close()

    def _detected(self, source: Iterable[Frame]) -> Iterator[tuple[Frame, sv.Detections]]:
        """Frames with their detections, in order; a few are in the detector's hands meanwhile.

        Where nothing has moved, those of the last frame that was looked at hold.
        """
        waiting: deque[tuple[Frame, Future[sv.Detections]]] = deque()
        gate = MotionGate(self._site.detection.motion_gate_seconds)
        latest: Future[sv.Detections] | None = None
        failure: UserError | None = None
        frames = iter(source)
        while not self._stop.is_set():
            try:
                frame = next(frames, None)
            except UserError as error:
                # The frames before the damage are good: they are tracked before it is reported.
                frame, failure = None, error
            if frame is not None:
                if gate.opens(frame) or latest is None:
                    latest = self._detector.submit(frame.image)
                waiting.append((frame, latest))
            if waiting and (frame is None or len(waiting) >= FRAMES_IN_FLIGHT):
                earlier, future = waiting.popleft()
                yield earlier, future.result()
            if frame is None and not waiting:
                break
        if failure is not None:
            raise failure

    def _process_recorded(self) -> None:
        assert not isinstance(self._camera, PixelCamera)
        source = open_observations(self._camera, self._site)
        self.status.expected_frames = source.expected_frames or 0
        for observation in source:
            if self._stop.is_set():
                return
            is_tracked = isinstance(self._camera, TracksCamera)
            self._follower.see_recorded(observation, is_tracked=is_tracked)
