"""How real are the pictures: what models trained on real ones see in them.

Part one: a detector trained on COCO looks at the demo simulation. Counted are people taller than
60 px of whom at least 60 % is seen, and which share of them is found.

Part two: a re-identification model trained on real people tells rendered ones apart, across
cameras: 200 dressed at random, 200 in uniforms of four. Every frame (and every clip's mean) is a
query once; its own camera's pictures of the same person do not count (the protocol of Market-1501,
Zheng et al., ICCV 2015). Beside it a histogram of colours, which no identity should need more than
in reality.
"""

import argparse
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write

from cameras.simulation.cast import ALIKE
from cameras.simulation.crops import OTHERS_KNOWN, ClipStudio, TrainingClip
from cameras.simulation.scene import Capture, Scene
from cameras.simulation.settings import load_simulation
from pipeline.config import DetectionSettings, ReidSettings
from pipeline.geometry import iou
from pipeline.types import BoolArray, DoubleArray, ImageArray, IntArray

DETECTOR: Final = "yolo26n.pt"
REID: Final = "person-reidentification-retail-0286"
DEMO: Final = Path(__file__).resolve().parents[1] / "demo" / "simulation.yaml"
CONFIDENCE: Final = 0.25
OVERLAP: Final = 0.5
LEAST_PX: Final = 60.0
LEAST_VISIBILITY: Final = 0.6
HEIGHTS_PX: Final = (60, 90, 130, 180, 10_000)
IDENTITIES: Final = 200
CAMERAS: Final = 12
CAMERAS_EACH: Final = 3
STRIPES: Final = 6
"""Of a crop, from head to foot, each with its own histogram."""

Number = Mapping[str, float]


# Part one.


@dataclass(frozen=True, slots=True)
class Sought:
    """A person whom the detector should find."""

    camera: str
    height_px: float
    is_found: bool


def find_people(moments: int, weights: Path) -> tuple[list[Sought], int, int]:
    """All sought in all cameras at some moments; how many detections, and how many are people."""
    from pipeline.detection.detector import Detector

    detector = Detector(
        DetectionSettings(weights=str(weights), confidence=CONFIDENCE, engine="torch")
    )
    simulation = load_simulation(DEMO)
    sought: list[Sought] = []
    detections, right = 0, 0
    seconds = np.linspace(1, simulation.duration_seconds - 1, moments)
    with Scene(simulation) as scene:
        for second in seconds.tolist():
            wanted = [(one.id, round(second * one.frame_rate)) for one in simulation.cameras]
            captures = scene.frames(wanted)
            found = detector.detect([capture.image for capture in captures])
            for (camera, _), capture, boxes in zip(wanted, captures, found, strict=True):
                here, is_right = match(camera, capture, np.asarray(boxes.xyxy, np.float64))
                sought.extend(here)
                detections, right = detections + len(is_right), right + int(is_right.sum())
    return sought, detections, right


def match(camera: str, capture: Capture, found: DoubleArray) -> tuple[list[Sought], BoolArray]:
    """Who is found in a picture, and which of the detections (N, 4) are people (N,)."""
    truth = capture.truth
    height, width = capture.image.shape[:2]
    whole = np.clip(truth.full_boxes, 0, (width, height, width, height))
    # A detector may mean the whole person or what is seen of it.
    overlap = np.maximum(iou(whole, found), iou(truth.visible_boxes, found))
    overlap[truth.visibility == 0] = 0
    heights = whole[:, 3] - whole[:, 1]
    counts = (heights > LEAST_PX) & (truth.visibility >= LEAST_VISIBILITY)
    # Those who count come first where one detection overlaps two people.
    rows, columns = linear_sum_assignment(
        (overlap >= OVERLAP) * (1 + counts[:, None] + overlap), True
    )
    good = overlap[rows, columns] >= OVERLAP
    is_found, is_right = np.zeros(len(whole), bool), np.zeros(len(found), bool)
    is_found[rows[good]], is_right[columns[good]] = True, True
    sought = [
        Sought(camera, float(heights[row]), bool(is_found[row])) for row in np.flatnonzero(counts)
    ]
    return sought, is_right


