"""Tracks in the order in which metrics read them: frame by frame, whatever the file's order.

Metrics break ties by position (two matches of the same worth: the first wins). So that scores do
not depend on the order of rows or on the numbers that happen to serve as ids, ids are ranked by
what their tracks hold: equal ranks would mean equal tracks.
"""

import numpy as np

from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.types import IntArray


def ranks(tracks: CameraTracks) -> IntArray:
    """The ids (N,) of the rows renamed to 0, 1, ... by the content of their tracks."""
    names, index = np.unique(tracks.ids, return_inverse=True)
    order = np.lexsort((tracks.frame_indices, index))
    content = np.column_stack([tracks.frame_indices, tracks.boxes])[order]  # (N, 5)
    pieces = np.split(content, np.searchsorted(index[order], np.arange(1, len(names))))
    rank_of = np.empty(len(names), np.int64)
    rank_of[sorted(range(len(names)), key=lambda k: pieces[k].tobytes())] = np.arange(len(names))
    return rank_of[index]


def rows_by_frame(tracks: CameraTracks) -> dict[int, IntArray]:
    """Row numbers of each frame that has a box, frames ascending, rows in the order of `ranks`."""
    order = np.lexsort((ranks(tracks), tracks.frame_indices))
    frames, starts = np.unique(tracks.frame_indices[order], return_index=True)
    return dict(zip(frames.tolist(), np.split(order, starts[1:]), strict=False))
