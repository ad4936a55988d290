"""Live cameras followed: what is handed over whatever happens, and who waits for whom."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import supervision as sv

from cameras.detection_service import DetectionService
from cameras.live import Link, Patience
from cameras.live_clock import SteadyClock
from cameras.live_worker import LiveWorker
from cameras.worker import State
from pipeline.config import Site
from pipeline.errors import StoreError
from pipeline.types import Appearance, Clip, ImageArray, LastSeen, Tracklet
from tests.cameras.rtsp.server import RtspServer

Start = Callable[..., RtspServer]
Detect = Callable[[Sequence[ImageArray]], list[sv.Detections]]

SOON = Patience(first_picture=5, stall=0.6, dead=1.2, backoff=0.2, longest_backoff=0.5, settled=0.5)
WITHIN_SECONDS = 60


def somebody(images: Sequence[ImageArray]) -> list[sv.Detections]:
    """One person in the middle of every frame."""
    found = []
    for image in images:
        height, width = image.shape[:2]
        box = np.array([[width * 0.4, height * 0.2, width * 0.6, height * 0.8]], np.float32)
        found.append(sv.Detections(xyxy=box, confidence=np.full(1, 0.9, np.float32)))
    return found


class Following:
    """Live cameras that are followed, and what came of it."""

    def __init__(
        self,
        urls: Sequence[str],
        detect: Detect,
        fails: Callable[[Tracklet], None],
        **keys: LastSeen,
    ) -> None:
        cameras = [{"id": f"c{number}", "video": url} for number, url in enumerate(urls)]
        tracking = {"min_detections": 2, "max_gap_seconds": 0.2}
        self.site = Site.model_validate({"site": "s", "cameras": cameras, "tracking": tracking})
        self.closed: list[tuple[Tracklet, Appearance]] = []
        self.open: list[tuple[Tracklet, Appearance]] = []
        self.stop = threading.Event()
        self.service = DetectionService(detect, max_batch=1)

        def take(tracklet: Tracklet, appearance: Appearance) -> None:
            fails(tracklet)
            self.closed.append((tracklet, appearance))

        def take_open(tracklet: Tracklet, appearance: Appearance) -> bool:
            self.open.append((tracklet, appearance))
            return True

        service, stop, clock = self.service, self.stop, SteadyClock()
        self.workers = [
            LiveWorker(
                camera,
                self.site,
                service,
                take,
                take_open,
                stop,
                None,
                clock,
                patience=SOON,
                **keys,
            )
            for camera in self.site.cameras
        ]

    def __enter__(self) -> "Following":
        self.service.__enter__()
        for worker in self.workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self.service.__exit__(None, None, None)

    def end(self) -> None:
        """Stop, as SIGTERM does."""
        self.stop.set()
        for worker in self.workers:
            assert worker.join(WITHIN_SECONDS)

    def until(self, is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + WITHIN_SECONDS
        while not is_so():
            assert time.monotonic() < end, [worker.status for worker in self.workers]
            time.sleep(0.02)

    @property
    def frames(self) -> list[int]:
        return [worker.status.frames for worker in self.workers]

    @property
    def keys(self) -> list[str]:
        return [tracklet.key for tracklet, _ in self.closed]


@pytest.fixture
def follow() -> Iterator[Callable[..., Following]]:
    started: list[Following] = []

    def start(
        *cameras: RtspServer,
        detect: Detect = somebody,
        fails: Callable[[Tracklet], None] = lambda _: None,
        **keys: LastSeen,
    ) -> Following:
        started.append(Following([camera.url() for camera in cameras], detect, fails, **keys))
        return started[-1].__enter__()

    yield start
    for each in started:
        each.__exit__()


def test_who_is_open_when_it_ends_is_handed_over(
    rtsp_camera: Start, follow: Callable[..., Following]
) -> None:
    camera = rtsp_camera()
    following = follow(camera)
    following.until(lambda: following.frames[0] >= 20)
    assert following.closed == []
    following.end()
    ((tracklet, appearance),) = following.closed
    assert (tracklet.key, len(tracklet.scores)) == ("c0/1", following.frames[0])
    assert isinstance(appearance, Clip)
    status = following.workers[0].status
    assert (status.state, status.message) == (State.STOPPED, "")
    assert status.live is not None
    assert status.live.link is Link.ENDED
    early = camera.taken_us[0] <= tracklet.start_us
    assert early and tracklet.end_us <= camera.taken_us[-1] + 1_000_000


def test_who_is_open_is_told_again_and_again(
    rtsp_camera: Start, follow: Callable[..., Following]
) -> None:
    following = follow(rtsp_camera())
    following.until(lambda: len(following.open) >= 6)
    following.end()
    lengths = [len(tracklet.scores) for tracklet, _ in following.open]
    assert lengths == sorted(set(lengths)), "only those that have gone on"
    assert lengths[0] == following.site.tracking.min_detections, (
        "as soon as they are told from none"
    )
    assert {tracklet.key for tracklet, _ in following.open} == {"c0/1"}
    ((whole, _),) = following.closed
    for tracklet, _ in following.open:
        assert np.array_equal(tracklet.frame_indices, whole.frame_indices[: len(tracklet.scores)])
    looked = [isinstance(seen, Clip) for _, seen in following.open]
    assert looked.count(True) == 1, "at two seconds, and not yet again"
    tracklet, clip = following.open[looked.index(True)]
    assert tracklet.end_us - tracklet.start_us >= 2_000_000
    assert isinstance(clip, Clip) and len(clip.crops) >= 2


def test_who_is_open_when_a_camera_falls_silent_is_handed_over(
    rtsp_camera: Start, follow: Callable[..., Following]
) -> None:
    """Not only when it comes back; and whoever it sees then is another track."""
    camera = rtsp_camera()
    following = follow(camera)
    following.until(lambda: following.frames[0] >= 10)
    camera.stop()
    following.until(lambda: following.keys == ["c0/1"])
    camera.listen()
    seen = following.frames[0]
    following.until(lambda: following.frames[0] > seen + 10)
    following.end()
    assert following.keys == ["c0/1", "c0/2"]
    first, second = (tracklet for tracklet, _ in following.closed)
    assert first.end_us < second.start_us


def test_a_silent_camera_delays_nobody(
    rtsp_camera: Start, follow: Callable[..., Following]
) -> None:
    frozen, well = rtsp_camera(), rtsp_camera()
    following = follow(frozen, well)
    following.until(lambda: min(following.frames) >= 5)
    frozen.behaviour.freezes = "drops"
    still = following.frames[0]
    seen = following.frames[1]
    following.until(lambda: following.frames[1] > seen + 50)
    assert following.frames[0] <= still + 2


def test_of_a_detector_that_is_slow_all_have_the_same_share(
    rtsp_camera: Start, follow: Callable[..., Following]
) -> None:
    """Three cameras of 25, 25 and 100 pictures a second, and a detector that does 20."""

    def slowly(images: Sequence[ImageArray]) -> list[sv.Detections]:
        time.sleep(0.05)
        return somebody(images)

    following = follow(rtsp_camera(), rtsp_camera(), rtsp_camera(rate=100), detect=slowly)
    following.until(lambda: min(following.frames) >= 1)
    before = following.frames
    following.until(lambda: min(following.frames) >= max(before) + 20)
    shares = [now - then for now, then in zip(following.frames, before, strict=True)]
    assert max(shares) < 1.5 * min(shares)
    live = [worker.status.live for worker in following.workers]
    assert live[2] is not None and live[0] is not None
    assert live[2].dropped > live[0].dropped > 10


def test_a_fault_is_contained_and_following_begins_anew(
    rtsp_camera: Start, follow: Callable[..., Following], caplog: pytest.LogCaptureFixture
) -> None:
    calls = iter(range(1_000_000))

    def fails_once(images: Sequence[ImageArray]) -> list[sv.Detections]:
        if next(calls) == 10:
            raise RuntimeError("out of memory")
        return somebody(images)

    following = follow(rtsp_camera(), detect=fails_once)
    following.until(lambda: following.frames[0] >= 20)
    following.end()
    status = following.workers[0].status
    assert (status.state, status.restarts) == (State.STOPPED, 1)
    assert following.keys == ["c0/1", "c0/2"]
    assert [len(t.scores) for t, _ in following.closed] == [10, following.frames[0] - 10]
    assert "out of memory; following begins anew" in caplog.text


def test_where_tracklets_cannot_go_the_camera_ends(
    rtsp_camera: Start, follow: Callable[..., Following]
) -> None:
    def full(_: Tracklet) -> None:
        raise StoreError("database sqlite:///x.db: disk is full")

    camera = rtsp_camera()
    following = follow(camera, fails=full)
    following.until(lambda: following.frames[0] >= 10)
    camera.stop()
    following.until(lambda: following.workers[0].status.state is State.FAILED)
    status = following.workers[0].status
    assert (status.message, status.fault) == ("database sqlite:///x.db: disk is full", "")


def test_pictures_of_another_size_are_followed_anew(
    rtsp_camera: Start, follow: Callable[..., Following]
) -> None:
    camera = rtsp_camera()
    following = follow(camera)
    following.until(lambda: following.frames[0] >= 10)
    camera.behaviour.size = (192, 144)
    following.until(lambda: len(following.closed) == 1)
    seen = following.frames[0]
    following.until(lambda: following.frames[0] > seen + 5)
    following.end()
    assert following.keys == ["c0/1", "c0/2"]
    assert [t.boxes[0, 2] for t, _ in following.closed] == pytest.approx([76.8, 115.2])


def test_tracks_go_on_after_those_of_before(
    rtsp_camera: Start, follow: Callable[..., Following]
) -> None:
    """And frames after their frames: an export tells them apart by these numbers."""
    following = follow(rtsp_camera(), last_seen=LastSeen(41, 1000))
    following.until(lambda: following.frames[0] >= 10)
    following.end()
    ((tracklet, _),) = following.closed
    assert tracklet.key == "c0/42"
    assert 1001 <= tracklet.frame_indices[0] < 1020
    last_seen = following.workers[0].last_seen
    assert (last_seen.track, last_seen.frame >= tracklet.frame_indices[-1]) == (42, True)
