"""What temporal heads share: from weights of frames to one embedding."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class WeightingHead(nn.Module, ABC):
    """A head that chooses among frames: f = sum_t w_t x_t, so that one frame is its own embedding.

    Subclasses say what the weights are.
    """

    @abstractmethod
    def weights(self, frames: Tensor, present: Tensor) -> Tensor:
        """How much each frame (B, K, D) counts: (B, K), summing to 1 a clip, 0 where absent."""

    def forward(self, frames: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D), not of unit norm, and weights (B, K).

        Args:
            frames: (B, K, D) frame vectors.
            present: (B, K) bool; False where a clip has fewer than K frames: at least one a clip
                is True, and the absent ones come last.
        """
        weights = self.weights(frames, present)
        return weighted_mean(frames, weights), weights


def weighted_mean(frames: Tensor, weights: Tensor) -> Tensor:
    """sum_t w_t x_t (B, D) of frames (B, K, D), weights (B, K)."""
    return (weights[..., None] * frames).sum(dim=1)


def even_weights(present: Tensor) -> Tensor:
    """Each frame of a clip counts the same: (B, K) float32."""
    return present / present.sum(dim=1, keepdim=True)


def masked_softmax(logits: Tensor, present: Tensor) -> Tensor:
    """Softmax over the frames (B, K) that there are; 0 for the others."""
    return torch.softmax(logits.masked_fill(~present, float("-inf")), dim=1)


def zeroed(layer: nn.Linear) -> nn.Linear:
    """The layer with all of its weights 0, so that what it adds to starts unchanged."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
