"""Tracklets in columns, in order: what association looks at."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.association.looks import Looks, looks_joined
from pipeline.association.passages import Passages, joined
from pipeline.types import BoolArray, Embedding, IntArray, NoEmbedding, Tracklet


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """N tracklets by start, camera, track and part.

    Attributes:
        tracklets: N.
        passages: When and where.
        looks: Their embeddings.
    """

    tracklets: tuple[Tracklet, ...]
    passages: Passages
    looks: Looks

    def __len__(self) -> int:
        return len(self.tracklets)

    @classmethod
    def of(
        cls, tracklets: Sequence[Tracklet], embeddings: Sequence[Embedding | NoEmbedding]
    ) -> "Seen":
        """Tracklets in any order, and the embedding of each."""
        seen = cls(tuple(tracklets), Passages.of(tracklets), Looks.of(embeddings))
        return seen.take(seen.passages.order())

    def take(self, rows: IntArray | BoolArray) -> "Seen":
        """Those at these positions, or so marked."""
        places = np.arange(len(self))[rows].tolist()
        tracklets = tuple(self.tracklets[place] for place in places)
        return Seen(tracklets, self.passages.take(rows), self.looks.take(rows))

    def gone_on(self, rows: IntArray, later: Sequence[Tracklet]) -> "Seen":
        """With what some of them have come to; they begin where they did."""
        tracklets, now = list(self.tracklets), Passages.of(later)
        for row, each in zip(rows.tolist(), later, strict=True):
            tracklets[row] = each
        ends, left = self.passages.ends.copy(), self.passages.left.copy()
        ends[rows], left[rows] = now.ends, now.left
        return Seen(tuple(tracklets), replace(self.passages, ends=ends, left=left), self.looks)

    def joined(self, others: "Seen") -> tuple["Seen", IntArray]:
        """These and others, and at which positions of one list after the other they were."""
        seen = Seen(
            self.tracklets + others.tracklets,
            joined(self.passages, others.passages),
            looks_joined(self.looks, others.looks),
        )
        order = seen.passages.order()
        return seen.take(order), order
