"""What cameras do to pictures, beyond the simulated ones: cheap lenses, night, cast, scaling."""

from typing import Final

import cv2
import numpy as np

from pipeline.types import ImageArray

GREY_SHARE: Final = 0.15

Rng = np.random.Generator


def degraded(rng: Rng, image: ImageArray) -> ImageArray:
    """A picture (H, W, 3) uint8 BGR after none to all of what can happen to it."""
    if rng.random() < 0.45:
        image = _tone(rng, image)
    if rng.random() < 0.3:
        image = _cast(rng, image)
    if rng.random() < 0.2:
        image = _coarse(rng, image)
    if rng.random() < 0.25:
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.6)), np.uint8)
    if rng.random() < 0.25:
        image = _noisy(rng, image)
    if rng.random() < GREY_SHARE:
        image = np.repeat(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[:, :, None], 3, axis=2)
    return image


def _tone(rng: Rng, image: ImageArray) -> ImageArray:
    """Another gamma, contrast and black."""
    levels = np.linspace(0, 1, 256) ** np.exp(rng.uniform(-0.7, 0.7))
    levels = (levels - 0.5) * rng.uniform(0.55, 1.35) + 0.5 + rng.uniform(-0.12, 0.12)
    table = np.clip(levels * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def _cast(rng: Rng, image: ImageArray) -> ImageArray:
    """White that is not white."""
    tables = np.arange(256)[:, None] * np.exp(rng.uniform(-0.22, 0.22, 3))
    table = np.clip(tables, 0, 255).astype(np.uint8)[None]
    return np.asarray(cv2.LUT(image, table), np.uint8)


def _coarse(rng: Rng, image: ImageArray) -> ImageArray:
    """From a smaller picture."""
    height, width = image.shape[:2]
    share = rng.uniform(0.35, 0.8)
    small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    way = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(small, (width, height), interpolation=way), np.uint8)


def _noisy(rng: Rng, image: ImageArray) -> ImageArray:
    noise = rng.normal(0, rng.uniform(2, 14), image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)
