"""What `live.py` is made of: cameras in one process, a run in another, and what both tell."""

import contextlib
import random
import re
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import av
import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv
import typer

from pipeline.types import EncodedTracklet, Frame, ImageArray
from tests.cameras.rtsp.server import Behaviour, RtspServer

VIDEO: Final = Path(__file__).resolve().parents[1] / "demo/videos/court.mp4"
FRAMES: Final = 50
PERIOD_SECONDS, PASSAGE_SECONDS = 4.0, 2.5
"""Of the stub: everywhere one person comes every so often, and stays so long."""
SPARED: Final = 2
"""So many cameras have no faults: theirs is the share of passages that is found."""
BETWEEN_SECONDS: Final = 4.0
BETWEEN_OUTAGES_SECONDS: Final = 50.0
"""The longest wait before a new connection, and until that is taken for a good one."""


@dataclass(frozen=True)
class Load:
    """What a run has to do.

    Attributes:
        cameras: How many.
        size: Of their pictures, width and height.
        rate: Pictures a second and camera.
        detector: `stub` or `real`.
        overload: By how much more frames come than the stub has time for; 0: it takes none.
    """

    cameras: int
    size: tuple[int, int]
    rate: float
    detector: str
    overload: float = 0

    @property
    def seconds_a_frame(self) -> float:
        """What the stub takes."""
        return self.overload / (self.cameras * self.rate)


@dataclass(frozen=True)
class Fault:
    """What was wrong with which camera, and from when until when, seconds since the epoch."""

    camera: int
    kind: str
    began: float
    ended: float


def pictures(size: tuple[int, int]) -> list[npt.NDArray[np.uint8]]:
    """The beginning of a demo video, in a size."""
    found: list[npt.NDArray[np.uint8]] = []
    with av.open(str(VIDEO)) as video:
        for frame in video.decode(video=0):
            image = cv2.resize(frame.to_ndarray(format="bgr24"), size)
            found.append(np.asarray(image, np.uint8))
            if len(found) == FRAMES:
                break
    return found


