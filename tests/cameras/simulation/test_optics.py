"""Pinhole, distortion and calibration of simulated cameras."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cameras.simulation.optics import Camera
from cameras.simulation.settings import SimulatedCamera
from pipeline.calibration import load_calibration
from pipeline.errors import SettingsError
from pipeline.geometry import to_floor

BARREL = {"k1": -0.22, "k2": 0.05, "p1": 0.002, "p2": -0.003}
PINCUSHION = {"k1": 0.15}


def camera(**settings: Any) -> Camera:
    along_x = {"id": "c", "position": (0, 0, 2), "look_at": (5, 0, 2), "field_of_view_degrees": 90}
    return Camera(SimulatedCamera.model_validate({**along_x, **settings}))


def in_picture(pixels: np.ndarray, size: tuple[int, int], margin: float = 0) -> np.ndarray:
    inside = (pixels >= margin) & (pixels <= np.array(size) - 1 - margin)
    return np.asarray(inside.all(axis=1))


def test_projects_by_hand() -> None:
    # 90 degrees and 640 pixels: focal length 320; principal point (319.5, 179.5). Looking along +x,
    # +y is to the left of the picture and +z is up.
    points = np.array([(4.0, 0, 2), (4, 1, 2), (4, 0, 3), (8, -2, 0), (-1, 0, 2), (0, 1, 2)])
    pixels, depth = camera().project(points)
    expected = [(319.5, 179.5), (239.5, 179.5), (319.5, 99.5), (399.5, 259.5)]
    np.testing.assert_allclose(pixels[:4], expected, atol=1e-9)
    np.testing.assert_allclose(depth, [4, 4, 4, 8, -1, 0], atol=1e-12)
    assert np.isnan(pixels[4:]).all()  # behind the lens, and beside it


def test_look_at_is_in_the_middle_and_up_is_up() -> None:
    seen = camera(position=(1, 2, 3), look_at=(-4, 5, 0.5), lens=PINCUSHION)
    pixels, _ = seen.project(np.array([(-4, 5, 0.5), (-4, 5, 1.5)]))
    np.testing.assert_allclose(pixels[0], (319.5, 179.5), atol=1e-9)
    assert pixels[1, 0] == pytest.approx(319.5)
    assert pixels[1, 1] < 179.5


def test_straight_down_has_north_up() -> None:
    pixels, _ = camera(position=(0, 0, 4), look_at=(0, 0, 0)).project(
        np.array([(1, 0, 0), (0, 1, 0)])
    )
    np.testing.assert_allclose(pixels, [(399.5, 179.5), (319.5, 99.5)])


@pytest.mark.parametrize("lens", [{}, BARREL, PINCUSHION])
def test_agrees_with_opencv(lens: dict[str, float]) -> None:
    seen = camera(lens=lens, position=(1, -2, 3), look_at=(4, 1, 0))
    points = np.random.default_rng(0).uniform((2, -2, 0), (8, 4, 2), (200, 3))
    pixels, _ = seen.project(points)
    rotation, _ = cv2.Rodrigues(seen.rotation)
    oracle, _ = cv2.projectPoints(
        points, rotation, seen.translation, seen.intrinsics, seen.distortion
    )
    known = ~np.isnan(pixels[:, 0])
    assert known.mean() > 0.7
    np.testing.assert_allclose(pixels[known], oracle[known, 0], atol=1e-6)


def test_what_folds_back_is_not_seen() -> None:
    # r (1 - 0.2 r^2) grows up to r = sqrt(1 / 0.6) = 1.291.
    seen = camera(lens={"k1": -0.2}, field_of_view_degrees=70)
    angles = np.array((1.28, 1.30, 2.2))
    pixels, _ = seen.project(np.stack([np.ones(3), -angles, np.full(3, 2.0)], axis=1))
    assert np.isnan(pixels[:, 0]).tolist() == [False, True, True]
    assert pixels[0, 0] > 639


def test_lens_that_folds_the_picture_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"cameras\.c\.lens"):
        camera(lens={"k1": -0.4}, field_of_view_degrees=110)


def test_looking_nowhere_is_refused() -> None:
    with pytest.raises(SettingsError, match="look_at"):
        camera(look_at=(0, 0, 2))


@pytest.mark.parametrize("lens", [BARREL, PINCUSHION])
def test_distorted_dots_lie_where_points_project(lens: dict[str, float]) -> None:
    seen = camera(lens=lens)
    view = seen.view
    rays = np.random.default_rng(1).uniform((-0.9, -0.5), (0.9, 0.5), (20, 2))
    points = np.stack([np.ones(20), -rays[:, 0], 2 - rays[:, 1]], axis=1)
    pinhole = rays * view.intrinsics[0, 0] + view.intrinsics[:2, 2]
    wanted, _ = seen.project(points)
    across, down = np.meshgrid(np.arange(640), np.arange(360))
    errors = []
    for (x, y), pixel in zip(pinhole, wanted, strict=True):
        if not in_picture(pixel[None], seen.size, 12)[0]:
            continue
        dot = np.exp(
            -(
                (np.arange(view.size[0]) - x)[None] ** 2
                + (np.arange(view.size[1]) - y)[:, None] ** 2
            )
            / 8
        )
        drawn = (255 * dot).astype(np.uint8)
        picture = seen.distort(drawn).astype(float)
        centre = np.array([(picture * across).sum(), (picture * down).sum()]) / picture.sum()
        errors.append(np.abs(centre - pixel).max())
    assert len(errors) >= 8
    assert max(errors) < 0.3


@pytest.mark.parametrize("lens", [BARREL, PINCUSHION])
def test_view_covers_the_picture_at_its_scale(lens: dict[str, float]) -> None:
    seen = camera(lens=lens)
    owners = np.full((seen.view.size[1], seen.view.size[0]), 7, np.uint16)
    owners[[0, -1]] = 9  # the margin
    owners[:, [0, -1]] = 9
    picture = seen.distort(owners, nearest=True)
    assert picture.shape == (360, 640)
    assert picture.dtype == np.uint16
    assert (picture == 7).all()
    assert seen.view.intrinsics[0, 0] == seen.intrinsics[0, 0]
    is_barrel = lens["k1"] < 0
    assert (seen.view.size[0] > 640 + 20) == is_barrel


def test_without_distortion_the_view_is_the_picture() -> None:
    seen = camera()
    image = np.zeros((360, 640, 3), np.uint8)
    assert seen.view.size == (640, 360)
    assert seen.distort(image) is image
    np.testing.assert_array_equal(seen.view.intrinsics, seen.intrinsics)


@pytest.mark.parametrize("lens", [{}, BARREL, PINCUSHION])
def test_calibration_leads_back_to_the_floor(lens: dict[str, float], tmp_path: Path) -> None:
    seen = camera(lens=lens, position=(1.3, -2.7, 3.1), look_at=(6.1, 1.2, 0.4))
    path = tmp_path / "c.yaml"
    path.write_text(seen.calibration_text(), encoding="utf-8")
    calibration = load_calibration(path)
    floor = np.random.default_rng(2).uniform((0, -6), (16, 8), (500, 2))
    pixels, _ = seen.project(np.column_stack([floor, np.zeros(500)]))
    seen_floor = in_picture(np.nan_to_num(pixels, nan=-1e9), seen.size)
    assert seen_floor.sum() > 100
    back = to_floor(pixels[seen_floor], calibration)
    np.testing.assert_allclose(back, floor[seen_floor], atol=1e-3)
    assert calibration.image_height == 360


def test_gains() -> None:
    assert camera().view.gain == pytest.approx((1, 1, 1))
    assert camera(exposure_stops=1).view.gain == pytest.approx((2, 2, 2))
    red, green, blue = camera(white_balance_kelvin=4000).view.gain
    assert red < green == 1 < blue  # takes warm light for white: bluish pictures
    infrared = camera(infrared=True, white_balance_kelvin=3000, exposure_stops=-1).view
    assert infrared.gain == (0.5, 0.5, 0.5)
    assert infrared.infrared
