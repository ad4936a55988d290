"""How well encoders tell people apart, beside frozen backbones: real videos and simulated people.

Every model sees the same crops, 256x128 as the pipeline cuts them, eight a clip. A backbone's clip
is the mean of its frames. On real videos the people that a detector and the tracker find are
sought by the first half of a track among the second halves, and across cameras; who is who was
written down by eye (`people.csv`: at so many seconds, who is at a point). A track that nobody is
known of is left out; one that shows two people in turn is left out, too.
"""

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write

from commands.train import score
from commands.training_clips import simulated_archive
from commands.video_clips import SOME_TIME, tracked
from pipeline.config import ReidSettings
from pipeline.errors import UserError
from pipeline.reid.backbone import OpenVinoBackbone
from pipeline.reid.corruption import Kind
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import ClipSource
from pipeline.reid.datasets.sources import ClipsInMemory
from pipeline.reid.samplers import even_frames
from pipeline.reid.training.recipe import SimulatedClips
from pipeline.reid.training.stages import CONDITION_SEED
from pipeline.reid.training.table import CONDITIONS, WORDS, Score, TestSet
from pipeline.reid.training.vectors import condition_pictures
from pipeline.reid.video_encoder import embed_clips
from pipeline.reid.weights import load_encoder, weights_hash
from pipeline.types import CROP_HEIGHT_PX, CROP_WIDTH_PX, FloatArray, ImageArray, Tracklet

PEOPLE: Final = Path(__file__).with_name("people.csv")
FRAMES: Final = 8
CROPS_OF_TRACK: Final = 16
SIZE: Final = (CROP_HEIGHT_PX, CROP_WIDTH_PX)
SIMULATED: Final = {
    "simulated: unseen people and cameras": SimulatedClips(
        seed=212, identities=100, cameras=12, cameras_each=4, frames=8, alike=0.2
    ),
    "simulated: half in uniforms": SimulatedClips(
        seed=313, identities=100, cameras=8, cameras_each=4, frames=8, alike=0.5
    ),
}
"""The people that recipes keep for testing."""
AMONG_ALL: Final = Protocol("cross-camera", queries_in_gallery=True)

Embed = Callable[[Sequence[ImageArray]], FloatArray]
"""Unit vectors (N, D) of clips (k, 256, 128, 3)."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Somebody in a video, at a time and a point in pixels."""

    video: str
    second: float
    x: float
    y: float
    person: int


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A track of somebody known: crops (k, 256, 128, 3), k >= 4."""

    video: str
    person: int
    crops: ImageArray


# What is searched.


def sightings(path: Path) -> list[Sighting]:
    """Those of a file."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Sighting(r["video"], float(r["second"]), float(r["x"]), float(r["y"]), int(r["person"]))
            for r in csv.DictReader(file)
        ]


def passages(folder: Path, detector: Path, known: Sequence[Sighting]) -> list[Passage]:
    """The tracks of all videos in which somebody is known, and nobody else."""
    found = []
    for video in dict.fromkeys(one.video for one in known):
        here = [one for one in known if one.video == video]
        for tracklet, clip in tracked(folder / video, detector, CROPS_OF_TRACK):
            people = {one.person for one in here if is_in(tracklet, one)}
            if len(people) == 1:
                found.append(Passage(video, people.pop(), clip.crops))
        print(f"{video}: tracked", file=sys.stderr)
    return found


def is_in(tracklet: Tracklet, sighting: Sighting) -> bool:
    """Whether a track's box is around a sighting, at its time within a quarter of a second."""
    start = round(SOME_TIME.timestamp() * 1e6)
    apart = np.abs(tracklet.timestamps_us - start - sighting.second * 1e6)
    nearest = int(apart.argmin())
    left, top, right, bottom = tracklet.boxes[nearest].tolist()
    is_around = left <= sighting.x <= right and top <= sighting.y <= bottom
    return bool(apart[nearest] <= 250_000 and is_around)


def halves(found: Sequence[Passage]) -> ClipsInMemory:
    """First and second half of every passage, as if seen by two cameras."""
    parts = [np.array_split(one.crops, 2) for one in found]
    people = np.repeat([one.person for one in found], 2)
    return ClipsInMemory(
        [half for two in parts for half in two], people, np.arange(len(people)) % 2
    )


def whole(found: Sequence[Passage]) -> ClipsInMemory:
    """Passages, each before its video's camera."""
    videos = sorted({one.video for one in found})
    clips = [one.crops[even_frames(len(one.crops), FRAMES)] for one in found]
    people = np.array([one.person for one in found])
    return ClipsInMemory(clips, people, np.array([videos.index(one.video) for one in found]))


def real_sets(found: Sequence[Passage]) -> Iterator[TestSet]:
    """Each video by itself, and across cameras where several show one place's people."""
    for video in dict.fromkeys(one.video for one in found):
        here = [one for one in found if one.video == video]
        yield everything(f"{video}: halves of tracks", halves(here))
    for place in dict.fromkeys(Path(one.video).parent for one in found):
        yield everything(
            f"{place}: across cameras",
            whole([one for one in found if Path(one.video).parent == place]),
        )


def everything(name: str, source: ClipSource) -> TestSet:
    """Every clip sought among all others, those of its own camera that show its person left out."""
    clips = np.arange(len(source.identities))
    return TestSet(name, source, clips, clips, AMONG_ALL)