def film(load: Load, seed: int | None, outages: Sequence[float], pipe: Connection) -> None:
    """The process of the cameras: sends their addresses, and at the end the faults they had.

    With a seed these are at random; with outages all cameras but the first are away for so long, at
    once and again and again; else there are none.
    """
    images = pictures(load.size)

    def picture(number: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
        image = images[number % len(images)]
        return image if size == load.size else np.asarray(cv2.resize(image, size), np.uint8)

    how = [Behaviour(size=load.size, rate=load.rate) for _ in range(load.cameras)]
    with ExitStack() as stack:
        servers = [stack.enter_context(RtspServer(picture, each, gop=24)) for each in how]
        pipe.send([server.url() for server in servers])
        pipe.recv()  # until the run has begun
        faults: list[Fault] = []
        rng = random.Random(seed)
        while not pipe.poll(0 if outages or seed is not None else None):
            if outages:
                faults += away(servers[1:], outages, pipe)
            else:
                faults.append(suffered(servers, rng, pipe))
        pipe.send([asdict(fault) for fault in faults])


def suffered(servers: Sequence[RtspServer], rng: random.Random, pipe: Connection) -> Fault:
    """One random fault of one of the cameras that are not spared, and a while of none."""
    camera, kind = rng.randrange(SPARED, len(servers)), rng.choice(list(FAULTS))
    began = time.time()
    with FAULTS[kind](servers[camera]):
        pipe.poll(rng.uniform(1, 8))
    fault = Fault(camera, kind, began, time.time())
    pipe.poll(rng.uniform(0, BETWEEN_SECONDS))
    return fault


def away(
    servers: Sequence[RtspServer], outages: Sequence[float], pipe: Connection
) -> Iterator[Fault]:
    """Servers (from camera 1 on) killed at once, each back after its time, shortest first."""
    began = time.time()
    for server in servers:
        server.stop(reset=True)
    for number, (server, outage) in enumerate(zip(servers, outages, strict=True), start=1):
        if pipe.poll(max(0, began + outage - time.time())):
            return  # the end
        server.listen()
        yield Fault(number, f"away for {outage:g} s", began, time.time())
    pipe.poll(BETWEEN_OUTAGES_SECONDS)


@contextmanager
def killed(server: RtspServer) -> Iterator[None]:
    server.stop(reset=True)
    yield
    server.listen()


@contextmanager
def hung_up(server: RtspServer) -> Iterator[None]:
    server.hang_up()
    yield


@contextmanager
def half_open(server: RtspServer) -> Iterator[None]:
    server.abandon()
    yield


def behaving(**values: Any) -> Callable[[RtspServer], contextlib.AbstractContextManager[None]]:
    """A fault that is a behaviour, and its end."""

    @contextmanager
    def behaves(server: RtspServer) -> Iterator[None]:
        before = {name: getattr(server.behaviour, name) for name in values}
        for name, value in values.items():
            setattr(server.behaviour, name, value)
        yield
        for name, value in before.items():
            setattr(server.behaviour, name, value)

    return behaves


FAULTS: Final = {
    "killed": killed,
    "hung up": hung_up,
    "half open": half_open,
    "frozen": behaving(freezes="drops"),
    "held back": behaving(freezes="holds"),
    "silent": behaving(answers=False),
    "corrupt": behaving(corrupts=0.05),
    "lossy": behaving(loses=0.05),
    "without key frames": behaving(loses_key_frames=True),
    "clock off": behaving(clock_offset_seconds=3.5),
    "without reports": behaving(reports=False),
    "flood": behaving(rate=100),
    "slow": behaving(rate=2),
    "another size": behaving(size=(320, 240)),
}


def stub(load: Load) -> Callable[[Sequence[ImageArray]], list[sv.Detections]]:
    """A detector that finds the same person in every camera, by the clock, at a known cost."""

    def detect(images: Sequence[ImageArray]) -> list[sv.Detections]:
        time.sleep(load.seconds_a_frame * len(images))
        return [person(image, time.time()) for image in images]

    return detect


def person(image: ImageArray, now: float) -> sv.Detections:
    """Who is in view at a time: they walk from left to right."""
    passed = now % PERIOD_SECONDS
    if passed > PASSAGE_SECONDS:
        return sv.Detections(xyxy=np.empty((0, 4), np.float32), confidence=np.empty(0, np.float32))
    height, width = image.shape[:2]
    left = width * (0.1 + 0.6 * passed / PASSAGE_SECONDS)
    box = np.array([[left, height * 0.2, left + width * 0.1, height * 0.8]], np.float32)
    return sv.Detections(xyxy=box, confidence=np.full(1, 0.9, np.float32))


def run(load: Load, config: Path, port: int, lags: Path, store_lags: Path) -> None:
    """The process of the run: as the command line does it, with lags written down.

    Args:
        load: What it has to do.
        config: The site file.
        port: Of its metrics.
        lags: Gets a line a frame, from its time to the end of its tracking, seconds.
        store_lags: Gets a line a box, from its time to its commit.
    """
    from cameras.detection_service import DetectionService
    from cameras.following import Follower
    from commands import run as command
    from storage.store import Store

    see, add, guard = Follower.see, Store.add_tracklets, threading.Lock()
    until_us: dict[str, int] = {}

    def timed(self: Follower, detections: sv.Detections, frame: Frame) -> None:
        see(self, detections, frame)
        with guard:
            # Not into a list: it would grow, and memory is measured.
            file.write(f"{time.time() - frame.timestamp_us / 1e6:.4f}\n")

    def stored(self: Store, run_id: int, encoded: Sequence[EncodedTracklet]) -> int:
        new, now = add(self, run_id, encoded), time.time()
        for item in encoded:
            times = item.tracklet.timestamps_us
            later = times[times > until_us.pop(item.tracklet.key, 0)]
            written.writelines(f"{now - each / 1e6:.4f}\n" for each in later.tolist())
            if item.is_open:
                until_us[item.tracklet.key] = item.tracklet.end_us
        return new

    def stubbed(_: object) -> tuple[DetectionService, str]:
        return DetectionService(stub(load), max_batch=1), "stub"

    with ExitStack() as stack:
        file = stack.enter_context(lags.open("w"))
        written = stack.enter_context(store_lags.open("w"))
        stack.enter_context(patch.object(Store, "add_tracklets", stored))
        stack.enter_context(patch.object(Follower, "see", timed))
        if load.detector == "stub":
            stack.enter_context(patch.object(command, "_detection", stubbed))
        stack.enter_context(contextlib.suppress(typer.Exit))
        command.run_site(config, None, resume=False, as_json=True, metrics=str(port))


def metrics(port: int) -> dict[str, float]:
    """What the run tells of itself; empty while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    return {name: float(value) for name, value in re.findall(r"^([^#\s]+) (\S+)$", text, re.M)}


def of_camera(told: dict[str, float], name: str, camera: int) -> float:
    """One number of one camera."""
    return told.get(f'camera_{name}{{camera="c{camera}"}}', 0)
