"""The network of a metric: whether two vectors are one person, from their absolute difference.

As in LAAM (Hou et al., arXiv 1911.12037) it is linear layers with ReLU between,
|f1 - f2| -> h -> h -> h; LAAM ends in two logits of which only the difference counts, so here it is
one. It is symmetric by construction.

Added to that is a multiple of the squared distance, which for unit vectors is 2 - 2 * cosine: what
the layers learn is where the cosine is wrong. Between cameras of a simulated site (250 people) the
AUC on people held out was .817 by cosine, .80 at best by the layers alone, .844 by the sum.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.types import DoubleArray, FloatArray

BLOCK_PAIRS: Final = 8192
"""Compared at once: 8 MB of differences for vectors of 256 dimensions."""


@dataclass(frozen=True, slots=True, eq=False)
class MetricNetwork:
    """L layers and a multiple of the squared distance.

    Attributes:
        weights: (H, D), (H, H) ..., (1, H) float32.
        biases: (H,), (H,) ..., (1,) float32.
        distance: Logit for each unit of squared distance; negative: far apart speaks against.
    """

    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    distance: float

    @property
    def dimension(self) -> int:
        """Length D of the vectors that it compares."""
        return int(self.weights[0].shape[1])

    def logits(self, first: FloatArray, second: FloatArray) -> DoubleArray:
        """Logits (P,) of vectors (P, D) and (P, D); not calibrated."""
        found = np.empty(len(first))
        for start in range(0, len(first), BLOCK_PAIRS):
            block = slice(start, start + BLOCK_PAIRS)
            found[block] = self._logits(first[block], second[block])
        return found

    def _logits(self, first: FloatArray, second: FloatArray) -> FloatArray:
        difference = np.abs(np.subtract(first, second, dtype=np.float32))  # (P, D)
        hidden = difference
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight.T + bias, 0)  # (P, H)
        learnt = hidden @ self.weights[-1][0] + self.biases[-1][0]
        squared = np.einsum("pd,pd->p", difference, difference)
        return np.asarray(learnt + np.float32(self.distance) * squared, np.float32)
