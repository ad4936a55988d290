"""What is measured of a detector, each function in a process of its own."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from box_agreement import Values, agreement, second_boxes

from pipeline.config import DetectionSettings, Site, VideoCamera
from pipeline.types import DoubleArray, Frame, ImageArray

CONFIDENCE: Final = 0.25
"""Boxes that are compared; the detector itself gives weaker ones too."""
GATE_SECONDS: Final = 1.0
IN_FLIGHT: Final = 2
BLOCK: Final = 10
"""Frames of the network alone, then as many of all that surrounds it, and so on."""
GRIDS: Final = ((1, 1), (2, 2), (3, 3))
PANELS: Final = 3
"""A large frame is made of so many frames across and down."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a measured process is told; of a clip it sees `frames` frames, each `every`-th."""

    weights: str
    clip: Path
    frames: int
    every: int = 1
    engine: str = "auto"
    precision: str = ""
    truth: Path | None = None

    def settings(self, **changes: Any) -> DetectionSettings:
        return DetectionSettings(weights=self.weights, engine=self.engine, device="cpu").model_copy(
            update=changes
        )

    def pictures(self) -> list[ImageArray]:
        return [frame.image for frame in self.seen()]

    def seen(self) -> Iterator[Frame]:
        """The frames that count, one after another; all between are decoded too."""
        return islice(self._source(), 0, self.frames * self.every, self.every)

    def _source(self) -> Iterator[Frame]:
        from cameras.sources import open_frames

        camera = VideoCamera(id="clip", video=str(self.clip))
        start = "2026-01-01T00:00:00Z"
        return iter(open_frames(camera, Site(site="benchmark", start=start, cameras=(camera,))))


@dataclass(slots=True)
class Clock:
    """Wall and CPU seconds spent inside, over several times."""

    wall: float = 0.0
    cpu: float = 0.0

    def __enter__(self) -> None:
        self.wall -= time.perf_counter()
        self.cpu -= time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.cpu += time.process_time()


def speed(task: Task) -> Values:
    """Our engine alone, and the detector as cameras use it: letterbox, queue, people and all."""
    from cameras.detection_service import DetectionService
    from pipeline.detection.detector import Detector

    detector, pictures, decoding = Detector(task.settings(), IN_FLIGHT), task.pictures(), Clock()
    with decoding:
        decoded = sum(1 for _ in replace(task, every=1).seen())
    max_batch = IN_FLIGHT if detector.batches else 1  # as in `run`
    engine = detector._engine
    inputs = [detector._letterbox(*p.shape[:2]).apply(p)[None] for p in pictures]
    bare, whole = Clock(), Clock()
    with (
        DetectionService(detector.detect, max_batch, detector.lanes) as service,
        ThreadPoolExecutor(detector.lanes) as lanes,
    ):
        for first in range(-BLOCK, len(pictures), BLOCK):  # the first block warms up
            block = slice(max(first, 0), max(first, 0) + BLOCK)
            clocks = (Clock(), Clock()) if first < 0 else (bare, whole)
            with clocks[0]:
                list(lanes.map(engine.infer, inputs[block]))
            with clocks[1]:
                _in_flight(service.submit, pictures[block])
    each = 1000 / len(pictures)
    decoding_ms = 1000 * decoding.cpu / decoded
    return {
        "network, CPU ms": each * bare.cpu,
        "all, CPU ms": each * whole.cpu,
        "decoding, CPU ms": decoding_ms,
        "overhead, %": 100 * (whole.cpu / bare.cpu - 1),
        "overhead with decoding, %": 100
        * ((each * whole.cpu + decoding_ms) / (each * bare.cpu) - 1),
        "network, frames/s": len(pictures) / bare.wall,
        "frames/s": len(pictures) / whole.wall,
    }


def _in_flight(submit: Callable[[ImageArray], Any], pictures: Sequence[ImageArray]) -> None:
    """As a camera does it: the next is handed over while one is in work."""
    waiting = []
    for picture in pictures:
        waiting.append(submit(picture))
        if len(waiting) >= IN_FLIGHT:
            waiting.pop(0).result()
    for future in waiting:
        future.result()


def peer_speed(task: Task) -> Values:
    """`YOLO.predict` of ultralytics, frame by frame, with the same size, classes and thresholds."""
    from ultralytics import YOLO

    from pipeline.detection.exports import exported
    from pipeline.detection.letterbox import Letterbox

    settings, pictures = task.settings(), task.pictures()
    box = Letterbox.of(pictures[0].shape[0], pictures[0].shape[1], settings.image_size)
    path = task.weights if task.engine == "torch" else exported(Path(task.weights), task.engine)
    model = YOLO(str(path), task="detect")
    how = {"imgsz": (box.height, box.width), "conf": settings.confidence, "iou": settings.iou}
    predict = partial(model.predict, classes=[0], device="cpu", verbose=False, **how)
    for picture in pictures[:BLOCK]:
        predict(picture)
    clock = Clock()
    with clock:
        for picture in pictures:
            predict(picture)
    return {
        "all, CPU ms": 1000 * clock.cpu / len(pictures),
        "frames/s": len(pictures) / clock.wall,
    }


