"""Boxes and floor points: by hand, by plain loops, and what must hold of any box."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.geometry import (
    area,
    foot_points,
    intersection,
    iou,
    to_floor,
    to_image,
    xywh_to_xyxy,
    xyxy_to_xywh,
)
from pipeline.types import Calibration

COORDINATE = st.floats(-2000, 2000, width=32)
SIDE = st.floats(0, 2000, width=32)


@st.composite
def boxes(draw: st.DrawFn, max_size: int = 4) -> np.ndarray:
    """Boxes (N, 4) xyxy float32, some of them empty."""
    rows = draw(st.lists(st.tuples(COORDINATE, COORDINATE, SIDE, SIDE), max_size=max_size))
    xywh = np.array(rows, np.float32).reshape(-1, 4)
    return np.hstack([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]]).astype(np.float32)


def overlap(first: list[float], second: list[float]) -> tuple[float, float]:
    """Intersection and union of two boxes, in plain Python."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0.0) * max(height, 0.0)
    areas = [max(b[2] - b[0], 0.0) * max(b[3] - b[1], 0.0) for b in (first, second)]
    return shared, sum(areas) - shared


UNIT = [0, 0, 10, 10]
PAIRS = [
    # box, intersection and IoU with the box from 0 to 10
    ([0, 0, 10, 10], 100, 1.0),  # the same
    ([0, 0, 10, 5], 50, 0.5),  # half of it
    ([5, 0, 15, 10], 50, 1 / 3),  # moved by half
    ([5, 5, 15, 15], 25, 25 / 175),  # a corner
    ([2, 2, 4, 4], 4, 0.04),  # inside
    ([-5, 3, 20, 5], 20, 20 / 130),  # across
    ([10, 0, 20, 10], 0, 0.0),  # touching
    ([11, 0, 21, 10], 0, 0.0),  # apart
    ([20, 20, 30, 30], 0, 0.0),  # apart in both directions: two negative sides are no area
    ([5, 5, 5, 8], 0, 0.0),  # a line
    ([8, 8, 2, 2], 0, 0.0),  # inverted
]


@pytest.mark.parametrize(("box", "shared", "expected"), PAIRS)
def test_hand_worked_overlaps(box: list[float], shared: float, expected: float) -> None:
    first, second = np.array([UNIT], np.float32), np.array([box], np.float32)
    assert intersection(first, second).tolist() == [[shared]]
    assert iou(first, second).tolist() == [[pytest.approx(expected, abs=1e-15)]]


def test_areas() -> None:
    table = np.array([[0, 0, 3, 4], [-1, -2, 1, 2], [5, 5, 5, 9], [9, 9, 1, 1], [9, 0, 1, 4]])
    assert area(table).tolist() == [12, 8, 0, 0, 0]


def test_two_empty_boxes_have_no_overlap() -> None:
    point = np.array([[5.0, 5, 5, 5]])
    assert iou(point, point).tolist() == [[0]]


@given(boxes(), boxes())
def test_overlaps_are_those_of_plain_loops(first: np.ndarray, second: np.ndarray) -> None:
    pairs = [[overlap(a, b) for b in second.tolist()] for a in first.tolist()]
    shape = (len(first), len(second))
    shared = np.array([[pair[0] for pair in row] for row in pairs]).reshape(shape)
    union = np.array([[pair[1] for pair in row] for row in pairs]).reshape(shape)
    np.testing.assert_array_equal(intersection(first, second), shared)
    expected = np.divide(shared, union, out=np.zeros(shape), where=union > 0)
    np.testing.assert_allclose(iou(first, second), expected, rtol=1e-12, atol=1e-15)


@given(boxes(), boxes())
def test_iou_is_symmetric_and_in_range(first: np.ndarray, second: np.ndarray) -> None:
    result = iou(first, second)
    assert result.shape == (len(first), len(second))
    assert result.dtype == np.float64
    assert ((result >= 0) & (result <= 1)).all()
    np.testing.assert_array_equal(result, iou(second, first).T)


@given(boxes())
def test_a_box_covers_itself(table: np.ndarray) -> None:
    filled = table[area(table) > 0]
    np.testing.assert_array_equal(np.diag(iou(filled, filled)), np.ones(len(filled)))


@given(boxes(), boxes())
def test_float32_boxes_lose_nothing(first: np.ndarray, second: np.ndarray) -> None:
    exact = [table.astype(np.float64) for table in (first, second)]
    np.testing.assert_array_equal(iou(first, second), iou(*exact))
    for function in (area, foot_points, xywh_to_xyxy, xyxy_to_xywh):
        np.testing.assert_array_equal(function(first), function(exact[0]))
        assert function(first).dtype == np.float64


@given(boxes())
def test_both_forms_of_a_box_hold_the_same(table: np.ndarray) -> None:
    xywh = xyxy_to_xywh(table)
    assert (xywh[:, 2:] >= 0).all()
    np.testing.assert_allclose(xywh_to_xyxy(xywh), table, rtol=0, atol=1e-9)


def test_forms_of_a_box_by_hand() -> None:
    assert xywh_to_xyxy(np.array([[1, 2, 3, 4]])).tolist() == [[1, 2, 4, 6]]
    assert xyxy_to_xywh(np.array([[1, 2, 4, 6]])).tolist() == [[1, 2, 3, 4]]


