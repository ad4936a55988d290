"""Finding what the folder of a data set must hold; every failure names the path that was wanted."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from pipeline.errors import DatasetError
from pipeline.types import IntArray

IMAGES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp"})


def images_in(folder: Path) -> list[Path]:
    """The images directly in a folder, by name; other files (`Thumbs.db`) are passed over."""
    images = [path for path in sorted(expect_folder(folder).iterdir()) if _is_image(path)]
    if not images:
        raise DatasetError(f"{folder}: expected images (*.jpg, *.png, *.bmp), got none")
    return images


def _is_image(path: Path) -> bool:
    # Copies from a Mac bring files named ._0001.jpg that hold no picture.
    return path.suffix.lower() in IMAGES and not path.name.startswith(".")


def folders_in(folder: Path) -> list[Path]:
    """The folders directly in a folder, by name; hidden ones are passed over."""
    inner = sorted(expect_folder(folder).iterdir())
    return [path for path in inner if path.is_dir() and not path.name.startswith(".")]


def expect_folder(folder: Path) -> Path:
    """The folder itself.

    Raises:
        DatasetError: It is not there.
    """
    if not folder.is_dir():
        raise DatasetError(f"{folder}: expected a folder of the data set, it is not there")
    return folder


def first_file(*candidates: Path) -> Path:
    """The first of several places at which a file is.

    Raises:
        DatasetError: It is at none of them.
    """
    for path in candidates:
        if path.is_file():
            return path
    also = "".join(f" (nor {path})" for path in candidates[1:])
    raise DatasetError(f"{candidates[0]}: expected a file of the data set, it is not there{also}")


def lines_of(path: Path) -> list[str]:
    """The lines of a text file that are not blank, stripped."""
    text = first_file(path).read_text(encoding="utf-8", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


def listed(path: Path) -> list[tuple[str, int]]:
    """The rows `name number` of a text file."""
    rows = [line.rsplit(maxsplit=1) for line in lines_of(path)]
    for row in rows:
        if len(row) != 2 or not row[1].lstrip("-").isdigit():
            raise DatasetError(f"{path}: expected `path identity` in every line, got {row}")
    return [(name, int(number)) for name, number in rows]


def variable(path: Path, key: str) -> npt.NDArray[Any]:
    """A variable of a MATLAB file (up to version 7; later ones are HDF5)."""
    try:
        holds = loadmat(first_file(path))
    except (ValueError, RuntimeError, OSError) as reason:
        raise DatasetError(f"{path}: expected a MATLAB file: {reason}") from None
    if key not in holds:
        names = sorted(name for name in holds if not name.startswith("__"))
        raise DatasetError(f"{path}: expected the variable {key}, got {', '.join(names)}")
    return np.asarray(holds[key])


def rows_at(path: Path, numbers: npt.ArrayLike, count: int) -> IntArray:
    """Indices from 0 of numbers from 1 that a file gives for rows of a table of `count`."""
    indices = np.asarray(numbers).ravel().astype(np.int64) - 1
    if not ((indices >= 0) & (indices < count)).all():
        got = f"{indices.min() + 1} to {indices.max() + 1}"
        raise DatasetError(f"{path}: expected numbers from 1 to {count}, got {got}")
    return indices


def digits(path: Path, name: str) -> int:
    """The number that the digits of a name give: `person_0012` is 12."""
    found = "".join(letter for letter in name if letter.isdigit())
    if not found:
        raise DatasetError(f"{path}: expected a number in the name, got {name}")
    return int(found)


def expect_split(name: str, split: str, splits: Iterable[str]) -> None:
    """Raise where a data set has no such split."""
    if split not in splits:
        raise DatasetError(f"{name}: expected a split of {', '.join(splits)}; got {split}")
