"""Data sets of a few tiny pictures, laid out exactly as the real ones."""

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest
from scipy.io import savemat

Maker = Callable[[Path], None]


def draw(path: Path, shade: int = 0, size: tuple[int, int] = (8, 4)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((*size, 3), shade, np.uint8))


def write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def save(path: Path, **variables: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, variables)


def make_market1501(folder: Path) -> None:
    """2 people to learn, 3 queries (one seen by no other camera), junk and a distractor."""
    names = {
        "bounding_box_train": ["0007_c3s2_000010_01", "0002_c1s1_000451_03", "0002_c2s1_000776_01"],
        "query": ["0003_c1s1_000001_00", "0003_c2s1_000002_00", "0009_c6s1_000003_00"],
        "bounding_box_test": [
            *("0003_c1s1_000011_01", "0003_c2s1_000012_01", "0009_c6s1_000013_01"),
            *("-1_c4s6_000014_05", "0000_c5s1_000015_01"),
        ],
        "gt_bbox": ["0003_c1s1_000001_00", "0003_c1s1_000005_00", "0003_c2s1_000002_00"],
    }
    for place, images in names.items():
        for name in images:
            draw(folder / place / f"{name}.jpg")
        write(folder / place / "Thumbs.db", ["no picture"])


def make_msmt17(folder: Path, train: str = "train", test: str = "test") -> None:
    """People from 0, who is a person; the lists in no order."""
    lists = {
        "train": ["0001/0001_000_15_0303evening_0002_0.jpg 1", "0000/0000_000_01_a_0015_0.jpg 0"],
        "val": ["0000/0000_001_03_0303morning_0022_0.jpg 0"],
        "query": ["0000/0000_000_02_0303noon_0015_0.jpg 0"],
        "gallery": ["0000/0000_001_04_0303noon_0017_0.jpg 0", "0001/0001_000_02_b_0018_0.jpg 1"],
    }
    for name, lines in lists.items():
        write(folder / f"list_{name}.txt", lines)
        for line in lines:
            draw(folder / (train if name in ("train", "val") else test) / line.split()[0])


def make_mars(folder: Path) -> None:
    """Tracklets of 2 frames; query 4 (person 6 at camera 2) is the only one of that person."""
    tracklets = {
        "train": [(1, 1), (3, 6)],
        "test": [(-1, 1), (0, 2), (2, 1), (2, 3), (6, 2), (2, 1)],
    }
    for part, people in tracklets.items():
        names = [
            f"{person if person >= 0 else '00-1'!s:>04}C{camera}T{number:04d}F{frame:03d}.jpg"
            for number, (person, camera) in enumerate(people, start=1)
            for frame in (1, 2)
        ]
        for name in names:
            draw(folder / f"bbox_{part}" / name[:4] / name)
        write(folder / f"info/{part}_name.txt", names)
        rows = [(2 * index + 1, 2 * index + 2, *who) for index, who in enumerate(people)]
        save(
            folder / f"info/tracks_{part}_info.mat",
            **{f"track_{part}_info": np.array(rows, np.int32)},
        )
    save(folder / "info/query_IDX.mat", query_IDX=np.array([[3, 4, 5]], np.uint16))


def make_ilids_vid(folder: Path) -> None:
    """People 1, 2, 5, 319: numbers have gaps. In the first split 319 and 1 are to test."""
    for camera, person, frame in np.ndindex(2, 4, 2):
        number = (1, 2, 5, 319)[person]
        draw(
            folder / f"i-LIDS-VID/sequences/cam{camera + 1}/person{number:03d}"
            f"/cam{camera + 1}_person{number:03d}_{frame + 317:05d}.png"
        )
    splits = np.array([[4, 1, 3, 2]] + [[1, 2, 3, 4]] * 9, np.uint16)
    save(folder / "train-test people splits/train_test_splits_ilidsvid.mat", ls_set=splits)


