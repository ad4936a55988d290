"""From the feature map of a crop to its frame vector, and the neck before the comparison."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipeline.reid.settings import ATTENDED_PARTS, TORCHREID_DIMENSION, EncoderSettings

SMALLEST = 1e-6
"""Maps are clamped from below, so that their power has a gradient."""
ATTENTION_CHANNELS = 64


class FramePooling(nn.Module):
    """Maps (N, C, h, w) of values >= 0 to frame vectors (N, dimension)."""

    dimension: int

    def penalty(self, maps: Tensor) -> Tensor:
        """What training is to keep small, a scalar."""
        return maps.new_zeros(())


def make_pooling(settings: EncoderSettings, channels: int) -> FramePooling:
    """The pooling that the settings ask for."""
    if settings.head == "drsa":
        return DiverseAttention(channels, settings.dimension)
    if settings.pooling == "torchreid":
        return OsnetPooling(channels)
    if settings.head == "agw":
        return BodyGem(channels, settings.pooling == "parts")
    return ProjectedGem(channels, settings.pooling == "parts", settings.dimension)


class Gem(nn.Module):
    """Generalised mean over places, (mean x^p)^(1/p), with a learned p (Radenovic et al. 2019).

    In float32 also where the rest is half precision: powers leave its range.
    """

    def __init__(self, power: float = 3.0) -> None:
        super().__init__()
        self.power = nn.Parameter(torch.tensor(power))

    def forward(self, maps: Tensor) -> Tensor:
        """Vectors (N, C) of maps (N, C, h, w)."""
        powers = maps.float().clamp(min=SMALLEST) ** self.power
        return powers.mean(dim=(-2, -1)) ** (1 / self.power)


class BodyGem(FramePooling):
    """GeM over the whole body and, with `parts`, over its upper and lower half: (N, C or 3 C)."""

    def __init__(self, channels: int, parts: bool) -> None:
        super().__init__()
        self.gem = Gem()
        self.parts = parts
        self.dimension = channels * (3 if parts else 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Frame vectors (N, dimension): whole, upper, lower."""
        if not self.parts:
            whole: Tensor = self.gem(maps)
            return whole
        rows = maps.shape[-2]
        upper, lower = maps[..., : (rows + 1) // 2, :], maps[..., rows // 2 :, :]
        return torch.cat([self.gem(maps), self.gem(upper), self.gem(lower)], dim=1)


class ProjectedGem(BodyGem):
    """Body GeM, brought to one scale by batch normalisation and to D values by a linear layer."""

    def __init__(self, channels: int, parts: bool, dimension: int) -> None:
        super().__init__(channels, parts)
        pooled = self.dimension
        self.dimension = dimension
        self.project = nn.Sequential(
            nn.BatchNorm1d(pooled), nn.Linear(pooled, dimension, bias=False)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Frame vectors (N, D)."""
        vectors: Tensor = self.project(super().forward(maps))
        return vectors


class OsnetPooling(FramePooling):
    """Mean over places, then the fully connected layer that torchreid's OSNet ends with."""

    dimension = TORCHREID_DIMENSION

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(
            nn.Linear(channels, TORCHREID_DIMENSION),
            nn.BatchNorm1d(TORCHREID_DIMENSION),
            nn.ReLU(),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Frame vectors (N, 512), values >= 0."""
        vectors: Tensor = self.fc(maps.mean(dim=(-2, -1)))
        return vectors


class DiverseAttention(FramePooling):
    """P soft parts of the body, each where one attention map looks (Li et al. 2018, DRSA).

    Each part is a weighted mean over places, a linear layer and brought to unit length.
    """

    def __init__(self, channels: int, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension
        self.score = nn.Sequential(
            nn.Conv2d(channels, ATTENTION_CHANNELS, 1),
            nn.ReLU(),
            nn.Conv2d(ATTENTION_CHANNELS, ATTENDED_PARTS, 1),
        )
        self.project = nn.Linear(channels, dimension // ATTENDED_PARTS)

    def attentions(self, maps: Tensor) -> Tensor:
        """Where each part looks: (N, P, h w), summing to 1 over places."""
        return torch.softmax(self.score(maps).flatten(2), dim=-1)

    def forward(self, maps: Tensor) -> Tensor:
        """Frame vectors (N, D): the P parts, each of unit length."""
        pooled = self.attentions(maps) @ maps.flatten(2).transpose(1, 2)  # (N, P, C)
        return normalize(self.project(pooled), dim=-1).flatten(1)

    def penalty(self, maps: Tensor) -> Tensor:
        """How much the parts of a frame look at the same places, the mean over frames."""
        return overlap(self.attentions(maps)).mean()


def overlap(attentions: Tensor) -> Tensor:
    """||sqrt(A) sqrt(A)' - I||_F (N,) of attentions A (N, P, L) that sum to 1 over L.

    From 0, where no two parts share a place, to sqrt(P^2 - P), where all are alike.
    """
    roots = attentions.clamp(min=1e-12).sqrt()
    gram = roots @ roots.transpose(1, 2)
    difference = gram - torch.eye(gram.shape[-1], device=gram.device, dtype=gram.dtype)
    return difference.square().sum(dim=(1, 2)).clamp(min=1e-12).sqrt()


class BnNeck(nn.BatchNorm1d):
    """Batch normalisation whose shift stays 0 (Luo et al. 2019), between the losses on f and on
    identities, so that classes are told apart by direction."""

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self.bias.requires_grad_(False)
