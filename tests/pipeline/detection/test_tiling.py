"""Tiles cover the frame, and nobody at a seam is seen twice or lost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detection.tiling import OVERLAP, merge, views
from pipeline.types import DoubleArray, IntArray

grids = st.tuples(st.integers(1, 4), st.integers(1, 4)).filter(lambda grid: grid != (1, 1))


def test_one_tile_is_the_frame() -> None:
    np.testing.assert_array_equal(views(1920, 1080, 1, 1), [[0, 0, 1920, 1080]])


def test_two_columns_share_a_fifth() -> None:
    """Tiles of 1000 px in 1800 px: 200 px in common."""
    np.testing.assert_array_equal(
        views(1800, 1000, 2, 1), [[0, 0, 1800, 1000], [0, 0, 1000, 1000], [800, 0, 1800, 1000]]
    )


@given(width=st.integers(64, 4096), height=st.integers(64, 4096), grid=grids)
def test_tiles_of_one_size_cover_the_frame(width: int, height: int, grid: tuple[int, int]) -> None:
    areas = views(width, height, *grid)
    tiles = areas[1:]
    assert len(tiles) == grid[0] * grid[1]
    assert len(np.unique(tiles[:, 2:] - tiles[:, :2], axis=0)) == 1
    assert (tiles[:, :2] >= 0).all()
    assert (tiles[:, 2:] <= [width, height]).all()
    seen = np.zeros((height // 16, width // 16), np.bool_)
    for left, top, right, bottom in tiles // 16:
        seen[top : bottom + 1, left : right + 1] = True
    assert seen.all()


def _seen(person: DoubleArray, areas: IntArray, least_px: float) -> list[DoubleArray]:
    """What a perfect detector sees: the part of a person inside each area, if large enough."""
    seen = []
    for number, area in enumerate(areas):
        part = np.concatenate(
            [np.maximum(person[:2], area[:2]), np.minimum(person[2:4], area[2:])]
        ) - np.tile(area[:2], 2)
        is_seen = (part[2:] - part[:2] >= least_px).all()
        seen.append(np.array([[*part, 0.5 + 0.01 * number]])[: int(is_seen)])
    return seen


@given(
    grid=grids,
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    size=st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)),
    whole_view_sees=st.booleans(),
)
def test_a_person_is_found_once_wherever_they_are(
    grid: tuple[int, int],
    place: tuple[float, float],
    size: tuple[float, float],
    whole_view_sees: bool,
) -> None:
    """Those not larger than what tiles share are found even where the whole frame misses them."""
    areas = views(3840, 2160, *grid)
    tile = areas[1, 2:] - areas[1, :2]
    extent = np.array(size) * tile * (1.0 if whole_view_sees else OVERLAP * 0.7)
    corner = np.array(place) * ([3840, 2160] - extent)
    person = np.concatenate([corner, corner + extent])
    seen = _seen(person, areas, least_px=8)
    if not whole_view_sees:
        seen[0] = seen[0][:0]
    merged = merge(seen, areas)
    assert len(merged) == 1
    np.testing.assert_allclose(merged[0, :4], person, atol=1e-6)


def test_people_close_together_stay_apart_within_one_view() -> None:
    """Two who overlap by .6 were told apart by the network; only views repeat each other."""
    areas = views(1800, 1000, 2, 1)
    pair = np.array([[100, 100, 200, 400, 0.9], [125, 100, 225, 400, 0.8]], np.float64)
    nobody = np.empty((0, 5))
    np.testing.assert_array_equal(merge([pair, nobody, nobody], areas), pair)
    assert len(merge([pair, pair.copy(), nobody], areas)) == 2


@pytest.mark.parametrize("count", [1, 3])
def test_nobody_anywhere(count: int) -> None:
    areas = views(1800, 1000, 2, 1)[:count]
    assert merge([np.empty((0, 5))] * count, areas).shape == (0, 5)
