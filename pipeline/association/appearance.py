"""Evidence from appearance: cosine of embeddings to log-odds of "same person".

What is read is the contrast of a pair: its cosine less how alike the two are to others (crowding).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipeline.association.crowding import comparisons, contrasts
from pipeline.association.looks import Gallery, Looks
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.types import DoubleArray, EncoderIdentity

MIN_PAIRS = 30
"""Fewer pairs than this say too little about how alike different people look."""
DEFAULT_MEAN = 0.36
DEFAULT_SPREAD = 0.12
"""Of the cosines of different people, for runs that say too little themselves: cautious guesses,
not measurements, higher than what sites with many people gave: rather two identities than one."""
FALSE_ACCEPT_SDS = 2.0
TOWARDS_NEAREST = (0.5, 0.65)
"""The threshold is at least so far on the way from different people to the likest other tracklet,
which most often is of the same person: among few, and among many, of whom one will look like it by
chance. Chosen on simulated people whom the encoder did not know."""
FEW_AND_MANY = (50, 300)
"""Tracklets; between them the share grows with the logarithm of their number."""
LOOKED_AT = 400
OFFSET_TRACKLETS = 20.0
LIMIT = 8.0
"""Appearance alone never says more than this many log-odds: a uniform looks like a uniform."""


@dataclass(frozen=True, slots=True)
class SimilarityScale:
    """How a contrast reads as evidence: log-odds = slope * (it - threshold), within +-LIMIT.

    Attributes:
        threshold: Contrast at which two tracklets are as likely the same person as not.
        slope: Log-odds per unit of contrast.
    """

    threshold: float
    slope: float

    def log_odds(self, contrast: DoubleArray) -> DoubleArray:
        """Evidence (P,) of contrasts (P,); 0 where one is NaN."""
        evidence = np.clip(self.slope * (contrast - self.threshold), -LIMIT, LIMIT)
        return np.asarray(np.nan_to_num(evidence, nan=0.0))

    @classmethod
    def for_run(
        cls, looks: Looks, passages: Passages, impossible: Pairs, threshold: float | None
    ) -> "SimilarityScale":
        """The scale for the tracklets of one run.

        Pairs that cannot be one person show how alike different people look to this encoder on this
        site; where there are few, the lower half of all pairs does, most of which are different
        people. The threshold is two standard deviations above their mean, so that about one such
        pair in forty would pass alone, and at least some of the way (`TOWARDS_NEAREST`) to what is
        usual between a tracklet and the one that is most like it.

        Args:
            looks: Embeddings of N tracklets, without the cameras' offsets, with crowding.
            passages: N.
            impossible: Pairs that cannot be one person.
            threshold: The site's own threshold, if it sets one: a cosine, of two who are as like
                others as is usual.
        """
        different = contrasts(looks, impossible)
        different = different[~np.isnan(different)]
        others, nearest = _neighbourhood(looks, passages, impossible)
        crowding = np.concatenate([np.empty(0), *(each.crowding for each in looks.galleries)])
        usual = float(crowding.mean()) if len(crowding) else 0.0
        if len(different) >= MIN_PAIRS:
            mean, spread = float(different.mean()), float(different.std())
        else:
            mean, spread = _lower_half(others, usual)
        spread = max(spread, 1e-3)
        if threshold is not None:
            threshold -= usual
        else:
            threshold = mean + FALSE_ACCEPT_SDS * spread
            if len(nearest):
                share = np.interp(np.log(len(crowding)), np.log(FEW_AND_MANY), TOWARDS_NEAREST)
                threshold = max(threshold, mean + share * (np.median(nearest) - mean))
        # For two normal classes of equal spread s, means m0 < m1, the log-odds are linear with
        # slope (m1 - m0) / s^2 and even at the middle: m1 = 2 threshold - m0.
        return cls(float(threshold), 2 * FALSE_ACCEPT_SDS / spread)


def _lower_half(contrasts: DoubleArray, usual: float) -> tuple[float, float]:
    """Mean and spread of different people among all pairs, where most are different."""
    if len(contrasts) >= MIN_PAIRS:
        low, middle = np.quantile(contrasts, (0.16, 0.5))
        # One person seen again and again would look like many who are all alike.
        if middle + usual < DEFAULT_MEAN:
            return float(middle), float(middle - low)
    return DEFAULT_MEAN - usual, DEFAULT_SPREAD


def _neighbourhood(
    looks: Looks, passages: Passages, impossible: Pairs
) -> tuple[DoubleArray, DoubleArray]:
    """Contrasts of tracklets with those before and after them, and of each with the likest."""
    others, nearest = [np.empty(0)], []
    for gallery in looks.galleries:
        count = len(gallery.members)
        places = np.unique(np.linspace(0, count - 1, min(count, LOOKED_AT)).astype(np.int64))
        for own, near, possible in comparisons(gallery, passages, impossible, places, block=1):
            whom = near[possible[0]]
            halves = (gallery.crowding[own] + gallery.crowding[whom]) / 2
            found = gallery.vectors[whom] @ gallery.vectors[own[0]] - halves
            if len(found):
                others.append(found.astype(np.float64))
                nearest.append(float(found.max()))
    return np.concatenate(others), np.array(nearest)


@dataclass(frozen=True, slots=True)
class CameraOffsets:
    """How light, lens and background shift all embeddings of a camera one way.

    The mean of a camera is moved to the mean of the cameras, by a share n / (n + OFFSET_TRACKLETS)
    for n tracklets: the mean of a few people says more about them than about the camera.

    Attributes:
        shifts: By encoder and name of the camera, what to subtract: (D,) float64.
    """

    shifts: Mapping[EncoderIdentity, Mapping[str, DoubleArray]]

    @classmethod
    def learned(cls, looks: Looks, passages: Passages) -> "CameraOffsets":
        """From the tracklets of a run."""
        return cls({each.encoder: _shifts(each, passages) for each in looks.galleries})

    def taken_away(self, looks: Looks, passages: Passages) -> Looks:
        """Vectors of unit norm as if all had been seen alike; of new cameras as they are."""
        return replace(looks, galleries=tuple(self._moved(e, passages) for e in looks.galleries))

    def _moved(self, gallery: Gallery, passages: Passages) -> Gallery:
        shifts = self.shifts.get(gallery.encoder, {})
        none = np.zeros(gallery.encoder.dimension)
        table = np.stack([shifts.get(name, none) for name in passages.names])
        vectors = gallery.vectors - table[passages.camera[gallery.members]]
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        return replace(gallery, vectors=vectors.astype(np.float32))


def _shifts(gallery: Gallery, passages: Passages) -> dict[str, DoubleArray]:
    vectors = gallery.vectors.astype(np.float64)
    camera = passages.camera[gallery.members]
    numbers, sizes = np.unique(camera, return_counts=True)
    counts = dict(zip(numbers.tolist(), sizes.tolist(), strict=True))
    means = {index: vectors[camera == index].mean(axis=0) for index in counts}
    centre = np.mean(list(means.values()), axis=0)
    return {
        passages.names[index]: (mean - centre) * counts[index] / (counts[index] + OFFSET_TRACKLETS)
        for index, mean in means.items()
    }
