"""Ways over the floor: smoothed by hand-worked numbers, drawn to scale."""

import math

import cv2
import numpy as np
import pytest

from pipeline.floor_plan import FloorMap, floor_plan
from pipeline.floor_views import FARTHEST_SEEN_M, CameraView, camera_view, smoothed
from pipeline.rendering import COLOURS
from pipeline.types import Calibration, DoubleArray, ImageArray

SECOND = 1_000_000


def way(seconds: DoubleArray, variances: DoubleArray, positions: DoubleArray) -> list[DoubleArray]:
    return smoothed((seconds * SECOND).astype(np.int64), positions, variances)


def test_a_straight_way_stays_straight() -> None:
    seconds = np.arange(0, 6, 0.2)
    (piece,) = way(seconds, np.ones(30), np.stack([seconds, 2 * seconds], axis=1))
    assert piece.shape == (30, 2)
    np.testing.assert_allclose(piece[:, 1], 2 * piece[:, 0], atol=1e-9)
    np.testing.assert_allclose(piece[12:18, 0], seconds[12:18], atol=1e-3)  # ends are drawn in


def test_jitter_is_smoothed_away() -> None:
    seconds = np.arange(0, 10, 0.2)
    jitter = np.where(np.arange(50) % 2, 0.3, -0.3)
    (piece,) = way(seconds, np.ones(50), np.stack([seconds, jitter], axis=1))
    assert np.abs(piece[5:-5, 1]).max() < 0.01


def test_the_camera_that_is_surer_counts_for_more() -> None:
    """One says x = 0 with a variance of 1, the other x = 4 with 3: (0 / 1 + 4 / 3) / (4 / 3)."""
    seconds = np.concatenate([np.arange(0, 4, 0.2)] * 2)
    positions = np.zeros((40, 2))
    positions[20:, 0] = 4
    (piece,) = way(seconds, np.repeat([1.0, 3.0], 20), positions)
    np.testing.assert_allclose(piece, [[1, 0]] * 20, atol=1e-9)


@pytest.mark.parametrize(("pause", "pieces"), [(1.8, 1), (2.4, 2)])
def test_where_nobody_sees_there_is_no_way(pause: float, pieces: int) -> None:
    seconds = np.concatenate([np.arange(0, 2, 0.2), 1.8 + pause + np.arange(0, 2, 0.2)])
    positions = np.repeat([[0.0, 0], [9, 9]], 10, axis=0)
    found = way(seconds, np.ones(20), positions)
    assert len(found) == pieces
    if pieces == 2:  # what lies beyond the gap does not pull
        np.testing.assert_allclose(found[0], 0, atol=1e-9)
        np.testing.assert_allclose(found[1], 9, atol=1e-9)


def test_one_position_is_a_way() -> None:
    (piece,) = way(np.array([7.0]), np.ones(1), np.array([[1.0, 2]]))
    assert piece.tolist() == [[1, 2]]


FOCAL_PX, WIDTH, HEIGHT = 320.0, 640, 480


def looking_north(down_degrees: float = 30.0, known: bool = True) -> Calibration:
    """A camera 3 m above (0, 0) that looks along +y and down."""
    down = math.radians(down_degrees)
    rotation = np.array(
        [[1, 0, 0], [0, -math.sin(down), -math.cos(down)], [0, math.cos(down), -math.sin(down)]]
    )
    intrinsics = np.array([[FOCAL_PX, 0, WIDTH / 2], [0, FOCAL_PX, HEIGHT / 2], [0, 0, 1]])
    position = np.array([0.0, 0, 3])
    projection = intrinsics @ np.column_stack([rotation, -rotation @ position])
    homography = np.linalg.inv(projection[:, [0, 1, 3]])
    where = position if known else np.full(3, np.nan)
    return Calibration(homography, np.eye(3), np.zeros(5), HEIGHT, where)


