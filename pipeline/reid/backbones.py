"""Frame backbones by name: images in, feature maps out. None of them downloads anything."""

import timm
import torch
from timm.models._efficientnet_blocks import UniversalInvertedResidual
from torch import Tensor, nn

from pipeline.reid.osnet import OsNet
from pipeline.reid.resnet import ResNet50
from pipeline.reid.settings import BackboneName


def build_backbone(name: BackboneName, size: tuple[int, int]) -> "MapBackbone":
    """The backbone of that name, with weights drawn at random.

    It maps images (N, 3, H, W) to maps (N, `channels`, h, w) of values >= 0.

    Args:
        name: One of `BackboneName`.
        size: Height and width of its images, pixels; only a ViT holds on to them.
    """
    if name.startswith("osnet"):
        return OsNet(name)
    if name.startswith("resnet50"):
        return ResNet50(ibn=name.endswith("ibn_a"), non_local=name.endswith("non_local"))
    return VisionTransformer(name, size) if name.startswith("vit") else MobileNetV4(name)


class MobileNetV4(nn.Module):
    """timm's MobileNetV4 up to its last map, 1/32 of the image, without the wide layer after it.

    Residual branches start at 0 (Goyal et al. 2017, arXiv 1706.02677, 5.1): drawn at random, so
    many narrow layers drown the colours that the first ones see, and learning starts later.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.net = timm.create_model(name, pretrained=False, num_classes=0, global_pool="")
        self.channels: int = self.net.num_features
        del self.net.conv_head, self.net.norm_head
        for block in self.net.blocks.modules():
            if isinstance(block, UniversalInvertedResidual) and block.has_skip:
                nn.init.zeros_(block.pw_proj.bn.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Maps of normalised images."""
        maps: Tensor = self.net.forward_features(images)
        return maps


class VisionTransformer(nn.Module):
    """timm's ViT: its patches as a map, 1/16 of the image.

    What is below 0 becomes channels of its own, because pooling is over values >= 0.
    """

    def __init__(self, name: str, size: tuple[int, int]) -> None:
        super().__init__()
        self.net = timm.create_model(
            name, pretrained=False, num_classes=0, global_pool="", img_size=size
        )
        self.channels: int = 2 * self.net.num_features

    def forward(self, images: Tensor) -> Tensor:
        """Maps of normalised images."""
        patches = self.net.forward_features(images)[:, self.net.num_prefix_tokens :]
        maps = patches.transpose(1, 2).unflatten(2, self.net.patch_embed.grid_size)
        return torch.cat([maps, -maps], dim=1).relu()


MapBackbone = OsNet | ResNet50 | MobileNetV4 | VisionTransformer
