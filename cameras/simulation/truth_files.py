"""What is truly to be seen, written down: MOTChallenge text, arrays, and a list of the people."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from cameras.simulation.truth import FrameTruth
from pipeline.timestamps import to_iso
from pipeline.types import BoolArray, DoubleArray, IntArray

PEDESTRIAN: Final = 1
DISTRACTOR: Final = 8
LEAST_VISIBILITY: Final = 0.1
LEAST_HEIGHT_PX: Final = 16
"""Who is less visible or less high in the picture need not be found."""
DECIMALS: Final = 2


@dataclass(frozen=True, eq=False, slots=True)
class CameraTruth:
    """The truth of all frames of one camera.

    Attributes:
        size: Width and height of the frames, pixels.
        timestamps_us: (T,) int64, of each frame, by the camera's clock.
        rows_of: (R,) int64: the frame, from 0, to which each row of `rows` belongs.
        rows: The truth of all frames, one after the other.
    """

    size: tuple[int, int]
    timestamps_us: IntArray
    rows_of: IntArray
    rows: FrameTruth

    @property
    def clipped_boxes(self) -> DoubleArray:
        """(R, 4): full boxes, as far as they are in the picture."""
        corners = np.clip(self.rows.full_boxes.reshape(-1, 2), 0, self.size)
        return np.asarray(np.round(corners, DECIMALS).reshape(-1, 4), np.float64)

    @property
    def is_counted(self) -> BoolArray:
        """(R,): who is to be found."""
        heights = self.clipped_boxes[:, 3] - self.clipped_boxes[:, 1]
        is_high = heights >= LEAST_HEIGHT_PX
        return np.asarray((self.rows.visibility >= LEAST_VISIBILITY) & is_high, np.bool_)


def gather(
    size: tuple[int, int], timestamps_us: Sequence[int], frames: Sequence[FrameTruth]
) -> CameraTruth:
    """The truth of T frames, at least one, in one."""
    arrays = (
        np.concatenate([getattr(frame, field.name) for frame in frames])
        for field in fields(FrameTruth)
    )
    counts = [len(frame.identities) for frame in frames]
    rows_of = np.repeat(np.arange(len(frames)), counts)
    return CameraTruth(size, np.array(timestamps_us, np.int64), rows_of, FrameTruth(*arrays))


def mot_text(truth: CameraTruth) -> str:
    """MOTChallenge ground truth: `frame,id,left,top,width,height,considered,class,visibility`.

    Boxes are of the whole person, behind others too, but end at the picture's border: a detector
    sees no further. Who is hardly to be seen is a distractor, not considered: to find them is
    neither demanded nor a mistake. Who is not to be seen at all is left out.
    """
    rows = truth.rows
    boxes, is_counted = truth.clipped_boxes, truth.is_counted
    widths, heights = (boxes[:, 2:] - boxes[:, :2]).T
    is_seen = (rows.visibility > 0) & (widths > 0) & (heights > 0)
    return "".join(
        f"{truth.rows_of[row] + 1},{rows.identities[row]}"
        f",{boxes[row, 0]:.2f},{boxes[row, 1]:.2f},{widths[row]:.2f},{heights[row]:.2f}"
        f",{int(is_counted[row])},{PEDESTRIAN if is_counted[row] else DISTRACTOR}"
        f",{rows.visibility[row]:.3f}\n"
        for row in np.flatnonzero(is_seen)
    )


def archive(truth: CameraTruth) -> bytes:
    """All of it as an NPZ file.

    `frame_timestamps_us` (T,) has a value for each frame, the others a row for each person in a
    frame: `frame` (from 0), `timestamp_us`, `identity`, `full_box`, `visible_box`, `visibility`,
    `ground`, `keypoints`, as in `FrameTruth`.
    """
    rows, buffer = truth.rows, io.BytesIO()
    np.savez_compressed(
        buffer,
        frame_timestamps_us=truth.timestamps_us,
        frame=truth.rows_of,
        timestamp_us=truth.timestamps_us[truth.rows_of],
        identity=rows.identities,
        full_box=rows.full_boxes.astype(np.float32),
        visible_box=rows.visible_boxes.astype(np.float32),
        visibility=rows.visibility.astype(np.float32),
        ground=rows.ground.astype(np.float32),
        keypoints=rows.keypoints.astype(np.float32),
    )
    return buffer.getvalue()


def people_csv(descriptions: Mapping[int, str], truths: Mapping[str, CameraTruth]) -> str:
    """Who is who, and from when to when each camera has them to be found; a row a camera.

    Times are by the camera's clock. Who is in no camera has one row without a camera.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["identity", "description", "camera", "first_seen", "last_seen", "frames"])
    for identity, description in sorted(descriptions.items()):
        seen = [
            [camera_id, to_iso(times[0]), to_iso(times[-1]), len(times)]
            for camera_id, truth in truths.items()
            if (times := _seen_us(truth, identity))
        ]
        for place in seen or [["", "", "", 0]]:
            table.writerow([identity, description, *place])
    return text.getvalue()


def _seen_us(truth: CameraTruth, identity: int) -> list[int]:
    is_seen = truth.is_counted & (truth.rows.identities == identity)
    times: list[int] = truth.timestamps_us[truth.rows_of[is_seen]].tolist()
    return times
