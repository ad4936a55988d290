"""COCO with videos: one JSON document, a video a camera, an image a frame in which somebody is.

Boxes are left, top, width, height in pixels. COCO itself knows no tracks: `track_id` is the
identity, the same in all videos, as TAO has it. `file_name` is `CAMERA/FRAME.jpg`, frames from 0 as
in `frame_index`; there need be no such file.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from itertools import count, groupby
from pathlib import Path
from typing import TextIO

from pipeline.timestamps import to_iso
from storage import queries
from storage.exports.files import complete_file
from storage.exports.rows import people
from storage.store import Store
from storage.stored_boxes import ExportRow

PERSON = 1
Sizes = Mapping[str, tuple[int, int]]
"""Width and height of the frames of cameras, pixels."""


def export(store: Store, run_id: int, output: Path, sizes: Sizes) -> list[Path]:
    """Write the file; its path. Images of cameras that are not in `sizes` have no width and height.

    Raises:
        StoreError: It cannot be written.
    """
    names = queries.cameras(store, run_id)
    videos = [{"id": number, "name": name} for number, name in enumerate(names, start=1)]
    head = {"videos": videos, "categories": [{"id": PERSON, "name": "person"}]}
    with complete_file(output) as file, _beside(output) as images:
        file.write(f"{json.dumps(head)[:-1]},\n")
        file.write('"annotations": [')
        _write(store, run_id, names, sizes, file, images)
        file.write('],\n"images": [')
        images.seek(0)
        shutil.copyfileobj(images, file)
        file.write("]}\n")
    return [output]


def _beside(output: Path) -> TextIO:
    """A file without a name: images come with their boxes, but stand behind them."""
    return tempfile.TemporaryFile("w+", encoding="utf-8", dir=output.parent)


def _write(
    store: Store, run_id: int, names: list[str], sizes: Sizes, boxes: TextIO, images: TextIO
) -> None:
    image_ids, annotation_ids = count(1), count(1)
    for video, name in enumerate(names, start=1):
        by_frame = groupby(people(store, run_id, name), key=lambda row: row.frame_index)
        for (_, found), image in zip(by_frame, image_ids, strict=False):
            rows = list(found)
            images.write(_element(image, _image(image, video, rows[0], sizes.get(name))))
            for row, annotation in zip(rows, annotation_ids, strict=False):
                boxes.write(_element(annotation, _annotation(annotation, image, video, row)))


def _element(number: int, tree: Mapping[str, object]) -> str:
    return f"{',' if number > 1 else ''}\n{json.dumps(tree)}"


def _image(
    number: int, video: int, row: ExportRow, size: tuple[int, int] | None
) -> dict[str, object]:
    tree: dict[str, object] = {
        "id": number,
        "video_id": video,
        "frame_index": row.frame_index,
        "file_name": f"{row.camera}/{row.frame_index:06}.jpg",
        "timestamp": to_iso(row.timestamp_us),
    }
    return tree if size is None else tree | {"width": size[0], "height": size[1]}


def _annotation(number: int, image: int, video: int, row: ExportRow) -> dict[str, object]:
    left, top, right, bottom = row.box
    width, height = right - left, bottom - top
    return {
        "id": number,
        "image_id": image,
        "video_id": video,
        "category_id": PERSON,
        "track_id": row.identity,
        "bbox": [round(side, 1) for side in (left, top, width, height)],
        "area": round(width * height, 2),
        "iscrowd": 0,
        "score": round(row.score, 3),
    }
