"""What runs each camera of a site: recorded, live or paused."""

import threading
from collections.abc import Mapping, Sequence

from cameras.detection_service import DetectionService
from cameras.following import OnOpen, OnTracklet
from cameras.live_clock import SteadyClock
from cameras.live_worker import LiveWorker, PausedWorker
from cameras.pool import Worker
from cameras.worker import CameraWorker
from pipeline.config import Camera, Site, VideoCamera
from pipeline.tracking.appearance import EmbedCrops
from pipeline.types import LastSeen


class CameraWorkers:
    """Makes the workers of a run; a live camera that comes again goes on with its numbers.

    Args:
        site: The settings that cameras share.
        service: Finds people in their frames.
        on_tracklet: Called with each tracklet that closes.
        on_open: Called with those of live cameras that are open and have gone on.
        embed: How people are compared by their looks.
        last_seen: By live camera: what the run has of it.
    """

    def __init__(
        self,
        site: Site,
        service: DetectionService,
        on_tracklet: OnTracklet,
        on_open: OnOpen,
        embed: EmbedCrops | None,
        last_seen: Mapping[str, LastSeen],
    ) -> None:
        self._site = site
        self._service = service
        self._on_tracklet = on_tracklet
        self._on_open = on_open
        self._embed = embed
        self._last_seen = last_seen
        self._latest: dict[str, LiveWorker] = {}
        self._steady = SteadyClock()

    def of(self, cameras: Sequence[Camera]) -> list[Worker]:
        """Workers not yet started; none of recordings that are not enabled."""
        made = (self._of(camera) for camera in cameras)
        return [worker for worker in made if worker is not None]

    def _of(self, camera: Camera) -> Worker | None:
        if isinstance(camera, VideoCamera) and camera.is_live:
            return self._live(camera) if camera.enabled else PausedWorker(camera.id)
        if not camera.enabled:
            return None
        return CameraWorker(
            camera, self._site, self._service, self._on_tracklet, threading.Event(), self._embed
        )

    def _live(self, camera: VideoCamera) -> LiveWorker:
        earlier = self._latest.get(camera.id)
        self._latest[camera.id] = LiveWorker(
            camera,
            self._site,
            self._service,
            self._on_tracklet,
            self._on_open,
            threading.Event(),
            self._embed,
            self._steady,
            self._last_seen.get(camera.id, LastSeen()) if earlier is None else earlier.last_seen,
        )
        return self._latest[camera.id]
