"""What most frames of a clip agree on."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pipeline.reid.temporal.weighting import (
    WeightingHead,
    even_weights,
    masked_softmax,
    weighted_mean,
)

CONSENSUS_ITERATIONS = 2
CONSENSUS_SHARPNESS = 10.0
"""Logit per unit of cosine: a frame .3 further from the consensus counts e^-3 as much. Set by that
reasoning, not tuned."""
ENOUGH = 1.0
"""No two vectors are closer."""


class Consensus(WeightingHead):
    """The consensus-weighted mean: nothing to learn, made for clips with frames of others."""

    def weights(self, frames: Tensor, present: Tensor) -> Tensor:
        """Larger the closer a frame is to what most agree on: (B, K)."""
        return masked_softmax(consensus_logits(frames, present), present)


def consensus_logits(frames: Tensor, present: Tensor, enough: Tensor | float = ENOUGH) -> Tensor:
    """beta min(cos(x_t, c), m) (B, K), with c the mean of frames weighted by their closeness to c.

    Args:
        frames: (B, K, D).
        present: (B, K) bool.
        enough: m: frames at least this close all count the same.
    """
    weights = even_weights(present)
    logits = torch.zeros_like(weights)
    directions = normalize(frames, dim=-1)
    for _ in range(CONSENSUS_ITERATIONS):
        centre = normalize(weighted_mean(frames, weights), dim=-1)
        cosines = (directions * centre[:, None]).sum(dim=-1)
        logits = CONSENSUS_SHARPNESS * torch.clamp(cosines, max=enough)
        weights = masked_softmax(logits, present)
    return logits
