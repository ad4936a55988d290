"""KITTI tracking: one text file a camera, in the columns of its devkit.

`frame track_id type truncated occluded alpha left top right bottom height width length x y z
rotation_y score`, frames from 0. What is only known in three dimensions has the devkit's own values
for "not known".
"""

from pathlib import Path

from storage import queries
from storage.exports.files import complete_file
from storage.exports.rows import people
from storage.store import Store
from storage.stored_boxes import ExportRow

NOT_KNOWN = "-1 -1 -1 -1000 -1000 -1000 -10"


def export(store: Store, run_id: int, output: Path) -> list[Path]:
    """Write `CAMERA.txt` into the folder for every camera of the run; the files written.

    Raises:
        StoreError: A file cannot be written.
    """
    written = []
    for camera in queries.cameras(store, run_id):
        path = output / f"{camera}.txt"
        with complete_file(path) as file:
            file.writelines(_line(row) for row in people(store, run_id, camera))
        written.append(path)
    return written


def _line(row: ExportRow) -> str:
    box = " ".join(f"{side:.1f}" for side in row.box)
    return (
        f"{row.frame_index} {row.identity} Pedestrian -1 -1 -10 {box} {NOT_KNOWN} {row.score:.3f}\n"
    )
