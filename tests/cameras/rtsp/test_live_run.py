"""A site of live cameras as a user runs it: stopped, killed and resumed."""

import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml

from tests.cameras.rtsp.live_run import LiveRun, free_port, metrics
from tests.cameras.rtsp.server import RtspServer

RED, BLUE = (20, 20, 255), (255, 20, 20)
SIZE = (640, 384)
RATE = 12
PASSAGE, PAUSE = 20, 12  # pictures
IDENTITIES = (
    "select camera.name, track_id, number from link join tracklet on tracklet.id = tracklet_id"
    " join camera on camera.id = camera_id join identity on identity.id = identity_id"
    " where valid_to_us is null order by 1, 2"
)

BOXES = "select track_id, boxes from tracklet"


def walk(*colours: tuple[int, int, int]) -> Callable[..., np.ndarray]:
    """People who cross the picture again and again, each in turn, and nobody in between."""

    def picture(number: int, size: tuple[int, int]) -> np.ndarray:
        image = np.zeros((size[1], size[0], 3), np.uint8)
        turn, step = divmod(number, PASSAGE + PAUSE)
        if step < PASSAGE:
            x = 16 + 24 * step
            image[120:248, x : x + 64] = colours[turn % len(colours)]
        return image

    return picture


def write_site(
    folder: Path, detector: Path, encoder: Path, cameras: dict[str, str], **keys: object
) -> None:
    tree = {
        "site": "plaza",
        "cameras": [{"id": name, "video": video, **keys} for name, video in cameras.items()],
        "detection": {"weights": str(detector), "confidence": 0.3},
        "reid": {"weights": str(encoder)},
        "association": {"similarity_threshold": 0.8},
        "tracking": {"max_gap_seconds": 0.5},
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")


def test_live_cameras_run_until_stopped_and_go_on_when_killed(
    rtsp_camera: Callable[..., RtspServer],
    run_live: Callable[..., LiveRun],
    tmp_path: Path,
    toy_detector: Path,
    toy_encoder: Path,
) -> None:
    north = rtsp_camera(picture=walk(RED, BLUE), size=SIZE, rate=RATE)
    gate = rtsp_camera(picture=walk(BLUE, RED), size=SIZE, rate=RATE, password="open sesame")
    urls = {"north": north.url(), "gate": gate.url("viewer", "open%20sesame")}
    write_site(tmp_path, toy_detector, toy_encoder, urls)

    killed = run_live()
    before = killed.until_stored(3)
    assert killed.end(signal.SIGKILL)[0] == -signal.SIGKILL

    resumed = run_live("--resume")
    stored = resumed.until_stored(len(before) + 2)
    assert set(before) < set(stored)
    assert {name for name, _, _ in stored} == {"north", "gate"}
    code, output, errors = resumed.end(signal.SIGTERM)
    assert code == 0, errors
    report = json.loads(output)
    assert (report["run"], report["status"]) == (1, "finished")
    assert {camera["state"] for camera in report["cameras"].values()} == {"ended"}
    # Who is in view at the start and at the end is cut, and may show little of their colour.
    assert 2 <= report["identities"] <= 4
    assert report["tracklets"] >= len(stored)
    assert "sesame" not in output + errors + str((tmp_path / "tracking.db").read_bytes())


def test_who_is_in_view_is_stored_and_known_before_they_leave(
    rtsp_camera: Callable[..., RtspServer],
    run_live: Callable[..., LiveRun],
    tmp_path: Path,
    toy_detector: Path,
    toy_encoder: Path,
) -> None:
    """Somebody stands there all the time; what was stored of them outlives a kill."""

    def stands(_: int, size: tuple[int, int]) -> np.ndarray:
        image = np.zeros((size[1], size[0], 3), np.uint8)
        image[120:248, 200:264] = RED
        return image

    camera = rtsp_camera(picture=stands, size=SIZE, rate=RATE)
    write_site(tmp_path, toy_detector, toy_encoder, {"hall": camera.url()})
    killed = run_live()
    killed.until(lambda: killed.ask(IDENTITIES))
    killed.end(signal.SIGKILL)
    # One, or more where the track broke because the machine is busy.
    before = dict(killed.ask(BOXES))
    assert killed.ask("select count(*) from track_point") == [(sum(before.values()),)]
    resumed = run_live("--resume")
    resumed.until(lambda: [row for row in resumed.ask(IDENTITIES) if row[1] > max(before)])
    code, _, errors = resumed.end(signal.SIGTERM)
    assert code == 0, errors
    after = dict(resumed.ask(BOXES))
    assert {track: after[track] for track in before} == before
    assert {number for _, _, number in resumed.ask(IDENTITIES)} == {1}


def test_recorded_and_live_cameras_side_by_side(
    rtsp_camera: Callable[..., RtspServer],
    run_live: Callable[..., LiveRun],
    film: Callable[..., Path],
    tmp_path: Path,
    toy_detector: Path,
    toy_encoder: Path,
) -> None:
    """The recording comes to its end; the live camera goes on, also when it is not there."""
    film(tmp_path / "hall.mp4", [(RED, lambda n: (16 + 10 * n, 120) if n < 50 else None)], 75)
    north = rtsp_camera(picture=walk(RED, BLUE), size=SIZE, rate=RATE)
    north.stop()
    write_site(tmp_path, toy_detector, toy_encoder, {"hall": "hall.mp4", "north": north.url()})
    port = free_port()
    run = run_live("--metrics", str(port), "--log-format", "json")
    assert run.until_stored(1)[0][0] == "hall"
    assert 'camera_up{camera="north"} 0.0' in metrics(port)
    north.listen()
    assert {name for name, _, _ in run.until_stored(2)} == {"hall", "north"}
    assert 'camera_up{camera="north"} 1.0' in metrics(port)
    code, output, errors = run.end(signal.SIGTERM)
    assert code == 0, errors
    cameras = json.loads(output)["cameras"]
    assert {name: camera["state"] for name, camera in cameras.items()} == {
        "hall": "ended",
        "north": "ended",
    }
    assert cameras["hall"]["frames"] == 75
    told = [json.loads(line) for line in errors.splitlines()]
    refused = [each for each in told if each["message"].endswith("Connection refused")]
    assert [(each["camera"], each["level"]) for each in refused] == [("north", "warning")]
    running = [each["camera"] for each in told if each["message"].endswith("running")]
    assert running == ["north"]