def found(task: Task) -> list[DoubleArray]:
    """People (n, 5) in every frame that is looked at, of at least the compared confidence."""
    from pipeline.detection.detector import Detector

    detector = Detector(task.settings())
    if task.precision:
        detector._engine._core.set_property("CPU", {"INFERENCE_PRECISION_HINT": task.precision})  # type: ignore[attr-defined]
    return [_people(detector.detect([picture])[0]) for picture in task.pictures()]


def gating(task: Task) -> Values:
    """Every frame detected beside those alone in which something moved."""
    from cameras.motion import MotionGate
    from pipeline.detection.detector import Detector

    detector = Detector(task.settings())
    everything, gated, test = Clock(), Clock(), Clock()
    detector.detect([next(task.seen()).image])
    with everything:
        all_found = [_people(detector.detect([frame.image])[0]) for frame in task.seen()]
    gate, held, looked = MotionGate(GATE_SECONDS), list[DoubleArray](), 0
    with gated:
        for frame in task.seen():
            with test:
                is_open = gate.opens(frame)
            looked += is_open
            held.append(_people(detector.detect([frame.image])[0]) if is_open else held[-1])
    same = agreement(all_found, held)
    values = {
        "frames looked at, %": 100 * looked / len(held),
        "time saved, %": 100 * (1 - gated.cpu / everything.cpu),
        "CPU ms": 1000 * gated.cpu / len(held),
        "the test, CPU ms": 1000 * test.cpu / len(held),
        "boxes": same["boxes"],
        "recall lost, %": 100 - same["found again, %"],
        "boxes that are gone, %": 100 - same["of those found, %"],
        "mean IoU": same["mean IoU"],
    }
    if task.truth:
        truth = _truth(task.truth, len(held))
        gated_recall, recall = (agreement(truth, p)["found again, %"] for p in (held, all_found))
        values |= {"recall of the truth, %": gated_recall, "the same, all looked at, %": recall}
    return values


def tiling(task: Task) -> dict[str, Values]:
    """Large frames put together from small ones; the truth is what is found in the small ones."""
    from pipeline.detection.detector import Detector

    pictures = task.pictures()
    alone = Detector(task.settings())
    single = [_people(alone.detect([picture])[0]) for picture in pictures]
    shifts = list(np.ndindex(PANELS, PANELS))
    results = {}
    for grid in GRIDS:
        detector, clock = Detector(task.settings(tiles=grid)), Clock()
        truth, people = [], []
        for start in range(len(pictures)):
            chosen = [(start + 7 * k) % len(pictures) for k in range(len(shifts))]
            panels = [pictures[k] for k in chosen]
            height, width = panels[0].shape[:2]
            rows = [np.hstack(panels[r * PANELS : (r + 1) * PANELS]) for r in range(PANELS)]
            offsets = [np.array([c * width, r * height] * 2 + [0]) for r, c in shifts]
            truth.append(np.vstack([single[k] + o for k, o in zip(chosen, offsets, strict=True)]))
            large = np.ascontiguousarray(np.vstack(rows))
            if start == 0:
                detector.detect([large])
            with clock:
                seen = detector.detect([large])[0]
            people.append(_people(seen))
        results[f"{grid[0]}x{grid[1]}"] = {
            "CPU ms": 1000 * clock.cpu / len(pictures),
            **agreement(truth, people),
            "second boxes, %": 100 * second_boxes(truth, people),
        }
    return results


def _people(detections: Any) -> DoubleArray:
    people = np.column_stack([detections.xyxy, detections.confidence]).astype(np.float64)
    return people[people[:, 4] >= CONFIDENCE]


def _truth(path: Path, frames: int) -> list[DoubleArray]:
    rows = np.loadtxt(path, delimiter=",", ndmin=2)[:, :7]
    boxes = np.column_stack([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6], rows[:, 6]])
    return [boxes[rows[:, 0] == number + 1] for number in range(frames)]


def engines(_: None) -> tuple[list[str], dict[str, str]]:
    """Those that can be had here for a `.pt` file, and why others cannot."""
    from importlib.util import find_spec

    from pipeline.detection.choice import NEEDED

    missing = {
        name: [package for package in packages if find_spec(package) is None]
        for name, packages in NEEDED.items()
    }
    absent = {name: f"needs the package {lack[0]}" for name, lack in missing.items() if lack}
    return [name for name in NEEDED if name not in absent], absent


def inputs_of(task: Task) -> list[int]:
    """Height and width of the network's input for a clip."""
    from pipeline.detection.letterbox import Letterbox

    height, width = next(task.seen()).image.shape[:2]
    box = Letterbox.of(height, width, task.settings().image_size)
    return [box.height, box.width]


def precision_of(weights: str) -> str:
    """What OpenVINO computes in on this processor."""
    from pipeline.detection.choice import open_engine

    engine: Any = open_engine(
        Path(weights), Task(weights, Path(), 0, engine="openvino").settings(), 1
    )
    compiled = engine._compile(384, 640)
    return str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
