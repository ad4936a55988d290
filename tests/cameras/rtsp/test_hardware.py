"""What decodes: no hardware is needed here; one that is not there is asked for all the same."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import av
import pytest
import yaml
from av.codec.hwaccel import hwdevices_available

from cameras import hardware
from cameras.live import Link, LiveSource
from cameras.live_clock import SteadyClock
from cameras.sources import open_frames
from pipeline.errors import SettingsError
from tests.cameras.rtsp.server import RtspServer

WITHIN_SECONDS = 60
ABSENT = [name for name in hwdevices_available() if not hardware.has_device(name)]
needs_absent_cuda = pytest.mark.skipif("cuda" not in ABSENT, reason="libav has cuda, or none of it")


@pytest.fixture
def is_told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Says that of all hardware this is here."""
    yield lambda kind: monkeypatch.setattr(hardware, "has_device", lambda name: name == kind)


def test_without_hardware_it_is_software(
    one_camera: Callable[..., tuple], is_told: Callable[[str], None]
) -> None:
    is_told("none of them")
    camera, _ = one_camera(video="rtsp://192.0.2.7/live")
    assert hardware.decoding_of(camera) == "software"
    assert hardware.accelerator(camera) is None


@pytest.mark.skipif(not hwdevices_available(), reason="libav knows of no hardware")
def test_live_cameras_take_what_is_here_and_recordings_do_not(
    one_camera: Callable[..., tuple], is_told: Callable[[str], None]
) -> None:
    kind = hwdevices_available()[0]
    is_told(kind)
    for video, expected in (("rtsp://192.0.2.7/live", kind), ("hall.mp4", "software")):
        assert hardware.decoding_of(one_camera(video=video)[0]) == expected
        named = one_camera(video=video, decoding=kind)[0]
        assert hardware.decoding_of(named) == kind
        assert hardware.decoding_of(one_camera(video=video, decoding="software")[0]) == "software"


def test_a_camera_is_looked_at_by_whatever_is_here(
    one_camera: Callable[..., tuple], rtsp_camera: Callable[..., RtspServer]
) -> None:
    settings, site = one_camera(video=rtsp_camera().url())
    with closing(LiveSource(settings, site, SteadyClock())) as source:
        end = time.monotonic() + WITHIN_SECONDS
        while source.poll(0.2) is None:
            assert time.monotonic() < end, source.status()
        assert source.status().facts.decoding == hardware.decoding_of(settings)


@needs_absent_cuda
def test_libav_is_asked_for_a_device_that_is_said_to_be_here(
    one_camera: Callable[..., tuple],
    rtsp_camera: Callable[..., RtspServer],
    film: Callable[..., Path],
    is_told: Callable[[str], None],
    tmp_path: Path,
) -> None:
    is_told("cuda")
    with pytest.raises(av.FFmpegError) as denied:
        av.codec.hwaccel.HWAccel("cuda").create(av.Codec("h264", "r"))
    words = str(denied.value.strerror)
    settings, site = one_camera(video=rtsp_camera().url())
    with closing(LiveSource(settings, site, SteadyClock())) as source:
        end = time.monotonic() + WITHIN_SECONDS
        while source.status().link is not Link.BACKOFF:
            assert time.monotonic() < end
            assert source.poll(0.1) is None
        assert source.status().failure == words
    recording = film(tmp_path / "hall.mp4", [], 5)
    with pytest.raises(Exception, match=words):
        open_frames(*one_camera(video=str(recording), decoding="cuda"))


@pytest.mark.parametrize("video", ["rtsp://192.0.2.7/live", "hall.mp4"])
def test_hardware_that_is_not_here_is_named(
    pipeline: Callable[..., subprocess.CompletedProcess[str]],
    film: Callable[..., Path],
    tmp_path: Path,
    video: str,
) -> None:
    film(tmp_path / "hall.mp4", [], 5)
    camera = {"id": "yard", "video": video, "decoding": "abacus"}
    site = {"site": "plaza", "start": "2026-01-05T10:00:00Z", "cameras": [camera]}
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    expected = "camera yard: decoding: expected auto, software or hardware that is here ("
    for command in (("run",), ("cameras", "probe"), ("doctor",)):
        result = pipeline(*command, "site.yaml", folder=tmp_path)
        assert result.returncode == 2
        assert expected in result.stdout + result.stderr, command
        assert "got abacus" in result.stdout + result.stderr
    assert not (tmp_path / "tracking.db").exists()


@pytest.mark.parametrize("name", ABSENT or [pytest.param("", marks=pytest.mark.skip)])
def test_what_libav_knows_of_may_not_be_here(one_camera: Callable[..., tuple], name: str) -> None:
    with pytest.raises(SettingsError, match=f"got {name}"):
        hardware.decoding_of(one_camera(video="hall.mp4", decoding=name)[0])