def make_prid2011(folder: Path) -> None:
    """1 to 4 are long enough at both cameras; 5 is short at b, 6 only at a, 201 somebody else."""
    frames = {"cam_a": dict.fromkeys((1, 2, 3, 4, 5, 6, 201), 21)}
    frames["cam_b"] = dict.fromkeys((1, 2, 3, 4, 201), 22) | {5: 20}
    for camera, people in frames.items():
        for person, count in people.items():
            for frame in range(1, count + 1):
                draw(folder / f"multi_shot/{camera}/person_{person:04d}/{frame:04d}.png")
    names = [f"person_{number:04d}" for number in range(1, 5)]
    halves = [{"train": names[:2], "test": names[2:]}] * 9
    halves.append({"train": [names[3], names[0]], "test": names[1:3]})
    write(folder / "splits_prid2011.json", [json.dumps(halves)])


def make_ls_vid(folder: Path) -> None:
    """A train tracklet and three to test; the last two are queries."""
    lists = {
        "train": ["tracklet_train/0000/0000_001_01 0"],
        "test": [
            *("tracklet_test/0100/0100_001_05 100", "tracklet_test/0100/0100_002_15 100"),
            "tracklet_test/0101/0101_001_05 101",
        ],
    }
    for part, lines in lists.items():
        write(folder / f"info/list_sequence/list_seq_{part}.txt", lines)
        for line in lines:
            for frame in (10, 9, 11):
                draw(folder / f"{line.split()[0]}_{frame:04d}.jpg")
    path = folder / "info/data/info_test.mat"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as info:
        info["query"] = np.array([[2.0, 3.0]])


def make_sysu_mm01(folder: Path) -> None:
    """People 1 and 2 to learn; 3 and 4 to test, 4 never at camera 2; two images each."""
    rng = np.random.default_rng(0)
    permutations = np.empty((6, 1), object)
    for camera in range(1, 7):
        of_people = np.empty((1, 5), object)
        for person in range(1, 6):
            missing = person == 5 or (person, camera) == (4, 2)
            for image in () if missing else (1, 2):
                draw(folder / f"cam{camera}/{person:04d}/{image:04d}.jpg")
            orders = [rng.permutation(2) + 1 for _ in range(10)]
            of_people[0, person - 1] = np.empty((0, 0)) if missing else np.array(orders, np.uint16)
        of_people[0, 2][0] = (2, 1)  # trial 1, person 3
        permutations[camera - 1, 0] = of_people
    save(folder / "exp/rand_perm_cam.mat", rand_perm_cam=permutations)
    for part, people in {"train": "1", "val": "2", "test": "4,3"}.items():
        write(folder / f"exp/{part}_id.txt", [people])


def make_regdb(folder: Path) -> None:
    for part, person in (("train", 0), ("test", 1)):
        for light in ("Visible", "Thermal"):
            names = [f"{light}/{person + 1}/{light[0].lower()}_{n}.bmp" for n in (2, 1)]
            for name in names:
                draw(folder / name)
            for trial in (1, 10):
                lines = [f"{name} {person}" for name in names[: 1 + (trial == 1)]]
                write(folder / f"idx/{part}_{light.lower()}_{trial}.txt", lines)


def make_folder(folder: Path) -> None:
    """anna at two doors, with a picture before another by name; ben at one."""
    for name in ("anna/yard/2.jpg", "anna/yard/1.jpg", "anna/door/x.png", "ben/yard/7.jpeg"):
        draw(folder / name)
    write(folder / "anna/yard/notes.txt", ["no picture"])
    write(folder / "readme.txt", ["nobody"])


MAKERS: dict[str, Maker] = {
    "market1501": make_market1501,
    "msmt17": make_msmt17,
    "mars": make_mars,
    "ilids-vid": make_ilids_vid,
    "prid2011": make_prid2011,
    "ls-vid": make_ls_vid,
    "sysu-mm01": make_sysu_mm01,
    "regdb": make_regdb,
    "folder": make_folder,
}


@pytest.fixture
def made(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a data set by its name and gives its folder."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        MAKERS[name](folder)
        return folder

    return make


@pytest.fixture
def picture() -> Callable[..., None]:
    """Writes a picture of one shade."""
    return draw


@pytest.fixture
def msmt17_v2(tmp_path: Path) -> Path:
    make_msmt17(tmp_path / "v2", "mask_train_v2", "mask_test_v2")
    return tmp_path / "v2"
