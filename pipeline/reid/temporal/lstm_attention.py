"""The default head: an LSTM whose output *weights* frames and never replaces them.

As the embedding itself, LSTM output is the worst of the learned heads (Gao and Nevatia 2018,
arXiv 1805.02104, on MARS), whereas weights can only choose among frames that are right each by
itself. Untrained, the last layer is zero and the head is the consensus-weighted mean.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout, logsigmoid

from pipeline.reid.temporal.consensus import ENOUGH, consensus_logits
from pipeline.reid.temporal.weighting import WeightingHead, masked_softmax, weighted_mean, zeroed

HIDDEN = 128
GOOD = 4.0
"""Frames count .98 of what they could until something speaks against them: with 0 and 2, clean
clips of people of another seed lose 0.2 and 0.1 mAP, for frames as good as others count less."""
DROPPED = 0.3
"""Of what the MLP sees in training; without, the same clips lose 0.1 mAP."""


@dataclass(frozen=True, slots=True)
class ClipState:
    """What a live track keeps between frames.

    Attributes:
        hidden: (1, H) the LSTM's output at the last frame.
        cell: (1, H) its memory.
        frames: (K, D) frame vectors so far.
        learned: (K,) their logits without the consensus, which changes with every frame.
    """

    hidden: Tensor
    cell: Tensor
    frames: Tensor
    learned: Tensor


class LstmAttention(WeightingHead):
    """Consensus-weighted mean, corrected by what a unidirectional LSTM has seen so far.

    z_t = log s(MLP([x_t, h_t]) + b) + beta min(cos(x_t, c), m),  w = softmax(z),  f = sum w_t x_t

    with s the logistic function, h_t the LSTM's state, c the consensus of the clip, and the MLP's
    last layer zero at first. So w_t is in proportion to a quality in (0, 1), of which good frames
    have all, times an agreement, of which frames that agree by m have all. m is learnt: frames of
    one person need not be alike beyond it. Untrained, it is 1.

    Args:
        dimension: Length D of frame vectors.
        hidden: Length H of the LSTM's state.
    """

    def __init__(self, dimension: int, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dimension, hidden, batch_first=True)
        self.score = nn.Sequential(
            nn.Linear(dimension + hidden, hidden), nn.Tanh(), zeroed(nn.Linear(hidden, 1))
        )
        self.enough = nn.Parameter(torch.tensor(ENOUGH))

    def weights(self, frames: Tensor, present: Tensor) -> Tensor:
        """How much each frame (B, K, D) counts: (B, K), summing to 1 a clip, 0 where absent."""
        states, _ = self.lstm(frames)  # (B, K, H); absent frames come last and reach no other
        return masked_softmax(
            self._learned(frames, states) + consensus_logits(frames, present, self.enough), present
        )

    def start(self) -> ClipState:
        """The state before the first frame of a track."""
        still = next(self.lstm.parameters()).new_zeros((1, self.lstm.hidden_size))
        return ClipState(
            still, still, still.new_zeros((0, self.lstm.input_size)), still.new_zeros(0)
        )

    def step(self, state: ClipState, frame: Tensor) -> ClipState:
        """The state after one more frame vector (D,); the LSTM runs over that frame alone."""
        _, (hidden, cell) = self.lstm(frame[None], (state.hidden, state.cell))
        learned = self._learned(frame[None], hidden)
        return ClipState(
            hidden,
            cell,
            torch.cat([state.frames, frame[None]]),
            torch.cat([state.learned, learned]),
        )

    def read(self, state: ClipState) -> tuple[Tensor, Tensor]:
        """Embedding (D,) and weights (K,) of the K >= 1 frames so far, as `forward` gives them."""
        frames = state.frames[None]
        present = torch.ones_like(frames[..., 0], dtype=torch.bool)
        weights = torch.softmax(
            state.learned + consensus_logits(frames, present, self.enough), dim=1
        )
        return weighted_mean(frames, weights)[0], weights[0]

    def _learned(self, frames: Tensor, states: Tensor) -> Tensor:
        seen = dropout(torch.cat([frames, states], dim=-1), DROPPED, self.training)
        return logsigmoid(self.score(seen)[..., 0] + GOOD)