def detector_summary(sought: Sequence[Sought], detections: int, right: int) -> dict[str, Any]:
    """Shares of those sought that are found, in all, by camera and by height."""
    groups: defaultdict[str, list[bool]] = defaultdict(list)
    for one in sought:
        step = int(np.searchsorted(HEIGHTS_PX, one.height_px)) - 1
        groups["all"].append(one.is_found)
        groups[f"camera {one.camera}"].append(one.is_found)
        groups[f"height {HEIGHTS_PX[step]}..{HEIGHTS_PX[step + 1]} px"].append(one.is_found)
    shares = {
        name: {"recall": float(np.mean(values)), "people": len(values)}
        for name, values in sorted(groups.items())
    }
    return {"found": shares, "precision": right / max(detections, 1), "detections": detections}


# Part two.


def make_clips(seed: int, alike: float, frames: int) -> list[TrainingClip]:
    """`IDENTITIES` persons, each before `CAMERAS_EACH` of `CAMERAS` colour cameras, once."""
    rng = np.random.default_rng(seed)
    with ClipStudio(seed, frames, alike, people_kept=2 * OTHERS_KNOWN) as studio:
        colour = list(islice((n for n in count() if not studio.is_infrared(n)), CAMERAS))
        cameras = [rng.choice(colour, CAMERAS_EACH, replace=False) for _ in range(IDENTITIES)]
        return [
            studio.clip(identity, camera)
            for identity, chosen in enumerate(cameras)
            for camera in chosen.tolist()
        ]


def histograms(crops: ImageArray) -> DoubleArray:
    """(N, D) unit vectors: square roots of histograms of hue x saturation and of brightness."""
    rows = []
    for crop in crops:
        hsv = cv2.cvtColor(crop[:, 24:-24], cv2.COLOR_BGR2HSV)
        for stripe in np.array_split(hsv, STRIPES):
            tints = cv2.calcHist([stripe], [0, 1], None, [12, 4], [0, 180, 0, 256])
            rows.append(
                np.concatenate([tints, cv2.calcHist([stripe], [2], None, [8], [0, 256])], None)
            )
    shares = np.asarray(rows, np.float64).reshape(len(crops), -1)
    return np.asarray(np.sqrt(shares / shares.sum(axis=1, keepdims=True)))


def retrieval(
    vectors: DoubleArray, identities: IntArray, cameras: IntArray, groups: IntArray
) -> Number:
    """Rank-1, rank-5 and mean average precision, all against all others, of vectors (N, D).

    A query's gallery is everybody of its group, without its own camera's pictures of itself.
    """
    similarity = vectors @ vectors.T
    firsts, fives, precisions, chances = [], [], [], []
    for query in range(len(vectors)):
        same = identities == identities[query]
        gallery = np.flatnonzero((groups == groups[query]) & ~(same & (cameras == cameras[query])))
        hits = same[gallery[np.argsort(-similarity[query, gallery], kind="stable")]]
        if hits.any():
            firsts.append(hits[0])
            fives.append(hits[:5].any())
            places = np.flatnonzero(hits)
            precisions.append(np.mean((np.arange(len(places)) + 1) / (places + 1)))
            chances.append(hits.mean())
    values = {"rank_1": firsts, "rank_5": fives, "mean_average_precision": precisions}
    return {name: float(np.mean(v)) for name, v in (values | {"chance": chances}).items()}


