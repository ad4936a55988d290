"""Small people in large frames: the frame in overlapping tiles beside the frame as a whole."""

import numpy as np

from pipeline.geometry import iou
from pipeline.types import BoolArray, DoubleArray, IntArray

OVERLAP = 0.2
"""Share of a tile that it has in common with the next: people up to this size are whole in one;
the frame as a whole shows the others."""
BORDER = 0.02
"""A box that ends nearer (share of the tile's side) to where a tile was cut is a person cut."""
SAME_PERSON_IOU = 0.5
"""Two boxes from different tiles that overlap by more are one person."""


def views(width: int, height: int, columns: int, rows: int) -> IntArray:
    """Areas (1 + tiles, 4) xyxy of a frame: all of it, then its tiles; for one tile only the first.

    All tiles are of one size.
    """
    whole = np.array([[0, 0, width, height]])
    if columns * rows == 1:
        return whole
    lefts, tile_width = _cuts(width, columns)
    tops, tile_height = _cuts(height, rows)
    left, top = (grid.ravel() for grid in np.meshgrid(lefts, tops))
    tiles = np.stack([left, top, left + tile_width, top + tile_height], axis=1)
    return np.concatenate([whole, tiles])


def _cuts(length: int, parts: int) -> tuple[IntArray, int]:
    """Where overlapping parts of one size begin, and how long they are, pixels."""
    size = int(np.ceil(length / (parts - (parts - 1) * OVERLAP)))
    return np.linspace(0, length - size, parts).round().astype(np.int64), size


def merge(seen: list[DoubleArray], areas: IntArray) -> DoubleArray:
    """People (n, 5) of a frame from what was seen in each of its areas, best first.

    A box cut by the border of a tile is dropped: another area shows the person as a whole. Of what
    remains, boxes of one person in several areas overlap, and the best stays.

    Args:
        seen: For each area people (m, 5) of x1, y1, x2, y2, confidence in pixels of the area.
        areas: As `views` gives them.
    """
    if len(areas) == 1:
        return seen[0]
    sources = np.repeat(np.arange(len(areas)), [len(people) for people in seen])
    everyone = np.concatenate(seen)
    everyone[:, :4] += np.tile(areas[sources, :2], 2)
    whole = ~_are_cut(everyone[:, :4], areas[sources], areas[0])
    return _fuse(everyone[whole], sources[whole])


def _are_cut(boxes: DoubleArray, areas: IntArray, frame: IntArray) -> BoolArray:
    """(N,) bool: which boxes (N, 4) end at a border of their area (N, 4) that the frame has not."""
    margins = BORDER * np.tile(areas[:, 2:] - areas[:, :2], 2)
    near = np.abs(boxes - areas) < margins
    return np.asarray((near & (areas != frame)).any(axis=1))


def _fuse(people: DoubleArray, sources: IntArray) -> DoubleArray:
    """People (n, 5), best first, without those that a better box from another source (N,) shows."""
    twice = iou(people[:, :4], people[:, :4]) > SAME_PERSON_IOU
    twice &= sources[:, None] != sources[None, :]
    kept: list[int] = []
    for row in np.argsort(-people[:, 4], kind="stable"):
        if not twice[row, kept].any():
            kept.append(row)
    return people[kept]
