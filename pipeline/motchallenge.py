"""Reading MOTChallenge text: the one place that knows its columns on the way in.

`frame, id, left, top, width, height, confidence, x, y, z` (detections, results, MOT15 truth) or
`frame, id, left, top, width, height, considered, class, visibility` (MOT16, 17 and 20 truth);
comma or white space between values, frames from 1. A file may lack the last columns, in every row.
"""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.geometry import xywh_to_xyxy
from pipeline.types import DoubleArray, IntArray

MIN_COLUMNS = 6
MAX_COLUMNS = 10
LAST_FRAME = 10**9
ID_LIMIT = 2**53  # from here on not every whole number is a float64, and ids would run together
LARGEST_PX = 1e9  # areas of such boxes are still finite


@dataclass(frozen=True, slots=True, eq=False)
class MotRows:
    """The rows of a file, in the file's order.

    Attributes:
        frame_indices: (N,) int64, from 0.
        ids: (N,) int64, -1 where the row has none.
        boxes: (N, 4) float64, xyxy, pixels.
        scores: (N,) float64, the seventh column; 1 where the row ends before it.
        extra: (N, 3) float64, the columns after it; -1 where the row ends before them.
        row_numbers: (N,) int64, the row's line in the file, from 1; blank lines are counted.
        columns: The number of columns, the same in every row; 10 where there is no row.
    """

    frame_indices: IntArray
    ids: IntArray
    boxes: DoubleArray
    scores: DoubleArray
    extra: DoubleArray
    row_numbers: IntArray
    columns: int


def read_rows(path: Path, error: type[Exception]) -> MotRows:
    """The rows of a MOTChallenge text file.

    Args:
        path: The file.
        error: What to raise, with one line naming file, row and what was expected there.
    """
    lines = _read_lines(path, error)
    columns = next((len(_split(line)) for _, line in lines), MAX_COLUMNS)
    rows = [_parse(line, columns, f"{path}: row {number}", error) for number, line in lines]
    values = np.array([row + [-1.0] * (MAX_COLUMNS - len(row)) for row in rows], np.float64)
    values = values.reshape(-1, MAX_COLUMNS)
    return MotRows(
        frame_indices=values[:, 0].astype(np.int64) - 1,
        ids=values[:, 1].astype(np.int64),
        boxes=xywh_to_xyxy(values[:, 2:6]),
        scores=values[:, 6].copy(),
        extra=values[:, 7:].copy(),
        row_numbers=np.array([number for number, _ in lines], np.int64),
        columns=columns,
    )


def _read_lines(path: Path, error: type[Exception]) -> list[tuple[int, str]]:
    """The lines that are not blank, each with its number from 1."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets put a mark before the first row
    except OSError as reason:
        raise error(f"{path}: cannot be read: {reason.strerror}") from None
    except UnicodeDecodeError:
        raise error(f"{path}: expected MOTChallenge text, got binary data") from None
    return [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]


_SEPARATOR = re.compile(r"\s*,\s*|\s+")


def _split(line: str) -> list[str]:
    """The values of a row; one left out between commas is an empty text, so nothing shifts."""
    return _SEPARATOR.split(line.strip().rstrip(", \t"))


def _parse(line: str, columns: int, where: str, error: type[Exception]) -> list[float]:
    """One row as numbers: six to ten, the seventh filled with 1 where absent."""
    words = _split(line)
    if not MIN_COLUMNS <= len(words) <= MAX_COLUMNS:
        raise error(f"{where}: expected 6 to 10 columns, got {len(words)}")
    if len(words) != columns:
        raise error(f"{where}: expected {columns} columns as in the first row, got {len(words)}")
    try:
        row = [float(word) for word in words]
    except ValueError:
        raise error(f"{where}: expected numbers, got {line.strip()[:60]}") from None
    if not all(map(math.isfinite, row)):
        raise error(f"{where}: expected finite numbers, got {line.strip()[:60]}")
    if not (1 <= row[0] <= LAST_FRAME and row[0] == int(row[0])):
        raise error(f"{where}: expected a frame number from 1, got {words[0]}")
    if row[1] != int(row[1]) or abs(row[1]) >= ID_LIMIT:
        raise error(f"{where}: expected a whole number as id, got {words[1]}")
    if max(map(abs, row[2:6])) > LARGEST_PX:
        raise error(f"{where}: expected a box in pixels, got {' '.join(words[2:6])}")
    if row[4] <= 0 or row[5] <= 0:
        raise error(f"{where}: expected a width and height above 0, got {words[4]} x {words[5]}")
    return row if len(row) > MIN_COLUMNS else [*row, 1.0]
