"""How a camera of the simulated site sees: pinhole, distortion, and the view to render through."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import yaml

from cameras.simulation.settings import SimulatedCamera
from pipeline.errors import SettingsError
from pipeline.types import DoubleArray, FloatArray

NEAREST_M = 0.05
"""Points closer to the plane of the lens than this have no place in the picture."""
NEUTRAL_KELVIN = 6500.0

# The inverse of the distortion is found by iteration; the same limits as `pipeline.geometry`, so
# that what it cannot undo is refused here.
_UNDISTORTION = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-9)
_UNDISTORTION_ERROR_PX = 0.01
_WAVELENGTHS_UM = np.array((0.600, 0.545, 0.450))  # where red, green, blue sensors peak
_PLANCK_UM_K = 14388.0  # second radiation constant, micrometres x kelvin


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """An ideal pinhole camera for the renderer.

    Attributes:
        intrinsics: (3, 3) camera -> pixels; pixel centres at half-integers are not used: the centre
            of the top left pixel is (0, 0), as in OpenCV.
        rotation: (3, 3) world -> camera (x right, y down, z forward).
        translation: (3,) world -> camera, metres.
        size: Width and height, pixels.
        gain: (3,) red, green, blue: multiplies the light before the tone curve; exposure and white
            balance.
        infrared: Grey picture under a lamp beside the lens.
    """

    intrinsics: DoubleArray
    rotation: DoubleArray
    translation: DoubleArray
    size: tuple[int, int]
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    infrared: bool = False


class Camera:
    """A camera of the simulated site; nothing in it changes.

    Attributes:
        id: Its name.
        size: Width and height of its pictures, pixels.
        intrinsics: (3, 3) float64, camera -> pixels.
        distortion: (5,) float64, OpenCV's k1, k2, p1, p2, k3.
        rotation: (3, 3) float64, world -> camera (x right, y down, z forward).
        translation: (3,) float64, world -> camera, metres.
        view: What to render, then `distort`: a pinhole of the same focal length that covers the
            distorted picture.

    Raises:
        SettingsError: It looks at its own position, or the lens folds the picture over itself.
    """

    def __init__(self, settings: SimulatedCamera) -> None:
        lens = settings.lens
        self.id = settings.id
        self.size = settings.image_size
        self.intrinsics = _intrinsics(settings.field_of_view_degrees, self.size)
        self.distortion = np.array((lens.k1, lens.k2, lens.p1, lens.p2, 0.0))
        self.rotation = _rotation(settings)
        self.translation = -self.rotation @ np.array(settings.position)
        self._fold = _fold(lens.k1, lens.k2)
        self.is_distorted = bool(self.distortion.any())
        map_x, map_y, self.view = self._prepare(settings)
        self._maps = (map_x, map_y)

    def project(self, points: npt.NDArray[np.floating]) -> tuple[DoubleArray, DoubleArray]:
        """World (N, 3) metres -> pixels (N, 2), also outside the picture, and depths (N,) metres.

        Pixels are NaN for points behind the lens, and for those so far aside that the polynomial
        of the distortion folds back.
        """
        # Coordinate by coordinate: rows of two or three are slow.
        x, y, depth = self.rotation @ points.T.astype(np.float64) + self.translation[:, None]
        before = np.where(depth > NEAREST_M, depth, np.nan)
        x, y = x / before, y / before
        if np.isfinite(self._fold):
            x[x * x + y * y >= self._fold] = np.nan
        return self._pixels(x, y), depth

    def distort(self, image: npt.NDArray[Any], nearest: bool = False) -> npt.NDArray[Any]:
        """What the lens makes of a picture (h, w, ...) of `view`: (H, W, ...), same type.

        Args:
            image: Colours, or numbers of any type that OpenCV's remap takes.
            nearest: No mixing of neighbours, as owners' numbers need.
        """
        if not self.is_distorted:
            return image
        how = cv2.INTER_NEAREST if nearest else cv2.INTER_LINEAR
        return cv2.remap(image, *self._maps, how, borderMode=cv2.BORDER_REPLICATE)

    def calibration_text(self) -> str:
        """The calibration as a YAML file that `pipeline.calibration.load_calibration` reads."""
        tree = {
            "intrinsics": _rounded(self.intrinsics),
            "distortion": _rounded(self.distortion),
            "rotation": _rounded(self.rotation),
            "translation": _rounded(self.translation),
            "image_size": list(self.size),
        }
        text: str = yaml.safe_dump(tree, sort_keys=False, default_flow_style=None, width=100)
        return text

    def _pixels(self, x: DoubleArray, y: DoubleArray) -> DoubleArray:
        """Rays (N,), (N,) at depth 1 through Brown's distortion to pixels (N, 2)."""
        k1, k2, p1, p2, _ = self.distortion
        xx, yy, xy = x * x, y * y, 2 * x * y
        square = xx + yy
        radial = 1 + square * (k1 + square * k2)
        bent = (
            x * radial + p1 * xy + p2 * (square + 2 * xx),
            y * radial + p1 * (square + 2 * yy) + p2 * xy,
        )
        ends = zip(bent, np.diag(self.intrinsics), self.intrinsics[:2, 2], strict=False)
        return np.stack([axis * focal + middle for axis, focal, middle in ends]).T

    def _prepare(self, settings: SimulatedCamera) -> tuple[FloatArray, FloatArray, View]:
        """Where in the view each pixel lies, as two maps (H, W) float32, and the view."""
        width, height = self.size
        grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
        pixels = grid.reshape(-1, 2).astype(np.float64)
        rays: DoubleArray = np.asarray(
            cv2.undistortPoints(
                pixels[:, None], self.intrinsics, self.distortion, criteria=_UNDISTORTION
            )[:, 0],
            np.float64,
        )
        self._check_lens(rays, pixels)
        sources = rays * np.diag(self.intrinsics)[:2] + self.intrinsics[:2, 2]
        # A pixel of margin: interpolation asks for the neighbours.
        first = np.floor(sources.min(axis=0)) - 1 if self.is_distorted else np.zeros(2)
        last = np.ceil(sources.max(axis=0)) + 1 if self.is_distorted else np.array(self.size) - 1
        intrinsics = self.intrinsics.copy()
        intrinsics[:2, 2] -= first
        maps = (sources - first).reshape(height, width, 2).astype(np.float32)
        view_width, view_height = (last - first + 1).astype(int).tolist()
        view = View(
            intrinsics,
            self.rotation,
            self.translation,
            (view_width, view_height),
            _gain(settings),
            settings.infrared,
        )
        return np.ascontiguousarray(maps[..., 0]), np.ascontiguousarray(maps[..., 1]), view

    def _check_lens(self, rays: DoubleArray, pixels: DoubleArray) -> None:
        """Raise where a pixel has no ray, or more than one."""
        error = np.abs(self._pixels(*rays.T) - pixels).max()
        if not (error < _UNDISTORTION_ERROR_PX and (rays**2).sum(axis=1).max() < self._fold):
            raise SettingsError(
                f"cameras.{self.id}.lens: expected a distortion that can be undone all over the"
                " picture, got one that folds it; use smaller coefficients or a narrower view"
            )


