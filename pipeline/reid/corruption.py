"""What trackers and cameras do to clips: to train against, and to measure what it costs.

The mask that comes with a corrupted clip says which frames show somebody else.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal, get_args

import cv2
import numpy as np
from pydantic import Field

from pipeline.config import Probability, Settings
from pipeline.reid.augmentation import blurred, coarse
from pipeline.reid.datasets.sources import resized
from pipeline.types import BoolArray, ImageArray, IntArray

Rng = np.random.Generator
Clips = Sequence[ImageArray] | ImageArray
Shares = tuple[Probability, Probability]
Factor = Annotated[float, Field(ge=1)]
Kind = Literal[
    "clean", "occluded", "wrong_frames", "id_switch", "blur", "low_resolution", "truncation"
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


class Corruption(Settings):
    """How bad it is; in pairs, the least and the largest."""

    occluded: Probability = Field(0.6, description="Share of the frames that something hides.")
    cover: Shares = Field((0.35, 0.7), description="Shares of height and width that it hides.")
    wrong: Probability = Field(0.3, description="Share of the frames of others; less than half.")
    switched: Probability = Field(0.45, description="Largest share that is another's, at an end.")
    blur: Shares = Field((0.01, 0.025), description="Deviation of blur as share of the height.")
    kept: Shares = Field((0.4, 0.7), description="Share of the height in a box that is cut off.")
    resolution: tuple[Factor, Factor] = Field((2, 4), description="How much frames are shrunk.")


USUAL: Final = Corruption()


def corrupt(
    frames: ImageArray,
    kind: Kind,
    rng: Rng,
    others: Clips,
    how: Corruption = USUAL,
) -> tuple[ImageArray, BoolArray]:
    """A corrupted copy of a clip.

    Args:
        frames: (K, H, W, 3) uint8, BGR.
        kind: What befalls it.
        rng: Everything random follows from it.
        others: Clips (any K, H, W, 3) of other people, for occluders and wrong frames; at least
            one where these are wanted.
        how: How bad it is.

    Returns:
        The frames, and (K,) bool: which of them show somebody else.
    """
    right = np.zeros(len(frames), np.bool_)
    match kind:
        case "clean":
            return frames.copy(), right
        case "occluded":
            return _occluded(frames, rng, others, how), right
        case "wrong_frames":
            return _with_wrong_frames(frames, rng, others, how)
        case "id_switch":
            return _switched(frames, rng, others, how)
        case "blur":
            return blurred(frames, rng.uniform(*how.blur) * frames.shape[1]), right
        case "low_resolution":
            return coarse(frames, rng.uniform(*how.resolution)), right
        case "truncation":
            return _truncated(frames, rng, how), right


def corrupt_batch(
    clips: ImageArray,
    identities: IntArray,
    rng: Rng,
    chances: Mapping[Kind, float],
    how: Corruption = USUAL,
) -> tuple[ImageArray, BoolArray]:
    """Corrupted copies of a batch of clips, which are one another's other people.

    Args:
        clips: (B, K, H, W, 3) uint8, BGR.
        identities: (B,) who is in each; at least two people.
        rng: Everything random follows from it.
        chances: How likely each kind is; what is missing to 1 is `clean`.
        how: How bad it is.

    Returns:
        The clips, and (B, K) bool: which frames show somebody else.
    """
    kinds: list[Kind] = [*chances, "clean"]
    shares = [*chances.values(), max(0.0, 1 - sum(chances.values()))]
    drawn = rng.choice(len(kinds), len(clips), p=shares)
    result, wrong = np.empty_like(clips), np.zeros(clips.shape[:2], np.bool_)
    for row, kind in enumerate(drawn.tolist()):
        others = clips[identities != identities[row]]
        result[row], wrong[row] = corrupt(clips[row], kinds[kind], rng, others, how)
    return result, wrong


def _with_wrong_frames(
    frames: ImageArray, rng: Rng, others: Clips, how: Corruption
) -> tuple[ImageArray, BoolArray]:
    """Frames here and there are of anybody, as where tracks cross."""
    wrong = rng.random(len(frames)) < how.wrong
    most = (len(frames) - 1) // 2  # else the clip would be of nobody
    wrong[rng.permutation(np.flatnonzero(wrong))[most:]] = False
    result = frames.copy()
    for frame in np.flatnonzero(wrong):
        result[frame] = _any_of(_any_of(others, rng), rng)
    return result, wrong


def _switched(
    frames: ImageArray, rng: Rng, others: Clips, how: Corruption
) -> tuple[ImageArray, BoolArray]:
    """The track goes over to one other person near its end, or comes from there."""
    most = int(how.switched * len(frames))
    count = int(rng.integers(1, most + 1)) if most else 0
    other = _any_of(others, rng)
    taken = np.arange(count) % len(other)
    is_tail = rng.random() < 0.5
    places = np.arange(len(frames))
    wrong = places >= len(frames) - count if is_tail else places < count
    result = frames.copy()
    result[wrong] = other[taken]
    return result, wrong


def _occluded(frames: ImageArray, rng: Rng, others: Clips, how: Corruption) -> ImageArray:
    """Something passes in a run of the frames: half the time a part of a person, else a thing."""
    count, height, width = frames.shape[:3]
    run = round(how.occluded * count)
    start = int(rng.integers(count - run + 1))
    tall, wide = np.rint(rng.uniform(*how.cover, 2) * (height, width)).astype(int).tolist()
    if rng.random() < 0.5:
        occluder = _part(_any_of(_any_of(others, rng), rng), (tall, wide), rng)
    else:
        occluder = _texture((tall, wide), rng)
    top = int(rng.integers(height - tall + 1))
    came, went = rng.integers(0, width - wide + 1, 2).tolist()
    lefts = np.rint(np.linspace(came, went, run)).astype(int)
    result = frames.copy()
    for frame, left in zip(range(start, start + run), lefts, strict=True):
        result[frame, top : top + tall, left : left + wide] = occluder
    return result


def _any_of(pictures: Clips, rng: Rng) -> ImageArray:
    """One of several clips, or one frame of a clip."""
    return pictures[int(rng.integers(len(pictures)))]


def _part(picture: ImageArray, size: tuple[int, int], rng: Rng) -> ImageArray:
    """A random part of a picture, of a size that it holds."""
    tall, wide = size
    top = int(rng.integers(picture.shape[0] - tall + 1))
    left = int(rng.integers(picture.shape[1] - wide + 1))
    return picture[top : top + tall, left : left + wide]


def _texture(size: tuple[int, int], rng: Rng) -> ImageArray:
    """A thing of one colour with lighter and darker places, as foliage, boards or cars have."""
    coarse_size = rng.integers(2, 9, 2)
    shade = rng.uniform(-40, 40, (*coarse_size, 1)) + rng.uniform(-15, 15, (*coarse_size, 3))
    colour = np.clip(rng.uniform(30, 220, 3) + shade, 0, 255).astype(np.uint8)
    return np.asarray(
        cv2.resize(colour, size[::-1], interpolation=cv2.INTER_LINEAR).reshape(*size, 3), np.uint8
    )


def _truncated(frames: ImageArray, rng: Rng, how: Corruption) -> ImageArray:
    """The box ends too early: the upper or the lower part of the person fills it."""
    height, width = frames.shape[1:3]
    rows = max(1, round(rng.uniform(*how.kept) * height))
    part = frames[:, :rows] if rng.random() < 0.5 else frames[:, height - rows :]
    return resized(part, (height, width))
