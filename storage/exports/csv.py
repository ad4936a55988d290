"""CSV: one file, one row a box, with a header.

`frame` counts from 0 as the source does; `timestamp` is ISO 8601 UTC; left, top, width and height
are pixels; rows are sorted by camera (in the site's order), frame and identity.
"""

import csv
from pathlib import Path

from pipeline.timestamps import to_iso
from storage import queries, stored_boxes
from storage.exports.files import complete_file
from storage.store import Store
from storage.stored_boxes import ExportRow

HEADER = (
    "camera",
    "frame",
    "timestamp",
    "identity",
    "tracklet",
    "left",
    "top",
    "width",
    "height",
    "score",
)


def export(store: Store, run_id: int, output: Path) -> list[Path]:
    """Write the file; its path.

    Raises:
        StoreError: It cannot be written.
    """
    with complete_file(output) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        for camera in queries.cameras(store, run_id):
            writer.writerows(_row(row) for row in stored_boxes.export_rows(store, run_id, camera))
    return [output]


def _row(row: ExportRow) -> tuple[str | int, ...]:
    left, top, right, bottom = row.box
    return (
        row.camera,
        row.frame_index,
        to_iso(row.timestamp_us),
        row.identity,
        row.tracklet,
        f"{left:.1f}",
        f"{top:.1f}",
        f"{right - left:.1f}",
        f"{bottom - top:.1f}",
        f"{row.score:.3f}",
    )
