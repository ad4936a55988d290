"""The frozen teachers of a recipe: model files, run once over every frame."""

import math
import shutil
from collections.abc import Iterable, Sequence
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
from pipeline.reid.training.arrays import save_array
from pipeline.reid.training.deadline import Deadline, OutOfTimeError, Watch
from pipeline.reid.training.distillation import Distillation, NoTeacher
from pipeline.reid.training.recipe import Recipe, Teacher
from pipeline.reid.video_encoder import VideoEncoder, normalised
from pipeline.reid.weights import load_encoder
from pipeline.types import CROP_HEIGHT_PX, CROP_WIDTH_PX, FloatArray, ImageArray

EMBEDDINGS: Final = "teacher.npy"
CLASSIFIER: Final = "classifier.safetensors"
CROPS_AT_ONCE: Final = 32
CLIPS_A_PART: Final = 500
"""Embedded before it looks at the clock."""


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


def make_teacher(
    recipe: Recipe, source: ClipSource, folder: Path, deadline: Deadline, watch: Watch
) -> Distillation | NoTeacher:
    """What the recipe's teachers make of every frame of a source; kept in a folder.

    Raises:
        WeightsError: A teacher's file is missing, unreadable or no such model.
        SettingsError: Its logits are to be followed and it has no classifier of these people.
        OutOfTimeError: The deadline came first; what is done is kept.
    """
    teacher = recipe.teacher
    if teacher is None:
        return NoTeacher()
    kept = folder / EMBEDDINGS
    if not kept.exists():
        _embed_all(teacher, source, kept, deadline, watch)
    embeddings: FloatArray = np.load(kept, mmap_mode="r")
    people = len(np.unique(source.identities))
    offsets = np.cumsum(source.lengths) - source.lengths
    classifier = _classifier(teacher, people, embeddings.shape[1])
    return Distillation(teacher, embeddings, offsets, classifier, recipe.encoder.dimension)


def _embed_all(
    teacher: Teacher, source: ClipSource, kept: Path, deadline: Deadline, watch: Watch
) -> None:
    """Embed part after part, each put down when it is done."""
    models = [_model(path, teacher) for path in teacher.weights]
    count = len(source.lengths)
    folder = kept.with_suffix("")
    groups = [
        range(first, min(first + CLIPS_A_PART, count)) for first in range(0, count, CLIPS_A_PART)
    ]
    parts = {folder / f"{clips.start}-{clips.stop}.npy": clips for clips in groups}
    for part, clips in parts.items():
        watch("teacher", clips.start, count)
        if part.exists():
            continue
        if deadline.is_over:
            raise OutOfTimeError
        save_array(part, embed_frames(models, source, clips))
    save_array(kept, np.concatenate([np.load(part) for part in parts]))
    shutil.rmtree(folder)


def embed_frames(
    models: Sequence[FrameModel], source: ClipSource, clips: Iterable[int]
) -> FloatArray:
    """Unit vectors (frames of all these clips, T), clip after clip: what models make of a frame.

    Several count alike: T is the sum of their dimensions, and a cosine the mean of their cosines.
    """
    crops = np.concatenate([source.read(c, np.arange(source.lengths[c])) for c in clips])
    starts = range(0, len(crops), CROPS_AT_ONCE)
    seen = [
        np.concatenate([model.embed(crops[start : start + CROPS_AT_ONCE]) for start in starts])
        for model in models
    ]
    return np.asarray(np.concatenate(seen, axis=1) / math.sqrt(len(models)), np.float32)


def save_classifier(path: Path, classifier: nn.Linear, scale: float) -> None:
    """Put down what the encoder told people apart by, for students of it.

    Args:
        path: The file.
        classifier: A row a person, for what comes out of the neck.
        scale: Usual length of that: what unit vectors are to be multiplied by.
    """
    rows = classifier.weight.detach().cpu() * scale
    save_file({"classifier": rows.contiguous()}, path)


def _model(path: Path, teacher: Teacher) -> FrameModel:
    if path.suffix == ".safetensors":
        return EncoderFrames(load_encoder(path))
    return FileFrames(OpenVinoBackbone(ReidSettings(weights=str(path), input=teacher.input)))


def _classifier(teacher: Teacher, people: int, dimension: int) -> Tensor:
    """Its classifier (C, T), from beside its weights; (0, T) where its logits are not wanted."""
    if not teacher.losses.logits:
        return torch.zeros((0, dimension))
    if len(teacher.weights) > 1:
        raise SettingsError(
            f"teacher.losses.logits: expected one teacher, got {len(teacher.weights)}"
        )
    path = teacher.weights[0].parent / CLASSIFIER
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
