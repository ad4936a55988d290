"""Frame backbones: shapes, what Re-ID changes in them, and the names of public weights."""

from typing import get_args

import pytest
import torch
from torch import nn

from pipeline.reid.backbones import VisionTransformer, build_backbone
from pipeline.reid.osnet import CHANNELS, OsNet
from pipeline.reid.pooling import OsnetPooling
from pipeline.reid.resnet import InstanceBatchNorm, NonLocal, ResNet50
from pipeline.reid.settings import BackboneName

STRIDES = {"mobilenetv4_conv_small": 32, "mobilenetv4_conv_small_050": 32}

Shapes = dict[str, tuple[int, ...]]


@pytest.mark.parametrize("name", get_args(BackboneName))
def test_maps_have_the_promised_shape_and_are_not_negative(name: BackboneName) -> None:
    torch.manual_seed(0)
    backbone = build_backbone(name, (64, 32)).eval()
    with torch.inference_mode():
        maps = backbone(torch.randn(2, 3, 64, 32))
    stride = STRIDES.get(name, 16)
    assert maps.shape == (2, backbone.channels, 64 // stride, 32 // stride)
    assert maps.min() >= 0
    assert maps.max() > 0


def _norm(name: str, channels: int) -> Shapes:
    per_channel = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in per_channel} | {
        f"{name}.num_batches_tracked": ()
    }


def _convolution(name: str, channels: int, out: int, kernel: int = 1) -> Shapes:
    return {f"{name}.conv.weight": (out, channels, kernel, kernel)} | _norm(f"{name}.bn", out)


def _light(name: str, channels: int) -> Shapes:
    return {
        f"{name}.conv1.weight": (channels, channels, 1, 1),
        f"{name}.conv2.weight": (channels, 1, 3, 3),
    } | _norm(f"{name}.bn", channels)


def _block(name: str, channels: int, out: int) -> Shapes:
    inner, gated = out // 4, out // 4 // 16
    shapes = _convolution(f"{name}.conv1", channels, inner) | _light(f"{name}.conv2a", inner)
    for stream, count in (("conv2b", 2), ("conv2c", 3), ("conv2d", 4)):
        for index in range(count):
            shapes |= _light(f"{name}.{stream}.{index}", inner)
    shapes |= {
        f"{name}.gate.fc1.weight": (gated, inner, 1, 1),
        f"{name}.gate.fc1.bias": (gated,),
        f"{name}.gate.fc2.weight": (inner, gated, 1, 1),
        f"{name}.gate.fc2.bias": (inner,),
    }
    shapes |= _convolution(f"{name}.conv3", inner, out)
    return shapes | (_convolution(f"{name}.downsample", channels, out) if channels != out else {})


def torchreid_shapes(stem: int, first: int, second: int, third: int) -> Shapes:
    """Names and shapes of torchreid's OSNet without its classifier, from its published structure:
    7 x 7 stem, three stages of two blocks, a 1 x 1 convolution after each, and a layer to 512."""
    shapes = _convolution("conv1", 3, stem, 7)
    before = stem
    for stage, out in (("conv2", first), ("conv3", second), ("conv4", third)):
        shapes |= _block(f"{stage}.0", before, out) | _block(f"{stage}.1", out, out)
        before = out
    shapes |= _convolution("conv2.2.0", first, first) | _convolution("conv3.2.0", second, second)
    shapes |= _convolution("conv5", third, third)
    return shapes | {"fc.0.weight": (512, third), "fc.0.bias": (512,)} | _norm("fc.1", 512)


@pytest.mark.parametrize("name", CHANNELS)
def test_osnet_has_the_names_and_shapes_of_torchreid(name: str) -> None:
    network = OsNet(name)
    state = network.state_dict() | OsnetPooling(network.channels).state_dict()
    assert {key: tuple(tensor.shape) for key, tensor in state.items()} == torchreid_shapes(
        *CHANNELS[name]
    )


@pytest.mark.parametrize(("name", "millions"), [("osnet_x0_25", 0.20), ("osnet_x1_0", 2.17)])
def test_osnet_has_as_many_parameters_as_published(name: str, millions: float) -> None:
    network = OsNet(name)
    parts = (network, OsnetPooling(network.channels))
    count = sum(weight.numel() for part in parts for weight in part.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.005)


def test_ibn_is_in_the_first_three_stages_and_has_the_public_names() -> None:
    names = ResNet50(ibn=True).net.state_dict().keys()
    normed = {name for name in names if ".bn1.IN." in name}
    assert len(normed) == 2 * (3 + 4 + 6)
    assert {"layer1.0.bn1.IN.weight", "layer3.5.bn1.BN.running_var"} <= names
    assert "layer4.0.bn1.weight" in names


def test_half_of_the_channels_forget_the_light_of_a_picture() -> None:
    norm = InstanceBatchNorm(4).eval()
    maps = torch.rand(1, 4, 8, 8)
    darker, brighter = norm(maps), norm(3 * maps + 1)
    torch.testing.assert_close(brighter[:, :2], darker[:, :2], atol=1e-3, rtol=1e-3)
    assert (brighter[:, 2:] - darker[:, 2:]).abs().min() > 0.5


def test_non_local_block_starts_as_the_identity() -> None:
    block, maps = NonLocal(8).eval(), torch.randn(2, 8, 4, 2)
    assert torch.equal(block(maps), maps)


def test_non_local_block_by_a_naive_loop() -> None:
    torch.manual_seed(0)
    block, maps = NonLocal(4).eval(), torch.randn(1, 4, 3, 2)
    nn.init.ones_(block.bn.weight)
    theta, phi, values = (each(maps)[0].flatten(1) for each in (block.theta, block.phi, block.g))
    seen = torch.zeros(2, 6)
    for i in range(6):
        for j in range(6):
            seen[:, i] += (theta[:, i] @ phi[:, j]) * values[:, j] / 6
    expected = maps + block.bn(block.w(seen.reshape(1, 2, 3, 2)))
    torch.testing.assert_close(block(maps), expected)


def test_non_local_resnet_starts_as_the_plain_one() -> None:
    torch.manual_seed(0)
    plain, extended = ResNet50().eval(), ResNet50(non_local=True).eval()
    extended.net.load_state_dict(plain.net.state_dict())
    images = torch.randn(1, 3, 64, 32)
    assert set(extended.non_local) == {"layer2_2", "layer2_3", "layer3_3", "layer3_4", "layer3_5"}
    with torch.inference_mode():
        assert torch.equal(extended(images), plain(images))


def test_patches_of_a_vit_lie_where_they_came_from() -> None:
    """The map of a ViT without its layers is the patches' embedding, class token left out."""
    network = VisionTransformer("vit_small_patch16_224", (64, 32)).eval()
    network.net.blocks, network.net.norm = nn.Identity(), nn.Identity()
    nn.init.zeros_(network.net.pos_embed)
    images = torch.randn(1, 3, 64, 32)
    with torch.inference_mode():
        positive, negative = network(images).chunk(2, dim=1)
        expected = network.net.patch_embed.proj(images)
    assert positive.shape[-2:] == (4, 2)
    torch.testing.assert_close(positive - negative, expected)
