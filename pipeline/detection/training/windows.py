"""Square windows of pictures, with the boxes in them, as a detector learns from them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from pipeline.types import DoubleArray, ImageArray

HEIGHTS_PX: Final = (28.0, 400.0)
"""How tall people are made; mosaics make some smaller."""
AROUND_A_PERSON: Final = 0.85
"""Share of windows that are cut around somebody; the others anywhere."""
LARGEST: Final = 2.5
"""No picture is enlarged more."""
WIDE: Final = 0.3
"""Share of windows that may be as wide as the picture is long; the others stay inside it."""
GREY: Final = 114
"""What is beyond the picture; ultralytics fills with the same."""
LEAST_INSIDE: Final = 0.25
"""Share of a box that must be in the window."""
LEAST_PX: Final = (3.0, 8.0)
"""Narrower and lower boxes are left out."""

Rng = np.random.Generator


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """A picture (S, S, 3) uint8 BGR and boxes (N, 4) xyxy of people in it, pixels."""

    image: ImageArray
    boxes: DoubleArray


def cut_windows(
    rng: Rng, image: ImageArray, boxes: DoubleArray, size: int, count: int
) -> Iterator[Window]:
    """Windows of a picture (H, W, 3) with people (N, 4), in which people have many heights."""
    height, width = image.shape[:2]
    for _ in range(count):
        scale, middle = _place(rng, (width, height), boxes, size)
        side = size / scale
        room = np.array((width, height)) - side
        corner = np.clip(middle - side / 2, np.minimum(room / 2, 0), np.maximum(room, room / 2))
        yield cut_window(image, boxes, size, corner, scale)


def _place(
    rng: Rng, picture: tuple[int, int], boxes: DoubleArray, size: int
) -> tuple[float, DoubleArray]:
    """How much a window is enlarged, and its middle."""
    least = size / (max(picture) if rng.random() < WIDE else min(picture))
    if len(boxes) and rng.random() < AROUND_A_PERSON:
        box = boxes[rng.integers(len(boxes))]
        wanted = np.exp(rng.uniform(*np.log(HEIGHTS_PX))) / max(box[3] - box[1], 1)
        scale = float(np.clip(wanted, least, max(least, LARGEST)))
        middle = rng.uniform(box[:2], box[2:]) + rng.uniform(-0.35, 0.35, 2) * size / scale
        return scale, middle
    scale = float(np.exp(rng.uniform(np.log(least), np.log(max(least, 1.5)))))
    return scale, rng.uniform((0, 0), picture)


def cut_window(
    image: ImageArray, boxes: DoubleArray, size: int, corner: DoubleArray, scale: float
) -> Window:
    """The window that begins at a corner (x, y) of the picture and is enlarged by a scale."""
    matrix = np.array([[scale, 0, -corner[0] * scale], [0, scale, -corner[1] * scale]])
    small = image
    if scale < 1:  # warping reads four pixels only: what is between them must be in them
        way = cv2.INTER_AREA
        small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=way), np.uint8)
        matrix[:, :2] = np.eye(2)
    grey = (GREY,) * 3
    picture = cv2.warpAffine(small, matrix, (size, size), borderValue=grey)
    moved = (boxes - np.tile(corner, 2)) * scale
    inside = np.clip(moved, 0, size)
    return Window(np.asarray(picture, np.uint8), inside[_is_learnt(moved, inside)])


def _is_learnt(whole: DoubleArray, inside: DoubleArray) -> np.ndarray:
    """Which boxes (N, 4) have enough of them in the window."""
    sizes, rest = whole[:, 2:] - whole[:, :2], inside[:, 2:] - inside[:, :2]
    share = rest.prod(axis=1) / np.maximum(sizes.prod(axis=1), 1e-9)
    return np.asarray((share >= LEAST_INSIDE) & (rest >= LEAST_PX).all(axis=1))


def write_windows(windows: Iterable[Window], folder: Path, rng: Rng) -> None:
    """Write `images/N.jpg` and `labels/N.txt` as ultralytics reads them, N from 0.

    Pictures are compressed as much as a camera may do it.
    """
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for number, one in enumerate(windows):
        quality = (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 96)))
        _, jpeg = cv2.imencode(".jpg", one.image, quality)
        (folder / "images" / f"{number:04}.jpg").write_bytes(jpeg.tobytes())
        (folder / "labels" / f"{number:04}.txt").write_text(_rows(one), encoding="ascii")


def read_windows(folder: Path) -> Iterator[Window]:
    """What was written, pictures as compressed."""
    for path in sorted((folder / "images").glob("*.jpg")):
        image = np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        text = (folder / "labels" / f"{path.stem}.txt").read_text(encoding="ascii").split()
        rows = np.array(text, np.float64).reshape(-1, 5)[:, 1:] * len(image)
        boxes = np.hstack([rows[:, :2] - rows[:, 2:] / 2, rows[:, :2] + rows[:, 2:] / 2])
        yield Window(image, boxes)


def _rows(window: Window) -> str:
    """Class 0, middle and size of each box, as shares of the window."""
    low, high = window.boxes[:, :2], window.boxes[:, 2:]
    rows = np.hstack([(low + high) / 2, high - low]) / len(window.image)
    return "".join("0 " + " ".join(f"{value:.6f}" for value in row) + "\n" for row in rows)