def _intrinsics(field_of_view_degrees: float, size: tuple[int, int]) -> DoubleArray:
    width, height = size
    focal = width / 2 / np.tan(np.radians(field_of_view_degrees) / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def _rotation(settings: SimulatedCamera) -> DoubleArray:
    """World -> camera (3, 3) with a level horizon; looking straight down, +y is up."""
    forward = np.subtract(settings.look_at, settings.position)
    length = np.linalg.norm(forward)
    if length < 1e-6:
        raise SettingsError(
            f"cameras.{settings.id}.look_at: expected a point other than its position"
        )
    forward = forward / length
    is_upright = np.hypot(*forward[:2]) < 1e-6
    right = np.cross(forward, (0, 1, 0) if is_upright else (0, 0, 1))
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(forward, right), forward])


def _fold(k1: float, k2: float) -> float:
    """Squared radius, at depth 1, where r (1 + k1 r^2 + k2 r^4) stops growing; or infinite."""
    roots = np.roots((5 * k2, 3 * k1, 1))
    real = roots[np.isreal(roots)].real
    return float(min(real[real > 0], default=np.inf))


def _gain(settings: SimulatedCamera) -> tuple[float, float, float]:
    """Red, green, blue: exposure, and what makes a black body of the chosen heat look white."""
    exposure = 2.0**settings.exposure_stops
    if settings.infrared:
        return (exposure, exposure, exposure)
    light = 1 / np.expm1(_PLANCK_UM_K / (_WAVELENGTHS_UM * settings.white_balance_kelvin))
    neutral = 1 / np.expm1(_PLANCK_UM_K / (_WAVELENGTHS_UM * NEUTRAL_KELVIN))
    balance = neutral / light
    red, green, blue = (exposure * balance / balance[1]).tolist()
    return (red, green, blue)


def _rounded(values: DoubleArray) -> list[float]:
    """Twelve decimals: far below a pixel or a millimetre, and no digits of rounding."""
    rounded: list[float] = (np.round(values, 12) + 0.0).tolist()  # + 0: no "-0.0"
    return rounded
