"""One camera's worker, and the pool that runs them side by side."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import supervision as sv

from cameras.detection_service import DetectionService
from cameras.pool import Pool
from cameras.sources import open_frames
from cameras.worker import CameraStatus, CameraWorker, State
from pipeline.config import DetectionsCamera, Site, TracksCamera, VideoCamera
from pipeline.errors import StoreError
from pipeline.tracking.appearance import EmbedCrops
from pipeline.types import (
    Appearance,
    Clip,
    FloatArray,
    Frame,
    ImageArray,
    NoAppearance,
    Tracklet,
)

Closed = list[tuple[Tracklet, Appearance]]

WALK = "".join(f"{frame},{{id}},{10 + 5 * frame},20,30,60,{{score}}\n" for frame in range(1, 21))


def _site(*cameras: VideoCamera | DetectionsCamera | TracksCamera) -> Site:
    return Site(site="plaza", start="2026-01-05T10:00:00Z", cameras=cameras)


def _recorded(tmp_path: Path, kind: type, **columns: object) -> DetectionsCamera | TracksCamera:
    path = tmp_path / f"{kind.__name__}.txt"
    path.write_text(WALK.format(**columns), encoding="utf-8")
    key = "tracks" if kind is TracksCamera else "detections"
    camera = kind(id="hall", frame_rate=10, image_size=(640, 480), **{key: path})
    assert isinstance(camera, DetectionsCamera | TracksCamera)
    return camera


def _whole_frame(images: Sequence[ImageArray]) -> list[sv.Detections]:
    """A detector that sees one person in the middle of every frame."""
    box = np.array([[200, 100, 264, 228]], np.float32)
    return [sv.Detections(xyxy=box, confidence=np.full(1, 0.9, np.float32)) for _ in images]


def _broken(_: Sequence[ImageArray]) -> list[sv.Detections]:
    raise RuntimeError("out of memory")


def _run(
    site: Site,
    on_tracklet: Callable[[Tracklet, Appearance], None],
    detect: Callable[[Sequence[ImageArray]], list[sv.Detections]] = _whole_frame,
    embed: EmbedCrops | None = None,
) -> list[CameraStatus]:
    stop = threading.Event()
    with DetectionService(detect, max_batch=2) as service:
        workers = [CameraWorker(c, site, service, on_tracklet, stop, embed) for c in site.cameras]
        pool = Pool(workers)
        pool.run(lambda _: None)
    return pool.statuses


def test_recorded_detections_are_tracked(tmp_path: Path) -> None:
    closed: Closed = []
    camera = _recorded(tmp_path, DetectionsCamera, id=-1, score=0.9)
    (status,) = _run(_site(camera), lambda *pair: closed.append(pair))
    assert (status.state, status.frames, status.tracklets) == (State.ENDED, 20, 1)
    ((tracklet, appearance),) = closed
    assert (tracklet.key, len(tracklet.scores), appearance) == ("hall/1", 20, NoAppearance())


def test_recorded_tracks_keep_their_ids(tmp_path: Path) -> None:
    """Tracks are another tracker's business: weak boxes are kept, and the id is the file's."""
    closed: Closed = []
    camera = _recorded(tmp_path, TracksCamera, id=7, score=0.05)
    _run(_site(camera), lambda *pair: closed.append(pair))
    assert [tracklet.key for tracklet, _ in closed] == ["hall/7"]
    assert len(closed[0][0].scores) == 20


def test_weak_recorded_detections_are_dropped(tmp_path: Path) -> None:
    camera = _recorded(tmp_path, DetectionsCamera, id=-1, score=0.05)
    (status,) = _run(_site(camera), lambda *_: None)
    assert (status.state, status.tracklets) == (State.ENDED, 0)


def test_pixels_become_clips(tmp_path: Path, film: Callable[..., Path]) -> None:
    video = film(tmp_path / "hall.mp4", [((90, 90, 90), lambda _: (200, 100))], 30)
    closed: Closed = []
    site = _site(VideoCamera(id="hall", video=str(video)))
    (status,) = _run(site, lambda *pair: closed.append(pair))
    assert (status.state, status.frames, status.last_index) == (State.ENDED, 30, 29)
    ((tracklet, appearance),) = closed
    assert len(tracklet.scores) == 30
    assert isinstance(appearance, Clip)
    assert abs(float(appearance.crops.mean()) - 90) < 3


@pytest.mark.parametrize("appearance", [False, True])
def test_crops_are_embedded_where_people_meet_and_only_if_asked_for(
    tmp_path: Path, film: Callable[..., Path], appearance: bool
) -> None:
    """Two people of two greys walk into each other and turn round."""

    def way(index: int) -> int:
        return 6 * index if index < 20 else 6 * (39 - index)

    greys = [
        ((90, 90, 90), lambda index: (100 + way(index), 100)),
        ((200, 200, 200), lambda index: (380 - way(index), 100)),
    ]
    video = film(tmp_path / "hall.mp4", greys, 40)
    numbers = iter(range(40))

    def two(images: Sequence[ImageArray]) -> list[sv.Detections]:
        ways = [way(next(numbers)) for _ in images]
        boxes = np.array(
            [[[x, 100, x + 64, 228] for x in (100 + w, 380 - w)] for w in ways], np.float32
        )
        return [sv.Detections(xyxy=b, confidence=np.full(2, 0.9, np.float32)) for b in boxes]

    seen: list[float] = []

    def embed(crops: ImageArray) -> FloatArray:
        seen.extend(crops.mean((1, 2, 3)).tolist())
        angle = crops.mean((1, 2, 3)) / 128
        return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)

    site = _site(VideoCamera(id="hall", video=str(video)))
    tracking = site.tracking.model_copy(update={"appearance": appearance})
    closed: Closed = []
    (status,) = _run(
        site.model_copy(update={"tracking": tracking}), lambda *p: closed.append(p), two, embed
    )
    assert (status.state, status.message, len(closed)) == (State.ENDED, "", 2)
    assert (0 < len(seen) < 60) if appearance else not seen


def test_where_nothing_moves_detections_hold(tmp_path: Path, film: Callable[..., Path]) -> None:
    """30 frames of somebody who stands still are looked at twice, and all have their box."""
    video = film(tmp_path / "hall.mp4", [((90, 90, 90), lambda _: (200, 100))], 30)
    looked: list[int] = []

    def counting(images: Sequence[ImageArray]) -> list[sv.Detections]:
        looked.append(len(images))
        return _whole_frame(images)

    closed: Closed = []
    site = _site(VideoCamera(id="hall", video=str(video)))
    still = site.detection.model_copy(update={"motion_gate_seconds": 1})
    (status,) = _run(
        site.model_copy(update={"detection": still}), lambda *p: closed.append(p), counting
    )
    assert (status.frames, sum(looked)) == (30, 2)
    assert len(closed[0][0].scores) == 30


def test_a_slow_camera_delays_nobody(
    tmp_path: Path, film: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One camera gives its second frame only when the other has come to its end."""
    video = film(tmp_path / "hall.mp4", [((90, 90, 90), lambda _: (200, 100))], 20)
    cameras = [VideoCamera(id=name, video=str(video)) for name in ("slow", "quick")]
    first_is_given, quick_has_ended = threading.Event(), threading.Event()

    class Held:
        """A camera's frames when they may come."""

        expected_frames = 20

        def __init__(self, camera: VideoCamera, site: Site) -> None:
            self._is_slow, self._source = camera.id == "slow", open_frames(camera, site)
            self.close = self._source.close

        def __iter__(self) -> Iterator[Frame]:
            for frame in self._source:
                if self._is_slow and frame.index:
                    first_is_given.set()
                    assert quick_has_ended.wait(10)
                elif not self._is_slow:
                    assert first_is_given.wait(10)
                yield frame

    def watch(statuses: Sequence[CameraStatus]) -> None:
        slow, quick = statuses
        if quick.state is State.ENDED and not quick_has_ended.is_set():
            assert (slow.state, quick.frames) == (State.RUNNING, 20)
            quick_has_ended.set()

    monkeypatch.setattr("cameras.worker.open_frames", Held)
    site, stop = _site(*cameras), threading.Event()
    with DetectionService(_whole_frame, max_batch=2) as service:
        pool = Pool([CameraWorker(c, site, service, lambda *_: None, stop) for c in cameras])
        pool.run(watch)
    assert [status.state for status in pool.statuses] == [State.ENDED] * 2
    assert [status.frames for status in pool.statuses] == [20, 20]


