"""What the tracking benchmark tracks: MOTChallenge folders, thinned, and synthetic crowds."""

import configparser
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cameras.clock import SamplingGrid, frame_offset_us
from pipeline.errors import SourceError, UserError
from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.ground_truth import GroundTruth, read_ground_truth
from pipeline.motchallenge import read_rows
from pipeline.types import BoolArray, FloatArray

CROWD_RATE: Final = 30
CROWD_SIZE: Final = (1920, 1080)
LOW_SHARE: Final = 0.2
"""Share of a crowd's boxes of low confidence, 0.1 to 0.5; the others have 0.6 to 0.95."""


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Detections of one frame: boxes (N, 4) xyxy pixels, scores (N,) in [0, 1], N >= 0."""

    timestamp_us: int
    boxes: FloatArray
    scores: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One sequence; `frame_rate` in Hz is what trackers are told, `image_size` width, height."""

    name: str
    frame_rate: float
    image_size: tuple[int, int]
    moments: tuple[Moment, ...]
    truth: GroundTruth


def read_set(folder: Path) -> list[Recording]:
    """The sequences in a folder, by name: subfolders with seqinfo.ini, det.txt and gt.txt."""
    found = sorted(path.parent for path in folder.glob("*/seqinfo.ini"))
    if not found:
        raise UserError(f"{folder}: expected folders with seqinfo.ini, det.txt and gt.txt")
    return [_read(sequence) for sequence in found]


def _read(folder: Path) -> Recording:
    info = configparser.ConfigParser()
    info.read(folder / "seqinfo.ini")
    about, rows = info["Sequence"], read_rows(folder / "det.txt", SourceError)
    rate, boxes, scores = Fraction(about["frameRate"]), rows.boxes, rows.scores
    order = np.argsort(rows.frame_indices, kind="stable")
    ends = np.searchsorted(rows.frame_indices[order], np.arange(1, int(about["seqLength"])))
    return Recording(
        name=folder.name,
        frame_rate=float(rate),
        image_size=(int(about["imWidth"]), int(about["imHeight"])),
        moments=tuple(
            Moment(
                frame_offset_us(index, rate),
                boxes[its].astype(np.float32),
                scores[its].astype(np.float32),
            )
            for index, its in enumerate(np.split(order, ends))
        ),
        truth=read_ground_truth(folder / "gt.txt", folder.name),
    )


def thinned(recording: Recording, rate_hz: float) -> Recording:
    """The frames that a camera looked at `rate_hz` times a second would give, and their truth.

    Frames are renumbered; one slower than that loses none.
    """
    grid = SamplingGrid(rate_hz)
    wanted = np.array([grid.wants(moment.timestamp_us) for moment in recording.moments])
    return Recording(
        name=recording.name,
        frame_rate=min(rate_hz, recording.frame_rate),
        image_size=recording.image_size,
        moments=tuple(m for m, kept in zip(recording.moments, wanted, strict=True) if kept),
        truth=_thinned_truth(recording.truth, wanted),
    )


def _thinned_truth(truth: GroundTruth, wanted: BoolArray) -> GroundTruth:
    tracks, new_index = truth.tracks, np.cumsum(wanted) - 1
    kept = wanted[tracks.frame_indices]
    return GroundTruth(
        CameraTracks(
            tracks.camera_id,
            new_index[tracks.frame_indices[kept]],
            tracks.ids[kept],
            tracks.boxes[kept],
        ),
        truth.counted[kept],
        truth.distractor[kept],
    )


def crowd(people: int, frames: int, seed: int) -> Recording:
    """People who walk straight on and turn at the borders: `people` detections in every frame.

    Heights of 80 to 240 px in 1920x1080, up to 1.5 px of way and 2 % of noise a frame.
    """
    rng = np.random.default_rng([seed, people])
    height = rng.uniform(80, 240, people)
    size = np.column_stack([0.4 * height, height])  # (P, 2)
    room = np.array(CROWD_SIZE) - size
    start, speed = rng.uniform(0, 1, (people, 2)) * room, rng.uniform(-1.5, 1.5, (people, 2))
    moments = []
    for index in range(frames):
        way = np.mod(start + speed * index, 2 * room)
        corner = np.where(way > room, 2 * room - way, way)
        noise = rng.normal(0, 0.02, (people, 4)) * np.tile(size, 2)
        low = rng.random(people) < LOW_SHARE
        scores = np.where(low, rng.uniform(0.1, 0.5, people), rng.uniform(0.6, 0.95, people))
        boxes = (np.hstack([corner, corner + size]) + noise).astype(np.float32)
        time_us = frame_offset_us(index, Fraction(CROWD_RATE))
        moments.append(Moment(time_us, boxes, scores.astype(np.float32)))
    nobody = CameraTracks("crowd", np.zeros(0, np.int64), np.zeros(0, np.int64), np.empty((0, 4)))
    nothing = GroundTruth(nobody, np.empty(0, np.bool_), np.empty(0, np.bool_))
    return Recording(f"crowd{people}", float(CROWD_RATE), CROWD_SIZE, tuple(moments), nothing)


def first(recordings: Sequence[Recording], frames: int) -> list[Recording]:
    """The first frames of each; their truth is left as it is."""
    return [
        Recording(r.name, r.frame_rate, r.image_size, r.moments[:frames], r.truth)
        for r in recordings
    ]
