"""The frozen teacher of a recipe: a model file, run once over every frame."""

from pathlib import Path
from typing import Final, Protocol

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from pipeline.config import ReidSettings
from pipeline.errors import SettingsError, WeightsError
from pipeline.reid.backbone import OpenVinoBackbone
from pipeline.reid.datasets.records import ClipSource
from pipeline.reid.datasets.sources import resized
from pipeline.reid.training.distillation import Distillation, NoTeacher
from pipeline.reid.training.recipe import Recipe, Teacher
from pipeline.reid.video_encoder import VideoEncoder, normalised
from pipeline.reid.weights import load_encoder
from pipeline.types import CROP_HEIGHT_PX, CROP_WIDTH_PX, FloatArray, ImageArray

EMBEDDINGS: Final = "teacher.npy"
CLASSIFIER: Final = "classifier.safetensors"
CROPS_AT_ONCE: Final = 32


class FrameModel(Protocol):
    """Turns crops into embeddings."""

    def embed(self, crops: ImageArray) -> FloatArray:
        """Unit vectors (N, T) of crops (N, H, W, 3) uint8 BGR."""
        ...


class EncoderFrames:
    """An encoder of ours, of which each crop is a clip of one frame."""

    def __init__(self, encoder: VideoEncoder) -> None:
        self._encoder = encoder.eval()

    @torch.inference_mode()
    def embed(self, crops: ImageArray) -> FloatArray:
        """Unit vectors (N, D)."""
        pixels = normalised(torch.from_numpy(crops), self._encoder.settings.size)
        present = torch.ones((len(crops), 1), dtype=torch.bool)
        return np.asarray(self._encoder.embed(pixels[:, None], present).numpy(), np.float32)


class FileFrames:
    """An ONNX or OpenVINO file."""

    def __init__(self, backbone: OpenVinoBackbone) -> None:
        self._backbone = backbone

    def embed(self, crops: ImageArray) -> FloatArray:
        """Unit vectors (N, T)."""
        return self._backbone.embed(resized(crops, (CROP_HEIGHT_PX, CROP_WIDTH_PX)))


def make_teacher(recipe: Recipe, source: ClipSource, folder: Path) -> Distillation | NoTeacher:
    """What the recipe's teacher makes of every frame of a source; kept in a folder.

    Raises:
        WeightsError: The teacher's file is missing, unreadable or no such model.
        SettingsError: Its logits are to be followed and it has no classifier of these people.
    """
    teacher = recipe.teacher
    if teacher is None:
        return NoTeacher()
    kept = folder / EMBEDDINGS
    if not kept.exists():
        partial = kept.with_name(f"partial-{EMBEDDINGS}")
        np.save(partial, embed_frames(_model(teacher), source))
        partial.replace(kept)
    embeddings: FloatArray = np.load(kept, mmap_mode="r")
    people = len(np.unique(source.identities))
    offsets = np.cumsum(source.lengths) - source.lengths
    classifier = _classifier(teacher, people, embeddings.shape[1])
    return Distillation(teacher, embeddings, offsets, classifier, recipe.encoder.dimension)


def embed_frames(model: FrameModel, source: ClipSource) -> FloatArray:
    """Unit vectors (frames of all clips, T), clip after clip."""
    rows = []
    for clip, length in enumerate(source.lengths.tolist()):
        for start in range(0, length, CROPS_AT_ONCE):
            frames = np.arange(start, min(start + CROPS_AT_ONCE, length))
            rows.append(model.embed(source.read(clip, frames)))
    return np.concatenate(rows)


def save_classifier(path: Path, classifier: nn.Linear, scale: float) -> None:
    """Put down what the encoder told people apart by, for students of it.

    Args:
        path: The file.
        classifier: A row a person, for what comes out of the neck.
        scale: Usual length of that: what unit vectors are to be multiplied by.
    """
    rows = classifier.weight.detach().cpu() * scale
    save_file({"classifier": rows.contiguous()}, path)


def _model(teacher: Teacher) -> FrameModel:
    if teacher.weights.suffix == ".safetensors":
        return EncoderFrames(load_encoder(teacher.weights))
    return FileFrames(
        OpenVinoBackbone(ReidSettings(weights=str(teacher.weights), input=teacher.input))
    )


def _classifier(teacher: Teacher, people: int, dimension: int) -> Tensor:
    """Its classifier (C, T), from beside its weights; (0, T) where its logits are not wanted."""
    if not teacher.losses.logits:
        return torch.zeros((0, dimension))
    path = teacher.weights.parent / CLASSIFIER
    try:
        rows = load_file(path)["classifier"]
    except (OSError, KeyError, SafetensorError):
        raise WeightsError(f"{path}: expected the classifier of the teacher") from None
    if tuple(rows.shape) != (people, dimension):
        raise SettingsError(
            f"teacher.losses.logits: expected a teacher of the same {people} people, got one of"
            f" {len(rows)}"
        )
    return rows
