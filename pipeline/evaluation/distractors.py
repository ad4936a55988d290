"""Forgiving predictions of what the benchmark does not count, as MOTChallenge does.

A reflection or a person on a bicycle is neither a person to be found nor a mistake: predictions
that meet one are removed before anything is counted (Milan et al., MOT16, arXiv 1603.00831,
section 4.1.3; TrackEval, MotChallenge2DBox).
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.frames import rows_by_frame
from pipeline.evaluation.ground_truth import GroundTruth
from pipeline.geometry import iou
from pipeline.types import BoolArray, DoubleArray, IntArray

MEET_IOU = 0.5
_EPSILON = float(np.finfo(np.float64).eps)


def without_distractors(truth: GroundTruth, predicted: CameraTracks) -> CameraTracks:
    """The predictions that are scored, in their order."""
    return _rows(predicted, ~_forgiven(truth, predicted))


def counted_truth(truth: GroundTruth) -> CameraTracks:
    """The truth that is scored, in its order."""
    return _rows(truth.tracks, truth.counted)


def _rows(tracks: CameraTracks, keep: BoolArray) -> CameraTracks:
    return CameraTracks(
        tracks.camera_id, tracks.frame_indices[keep], tracks.ids[keep], tracks.boxes[keep]
    )


def _forgiven(truth: GroundTruth, predicted: CameraTracks) -> BoolArray:
    """Which predictions (N,) meet a distractor, frame by frame."""
    forgiven = np.zeros(len(predicted.ids), np.bool_)
    truth_rows = rows_by_frame(truth.tracks)
    for frame, rows in rows_by_frame(predicted).items():
        others = truth_rows.get(frame, np.empty(0, np.int64))
        if truth.distractor[others].any():
            forgiven[rows[_meets_distractor(truth, others, predicted.boxes[rows])]] = True
    return forgiven


def _meets_distractor(truth: GroundTruth, rows: IntArray, boxes: DoubleArray) -> IntArray:
    """Which of the frame's predictions are best matched to a distractor.

    The assignment is over the whole truth, people included, so that a prediction on a person
    beside a distractor is kept.
    """
    similarity = iou(truth.tracks.boxes[rows], boxes)  # (truth, predictions)
    similarity[similarity < MEET_IOU - _EPSILON] = 0
    matched, columns = linear_sum_assignment(similarity, maximize=True)
    meets = (similarity[matched, columns] > _EPSILON) & truth.distractor[rows[matched]]
    return np.asarray(columns[meets], np.int64)
