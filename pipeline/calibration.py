"""Calibration files: how a camera sees the floor, from any of three descriptions."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, ValidationError, model_validator

from pipeline.config import Settings, Site, explain, read_yaml
from pipeline.errors import SettingsError
from pipeline.types import Calibration, DoubleArray

FAR_DOWN_PX = 10_000

Row3 = tuple[float, float, float]
Row4 = tuple[float, float, float, float]
Matrix3 = tuple[Row3, Row3, Row3]


class CalibrationFile(Settings):
    """World in metres, floor at z = 0; exactly one of the three descriptions."""

    projection: tuple[Row4, Row4, Row4] | None = Field(None, description="World -> pixels, 3x4.")
    intrinsics: Matrix3 | None = Field(None, description="Camera -> pixels, 3x3.")
    distortion: tuple[float, float, float, float, float] = Field(
        (0, 0, 0, 0, 0), description="k1, k2, p1, p2, k3 as OpenCV has them."
    )
    rotation: Matrix3 | None = Field(None, description="World -> camera, 3x3.")
    translation: Row3 | None = Field(None, description="World -> camera, metres.")
    ground_homography: Matrix3 | None = Field(None, description="Pixels -> floor, 3x3.")
    image_size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = Field(
        None, description="Width and height for which it holds, pixels."
    )

    @model_validator(mode="after")
    def _check_one_description(self) -> "CalibrationFile":
        posed = (self.rotation is not None, self.translation is not None)
        if any(posed) and not (all(posed) and self.intrinsics is not None):
            raise ValueError("expected intrinsics, rotation and translation together")
        given = [self.projection is not None, all(posed), self.ground_homography is not None]
        if sum(given) != 1:
            raise ValueError(
                "expected exactly one of projection, intrinsics with rotation and translation,"
                " ground_homography"
            )
        if self.rotation is not None and not _is_rotation(np.array(self.rotation)):
            raise ValueError("rotation: expected an orthonormal matrix of determinant 1")
        if any(self.distortion) and self.intrinsics is None:
            raise ValueError("distortion: expected intrinsics beside it")
        return self


def _is_rotation(matrix: DoubleArray) -> bool:
    """Whether a matrix, perhaps rounded to two digits, is a rotation."""
    is_orthonormal = np.allclose(matrix @ matrix.T, np.eye(3), rtol=0, atol=0.03)
    return bool(is_orthonormal and np.linalg.det(matrix) > 0)


def load_calibration(path: Path) -> Calibration:
    """The calibration in a YAML file.

    Raises:
        SettingsError: The file cannot be read, holds a wrong key, or its matrix is singular.
    """
    try:
        return read_calibration(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"{path}: {explain(error.errors()[0])}") from None
    except np.linalg.LinAlgError:
        raise SettingsError(f"{path}: the floor cannot be seen: its matrix is singular") from None


def read_calibration(tree: Any) -> Calibration:
    """The calibration in the tree of a YAML file.

    Raises:
        ValidationError: It holds a wrong key.
        LinAlgError: Its matrix is singular.
    """
    file = CalibrationFile.model_validate(tree)
    intrinsics = np.eye(3) if file.intrinsics is None else np.array(file.intrinsics)
    height = np.inf if file.image_size is None else float(file.image_size[1])
    distortion = np.array(file.distortion)
    return Calibration(_pixels_to_floor(file), intrinsics, distortion, height, _position(file))


def _position(file: CalibrationFile) -> DoubleArray:
    """Where the camera stands (3,): the point that is projected to nothing; NaN where unknown."""
    if file.ground_homography is not None:
        return np.full(3, np.nan)
    projection = _projection(file)
    return np.asarray(-np.linalg.pinv(projection[:, :3]) @ projection[:, 3], np.float64)


def _pixels_to_floor(file: CalibrationFile) -> DoubleArray:
    """Homography (3, 3) whose third coordinate is positive for floor before the camera."""
    if file.ground_homography is not None:
        homography = np.array(file.ground_homography, np.float64)
        np.linalg.inv(homography)  # raises where singular
        # If any floor is seen at all, then at the middle of the lower edge; without the size of the
        # image, so far down that it is floor for any camera but one that looks straight down.
        width, height = file.image_size or (0, FAR_DOWN_PX)
        sign = np.sign(homography[2] @ (width / 2, height, 1)) or 1.0
        return np.asarray(homography * sign, np.float64)
    projection = _projection(file)
    # A projection of positive determinant has positive depth before the camera
    # (Hartley and Zisserman, result 6.1).
    projection = projection * np.sign(np.linalg.det(projection[:, :3]))
    return np.asarray(np.linalg.inv(projection[:, [0, 1, 3]]), np.float64)  # on the floor z = 0


def _projection(file: CalibrationFile) -> DoubleArray:
    if file.projection is not None:
        return np.array(file.projection, np.float64)
    pose = np.column_stack([np.array(file.rotation), np.array(file.translation)])
    return np.asarray(np.array(file.intrinsics) @ pose, np.float64)


def load_calibrations(site: Site) -> dict[str, Calibration]:
    """The calibration of each camera that has one, by camera id."""
    return {
        camera.id: load_calibration(camera.calibration)
        for camera in site.cameras
        if camera.calibration is not None
    }
