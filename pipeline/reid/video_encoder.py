"""The video encoder in torch: crops of a clip in, one embedding out.

    maps = backbone(crops), x_t = pooling(maps_t), f = head(x_1 .. x_K), embedding = unit(BN(f))

Frames that a clip does not have are never computed, so that they reach no batch statistics.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, normalize

from pipeline.reid.backbones import build_backbone
from pipeline.reid.pooling import BnNeck, make_pooling
from pipeline.reid.settings import EncoderSettings
from pipeline.reid.temporal.cosegmentation import common_regions
from pipeline.reid.temporal.heads import make_head
from pipeline.types import FloatArray, ImageArray

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
CROPS_AT_ONCE = 64
"""Crops of a batch of `embed_clips`: bounds its memory; larger ones gain nothing on a CPU."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the encoder makes of a batch of clips.

    Attributes:
        embedding: (B, D) f, before the neck: what metric losses compare.
        neck: (B, D) after the neck's batch normalisation, not of unit norm: what a classifier sees.
        frames: (B, K, F) frame vectors, zero where absent; F = D but for the head agw.
        weights: (B, K) how much each frame counts: sums to 1 a clip, 0 where absent.
        penalty: () what the encoder itself wants small: the overlap of drsa's attentions; else 0.
    """

    embedding: Tensor
    neck: Tensor
    frames: Tensor
    weights: Tensor
    penalty: Tensor


class VideoEncoder(nn.Module):
    """Backbone, pooling, temporal head and neck, as the settings say.

    Attributes:
        settings: What it was made of.
        frame_dimension: Length F of frame vectors.
    """

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.settings = settings
        self.backbone = build_backbone(settings.backbone, settings.size)
        self.pooling = make_pooling(settings, self.backbone.channels)
        self.frame_dimension = self.pooling.dimension
        self.head = make_head(settings.head, self.frame_dimension, settings.dimension)
        self.neck = BnNeck(settings.dimension)

    def frame_vectors(self, crops: Tensor) -> Tensor:
        """Frame vectors (N, F) of normalised crops (N, 3, H, W), each for itself."""
        vectors: Tensor = self.pooling(self.backbone(crops))
        return vectors

    def aggregate(self, frames: Tensor, present: Tensor) -> Encoded:
        """From frame vectors (B, K, F) and which of them there are, (B, K) bool, to embeddings.

        Each clip has at least one frame, and absent frames come last.
        """
        embedding, weights = self.head(frames, present)
        return Encoded(embedding, self.neck(embedding), frames, weights, frames.new_zeros(()))

    def forward(self, crops: Tensor, present: Tensor) -> Encoded:
        """Of clips (B, K, 3, H, W) of normalised crops; `present` as for `aggregate`."""
        return self.encode(crops[present], present)

    def encode(self, crops: Tensor, present: Tensor) -> Encoded:
        """Of the crops (n, 3, H, W) of all clips in a row, `present` (B, K) with n frames."""
        maps: Tensor = self.backbone(crops)  # (n, C, h, w)
        if self.settings.head == "cosam":
            maps = maps * common_regions(scattered(maps, present), present)[present][:, None]
        frames = scattered(self.pooling(maps), present)
        return replace(self.aggregate(frames, present), penalty=self.pooling.penalty(maps))

    def embed(self, crops: Tensor, present: Tensor) -> Tensor:
        """Unit vectors (B, D): what is stored and compared."""
        return normalize(self.encode(crops[present], present).neck, dim=-1)


def scattered(rows: Tensor, present: Tensor) -> Tensor:
    """Rows (n, ...) put to where `present` (B, K) is true, zeros elsewhere: (B, K, ...)."""
    placed = rows.new_zeros((*present.shape, *rows.shape[1:]))
    placed[present] = rows
    return placed


def normalised(crops: Tensor, size: tuple[int, int]) -> Tensor:
    """The network's input (N, 3, *size) float32 RGB of crops (N, H, W, 3) uint8 BGR.

    The one place where pixels are resized and brought to ImageNet's mean and deviation, for
    training and inference alike.
    """
    images = crops.flip(-1).permute(0, 3, 1, 2).float()
    if images.shape[-2:] != size:
        images = interpolate(images, size, mode="bilinear", antialias=True)
    mean = images.new_tensor(IMAGENET_MEAN)[:, None, None]
    deviation = images.new_tensor(IMAGENET_STD)[:, None, None]
    return (images / 255 - mean) / deviation


@torch.inference_mode()
def embed_clips(encoder: VideoEncoder, clips: Sequence[ImageArray]) -> FloatArray:
    """Unit vectors (N, D) of clips of K_i >= 1 crops (K_i, H, W, 3) uint8 BGR, in their order.

    Clips of any lengths go together, `CROPS_AT_ONCE` crops at a time; only a clip that is longer
    by itself takes more. On a GPU the network runs in half precision. Leaves the encoder in
    evaluation mode.
    """
    encoder.eval()
    device = next(encoder.parameters()).device
    rows = np.zeros((len(clips), encoder.settings.dimension), np.float32)
    for batch in _batches([len(clip) for clip in clips]):
        lengths = torch.tensor([len(clips[index]) for index in batch])
        present = (torch.arange(int(lengths.max())) < lengths[:, None]).to(device)
        pixels = torch.tensor(np.concatenate([clips[index] for index in batch]), device=device)
        with torch.autocast(device.type, torch.float16, enabled=device.type == "cuda"):
            encoded = encoder.encode(normalised(pixels, encoder.settings.size), present)
        rows[batch] = normalize(encoded.neck.float(), dim=-1).cpu().numpy()
    return rows


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Positions of clips that go together: of like lengths, so that little is padded."""
    batch: list[int] = []
    crops = 0
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and crops + lengths[position] > CROPS_AT_ONCE:
            yield batch
            batch, crops = [], 0
        batch.append(position)
        crops += lengths[position]
    if batch:
        yield batch
