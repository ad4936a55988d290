"""Market-1501 (Zheng et al., ICCV 2015): single images from six cameras.

`bounding_box_train`, `bounding_box_test`, `query`, and `gt_bbox` for several images a query. Names:
`0002_c1s1_000451_03.jpg` is person 2 at camera 1; -1 is junk, 0000 a distractor.
"""

import re
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Final

from pipeline.errors import DatasetError
from pipeline.reid.datasets.layout import images_in
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import DISTRACTOR, JUNK, ClipRecord, ReidData

NAME: Final = re.compile(r"(-?\d+)_c(\d)")

PYTHON: Final = Protocol(
    "Market-1501, single query", junk=frozenset({JUNK}), distractors=frozenset({DISTRACTOR})
)
PROTOCOLS: Final = {
    "single": PYTHON,
    "single-trapezoidal": replace(
        PYTHON,
        name="Market-1501, single query, as in its authors' code",
        average_precision="trapezoidal",
    ),
    "multi": replace(PYTHON, name="Market-1501, several images a query"),
}
"""`single` is what nearly all papers report; the data set's own code takes trapezoids."""


def read_market1501(folder: Path, split: str) -> ReidData:
    """The data set; `multi` gives, for each query, all of `gt_bbox` of its person and camera."""
    query = _images(folder / "query")
    return ReidData(
        name="Market-1501",
        train=_images(folder / "bounding_box_train"),
        query=query if split != "multi" else _together(query, _images(folder / "gt_bbox")),
        gallery=_images(folder / "bounding_box_test"),
        protocol=PROTOCOLS[split],
    )


def _images(folder: Path) -> tuple[ClipRecord, ...]:
    return tuple(_image(path) for path in images_in(folder))


def _image(path: Path) -> ClipRecord:
    found = NAME.match(path.name)
    if not found:
        raise DatasetError(f"{path}: expected a name like 0002_c1s1_000451_03.jpg")
    return ClipRecord((path,), int(found[1]), int(found[2]))


def _together(
    query: tuple[ClipRecord, ...], drawn: tuple[ClipRecord, ...]
) -> tuple[ClipRecord, ...]:
    """Each query with all hand-drawn boxes of its person and camera; alone where there are none."""
    frames: defaultdict[tuple[int, int], list[Path]] = defaultdict(list)
    for one in drawn:
        frames[one.identity, one.camera] += one.frames
    return tuple(
        replace(one, frames=tuple(frames.get((one.identity, one.camera), one.frames)))
        for one in query
    )
