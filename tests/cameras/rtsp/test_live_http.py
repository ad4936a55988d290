"""Live cameras that are no RTSP cameras: whatever else ffmpeg reads."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from cameras.live import LiveSource, Patience
from cameras.live_clock import ClockSource, SteadyClock
from cameras.live_connection import Pacer
from pipeline.types import Frame
from tests.cameras.rtsp.http_camera import HttpCamera

RATE = 12
WITHIN_SECONDS = 60


@pytest.fixture
def http_camera(tmp_path: Path, number_picture: Callable[..., np.ndarray]) -> Iterator[HttpCamera]:
    with HttpCamera(tmp_path, number_picture, RATE) as camera:
        yield camera


def frames(source: LiveSource, count: int) -> list[Frame]:
    taken: list[Frame] = []
    end = time.monotonic() + WITHIN_SECONDS
    while len(taken) < count:
        assert time.monotonic() < end, source.status()
        frame = source.poll(0.2)
        taken += [] if frame is None else [frame]
    return taken


@pytest.mark.parametrize("name", ["live.ts", "live.mjpeg", "live.m3u8"])
def test_pictures_come_one_after_the_other(
    http_camera: HttpCamera,
    one_camera: Callable[..., tuple],
    read_number: Callable[[np.ndarray], int],
    name: str,
) -> None:
    """Also of HLS, which brings a second of them at once."""
    if name.endswith("m3u8"):
        http_camera.film_segments()
    patience = Patience(stall=10, dead=20)
    camera, site = one_camera(video=http_camera.url(name))
    with closing(LiveSource(camera, site, SteadyClock(), patience)) as source:
        taken = frames(source, 40)
        assert source.status().connections == 1
        assert source.status().clock in (ClockSource.ARRIVAL, ClockSource.NONE)
    numbers = [read_number(frame.image) for frame in taken]
    # Those that come at once at the beginning, and where this machine is slow, are too many.
    assert (np.diff(numbers) > 0).all()
    assert np.median(np.diff(numbers)) == 1
    times = np.diff([frame.timestamp_us for frame in taken[-20:]]) / np.diff(numbers[-20:])
    assert np.median(times) == pytest.approx(1e6 / RATE, rel=0.3)


def test_waits_are_as_long_as_pictures_are_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four packets that come at once, one that comes 3 s late, one with a time far ahead."""
    clock, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 3))
        clock[0] += seconds

    monkeypatch.setattr("cameras.live_connection.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("cameras.live_connection.time.sleep", sleep)
    pacer = Pacer()
    for number in range(4):
        pacer.wait(number * 500_000)
    assert slept == [0.5, 0.5, 0.5]
    clock[0] += 3
    pacer.wait(2_000_000)
    pacer.wait(2_250_000)
    assert slept[3:] == [0.25]
    pacer.wait(90_000_000)
    pacer.wait(90_100_000)
    assert slept[4:] == [0.1]
