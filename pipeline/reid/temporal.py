"""The temporal head: from the frame embeddings of a clip to one embedding.

An LSTM whose output *weights* frames and never replaces them: as the embedding itself, LSTM output
is the worst of the learned heads (Gao and Nevatia 2018, arXiv 1805.02104, on MARS), whereas
weights can only choose among frames that are right each by itself. Untrained, the last layer is
zero and the head is the consensus-weighted mean.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

CONSENSUS_ITERATIONS = 2
CONSENSUS_SHARPNESS = 10.0
"""Logit per unit of cosine: a frame .3 further from the consensus counts e^-3 as much. Set by that
reasoning, not tuned."""
SEED = 0


class LstmAttentionHead(nn.Module):
    """Consensus-weighted mean, corrected by what a unidirectional LSTM has seen so far.

    z_t = MLP([x_t, h_t]) + beta cos(x_t, c),  w = softmax(z),  f = sum_t w_t x_t

    with h_t the LSTM's state, c the consensus of the clip (frames re-weighted by their closeness to
    their weighted mean), and the MLP's last layer zero at first.

    Args:
        dimension: Length D of frame embeddings.
        hidden: Length of the LSTM's state.
    """

    def __init__(self, dimension: int, hidden: int = 128) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            self.lstm = nn.LSTM(dimension, hidden, batch_first=True)
            self.score = nn.Sequential(
                nn.Linear(dimension + hidden, hidden), nn.Tanh(), nn.Linear(hidden, 1)
            )
        last = self.score[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, frames: Tensor, present: Tensor) -> Tensor:
        """Embeddings (B, D) of unit norm.

        Args:
            frames: (B, K, D) frame embeddings of unit norm.
            present: (B, K) bool; False where a clip has fewer than K frames. At least one a clip.
        """
        weights = self.weights(frames, present)
        return normalize((weights[..., None] * frames).sum(dim=1), dim=-1)

    def weights(self, frames: Tensor, present: Tensor) -> Tensor:
        """How much each frame counts: (B, K), summing to 1 a clip, 0 where absent."""
        states, _ = self.lstm(frames)  # (B, K, hidden); absent frames come last and see no one
        learned = self.score(torch.cat([frames, states], dim=-1))[..., 0]
        consensus = consensus_logits(frames, present)
        return _masked_softmax(learned + consensus, present)


def consensus_logits(frames: Tensor, present: Tensor) -> Tensor:
    """beta cos(x_t, c) (B, K): how close each frame is to what most frames of its clip agree on."""
    weights = present / present.sum(dim=1, keepdim=True)
    logits = torch.zeros_like(weights)
    for _ in range(CONSENSUS_ITERATIONS):
        centre = (weights[..., None] * frames).sum(dim=1, keepdim=True)  # (B, 1, D)
        logits = CONSENSUS_SHARPNESS * cosine_similarity(frames, centre, dim=-1)
        weights = _masked_softmax(logits, present)
    return logits


def _masked_softmax(logits: Tensor, present: Tensor) -> Tensor:
    return torch.softmax(logits.masked_fill(~present, float("-inf")), dim=1)
