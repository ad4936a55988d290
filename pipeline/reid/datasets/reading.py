"""Every data set by its name. Paths are parsed, nothing is downloaded and no image is opened.

DukeMTMC is not here: its authors withdrew it in 2019, nobody in it had agreed to be filmed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import DatasetError
from pipeline.reid.datasets import (
    ilids_vid,
    ls_vid,
    market1501,
    mars,
    msmt17,
    own_folder,
    prid2011,
    regdb,
    sysu_mm01,
)
from pipeline.reid.datasets.layout import expect_folder, expect_split
from pipeline.reid.datasets.records import ReidData


@dataclass(frozen=True, slots=True)
class Reader:
    """How a data set is read: its splits, the usual one first, and the function for it."""

    splits: tuple[str, ...]
    read: Callable[[Path, str], ReidData]


DATASETS: Final[Mapping[str, Reader]] = {
    "market1501": Reader(tuple(market1501.PROTOCOLS), market1501.read_market1501),
    "msmt17": Reader(tuple(msmt17.PROTOCOLS), msmt17.read_msmt17),
    "mars": Reader(tuple(mars.PROTOCOLS), mars.read_mars),
    "ilids-vid": Reader(ilids_vid.TRIALS, ilids_vid.read_ilids_vid),
    "prid2011": Reader(prid2011.TRIALS, prid2011.read_prid2011),
    "ls-vid": Reader(tuple(ls_vid.PROTOCOLS), ls_vid.read_ls_vid),
    "sysu-mm01": Reader(sysu_mm01.SPLITS, sysu_mm01.read_sysu_mm01),
    "regdb": Reader(regdb.SPLITS, regdb.read_regdb),
    "folder": Reader(own_folder.SPLITS, own_folder.read_own_folder),
}


def read_dataset(name: str, folder: Path, split: str = "") -> ReidData:
    """A data set from the folder that its archive unpacks to.

    Args:
        name: One of `DATASETS`.
        folder: The folder that holds what the data set's own description names.
        split: Which of its splits, trials or ways of scoring; the first where empty.

    Raises:
        DatasetError: No such data set or split, or something of it is missing or malformed.
    """
    if name not in DATASETS:
        raise DatasetError(f"{name}: expected a data set of {', '.join(DATASETS)}")
    reader = DATASETS[name]
    wanted = split or reader.splits[0]
    expect_split(name, wanted, reader.splits)
    return reader.read(expect_folder(folder), wanted)
