"""RegDB (Nguyen et al., Sensors 2017): visible light against thermal, 412 people, ten trials.

`idx/{train,test}_{visible,thermal}_{1..10}.txt` say `Visible/1/....bmp 0`: path, person. Camera 1
is the visible one here, 2 the thermal one; a query searches the other one.
"""

from pathlib import Path
from typing import Final

from pipeline.reid.datasets.layout import listed
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import ClipRecord, ReidData

CAMERAS: Final = {"visible": 1, "thermal": 2}
SPLITS: Final = tuple(
    f"{way}-{trial}"
    for way in ("visible-to-thermal", "thermal-to-visible")
    for trial in range(1, 11)
)


def read_regdb(folder: Path, split: str) -> ReidData:
    """The data set in one of its trials, searched one way."""
    query, _, gallery, trial = split.split("-")
    return ReidData(
        name=f"RegDB, {split}",
        train=_images(folder, "train", "visible", trial)
        + _images(folder, "train", "thermal", trial),
        query=_images(folder, "test", query, trial),
        gallery=_images(folder, "test", gallery, trial),
        protocol=Protocol(f"RegDB, {query} to {gallery}", ignore_same_camera=False),
    )


def _images(folder: Path, part: str, light: str, trial: str) -> tuple[ClipRecord, ...]:
    rows = listed(folder / f"idx/{part}_{light}_{trial}.txt")
    return tuple(
        ClipRecord((folder / image,), identity, CAMERAS[light]) for image, identity in sorted(rows)
    )
