"""A live camera through all that happens to it: the fault matrix of docs/operations.md."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

from cameras.live import Link, LiveSource, LiveStatus, Patience
from cameras.live_clock import ClockSource, SteadyClock
from pipeline.types import Frame
from tests.cameras.rtsp.server import RtspServer

Start = Callable[..., RtspServer]
Look = Callable[..., LiveSource]

SOON = Patience(first_picture=5, stall=0.6, dead=1.2, backoff=0.2, longest_backoff=0.5, settled=0.5)
"""As in use, but a test cannot wait for long."""
A_TENTH = replace(SOON, backoff=0.1, longest_backoff=3)
OUTAGES = (0.1, 1.0, 6.0)
WITHIN_SECONDS = 60
"""After which a test gives up; no measure of speed."""


@pytest.fixture
def look(one_camera: Callable[..., tuple]) -> Iterator[Look]:
    """Opens a live source on a camera of ours, or on an address."""
    opened: list[LiveSource] = []

    def start(
        camera: RtspServer | str,
        *,
        rate_hz: float | None = None,
        patience: Patience = SOON,
        **keys: object,
    ):
        url = camera if isinstance(camera, str) else camera.url()
        settings, site = one_camera(rate_hz=rate_hz, **{"video": url, **keys})
        opened.append(LiveSource(settings, site, SteadyClock(), patience))
        return opened[-1]

    yield start
    for source in opened:
        source.close()


@pytest.fixture
def number(read_number: Callable[[np.ndarray], int]) -> Callable[[Frame], int]:
    return lambda frame: read_number(frame.image)


def frames(source: LiveSource, count: int) -> list[Frame]:
    """The next frames."""
    taken: list[Frame] = []
    end = time.monotonic() + WITHIN_SECONDS
    while len(taken) < count:
        assert time.monotonic() < end, source.status()
        frame = source.poll(0.2)
        taken += [] if frame is None else [frame]
    return taken


def wait_for(source: LiveSource, is_so: Callable[[LiveStatus], bool]) -> list[Frame]:
    """Watch until something is so; the frames that came meanwhile."""
    taken: list[Frame] = []
    end = time.monotonic() + WITHIN_SECONDS
    while not is_so(source.status()):
        assert time.monotonic() < end, source.status()
        frame = source.poll(0.05)
        taken += [] if frame is None else [frame]
    return taken


def is_running(status: LiveStatus) -> bool:
    return status.link is Link.RUNNING


def until_back(source: LiveSource) -> list[Frame]:
    """Watch until the camera runs again on a later connection."""
    before = source.status().connections
    taken = wait_for(source, lambda s: s.connections > before and is_running(s))
    return taken + frames(source, 3)


def in_order(taken: list[Frame]) -> bool:
    times = [frame.timestamp_us for frame in taken]
    indices = [frame.index for frame in taken]
    return bool((np.diff(times) > 0).all() and (np.diff(indices) > 0).all())


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg"])
def test_pictures_are_dated_by_the_camera(
    rtsp_camera: Start, look: Look, number: Callable[[Frame], int], codec: str, transport: str
) -> None:
    camera = rtsp_camera(codec=codec)
    source = look(camera, rtsp_transport=transport, time_offset_ms=250)
    wait_for(source, lambda status: status.clock is ClockSource.CAMERA)
    taken = frames(source, 15)
    assert in_order(taken)
    for frame in taken[2:]:
        taken_us = camera.taken_us[number(frame)] + 250_000
        assert frame.timestamp_us == pytest.approx(taken_us, abs=50)
    assert source.status().facts.codec == codec.replace("h265", "hevc")


def test_a_newer_picture_takes_the_place_of_one_that_was_taken(
    rtsp_camera: Start, look: Look
) -> None:
    camera = rtsp_camera()
    source = look(camera)
    (taken,) = frames(source, 1)
    while source.status().pictures < taken.index + 20:
        time.sleep(0.02)
    camera.stop()
    time.sleep(0.1)  # until what is on its way has come
    before = source.status().dropped
    newer = source.newer(taken)
    assert newer.index >= taken.index + 19
    assert source.status().dropped == before + 1
    assert source.newer(newer) is newer
    assert source.status().dropped == before + 1


def test_only_the_newest_picture_is_kept(
    rtsp_camera: Start, look: Look, number: Callable[[Frame], int]
) -> None:
    camera = rtsp_camera()
    source = look(camera)
    first = number(frames(source, 1)[0])
    while source.status().pictures < 40:
        time.sleep(0.05)
    newest = frames(source, 1)[0]
    assert number(newest) >= first + 30
    status = source.status()
    assert status.dropped >= 30
    assert newest.index >= 30


def test_a_sampling_rate_leaves_pictures_out(rtsp_camera: Start, look: Look) -> None:
    source = look(rtsp_camera(), rate_hz=5)
    times = [frame.timestamp_us for frame in frames(source, 6)]
    assert (np.diff(times) > 150_000).all()
    assert source.status().skipped > 10


@pytest.mark.parametrize("reset", [False, True], ids=["ends", "resets"])
def test_a_camera_that_goes_and_comes_back(
    rtsp_camera: Start, look: Look, number: Callable[[Frame], int], reset: bool
) -> None:
    camera = rtsp_camera()
    source = look(camera)
    before = frames(source, 5)
    camera.stop(reset=reset)
    before += wait_for(source, lambda status: status.failure == "Connection refused")
    gone = len(camera.taken_us)
    camera.listen()
    after = until_back(source)
    assert in_order(before + after)
    assert number(before[-1]) < gone <= number(after[-1])


def most_tries(outage: float, patience: Patience) -> int:
    """How often one may knock in that time, each wait as short as it can be."""
    tries, passed, wait = 0, 0.0, patience.backoff
    while passed <= outage:
        tries, passed = tries + 1, passed + 0.75 * wait
        wait = min(2 * wait, patience.longest_backoff)
    return tries


def test_cameras_that_are_away_for_1_and_10_and_60_seconds(
    rtsp_camera: Start, look: Look, number: Callable[[Frame], int]
) -> None:
    """All at once, in a tenth of the times; the one beside them notices nothing."""
    healthy, cameras = rtsp_camera(), [rtsp_camera() for _ in OUTAGES]
    beside = look(healthy)
    sources = [look(camera, patience=A_TENTH) for camera in cameras]
    before = [frames(source, 3)[-1] for source in sources]
    went = time.monotonic()
    for camera in cameras:
        camera.stop(reset=True)
    back, after, gone = [0] * len(sources), [0] * len(sources), [0] * len(sources)
    while not all(after):
        assert time.monotonic() < went + WITHIN_SECONDS, [each.status() for each in sources]
        beside.poll(0)
        for place, (camera, source, outage) in enumerate(
            zip(cameras, sources, OUTAGES, strict=True)
        ):
            frame, tries = source.poll(0.01), source.status().connections
            if not back[place]:
                if time.monotonic() > went + outage:
                    back[place], gone[place] = tries, len(camera.taken_us)
                    camera.listen()
            elif frame is not None and number(frame) >= gone[place]:
                after[place] = after[place] or tries
                assert in_order([before[place], frame])
    for place, outage in enumerate(OUTAGES):
        # One may have knocked when the camera was about to come back.
        assert after[place] - back[place] <= 2
        assert back[place] - 1 <= most_tries(outage, A_TENTH)
    assert back[2] >= 4  # it has not given up meanwhile
    assert beside.status().connections == 1


@pytest.mark.parametrize("reset", [False, True], ids=["ends", "resets"])
def test_a_connection_that_breaks(rtsp_camera: Start, look: Look, reset: bool) -> None:
    camera = rtsp_camera()
    source = look(camera)
    taken = frames(source, 5)
    camera.hang_up(reset=reset)
    assert in_order(taken + until_back(source))


def test_a_camera_that_freezes(rtsp_camera: Start, look: Look) -> None:
    """Nothing closes, and nobody answers, until it goes on."""
    camera = rtsp_camera()
    source = look(camera)
    taken = frames(source, 5)
    camera.behaviour.freezes = "drops"
    taken += wait_for(source, lambda status: status.link is Link.STALLED)
    taken += wait_for(source, lambda status: status.link is Link.BACKOFF)
    assert source.status().failure.startswith("no picture for")
    camera.behaviour.freezes = ""
    assert in_order(taken + until_back(source))


def test_a_connection_that_is_half_open(rtsp_camera: Start, look: Look) -> None:
    camera = rtsp_camera()
    source = look(camera)
    taken = frames(source, 5)
    camera.abandon()
    assert in_order(taken + until_back(source))


def test_a_camera_that_listens_and_never_answers(rtsp_camera: Start, look: Look) -> None:
    camera = rtsp_camera(answers=False)
    source = look(camera)
    wait_for(source, lambda status: status.failure == "no picture within 5 s")
    camera.behaviour.answers = True
    until_back(source)


def test_of_a_backlog_the_newest_group_is_shown(
    rtsp_camera: Start,
    one_camera: Callable[..., tuple],
    number: Callable[[Frame], int],
) -> None:
    """The network holds back three seconds and then delivers all of it."""
    camera = rtsp_camera()
    patient = Patience(stall=20, dead=40)
    with closing(LiveSource(*one_camera(video=camera.url()), SteadyClock(), patient)) as source:
        before = frames(source, 10)
        camera.behaviour.freezes = "holds"
        frozen = len(camera.taken_us)
        while len(camera.taken_us) < frozen + 75:
            before += [frame for frame in [source.poll(0.05)] if frame is not None]
        thawed = len(camera.taken_us)
        camera.behaviour.freezes = ""
        wait_for(source, lambda status: status.pictures > 0 and (status.age_seconds or 9) < 0.05)
        after = frames(source, 10)
    assert source.status().connections == 1
    assert in_order(before + after)
    backlog = set(range(frozen + 3, thawed - 40))  # more than a second late by then, and a group
    assert backlog
    assert not backlog & {number(frame) for frame in before + after}


@pytest.mark.parametrize("authentication", ["digest", "basic"])
def test_a_wrong_password_then_the_right_one(
    rtsp_camera: Start, look: Look, caplog: pytest.LogCaptureFixture, authentication: str
) -> None:
    camera = rtsp_camera(password="sesame", authentication=authentication)
    source = look(camera.url("viewer", "mellon"))
    wait_for(source, lambda status: status.link is Link.BACKOFF)
    assert "401" in source.status().failure
    camera.behaviour.password = "mellon"
    frames(source, 3)
    assert "127.0.0.1" in caplog.text
    assert "mellon" not in caplog.text + repr(source.status())


def test_a_clock_that_is_off(
    rtsp_camera: Start,
    look: Look,
    number: Callable[[Frame], int],
    caplog: pytest.LogCaptureFixture,
) -> None:
    camera = rtsp_camera(clock_offset_seconds=3.5)
    source = look(camera)
    wait_for(source, lambda status: status.offset_us is not None)
    taken = frames(source, 10)
    status = source.status()
    assert status.clock is ClockSource.ARRIVAL
    assert -3_500_000 <= (status.offset_us or 0) < -2_500_000
    for frame in taken:
        assert 0 <= frame.timestamp_us - camera.taken_us[number(frame)] < 1_000_000
    assert "ahead of this machine's: pictures are dated by this machine's" in caplog.text


@pytest.mark.parametrize("jump_seconds", [3.5, -3.5])
def test_a_clock_that_jumps(rtsp_camera: Start, look: Look, jump_seconds: float) -> None:
    camera = rtsp_camera()
    source = look(camera)
    taken = wait_for(source, lambda status: status.clock is ClockSource.CAMERA)
    camera.behaviour.clock_offset_seconds = jump_seconds
    taken += wait_for(source, lambda status: status.clock is ClockSource.ARRIVAL)
    taken += frames(source, 10)
    camera.behaviour.clock_offset_seconds = 0
    taken += wait_for(source, lambda status: status.clock is ClockSource.CAMERA)
    taken += frames(source, 10)
    assert in_order(taken)
    assert np.diff([frame.timestamp_us for frame in taken]).max() < 3_000_000
    assert source.status().connections == 1


def test_a_camera_that_does_not_tell_the_time(
    rtsp_camera: Start, look: Look, number: Callable[[Frame], int]
) -> None:
    camera = rtsp_camera(reports=False)
    source = look(camera)
    taken = frames(source, 30)
    assert source.status().clock is ClockSource.ARRIVAL
    assert source.status().offset_us is None
    for frame in taken:
        assert 0 <= frame.timestamp_us - camera.taken_us[number(frame)] < 1_000_000


@pytest.mark.parametrize(
    "fault", [{"corrupts": 0.02}, {"loses": 0.02}, {"loses_key_frames": True}], ids=str
)
def test_damage_is_not_shown(
    rtsp_camera: Start,
    look: Look,
    number: Callable[[Frame], int],
    number_picture: Callable[..., np.ndarray],
    fault: dict[str, object],
) -> None:
    size = (256, 192)
    camera = rtsp_camera(size=size)
    source = look(camera)
    taken = frames(source, 5)
    for name, value in fault.items():
        setattr(camera.behaviour, name, value)
    faulty = len(camera.taken_us)
    while len(camera.taken_us) < faulty + 50:
        taken += [frame for frame in [source.poll(0.05)] if frame is not None]
    for name in fault:
        setattr(camera.behaviour, name, type(fault[name])(0))
    taken += frames(source, 25)
    assert in_order(taken)
    shown = [np.abs(f.image - number_picture(number(f), size).astype(int)).mean() for f in taken]
    # Not every loss can be seen: wrong bytes may be a valid picture, and a missing one is no error.
    assert np.mean(np.array(shown) > 6) < 0.2
    assert max(shown[-12:]) < 6


def test_a_camera_that_slows_down(
    rtsp_camera: Start, look: Look, number: Callable[[Frame], int]
) -> None:
    camera = rtsp_camera()
    source = look(camera)
    taken = frames(source, 20)
    camera.behaviour.rate = 5
    taken += frames(source, 10)
    assert source.status().connections == 1
    times = np.array([frame.timestamp_us for frame in taken[-5:]])
    assert np.diff(times).mean() == pytest.approx(200_000, rel=0.3)


def test_pictures_that_change_their_size(rtsp_camera: Start, look: Look) -> None:
    camera = rtsp_camera()
    source = look(camera)
    taken = frames(source, 5)
    camera.behaviour.size = (192, 144)
    shapes: list[tuple[int, ...]] = [frame.image.shape for frame in taken]
    while shapes[-1] != (144, 192, 3):
        shapes += [frame.image.shape for frame in frames(source, 1)]
    assert set(shapes) == {(96, 128, 3), (144, 192, 3)}
    assert source.status().connections == 1
    assert source.status().facts.width == 192


def test_a_camera_that_changes_its_codec(rtsp_camera: Start, look: Look) -> None:
    camera = rtsp_camera()
    source = look(camera)
    taken = frames(source, 5)
    camera.behaviour.codec = "h265"
    camera.hang_up()
    taken += until_back(source)
    assert in_order(taken)
    assert source.status().facts.codec == "hevc"


def test_a_camera_that_floods(
    rtsp_camera: Start, look: Look, number: Callable[[Frame], int]
) -> None:
    """Ten times the pictures, and somebody who looks at four a second."""
    camera = rtsp_camera()
    source = look(camera)
    taken = frames(source, 5)
    camera.behaviour.rate = 250
    for _ in range(8):
        time.sleep(0.25)
        taken += frames(source, 1)
    assert in_order(taken)
    status = source.status()
    assert status.pictures > 200
    assert status.pictures - status.dropped - len(taken) <= 1  # no more than that waits
    assert status.connections == 1


def test_a_name_that_is_not_known(look: Look) -> None:
    source = look("rtsp://camera.invalid/live")
    wait_for(source, lambda status: status.link is Link.BACKOFF)
    wait_for(source, lambda status: status.connections >= 3)
    assert source.status().failure == "cannot be reached: Input/output error"


def test_gstreamers_cameras_too(gstreamer_camera: str, look: Look) -> None:
    source = look(gstreamer_camera)
    wait_for(source, lambda status: status.clock is ClockSource.CAMERA)
    taken = frames(source, 10)
    assert {frame.image.shape for frame in taken} == {(240, 320, 3)}
    assert in_order(taken)


def test_a_source_that_is_closed_says_no_more(rtsp_camera: Start, look: Look) -> None:
    camera = rtsp_camera()
    source = look(camera)
    frames(source, 1)
    source.close()
    assert source.poll(5) is None
    assert source.status().link is Link.ENDED
    end = time.monotonic() + WITHIN_SECONDS
    while camera.viewers:
        assert time.monotonic() < end
        time.sleep(0.05)


def test_what_happens_is_told_once(
    rtsp_camera: Start, look: Look, caplog: pytest.LogCaptureFixture
) -> None:
    camera = rtsp_camera()
    source = look(camera)
    frames(source, 1)
    camera.stop()
    connections = source.status().connections
    with caplog.at_level(logging.INFO):
        wait_for(source, lambda status: status.connections > connections + 3)
    assert caplog.text.count("Connection refused") == 1
