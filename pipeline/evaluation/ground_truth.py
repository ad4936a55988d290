"""Reading what truly happened: one MOTChallenge text file for each camera.

Two forms are told apart by their number of columns (motchallenge.net/instructions):

- 6, 7 or 10, as in MOT15: `frame, id, left, top, width, height, considered, x, y, z`. All rows
  are people; where `considered` is 0 the row does not count.
- 8 or 9, as in MOT16, 17 and 20: `..., considered, class, visibility`. Pedestrians (class 1) that
  are considered count; other classes only say which predictions are to be forgiven.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.errors import GroundTruthError
from pipeline.evaluation.camera_tracks import CameraTracks, repeated_rows
from pipeline.motchallenge import MotRows, read_rows
from pipeline.types import BoolArray

PEDESTRIAN: Final = 1
DISTRACTORS: Final = (2, 7, 8, 12)
"""Person on vehicle, static person, distractor, reflection.

The MOTChallenge development kit adds class 6, non-motorised vehicle, for MOT20 alone. A file does
not say which of the benchmarks it belongs to, so class 6 is never a distractor here.
"""
CLASSES: Final = range(1, 14)
CLASS_COLUMNS: Final = (8, 9)


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """What truly happened in one camera.

    Attributes:
        tracks: All N rows, also those that only forgive predictions.
        counted: (N,) bool, whether the row is a person to be found.
        distractor: (N,) bool, whether a prediction that meets the row is to be forgiven; never
            true of a row that counts.
    """

    tracks: CameraTracks
    counted: BoolArray
    distractor: BoolArray


def load_ground_truth(folder: Path, camera_ids: Sequence[str]) -> dict[str, GroundTruth]:
    """Ground truth by camera, in the order given; cameras without a file are absent.

    The file of camera X is the first that exists of `X.txt`, `X/gt.txt` and `X/gt/gt.txt`; files
    of other names are not looked at.

    Args:
        folder: Where the files are.
        camera_ids: The cameras of the run.

    Raises:
        GroundTruthError: No camera has a file, or a file is malformed (the message names it and
            the row).
    """
    if not folder.is_dir():
        raise GroundTruthError(f"{folder}: expected a folder of ground truth")
    files = {name: path for name in camera_ids for path in _candidates(folder, name)[:1]}
    if not files:
        raise GroundTruthError(
            f"{folder}: expected X.txt, X/gt.txt or X/gt/gt.txt, with X one of the run's cameras:"
            f" {', '.join(camera_ids)}"
        )
    return {name: read_ground_truth(path, name) for name, path in files.items()}


def _candidates(folder: Path, camera_id: str) -> list[Path]:
    places = (f"{camera_id}.txt", f"{camera_id}/gt.txt", f"{camera_id}/gt/gt.txt")
    return [folder / place for place in places if (folder / place).is_file()]


def read_ground_truth(path: Path, camera_id: str) -> GroundTruth:
    """The ground truth in one file; raises as `load_ground_truth` does."""
    rows = read_rows(path, GroundTruthError)
    with_classes = rows.columns in CLASS_COLUMNS
    _check_ids(rows, path)
    _check_considered(rows, path)
    if with_classes:
        _check_classes(rows, path)
    considered = rows.scores != 0
    classes = rows.extra[:, 0]
    # MOT15 has no distractors: rows not considered are as if they were not there.
    return GroundTruth(
        tracks=CameraTracks(camera_id, rows.frame_indices, rows.ids, rows.boxes),
        counted=considered & (classes == PEDESTRIAN) if with_classes else considered,
        distractor=np.isin(classes, DISTRACTORS) & with_classes,
    )


def _check_ids(rows: MotRows, path: Path) -> None:
    for row in np.flatnonzero(rows.ids < 0)[:1]:
        raise GroundTruthError(
            f"{path}: row {rows.row_numbers[row]}: expected an id from 0, got {rows.ids[row]}"
        )
    for row in repeated_rows(rows.frame_indices, rows.ids)[:1]:
        raise GroundTruthError(
            f"{path}: row {rows.row_numbers[row]}: expected one row for each frame and id,"
            f" got frame {rows.frame_indices[row] + 1}, id {rows.ids[row]} again"
        )


def _check_considered(rows: MotRows, path: Path) -> None:
    # A detector's confidence here would be cut to 0 by other tools, and silently nobody counted.
    for row in np.flatnonzero(rows.scores != np.rint(rows.scores))[:1]:
        raise GroundTruthError(
            f"{path}: row {rows.row_numbers[row]}: expected 0 (does not count) or 1 in column 7,"
            f" got {rows.scores[row]:g}"
        )


def _check_classes(rows: MotRows, path: Path) -> None:
    classes = rows.extra[:, 0]
    for row in np.flatnonzero(~np.isin(classes, CLASSES))[:1]:
        raise GroundTruthError(
            f"{path}: row {rows.row_numbers[row]}: expected a class from 1 to 13 in column 8,"
            f" got {classes[row]:g}"
        )
