"""MSMT17 (Wei et al., CVPR 2018): single images from 15 cameras, at several times of day.

V1 keeps its images in `train` and `test`, V2 (faces blurred) in `mask_train_v2` and `mask_test_v2`;
`list_{train,val,query,gallery}.txt` say `0000/0000_000_01_0303morning_0015_0.jpg 0`: path, person;
the third number of the name is the camera. Person 0 is a person; there is no junk.
"""

from pathlib import Path
from typing import Final

from pipeline.errors import DatasetError
from pipeline.reid.datasets.layout import expect_folder, listed
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import ClipRecord, ReidData

PROTOCOLS: Final = {
    "official": Protocol("MSMT17"),
    "with-validation": Protocol("MSMT17, trained on its validation images too"),
}


def read_msmt17(folder: Path, split: str) -> ReidData:
    """The data set, V1 or V2 by its folders."""
    is_masked = (folder / "mask_train_v2").is_dir()
    train = expect_folder(folder / ("mask_train_v2" if is_masked else "train"))
    test = expect_folder(folder / ("mask_test_v2" if is_masked else "test"))
    lists = ("train", "val") if split == "with-validation" else ("train",)
    return ReidData(
        name="MSMT17 V2" if is_masked else "MSMT17 V1",
        train=tuple(one for name in lists for one in _images(folder, name, train)),
        query=_images(folder, "query", test),
        gallery=_images(folder, "gallery", test),
        protocol=PROTOCOLS[split],
    )


def _images(folder: Path, name: str, images: Path) -> tuple[ClipRecord, ...]:
    """The images that a list names, by path."""
    path = folder / f"list_{name}.txt"
    return tuple(
        ClipRecord((images / image,), identity, _camera(path, image))
        for image, identity in sorted(listed(path))
    )


def _camera(path: Path, image: str) -> int:
    parts = image.rpartition("/")[2].split("_")
    if len(parts) < 4 or not parts[2].isdigit():
        expected = "0000/0000_000_01_0303morning_0015_0.jpg"
        raise DatasetError(f"{path}: expected images like {expected}, got {image}")
    return int(parts[2])
