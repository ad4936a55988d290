"""All cameras of a site in one picture: a grid under one clock, each camera with its name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from pipeline.timestamps import to_iso
from pipeline.types import ImageArray

LARGEST_PX: Final = (1920, 1080)
LEAST_TILE_WIDTH_PX: Final = 480
"""Smaller pictures are enlarged to this, so that names and numbers can be read."""
GAP_PX: Final = 4
STALE_US: Final = 2_000_000
"""A camera that has shown nothing for so long, and for twice its usual interval, is dimmed."""
DIMMED: Final = 0.35
GROUND: Final = (24, 24, 24)
WHITE: Final = (245, 245, 245)
FONT: Final = cv2.FontFace("sans")
SEMIBOLD: Final = 600


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the tiles are: pixels, all tiles of one size."""

    columns: int
    rows: int
    tile_width: int
    tile_height: int

    @classmethod
    def of(cls, count: int, width: int, height: int) -> "Grid":
        """The grid that shows `count` pictures of this size largest; of equal ones the narrowest.

        Pictures are scaled to fit, but enlarged only up to `LEAST_TILE_WIDTH_PX`.
        """
        shapes = [(columns, -(-count // columns)) for columns in range(1, count + 1)]
        scales = [
            min(LARGEST_PX[0] / (columns * width), LARGEST_PX[1] / (rows * height))
            for columns, rows in shapes
        ]
        best = max(range(count), key=lambda index: scales[index])
        scale = min(scales[best], max(1.0, LEAST_TILE_WIDTH_PX / width))
        return cls(*shapes[best], _even(width * scale), _even(height * scale))


def _even(length: float) -> int:
    """As video codecs want it."""
    return max(2, 2 * round(length / 2))


class Mosaic:
    """Puts the newest picture of each camera into its tile.

    Args:
        title: What stands in the head line, beside the clock.
        cameras: Their names, in the order of the tiles; at least one.
        size: Width and height of a tile's picture before it is scaled, pixels; pictures of
            another shape are fitted in.
    """

    def __init__(self, title: str, cameras: Sequence[str], size: tuple[int, int]) -> None:
        self._grid = grid = Grid.of(len(cameras), *size)
        self._title = title
        self._letters = max(15, grid.tile_width // 34)
        self._head = _even(2.2 * self._letters)
        self._tiles = {name: np.empty((0, 0, 3), np.uint8) for name in cameras}
        self._times = dict.fromkeys(cameras, (0, 0))  # of the newest picture, and since the last

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole, pixels."""
        grid = self._grid
        width = grid.columns * (grid.tile_width + GAP_PX) - GAP_PX
        return width, self._head + grid.rows * (grid.tile_height + GAP_PX) - GAP_PX

    def put(self, camera_id: str, picture: ImageArray, timestamp_us: int) -> None:
        """The next picture (H, W, 3) of a camera."""
        before = self._times[camera_id][0] if self._tiles[camera_id].size else timestamp_us
        self._times[camera_id] = timestamp_us, timestamp_us - before
        self._tiles[camera_id] = _fitted(picture, self._grid.tile_width, self._grid.tile_height)

    def at(self, timestamp_us: int) -> ImageArray:
        """The whole picture at a time, of the pictures put until then."""
        width, height = self.size
        canvas = np.full((height, width, 3), GROUND, np.uint8)
        baseline = round(self._head * 0.68)
        clock = to_iso(timestamp_us)[:21].replace("T", "  ")
        cv2.putText(canvas, self._title, (10, baseline), WHITE, FONT, self._letters, SEMIBOLD)
        # As wide as the widest digits: the clock must not tremble.
        left = width - 10 - _text_width("0000-00-00  00:00:00.0 UTC", self._letters)
        canvas[: self._head, left - 10 :] = GROUND  # over a long title
        cv2.putText(canvas, f"{clock} UTC", (left, baseline), WHITE, FONT, self._letters, SEMIBOLD)
        for index, name in enumerate(self._tiles):
            row, column = divmod(index, self._grid.columns)
            top = self._head + row * (self._grid.tile_height + GAP_PX)
            left = column * (self._grid.tile_width + GAP_PX)
            tile = canvas[top:, left:][: self._grid.tile_height, : self._grid.tile_width]
            self._draw_tile(tile, name, timestamp_us)
        return canvas

    def _draw_tile(self, tile: ImageArray, name: str, timestamp_us: int) -> None:
        picture, (newest_us, interval_us) = self._tiles[name], self._times[name]
        top, left = ((a - b) // 2 for a, b in zip(tile.shape, picture.shape[:2], strict=False))
        if picture.size:
            is_stale = timestamp_us - newest_us > STALE_US + 2 * interval_us
            inside = tile[top:, left:][: picture.shape[0], : picture.shape[1]]
            inside[:] = cv2.convertScaleAbs(picture, alpha=DIMMED) if is_stale else picture
        size = self._letters
        chip = tile[: round(1.7 * size), : _text_width(name, size) + size]
        chip[:] = cv2.addWeighted(chip, 0.3, np.full_like(chip, GROUND), 0.7, 0)
        cv2.putText(tile, name, (size // 2, round(1.2 * size)), WHITE, FONT, size, SEMIBOLD)


def _fitted(picture: ImageArray, width: int, height: int) -> ImageArray:
    """The picture at the largest size of its shape that fits."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = (
        min(width, round(picture.shape[1] * scale)),
        min(height, round(picture.shape[0] * scale)),
    )
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=how), np.uint8)


def _text_width(text: str, size: int) -> int:
    _, _, width, _ = cv2.getTextSize((0, 0), text, (0, 0), FONT, size, SEMIBOLD)
    return int(width)