def test_a_camera_sees_the_floor_from_its_lower_edge_on() -> None:
    view = camera_view("north", looking_north(), (WIDTH, HEIGHT), ())
    distances = np.linalg.norm(view.outline, axis=1)
    # The lower edge looks down by 30 degrees + atan(239 / 320).
    nearest = 3 / math.tan(math.radians(30) + math.atan(239 / FOCAL_PX))
    assert view.outline[:, 1].min() == pytest.approx(nearest, abs=1e-6)
    assert FARTHEST_SEEN_M - 1 < distances.max() <= FARTHEST_SEEN_M
    assert view.position.tolist() == [0, 0]
    # 90 degrees wide: at the middle of the picture's sides x = y' where y' is along the axis.
    left, right = view.outline[:, 0].min(), view.outline[:, 0].max()
    assert left == pytest.approx(-right, abs=0.05)


def test_walls_end_a_view_but_doors_do_not() -> None:
    """A wall along y = 5 with a door from x = -0.5 to 0.5."""
    walls = [np.array([[-20.0, 5], [-0.5, 5]]), np.array([[0.5, 5], [20, 5]])]
    outline = camera_view("north", looking_north(), (WIDTH, HEIGHT), walls).outline
    beyond = outline[outline[:, 1] > 5.01]
    assert len(beyond)
    assert (np.abs(beyond[:, 0] / beyond[:, 1]) < 0.1 + 1e-6).all()
    assert np.isclose(outline[:, 1], 5).sum() > 20


def test_the_wall_that_a_camera_hangs_on_hides_nothing() -> None:
    wall = [np.array([[-5.0, 0.1], [5, 0.1]])]
    free = camera_view("north", looking_north(), (WIDTH, HEIGHT), ()).outline
    behind = camera_view("north", looking_north(), (WIDTH, HEIGHT), wall).outline
    # Only rays that meet the wall within half a metre of the camera pass it: nearly all.
    assert np.isclose(free, behind).all(axis=1).mean() > 0.8


def test_a_camera_of_unknown_place_still_has_a_view() -> None:
    view = camera_view("north", looking_north(known=False), (WIDTH, HEIGHT), ())
    assert np.isnan(view.position).all()
    assert len(view.outline) > 20


def test_a_camera_that_sees_no_floor_has_none() -> None:
    view = camera_view("north", looking_north(down_degrees=-60), (WIDTH, HEIGHT), ())
    assert view.outline.shape == (0, 2)


def decoded(png: bytes) -> ImageArray:
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def extent(picture: ImageArray, identity: int) -> tuple[int, int]:
    """Width and height of the pixels of an identity's colour."""
    rows, columns = np.nonzero((picture == COLOURS.by_idx(identity).as_bgr()).all(axis=2))
    return int(np.ptp(columns)), int(np.ptp(rows))


def test_ways_are_drawn_to_scale_under_the_map() -> None:
    """A square way of 8 m is as wide as tall; of the small plans too, so only the large counts."""
    square = np.array([[0.0, 0], [8, 0], [8, 8], [0, 8], [0, 0]])
    area = np.array([[-4.0, -2], [16, -2], [16, 10], [-4, 10]])
    png = floor_plan("plaza", {1: [square]}, [], FloorMap((area,)))
    picture = decoded(png)
    plan = picture[: picture.shape[0] - 420]
    wide, tall = extent(plan, 1)
    assert wide > 300
    assert wide == pytest.approx(tall, rel=0.06)  # arrow and number stand out a little


def test_everybody_is_in_the_plan_and_has_one_of_their_own() -> None:
    line = np.stack([np.linspace(0, 5, 30), np.zeros(30)], axis=1)
    ways = {number: line + np.array([0, number]) for number in range(1, 9)}
    paths = {number: [way[:10], way[20:]] for number, way in ways.items()}
    views = [
        camera_view("north", looking_north(), (WIDTH, HEIGHT), ()),
        camera_view("south", looking_north(known=False), (WIDTH, HEIGHT), ()),
        CameraView("blind", np.full(2, np.nan), np.empty((0, 2))),
    ]
    picture = decoded(floor_plan("plaza", paths, views, FloorMap()))
    for number in paths:
        same = (picture == COLOURS.by_idx(number).as_bgr()).all(axis=2)
        labels, _ = cv2.connectedComponents(same.astype(np.uint8))
        assert labels >= 4  # two pieces or their parts above, number and pieces below


def test_a_way_of_one_point_without_cameras_or_map_can_be_drawn() -> None:
    assert decoded(floor_plan("plaza", {4: [np.array([[2.0, 3]])]}, [], FloorMap())).size
