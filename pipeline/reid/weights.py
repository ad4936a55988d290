"""Weights files: ours, with the settings inside, and public ones that a backbone starts from.

Nothing is unpickled but tensors.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from timm.layers import resample_abs_pos_embed
from torch import Tensor, nn

from pipeline.errors import WeightsError
from pipeline.reid.osnet import CHANNELS
from pipeline.reid.settings import TORCHREID_DIMENSION, BackboneName, EncoderSettings
from pipeline.reid.video_encoder import VideoEncoder

SETTINGS_KEY: Final = "video-encoder"
"""The one entry of a file's metadata; with more, the order of the bytes would be left to chance."""
POSITIONS: Final = "pos_embed"
COUNTER: Final = "num_batches_tracked"

State = Mapping[str, Tensor]


def save_encoder(path: Path, encoder: VideoEncoder) -> None:
    """Write an encoder as safetensors, its settings in the metadata; the same bytes every time.

    What is there is replaced only when the new file is whole.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.cpu().contiguous() for name, tensor in encoder.state_dict().items()}
    partial = path.with_name(f"{path.name}.partial")
    # `save_file` would make it readable by its owner alone.
    partial.write_bytes(save(state, {SETTINGS_KEY: encoder.settings.model_dump_json()}))
    partial.replace(path)


def load_encoder(path: Path) -> VideoEncoder:
    """The encoder of a file of `save_encoder`, on the CPU and ready to encode.

    Raises:
        WeightsError: The file is missing, damaged or not one of ours.
    """
    _expect_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        settings = EncoderSettings.model_validate_json(metadata[SETTINGS_KEY])
        state = load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path}: expected a safetensors file: {_line(error)}") from None
    except KeyError:
        raise WeightsError(
            f"{path}: expected the weights of a video encoder: no settings"
        ) from None
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise WeightsError(f"{path}: settings of the encoder: {place}: {problem['msg']}") from None
    encoder = VideoEncoder(settings)
    _fill(encoder, state, path)
    return encoder.eval()


def weights_hash(path: Path) -> str:
    """SHA-256 of a weights file: 64 hex digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def torchreid_encoder(path: Path) -> VideoEncoder:
    """An encoder of torchreid's OSNet weights as they are, with the consensus as its head.

    Raises:
        WeightsError: The file is no OSNet x0.25 or x1.0.
    """
    stem = _public_state(path).get("conv1.conv.weight", torch.zeros(0))
    names: dict[int, BackboneName] = {CHANNELS["osnet_x0_25"][0]: "osnet_x0_25"}
    names[CHANNELS["osnet_x1_0"][0]] = "osnet_x1_0"
    if len(stem) not in names:
        raise WeightsError(f"{path}: expected the weights of torchreid's osnet_x0_25 or osnet_x1_0")
    encoder = VideoEncoder(
        EncoderSettings(
            backbone=names[len(stem)],
            pooling="torchreid",
            head="consensus",
            dimension=TORCHREID_DIMENSION,
        )
    )
    load_backbone(encoder, path)
    return encoder.eval()


def load_backbone(encoder: VideoEncoder, path: Path) -> None:
    """Start an encoder's backbone from public weights: torchreid's, torchvision's or timm's.

    Layers that the backbone does not have, as a classifier, are left out. Positions of a ViT are
    resampled to the encoder's size.

    Args:
        encoder: To be filled; with the pooling torchreid, its fully connected layer too.
        path: A state dict as `.safetensors`, or as `.pth` that holds nothing but tensors.

    Raises:
        WeightsError: The file is missing, unreadable or of another network.
    """
    state = _public_state(path)
    network: Any = getattr(encoder.backbone, "net", encoder.backbone)
    if POSITIONS in state and hasattr(network, "patch_embed"):
        grid = list(network.patch_embed.grid_size)
        state[POSITIONS] = resample_abs_pos_embed(state[POSITIONS], new_size=grid)
    _fill(network, state, path)
    if encoder.settings.pooling == "torchreid" and encoder.settings.head != "drsa":
        _fill(encoder.pooling, state, path)


def _public_state(path: Path) -> dict[str, Tensor]:
    """Tensors by name: of a state dict, or of a checkpoint that has one inside."""
    _expect_file(path)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
        content = content.get("state_dict", content)
        return {name.removeprefix("module."): tensor for name, tensor in content.items()}
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        raise WeightsError(f"{path}: expected a state dict: {_line(error)}") from None


def _fill(module: nn.Module, state: State, path: Path) -> None:
    """Put into a module what the file has for it; all of its tensors must be there.

    Counters of batches may be missing: older files have none.
    """
    wanted = module.state_dict()
    for name, tensor in wanted.items():
        if name not in state:
            if name.endswith(COUNTER):
                continue
            raise WeightsError(f"{path}: weights of another network: {name} is missing")
        if state[name].shape != tensor.shape:
            raise WeightsError(
                f"{path}: weights of another network: {name}: expected {tuple(tensor.shape)},"
                f" got {tuple(state[name].shape)}"
            )
    module.load_state_dict({name: state.get(name, tensor) for name, tensor in wanted.items()})


def _expect_file(path: Path) -> None:
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")


def _line(error: Exception) -> str:
    """The first line of a message, not too long."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__
