"""Calibration files: three descriptions of one camera agree, and every error says what to do."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.calibration import load_calibration
from pipeline.errors import SettingsError
from pipeline.geometry import to_floor

INTRINSICS = np.array([[800.0, 0, 640], [0, 820, 360], [0, 0, 1]])
# Columns of the floor points: before the camera of `pose`, inside its image.
FLOOR = np.array([[0.0, 3], [1, 4], [-1, 5], [0.5, 6]])


def pose(tilt_deg: float, height_m: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """World -> camera of a camera at (0, 0, height) that looks along y, tilted down."""
    tilt = math.radians(tilt_deg)
    right = [1, 0, 0]
    down = [0, -math.sin(tilt), -math.cos(tilt)]
    ahead = [0, math.cos(tilt), -math.sin(tilt)]
    rotation = np.array([right, down, ahead])
    return rotation, -rotation @ [0, 0, height_m]


def projection(tilt_deg: float) -> np.ndarray:
    rotation, translation = pose(tilt_deg)
    return INTRINSICS @ np.column_stack([rotation, translation])


def project(matrix: np.ndarray, floor: np.ndarray) -> np.ndarray:
    """Pixels (N, 2) of floor points (N, 2)."""
    world = np.column_stack([floor, np.zeros(len(floor)), np.ones(len(floor))])
    homogeneous = world @ matrix.T
    return homogeneous[:, :2] / homogeneous[:, 2:]


def write(tmp_path: Path, tree: dict[str, Any]) -> Path:
    path = tmp_path / "cam.calibration.yaml"
    path.write_text(
        yaml.safe_dump({k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in tree.items()})
    )
    return path


def descriptions(tilt_deg: float) -> dict[str, dict[str, Any]]:
    matrix = projection(tilt_deg)
    rotation, translation = pose(tilt_deg)
    homography = np.linalg.inv(matrix[:, [0, 1, 3]])
    return {
        "projection": {"projection": matrix},
        "negative projection": {"projection": -7 * matrix},
        "pose": {"intrinsics": INTRINSICS, "rotation": rotation, "translation": translation},
        "homography": {"ground_homography": homography},
        "negative homography": {"ground_homography": -1e-6 * homography},
        "homography with size": {"ground_homography": -homography, "image_size": [1280, 720]},
    }


# Level, usual, and straight down; a hair past straight down as well, where the horizon is far
# below the image.
@pytest.mark.parametrize("tilt_deg", [0, 5, 30, 60, 90, 90.01])
@pytest.mark.parametrize("name", descriptions(0))
def test_descriptions_of_one_camera_agree(name: str, tilt_deg: float, tmp_path: Path) -> None:
    floor = FLOOR if tilt_deg < 80 else FLOOR - [0, 4]
    calibration = load_calibration(write(tmp_path, descriptions(tilt_deg)[name]))
    pixels = project(projection(tilt_deg), floor)
    np.testing.assert_allclose(to_floor(pixels, calibration), floor, atol=1e-6)


@pytest.mark.parametrize("tilt_deg", [0, 30, 90])
@pytest.mark.parametrize("name", descriptions(0))
def test_the_camera_is_where_its_projection_says(
    name: str, tilt_deg: float, tmp_path: Path
) -> None:
    position = load_calibration(write(tmp_path, descriptions(tilt_deg)[name])).position
    known = [math.nan] * 3 if "homography" in name else [0, 0, 3]
    np.testing.assert_allclose(position, known, atol=1e-9)


def test_well_past_straight_down_the_size_of_the_image_decides(tmp_path: Path) -> None:
    tree = descriptions(100)["homography with size"]
    floor = np.array([[0.0, 0], [0.5, -0.5]])
    pixels = project(projection(100), floor)
    result = to_floor(pixels, load_calibration(write(tmp_path, tree)))
    np.testing.assert_allclose(result, floor, atol=1e-9)


@pytest.mark.parametrize("name", descriptions(0))
def test_above_the_horizon_there_is_no_floor(name: str, tmp_path: Path) -> None:
    calibration = load_calibration(write(tmp_path, descriptions(20)[name]))
    horizon = 360 - 820 * math.tan(math.radians(20))
    pixels = np.array([[640, horizon + 1], [640, horizon - 1], [200, horizon - 50]])
    result = to_floor(pixels, calibration)
    assert result[0, 1] > 100
    assert np.isnan(result[1:]).all()


@given(tilt_deg=st.floats(-20, 89), x=st.floats(-5, 5), y=st.floats(1, 50))
def test_the_homography_undoes_the_projection(
    tilt_deg: float, x: float, y: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    matrix = projection(tilt_deg)
    point = matrix @ [x, y, 0, 1]
    path = write(tmp_path_factory.getbasetemp(), {"projection": -3 * matrix})
    floor = load_calibration(path).ground_homography @ (point / point[2])
    assert (floor[2] > 0) == (point[2] > 0)  # before the camera, or behind it
    np.testing.assert_allclose(floor[:2] / floor[2], [x, y], rtol=1e-6, atol=1e-6)


def test_what_a_file_holds_is_loaded(tmp_path: Path) -> None:
    rotation, translation = pose(30)
    tree = {
        "intrinsics": INTRINSICS,
        "distortion": [0.1, 0.2, 0.3, 0.4, 0.5],
        "rotation": np.round(rotation, 2),  # as many files have them
        "translation": translation,
        "image_size": [1280, 720],
    }
    calibration = load_calibration(write(tmp_path, tree))
    np.testing.assert_array_equal(calibration.intrinsics, INTRINSICS)
    assert calibration.distortion.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert calibration.image_height == 720


def test_what_a_file_does_not_hold_is_neutral(tmp_path: Path) -> None:
    calibration = load_calibration(write(tmp_path, {"ground_homography": np.eye(3)}))
    np.testing.assert_array_equal(calibration.intrinsics, np.eye(3))
    np.testing.assert_array_equal(calibration.distortion, np.zeros(5))
    assert calibration.image_height == math.inf


ONE_OF = (
    "expected exactly one of projection, intrinsics with rotation and translation,"
    " ground_homography"
)
TOGETHER = "expected intrinsics, rotation and translation together"
EYE = np.eye(3).tolist()
ERRORS: dict[str, tuple[str, dict[str, Any]]] = {
    "none": (ONE_OF, {}),
    "intrinsics alone": (ONE_OF, {"intrinsics": EYE}),
    "two": (ONE_OF, {"ground_homography": EYE, "projection": [[1, 0, 0, 0]] * 3}),
    "no intrinsics": (TOGETHER, {"rotation": EYE, "translation": [0, 0, 0]}),
    "no translation": (TOGETHER, {"rotation": EYE, "intrinsics": EYE}),
    "no rotation": (TOGETHER, {"translation": [0, 0, 0], "ground_homography": EYE}),
    "distortion alone": (
        "distortion: expected intrinsics beside it",
        {"ground_homography": EYE, "distortion": [0.1, 0, 0, 0, 0]},
    ),
    "no rotation matrix": (
        "rotation: expected an orthonormal matrix of determinant 1",
        {"intrinsics": EYE, "translation": [0, 0, 1], "rotation": [[2, 0, 0], *EYE[1:]]},
    ),
    "mirrored": (
        "rotation: expected an orthonormal matrix of determinant 1",
        {"intrinsics": EYE, "translation": [0, 0, 1], "rotation": [[-1, 0, 0], *EYE[1:]]},
    ),
    "unknown key": ("homography: unknown key", {"homography": EYE}),
    "too short": (
        "ground_homography[2]: expected a value, got none",
        {"ground_homography": EYE[:2]},
    ),
    "text": (
        "translation[1]: input should be a valid number, unable to parse string as a number,"
        " got two",
        {"translation": [0, "two", 0], "intrinsics": EYE, "rotation": EYE},
    ),
    "not finite": (
        "ground_homography[0][1]: input should be a finite number, got nan",
        {"ground_homography": [[1, math.nan, 0], *EYE[1:]]},
    ),
    "size": (
        "image_size[1]: input should be greater than or equal to 1, got 0",
        {"ground_homography": EYE, "image_size": [1280, 0]},
    ),
    "singular homography": (
        "the floor cannot be seen: its matrix is singular",
        {"ground_homography": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]},
    ),
    "camera on the floor": (
        "the floor cannot be seen: its matrix is singular",
        {"projection": [[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0]]},
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_name_file_and_key(name: str, tmp_path: Path) -> None:
    message, tree = ERRORS[name]
    path = write(tmp_path, tree)
    with pytest.raises(SettingsError) as caught:
        load_calibration(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "none.yaml"
    with pytest.raises(SettingsError) as caught:
        load_calibration(path)
    assert str(caught.value) == f"{path}: cannot be read: No such file or directory"


def test_real_cameras_see_the_floor_they_stand_over() -> None:
    folder = Path(__file__).resolve().parents[2] / "../shared/data/cmc1"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    for path in sorted(folder.glob("*.calibration.yaml")):
        calibration = load_calibration(path)
        matrix = np.array(yaml.safe_load(path.read_text())["projection"])
        grid = np.array([[x, y] for x in (1.0, 3, 5) for y in (1.0, 3, 5)])
        depth = matrix @ np.column_stack([grid, 0 * grid[:, 0], 0 * grid[:, 0] + 1]).T
        before = depth[2] * np.sign(np.linalg.det(matrix[:, :3])) > 0
        result = to_floor(project(matrix, grid), calibration)
        assert before.any()
        np.testing.assert_allclose(result[before], grid[before], atol=1e-6)
        assert np.isnan(result[~before]).all()
