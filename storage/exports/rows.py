"""What exports have in common: one box a person and frame, numbers of cameras, places."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice

import numpy as np

from pipeline.association.floor_tracks import body_places
from pipeline.types import Calibration, Calibrations, DoubleArray, Tracklet
from storage import stored_boxes
from storage.store import Store
from storage.stored_boxes import ExportRow

ROWS_AT_ONCE = 5_000
NUMBER_AT_END = re.compile(r"(\d+)$")


def people(store: Store, run_id: int, camera: str) -> Iterator[ExportRow]:
    """Boxes of a camera by frame and identity, each identity once a frame, streamed.

    Where a user has joined what a camera saw at once, the most confident box stays: readers of most
    formats refuse two.
    """
    rows = stored_boxes.export_rows(store, run_id, camera)
    for _, same in groupby(rows, key=lambda row: (row.frame_index, row.identity)):
        yield max(same, key=lambda row: row.score)


def placed(
    store: Store, run_id: int, camera: str, calibrations: Calibrations
) -> Iterator[tuple[ExportRow, tuple[float, float] | None]]:
    """`people`, each with its place on the floor in metres; None where it cannot be told."""
    for rows in batches(people(store, run_id, camera), ROWS_AT_ONCE):
        for row, (x, y) in zip(rows, places(rows, calibrations.get(camera)).tolist(), strict=True):
            yield row, (x, y) if x == x else None


def batches(rows: Iterable[ExportRow], size: int) -> Iterator[list[ExportRow]]:
    """Rows, so many at a time."""
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def places(rows: Sequence[ExportRow], calibration: Calibration | None) -> DoubleArray:
    """Where the people of a camera's rows stand (N, 2), metres; NaN where it cannot be told.

    As if all of each person were in its box: of one whose feet are hidden it is too far away.
    """
    if calibration is None:
        return np.full((len(rows), 2), np.nan)
    boxes = np.array([row.box for row in rows], np.float64).reshape(-1, 4)
    return body_places(boxes, calibration)[0]


def tracklet_of(rows: Sequence[ExportRow]) -> Tracklet:
    """Boxes of one tracklet, by frame, in columns; its number is not to be relied on."""
    return Tracklet(
        camera_id=rows[0].camera,
        track_id=1,
        part=1,
        frame_indices=np.array([row.frame_index for row in rows]),
        timestamps_us=np.array([row.timestamp_us for row in rows]),
        boxes=np.array([row.box for row in rows], np.float32),
        scores=np.array([row.score for row in rows], np.float32),
    )


def camera_numbers(names: Sequence[str]) -> dict[str, int]:
    """Numbers of cameras for formats that know no names.

    Those at the end of their names where all have one of their own (`c041`), else from 1 in order.
    """
    found = [match and int(match[1]) for match in map(NUMBER_AT_END.search, names)]
    if None in found or len(set(found)) < len(found):
        return {name: number for number, name in enumerate(names, start=1)}
    return {name: number for name, number in zip(names, found, strict=True) if number is not None}
