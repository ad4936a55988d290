"""Timestamps and sampling by hand-worked tables and by naive loops."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cameras.clock import SamplingGrid, exact, frame_offset_us, start_us
from cameras.timeline import Timeline

MS = 1000


@pytest.mark.parametrize(
    ("rate_hz", "times_ms", "wanted_ms"),
    [
        # 25 frames/s at 5 Hz: every fifth
        (5, range(0, 1000, 40), [0, 200, 400, 600, 800]),
        # 25 frames/s at 12.5 Hz: every second
        (12.5, range(0, 400, 40), [0, 80, 160, 240, 320]),
        # 25 frames/s at 10 Hz: grid 0 100 200 300 400, the first at or after each
        (10, range(0, 480, 40), [0, 120, 200, 320, 400]),
        # slower than the grid: all
        (10, [0, 250, 500, 750], [0, 250, 500, 750]),
        # as fast as the grid: all
        (25, range(0, 400, 40), list(range(0, 400, 40))),
        # a gap over several grid points gives one frame, and the grid does not move
        (5, [0, 40, 700, 740, 790, 810, 1000], [0, 700, 810, 1000]),
        # the grid starts at the first frame, wherever that is
        (5, [130, 170, 320, 330, 340, 529, 531], [130, 330, 531]),
        # no rate: all
        (None, [0, 1, 2, 3], [0, 1, 2, 3]),
        # the same time twice: once
        (5, [0, 0, 200, 200], [0, 200]),
        # once in ten seconds
        (0.1, range(0, 30_000, 1000), [0, 10_000, 20_000]),
    ],
)
def test_the_first_frame_at_or_after_each_grid_point_is_wanted(rate_hz, times_ms, wanted_ms):
    grid = SamplingGrid(rate_hz)
    got = [time for time in times_ms if grid.wants(time * MS)]
    assert got == list(wanted_ms)


def test_times_rounded_to_milliseconds_keep_their_grid_point():
    # 30 frames/s in Matroska: 0 33 67 100 133 167 ... ms; 15 Hz has points at 66.67, 133.33 ...
    times_us = [round(Fraction(k * 1000, 30)) * MS for k in range(3000)]
    grid = SamplingGrid(15)
    wanted = [number for number, time in enumerate(times_us) if grid.wants(time)]
    assert wanted == list(range(0, 3000, 2))


@pytest.mark.parametrize("rate_hz", [0.3, 0.7, 3, 7, 12.5, 29.97])
def test_the_grid_does_not_drift(rate_hz):
    # A frame exactly at each grid point of a long recording, and one 2 ms before each.
    points = [round(k * 10**6 / exact(rate_hz)) for k in range(100_000, 100_200)]
    grid = SamplingGrid(rate_hz)
    assert grid.wants(0)
    grid.wants(points[0] - 2 * MS)
    assert all(
        grid.wants(p) and not grid.wants(p + round(10**6 / rate_hz) - 2 * MS) for p in points
    )


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=60),
    st.sampled_from([1, 2, 4, 5, 8, 10, 12.5, 20, 25, 50]),
    st.integers(-(10**15), 10**15),
)
def test_sampling_equals_a_naive_search_over_grid_points(gaps_ms, rate_hz, first_us):
    times = [first_us]
    for gap in gaps_ms:
        times.append(times[-1] + gap * MS)
    step = Fraction(1_000_000) / exact(rate_hz)  # whole milliseconds at all these rates
    points = [first_us + k * step for k in range(int((times[-1] - first_us) / step) + 1)]
    expected = {next(n for n, time in enumerate(times) if time >= point) for point in points}
    grid = SamplingGrid(rate_hz)
    assert {n for n, time in enumerate(times) if grid.wants(time)} == expected


def timeline(time_base=Fraction(1, 90000), spacing=3600, start=0):
    return Timeline(start, time_base, Fraction(spacing), SamplingGrid(None))


def times_of(line, pictures):
    """Microseconds of pictures given as (pts, decoding time)."""
    return [line.place(*picture).timestamp_us for picture in pictures]


@pytest.mark.parametrize(
    ("pictures", "expected_ms"),
    [
        # presentation times count from the first
        ([(7200, 0), (10800, 3600), (18000, 7200)], [0, 40, 120]),
        # the first has none: the next one sets the origin, a nominal distance earlier
        ([(None, None), (3600, None), (7200, None)], [0, 40, 80]),
        ([(None, None), (None, None), (90000, None), (93600, None)], [0, 40, 80, 120]),
        # the first has none but was decoded two frames before the second
        ([(None, 0), (14400, 7200), (18000, 10800)], [0, 80, 120]),
        # one in the middle has none: decoding times tell its distance
        ([(7200, 0), (None, 9000), (25200, 12600)], [0, 100, 200]),
        # neither: the nominal distance
        ([(7200, None), (None, None), (None, None), (18000, None)], [0, 40, 80, 120]),
        # a step back is none, and does not move what follows
        ([(0, 0), (3600, 0), (1800, 0), (3600, 0), (10800, 0)], [0, 40, 40, 40, 120]),
        # a clock that started anew goes on at the nominal distance
        ([(900_000, None), (990_000, None), (0, None), (3600, None)], [0, 1000, 1040, 1080]),
        # and so it does where the decoding times start anew too
        ([(900_000, 900_000), (990_000, 990_000), (0, 0), (3600, 3600)], [0, 1000, 1040, 1080]),
    ],
)
def test_a_picture_is_placed_in_time(pictures, expected_ms):
    assert times_of(timeline(), pictures) == [time * MS for time in expected_ms]


def test_pictures_are_counted_whatever_their_times():
    line = timeline()
    assert [line.place(pts).index for pts in (0, None, 3600, 3600, 0)] == [0, 1, 2, 3, 4]
    assert line.count == 5


def test_times_are_rounded_once():
    # NTSC: frame 1000 is at 33.3666... s; adding up rounded distances would be 333 us off
    line = Timeline(10**15, Fraction(1, 30000), Fraction(1001), SamplingGrid(None))
    got = [line.place(1001 * k).timestamp_us for k in range(1001)]
    assert got[1000] == 10**15 + 33_366_667
    assert got == [10**15 + round(Fraction(1001 * k * 10**6, 30000)) for k in range(1001)]


def test_a_setting_is_taken_as_written():
    assert exact(29.97) == Fraction(2997, 100)
    assert frame_offset_us(10**9, exact(0.1)) == 10**16
    assert frame_offset_us(3, exact(7)) == 428571


@pytest.mark.parametrize(
    ("camera", "site_start", "creation_time", "expected_us"),
    [
        # the camera's start wins over the site's, that over the container's
        ({"start": "1970-01-01T00:00:03Z"}, "1970-01-01T00:00:02Z", "1970-01-01T00:00:01Z", 3e6),
        ({}, "1970-01-01T00:00:02Z", "1970-01-01T00:00:01Z", 2e6),
        ({}, None, "1970-01-01T00:00:01.000000Z", 1e6),
        # without zone: libav means UTC
        ({}, None, "1970-01-01 00:00:01", 1e6),
        # with zone
        ({}, None, "1970-01-01T02:00:01+0200", 1e6),
        # the offset is added to whichever it is
        ({"time_offset_ms": -1500.5}, None, "1970-01-01T00:00:01Z", -500_500),
        ({"time_offset_ms": 0.0015}, "1970-01-01T00:00:02Z", "", 2_000_002),
    ],
)
def test_start_is_explicit_or_recorded(
    one_camera, caplog, camera, site_start, creation_time, expected_us
):
    settings = one_camera(video="north.mp4", site_start=site_start, **camera)
    assert start_us(*settings, creation_time) == expected_us
    assert caplog.messages == []


@pytest.mark.parametrize("creation_time", ["", "yesterday"])
def test_without_a_start_time_counts_from_1970_with_one_warning(one_camera, caplog, creation_time):
    settings = one_camera(video="north.mp4", site_start=None, time_offset_ms=40)
    assert start_us(*settings, creation_time) == 40_000
    assert len(caplog.messages) == 1
    assert "north" in caplog.messages[0] and "1970-01-01" in caplog.messages[0]
