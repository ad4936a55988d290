"""DukeMTMC submission: one text file, `camera ID frame left top width height`.

Whole numbers, separated by spaces; cameras and frames count from 1, frames in each camera for
itself.
"""

from pathlib import Path

from storage import queries
from storage.exports.files import complete_file
from storage.exports.rows import camera_numbers, people
from storage.store import Store


def export(store: Store, run_id: int, output: Path) -> list[Path]:
    """Write the file; its path.

    Raises:
        StoreError: It cannot be written.
    """
    numbers = camera_numbers(queries.cameras(store, run_id))
    with complete_file(output) as file:
        for camera, number in numbers.items():
            for row in people(store, run_id, camera):
                box = whole_box(row.box)
                file.write(f"{number} {row.identity} {row.frame_index + 1} {box}\n")
    return [output]


def whole_box(box: tuple[float, float, float, float]) -> str:
    """Left, top, width, height in whole pixels."""
    left, top, right, bottom = box
    return f"{round(left)} {round(top)} {round(right - left)} {round(bottom - top)}"
