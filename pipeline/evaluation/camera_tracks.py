"""Who was where in one camera, as predicted or as it truly was."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import UserError
from pipeline.types import DoubleArray, IntArray, Tracklet


@dataclass(frozen=True, slots=True, eq=False)
class CameraTracks:
    """The boxes of one camera with their ids, one row a box, in any order.

    Attributes:
        camera_id: Which camera.
        frame_indices: (N,) int64, from 0, N >= 0.
        ids: (N,) int64; a person keeps the id from frame to frame and from camera to camera.
        boxes: (N, 4) float64, xyxy, pixels.

    Raises:
        ValueError: When lengths or shapes are not as above.
        UserError: When an id has two boxes in one frame; no metric is defined for that.
    """

    camera_id: str
    frame_indices: IntArray
    ids: IntArray
    boxes: DoubleArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "frame_indices", np.asarray(self.frame_indices, np.int64))
        object.__setattr__(self, "ids", np.asarray(self.ids, np.int64))
        object.__setattr__(self, "boxes", np.asarray(self.boxes, np.float64))
        count = self.ids.size
        shapes = (self.frame_indices.shape, self.ids.shape, self.boxes.shape)
        expected = ((count,), (count,), (count, 4))
        if shapes != expected:
            raise ValueError(f"frame_indices, ids, boxes: expected {expected}, got {shapes}")
        for row in repeated_rows(self.frame_indices, self.ids)[:1]:
            raise UserError(
                f"camera {self.camera_id}: expected one box for each id and frame,"
                f" got two for id {self.ids[row]} in frame {self.frame_indices[row]} (from 0)"
            )


def identified(
    cameras: Sequence[str], tracklets: Sequence[Tracklet], identities: IntArray
) -> list[CameraTracks]:
    """The boxes of all tracklets under their identities (N,): one value a camera, rows by frame.

    Where tracklets of one identity have boxes in one frame of a camera, only that of the first is
    the identity's; the others count as people of their own, one a tracklet.
    """
    own = int(identities.max(initial=0)) + 1
    found = []
    for camera in cameras:
        its = [i for i, tracklet in enumerate(tracklets) if tracklet.camera_id == camera]
        lengths = [len(tracklets[index].frame_indices) for index in its]
        frames = np.concatenate([np.empty(0, np.int64), *(tracklets[i].frame_indices for i in its)])
        boxes = np.concatenate([np.empty((0, 4)), *(tracklets[i].boxes for i in its)])
        members = np.repeat(np.array(its, np.int64), lengths)
        ids = identities[members]
        again = repeated_rows(frames, ids)
        ids[again] = own + members[again]
        order = np.argsort(frames, kind="stable")
        found.append(CameraTracks(camera, frames[order], ids[order], boxes[order]))
    return found


def repeated_rows(frame_indices: IntArray, ids: IntArray) -> IntArray:
    """Rows, in order, whose (frame, id) stands in an earlier row already."""
    order = np.lexsort((ids, frame_indices))  # stable: of equal pairs the earlier row comes first
    same_frame = np.diff(frame_indices[order]) == 0
    same_id = np.diff(ids[order]) == 0
    return np.sort(order[1:][same_frame & same_id])
