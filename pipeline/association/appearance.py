"""Evidence from appearance: cosine of embeddings to log-odds of "same person"."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.types import (
    BoolArray,
    DoubleArray,
    Embedding,
    EncoderIdentity,
    FloatArray,
    NoEmbedding,
)

MIN_PAIRS = 30
"""Fewer pairs than this say too little about how alike different people look."""
DEFAULT_THRESHOLD = 0.6
DEFAULT_SPREAD = 0.12
"""For runs that say too little themselves: a cautious guess, not a measurement. It is higher than
what one site with many people gave (threshold .45, spread .15): rather two identities than one."""
FALSE_ACCEPT_SDS = 2.0
OFFSET_TRACKLETS = 20.0
LIMIT = 8.0
"""Appearance alone never says more than this many log-odds: a uniform looks like a uniform."""


@dataclass(frozen=True, slots=True)
class SimilarityScale:
    """How a cosine reads as evidence: log-odds = slope * (cosine - threshold), within +-LIMIT.

    Attributes:
        threshold: Cosine at which two tracklets are as likely the same person as not.
        slope: Log-odds per unit of cosine.
    """

    threshold: float
    slope: float

    def log_odds(self, similarity: DoubleArray) -> DoubleArray:
        """Evidence (N, N) of similarities (N, N); 0 where a similarity is NaN."""
        evidence = np.clip(self.slope * (similarity - self.threshold), -LIMIT, LIMIT)
        return np.asarray(np.nan_to_num(evidence, nan=0.0))

    @classmethod
    def for_run(
        cls, similarity: DoubleArray, impossible: BoolArray, threshold: float | None
    ) -> "SimilarityScale":
        """The scale for the tracklets of one run.

        Pairs that cannot be one person show how alike different people look to this encoder on this
        site: the threshold is set two standard deviations above their mean, so that about one such
        pair in forty would pass alone. With too few of them the default stands.

        Args:
            similarity: Cosines (N, N); NaN where unknown.
            impossible: Pairs (N, N) that cannot be one person.
            threshold: The site's own threshold, if it sets one.
        """
        upper = np.triu(impossible, 1) & ~np.isnan(similarity)
        different = similarity[upper]
        mean, spread = DEFAULT_THRESHOLD - FALSE_ACCEPT_SDS * DEFAULT_SPREAD, DEFAULT_SPREAD
        if len(different) >= MIN_PAIRS:
            mean, spread = float(different.mean()), float(max(different.std(), 1e-3))
        if threshold is None:
            threshold = mean + FALSE_ACCEPT_SDS * spread
        # For two normal classes of equal spread s, means m0 < m1, the log-odds are linear with
        # slope (m1 - m0) / s^2 and even at the middle: m1 = 2 threshold - m0.
        return cls(threshold, 2 * FALSE_ACCEPT_SDS / spread)


def without_camera_offsets(
    embeddings: Sequence[Embedding | NoEmbedding], cameras: Sequence[str]
) -> list[Embedding | NoEmbedding]:
    """The embeddings moved so that cameras which see many people see them alike on average.

    Light, lens and background shift all embeddings of a camera one way. Its mean is moved to the
    mean of the cameras, by a share n / (n + OFFSET_TRACKLETS) for n tracklets: the mean of a few
    people says more about them than about the camera. Vectors stay of unit norm.
    """
    moved = list(embeddings)
    for members in _by_encoder(embeddings).values():
        vectors = np.stack([_vector(embeddings[index]) for index in members]).astype(np.float64)
        seen_by = np.array([cameras[index] for index in members])
        means = {name: vectors[seen_by == name].mean(axis=0) for name in sorted(set(seen_by))}
        centre = np.mean(list(means.values()), axis=0)
        for name, mean in means.items():
            own = seen_by == name
            vectors[own] -= (mean - centre) * own.sum() / (own.sum() + OFFSET_TRACKLETS)
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        encoder = _encoder(embeddings[members[0]])
        for index, vector in zip(members, vectors, strict=True):
            moved[index] = Embedding(vector, encoder)
    return moved


def similarities(embeddings: Sequence[Embedding | NoEmbedding]) -> DoubleArray:
    """Cosines (N, N) of unit vectors; NaN where one has none, or another encoder made it."""
    count = len(embeddings)
    result = np.full((count, count), np.nan)
    for members in _by_encoder(embeddings).values():
        vectors = np.stack([_vector(embeddings[index]) for index in members])
        result[np.ix_(members, members)] = np.clip(vectors @ vectors.T, -1, 1)
    return result


def _by_encoder(
    embeddings: Sequence[Embedding | NoEmbedding],
) -> dict[EncoderIdentity, list[int]]:
    """Which embeddings may be compared with one another."""
    members: dict[EncoderIdentity, list[int]] = {}
    for index, embedding in enumerate(embeddings):
        if isinstance(embedding, Embedding):
            members.setdefault(embedding.encoder, []).append(index)
    return members


def _encoder(embedding: Embedding | NoEmbedding) -> EncoderIdentity:
    assert isinstance(embedding, Embedding)
    return embedding.encoder


def _vector(embedding: Embedding | NoEmbedding) -> FloatArray:
    assert isinstance(embedding, Embedding)
    return embedding.vector
