"""iLIDS-VID (Wang et al., ECCV 2014): 300 people, one sequence at each of two cameras.

`i-LIDS-VID/sequences/cam1/person001/cam1_person001_00317.png`, and ten splits in halves in
`train-test people splits/train_test_splits_ilidsvid.mat`: `ls_set` (10, 300), numbers from 1 of the
person folders in order, of which the first half is for the test. Report the mean over the ten.
"""

from pathlib import Path
from typing import Final

from pipeline.errors import DatasetError
from pipeline.reid.datasets.layout import digits, folders_in, images_in, rows_at, variable
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import ClipRecord, ReidData

TRIALS: Final = tuple(str(trial) for trial in range(1, 11))
PROTOCOL: Final = Protocol("iLIDS-VID", ignore_same_camera=False)


def read_ilids_vid(folder: Path, split: str) -> ReidData:
    """The data set in one of its ten splits."""
    sequences = folder / "i-LIDS-VID/sequences"
    people = [person.name for person in folders_in(sequences / "cam1")]
    path = folder / "train-test people splits/train_test_splits_ilidsvid.mat"
    splits = variable(path, "ls_set")
    if splits.shape != (len(TRIALS), len(people)):
        expected = f"{len(TRIALS)} splits of the {len(people)} people in {sequences / 'cam1'}"
        raise DatasetError(f"{path}: expected {expected}, got {splits.shape}")
    order = rows_at(path, splits[int(split) - 1], len(people))
    half = len(order) // 2
    test, train = ([people[row] for row in part] for part in (order[:half], order[half:]))
    return ReidData(
        name=f"iLIDS-VID, split {split}",
        train=_clips(sequences, 1, train) + _clips(sequences, 2, train),
        query=_clips(sequences, 1, test),
        gallery=_clips(sequences, 2, test),
        protocol=PROTOCOL,
    )


def _clips(sequences: Path, camera: int, people: list[str]) -> tuple[ClipRecord, ...]:
    """The sequences of some people at one camera, by name."""
    folders = [sequences / f"cam{camera}" / person for person in sorted(people)]
    return tuple(
        ClipRecord(tuple(images_in(folder)), digits(folder, folder.name), camera)
        for folder in folders
    )
