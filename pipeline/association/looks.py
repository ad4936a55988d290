"""Embeddings of tracklets in columns, by the encoder that made them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.association.pairs import Pairs
from pipeline.types import (
    BoolArray,
    DoubleArray,
    Embedding,
    EncoderIdentity,
    FloatArray,
    IntArray,
    NoEmbedding,
)

BLOCK = 65_536
"""Pairs compared at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Gallery:
    """M unit vectors of one encoder, which may be compared with one another.

    Attributes:
        encoder: Who made them.
        members: (M,) int64, increasing: which of the N tracklets each belongs to.
        vectors: (M, D) float32.
        crowding: (M,) float64: the mean cosine of each with those most like it; 0: not measured.
    """

    encoder: EncoderIdentity
    members: IntArray
    vectors: FloatArray
    crowding: DoubleArray


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """What is known of the appearance of N tracklets: nothing, or a vector of one encoder."""

    count: int
    galleries: tuple[Gallery, ...]

    @classmethod
    def of(cls, embeddings: Sequence[Embedding | NoEmbedding]) -> "Looks":
        """Columns of embeddings, N."""
        members: dict[EncoderIdentity, list[int]] = {}
        vectors: dict[EncoderIdentity, list[FloatArray]] = {}
        for index, embedding in enumerate(embeddings):
            if isinstance(embedding, Embedding):
                members.setdefault(embedding.encoder, []).append(index)
                vectors.setdefault(embedding.encoder, []).append(embedding.vector)
        return cls(
            len(embeddings),
            tuple(
                Gallery(
                    encoder, np.array(own, np.int64), np.stack(vectors[encoder]), np.zeros(len(own))
                )
                for encoder, own in members.items()
            ),
        )

    def similarities(self, pairs: Pairs) -> DoubleArray:
        """Cosines (P,); NaN where one has no vector, or another encoder made it."""
        result = np.full(len(pairs), np.nan)
        for _, block, first, second in self.compared(pairs):
            result[block] = np.clip(np.einsum("pd,pd->p", first, second), -1, 1)
        return result

    def compared(
        self, pairs: Pairs
    ) -> Iterator[tuple[EncoderIdentity, IntArray, FloatArray, FloatArray]]:
        """Pairs that can be compared, in blocks: by whom, rows (B,), both vectors (B, D)."""
        for gallery in self.galleries:
            position = np.full(self.count, -1, np.int64)
            position[gallery.members] = np.arange(len(gallery.members))
            known = np.flatnonzero((position[pairs.first] >= 0) & (position[pairs.second] >= 0))
            for begin in range(0, len(known), BLOCK):
                block = known[begin : begin + BLOCK]
                sides = (position[pairs.first[block]], position[pairs.second[block]])
                yield gallery.encoder, block, gallery.vectors[sides[0]], gallery.vectors[sides[1]]

    def take(self, rows: IntArray | BoolArray) -> "Looks":
        """Those at these positions, each at most once, or so marked; numbered anew."""
        rows = np.arange(self.count)[rows]
        position = np.full(self.count, -1, np.int64)
        position[rows] = np.arange(len(rows))
        kept = (_taken(gallery, position) for gallery in self.galleries)
        return Looks(len(rows), tuple(each for each in kept if len(each.members)))


def looks_joined(some: Looks, others: Looks) -> Looks:
    """One after the other."""
    by_encoder = {each.encoder: each for each in some.galleries}
    for each in others.galleries:
        members = each.members + some.count
        earlier = by_encoder.get(each.encoder)
        if earlier is None:
            by_encoder[each.encoder] = replace(each, members=members)
        else:
            by_encoder[each.encoder] = Gallery(
                each.encoder,
                np.concatenate([earlier.members, members]),
                np.concatenate([earlier.vectors, each.vectors]),
                np.concatenate([earlier.crowding, each.crowding]),
            )
    return Looks(some.count + others.count, tuple(by_encoder.values()))


def _taken(gallery: Gallery, position: IntArray) -> Gallery:
    """Members at their new positions, in order; those at -1 are left out."""
    members = position[gallery.members]
    kept = np.flatnonzero(members >= 0)
    kept = kept[np.argsort(members[kept], kind="stable")]
    # Newcomers belong near the end: what stays in its place is copied at once, which is quicker.
    moved = np.flatnonzero(kept != np.arange(len(kept)))
    still = moved[0] if len(moved) else len(kept)
    vectors = np.concatenate([gallery.vectors[:still], gallery.vectors[kept[still:]]])
    return Gallery(gallery.encoder, members[kept], vectors, gallery.crowding[kept])
