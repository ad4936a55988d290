"""The temporal heads to compare with the default, and all of them by name.

Every head is called as `head(frames (B, K, F), present (B, K)) -> (embedding (B, D), weights
(B, K))`, whatever the length of the clips; what stands in absent frames changes nothing.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from pipeline.reid.settings import ATTENDED_PARTS, HeadName
from pipeline.reid.temporal.consensus import Consensus
from pipeline.reid.temporal.lstm_attention import LstmAttention
from pipeline.reid.temporal.weighting import (
    WeightingHead,
    even_weights,
    masked_softmax,
    weighted_mean,
    zeroed,
)

HIDDEN = 128


def make_head(name: HeadName, frame_dimension: int, dimension: int) -> nn.Module:
    """The head of that name, for frame vectors (F,) and embeddings (D,): F = D but for agw."""
    if name == "agw":
        return PowerMean(frame_dimension, dimension)
    if name in ("mean", "cosam"):  # cosam has done its work on the maps
        return Mean()
    if name == "consensus":
        return Consensus()
    heads = {
        "attention": Attention,
        "quality": Quality,
        "lstm_attention": LstmAttention,
        "self_attention": SelfAttention,
        "rfa_lstm": RecurrentMean,
        "drsa": PartAttention,
    }
    return heads[name](dimension)


class Mean(WeightingHead):
    """Every frame counts the same: the row to beat."""

    def weights(self, frames: Tensor, present: Tensor) -> Tensor:
        """One over the number of frames: (B, K)."""
        return even_weights(present).to(frames)


class Attention(WeightingHead):
    """Temporal attention (Gao and Nevatia 2018): a convolution over three frames says the logit.

    Untrained the mean.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.reduce = nn.Sequential(nn.Linear(dimension, HIDDEN), nn.ReLU())
        self.score = nn.Conv1d(HIDDEN, 1, kernel_size=3, padding=1)
        nn.init.zeros_(self.score.weight)

    def weights(self, frames: Tensor, present: Tensor) -> Tensor:
        """Softmax over time: (B, K)."""
        reduced = self.reduce(frames) * present[..., None]  # absent frames as the zeros of padding
        return masked_softmax(self.score(reduced.transpose(1, 2))[:, 0], present)


class Quality(WeightingHead):
    """w_t = s_t / sum s, s_t = sigmoid(q(x_t)): a quality of each frame by itself (QAN, Liu et al.
    2017), learned without labels of quality. Untrained the mean."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.score = nn.Sequential(
            nn.Linear(dimension, HIDDEN), nn.ReLU(), zeroed(nn.Linear(HIDDEN, 1))
        )

    def weights(self, frames: Tensor, present: Tensor) -> Tensor:
        """Shares of the quality: (B, K)."""
        qualities = torch.sigmoid(self.score(frames)[..., 0]).clamp(min=1e-6) * present
        return qualities / qualities.sum(dim=1, keepdim=True)


class SelfAttention(nn.Module):
    """One transformer layer over the frames of a clip, in no order, then the mean.

    Pre-norm; both branches end in zeros, so that untrained it is the mean.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.attended = nn.Sequential(nn.LayerNorm(dimension), nn.Linear(dimension, 3 * dimension))
        self.joined = zeroed(nn.Linear(dimension, dimension))
        self.refined = nn.Sequential(
            nn.LayerNorm(dimension),
            nn.Linear(dimension, 2 * dimension),
            nn.GELU(),
            zeroed(nn.Linear(2 * dimension, dimension)),
        )

    def forward(self, frames: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) and even weights (B, K)."""
        batch, length, dimension = frames.shape
        split = self.attended(frames).reshape(batch, length, 3, ATTENDED_PARTS, -1)
        query, key, value = split.permute(2, 0, 3, 1, 4)  # (B, heads, K, D / heads) each
        seen = scaled_dot_product_attention(
            query, key, value, attn_mask=present[:, None, None].expand(-1, -1, length, -1)
        )
        frames = frames + self.joined(seen.transpose(1, 2).reshape(batch, length, dimension))
        frames = frames + self.refined(frames)
        weights = even_weights(present).to(frames)
        return weighted_mean(frames, weights), weights


class RecurrentMean(nn.Module):
    """The mean of an LSTM's states (RFA-Net, Yan et al. 2016): the LSTM *as* the embedding.

    A baseline: on MARS it is below the mean of the frames (Gao and Nevatia 2018).
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(dimension, dimension, batch_first=True)

    def forward(self, frames: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) and even weights (B, K)."""
        states, _ = self.lstm(frames)  # absent frames come last and reach no other
        weights = even_weights(present).to(frames)
        return weighted_mean(states, weights), weights


class PowerMean(nn.Module):
    """AGW's video pooling (Ye et al. 2021): GeM over all places of all frames, then a linear layer.

    The generalised mean over T frames is the generalised mean of their generalised means of the
    same power, so that frame vectors, pooled and not yet projected, are enough.
    """

    def __init__(self, frame_dimension: int, dimension: int) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(3.0))
        self.project = nn.Linear(frame_dimension, dimension, bias=False)

    def forward(self, frames: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D) of pooled frames (B, K, F) >= 0, and even weights (B, K)."""
        weights = even_weights(present).to(frames)
        powers = weighted_mean(frames.float().clamp(min=1e-6) ** self.power, weights)
        return self.project(powers ** (1 / self.power)), weights


class PartAttention(nn.Module):
    """DRSA's temporal attention (Li et al. 2018): each soft part chooses its own frames.

    Frame vectors are the parts of `pooling.DiverseAttention` side by side. Untrained the mean.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.scores = nn.ModuleList(
            zeroed(nn.Linear(dimension // ATTENDED_PARTS, 1)) for _ in range(ATTENDED_PARTS)
        )

    def forward(self, frames: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings (B, D), and weights (B, K), the mean over the parts."""
        parts = frames.chunk(ATTENDED_PARTS, dim=-1)
        weights = [
            masked_softmax(score(part)[..., 0], present)
            for score, part in zip(self.scores, parts, strict=True)
        ]
        pooled = [weighted_mean(part, each) for part, each in zip(parts, weights, strict=True)]
        return torch.cat(pooled, dim=-1), torch.stack(weights).mean(dim=0)
