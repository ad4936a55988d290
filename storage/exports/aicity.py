"""AI City Challenge, track 1 of 2023 and 2024: one text file of all cameras.

`camera_id obj_id frame_id xmin ymin width height xworld yworld`, separated by spaces; frames from
0, boxes in whole pixels, places in metres on the floor, -1 -1 where a camera is not calibrated.
"""

from pathlib import Path

from pipeline.types import Calibrations
from storage import queries
from storage.exports.duke import whole_box
from storage.exports.files import complete_file
from storage.exports.rows import camera_numbers, placed
from storage.store import Store


def export(store: Store, run_id: int, output: Path, calibrations: Calibrations) -> list[Path]:
    """Write the file; its path.

    Raises:
        StoreError: It cannot be written.
    """
    numbers = camera_numbers(queries.cameras(store, run_id))
    with complete_file(output) as file:
        for camera, number in numbers.items():
            for row, place in placed(store, run_id, camera, calibrations):
                world = "-1 -1" if place is None else f"{place[0]:.3f} {place[1]:.3f}"
                box = whole_box(row.box)
                file.write(f"{number} {row.identity} {row.frame_index} {box} {world}\n")
    return [output]
