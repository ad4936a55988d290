"""MOTChallenge: one text file a camera, ids shared between cameras.

`frame, id, left, top, width, height, confidence, -1, -1, -1` with frames from 1. Where gaps are
filled, a box that was made up has confidence 0.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.tracking.interpolation import interpolate
from storage import queries
from storage.exports.files import complete_file
from storage.exports.rows import people, tracklet_of
from storage.store import Store
from storage.stored_boxes import ExportRow


def export(store: Store, run_id: int, output: Path, *, fill_gaps: bool = False) -> list[Path]:
    """Write `CAMERA.txt` into the folder for every camera of the run; the files written.

    A camera that saw nobody has an empty file.

    Args:
        store: Where the run is.
        run_id: Which run.
        output: The folder.
        fill_gaps: Whether tracklets get a box in every frame between their first and last.

    Raises:
        StoreError: A file cannot be written.
    """
    written = []
    for camera in queries.cameras(store, run_id):
        path = output / f"{camera}.txt"
        rows: Iterable[ExportRow] = people(store, run_id, camera)
        with complete_file(path) as file:
            file.writelines(_line(row) for row in (_filled(rows) if fill_gaps else rows))
        written.append(path)
    return written


def _filled(rows: Iterable[ExportRow]) -> list[ExportRow]:
    """The rows of one camera, with those that its tracklets lack, by frame and identity."""
    tracklets: defaultdict[str, list[ExportRow]] = defaultdict(list)
    for row in rows:
        tracklets[row.tracklet].append(row)
    filled = [row for found in tracklets.values() for row in _without_gaps(found)]
    return sorted(filled, key=lambda row: (row.frame_index, row.identity, row.tracklet))


def _without_gaps(rows: list[ExportRow]) -> Iterator[ExportRow]:
    """A row of the tracklet for each frame from its first to its last."""
    found = tracklet_of(rows)
    whole = np.arange(rows[0].frame_index, rows[-1].frame_index + 1)
    filled = interpolate(found, whole).tracklet
    columns = (filled.frame_indices, filled.timestamps_us, filled.boxes, filled.scores)
    for frame, time_us, box, score in zip(*(c.tolist() for c in columns), strict=True):
        yield replace(rows[0], frame_index=frame, timestamp_us=time_us, box=tuple(box), score=score)


def _line(row: ExportRow) -> str:
    left, top, right, bottom = row.box
    return (
        f"{row.frame_index + 1},{row.identity},{left:.1f},{top:.1f},"
        f"{right - left:.1f},{bottom - top:.1f},{row.score:.3f},-1,-1,-1\n"
    )
