"""All cameras in one picture, looked at pixel by pixel."""

import numpy as np
import pytest

from pipeline.mosaic import GAP_PX, GROUND, STALE_US, Grid, Mosaic
from pipeline.types import ImageArray

SECOND = 1_000_000
RED, GREEN, BLUE = (0, 0, 200), (0, 200, 0), (200, 0, 0)


def flat(colour: tuple[int, int, int], width: int = 640, height: int = 360) -> ImageArray:
    return np.full((height, width, 3), colour, np.uint8)


@pytest.mark.parametrize(
    ("count", "size", "grid"),
    [
        (1, (640, 360), Grid(1, 1, 640, 360)),
        (4, (640, 360), Grid(2, 2, 640, 360)),  # not enlarged beyond what can be read
        (4, (1920, 1080), Grid(2, 2, 960, 540)),
        (3, (320, 240), Grid(2, 2, 480, 360)),  # enlarged
        (4, (1088, 1920), Grid(4, 1, 480, 848)),  # upright pictures stand side by side
        (9, (1280, 720), Grid(3, 3, 640, 360)),
        (2, (4000, 500), Grid(1, 2, 1920, 240)),
    ],
)
def test_the_grid_shows_pictures_as_large_as_it_can(
    count: int, size: tuple[int, int], grid: Grid
) -> None:
    assert Grid.of(count, *size) == grid


def middles(mosaic: Mosaic, timestamp_us: int) -> list[tuple[int, ...]]:
    """The colour in the middle of each of the four tiles of 640x360."""
    picture = mosaic.at(timestamp_us)
    head = picture.shape[0] - 2 * 360 - GAP_PX
    places = [(head + row * (360 + GAP_PX) + 180, 320 + c * (640 + GAP_PX))
              for row in (0, 1) for c in (0, 1)]  # fmt: skip
    return [tuple(picture[place].tolist()) for place in places]


def test_each_camera_has_its_tile_and_keeps_its_newest_picture() -> None:
    mosaic = Mosaic("plaza", ["a", "b", "c"], (640, 360))
    mosaic.put("b", flat(RED), 0)
    assert middles(mosaic, 0) == [GROUND, RED, GROUND, GROUND]
    mosaic.put("a", flat(GREEN), 100_000)
    mosaic.put("b", flat(BLUE), 100_000)
    mosaic.put("c", flat(RED), 100_000)
    assert middles(mosaic, 100_000) == [GREEN, BLUE, RED, GROUND]


def test_pictures_have_the_size_that_is_announced() -> None:
    mosaic = Mosaic("plaza", ["a", "b", "c"], (640, 360))
    width, height = mosaic.size
    assert mosaic.at(0).shape == (height, width, 3)
    assert (width % 2, height % 2) == (0, 0)


def test_a_camera_that_has_ended_is_dimmed() -> None:
    mosaic = Mosaic("plaza", ["a", "b", "c"], (640, 360))
    for tenth in range(10):
        mosaic.put("a", flat(RED), 100_000 * tenth)
    last_us = 900_000
    assert middles(mosaic, last_us + STALE_US)[0] == RED
    assert middles(mosaic, last_us + STALE_US + 300_000)[0] == (0, 0, 70)


def test_a_slow_camera_is_not_taken_for_ended() -> None:
    mosaic = Mosaic("plaza", ["a", "b", "c"], (640, 360))
    mosaic.put("a", flat(RED), 0)
    mosaic.put("a", flat(RED), 10 * SECOND)
    assert middles(mosaic, 21 * SECOND)[0] == RED


def test_pictures_of_another_shape_are_fitted_in() -> None:
    mosaic = Mosaic("plaza", ["a", "b", "c"], (640, 360))
    mosaic.put("b", flat(RED, 240, 360), 0)
    mosaic.put("c", flat(GREEN, 320, 90), 0)
    picture = mosaic.at(0)
    head = picture.shape[0] - 2 * 360 - GAP_PX
    b = picture[head : head + 360, 640 + GAP_PX :]
    assert tuple(b[180, 201].tolist()) == tuple(b[358, 438].tolist()) == RED
    assert tuple(b[180, 198].tolist()) == tuple(b[180, 441].tolist()) == GROUND
    c = picture[head + 360 + GAP_PX :, :640]
    assert tuple(c[180, 2].tolist()) == tuple(c[265, 320].tolist()) == GREEN
    assert tuple(c[80, 320].tolist()) == tuple(c[275, 320].tolist()) == GROUND


def test_clock_and_names_are_written() -> None:
    mosaic = Mosaic("plaza", ["a", "b"], (640, 360))
    one, same, later = mosaic.at(0), mosaic.at(99_999), mosaic.at(100_000)
    assert np.array_equal(one, same)
    rows, columns, _ = np.nonzero(one != later)  # a tenth of a second: the last digit
    assert rows.max() < 40
    assert columns.min() > one.shape[1] / 2
    other = Mosaic("plaza", ["a", "c"], (640, 360)).at(0)
    rows, _, _ = np.nonzero(one != other)
    assert rows.min() > 40


def test_a_long_title_does_not_hide_the_clock() -> None:
    short, long = (Mosaic(title, ["a"], (640, 360)).at(0) for title in ("p", "p" * 64))
    assert np.array_equal(short[:40, -280:], long[:40, -280:])
    assert not np.array_equal(short[:40, :200], long[:40, :200])
