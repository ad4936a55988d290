"""What training changes in its clips: light, sharpness, place, and parts hidden.

All of a clip is changed alike, as one camera would; only erased boxes may differ from frame to
frame. Pixels stay uint8 BGR.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.config import Probability, Settings
from pipeline.types import DoubleArray, ImageArray, IntArray

Rng = np.random.Generator
Pixels = npt.NDArray[Any]
"""Of cv2, whose types do not say uint8."""
Range = tuple[Annotated[float, Field(ge=0)], Annotated[float, Field(ge=0)]]

MEAN_BGR: Final = (104, 116, 124)
"""ImageNet's mean colour: nothing, to a network that normalises by it."""
ATTEMPTS: Final = 100
LUMA_BGR: Final = np.array([0.114, 0.587, 0.299])


class AugmentationSettings(Settings):
    """How often and how much; a probability of 0 switches a change off."""

    flip: Probability = Field(0.5, description="Probability to mirror a clip.")
    shift: Probability = Field(0.5, description="Probability to move a clip in its frame.")
    shift_share: Probability = Field(0.05, description="Farthest move, as a share of the height.")
    colour: Probability = Field(0.8, description="Probability to change light and colours.")
    brightness: Probability = Field(0.3, description="Largest change of the gain.")
    contrast: Probability = Field(0.3, description="Largest change of the contrast.")
    saturation: Probability = Field(0.3, description="Largest change of the saturation.")
    hue_degrees: float = Field(10, ge=0, le=180, description="Largest turn of the hue.")
    gamma: Range = Field((0.75, 1.35), description="Least and largest exponent of the light.")
    grey: Probability = Field(0.05, description="Probability to take the colours away.")
    blur: Probability = Field(0.2, description="Probability to blur a clip.")
    blur_share: Range = Field((0.004, 0.015), description="Its deviation as share of the height.")
    resample: Probability = Field(0.2, description="Probability to shrink a clip and blow it up.")
    resample_factor: Range = Field((2, 4), description="How much it is shrunk.")
    jpeg: Probability = Field(0.2, description="Probability to compress a clip.")
    jpeg_quality: Range = Field((20, 75), description="Least and largest quality of that, of 100.")
    erase: Probability = Field(0.5, description="Probability to erase a box of a frame.")
    erase_together: Probability = Field(
        0.5, description="Probability that a clip's frames share their box, or are all spared."
    )
    erase_area: Range = Field((0.02, 0.4), description="Least and largest share of the frame.")
    erase_aspect: Range = Field((0.3, 1 / 0.3), description="Least and largest height by width.")


NO_AUGMENTATION: Final = AugmentationSettings(
    flip=0, shift=0, colour=0, grey=0, blur=0, resample=0, jpeg=0, erase=0
)


def augmented(clips: ImageArray, rng: Rng, settings: AugmentationSettings) -> ImageArray:
    """A changed copy of a batch of clips.

    Args:
        clips: (B, K, H, W, 3) uint8, BGR.
        rng: Everything random follows from it.
        settings: How often and how much.
    """
    changed = np.empty_like(clips)
    for clip, into in zip(clips, changed, strict=True):
        into[:] = _resharpened(
            _recoloured(_moved(clip, rng, settings), rng, settings), rng, settings
        )
    return erased(changed, rng, settings)


def _moved(clip: ImageArray, rng: Rng, settings: AugmentationSettings) -> ImageArray:
    """Mirrored, and moved with what comes in from the border repeated."""
    is_flipped, is_shifted = rng.random(2) < (settings.flip, settings.shift)
    farthest = settings.shift_share * clip.shape[1]
    down, right = np.rint(rng.uniform(-farthest, farthest, 2)).astype(int).tolist()
    if is_flipped:
        clip = _each(clip, lambda frame: cv2.flip(frame, 1))
    return shifted(clip, down, right) if is_shifted else clip


def shifted(clip: ImageArray, down: int, right: int) -> ImageArray:
    """Frames (K, H, W, 3) moved by pixels, their border repeated."""
    height, width = clip.shape[1:3]
    rows = slice(max(0, -down), height - max(0, down))
    columns = slice(max(0, -right), width - max(0, right))
    border = (max(0, down), max(0, -down), max(0, right), max(0, -right))
    how = cv2.BORDER_REPLICATE
    return _each(clip, lambda frame: cv2.copyMakeBorder(frame[rows, columns], *border, how))


def _each(clip: ImageArray, change: Callable[[Pixels], Pixels]) -> ImageArray:
    """What becomes of each frame; of the same size."""
    result = np.empty_like(clip)
    for frame, into in zip(clip, result, strict=True):
        into[:] = change(frame)
    return result


def _recoloured(clip: ImageArray, rng: Rng, settings: AugmentationSettings) -> ImageArray:
    """Under another light: one linear map of the colours, then a gamma."""
    is_recoloured, is_grey = rng.random(2) < (settings.colour, settings.grey)
    if not (is_recoloured or is_grey):
        return clip
    strip: Pixels = np.ascontiguousarray(clip).reshape(-1, clip.shape[2], 3)  # (K * H, W, 3)
    if is_recoloured:
        strip = cv2.transform(strip, colour_map(strip, rng, settings))
        strip = cv2.LUT(strip, _gamma_table(rng.uniform(*settings.gamma)))
    if is_grey:
        strip = cv2.transform(strip, np.tile(LUMA_BGR, (3, 1)))
    return strip.reshape(clip.shape)


