"""OSNet (Zhou et al. 2019, arXiv 1905.00953): a small network that sees people at four scales.

The parts are named as torchreid names them, so that its public weights load.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

CHANNELS = {"osnet_x0_25": (16, 64, 96, 128), "osnet_x1_0": (64, 256, 384, 512)}
"""Of the stem and of the three stages, by name."""
SCALES = 4
"""Streams of a block: 1 to 4 light convolutions, which see 3, 5, 7 and 9 places."""
BOTTLENECK = 4
GATE_REDUCTION = 16


class OsNet(nn.Module):
    """Images (N, 3, H, W) to maps (N, channels, H/16, W/16), values >= 0.

    Args:
        name: A key of `CHANNELS`.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        stem, first, second, third = CHANNELS[name]
        self.channels = third
        self.conv1 = Convolution(3, stem, kernel_size=7, stride=2, padding=3)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.conv2 = nn.Sequential(*_blocks(stem, first), _transition(first))
        self.conv3 = nn.Sequential(*_blocks(first, second), _transition(second))
        self.conv4 = nn.Sequential(*_blocks(second, third))
        self.conv5 = Convolution(third, third, kernel_size=1)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Maps of normalised images."""
        maps: Tensor = self.maxpool(self.conv1(images))
        for stage in (self.conv2, self.conv3, self.conv4, self.conv5):
            maps = stage(maps)
        return maps


class Convolution(nn.Module):
    """Convolution, batch normalisation and, with `rectified`, ReLU."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        rectified: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out)
        self.relu = nn.ReLU() if rectified else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, out, h, w)."""
        result: Tensor = self.relu(self.bn(self.conv(maps)))
        return result


class LightConvolution(nn.Module):
    """A 3 x 3 convolution as a mix of channels and then one kernel a channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 1, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape."""
        result: Tensor = self.relu(self.bn(self.conv2(self.conv1(maps))))
        return result


class ChannelGate(nn.Module):
    """Each channel times what the mean over places makes of it; one gate serves all scales."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // GATE_REDUCTION, 1)
        self.fc2 = nn.Conv2d(channels // GATE_REDUCTION, channels, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape."""
        squeezed = torch.relu(self.fc1(maps.mean(dim=(-2, -1), keepdim=True)))
        return maps * torch.sigmoid(self.fc2(squeezed))


class OmniScaleBlock(nn.Module):
    """A residual block whose streams see the map at four scales, gated and added."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        inner = out // BOTTLENECK
        self.conv1 = Convolution(channels, inner, kernel_size=1)
        self.conv2a = LightConvolution(inner)
        self.conv2b, self.conv2c, self.conv2d = (
            nn.Sequential(*(LightConvolution(inner) for _ in range(count)))
            for count in range(2, SCALES + 1)
        )
        self.gate = ChannelGate(inner)
        self.conv3 = Convolution(inner, out, kernel_size=1, rectified=False)
        self.downsample = (
            nn.Identity()
            if channels == out
            else Convolution(channels, out, kernel_size=1, rectified=False)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (N, out, h, w)."""
        reduced = self.conv1(maps)
        streams = (self.conv2a, self.conv2b, self.conv2c, self.conv2d)
        gated: Tensor = sum(self.gate(stream(reduced)) for stream in streams)
        return torch.relu(self.conv3(gated) + self.downsample(maps))


def _blocks(channels: int, out: int) -> Iterable[nn.Module]:
    return OmniScaleBlock(channels, out), OmniScaleBlock(out, out)


def _transition(channels: int) -> nn.Module:
    """Halves the map between stages."""
    return nn.Sequential(Convolution(channels, channels, kernel_size=1), nn.AvgPool2d(2))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)
