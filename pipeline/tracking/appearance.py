"""What tracks look like, asked for only where places leave it open which detection is whose.

Of each open track one clear look is kept: of the recorded embedding, or of a crop that is embedded
when it is first needed. Where a track or a detection has a rival, the cosine distance of the two,
less the distance that people of this camera usually have from their own look, adds to the cost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import supervision as sv

from pipeline.tracking.clips import LOOK_INTERVAL_US, cut, recorded_quality, wholeness
from pipeline.tracking.matching import Pairs
from pipeline.types import (
    EMBEDDING_KEY,
    BoolArray,
    DoubleArray,
    FloatArray,
    ImageArray,
    IntArray,
)

HALF_LIFE_US: Final = 1_000_000
"""The quality of a look halves in this time: light and pose change."""

EmbedCrops = Callable[[ImageArray], FloatArray]
"""Unit vectors (N, D) of crops (N, 256, 128, 3) uint8 BGR."""


class Looks(Protocol):
    """How the people of one frame look, by the row numbers of its detections."""

    def qualities(self, rows: IntArray, /) -> DoubleArray:
        """How clearly each is seen, (n,) in [0, 1]; 0: not at all. `rows` are all, in any order."""
        ...

    def look(self, row: int, /) -> npt.NDArray[Any]:
        """What is kept of a person; its quality must be above 0."""
        ...

    def embed(self, looks: Sequence[npt.NDArray[Any]], /) -> FloatArray:
        """Unit vectors (n, D) of looks, n >= 1."""
        ...


class CropLooks:
    """Crops of a frame with pixels."""

    def __init__(self, detections: sv.Detections, image: ImageArray, embed: EmbedCrops) -> None:
        self._detections, self._image, self._embed = detections, image, embed

    def qualities(self, rows: IntArray) -> DoubleArray:
        """As for clips, but for sharpness."""
        height, width = self._image.shape[:2]
        people = self._detections.select(rows)
        return recorded_quality(people) * wholeness(people.xyxy.astype(float), width, height)

    def look(self, row: int) -> ImageArray:
        """The crop (256, 128, 3) of a person."""
        return cut(self._image, self._detections.xyxy[row])

    def embed(self, looks: Sequence[ImageArray]) -> FloatArray:
        """One batch of the backbone."""
        return self._embed(np.stack(looks))


class RecordedLooks:
    """Recorded embeddings of a frame: `data["embedding"]`, (N, D)."""

    def __init__(self, detections: sv.Detections) -> None:
        self._detections = detections
        self._vectors = np.asarray(detections.data[EMBEDDING_KEY], np.float32)

    def qualities(self, rows: IntArray) -> DoubleArray:
        """What boxes and scores tell; 0 where no embedding was recorded."""
        was_recorded = self._vectors[rows].any(axis=1).astype(np.float64)
        return recorded_quality(self._detections.select(rows)) * was_recorded

    def look(self, row: int) -> FloatArray:
        """The embedding (D,) of a person, as recorded."""
        return np.asarray(self._vectors[row])

    def embed(self, looks: Sequence[FloatArray]) -> FloatArray:
        """The same at unit length."""
        vectors = np.stack(looks)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


class Sight:
    """The looks of one frame for a tracker that has put its M detections in an order of its own.

    Args:
        looks: What can be seen.
        order: (M,) row numbers of the detections in the tracker's order.

    Attributes:
        qualities: (M,) how clearly each is seen.
        contest: The pairs of this frame that have a rival; none until they are found.
        distances: (P,) of these in appearance; NaN where one of the two is not seen.
    """

    def __init__(self, looks: Looks, order: IntArray) -> None:
        self._looks, self._order = looks, order
        self.embed = looks.embed
        self.qualities = looks.qualities(order)
        nothing = np.zeros(0, np.int64)
        self.contest = Pairs(nothing, nothing, np.zeros(0))
        self.distances = np.zeros(0)

    def look(self, column: int) -> npt.NDArray[Any]:
        """What is kept of a person, by the tracker's order."""
        return self._looks.look(int(self._order[column]))


@dataclass(slots=True)
class References:
    """How the open tracks looked when they were seen clearly: arrays over N tracks.

    Attributes:
        qualities: (N,) in [0, 1]; 0 where nothing is kept.
        seen_us: (N,) int64, when that was.
        looks: (N,) objects, what was kept.
        vectors: (N,) objects, their embeddings (D,); None until somebody asks.
    """

    qualities: DoubleArray
    seen_us: IntArray
    looks: npt.NDArray[np.object_]
    vectors: npt.NDArray[np.object_]

    def subset(self, kept: BoolArray) -> "References":
        """Those of some of the tracks, by a mask (N,)."""
        return References(
            self.qualities[kept], self.seen_us[kept], self.looks[kept], self.vectors[kept]
        )

    def extended(self, count: int) -> "References":
        """With places for so many new tracks, of which nothing is kept yet."""
        return References(
            np.concatenate([self.qualities, np.zeros(count)]),
            np.concatenate([self.seen_us, np.zeros(count, np.int64)]),
            np.concatenate([self.looks, np.full(count, None)]),
            np.concatenate([self.vectors, np.full(count, None)]),
        )

    def offer(self, rows: IntArray, columns: IntArray, sight: Sight, now_us: int) -> None:
        """Keep the looks of detections `columns` for tracks `rows` where they are better."""
        age_us = now_us - self.seen_us[rows]
        held = self.qualities[rows]
        better = sight.qualities[columns] > held * 0.5 ** (age_us / HALF_LIFE_US)
        better &= (age_us >= LOOK_INTERVAL_US) | (held == 0)
        for row, column in zip(rows[better], columns[better], strict=True):
            self.looks[row], self.vectors[row] = sight.look(column), None
        self.qualities[rows[better]] = sight.qualities[columns[better]]
        self.seen_us[rows[better]] = now_us

    def distances(self, pairs: Pairs, sight: Sight) -> DoubleArray:
        """Cosine distances (P,) of tracks and detections; NaN where one of them is not seen.

        Only those of the pairs are embedded, in one batch, each once.
        """
        rows, columns = pairs.tracks, pairs.detections
        distances = np.full(len(rows), np.nan)
        known = (self.qualities[rows] > 0) & (sight.qualities[columns] > 0)
        if known.any():
            tracks, of_track = np.unique(rows[known], return_inverse=True)
            people, of_person = np.unique(columns[known], return_inverse=True)
            seen = self._embed(tracks, people, sight)
            references = np.stack(self.vectors[tracks].tolist())
            distances[known] = 1 - (references[of_track] * seen[of_person]).sum(axis=1)
        return distances

    def _embed(self, tracks: IntArray, people: IntArray, sight: Sight) -> FloatArray:
        """Embeddings (n, D) of people; those that the tracks lack are made with them."""
        lacking = [row for row in tracks.tolist() if self.vectors[row] is None]
        looks = [*(self.looks[row] for row in lacking), *(sight.look(c) for c in people.tolist())]
        vectors = sight.embed(looks)
        for row, vector in zip(lacking, vectors[: len(lacking)], strict=True):
            self.vectors[row] = vector
        return vectors[len(lacking) :]


def no_references() -> References:
    """Of no tracks."""
    nothing = np.zeros(0, np.object_)
    return References(np.zeros(0), np.zeros(0, np.int64), nothing, nothing)
