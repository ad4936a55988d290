"""Encoders: what was seen of tracklets to embeddings, in two steps.

Crops become frame vectors; the frame vectors of one person become the embedding. Between the two a
tracklet may be split. Frame vectors may have any length, and are for `pooled` alone: what compares
people crop by crop are looks, of which each is the embedding of a clip of one frame.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, Protocol

import numpy as np
import torch
from torch.nn.functional import normalize

from pipeline.reid.temporal.consensus import Consensus
from pipeline.types import (
    Appearance,
    BoolArray,
    Clip,
    Embedding,
    EncoderIdentity,
    FloatArray,
    FrameEmbeddings,
    ImageArray,
    NoEmbedding,
)

NO_CROPS: Final = np.zeros((0, 0, 0, 3), np.uint8)
NO_FRAMES: Final = np.zeros((0, 0), np.float32)


class Networks(Protocol):
    """What computes the two steps; threads may share it."""

    def frames(self, clips: Sequence[ImageArray], /) -> list[FloatArray]:
        """Frame vectors (K, F) of each clip of crops (K, 256, 128, 3) uint8 BGR, K >= 1.

        Those of a clip are the same to the last bit whatever the other clips are.
        """
        ...

    def clips(self, frames: FloatArray, present: BoolArray, /) -> FloatArray:
        """Unit vectors (B, D) of frame vectors (B, K, F), of which those `present` (B, K) are."""
        ...


class Backbone(Protocol):
    """Turns crops into frame embeddings."""

    name: str
    sha256: str
    dimension: int

    def embed(self, crops: ImageArray) -> FloatArray:
        """Unit vectors (N, D) of crops (N, 256, 128, 3) uint8 BGR."""
        ...


class BackboneNetworks:
    """A frozen backbone, of whose frame embeddings the mean is taken, weighted by consensus."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone

    def frames(self, clips: Sequence[ImageArray]) -> list[FloatArray]:
        """Unit vectors (K, D) of each clip, which is a batch of its own."""
        return [self._backbone.embed(crops) for crops in clips]

    def clips(self, frames: FloatArray, present: BoolArray) -> FloatArray:
        """Unit vectors (B, D)."""
        return consensus(frames, present)


class ClipEncoder:
    """Encodes clips of pixels.

    Args:
        networks: What computes.
        identity: The encoder's name, hash and dimension.
    """

    def __init__(self, networks: Networks, identity: EncoderIdentity) -> None:
        self.networks = networks
        self.identity = identity

    def frames(self, appearances: Sequence[Appearance]) -> list[FloatArray]:
        """Frame vectors (K, F) of each one's crops; (0, 0) where there are none."""
        clips = [seen.crops if isinstance(seen, Clip) else NO_CROPS for seen in appearances]
        vectors = iter(self.networks.frames([crops for crops in clips if len(crops)]))
        return [next(vectors) if len(crops) else NO_FRAMES for crops in clips]

    def looks(self, frames: FloatArray) -> FloatArray:
        """Unit vectors (K, D) that compare people: each frame vector (F,) as a clip of its own."""
        if len(frames) == 0:
            return NO_FRAMES
        return self.networks.clips(frames[:, None], np.ones((len(frames), 1), np.bool_))

    def pooled(self, frames: FloatArray) -> Embedding | NoEmbedding:
        """The embedding of the frame vectors (K, F) of one clip; none where K is 0."""
        if len(frames) == 0:
            return NoEmbedding()
        present = np.ones((1, len(frames)), np.bool_)
        return Embedding(self.networks.clips(frames[None], present)[0], self.identity)

    def embed(self, crops: ImageArray) -> FloatArray:
        """Unit vectors (N, D) that compare people, of crops (N, 256, 128, 3), N >= 1."""
        return self.looks(self.networks.frames([crops])[0])

    def encode(self, appearance: Appearance) -> Embedding | NoEmbedding:
        """The embedding of a clip; none where the clip is empty or there are no pixels."""
        return self.pooled(self.frames([appearance])[0])


class RecordedEncoder:
    """Pools frame embeddings that were recorded with the detections or tracks of a site.

    Args:
        site: Name of the site: embeddings recorded for different sites are not compared.
    """

    def __init__(self, site: str) -> None:
        self.name = f"recorded-{site}"
        self.sha256 = hashlib.sha256(self.name.encode()).hexdigest()

    def frames(self, appearances: Sequence[Appearance]) -> list[FloatArray]:
        """Recorded frame embeddings (K, D) at unit length; (0, 0) where none were recorded."""
        return [
            _unit(seen.vectors) if isinstance(seen, FrameEmbeddings) else NO_FRAMES
            for seen in appearances
        ]

    def looks(self, frames: FloatArray) -> FloatArray:
        """The same."""
        return frames

    def pooled(self, frames: FloatArray) -> Embedding | NoEmbedding:
        """The embedding of frame embeddings (K, D); none where K is 0."""
        if len(frames) == 0:
            return NoEmbedding()
        vector = consensus(frames[None], np.ones((1, len(frames)), np.bool_))[0]
        return Embedding(vector, EncoderIdentity(self.name, self.sha256, len(vector)))


@torch.inference_mode()
def consensus(frames: FloatArray, present: BoolArray) -> FloatArray:
    """Means at unit length (B, D) of unit vectors (B, K, D), weighted by what most agree on."""
    # Arrays of values that flow are read-only, which torch warns of: hence copies.
    pooled, _ = Consensus()(torch.tensor(frames), torch.tensor(present))
    return np.asarray(normalize(pooled, dim=-1).numpy(), np.float32)


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
