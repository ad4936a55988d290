"""Frame vectors of clips, computed once: what temporal heads learn from and are scored on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import torch

from pipeline.reid.corruption import KINDS, USUAL, Corruption, Kind, corrupt
from pipeline.reid.datasets.records import ClipSource
from pipeline.reid.samplers import even_frames
from pipeline.reid.video_encoder import VideoEncoder, normalised
from pipeline.types import BoolArray, FloatArray, ImageArray, IntArray

Rng = np.random.Generator
CLIPS_AT_ONCE: Final = 16
OTHERS: Final = 4
"""Clips of other people that a corruption chooses from."""
_VECTORS = 3  # tells uses of the seed apart


@dataclass(frozen=True, eq=False, slots=True)
class ClipVectors:
    """N clips of at most K frames.

    Attributes:
        vectors: (N, K, F) float32, zero where absent.
        present: (N, K) bool; absent frames come last.
        identities: (N,) who is in each.
        cameras: (N,) which camera saw it.
    """

    vectors: FloatArray
    present: BoolArray
    identities: IntArray
    cameras: IntArray


class OtherPeople:
    """Whom a clip may be confused with: others before the same camera, or anybody else.

    Args:
        identities: (N,) who is in each clip.
        cameras: (N,) which camera saw it.
    """

    def __init__(self, identities: IntArray, cameras: IntArray) -> None:
        self._identities, self._cameras = identities, cameras

    def draw(self, clip: int, rng: Rng) -> IntArray:
        """At most `OTHERS` clips of other people than that of a clip."""
        is_other = self._identities != self._identities[clip]
        beside = np.flatnonzero(is_other & (self._cameras == self._cameras[clip]))
        among = beside if len(beside) else np.flatnonzero(is_other)
        return rng.choice(among, min(OTHERS, len(among)), replace=False)


@torch.inference_mode()
def clip_vectors(
    encoder: VideoEncoder, source: ClipSource, frames: int, kinds: Sequence[Kind], seed: int
) -> ClipVectors:
    """Vectors of at most `frames` frames of every clip, spread evenly.

    Args:
        encoder: Whose backbone and pooling are used, on its device.
        source: The clips.
        frames: K.
        kinds: What befalls each clip's pictures: one of these, drawn anew for each.
        seed: Everything random follows from it, the kinds and the clip.
    """
    encoder.eval()
    device = next(encoder.parameters()).device
    others = OtherPeople(source.identities, source.cameras)
    count = len(source.identities)
    vectors = np.zeros((count, frames, encoder.frame_dimension), np.float32)
    present = presence(source, frames)
    for start in range(0, count, CLIPS_AT_ONCE):
        group = slice(start, min(start + CLIPS_AT_ONCE, count))
        pictures = [
            _picture(source, clip, frames, kinds, others, seed)
            for clip in range(group.start, group.stop)
        ]
        crops = torch.from_numpy(np.concatenate(pictures)).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            rows = encoder.frame_vectors(normalised(crops, encoder.settings.size))
        vectors[group][present[group]] = rows.float().cpu().numpy()
    return ClipVectors(vectors, present, source.identities, source.cameras)


def presence(source: ClipSource, frames: int) -> BoolArray:
    """Which of at most `frames` frames each clip has: (N, frames)."""
    return np.asarray(np.arange(frames) < np.minimum(source.lengths, frames)[:, None])


def condition_pictures(source: ClipSource, frames: int, kind: Kind, seed: int) -> list[ImageArray]:
    """The pictures of all clips in a condition, of which `of_condition` has the vectors."""
    others = OtherPeople(source.identities, source.cameras)
    clips = range(len(source.identities))
    return [_picture(source, clip, frames, (kind,), others, seed) for clip in clips]


def _picture(
    source: ClipSource,
    clip: int,
    frames: int,
    kinds: Sequence[Kind],
    others: OtherPeople,
    seed: int,
) -> ImageArray:
    """A clip's frames as they are looked at."""
    pictures = source.read(clip, even_frames(int(source.lengths[clip]), frames))
    kind, rng = _fate(kinds, clip, seed)
    if kind == "clean":
        return pictures
    beside = [
        source.read(other, even_frames(int(source.lengths[other]), frames))
        for other in others.draw(clip, rng).tolist()
    ]
    return corrupt(pictures, kind, rng, beside)[0]


def _fate(kinds: Sequence[Kind], clip: int, seed: int) -> tuple[Kind, Rng]:
    """What befalls a clip, and the chances from there on."""
    rng = np.random.default_rng([seed, _VECTORS, *map(KINDS.index, kinds), clip])
    return kinds[int(rng.integers(len(kinds)))], rng


def confused(
    clean: ClipVectors, clip: int, kind: Kind, rng: Rng, others: OtherPeople, how: Corruption
) -> FloatArray:
    """The vectors (k, F) of a clip of k frames, some of them another person's.

    As if its pictures had been changed, for each frame's vector is its own.
    """
    beside = [clean.vectors[i][clean.present[i]] for i in others.draw(clip, rng).tolist()]
    own = clean.vectors[clip][clean.present[clip]]
    mixed, _ = corrupt(cast(ImageArray, own), kind, rng, cast(list[ImageArray], beside), how)
    return cast(FloatArray, mixed)


def of_condition(clean: ClipVectors, kind: Kind, seed: int) -> ClipVectors:
    """Clips some of whose frames are another person's, by one of `wrong_frames`, `id_switch`."""
    others, vectors = OtherPeople(clean.identities, clean.cameras), clean.vectors.copy()
    for clip in range(len(vectors)):
        kind, rng = _fate((kind,), clip, seed)
        vectors[clip, clean.present[clip]] = confused(clean, clip, kind, rng, others, USUAL)
    return ClipVectors(vectors, clean.present, clean.identities, clean.cameras)
