"""NVIDIA Metropolis: frames as in its schema `nv.Frame`, one JSON document a line.

All frames of a camera in order of time, one camera after another; frames without people are left
out. `id` of an object is the identity; `coordinate` is its place on the floor in metres, where the
camera is calibrated.
"""

import json
from itertools import groupby
from pathlib import Path

from pipeline.timestamps import to_iso
from pipeline.types import Calibrations
from storage import queries
from storage.exports.files import complete_file
from storage.exports.rows import placed
from storage.store import Store
from storage.stored_boxes import ExportRow

VERSION = "4.0"


def export(store: Store, run_id: int, output: Path, calibrations: Calibrations) -> list[Path]:
    """Write the file; its path.

    Raises:
        StoreError: It cannot be written.
    """
    with complete_file(output) as file:
        for camera in queries.cameras(store, run_id):
            rows = placed(store, run_id, camera, calibrations)
            for _, seen in groupby(rows, key=lambda each: each[0].frame_index):
                people = list(seen)
                file.write(json.dumps(_frame(people[0][0], [_person(*each) for each in people])))
                file.write("\n")
    return [output]


def _frame(row: ExportRow, people: list[dict[str, object]]) -> dict[str, object]:
    return {
        "version": VERSION,
        "id": str(row.frame_index),
        "timestamp": f"{to_iso(row.timestamp_us)[:-4]}Z",  # milliseconds
        "sensorId": row.camera,
        "objects": people,
    }


def _person(row: ExportRow, place: tuple[float, float] | None) -> dict[str, object]:
    tree: dict[str, object] = {
        "id": str(row.identity),
        "bbox": dict(zip(("leftX", "topY", "rightX", "bottomY"), row.box, strict=True)),
        "type": "Person",
        "confidence": row.score,
        "info": {"tracklet": row.tracklet},
    }
    if place is None:
        return tree
    x, y = place
    return tree | {"coordinate": {"x": round(x, 3), "y": round(y, 3), "z": 0.0}}
