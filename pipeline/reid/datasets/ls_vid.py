"""LS-VID (Li et al., ICCV 2019): tracklets from 15 cameras.

`list_sequence/list_seq_{train,test}.txt` (or under `info`) say `prefix person`; a tracklet is the
images whose paths begin with its prefix, in order of name: `0000_001_05_0001.jpg`, the third number
the camera. `info/data/info_test.mat` (or `test/data`) is HDF5; `query` holds rows from 1 of the
test list.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

import h5py

from pipeline.errors import DatasetError
from pipeline.reid.datasets.layout import expect_folder, first_file, listed, rows_at
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import ClipRecord, ReidData
from pipeline.types import IntArray

OFFICIAL: Final = Protocol("LS-VID")
PROTOCOLS: Final = {
    "official": OFFICIAL,
    "with-queries": replace(
        OFFICIAL, name="LS-VID, queries in the gallery", queries_in_gallery=True
    ),
}
"""The data set counts its gallery without the queries; some code adds them."""


def read_ls_vid(folder: Path, split: str) -> ReidData:
    """The data set, with or without the queries in the gallery."""
    test = _tracklets(folder, "test")
    query = _query(folder, len(test))
    left_out = set() if PROTOCOLS[split].queries_in_gallery else set(query.tolist())
    return ReidData(
        name="LS-VID",
        train=_tracklets(folder, "train"),
        query=tuple(test[row] for row in query),
        gallery=tuple(one for row, one in enumerate(test) if row not in left_out),
        protocol=PROTOCOLS[split],
    )


def _query(folder: Path, count: int) -> IntArray:
    path = first_file(folder / "info/data/info_test.mat", folder / "test/data/info_test.mat")
    try:
        with h5py.File(path) as info:
            numbers = info["query"][0]
    except (OSError, KeyError) as reason:
        raise DatasetError(f"{path}: expected HDF5 with `query`: {reason}") from None
    return rows_at(path, numbers, count)


def _tracklets(folder: Path, part: str) -> tuple[ClipRecord, ...]:
    name = f"list_sequence/list_seq_{part}.txt"
    path = first_file(folder / "info" / name, folder / name)
    return tuple(_tracklet(path, folder / prefix, identity) for prefix, identity in listed(path))


def _tracklet(path: Path, prefix: Path, identity: int) -> ClipRecord:
    frames = tuple(sorted(expect_folder(prefix.parent).glob(f"{prefix.name}*.jpg")))
    if not frames:
        raise DatasetError(f"{path}: expected images {prefix}*.jpg, got none")
    parts = frames[0].name.split("_")
    if len(parts) < 4 or not parts[2].isdigit():
        raise DatasetError(f"{frames[0]}: expected a name like 0000_001_05_0001.jpg")
    return ClipRecord(frames, identity, int(parts[2]))
