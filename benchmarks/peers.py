"""Ours and the trackers that it is compared with, each called as its own documentation says.

None of the peers is a dependency of the project: what cannot be imported is named as such. A
follower has three parts, so that only the tracker itself is timed: `prepare` makes a peer's own
form of a frame's detections, `update` is the tracker, `read` takes ids and boxes from its answer.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import supervision as sv
from recordings import Moment, Recording

from pipeline.config import DetectionSettings, TrackingSettings
from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.tracking.tracker import Tracker
from pipeline.tracking.tracklets import TrackletBuilder
from pipeline.types import DoubleArray, IntArray, Observation

OURS: Final = "ours"
OUR_TRACKLETS: Final = "ours, tracklets"
OLD_SUPERVISION: Final = "supervision_0_25"
"""Folder beside the packages that holds a supervision which still has ByteTrack."""
NORFAIR_DISTANCE: Final = 0.7
"""Norfair has no default; this is what its own demonstrations take for boxes."""


@dataclass(frozen=True, slots=True)
class Follower:
    """One tracker at work on one recording."""

    prepare: Callable[[Moment], Any]
    update: Callable[[Any], Any]
    read: Callable[[Any], tuple[IntArray, DoubleArray]]


@dataclass(frozen=True, slots=True)
class Peer:
    """A tracker: its name, the distribution it comes from, how to start it on a recording."""

    name: str
    package: str
    start: Callable[[Recording], Follower]


def follow(peer: Peer, recording: Recording) -> CameraTracks:
    """The tracks that leave a tracker frame by frame."""
    follower = peer.start(recording)
    answers = [
        follower.read(follower.update(follower.prepare(moment))) for moment in recording.moments
    ]
    frames = np.repeat(np.arange(len(answers)), [len(ids) for ids, _ in answers])
    ids = np.concatenate([ids for ids, _ in answers])
    boxes = np.concatenate([boxes.reshape(-1, 4) for _, boxes in answers])
    return CameraTracks(recording.name, frames, ids, boxes)


def our_tracklets(recording: Recording) -> CameraTracks:
    """What association gets from ours: tracks that stayed short are dropped when they close."""
    settings = TrackingSettings()
    follower, builder = _ours(recording), TrackletBuilder(recording.name, settings)
    closed = []
    for index, moment in enumerate(recording.moments):
        tracked = follower.update(follower.prepare(moment))
        observation = Observation(recording.name, index, moment.timestamp_us, tracked)
        closed += builder.add_observation(tracked, observation)
    tracklets = [tracklet for tracklet, _ in closed + builder.close()]
    lengths = [len(tracklet.scores) for tracklet in tracklets]
    return CameraTracks(
        recording.name,
        np.concatenate(
            [np.zeros(0, np.int64), *(tracklet.frame_indices for tracklet in tracklets)]
        ),
        np.repeat(np.arange(len(tracklets)), lengths),
        np.concatenate([np.empty((0, 4)), *(tracklet.boxes for tracklet in tracklets)]),
    )


# What they take and give.


def _detections(moment: Moment, module: Any = sv) -> Any:
    return module.Detections(
        xyxy=moment.boxes,
        confidence=moment.scores,
        class_id=np.zeros(len(moment.scores), np.int64),
    )


def _read_detections(tracked: sv.Detections) -> tuple[IntArray, DoubleArray]:
    """Roboflow's number what is not (yet) a track -1."""
    ids = np.zeros(0, np.int64)
    if tracked.tracker_id is not None:
        ids = np.asarray(tracked.tracker_id, np.int64)
    known = ids >= 0
    return ids[known], tracked.xyxy[known].astype(np.float64)


def _rows(moment: Moment) -> DoubleArray:
    """Rows (N, 6): x1, y1, x2, y2, confidence, class 0."""
    scores = moment.scores[:, None]
    return np.hstack([moment.boxes, scores, np.zeros_like(scores)])


def _read_rows(tracks: Any) -> tuple[IntArray, DoubleArray]:
    """Rows that begin with x1, y1, x2, y2, id."""
    table = np.asarray(tracks, np.float64)
    if len(table) == 0:
        return np.empty(0, np.int64), np.empty((0, 4))
    return table[:, 4].astype(np.int64), table[:, :4]


# How each is started.


def _ours(_recording: Recording) -> Follower:
    tracker = Tracker(TrackingSettings())
    least = DetectionSettings().confidence  # as `run` hands detections on

    def prepare(moment: Moment) -> tuple[Any, int]:
        found = _detections(moment)
        return found[found.confidence >= least], moment.timestamp_us

    return Follower(
        prepare,
        lambda prepared: tracker.update(*prepared),
        _read_detections,
    )


def _roboflow(name: str, options: Mapping[str, Any], recording: Recording) -> Follower:
    tracker = getattr(import_module("trackers"), name)(frame_rate=recording.frame_rate, **options)
    return Follower(_detections, tracker.update, _read_detections)


def _supervision(recording: Recording) -> Follower:
    module = _old_supervision()
    tracker = module.ByteTrack(frame_rate=round(recording.frame_rate))
    return Follower(
        partial(_detections, module=module), tracker.update_with_detections, _read_detections
    )


def _old_supervision() -> Any:
    """A second supervision in one process: its modules are loaded aside, then put out of sight."""
    spec = find_spec("supervision")
    homes = [Path(path) / OLD_SUPERVISION for path in sys.path]
    home = next((home for home in homes if home.is_dir()), None)
    if home is None or spec is None:
        raise ImportError(f"no folder {OLD_SUPERVISION} beside the packages")
    own = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_supervision(name)}
    sys.path.insert(0, str(home))
    try:
        return import_module("supervision")
    finally:
        sys.path.remove(str(home))
        for name in [name for name in sys.modules if _is_supervision(name)]:
            del sys.modules[name]
        sys.modules.update(own)


