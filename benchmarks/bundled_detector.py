"""The detector trained here beside its teacher: on videos held out, and where there is a truth.

On real videos the reference is the teacher itself, so what it misses or sees where nobody is counts
for and against ours. On simulated sites, which no training has seen, both are compared with the
truth. A box is right where it overlaps one of the reference by half; people of 50 pixels and less
do not count.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write
from precision_recall import Curve, Reference, curve, reference

from cameras.simulation.detector_images import ImageStudio
from cameras.sources import open_frames
from pipeline.bundled import BUNDLED
from pipeline.config import DetectionSettings, Site, VideoCamera
from pipeline.detection.detector import Detector
from pipeline.types import BoolArray, DoubleArray, ImageArray

DEMO: Final = Path(__file__).resolve().parents[1] / "demo"
WEAKEST: Final = 0.02
REFERENCE_CONFIDENCE: Final = 0.25
CONFIDENCES: Final = (0.1, 0.25)
PRECISIONS: Final = (0.9, 0.95)
QUANTILES: Final = (0.1, 0.5, 0.9)
SEEN: Final = 0.5
"""Of people in the demo's truth, whose boxes are of the whole person, this share must be seen."""

Example = tuple[ImageArray, DoubleArray, BoolArray]
"""A picture, people (N, 4), and who of them counts."""


@dataclass(frozen=True, slots=True)
class Side:
    """What a detector found in each frame (N, 5), and how long it took."""

    people: list[DoubleArray]
    ms: list[float]


class Pair:
    """Both detectors, which look at each frame in turn."""

    def __init__(self, ours: str, teacher: str, engine: str) -> None:
        self._detectors = {
            name: Detector(
                DetectionSettings(weights=weights, confidence=WEAKEST, engine=engine, device="cpu")
            )
            for name, weights in (("ours", ours), ("teacher", teacher))
        }

    def look(self, pictures: Iterable[ImageArray]) -> dict[str, Side]:
        """What both find."""
        sides = {name: Side([], []) for name in self._detectors}
        for number, picture in enumerate(pictures):
            order = list(self._detectors.items())
            for name, detector in order if number % 2 else reversed(order):
                began = time.perf_counter()
                found = detector.detect([picture])[0]
                sides[name].ms.append(1000 * (time.perf_counter() - began))
                confidence = np.asarray(found.confidence, np.float64)
                people = np.column_stack([found.xyxy.astype(np.float64), confidence])
                sides[name].people.append(people)
        return sides


def frames(video: Path, every: int) -> Iterator[ImageArray]:
    """Each so-many-th frame of a video."""
    camera = VideoCamera(id="video", video=str(video))
    site = Site(site="benchmark", start="2026-01-01T00:00:00Z", cameras=(camera,))
    return (frame.image for frame in islice(open_frames(camera, site), 0, None, every))


def against_the_teacher(sides: dict[str, Side]) -> tuple[dict[str, Any], dict[str, Curve]]:
    """Ours, with the teacher's boxes as the reference."""
    sure = [people[people[:, 4] >= REFERENCE_CONFIDENCE] for people in sides["teacher"].people]
    references = [reference(p[:, :4], np.ones(len(p), np.bool_)) for p in sure]
    ours = curve(references, sides["ours"].people)
    row = {"boxes": sum(len(one.wanted) for one in references), **_measures(ours, sides["ours"])}
    return {**row, "teacher, ms": statistics.median(sides["teacher"].ms)}, {"ours": ours}


def against_the_truth(
    sides: dict[str, Side], references: Sequence[Reference]
) -> tuple[dict[str, Any], dict[str, Curve]]:
    """Both, and ours at the precision that the teacher has at its usual confidence."""
    curves = {name: curve(references, side.people) for name, side in sides.items()}
    equal, recall = curves["teacher"].at_confidence(REFERENCE_CONFIDENCE)
    return {
        "people": sum(len(one.wanted) for one in references),
        "ours": _measures(curves["ours"], sides["ours"]),
        "teacher": _measures(curves["teacher"], sides["teacher"]),
        "at the teacher's precision": {
            "precision": equal,
            "recall, ours": curves["ours"].recall_at_precision(equal),
            "recall, teacher": recall,
        },
    }, curves


def _measures(found: Curve, side: Side) -> dict[str, float]:
    row = {"AP": found.average_precision}
    for precision in PRECISIONS:
        row[f"recall at precision {precision}"] = found.recall_at_precision(precision)
    for confidence in CONFIDENCES:
        precision, recall = found.at_confidence(confidence)
        row |= {
            f"precision at confidence {confidence}": precision,
            f"recall at confidence {confidence}": recall,
        }
    for share, value in zip(QUANTILES, found.confidences(QUANTILES), strict=True):
        row[f"confidence of right boxes, quantile {share}"] = value
    return {**row, "ms": statistics.median(side.ms)}


