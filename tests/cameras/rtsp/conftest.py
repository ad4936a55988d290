"""Cameras that stream: ours, with faults on demand, and GStreamer's where it is installed."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cameras.rtsp.film import Picture
from tests.cameras.rtsp.live_run import LiveRun
from tests.cameras.rtsp.server import Behaviour, RtspServer

GSTREAMER = Path(__file__).parent / "gstreamer_server.py"
SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture
def rtsp_camera(number_picture: Picture) -> Iterator[Callable[..., RtspServer]]:
    """Starts a camera of numbered pictures; called with the attributes of `Behaviour`."""
    with ExitStack() as stack:

        def start(*, picture: Picture = number_picture, gop: int = 12, **how: object) -> RtspServer:
            return stack.enter_context(RtspServer(picture, Behaviour(**how), gop))

        yield start


@pytest.fixture
def gstreamer_camera(tmp_path: Path) -> Iterator[str]:
    """The address of a stream that GStreamer's own RTSP server sends: 320x240, 25 pictures/s."""
    probe = [SYSTEM_PYTHON, str(GSTREAMER), "--check"]
    if shutil.which(SYSTEM_PYTHON) is None or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("needs gir1.2-gst-rtsp-server-1.0, python3-gi and GStreamer's plugins")
    with subprocess.Popen(
        [SYSTEM_PYTHON, str(GSTREAMER)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.kill()


@pytest.fixture
def run_live(tmp_path: Path) -> Iterator[Callable[..., LiveRun]]:
    """Starts `run site.yaml` in the test's folder, with further arguments."""
    started: list[LiveRun] = []

    def start(*arguments: str) -> LiveRun:
        started.append(LiveRun(tmp_path, *arguments))
        return started[-1]

    yield start
    for run in started:
        run.process.kill()
        run.process.communicate()
