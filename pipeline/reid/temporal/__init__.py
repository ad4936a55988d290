"""Temporal heads: from the frame vectors of a clip to one embedding."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from pipeline.reid.temporal.lstm_attention import LstmAttention

SEED = 0


class LstmAttentionHead(LstmAttention):
    """The default head for frame embeddings of unit norm, untrained: the same in every process."""

    def __init__(self, dimension: int, hidden: int = 128) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            super().__init__(dimension, hidden)

    def forward(self, frames: Tensor, present: Tensor) -> Tensor:  # type: ignore[override]
        """Embeddings (B, D) of unit norm."""
        return normalize(super().forward(frames, present)[0], dim=-1)
