"""`cameras probe`: what each camera of a site gives."""

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from av.codec.hwaccel import hwdevices_available

from tests.cameras.rtsp.server import RtspServer

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_each_camera_is_described(
    rtsp_camera: Callable[..., RtspServer],
    film: Callable[..., Path],
    pipeline: Run,
    closed_port: int,
    read_number: Callable[[np.ndarray], int],
    tmp_path: Path,
) -> None:
    yard = rtsp_camera(codec="h265", password="sesame", clock_offset_seconds=3.5)
    film(tmp_path / "hall.mp4", [], 30)
    (tmp_path / "dock.txt").write_text("1,-1,10,20,30,60,0.9\n3,-1,10,20,30,60,0.9\n")
    rows = {"detections": "dock.txt", "frame_rate": 10, "image_size": [640, 480]}
    cameras = [
        {"id": "yard", "video": yard.url("viewer", "sesame")},
        {"id": "hall", "video": "hall.mp4"},
        {"id": "dock", **rows},
        {"id": "away", "video": f"rtsp://viewer:sesame@127.0.0.1:{closed_port}/live"},
    ]
    site = {"site": "plaza", "start": "2026-01-05T10:00:00Z", "cameras": cameras}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    options = ["--seconds", "2", "--snapshots", "pictures", "--json"]
    result = pipeline("cameras", "probe", "site.yaml", *options, folder=tmp_path)
    assert result.returncode == 2
    assert "error: away: Connection refused" in result.stderr
    assert "sesame" not in result.stdout + result.stderr
    found = json.loads(result.stdout)["cameras"]
    assert {name: camera["works"] for name, camera in found.items()} == {
        "yard": True,
        "hall": True,
        "dock": True,
        "away": False,
    }
    live = found["yard"]
    assert (live["kind"], live["codec"], live["size"]) == ("live", "hevc", [128, 96])
    assert live["clock"] == "arrival"
    assert live["decoding"] in ("software", *hwdevices_available())
    assert (found["hall"]["decoding"], found["dock"]["decoding"]) == ("software", "")
    assert -3500 <= live["offset_ms"] < -2500
    assert 0 < live["rate_hz"] < 60
    assert (found["hall"]["kind"], found["hall"]["size"]) == ("frames", [640, 384])
    assert (found["hall"]["frames"], found["dock"]["frames"]) == (30, 3)
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [
        "hall.jpg",
        "yard.jpg",
    ]
    picture = cv2.imread(str(tmp_path / "pictures/yard.jpg"))
    assert picture is not None
    assert read_number(picture) < len(yard.taken_us)


def test_a_table_without_json(
    rtsp_camera: Callable[..., RtspServer], pipeline: Run, tmp_path: Path
) -> None:
    site = {"site": "plaza", "cameras": [{"id": "yard", "video": rtsp_camera().url()}]}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    result = pipeline("cameras", "probe", "site.yaml", "--seconds", "1", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "h264" in result.stdout
    assert "128x96" in result.stdout


def test_paused_cameras_are_not_opened(
    rtsp_camera: Callable[..., RtspServer], pipeline: Run, tmp_path: Path
) -> None:
    server = rtsp_camera()
    cameras = [
        {"id": "yard", "video": server.url(), "enabled": False},
        {"id": "hall", "video": "not-there.mp4", "enabled": False},
    ]
    site = {"site": "plaza", "cameras": cameras}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    result = pipeline("cameras", "probe", "site.yaml", "--json", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert server.requests == []
    found = json.loads(result.stdout)["cameras"]
    told = {name: (each["kind"], each["paused"], each["works"]) for name, each in found.items()}
    assert told == {"yard": ("live", True, None), "hall": ("frames", True, None)}
    table = pipeline("cameras", "probe", "site.yaml", folder=tmp_path).stdout
    assert "live, paused" in table and "frames, paused" in table
