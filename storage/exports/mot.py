"""MOTChallenge: one text file a camera, ids shared between cameras.

`frame, id, left, top, width, height, confidence, -1, -1, -1` with frames from 1.
"""

from pathlib import Path

from storage import queries
from storage.exports.files import complete_file
from storage.queries import ExportRow
from storage.store import Store


def export(store: Store, run_id: int, output: Path) -> list[Path]:
    """Write `CAMERA.txt` into the folder for every camera of the run; the files written.

    A camera that saw nobody has an empty file.

    Raises:
        StoreError: A file cannot be written.
    """
    written = []
    for camera in queries.cameras(store, run_id):
        path = output / f"{camera}.txt"
        with complete_file(path) as file:
            file.writelines(_line(row) for row in queries.export_rows(store, run_id, camera))
        written.append(path)
    return written


def _line(row: ExportRow) -> str:
    left, top, right, bottom = row.box
    return (
        f"{row.frame_index + 1},{row.identity},{left:.1f},{top:.1f},"
        f"{right - left:.1f},{bottom - top:.1f},{row.score:.3f},-1,-1,-1\n"
    )
