"""PRID 2011 (Hirzer et al., SCIA 2011): sequences of people at two cameras.

`multi_shot/cam_{a,b}/person_0001/0001.png`. Only persons 1 to 200 are the same in both cameras;
from 201 on equal numbers are different people. As in Wang et al. (ECCV 2014), those of them with
more than 20 frames at both cameras are used: 178, half to train and half to test, ten times.

The halves: torchreid's `splits_prid2011.json` in the folder (splits 1 to 10), or drawn here by seed
(`drawn-1` to `drawn-10`), whose scores compare only with one another.
"""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from pipeline.errors import DatasetError
from pipeline.reid.datasets.layout import digits, first_file, folders_in, images_in
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import ClipRecord, ReidData

TRIALS: Final = tuple(f"{kind}{trial}" for kind in ("", "drawn-") for trial in range(1, 11))
LAST_SHARED: Final = 200
LEAST_FRAMES: Final = 21
CAMERAS: Final = {"cam_a": 1, "cam_b": 2}
PROTOCOL: Final = Protocol("PRID 2011", ignore_same_camera=False)


def read_prid2011(folder: Path, split: str) -> ReidData:
    """The data set in one of its splits."""
    shots = folder / "multi_shot"
    clips = {camera: _clips(shots / camera, number) for camera, number in CAMERAS.items()}
    train, test = _drawn(clips, split) if "drawn" in split else _halves(folder, int(split))
    return ReidData(
        name=f"PRID 2011, split {split}",
        train=_of(shots / "cam_a", clips["cam_a"], train)
        + _of(shots / "cam_b", clips["cam_b"], train),
        query=_of(shots / "cam_a", clips["cam_a"], test),
        gallery=_of(shots / "cam_b", clips["cam_b"], test),
        protocol=PROTOCOL,
    )


def _clips(folder: Path, camera: int) -> dict[int, ClipRecord]:
    """The sequences of those who are at both cameras, by number."""
    numbered = {digits(person, person.name): person for person in folders_in(folder)}
    return {
        number: ClipRecord(tuple(images_in(person)), number, camera)
        for number, person in sorted(numbered.items())
        if number <= LAST_SHARED
    }


def _of(folder: Path, clips: dict[int, ClipRecord], numbers: list[int]) -> tuple[ClipRecord, ...]:
    for number in numbers:
        if number not in clips:
            raise DatasetError(f"{folder}/person_{number:04d}: expected by the split, not there")
    return tuple(clips[number] for number in numbers)


def _drawn(clips: dict[str, dict[int, ClipRecord]], split: str) -> tuple[list[int], list[int]]:
    """Train and test numbers, drawn by the number of the split."""
    long = [
        {number for number, clip in of_camera.items() if len(clip.frames) >= LEAST_FRAMES}
        for of_camera in clips.values()
    ]
    numbers = np.array(sorted(long[0] & long[1]), np.int64)
    np.random.default_rng(digits(Path(split), split)).shuffle(numbers)
    half = len(numbers) // 2
    return sorted(numbers[:half].tolist()), sorted(numbers[half:].tolist())


def _halves(folder: Path, trial: int) -> tuple[list[int], list[int]]:
    """Train and test numbers of a split in torchreid's file."""
    path = first_file(folder / "splits_prid2011.json", folder.parent / "splits_prid2011.json")
    try:
        halves: Any = json.loads(path.read_text(encoding="utf-8"))[trial - 1]
        train, test = ([digits(path, name) for name in halves[k]] for k in ("train", "test"))
    except (ValueError, LookupError, TypeError):
        expected = 'a list of ten {"train": [folders], "test": [folders]}'
        raise DatasetError(f"{path}: expected {expected}") from None
    return sorted(train), sorted(test)
