"""The locality-aware metric: two networks, each for the pairs of the place and time it learnt from.

Intra: one camera, a short window; it joins broken tracks and people who come back. Inter: different
cameras, the window in which people walk from one to the next (LAAM, arXiv 1911.12037). NumPy only.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.association.appearance import LIMIT
from pipeline.association.metric.network import BLOCK_PAIRS, MetricNetwork
from pipeline.association.pairs import Pairs
from pipeline.errors import UserError
from pipeline.types import BoolArray, DoubleArray, EncoderIdentity, FloatArray


class OtherEncoderError(UserError):
    """The metric was learnt on the vectors of another encoder."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalMetric:
    """A network, the window it is for, and how its logits read as log-odds (Platt).

    Attributes:
        network: What compares.
        window_s: Most seconds between two tracklets.
        slope: Log-odds per logit, >= 0.
        intercept: Log-odds at logit 0. Even, 0, is where P(same) is 1/2 if as many pairs are one
            person as two.
    """

    network: MetricNetwork
    window_s: float
    slope: float
    intercept: float

    def log_odds(self, first: FloatArray, second: FloatArray) -> DoubleArray:
        """Evidence (P,) on vectors (P, D) and (P, D), within +-LIMIT."""
        logits = self.network.logits(first, second)
        return np.asarray(np.clip(self.slope * logits + self.intercept, -LIMIT, LIMIT))


@dataclass(frozen=True, slots=True)
class Fallback:
    """In the place of a network that is not there: the caller's cosine decides, and this is why."""

    window_s: float
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class LocalityAwareMetric:
    """Evidence on pairs by where and when they are.

    Vectors are those that association compares by cosine: of unit length, without the offsets of
    their cameras (`appearance.CameraOffsets`).

    Attributes:
        encoder: Whose vectors it has learnt on; those of others it must not see.
        intra: For two tracklets of one camera.
        inter: For those of different cameras.
        elsewhere: Whether the inter network also serves all pairs outside both windows: it was
            surely better than cosine there, too.
    """

    encoder: EncoderIdentity
    intra: LocalMetric | Fallback
    inter: LocalMetric | Fallback
    elsewhere: bool

    def for_encoder(self, encoder: EncoderIdentity) -> "LocalityAwareMetric":
        """The metric itself, where it is for this encoder's vectors.

        Raises:
            OtherEncoderError: It is for those of another: the caller goes back to cosine.
        """
        if encoder != self.encoder:
            raise OtherEncoderError(
                f"the metric was learnt on embeddings by {self.encoder.words}, these are by"
                f" {encoder.words}: train it anew"
            )
        return self

    def log_odds(
        self, first: FloatArray, second: FloatArray, same_camera: BoolArray, gap_s: DoubleArray
    ) -> DoubleArray:
        """Evidence (P,) within +-LIMIT; NaN where no network serves: cosine decides.

        Args:
            first: Vectors (P, D).
            second: Vectors (P, D).
            same_camera: Whether the two are of one camera (P,).
            gap_s: Seconds from the end of the earlier to the start of the later (P,), negative
                where they overlap, which is always within the window.
        """
        found = np.full(len(gap_s), np.nan)
        in_intra = same_camera & (gap_s <= self.intra.window_s)
        in_inter = ~same_camera & (gap_s <= self.inter.window_s)
        served_by_inter = ~in_intra if self.elsewhere else in_inter
        for local, rows in ((self.intra, in_intra), (self.inter, served_by_inter)):
            if isinstance(local, LocalMetric) and rows.any():
                found[rows] = local.log_odds(first[rows], second[rows])
        return found

    def of_pairs(
        self, vectors: FloatArray, pairs: Pairs, same_camera: BoolArray, gap_s: DoubleArray
    ) -> DoubleArray:
        """The same for pairs (P,) of vectors (N, D), in little memory however many there are."""
        found = np.empty(len(pairs))
        for start in range(0, len(pairs), BLOCK_PAIRS):
            block = slice(start, start + BLOCK_PAIRS)
            found[block] = self.log_odds(
                vectors[pairs.first[block]],
                vectors[pairs.second[block]],
                same_camera[block],
                gap_s[block],
            )
        return found

    def fallbacks(self) -> list[str]:
        """Which pairs are left to cosine, and why, one line each."""
        return [
            f"{where}, up to {local.window_s:g} s: cosine, {local.reason}"
            for where, local in (("same camera", self.intra), ("different cameras", self.inter))
            if isinstance(local, Fallback)
        ]