def test_a_fault_is_contained(tmp_path: Path, film: Callable[..., Path]) -> None:
    """The detector fails on the video; the recorded camera beside it comes to its end."""
    video = film(tmp_path / "gate.mp4", [], 5)
    recorded = _recorded(tmp_path, DetectionsCamera, id=-1, score=0.9)
    site = _site(VideoCamera(id="gate", video=str(video)), recorded)
    gate, hall = _run(site, lambda *_: None, detect=_broken)
    assert (gate.state, gate.message) == (State.FAILED, "gate: RuntimeError: out of memory")
    assert "Traceback" in gate.fault
    assert hall.state is State.ENDED


def test_a_store_that_fails_ends_the_camera_with_its_words(tmp_path: Path) -> None:
    def full(*_: object) -> None:
        raise StoreError("database sqlite:///x.db: disk is full")

    camera = _recorded(tmp_path, DetectionsCamera, id=-1, score=0.9)
    (status,) = _run(_site(camera), full)
    assert (status.state, status.fault) == (State.FAILED, "")
    assert status.message == "database sqlite:///x.db: disk is full"


def test_interruption_stops_workers_and_leaves_open_tracks(
    tmp_path: Path, film: Callable[..., Path]
) -> None:
    """What would be cut short is not handed on: it is whole when the run is resumed."""
    video = film(tmp_path / "hall.mp4", [((90, 90, 90), lambda _: (200, 100))], 200)
    site = _site(VideoCamera(id="hall", video=str(video)))
    closed: Closed = []
    stop = threading.Event()

    def interrupt(statuses: Sequence[CameraStatus]) -> None:
        raise KeyboardInterrupt

    go_on = threading.Event()

    def waiting(images: Sequence[ImageArray]) -> list[sv.Detections]:
        go_on.wait(0.05)
        return _whole_frame(images)

    with DetectionService(waiting, max_batch=1) as service:
        worker = CameraWorker(site.cameras[0], site, service, lambda *p: closed.append(p), stop)
        with pytest.raises(KeyboardInterrupt):
            Pool([worker]).run(interrupt)
    assert worker.status.state is State.STOPPED
    assert worker.status.frames < 200
    assert closed == []


def test_a_signal_waits_for_workers(tmp_path: Path, film: Callable[..., Path]) -> None:
    """It comes while the first of them is waited for, which must not count as its end."""
    video = film(tmp_path / "hall.mp4", [], 50)
    site = _site(VideoCamera(id="hall", video=str(video)))
    stop, first = threading.Event(), threading.Event()

    def slowly(images: Sequence[ImageArray]) -> list[sv.Detections]:
        if not first.is_set():
            first.set()
            os.kill(os.getpid(), signal.SIGINT)
        stop.wait(30)
        time.sleep(0.3)
        return _whole_frame(images)

    with DetectionService(slowly, max_batch=1) as service:
        worker = CameraWorker(site.cameras[0], site, service, lambda *_: None, stop)
        with pytest.raises(KeyboardInterrupt):
            Pool([worker]).run(lambda _: None)
        assert worker.status.state is State.STOPPED
