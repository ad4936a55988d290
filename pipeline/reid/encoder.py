"""The video encoder: a tracklet's clip, or its recorded frame embeddings, to one embedding."""

import hashlib
from typing import Final, Protocol

import numpy as np
import torch

from pipeline.reid.temporal.lstm_attention import LstmAttentionHead
from pipeline.types import (
    Appearance,
    Clip,
    Embedding,
    EncoderIdentity,
    FloatArray,
    FrameEmbeddings,
    ImageArray,
    NoEmbedding,
)

NO_FRAMES: Final = np.zeros((0, 0), np.float32)


class Backbone(Protocol):
    """Turns crops into frame embeddings."""

    name: str
    sha256: str
    dimension: int

    def embed(self, crops: ImageArray) -> FloatArray:
        """Unit vectors (N, D) of crops (N, 256, 128, 3) uint8 BGR."""
        ...


class ClipEncoder:
    """Encodes clips of pixels: backbone, then temporal head.

    One clip is one batch, so that its embedding does not depend on which other tracklets happen to
    close at the same time.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._head = LstmAttentionHead(backbone.dimension).eval()
        self.identity = EncoderIdentity(backbone.name, backbone.sha256, backbone.dimension)

    def frames(self, appearance: Appearance) -> FloatArray:
        """Unit vectors (K, D) of a clip's crops; (0, 0) where there are none."""
        if not isinstance(appearance, Clip) or len(appearance.crops) == 0:
            return NO_FRAMES
        return self._backbone.embed(appearance.crops)

    def pooled(self, frames: FloatArray) -> Embedding | NoEmbedding:
        """The embedding of the frame embeddings (K, D) of one clip; none where K is 0."""
        if len(frames) == 0:
            return NoEmbedding()
        return Embedding(pool(self._head, frames), self.identity)

    def encode(self, appearance: Appearance) -> Embedding | NoEmbedding:
        """The embedding of a clip; none where the clip is empty or there are no pixels."""
        return self.pooled(self.frames(appearance))


class RecordedEncoder:
    """Pools frame embeddings that were recorded with the detections or tracks of a site.

    Args:
        site: Name of the site: embeddings recorded for different sites are not compared.
    """

    def __init__(self, site: str) -> None:
        self._site = site
        self._heads: dict[int, LstmAttentionHead] = {}

    def frames(self, appearance: Appearance) -> FloatArray:
        """Recorded frame embeddings (K, D) at unit length; (0, 0) where none were recorded."""
        if not isinstance(appearance, FrameEmbeddings) or len(appearance.vectors) == 0:
            return NO_FRAMES
        lengths = np.linalg.norm(appearance.vectors, axis=1, keepdims=True)
        return np.asarray(appearance.vectors / np.maximum(lengths, 1e-12), np.float32)

    def pooled(self, frames: FloatArray) -> Embedding | NoEmbedding:
        """The embedding of frame embeddings (K, D); none where K is 0."""
        if len(frames) == 0:
            return NoEmbedding()
        dimension = frames.shape[1]
        if dimension not in self._heads:
            self._heads[dimension] = LstmAttentionHead(dimension).eval()
        name = f"recorded-{self._site}"
        identity = EncoderIdentity(name, hashlib.sha256(name.encode()).hexdigest(), dimension)
        return Embedding(pool(self._heads[dimension], frames), identity)

    def encode(self, appearance: Appearance) -> Embedding | NoEmbedding:
        """The embedding of recorded frame embeddings; none where none were recorded."""
        return self.pooled(self.frames(appearance))


def pool(head: LstmAttentionHead, frames: FloatArray) -> FloatArray:
    """One unit vector (D,) of the frame embeddings (K, D) of one clip."""
    with torch.inference_mode():
        tensor = torch.from_numpy(np.array(frames))[None]  # (1, K, D)
        pooled = head(tensor, torch.ones(tensor.shape[:2], dtype=torch.bool))
    return np.asarray(pooled[0].numpy(), np.float32)
