"""Weights files: what is written comes back, and what does not fit is named in one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from pipeline.errors import WeightsError
from pipeline.reid.osnet import CHANNELS, OsNet
from pipeline.reid.pooling import OsnetPooling
from pipeline.reid.settings import BackboneName, EncoderSettings
from pipeline.reid.video_encoder import VideoEncoder, embed_clips
from pipeline.reid.weights import (
    SETTINGS_KEY,
    load_backbone,
    load_encoder,
    save_encoder,
    torchreid_encoder,
    weights_hash,
)

SMALL = EncoderSettings(
    backbone="mobilenetv4_conv_small_050", dimension=16, height_px=64, width_px=32
)
CROPS = np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    torch.manual_seed(0)
    return VideoEncoder(SMALL).eval()


@pytest.fixture(scope="module")
def saved(encoder: VideoEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "small.safetensors"
    save_encoder(path, encoder)
    return path


def test_encoder_comes_back(encoder: VideoEncoder, saved: Path) -> None:
    loaded = load_encoder(saved)
    assert loaded.settings == SMALL
    assert not loaded.training
    assert not loaded.neck.bias.requires_grad
    np.testing.assert_array_equal(embed_clips(loaded, [CROPS]), embed_clips(encoder, [CROPS]))


def test_the_same_encoder_gives_the_same_bytes(
    encoder: VideoEncoder, saved: Path, tmp_path: Path
) -> None:
    again = tmp_path / "deep" / "again.safetensors"
    save_encoder(again, encoder)
    assert weights_hash(again) == weights_hash(saved)
    assert [path.name for path in again.parent.iterdir()] == ["again.safetensors"]


def _wrong_files(saved: Path, folder: Path) -> dict[str, Path]:
    """Name to path of files that are no encoder of ours."""
    state = load_file(saved)
    settings = SMALL.model_dump()

    def write(name: str, tensors: dict[str, Tensor], metadata: dict[str, str]) -> Path:
        save_file(tensors, folder / name, metadata=metadata)
        return folder / name

    def ours(**changes: str | int) -> dict[str, str]:
        return {SETTINGS_KEY: json.dumps(settings | changes)}

    noise = folder / "noise.safetensors"
    noise.write_bytes(b"noise" * 100)
    return {
        "missing": folder / "missing.safetensors",
        "noise": noise,
        "foreign": write("foreign.safetensors", state, {"format": "pt"}),
        "unknown": write("unknown.safetensors", state, ours(backbone="alexnet")),
        "narrow": write("narrow.safetensors", state, ours(dimension=32)),
        "partial": write("partial.safetensors", {"neck.weight": state["neck.weight"]}, ours()),
    }


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("missing", "no such file"),
        ("noise", "expected a safetensors file"),
        ("foreign", "expected the weights of a video encoder: no settings"),
        ("unknown", "settings of the encoder: backbone: Input should be"),
        ("narrow", r"another network: .*: expected \(.*\), got"),
        ("partial", "another network: .* is missing"),
    ],
)
def test_wrong_files_are_named(saved: Path, tmp_path: Path, kind: str, expected: str) -> None:
    path = _wrong_files(saved, tmp_path)[kind]
    with pytest.raises(WeightsError, match=expected) as caught:
        load_encoder(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def _torchreid_state(name: str) -> dict[str, Tensor]:
    """As published: without counters of batches, with a classifier."""
    torch.manual_seed(0)
    network = OsNet(name)
    state = network.state_dict() | OsnetPooling(network.channels).state_dict()
    state = {key: value for key, value in state.items() if "num_batches" not in key}
    return state | {"classifier.weight": torch.zeros(751, 512), "classifier.bias": torch.zeros(751)}


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.parametrize("is_checkpoint", [False, True])
def test_torchreid_weights_make_an_encoder(
    tmp_path: Path, name: BackboneName, is_checkpoint: bool
) -> None:
    state = _torchreid_state(name)
    content = {"state_dict": {f"module.{key}": value for key, value in state.items()}, "epoch": 3}
    torch.save(content if is_checkpoint else state, tmp_path / "osnet.pth")
    encoder = torchreid_encoder(tmp_path / "osnet.pth")
    assert encoder.settings.backbone == name
    assert torch.equal(
        encoder.backbone.state_dict()["conv5.conv.weight"], state["conv5.conv.weight"]
    )
    assert torch.equal(encoder.pooling.state_dict()["fc.0.weight"], state["fc.0.weight"])


def test_other_networks_are_no_torchreid_weights(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "resnet.pth")
    with pytest.raises(WeightsError, match=r"expected the weights of torchreid's osnet_x0_25 or"):
        torchreid_encoder(tmp_path / "resnet.pth")


class _Attack:
    """Unpickling it would write a file."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._target,)


def test_nothing_is_unpickled_but_tensors(tmp_path: Path) -> None:
    torch.save({"conv1.conv.weight": _Attack(tmp_path / "touched")}, tmp_path / "bad.pth")
    with pytest.raises(WeightsError, match=r"bad\.pth: expected a state dict"):
        torchreid_encoder(tmp_path / "bad.pth")
    assert not (tmp_path / "touched").exists()


def test_backbone_starts_from_timm_weights(encoder: VideoEncoder, tmp_path: Path) -> None:
    """Heads that the backbone does not have are left out; what it has must all be there."""
    state = {name: tensor.clone() for name, tensor in encoder.backbone.net.state_dict().items()}
    state["conv_stem.weight"] += 1
    save_file(state | {"classifier.weight": torch.zeros(3, 3)}, tmp_path / "timm.safetensors")
    fresh = VideoEncoder(SMALL)
    load_backbone(fresh, tmp_path / "timm.safetensors")
    assert torch.equal(fresh.backbone.net.conv_stem.weight, state["conv_stem.weight"])
    del state["bn1.weight"]
    save_file(state, tmp_path / "timm.safetensors")
    with pytest.raises(WeightsError, match=r"bn1\.weight is missing"):
        load_backbone(fresh, tmp_path / "timm.safetensors")


def test_positions_of_a_vit_are_resampled(tmp_path: Path) -> None:
    """Of 14 x 14 patches and a class token to 4 x 2: equal ones stay equal."""
    settings = EncoderSettings(backbone="vit_small_patch16_224", height_px=64, width_px=32)
    encoder = VideoEncoder(settings)
    network = encoder.backbone.net
    positions = torch.full((1, 1 + 14 * 14, 384), 0.5)
    torch.save(network.state_dict() | {"pos_embed": positions}, tmp_path / "vit.pth")
    load_backbone(encoder, tmp_path / "vit.pth")
    torch.testing.assert_close(network.pos_embed.data, torch.full((1, 1 + 8, 384), 0.5))
