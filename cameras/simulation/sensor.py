"""What a cheap camera does to a picture before it compresses it: soft lens, dark corners, noise."""

from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from cameras.simulation.settings import LightSettings, SimulatedCamera
from pipeline.types import FloatArray, ImageArray

Whole = npt.NDArray[np.int16]
"""OpenCV multiplies and adds two of these six times as fast as any other pair of types."""

LEVELS_AT_FULL_NOISE: Final = 11.0
"""Standard deviation at mid-grey by day with `noise: 1`, grey levels."""
AMPLIFIED: Final = {"day": 1.0, "dusk": 1.4, "night": 1.7}
"""The less light, the higher the gain, and with it the noise."""
AMPLIFIED_INFRARED: Final = 1.3

READ_NOISE: Final = 0.35  # of the shot noise at mid-grey
FIXED_SHARE: Final = 0.25  # of the noise that stays in place from frame to frame
DARK_CORNERS: Final = 0.10  # share of the level missing in the corners
HALO: Final = 0.4  # strength of the camera's sharpening
HALO_PX: Final = 1.2
_GAMMA: Final = 2.2
_STEPS: Final = 64  # of the whole numbers in which deviations and noise are kept, in one
_DROPS: Final = 1  # tells the random numbers for drops from those for noise


class Sensor:
    """Degrades the pictures of one camera; one frame of one seed always alike.

    The noise of a frame is a window, at a random place, of a tile four times its size: drawing
    normal numbers anew would take longer than all the rest.
    """

    def __init__(self, camera: SimulatedCamera, light: LightSettings, seed: int) -> None:
        self._seed = (seed, *camera.id.encode())
        self._softness_px = camera.lens.softness_px
        rng = np.random.default_rng(self._seed)
        width, height = camera.image_size
        strength = LEVELS_AT_FULL_NOISE * camera.noise * AMPLIFIED[light.time]
        strength *= AMPLIFIED_INFRARED if camera.infrared else 1
        self._deviations = _deviations(strength)
        self._tile = _noise_tile(rng, 2 * height, 2 * width, is_grey=camera.infrared)
        self._fixed = _fixed_pattern(rng, height, width, FIXED_SHARE * strength)
        self._corners = _corners(height, width)

    def __call__(
        self, image: ImageArray, frame_index: int, corner: tuple[int, int] = (0, 0)
    ) -> ImageArray:
        """The picture as the camera would hand it to its encoder.

        Args:
            image: (h, w, 3) uint8 BGR, the camera's whole picture or a part of it.
            frame_index: Which frame.
            corner: x, y of the part's first pixel.
        """
        height, width = image.shape[:2]
        part = np.s_[corner[1] : corner[1] + height, corner[0] : corner[0] + width]
        lit = cv2.multiply(self._through_lens(image), self._corners[part], scale=1 / 255)
        deviations = cv2.LUT(lit, self._deviations)
        noise = cv2.multiply(deviations, self._noise(frame_index)[part], scale=1 / _STEPS**2)
        return np.asarray(
            cv2.add(lit, cv2.add(noise, self._fixed[part]), dtype=cv2.CV_8U), np.uint8
        )

    def _through_lens(self, image: ImageArray) -> ImageArray:
        """Blurred by the lens, and sharpened by the camera, which leaves halos along edges."""
        soft: npt.NDArray[np.uint8] = image
        if self._softness_px > 0:
            soft = np.asarray(cv2.GaussianBlur(image, (0, 0), self._softness_px), np.uint8)
        wide = cv2.GaussianBlur(soft, (5, 5), HALO_PX)
        return np.asarray(cv2.addWeighted(soft, 1 + HALO, wide, -HALO, 0), np.uint8)

    def _noise(self, frame_index: int) -> Whole:
        rng = np.random.default_rng([*self._seed, frame_index])
        height, width, _ = self._fixed.shape
        top, left = rng.integers(0, (height, width))
        return self._tile[top : top + height, left : left + width]


def _deviations(strength: float) -> Whole:
    """For each grey level the standard deviation of its noise, (256,) in 1/64 of a level.

    Shot noise grows with the root of the light, read noise is the same everywhere; the tone curve
    stretches both in the dark. `strength` is that at mid-grey, grey levels.
    """
    light = np.maximum(np.arange(256) / 255, 0.15) ** _GAMMA
    middle = 0.5**_GAMMA
    variance = (light + READ_NOISE**2 * middle) / (1 + READ_NOISE**2) / middle
    stretch = (light / middle) ** (1 / _GAMMA - 1)
    return _whole(strength * np.sqrt(variance) * stretch)


def _noise_tile(rng: np.random.Generator, height: int, width: int, is_grey: bool) -> Whole:
    """Noise (height, width, 3) of mean 0, deviation 1, in 1/64.

    Fine in brightness and blotched in colour, as what is left by the smoothing in a camera.
    """
    brightness = _smooth_noise(rng, height, width, 0.5)[..., None]
    if is_grey:
        return _whole(brightness.repeat(3, axis=2))
    colour = [_smooth_noise(rng, height, width, 1.3) for _ in range(3)]
    return _whole((brightness + 0.6 * np.stack(colour, axis=-1)) / np.hypot(1, 0.6))


def _smooth_noise(
    rng: np.random.Generator, height: int, width: int, smoothness_px: float
) -> FloatArray:
    """Normal noise (height, width) of mean 0 and deviation 1, blurred."""
    noise = rng.standard_normal((height, width), np.float32)
    blurred = np.asarray(cv2.GaussianBlur(noise, (0, 0), smoothness_px), np.float32)
    return np.asarray((blurred - blurred.mean()) / blurred.std(), np.float32)


def _fixed_pattern(rng: np.random.Generator, height: int, width: int, strength: float) -> Whole:
    """What pixels and columns always add (height, width, 3), grey levels."""
    columns = rng.standard_normal((1, width, 1)) * 0.5
    pixels = rng.standard_normal((height, width, 1))
    return np.asarray(((columns + pixels) * strength).round(), np.int16).repeat(3, axis=2)


def _corners(height: int, width: int) -> ImageArray:
    """What the lens lets through (height, width, 3), 255 is all."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    share = 1 - DARK_CORNERS * ((x**2 + y**2) / 2) ** 1.5
    return np.asarray((255 * share[..., None]).round(), np.uint8).repeat(3, axis=2)


def _whole(values: npt.NDArray[np.floating]) -> Whole:
    return np.asarray((values * _STEPS).round(), np.int16)
