"""MARS (Zheng et al., ECCV 2016): tracklets of a real tracker from six cameras.

`bbox_train`, `bbox_test` hold `0001/0001C1T0001F001.jpg`; `info/{train,test}_name.txt` list the
images in order, `info/tracks_{train,test}_info.mat` say which rows make a tracklet (first, last,
person, camera; from 1, inclusive), `info/query_IDX.mat` which test tracklets are queries. -1 is
junk, 0 a distractor.

Two protocols are in use, whose scores must not be compared. The authors' code searches all test
tracklets, the queries among them, and takes trapezoids. Much Python code leaves the queries out:
140 of the 1,980 then have nothing to be found and drop out of the mean.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.errors import DatasetError
from pipeline.reid.datasets.layout import expect_folder, lines_of, rows_at, variable
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import DISTRACTOR, JUNK, ClipRecord, ReidData
from pipeline.types import IntArray

OFFICIAL: Final = Protocol(
    "MARS, as in its authors' code",
    average_precision="trapezoidal",
    junk=frozenset({JUNK}),
    distractors=frozenset({DISTRACTOR}),
    queries_in_gallery=True,
)
PYTHON: Final = replace(
    OFFICIAL, name="MARS, rectangular precision", average_precision="rectangular"
)
PROTOCOLS: Final = {
    "official": OFFICIAL,
    "python": PYTHON,
    "official-without-queries": replace(
        OFFICIAL, name=f"{OFFICIAL.name}, queries not in the gallery", queries_in_gallery=False
    ),
    "python-without-queries": replace(
        PYTHON, name=f"{PYTHON.name}, queries not in the gallery", queries_in_gallery=False
    ),
}


def read_mars(folder: Path, split: str) -> ReidData:
    """The data set, scored in one of its four ways."""
    test = _tracklets(folder, "test")
    path = folder / "info/query_IDX.mat"
    query = rows_at(path, variable(path, "query_IDX"), len(test))
    left_out = set() if PROTOCOLS[split].queries_in_gallery else set(query.tolist())
    return ReidData(
        name="MARS",
        train=_tracklets(folder, "train"),
        query=tuple(test[row] for row in query),
        gallery=tuple(one for row, one in enumerate(test) if row not in left_out),
        protocol=PROTOCOLS[split],
    )


def _tracklets(folder: Path, part: str) -> tuple[ClipRecord, ...]:
    names = lines_of(folder / f"info/{part}_name.txt")
    path = folder / f"info/tracks_{part}_info.mat"
    images = expect_folder(folder / f"bbox_{part}")
    rows = _rows(path, f"track_{part}_info", len(names))
    return tuple(_tracklet(path, images, names[row[0] - 1 : row[1]], row) for row in rows)


def _rows(path: Path, key: str, names: int) -> IntArray:
    """First, last, person, camera of each tracklet (T, 4); first and last from 1."""
    rows = variable(path, key).astype(np.int64)
    if rows.ndim != 2 or rows.shape[1] != 4:
        raise DatasetError(f"{path}: expected first, last, person, camera; got {rows.shape}")
    first, last = rows[:, 0], rows[:, 1]
    wrong = np.flatnonzero((first < 1) | (last < first) | (last > names))
    for row in wrong[:1]:
        raise DatasetError(
            f"{path}: row {row + 1}: expected images from 1 to {names},"
            f" got {first[row]} to {last[row]}"
        )
    return rows


def _tracklet(path: Path, images: Path, names: list[str], row: IntArray) -> ClipRecord:
    """A tracklet; its names must be of its person and camera, else the lists do not fit."""
    start = f"{row[2]:04d}C{row[3]}T" if row[2] >= 0 else f"00-1C{row[3]}T"
    for name in names:
        if not name.startswith(start):
            raise DatasetError(f"{path}: expected images {start}..., got {name}")
    person = images / names[0][:4]
    frames = tuple(person / name for name in names)
    return ClipRecord(frames, int(row[2]), int(row[3]))
