"""The encoder that a site's settings name."""

from dataclasses import replace
from pathlib import Path

import torch

from pipeline.bundled import BUNDLED, bundled_file, is_bundled
from pipeline.config import ReidSettings
from pipeline.errors import WeightsError
from pipeline.reid.backbone import OpenVinoBackbone
from pipeline.reid.encoder import BackboneNetworks, ClipEncoder
from pipeline.types import EncoderIdentity

TRAINED = ".safetensors"


def open_encoder(settings: ReidSettings, device: torch.device, cache: Path) -> ClipEncoder:
    """A trained encoder, or a frozen backbone of which the mean of the frames is taken.

    Its name is that of its file, after `bundled/` where it is one of this repository.

    Args:
        settings: Which file.
        device: Where a trained encoder is to run; a backbone runs on the CPU.
        cache: Folder that keeps what is made of a trained encoder once.

    Raises:
        WeightsError: The file is missing, unreadable, or no encoder.
    """
    if is_bundled(settings.weights):
        path = bundled_file("reid", settings.weights)
        found = _open(settings.model_copy(update={"weights": str(path)}), device, cache)
        identity = replace(found.identity, name=f"{BUNDLED}/{found.identity.name}")
        return ClipEncoder(found.networks, identity)
    return _open(settings, device, cache)


def _open(settings: ReidSettings, device: torch.device, cache: Path) -> ClipEncoder:
    path = Path(settings.weights)
    if path.suffix == TRAINED:
        # What its networks are made of takes seconds to import.
        from pipeline.reid.export import open_trained

        try:
            return open_trained(path, device, cache)
        except WeightsError as error:
            raise WeightsError(f"reid.weights: {error}") from None
    backbone = OpenVinoBackbone(settings)
    identity = EncoderIdentity(backbone.name, backbone.sha256, backbone.dimension)
    return ClipEncoder(BackboneNetworks(backbone), identity)
