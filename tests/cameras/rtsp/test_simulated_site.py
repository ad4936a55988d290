"""A simulated site streamed by its own cameras: the identities are those of its recording."""

import contextlib
import json
import re
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import yaml

from pipeline.timestamps import from_iso
from storage.store import open_store
from tests.cameras.rtsp.live_run import WITHIN_SECONDS, LiveRun, free_port, metrics
from tests.cameras.rtsp.server import RtspServer
from tests.conftest import TINY_SIMULATION

CAMERAS = ("north", "south")
SIZE = (416, 234)
RATE = 5
SECONDS = 20
OVERLAP = 0.3
START_US = from_iso("2026-01-05T10:00:00Z")

Who = set[frozenset[tuple[str, int]]]
"""By person found: the passages (camera, true person) that are taken to be theirs."""


class Show:
    """The frames of several recordings, all begun at one moment; black before and after."""

    def __init__(self, videos: dict[str, Path]) -> None:
        self._frames = {name: _frames(path) for name, path in videos.items()}
        self.started_us: int | None = None

    def begin(self) -> None:
        self.started_us = time.time_ns() // 1000

    def picture(self, camera: str) -> Callable[[int, tuple[int, int]], npt.NDArray[np.uint8]]:
        frames = self._frames[camera]

        def picture(_: int, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
            passed_us = -1 if self.started_us is None else time.time_ns() // 1000 - self.started_us
            number = passed_us * RATE // 1_000_000
            if 0 <= number < len(frames):
                return frames[number]
            return np.zeros((size[1], size[0], 3), np.uint8)

        return picture


def _frames(path: Path) -> list[npt.NDArray[np.uint8]]:
    with av.open(str(path)) as video:
        return [frame.to_ndarray(format="bgr24") for frame in video.decode(video=0)]


@dataclass(frozen=True)
class Truth:
    """Who was where: rows of frame, person, x, y, width, height by camera."""

    rows: dict[str, npt.NDArray[np.float64]]

    @classmethod
    def of(cls, folder: Path) -> "Truth":
        return cls({name: np.loadtxt(folder / f"{name}.txt", delimiter=",") for name in CAMERAS})

    def person(self, camera: str, seconds: float, box: npt.NDArray[np.float64]) -> int | None:
        """Whose box it is, at most a frame earlier or later."""
        rows = self.rows[camera]
        near = rows[np.abs(rows[:, 0] - 1 - seconds * RATE) <= 1]
        low = np.maximum(near[:, 2:4], box[:2])
        high = np.minimum(near[:, 2:4] + near[:, 4:6], box[2:])
        common = np.prod(np.clip(high - low, 0, None), axis=1)
        shares = common / (np.prod(near[:, 4:6], axis=1) + np.prod(box[2:] - box[:2]) - common)
        best = int(np.argmax(shares)) if len(near) else -1
        return int(near[best, 1]) if best >= 0 and shares[best] > OVERLAP else None


def who_is_who(database: Path, truth: Truth, start_us: int) -> Who:
    """Each true passage goes to the identity that has most of its boxes."""
    votes: dict[tuple[str, int], Counter[int]] = defaultdict(Counter)
    with open_store(f"sqlite:///{database}", create=False) as store:
        identities = store.current_identities(1)
        for tracklet, _ in store.load_tracklets(1):
            for timestamp_us, box in zip(tracklet.timestamps_us, tracklet.boxes, strict=True):
                seconds = (int(timestamp_us) - start_us) / 1e6
                person = truth.person(tracklet.camera_id, seconds, box.astype(np.float64))
                if person is not None and tracklet.key in identities:
                    votes[tracklet.camera_id, person][identities[tracklet.key]] += 1
    found: dict[int, set[tuple[str, int]]] = defaultdict(set)
    for passage, counts in votes.items():
        found[counts.most_common(1)[0][0]].add(passage)
    return {frozenset(passages) for passages in found.values()}


def write_site(folder: Path, recorded: Path, videos: dict[str, str]) -> None:
    """The site of the recording with other sources."""
    tree = yaml.safe_load((recorded / "site.yaml").read_text(encoding="utf-8"))
    for camera in tree["cameras"]:
        camera |= {
            "video": videos[camera["id"]],
            "calibration": str(recorded / camera["calibration"]),
        }
    tree["detection"] = {"image_size": SIZE[0], "engine": "torch"}
    tree["reid"] = {"weights": "bundled/encoder-simulated.safetensors"}
    folder.mkdir(exist_ok=True)
    (folder / "site.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")


def simulation() -> str:
    """Three people who come one after another, each seen by two cameras without faults."""
    tree = yaml.safe_load(TINY_SIMULATION) | {"duration_seconds": SECONDS, "seed": 6}
    for camera in tree["cameras"]:
        camera["image_size"] = list(SIZE)
        for fault in ("clock_offset_ms", "dropped", "shutter_ms"):
            camera.pop(fault, None)
    return yaml.safe_dump(tree)


def until_all_are_looked_at(run: LiveRun, port: int) -> None:
    end = time.monotonic() + WITHIN_SECONDS
    while True:
        assert time.monotonic() < end and run.process.poll() is None, "no frames were looked at"
        with contextlib.suppress(OSError):
            counts = re.findall(r"camera_frames_processed_total{.*} (.*)", metrics(port))
            if len(counts) == len(CAMERAS) and all(float(count) >= 3 for count in counts):
                return
        time.sleep(0.1)


def test_streamed_by_its_cameras_it_has_the_identities_of_its_recording(
    rtsp_camera: Callable[..., RtspServer],
    run_live: Callable[..., LiveRun],
    pipeline: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    (tmp_path / "tiny.yaml").write_text(simulation(), encoding="utf-8")
    site = tmp_path / "simulated"
    pipeline("simulate", "tiny.yaml", "--output", str(site), folder=tmp_path)
    videos = {name: site / f"videos/{name}.mp4" for name in CAMERAS}
    truth = Truth.of(site / "ground_truth")
    show, port = Show(videos), free_port()
    cameras = {
        name: rtsp_camera(picture=show.picture(name), size=SIZE, rate=RATE, gop=RATE)
        for name in CAMERAS
    }
    write_site(tmp_path, site, {name: camera.url() for name, camera in cameras.items()})
    run = run_live("--metrics", str(port))  # it takes a while to begin, beside what follows

    write_site(tmp_path / "recorded", site, {name: str(path) for name, path in videos.items()})
    done = pipeline("run", "site.yaml", folder=tmp_path / "recorded")
    assert done.returncode == 0, done.stderr
    recorded = who_is_who(tmp_path / "recorded/tracking.db", truth, START_US)
    assert recorded == {frozenset((name, person) for name in CAMERAS) for person in (1, 2, 3)}

    until_all_are_looked_at(run, port)
    show.begin()
    time.sleep(SECONDS + 1)
    code, output, errors = run.end(signal.SIGTERM)
    assert code == 0, errors
    assert json.loads(output)["status"] == "finished"
    assert show.started_us is not None
    assert who_is_who(tmp_path / "tracking.db", truth, show.started_us) == recorded