def tell_apart(
    clips: Sequence[TrainingClip], embed: Callable[[ImageArray], DoubleArray], in_uniform: bool
) -> dict[str, Number]:
    """Retrieval by frames and by means of clips; in uniforms also among the four of one alone."""
    frames = np.stack([embed(clip.crops) for clip in clips])  # (N, K, D)
    means = frames.mean(axis=1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    identities = np.array([clip.identity for clip in clips])
    cameras = np.array([clip.camera for clip in clips])
    everybody = np.zeros_like(identities)
    each = [array.repeat(frames.shape[1]) for array in (identities, cameras, everybody)]
    result = {
        "frames": retrieval(frames.reshape(-1, frames.shape[2]), *each),
        "clips": retrieval(means, identities, cameras, everybody),
    }
    if in_uniform:
        result["clips, among the four of a uniform"] = retrieval(
            means, identities, cameras, identities // ALIKE
        )
    return result


def identity_rounds(rounds: int, seed: int, frames: int, weights: Path) -> list[dict[str, Any]]:
    """Every round with people and cameras of its own."""
    from pipeline.reid.backbone import OpenVinoBackbone

    backbone = OpenVinoBackbone(ReidSettings(weights=str(weights)))

    def embed(crops: ImageArray) -> DoubleArray:
        return np.asarray(backbone.embed(crops), np.float64)

    results = []
    for number in range(rounds):
        scores: dict[str, Any] = {}
        for kind, alike in (("random dress", 0.0), ("uniforms", 1.0)):
            clips = make_clips(seed + number, alike, frames)
            for model, function in ((REID, embed), ("colour histograms", histograms)):
                for how, numbers in tell_apart(clips, function, alike > 0).items():
                    scores[f"{kind}, {model}, {how}"] = numbers
        results.append({"round": number + 1, "scores": scores})
        print(f"round {number + 1}: done", file=sys.stderr)
    return results


def spread(rounds: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Number]]:
    """Median, least and greatest of every score."""
    return {
        name: {
            measure: {
                "median": statistics.median(values),
                "min": min(values),
                "max": max(values),
            }
            for measure in numbers
            for values in [[each["scores"][name][measure] for each in rounds]]
        }
        for name, numbers in rounds[0]["scores"].items()
    }


# What is told.


def show(detector: Mapping[str, Any], identities: Mapping[str, Mapping[str, Any]]) -> None:
    """The two tables."""
    print(f"{DETECTOR} at confidence {CONFIDENCE}: precision {detector['precision']:.3f}")
    for name, group in detector["found"].items():
        print(f"  {name:28}{group['recall']:8.3f} of {group['people']}")
    print(f"{'':62}{'rank-1':>22}{'mAP':>22}")
    for name, scores in identities.items():
        cells = [
            f"{v['median']:.3f} [{v['min']:.3f}..{v['max']:.3f}]"
            for v in (scores["rank_1"], scores["mean_average_precision"])
        ]
        print(f"{name:62}" + "".join(f"{cell:>22}" for cell in cells))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--weights-dir", type=Path, required=True, help=f"has {DETECTOR}, {REID}/")
    parser.add_argument("--moments", type=int, default=36, help="of the demo simulation")
    parser.add_argument("--rounds", type=int, default=3, help="of new people and cameras")
    parser.add_argument("--frames", type=int, default=4, help="crops in a clip")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, help="JSON file for everything")
    return parser.parse_args()


def main() -> None:
    """Measure, print the tables, write the JSON document."""
    options = _options()
    os.environ.setdefault("YOLO_OFFLINE", "true")
    folder: Path = options.weights_dir
    sought, detections, right = find_people(options.moments, folder / DETECTOR)
    detector = detector_summary(sought, detections, right)
    reid = next(iter(sorted(folder.rglob(f"{REID}.xml"))), folder / f"{REID}.xml")
    rounds = identity_rounds(options.rounds, options.seed, options.frames, reid)
    identities = spread(rounds)
    show(detector, identities)
    result = document(
        "realism",
        options.seed,
        settings={
            "detector": DETECTOR,
            "reid": REID,
            "confidence": CONFIDENCE,
            "moments": options.moments,
            "identities": IDENTITIES,
            "cameras": CAMERAS,
            "cameras_each": CAMERAS_EACH,
            "frames": options.frames,
        },
        summary={"detector": detector, "identities": identities},
        runs=rounds,
    )
    write(result, options.output)


if __name__ == "__main__":
    start(main)
