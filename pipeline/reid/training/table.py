"""The table of a training: heads by what befalls the clips, on each set that it is scored on."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from pipeline.reid.corruption import Kind
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import ClipSource
from pipeline.reid.training.cost import Cost
from pipeline.reid.training.vectors import ClipVectors
from pipeline.types import FloatArray, IntArray

CONDITIONS: Final[tuple[Kind, ...]] = ("clean", "occluded", "wrong_frames", "id_switch")
WORDS: Final[Mapping[Kind, str]] = {
    "clean": "clean",
    "occluded": "occluded",
    "wrong_frames": "30 % wrong frames",
    "id_switch": "id switch",
}
REMARK: Final = (
    "Rank 1 / mAP / mINP in percent; in brackets the standard deviation of the mAP over seeds, of"
    " the head or of which frame is taken. Queries and gallery are corrupted alike; wrong frames"
    " and id switches show others before the same camera. Untrained: no second stage. Times: torch,"
    " one CPU thread or the GPU."
)
NO_SPREAD: Final = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class TestSet:
    """Clips to be scored on.

    Attributes:
        name: Its name in the recipe.
        source: All clips, of queries and gallery.
        queries: (Q,) which of them are sought.
        gallery: (G,) which of them are searched.
        protocol: How they are scored.
    """

    __test__ = False  # no test of pytest's

    name: str
    source: ClipSource
    queries: IntArray
    gallery: IntArray
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class Score:
    """Of a search, in [0, 1]: rank 1, mean average precision, mean inverse negative penalty."""

    rank_1: float
    map: float
    minp: float


Scorer = Callable[[FloatArray, TestSet], Score]
"""Scores unit vectors (N, D), one a clip of the test set."""

Scores = Mapping[str, Mapping[Kind, Score]]
"""By test set and condition."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: Which head.
        is_trained: Whether the head has learnt, or is as it comes.
        scores: Of each seed.
        cost: Of the whole encoder with this head.
    """

    name: str
    is_trained: bool
    scores: Sequence[Scores]
    cost: Cost

    @property
    def words(self) -> str:
        """What the table calls it."""
        return self.name if self.is_trained else f"{self.name}, untrained"

    def mean_and_spread(self, test: str, condition: Kind, field: str) -> tuple[float, float]:
        """Mean and standard deviation over the seeds, in percent."""
        values = [100 * getattr(scores[test][condition], field) for scores in self.scores]
        spread = statistics.stdev(values) if len(values) > 1 else NO_SPREAD
        return statistics.mean(values), spread


def single_frame(clips: ClipVectors, rng: np.random.Generator) -> ClipVectors:
    """The same clips with one random frame of each."""
    counts = clips.present.sum(axis=1)
    chosen = (rng.random(len(counts)) * counts).astype(np.int64)
    vectors = clips.vectors[np.arange(len(counts)), chosen][:, None]
    return ClipVectors(vectors, clips.present[:, :1], clips.identities, clips.cameras)


def as_markdown(title: str, remark: str, tests: Sequence[TestSet], rows: Sequence[Row]) -> str:
    """The table as text: for each test set rank 1 / mAP / mINP, standard deviation of the mAP."""
    parts = [f"# {title}", "", remark, ""]
    for test in tests:
        people = len(np.unique(test.source.identities[test.queries]))
        cameras = len(np.unique(test.source.cameras[test.queries]))
        parts += [
            f"## {test.name}",
            "",
            f"{len(test.queries)} queries of {people} people at {cameras} cameras, gallery of"
            f" {len(test.gallery)} clips; protocol: {test.protocol.name}.",
            "",
            *_lines(test.name, rows),
            "",
        ]
    return "\n".join(parts)


def _lines(test: str, rows: Sequence[Row]) -> list[str]:
    headings = ["head", *(WORDS[kind] for kind in CONDITIONS)]
    costs = ["parameters", "GFLOPs a crop", "ms a crop", "ms a clip"]
    return [
        f"| {' | '.join([*headings, *costs])} |",
        f"|{'|'.join(['---'] + ['---:'] * (len(headings) + len(costs) - 1))}|",
        *(f"| {' | '.join([row.words, *_scores(test, row), *_costs(row.cost)])} |" for row in rows),
    ]


def _scores(test: str, row: Row) -> list[str]:
    """Rank 1 / mAP / mINP (deviation of the mAP) of each condition."""
    cells = []
    for kind in CONDITIONS:
        values = [row.mean_and_spread(test, kind, field) for field in ("rank_1", "map", "minp")]
        means = " / ".join(f"{mean:.1f}" for mean, _ in values)
        cells.append(f"{means} ({values[1][1]:.1f})" if len(row.scores) > 1 else means)
    return cells


def _costs(cost: Cost) -> list[str]:
    return [
        f"{cost.parameters / 1e6:.2f} M",
        f"{cost.gflops_per_crop:.3f}",
        f"{cost.ms_per_crop:.1f}",
        f"{cost.ms_per_clip:.1f}",
    ]


def as_tree(rows: Sequence[Row], tests: Sequence[TestSet]) -> list[dict[str, Any]]:
    """The rows for a JSON file; scores in percent as [mean, standard deviation]."""
    return [
        {
            "head": row.name,
            "trained": row.is_trained,
            "seeds": len(row.scores),
            **asdict(row.cost),
            "scores": {
                test.name: {
                    kind: {
                        field: row.mean_and_spread(test.name, kind, field)
                        for field in ("rank_1", "map", "minp")
                    }
                    for kind in CONDITIONS
                }
                for test in tests
            },
        }
        for row in rows
    ]
