"""ResNet-50 as Re-ID uses it: timm's, with what Re-ID changes in it.

The parts of the network keep the names of torchvision and timm, so that their weights load.
"""

import timm
import torch
from torch import Tensor, nn

IBN_STAGES = ("layer1", "layer2", "layer3")
NON_LOCAL_BLOCKS = {"layer2": 2, "layer3": 3}
"""How many blocks at the end of a stage are followed by a non-local one (AGW, Ye et al. 2021)."""


class ResNet50(nn.Module):
    """Images (N, 3, H, W) to maps (N, 2048, H/16, W/16), values >= 0: last stride 1 (Luo et al.
    2019).

    Args:
        ibn: Half of the channels of the first three stages normalised an image at a time (IBN-a,
            Pan et al. 2018), against differences of light and colour.
        non_local: Non-local blocks at the end of stages 2 and 3.
    """

    channels = 2048

    def __init__(self, ibn: bool = False, non_local: bool = False) -> None:
        super().__init__()
        self.net = timm.create_model(
            "resnet50", pretrained=False, num_classes=0, global_pool="", zero_init_last=False
        )
        self.net.layer4[0].conv2.stride = (1, 1)
        self.net.layer4[0].downsample[0].stride = (1, 1)
        if ibn:
            for block in (block for stage in IBN_STAGES for block in self.net.get_submodule(stage)):
                block.bn1 = InstanceBatchNorm(block.bn1.num_features)
        self.non_local = nn.ModuleDict(
            {
                f"{stage}_{len(self.net.get_submodule(stage)) - 1 - back}": NonLocal(
                    self.net.get_submodule(stage)[-1].conv3.out_channels
                )
                for stage, count in NON_LOCAL_BLOCKS.items()
                for back in range(count)
                if non_local
            }
        )

    def forward(self, images: Tensor) -> Tensor:
        """Maps of normalised images."""
        maps: Tensor = self.net.maxpool(self.net.act1(self.net.bn1(self.net.conv1(images))))
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            for index, block in enumerate(self.net.get_submodule(stage)):
                maps = block(maps)
                if f"{stage}_{index}" in self.non_local:
                    maps = self.non_local[f"{stage}_{index}"](maps)
        return maps


class InstanceBatchNorm(nn.Module):
    """Instance normalisation of the first half of the channels, batch normalisation of the rest."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = channels // 2
        self.IN = nn.InstanceNorm2d(self.first, affine=True)  # named as the public weights are
        self.BN = nn.BatchNorm2d(channels - self.first)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape."""
        return torch.cat([self.IN(maps[:, : self.first]), self.BN(maps[:, self.first :])], dim=1)


class NonLocal(nn.Module):
    """Every place looks at every other (Wang et al. 2018), with L places:

    x_i + BN(W sum_j (theta_i . phi_j) g_j / L)

    The batch normalisation starts at 0, and the block as the identity. Half of the channels inside,
    as published; AGW's public code has a single one there.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.theta, self.phi, self.g = (nn.Conv2d(channels, inner, 1) for _ in range(3))
        self.w = nn.Conv2d(inner, channels, 1)
        self.bn = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.bn.weight)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps of the same shape."""
        theta, phi, values = (each(maps).flatten(2) for each in (self.theta, self.phi, self.g))
        likeness = theta.transpose(1, 2) @ phi / theta.shape[-1]  # (N, L, L)
        seen = (values @ likeness.transpose(1, 2)).unflatten(2, maps.shape[-2:])
        result: Tensor = maps + self.bn(self.w(seen))
        return result
