"""People cut out of videos of still cameras, and put into other pictures.

As in "Cut, Paste and Learn" (Dwibedi et al., ICCV 2017): a detector that sees the same people
before ever other backgrounds cannot learn the background.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from pipeline.detection.training.clutter import blend
from pipeline.detection.training.windows import HEIGHTS_PX, Window
from pipeline.geometry import intersection
from pipeline.types import DoubleArray, ImageArray

DIFFERENT: Final = (20, 40)
"""By so much at least and at most a pixel of a person must differ from the empty scene, of 255."""
SHADOWS: Final = 0.8
"""Share of Otsu's threshold: people have light clothes, too."""
GAPS: Final = 16
"""Gaps of the person's height by this are closed."""
FILLED: Final = (0.28, 0.85)
"""Share of its box that a person fills; other masks are wrong."""
SMALLEST_PX: Final = 40
MOST: Final = 4
"""People put into a window."""
MOST_COVERED: Final = 0.35
"""Nobody who is there is covered more."""
LARGEST: Final = 1.6
"""No cut-out is enlarged more."""

Rng = np.random.Generator


def empty_scene(frames: Sequence[ImageArray]) -> ImageArray:
    """What a still camera sees where nobody is: the median of frames far apart."""
    chosen = frames[:: max(1, len(frames) // 25)]
    return np.asarray(np.median(np.stack(chosen), axis=0), np.uint8)


def cut_out(frame: ImageArray, scene: ImageArray, boxes: DoubleArray) -> list[ImageArray]:
    """People (h, w, 4) uint8 BGR and mask, of those in boxes (N, 4) who stand alone."""
    cuts = []
    for index, box in enumerate(boxes):
        others = np.delete(boxes, index, axis=0)
        left, top, right, bottom = np.rint(box).astype(int).tolist()
        at_border = min(left, top) < 2 or right > frame.shape[1] - 2 or bottom > frame.shape[0] - 2
        if at_border or bottom - top < SMALLEST_PX or intersection(box[None], others).any():
            continue
        part = slice(top, bottom), slice(left, right)
        mask = _mask(frame[part], scene[part])
        if FILLED[0] <= mask.mean() / 255 <= FILLED[1]:
            cuts.append(np.dstack([frame[part], mask]))
    return cuts


def _mask(person: ImageArray, empty: ImageArray) -> ImageArray:
    """255 where the largest thing is that is not there when the scene is empty; soft edges.

    Shadows and halos differ less than the person: Otsu's threshold is between them.
    """
    difference = cv2.absdiff(person, empty).max(axis=2)
    between, _ = cv2.threshold(difference, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    differs = (difference > np.clip(between * SHADOWS, *DIFFERENT)).astype(np.uint8)
    width = max(3, len(person) // GAPS)
    closed = cv2.morphologyEx(differs, cv2.MORPH_CLOSE, np.ones((width, width), np.uint8))
    outlines, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    solid = np.zeros_like(closed)
    if outlines:
        cv2.drawContours(solid, [max(outlines, key=cv2.contourArea)], -1, 255, cv2.FILLED)
    thin = cv2.erode(solid, np.ones((3, 3), np.uint8))
    return np.asarray(cv2.GaussianBlur(thin, (3, 3), 0), np.uint8)


def paste(rng: Rng, window: Window, cutouts: Sequence[ImageArray]) -> Window:
    """A window with 1 to `MOST` people more, in front of everything."""
    image, boxes = window.image.copy(), window.boxes
    for _ in range(int(rng.integers(1, MOST + 1))):
        person = _resized(rng, cutouts[int(rng.integers(len(cutouts)))])
        size = np.array(person.shape[1::-1])
        corner = np.rint(rng.uniform(-0.3 * size, len(image) - 0.7 * size)).astype(int)
        box = np.concatenate([corner, corner + size]).astype(np.float64)
        areas = np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1)
        if (intersection(box[None], boxes)[0] > MOST_COVERED * areas).any():
            continue
        blend(image, person, corner)
        boxes = np.vstack([boxes, np.clip(box, 0, len(image))])
    return Window(image, boxes)


def _resized(rng: Rng, person: ImageArray) -> ImageArray:
    """Of another size, mirrored or not, lighter or darker."""
    wanted = np.exp(rng.uniform(*np.log(HEIGHTS_PX))) / len(person)
    scale = float(np.clip(wanted, HEIGHTS_PX[0] / len(person), LARGEST))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    person = np.asarray(cv2.resize(person, None, fx=scale, fy=scale, interpolation=way), np.uint8)
    person = person[:, ::-1].copy() if rng.random() < 0.5 else person
    lit = person[..., :3] * np.exp(rng.uniform(-0.4, 0.4)) * np.exp(rng.uniform(-0.1, 0.1, 3))
    person[..., :3] = np.clip(lit + rng.uniform(-10, 30), 0, 255)
    return person
