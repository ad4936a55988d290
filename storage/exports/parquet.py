"""Parquet: one file, one row a box, sorted as in the CSV.

`frame` counts from 0; `timestamp` is in microseconds UTC; left, top, width and height are pixels;
x_m and y_m are the place on the floor in metres, null where it cannot be told.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from pipeline.geometry import xyxy_to_xywh
from pipeline.types import Calibrations, DoubleArray
from storage import queries, stored_boxes
from storage.exports.files import complete_path
from storage.exports.rows import batches, places
from storage.store import Store
from storage.stored_boxes import ExportRow

NAMES = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("camera", NAMES),
        ("frame", pa.int64()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("identity", pa.int32()),
        ("tracklet", NAMES),
        *((name, pa.float32()) for name in ("left", "top", "width", "height", "score")),
        *((name, pa.float64()) for name in ("x_m", "y_m")),
    ]
)
ROW_GROUP = 100_000


def export(store: Store, run_id: int, output: Path, calibrations: Calibrations) -> list[Path]:
    """Write the file, a group of rows at a time; its path.

    Raises:
        StoreError: It cannot be written.
    """
    with complete_path(output) as partial, pq.ParquetWriter(partial, SCHEMA) as writer:
        for camera in queries.cameras(store, run_id):
            rows = stored_boxes.export_rows(store, run_id, camera)
            for batch in batches(rows, ROW_GROUP):
                writer.write_table(_table(batch, places(batch, calibrations.get(camera))))
    return [output]


def _table(rows: Sequence[ExportRow], found: DoubleArray) -> pa.Table:
    boxes = xyxy_to_xywh(np.array([row.box for row in rows]))
    columns = [
        pa.array([row.camera for row in rows], pa.string()).dictionary_encode(),
        pa.array([row.frame_index for row in rows], pa.int64()),
        pa.array([row.timestamp_us for row in rows], pa.timestamp("us", tz="UTC")),
        pa.array([row.identity for row in rows], pa.int32()),
        pa.array([row.tracklet for row in rows], pa.string()).dictionary_encode(),
        *(pa.array(column, pa.float32()) for column in boxes.T),
        pa.array([row.score for row in rows], pa.float32()),
        *(pa.array(column, pa.float64(), from_pandas=True) for column in found.T),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)
