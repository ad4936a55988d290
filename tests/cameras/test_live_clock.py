"""Dating the packets of a live camera, by hand: microseconds, pictures 40 ms apart."""

import pytest

from cameras.live_clock import ClockSource, LiveClock

NOON = 1_800_000_000_000_000
STEP = 40_000


def test_without_the_cameras_time_the_fastest_packet_dates_all() -> None:
    clock = LiveClock()
    delays = [90_000, 10_000, 60_000, 10_000]
    late = [clock.take(n * STEP, None, NOON + n * STEP + delay) for n, delay in enumerate(delays)]
    assert late == [0, 0, 50_000, 0]
    assert clock.time_of(7 * STEP, 0) == NOON + 7 * STEP + 10_000
    assert (clock.source, clock.offset_us) == (ClockSource.ARRIVAL, None)


@pytest.mark.parametrize(
    ("ahead_us", "source"),
    [
        (0, ClockSource.CAMERA),
        (90_000, ClockSource.CAMERA),  # 70 ms before it was taken: two clocks never agree
        (-400_000, ClockSource.CAMERA),
        (-600_000, ClockSource.ARRIVAL),  # a delay as long as that is doubted at first
        (3_500_000, ClockSource.ARRIVAL),
        (-3_500_000, ClockSource.ARRIVAL),
    ],
)
def test_a_plausible_camera_is_believed(ahead_us: int, source: ClockSource) -> None:
    clock = LiveClock()
    clock.take(0, None, NOON + 20_000)
    clock.take(STEP, NOON + STEP + ahead_us, NOON + STEP + 20_000)
    assert clock.source is source
    assert clock.offset_us == 20_000 - ahead_us
    expected = NOON + 2 * STEP + (ahead_us if source is ClockSource.CAMERA else 20_000)
    assert clock.time_of(2 * STEP, 0) == expected


def test_a_clock_that_slowly_leaves_is_believed_for_longer() -> None:
    clock = LiveClock()
    sources = []
    for n, behind_us in enumerate([0, 400_000, 600_000, 900_000, 1_100_000, 900_000, 400_000]):
        clock.take(n * STEP, NOON + n * STEP - behind_us, NOON + n * STEP)
        sources.append(clock.source is ClockSource.CAMERA)
    assert sources == [True, True, True, True, False, False, True]


def test_the_least_delay_is_forgotten() -> None:
    """The camera's clock runs slow: after a while pictures seem to come later and later."""
    clock = LiveClock()
    late = [clock.take(n * 1_000_000, None, NOON + n * 1_001_000) for n in range(60)]
    assert max(late) <= 11_000


def test_times_that_begin_anew_are_anchored_anew() -> None:
    clock = LiveClock()
    clock.take(90_000_000, None, NOON)
    assert clock.take(0, None, NOON + STEP) == 0
    assert clock.time_of(STEP, 0) == NOON + 2 * STEP


def test_a_backlog_is_late() -> None:
    clock = LiveClock()
    clock.take(0, None, NOON)
    assert clock.take(STEP, None, NOON + 3_000_000) == 3_000_000 - STEP


def test_pictures_without_a_time_are_dated_by_arrival() -> None:
    clock = LiveClock()
    assert clock.take(None, None, NOON) == 0
    assert clock.time_of(None, NOON) == NOON