def simulated_sets(data: Path) -> Iterator[TestSet]:
    """People that no encoder has learnt from."""
    for name, clips in SIMULATED.items():
        archive = simulated_archive(clips, SIZE, data, lambda: False, lambda *_: None)
        assert archive is not None  # nothing stops it
        yield everything(name, archive)


# Who searches.


def of_encoder(path: Path) -> Embed:
    """An encoder of ours."""
    encoder = load_encoder(path)
    return lambda clips: embed_clips(encoder, clips)


def of_backbones(paths: Sequence[Path]) -> Embed:
    """The mean of the frames' unit vectors; of several backbones side by side."""
    backbones = [OpenVinoBackbone(ReidSettings(weights=str(path))) for path in paths]

    def embed(clips: Sequence[ImageArray]) -> FloatArray:
        rows = []
        for clip in clips:
            frames = np.concatenate([one.embed(clip) for one in backbones], axis=1)
            rows.append(frames.mean(axis=0))
        vectors = np.stack(rows)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)

    return embed


def searched(test: TestSet, models: Mapping[str, Embed]) -> dict[str, dict[Kind, Score]]:
    """Scores of all models by condition."""
    scores: dict[str, dict[Kind, Score]] = {name: {} for name in models}
    for kind in CONDITIONS:
        pictures = condition_pictures(test.source, FRAMES, kind, CONDITION_SEED)
        for name, embed in models.items():
            scores[name][kind] = score(embed(pictures), test)
    return scores


def cost_ms(models: Mapping[str, Embed], rounds: int) -> dict[str, dict[str, float]]:
    """CPU milliseconds a clip of eight crops, in turns."""
    noise = np.random.default_rng(0).integers(0, 256, (FRAMES, *SIZE, 3)).astype(np.uint8)
    times: dict[str, list[float]] = {name: [] for name in models}
    for number in range(rounds + 1):
        for name, embed in models.items():
            began = time.process_time()
            embed([noise] * 4)
            if number:
                times[name].append(1000 * (time.process_time() - began) / 4)
    return {
        name: {"median": statistics.median(t), "min": min(t), "max": max(t)}
        for name, t in times.items()
    }


def described(test: TestSet) -> str:
    """Its name, and how large it is."""
    people = len(np.unique(test.source.identities))
    return f"{test.name} ({len(test.queries)} clips of {people} people)"


def cells(row: Mapping[Kind, Score]) -> dict[str, float]:
    """Rank 1 and mAP of each condition, percent."""
    return {
        f"{WORDS[kind]}, {what}": 100 * value
        for kind, score in row.items()
        for what, value in (("rank 1", score.rank_1), ("mAP", score.map))
    }


def show(test: TestSet, scores: Mapping[str, Mapping[Kind, Score]]) -> None:
    """A table of one test set."""
    print(f"\n{described(test)}: rank 1 / mAP")
    for name, row in scores.items():
        cells = (f"{100 * s.rank_1:5.1f} /{100 * s.map:5.1f}" for s in row.values())
        print(f"  {name:40}{'   '.join(cells)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--encoders", type=Path, nargs="+", required=True, help=".safetensors")
    parser.add_argument("--backbones", type=Path, nargs="*", default=[], help="OpenVINO .xml")
    parser.add_argument("--videos", type=Path, help="folder of the videos in --people")
    parser.add_argument("--people", type=Path, default=PEOPLE, help="who is who in the videos")
    parser.add_argument("--detector", type=Path, help="finds the people in the videos")
    parser.add_argument("--data", type=Path, help="folder for simulated people, if wanted")
    parser.add_argument("--rounds", type=int, default=5, help="of the clock")
    parser.add_argument("--output", type=Path, help="JSON file for everything")
    options = parser.parse_args()
    if not options.videos and not options.data:
        parser.error("expected --videos, --data, or both")
    if options.videos and not options.detector:
        parser.error("--videos: expected --detector, too")
    return options


def models_of(options: argparse.Namespace) -> dict[str, Embed]:
    """By name, as given; where there are several backbones, also all of them together."""
    models = {path.stem: of_encoder(path) for path in options.encoders}
    models |= {path.stem: of_backbones([path]) for path in options.backbones}
    if len(options.backbones) > 1:
        models["all backbones together"] = of_backbones(options.backbones)
    return models


def main() -> None:
    """Measure, print the tables, write the JSON document."""
    options = _options()
    torch.set_num_threads(1)
    models = models_of(options)
    tests = list(simulated_sets(options.data)) if options.data else []
    if options.videos:
        found = passages(options.videos, options.detector, sightings(options.people))
        if not found:
            raise UserError(f"{options.people}: nobody in it was tracked in {options.videos}")
        tests = [*real_sets(found), *tests]
    summary: dict[str, Any] = {}
    for test in tests:
        scores = searched(test, models)
        show(test, scores)
        summary[described(test)] = {name: cells(row) for name, row in scores.items()}
    times = cost_ms(models, options.rounds)
    result = document(
        "bundled_encoder",
        CONDITION_SEED,
        weights={path.name: weights_hash(path) for path in options.encoders},
        summary={**summary, "cost": {name: {"CPU ms a clip": t} for name, t in times.items()}},
    )
    write(result, options.output)


if __name__ == "__main__":
    start(main)