def colour_map(strip: Pixels, rng: Rng, settings: AugmentationSettings) -> DoubleArray:
    """A random affine map (3, 4) of BGR: hue, saturation, contrast about the mean, gain."""
    gain, contrast, saturation = 1 + rng.uniform(-1, 1, 3) * (
        settings.brightness,
        settings.contrast,
        settings.saturation,
    )
    hue = np.deg2rad(rng.uniform(-1, 1) * settings.hue_degrees)
    grey = np.tile(LUMA_BGR, (3, 1))
    linear = grey + saturation * (_turned(hue) - grey)
    mean = float(LUMA_BGR @ cv2.mean(strip)[:3])
    offset = np.full((3, 1), (1 - contrast) * mean)
    return np.asarray(gain * np.hstack((contrast * linear, offset)))


def _turned(angle: float) -> DoubleArray:
    """A turn of colours by an angle about the axis of greys: these stay as they are (Rodrigues)."""
    cosine, sine, third = np.cos(angle), np.sin(angle), np.sqrt(1 / 3)
    across = np.array([[0, -third, third], [third, 0, -third], [-third, third, 0]])
    return np.asarray(cosine * np.eye(3) + (1 - cosine) / 3 + sine * across)


def _gamma_table(gamma: float) -> ImageArray:
    return np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)


def _resharpened(clip: ImageArray, rng: Rng, settings: AugmentationSettings) -> ImageArray:
    """As a worse lens, a smaller picture and a narrower line would give it."""
    chances = rng.random(3) < (settings.resample, settings.blur, settings.jpeg)
    factor = rng.uniform(*settings.resample_factor)
    deviation = rng.uniform(*settings.blur_share) * clip.shape[1]
    quality = int(rng.uniform(*settings.jpeg_quality))
    if chances[0]:
        clip = coarse(clip, factor)
    if chances[1]:
        clip = blurred(clip, deviation)
    return compressed(clip, quality) if chances[2] else clip


def coarse(clip: ImageArray, factor: float) -> ImageArray:
    """Frames (K, H, W, 3) shrunk by a factor and blown up again."""
    height, width = clip.shape[1:3]
    small = max(1, round(width / factor)), max(1, round(height / factor))

    def change(frame: Pixels) -> Pixels:
        shrunk = cv2.resize(frame, small, interpolation=cv2.INTER_AREA)
        return cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LINEAR)

    return _each(clip, change)


def blurred(clip: ImageArray, deviation_px: float) -> ImageArray:
    """Frames (K, H, W, 3) out of focus."""
    return _each(clip, lambda frame: cv2.GaussianBlur(frame, (0, 0), deviation_px))


def compressed(clip: ImageArray, quality: int) -> ImageArray:
    """Frames (K, H, W, 3) after JPEG."""

    def change(frame: Pixels) -> Pixels:
        _, jpeg = cv2.imencode(".jpg", frame, (cv2.IMWRITE_JPEG_QUALITY, quality))
        return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))

    return _each(clip, change)


def erased(clips: ImageArray, rng: Rng, settings: AugmentationSettings) -> ImageArray:
    """Clips (B, K, H, W, 3) with boxes filled, in place (random erasing, Zhong et al., AAAI 2020).

    With probability `erase_together` all frames of a clip share one box, as behind something that
    stands; else each has its own, as behind somebody who passes.
    """
    batch, frames = clips.shape[:2]
    together = rng.random(batch) < settings.erase_together
    hit = rng.random((batch, frames)) < settings.erase
    boxes = erased_boxes(rng, batch * frames, clips.shape[2:4], settings)
    boxes = boxes.reshape(batch, frames, 4)
    hit[together] = hit[together, :1]
    boxes[together] = boxes[together, :1]
    for clip, frame in np.argwhere(hit):
        top, left, bottom, right = boxes[clip, frame]
        clips[clip, frame, top:bottom, left:right] = MEAN_BGR
    return clips


def erased_boxes(
    rng: Rng, count: int, size: tuple[int, ...], settings: AugmentationSettings
) -> IntArray:
    """Boxes (count, 4) to erase: top, left, bottom, right; empty where no attempt fitted.

    Area uniform, aspect uniform in its logarithm, the first of `ATTEMPTS` that fits the frame.
    """
    height, width = size
    area = rng.uniform(*settings.erase_area, (count, ATTEMPTS)) * height * width
    least, largest = np.log(settings.erase_aspect)
    aspect = np.exp(rng.uniform(least, largest, (count, ATTEMPTS)))
    tall, wide = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
    fits = (tall < height) & (wide < width)
    first = np.arange(count), fits.argmax(axis=1)
    tall, wide = tall[first] * fits[first], wide[first] * fits[first]
    top = np.floor(rng.random(count) * (height - tall + 1))
    left = np.floor(rng.random(count) * (width - wide + 1))
    return np.stack((top, left, top + tall, left + wide), axis=1).astype(np.int64)
