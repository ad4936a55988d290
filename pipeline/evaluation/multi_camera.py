"""Scores of a run: for each camera, and for all of them as one sequence.

Per-camera scores, and any mean of them, hide every mistake across cameras: perfect tracks that
change their id from camera to camera score 100 in each. So the cameras are concatenated, each
one's frames shifted past the last, with ids that hold across them (Ristani et al., 2016, arXiv
1609.01775, section 3.3), and scored as one sequence.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypedDict

import numpy as np

from pipeline.errors import GroundTruthError
from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.distractors import counted_truth, without_distractors
from pipeline.evaluation.ground_truth import GroundTruth
from pipeline.evaluation.tracking import Scores, score


class EvaluationTree(TypedDict):
    """What `evaluate --json` prints."""

    multi_camera: dict[str, float | int]
    per_camera: dict[str, dict[str, float | int]]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a run.

    Attributes:
        multi_camera: Of all evaluated cameras as one sequence.
        per_camera: Of each evaluated camera, in the order in which they were concatenated.
        not_evaluated: Cameras of the run that have no ground truth, in the run's order; their
            predictions count nowhere.
    """

    multi_camera: Scores
    per_camera: Mapping[str, Scores]
    not_evaluated: tuple[str, ...]

    def to_json(self) -> EvaluationTree:
        """The scores as a tree of plain values."""
        return {
            "multi_camera": self.multi_camera.to_json(),
            "per_camera": {name: scores.to_json() for name, scores in self.per_camera.items()},
        }


def evaluate(
    ground_truth: Mapping[str, GroundTruth], predictions: Iterable[CameraTracks]
) -> Evaluation:
    """Scores of predictions whose ids hold across cameras.

    Cameras are concatenated in the order of `predictions`, which matters for identity switches
    alone. Every frame of the truth counts, also where predictions were made at a lower rate.

    Args:
        ground_truth: By camera; those that are not in the run are not looked at.
        predictions: One value for each camera of the run, also where nobody was seen; their ids
            are identities.

    Raises:
        GroundTruthError: No camera of the run has ground truth.
        ValueError: A camera stands twice in the predictions.
    """
    of_run = list(predictions)
    names = [tracks.camera_id for tracks in of_run]
    if len(set(names)) < len(names):
        raise ValueError(f"predictions: expected each camera once, got {', '.join(names)}")
    scored = [tracks for tracks in of_run if tracks.camera_id in ground_truth]
    if not scored:
        raise GroundTruthError(f"no camera of the run has ground truth: {', '.join(names)}")
    truths = [counted_truth(ground_truth[tracks.camera_id]) for tracks in scored]
    kept = [without_distractors(ground_truth[tracks.camera_id], tracks) for tracks in scored]
    offsets = _offsets(truths, kept)
    return Evaluation(
        multi_camera=score(_concatenated(truths, offsets), _concatenated(kept, offsets)),
        per_camera={
            truth.camera_id: score(truth, tracks)
            for truth, tracks in zip(truths, kept, strict=True)
        },
        not_evaluated=tuple(name for name in names if name not in ground_truth),
    )


def _offsets(truths: Sequence[CameraTracks], predicted: Sequence[CameraTracks]) -> list[int]:
    """What to add to each camera's frames so that none has a frame of another."""
    lengths = [
        1 + int(max(truth.frame_indices.max(initial=-1), tracks.frame_indices.max(initial=-1)))
        for truth, tracks in zip(truths, predicted, strict=True)
    ]
    return list(accumulate(lengths[:-1], initial=0))


def _concatenated(cameras: Sequence[CameraTracks], offsets: Sequence[int]) -> CameraTracks:
    """The cameras as one."""
    shifted = [
        tracks.frame_indices + offset for tracks, offset in zip(cameras, offsets, strict=True)
    ]
    return CameraTracks(
        camera_id=" + ".join(tracks.camera_id for tracks in cameras),
        frame_indices=np.concatenate(shifted),
        ids=np.concatenate([tracks.ids for tracks in cameras]),
        boxes=np.concatenate([tracks.boxes for tracks in cameras]),
    )