def test_people_stand_on_the_middle_of_the_lower_edge() -> None:
    assert foot_points(np.array([[10, 20, 30, 80], [0, 0, 1, 1]])).tolist() == [[20, 80], [0.5, 1]]


def looking_ahead(height_m: float = 2.0, focal_px: float = 800.0) -> Calibration:
    """A camera at (0, 0, height) that looks along y; its horizon is the row v = 360.

    Pixel (u, v) of the floor lies at y = f h / (v - 360), x = (u - 640) y / f.
    """
    homography = np.array(
        [[height_m, 0, -640 * height_m], [0, 0, focal_px * height_m], [0, 1, -360]]
    )
    return Calibration(homography, np.eye(3), np.zeros(5), np.inf)


def test_floor_positions_by_hand() -> None:
    points = np.array([[640.0, 760], [640, 560], [840, 760], [440, 760]])
    expected = [[0, 4], [0, 8], [1, 4], [-1, 4]]
    np.testing.assert_allclose(to_floor(points, looking_ahead()), expected, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-14, 1.0, 1e14])
def test_the_scale_of_a_homography_means_nothing(scale: float) -> None:
    plain = looking_ahead()
    scaled = Calibration(
        plain.ground_homography * scale, plain.intrinsics, plain.distortion, np.inf
    )
    points = np.array([[640.0, 760], [840, 760], [640, 360], [640, 100]])
    np.testing.assert_allclose(to_floor(points, scaled), to_floor(points, plain), atol=1e-9)


def test_at_and_above_the_horizon_there_is_no_floor() -> None:
    points = np.array([[640.0, 360], [100, 360], [640, 359.9], [640, 0], [640, 361]])
    result = to_floor(points, looking_ahead())
    assert np.isnan(result[:4]).all()
    np.testing.assert_allclose(result[4], [0, 1600])


def test_no_points() -> None:
    assert to_floor(np.empty((0, 2)), looking_ahead()).shape == (0, 2)


def test_float32_points_are_taken() -> None:
    points = np.array([[640, 760]], np.float32)
    np.testing.assert_allclose(to_floor(points, looking_ahead()), [[0, 4]], atol=1e-9)


@given(st.floats(-3, 3), st.floats(3, 15), st.floats(-0.35, 0.1), st.floats(-0.01, 0.01))
def test_distortion_is_undone(x: float, y: float, k1: float, p1: float) -> None:
    focal = 800.0
    intrinsics = np.array([[focal, 0, 640], [0, focal, 360], [0, 0, 1]])
    calibration = Calibration(
        looking_ahead(focal_px=focal).ground_homography,
        intrinsics,
        np.array([k1, 0, p1, 0, 0]),
        np.inf,
    )
    # The camera's model of the lens (OpenCV's, with k1 and p1 alone), worked forwards.
    a, b = x / y, 2.0 / y
    square = a * a + b * b
    assume(1 + 3 * k1 * square > 0.3)  # where the image does not fold over itself
    radial = 1 + k1 * square
    u = focal * (a * radial + 2 * p1 * a * b) + 640
    v = focal * (b * radial + p1 * (square + 2 * b * b)) + 360
    result = to_floor(np.array([[u, v]]), calibration)
    np.testing.assert_allclose(result, [[x, y]], rtol=0, atol=1e-6)


def test_to_image_worked_by_hand() -> None:
    """A camera 10 m up that looks straight down at (5, 5), 100 px a metre of floor.

    What is 5 m up is seen twice as far from the middle as what lies below it.
    """
    above = Calibration(
        np.diag([0.01, 0.01, 1.0]), np.eye(3), np.zeros(5), 1000.0, np.array([5.0, 5.0, 10.0])
    )
    places = np.array([[5.0, 5], [6, 5], [3, 4]])
    np.testing.assert_allclose(to_image(places, 0, above), [[500, 500], [600, 500], [300, 400]])
    np.testing.assert_allclose(to_image(places, 5, above), [[500, 500], [700, 500], [100, 300]])
    assert np.isnan(to_image(places, 10, above)).all()  # at the height of the lens
    unknown = replace(above, position=np.full(3, np.nan))
    assert np.isnan(to_image(places, 1, unknown)).all()


@given(st.floats(-3, 3), st.floats(3, 15), st.floats(-0.3, 0.1))
def test_floor_to_image_and_back(x: float, y: float, k1: float) -> None:
    plain = looking_ahead(focal_px=800.0)
    intrinsics = np.array([[800.0, 0, 640], [0, 800, 360], [0, 0, 1]])
    lens = Calibration(
        plain.ground_homography, intrinsics, np.array([k1, 0, 0, 0, 0]), np.inf,
        np.array([0.0, 0.0, 2.0]),
    )  # fmt: skip
    square = (x * x + 4) / y**2
    assume(1 + 3 * k1 * square > 0.3)
    place = np.array([[x, y]])
    np.testing.assert_allclose(to_floor(to_image(place, 0, lens), lens), place, atol=1e-6)


def test_behind_the_camera_nothing_is_seen() -> None:
    ahead = replace(looking_ahead(), position=np.array([0.0, 0.0, 2.0]))
    assert np.isnan(to_image(np.array([[0.0, -4]]), 0, ahead)).all()
