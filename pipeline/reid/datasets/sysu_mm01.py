"""SYSU-MM01 (Wu et al., ICCV 2017): visible light against infrared.

`cam{1..6}/0001/0001.jpg`, cameras 3 and 6 infrared; `exp/{train,val,test}_id.txt` hold one line of
numbers. Queries are all infrared images of the test people. The gallery holds visible ones: at all
cameras or those indoors (1 and 2), of each person and camera one or ten, in ten trials. A query of
camera 3 does not search camera 2, which looks at the same place; ranks count people, not images.

Splits are `{all,indoor}-{single,multi,python}-{1..10}`. `single` and `multi` take the authors'
permutations, `rand_perm_cam.mat`; `python` draws one image by seed, as the widely used PyTorch code
does: other trials, whose scores are not quite those of the permutations.
"""

from itertools import product
from pathlib import Path
from random import Random
from typing import Final

import numpy as np

from pipeline.errors import DatasetError
from pipeline.reid.datasets.layout import expect_folder, first_file, images_in, lines_of, variable
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import ClipRecord, ReidData

INFRARED: Final = (3, 6)
SEARCHED: Final = {"all": (1, 2, 4, 5), "indoor": (1, 2)}
SHOTS: Final = {"single": 1, "multi": 10}
SPLITS: Final = tuple(
    "-".join(words) for words in product(SEARCHED, (*SHOTS, "python"), map(str, range(1, 11)))
)


def read_sysu_mm01(folder: Path, split: str) -> ReidData:
    """The data set in one of its trials."""
    searched, shots, trial = split.split("-")
    cameras = SEARCHED[searched]
    learnt = sorted(_people(folder, "train") + _people(folder, "val"))
    people = sorted(_people(folder, "test"))
    draw = _by_seed if shots == "python" else _by_permutation
    for camera in range(1, 7):
        expect_folder(folder / f"cam{camera}")
    return ReidData(
        name=f"SYSU-MM01, {split}",
        train=_images(folder, learnt, range(1, 7)),
        query=_images(folder, people, INFRARED),
        gallery=draw(folder, people, cameras, int(trial), SHOTS.get(shots, 1)),
        protocol=Protocol(
            f"SYSU-MM01, {searched} search, {shots} shot, trial {trial}",
            ignore_same_camera=False,
            camera_groups={2: 2, 3: 2},
            unique_identities=True,
        ),
    )


def _people(folder: Path, part: str) -> list[int]:
    path = folder / f"exp/{part}_id.txt"
    words = ",".join(lines_of(path)).split(",")
    if not all(word.strip().isdigit() for word in words):
        raise DatasetError(f"{path}: expected one line of numbers with commas between")
    return [int(word) for word in words]


def _shots(folder: Path, person: int, camera: int) -> list[Path]:
    """The images of a person at a camera; none where it was not seen there."""
    inner = folder / f"cam{camera}" / f"{person:04d}"
    return images_in(inner) if inner.is_dir() else []


def _images(
    folder: Path, people: list[int], cameras: tuple[int, ...] | range
) -> tuple[ClipRecord, ...]:
    return tuple(
        ClipRecord((path,), person, camera)
        for person, camera in product(people, cameras)
        for path in _shots(folder, person, camera)
    )


def _by_permutation(
    folder: Path, people: list[int], cameras: tuple[int, ...], trial: int, shots: int
) -> tuple[ClipRecord, ...]:
    """The first images of each person and camera in the authors' permutation of the trial."""
    name = "rand_perm_cam.mat"
    path = first_file(folder / "exp" / name, folder / name, folder / "data_split" / name)
    permutations = variable(path, "rand_perm_cam").ravel()  # camera -> person -> (trials, images)
    chosen = []
    for person, camera in product(people, cameras):
        of_camera = permutations[camera - 1].ravel()
        order = np.asarray(of_camera[person - 1]) if person <= len(of_camera) else np.empty(0)
        numbers = order[trial - 1, :shots].astype(int).tolist() if order.size else []
        inner = folder / f"cam{camera}" / f"{person:04d}"
        chosen += [ClipRecord((inner / f"{n:04d}.jpg",), person, camera) for n in numbers]
    return tuple(chosen)


def _by_seed(
    folder: Path, people: list[int], cameras: tuple[int, ...], trial: int, _shots_wanted: int
) -> tuple[ClipRecord, ...]:
    """One image of each person and camera, drawn in their order by the standard library."""
    random = Random(trial - 1)  # noqa: S311 - chance that others can repeat
    return tuple(
        ClipRecord((random.choice(shots),), person, camera)
        for person, camera in product(people, cameras)
        if (shots := _shots(folder, person, camera))
    )