def _is_supervision(name: str) -> bool:
    return name.partition(".")[0] == "supervision"


def _ultralytics(name: str, recording: Recording) -> Follower:
    """Its YAML defaults; camera motion compensation needs pictures, so it is off."""
    config = import_module("ultralytics.utils").YAML
    checks = import_module("ultralytics.utils.checks")
    boxes = import_module("ultralytics.engine.results").Boxes
    space = import_module("ultralytics.utils").IterableSimpleNamespace
    kinds = import_module("ultralytics.trackers.track").TRACKER_MAP
    settings = config.load(checks.check_yaml(f"{name}.yaml")) | {"gmc_method": "none"}
    tracker = kinds[name](args=space(**settings))
    width, height = recording.image_size
    return Follower(
        lambda moment: boxes(_rows(moment), (height, width)), tracker.update, _read_rows
    )


def _boxmot(name: str, backend: str, options: Mapping[str, Any], recording: Recording) -> Follower:
    """Its YAML defaults, without embeddings and camera motion compensation."""
    factory = import_module("boxmot.trackers.factory")
    import_module("boxmot.utils").logger.setLevel(logging.WARNING)
    rate = {"frame_rate": round(recording.frame_rate)} if name in ("bytetrack", "botsort") else {}
    changes = tuple(sorted({**options, **rate}.items()))
    spec = factory.TrackerSpec(name, backend=backend, options=changes)
    tracker = factory.create_tracker(spec)
    width, height = recording.image_size
    # Some want a picture for its size alone.
    frame = np.zeros((height, width, 3), np.uint8) if tracker.requirements.frame else None
    return Follower(_rows, lambda rows: tracker.update(rows, frame), _read_rows)


def _norfair(_recording: Recording) -> Follower:
    norfair = import_module("norfair")
    tracker = norfair.Tracker(distance_function="iou", distance_threshold=NORFAIR_DISTANCE)

    def prepare(moment: Moment) -> list[Any]:
        return [
            norfair.Detection(points=box.reshape(2, 2), scores=np.array([score, score]))
            for box, score in zip(moment.boxes.astype(float), moment.scores, strict=True)
        ]

    def read(people: list[Any]) -> tuple[IntArray, DoubleArray]:
        ids = np.array([person.id for person in people], np.int64)
        return ids, np.array([person.estimate.ravel() for person in people]).reshape(-1, 4)

    return Follower(prepare, tracker.update, read)


def _motpy(recording: Recording) -> Follower:
    motpy = import_module("motpy")
    tracker = motpy.MultiObjectTracker(dt=1 / recording.frame_rate)
    numbers: dict[str, int] = {}

    def prepare(moment: Moment) -> list[Any]:
        return [
            motpy.Detection(box=box, score=float(score))
            for box, score in zip(moment.boxes.astype(float), moment.scores, strict=True)
        ]

    def read(tracks: list[Any]) -> tuple[IntArray, DoubleArray]:
        ids = [numbers.setdefault(track.id, len(numbers)) for track in tracks]
        boxes = np.array([track.box for track in tracks], np.float64).reshape(-1, 4)
        return np.array(ids, np.int64), boxes

    return Follower(prepare, tracker.step, read)


_STILL: Final = {"use_cmc": False, "use_embeddings": False}
_BOXMOT: Final[tuple[tuple[str, Mapping[str, Any], tuple[str, ...]], ...]] = (
    ("bytetrack", {}, ("python", "cpp")),
    ("botsort", _STILL, ("python", "cpp")),
    ("ocsort", {}, ("python", "cpp")),
    ("deepocsort", {"cmc_off": True, "use_embeddings": False}, ("python",)),
    ("boosttrack", _STILL, ("python",)),
    ("occluboost", _STILL, ("python", "cpp")),
    ("hybridsort", {"cmc_method": None, "use_embeddings": False}, ("python",)),
    ("sfsort", {}, ("python", "cpp")),
)
_ROBOFLOW: Final[tuple[tuple[str, str, Mapping[str, Any]], ...]] = (
    ("sort", "SORTTracker", {}),
    ("bytetrack", "ByteTrackTracker", {}),
    ("ocsort", "OCSORTTracker", {}),
    ("botsort", "BoTSORTTracker", {"enable_cmc": False}),
    ("cbiou", "CBIoUTracker", {}),
)
_ULTRALYTICS: Final = ("bytetrack", "botsort", "ocsort", "deepocsort", "fasttrack", "tracktrack")

PEERS: Final = (
    Peer(OURS, "", _ours),
    *(
        Peer(f"trackers {name}", "trackers", partial(_roboflow, kind, options))
        for name, kind, options in _ROBOFLOW
    ),
    Peer("supervision bytetrack", OLD_SUPERVISION, _supervision),
    *(
        Peer(f"ultralytics {name}", "ultralytics", partial(_ultralytics, name))
        for name in _ULTRALYTICS
    ),
    *(
        Peer(
            f"boxmot {name}{'_cpp' if backend == 'cpp' else ''}",
            "boxmot",
            partial(_boxmot, name, backend, options),
        )
        for name, options, backends in _BOXMOT
        for backend in backends
    ),
    Peer("norfair iou", "norfair", _norfair),
    Peer("motpy", "motpy", _motpy),
)