def simulated(seed: int, images: int, people: int = 60) -> Iterator[Example]:
    """Pictures of random sites, one a site."""
    from cameras.simulation.detector_images import IMAGES_PER_SITE

    with ImageStudio(seed, people) as studio:
        for number in range(images):
            one = studio.image(number * IMAGES_PER_SITE)
            boxes = one.boxes()
            yield one.image, boxes, np.ones(len(boxes), np.bool_)


def demo(folder: Path, video: Path, every: int) -> Iterator[Example]:
    """Frames of one camera of the demo site, with its truth."""
    rows = np.loadtxt(folder / "ground_truth" / f"{video.stem}.txt", delimiter=",", ndmin=2)
    for number, image in enumerate(frames(video, every)):
        of_frame = rows[rows[:, 0] == number * every + 1]
        boxes = np.hstack([of_frame[:, 2:4], of_frame[:, 2:4] + of_frame[:, 4:6]])
        height, width = image.shape[:2]
        yield image, np.clip(boxes, 0, (width, height) * 2), of_frame[:, 8] >= SEEN


def compare(pair: Pair, examples: Iterable[Example]) -> tuple[dict[str, Any], dict[str, Curve]]:
    """Both on pictures with a truth."""
    kept = list(examples)
    sides = pair.look(image for image, _, _ in kept)
    return against_the_truth(sides, [reference(boxes, counts) for _, boxes, counts in kept])


def draw(curves: dict[str, dict[str, Curve]], path: Path) -> None:
    """A picture of the curves, one panel a test."""
    from pipeline.charts import FAINT, INK, RULE, WIDTH_IN, Sheet

    across, side = 4, (WIDTH_IN - 0.6) / 4
    rows = -(-len(curves) // across)
    remark = "precision over recall; blue: ours, grey: teacher. Real videos: the teacher is right"
    sheet = Sheet(rows * side, "A detector trained here, on what it has not seen", remark)
    for index, (name, sides) in enumerate(curves.items()):
        row, column = divmod(index, across)
        axes = sheet.axes(0.55 + column * side, row * side + 0.1, side - 0.6, side - 0.75)
        for key, colour in (("teacher", FAINT), ("ours", "#1f77b4")):
            if key in sides:
                axes.plot(sides[key].recall, sides[key].precision, color=colour)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.set_title(name, fontsize=10, color=INK)
        axes.grid(color=RULE)
        axes.tick_params(labelbottom=True, labelleft=True, labelsize=8, labelcolor=INK)
    path.write_bytes(sheet.png())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights", default=BUNDLED, help="ours: .pt file, or as in a site file")
    parser.add_argument("--teacher", required=True, help=".pt file of the reference")
    parser.add_argument("--videos", type=Path, nargs="*", default=[], help="held out")
    parser.add_argument("--frames", type=int, default=100, help="of a video, spread over it")
    parser.add_argument("--seed", type=int, default=919, help="of the simulated sites")
    parser.add_argument("--images", type=int, default=60, help="of simulated sites, one a site")
    parser.add_argument("--demo", type=Path, default=DEMO, help="folder of the demo site")
    parser.add_argument("--engine", default="torch", help="torch, openvino, onnx")
    parser.add_argument("--picture", type=Path, help="PNG of the curves")
    parser.add_argument("--output", type=Path, help="JSON file for everything")
    options = parser.parse_args()
    for path in options.videos:
        if not path.is_file():
            parser.error(f"{path}: no such file")
    return options


def main() -> None:
    """Measure, print, write the JSON document and the picture."""
    options = _options()
    pair = Pair(options.weights, options.teacher, options.engine)
    summary: dict[str, dict[str, Any]] = {"held-out video": {}, "simulated": {}}
    curves: dict[str, dict[str, Curve]] = {}
    for video in options.videos:
        every = max(1, sum(1 for _ in frames(video, 1)) // options.frames)
        name = f"{video.parent.name}/{video.stem}"
        row, curves[name] = against_the_teacher(pair.look(frames(video, every)))
        summary["held-out video"][name] = row
        print(name, row, file=sys.stderr)
    sites = {"random sites": simulated(options.seed, options.images)}
    for video in sorted((options.demo / "videos").glob("*.mp4")):
        every = max(1, sum(1 for _ in frames(video, 1)) // options.frames)
        sites[f"demo, {video.stem}"] = demo(options.demo, video, every)
    for name, examples in sites.items():
        row, curves[name] = compare(pair, examples)
        summary["simulated"][name] = row
        print(name, row, file=sys.stderr)
    result = document(
        "bundled_detector",
        options.seed,
        settings={
            "weights": Path(options.weights).name,
            "teacher": Path(options.teacher).name,
            "reference_confidence": REFERENCE_CONFIDENCE,
            "engine": options.engine,
            "frames": options.frames,
            "images": options.images,
        },
        summary=summary,
    )
    write(result, options.output)
    if options.picture:
        draw(curves, options.picture)


if __name__ == "__main__":
    start(main)
