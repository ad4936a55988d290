"""Cameras that are added, removed, paused and changed while others run."""

import json
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import yaml

from tests.cameras.rtsp.live_run import WITHIN_SECONDS, LiveRun, free_port, metrics
from tests.cameras.rtsp.server import RtspServer
from tests.cameras.rtsp.test_live_run import BLUE, RATE, RED, SIZE, walk, write_site

MASKS = ("SigBlk", "SigIgn", "SigCgt")


def edit(folder: Path, *cameras: dict[str, Any], **keys: object) -> None:
    """The site file with these cameras instead, and other settings."""
    path = folder / "site.yaml"
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    tree |= {"cameras": list(cameras), **keys}
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")


def until_told(run: LiveRun, port: int, *lines: str) -> None:
    """Until all these stand among the metrics."""
    end = time.monotonic() + WITHIN_SECONDS
    while True:
        assert run.process.poll() is None, run.errors
        told = metrics(port).splitlines()
        if set(lines) <= set(told):
            return
        assert time.monotonic() < end, told
        time.sleep(0.1)


def test_cameras_come_and_go_while_others_run(
    rtsp_camera: Callable[..., RtspServer],
    run_live: Callable[..., LiveRun],
    tmp_path: Path,
    toy_detector: Path,
    toy_encoder: Path,
) -> None:
    servers = {
        name: rtsp_camera(picture=walk(RED, BLUE), size=SIZE, rate=RATE)
        for name in ("north", "gate", "yard")
    }
    north, gate, yard = ({"id": name, "video": each.url()} for name, each in servers.items())
    write_site(tmp_path, toy_detector, toy_encoder, {"north": north["video"]})
    port = free_port()
    run = run_live("--metrics", str(port))
    run.until_stored(1)

    edit(tmp_path, north, gate | {"enabled": False}, yard, transitions={"north": {"yard": [0, 9]}})
    run.process.send_signal(signal.SIGHUP)
    until_told(run, port, 'camera_up{camera="yard"} 1.0', 'camera_up{camera="gate"} 0.0')
    assert servers["gate"].requests == []

    end = time.monotonic() + WITHIN_SECONDS
    while "yard" not in {name for name, _, _ in run.tracklets()}:
        assert time.monotonic() < end
        time.sleep(0.1)
    edit(tmp_path, north, gate, transitions={})
    run.process.send_signal(signal.SIGHUP)
    until_told(run, port, 'camera_up{camera="gate"} 1.0')
    end = time.monotonic() + WITHIN_SECONDS
    while "yard" in metrics(port) or servers["yard"].viewers:
        assert time.monotonic() < end
        time.sleep(0.1)

    edit(tmp_path, north, gate, yard | {"time_offset_ms": 3})
    run.process.send_signal(signal.SIGHUP)
    until_told(run, port, 'camera_up{camera="yard"} 1.0')

    code, _, errors = run.end(signal.SIGTERM)
    assert code == 0, errors
    done = ("paused", "added", "changed", "removed")
    assert [line for line in errors.splitlines() if line.endswith(done)] == [
        "gate: paused",
        "yard: added",
        "gate: changed",
        "yard: removed",
        "yard: added",
    ]
    # A machine that stands still for seconds loses the connection, and says so.
    lost = [line for line in errors.splitlines() if "north" in line and "no picture" in line]
    begun = [status for method, status in servers["north"].requests if method == "PLAY"]
    assert begun == [200] * (1 + len(lost)), errors
    keys = run.tracklets()
    assert {"north", "yard"} <= {name for name, _, _ in keys}
    with closing(sqlite3.connect(run.database)) as connection:
        names = connection.execute(
            "select name, status from run_camera join camera on camera.id = camera_id"
            " order by position"
        ).fetchall()
    assert names == [("north", "ended"), ("gate", "ended"), ("yard", "ended")]


def test_a_file_that_is_no_good_changes_nothing(
    rtsp_camera: Callable[..., RtspServer],
    run_live: Callable[..., LiveRun],
    tmp_path: Path,
    toy_detector: Path,
    toy_encoder: Path,
) -> None:
    server = rtsp_camera(picture=walk(RED, BLUE), size=SIZE, rate=RATE)
    camera = {"id": "north", "video": server.url()}
    write_site(tmp_path, toy_detector, toy_encoder, {"north": server.url()})
    run = run_live()
    run.until_stored(1)
    other = camera | {"id": "gate"}
    for words, cameras, keys in (
        (
            "cameras[0].enabled: input should be",
            [other | {"enabled": "perhaps"}],
            {},
        ),
        ("got others of association", [other], {"association": {"least_confidence": 0.6}}),
        ("got others of cameras with recordings", [camera, other | {"video": "a.mp4"}], {}),
    ):
        edit(tmp_path, *cameras, **keys)
        run.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + WITHIN_SECONDS
        while words not in run.errors:
            assert time.monotonic() < end, run.errors
            time.sleep(0.1)
        write_site(tmp_path, toy_detector, toy_encoder, {"north": server.url()})
    code, output, errors = run.end(signal.SIGTERM)
    assert code == 0, errors
    assert list(json.loads(output)["cameras"]) == ["north"]
    assert errors.count("; the run goes on as before\n") == 3


def is_deadly(status: str) -> bool:
    """Whether SIGHUP would end a process, by its /proc/PID/status."""
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line[:6] in MASKS]
    return not any(mask >> (signal.SIGHUP - 1) & 1 for mask in masks)


def test_a_hangup_while_it_starts_is_remembered(
    rtsp_camera: Callable[..., RtspServer],
    run_live: Callable[..., LiveRun],
    tmp_path: Path,
    toy_detector: Path,
    toy_encoder: Path,
) -> None:
    servers = {name: rtsp_camera(picture=walk(RED), size=SIZE, rate=RATE) for name in ("n", "g")}
    write_site(tmp_path, toy_detector, toy_encoder, {"n": servers["n"].url()})
    port = free_port()
    run = run_live("--metrics", str(port))
    told = Path(f"/proc/{run.process.pid}/status")
    while is_deadly(told.read_text()):
        assert run.process.poll() is None, run.errors
        assert not run.database.exists(), "it has begun, and SIGHUP would end it"
        time.sleep(0.01)
    run.process.send_signal(signal.SIGHUP)
    while not run.database.exists():  # it has read the site file, and listens to nothing yet
        assert run.process.poll() is None, run.errors
        time.sleep(0.01)
    edit(tmp_path, *({"id": name, "video": each.url()} for name, each in servers.items()))
    run.process.send_signal(signal.SIGHUP)
    run.until_stored(1)
    until_told(run, port, 'camera_up{camera="n"} 1.0', 'camera_up{camera="g"} 1.0')
    code, _, errors = run.end(signal.SIGTERM)
    assert code == 0, errors
    assert "g: added" in errors.splitlines()
