"""Choosing what an encoder sees of a track, while the track is open and in bounded memory.

Time is divided into slots of equal width from the track's start; each keeps the best that it saw.
When the slots run out their width doubles and neighbours merge. So what is kept is good and spread
over the whole life of the track, however long that turns out to be.

Quality is a product of factors in [0, 1]. Confidence, wholeness, occlusion and size are cheap and
computed for all people of a frame at once; sharpness needs the crop itself, so a crop is cut only
where it could still win its slot.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import supervision as sv

from pipeline.geometry import Boxes, area, intersection
from pipeline.types import (
    CROP_HEIGHT_PX,
    CROP_WIDTH_PX,
    EMBEDDING_KEY,
    Appearance,
    Clip,
    DoubleArray,
    FrameEmbeddings,
    ImageArray,
    NoAppearance,
)

FIRST_SLOT_US: Final = 250_000
"""Width of a slot at first: two pictures of a walking person closer together are nearly one."""

LOOK_INTERVAL_US: Final = 200_000
"""A crop costs 0.1 to 0.2 ms; at most five a second and person keep that below a percent of one
core for ten people, and blur and pose do not change faster."""

BORDER_PX: Final = 2.0
CUT_QUALITY: Final = 0.5
"""Wholeness of a box that touches the border of the image, where the person probably goes on."""

LEAST_VISIBLE: Final = 0.05
"""Of a person who is hidden in every frame a bad picture is still better than none."""

HALF_SHARP: Final = 50.0
"""Variance of the Laplacian, on the grey crop, at which sharpness is one half; about the median of
surveillance footage: 5 to 50 for people 80 to 130 pixels high, 450 for sharp ones of 380."""


@dataclass(frozen=True, slots=True, eq=False)
class Pick:
    """What a slot keeps: a crop (256, 128, 3) or an embedding (D,), its time and quality."""

    timestamp_us: int
    quality: float
    content: npt.NDArray[Any]


class Slots:
    """The best picks of one track, at most one for each of `size` slots of time."""

    def __init__(self, size: int, start_us: int, look_interval_us: int) -> None:
        self._size = size
        self._start_us = start_us
        self._look_interval_us = look_interval_us
        self._width_us = FIRST_SLOT_US
        self._looked_us = start_us - look_interval_us
        self._picks: dict[int, Pick] = {}

    def offer(self, timestamp_us: int, bound: float, look: Callable[[], Pick]) -> None:
        """Look at a candidate if it could win its slot, and keep it if it does.

        Args:
            timestamp_us: Its time; not before that of the last candidate.
            bound: What its quality is at most; candidates of 0 are never looked at.
            look: Makes the pick; called at most once.
        """
        slot = self._slot(timestamp_us)
        held = self._picks.get(slot)
        if bound <= (0.0 if held is None else held.quality):
            return
        if held is not None and timestamp_us - self._looked_us < self._look_interval_us:
            return
        self._looked_us = timestamp_us
        pick = look()
        if held is None or pick.quality > held.quality:
            self._picks[slot] = pick

    def picks(self) -> list[Pick]:
        """What is kept, in order of time."""
        return [self._picks[slot] for slot in sorted(self._picks)]

    def _slot(self, timestamp_us: int) -> int:
        """The slot of a time; slots are merged until there is one for it."""
        while (slot := (timestamp_us - self._start_us) // self._width_us) >= self._size:
            self._merge()
        return slot

    def _merge(self) -> None:
        """Double the width: of two neighbours the better one stays, of equals the earlier."""
        self._width_us *= 2
        merged: dict[int, Pick] = {}
        for slot, pick in sorted(self._picks.items()):
            rival = merged.get(slot // 2)
            if rival is None or pick.quality > rival.quality:
                merged[slot // 2] = pick
        self._picks = merged


class View(Protocol):
    """What can be seen of the people of one frame, row by row of their detections."""

    @property
    def look_interval_us(self) -> int:
        """Least time between two looks at one track; for looks that are expensive."""
        ...

    def offer(self, row: int, slots: Slots) -> None:
        """Offer what is seen of one person to the slots of their track."""
        ...

    @staticmethod
    def appearance(picks: Sequence[Pick], /) -> Appearance:
        """What the picks of a closed track, in order of time, are to the encoder."""
        ...


class PixelView:
    """Crops of a frame with pixels."""

    look_interval_us = LOOK_INTERVAL_US

    def __init__(self, tracked: sv.Detections, image: ImageArray, timestamp_us: int) -> None:
        height, width = image.shape[:2]
        self._boxes = np.asarray(tracked.xyxy, np.float64)
        self._image, self._timestamp_us = image, timestamp_us
        self._bounds = (recorded_quality(tracked) * wholeness(self._boxes, width, height)).tolist()

    def offer(self, row: int, slots: Slots) -> None:
        """Offer the crop of a person; it is cut only where the slots want to look."""

        def look() -> Pick:
            crop = cut(self._image, self._boxes[row])
            return Pick(self._timestamp_us, self._bounds[row] * sharpness(crop), crop)

        slots.offer(self._timestamp_us, self._bounds[row], look)

    @staticmethod
    def appearance(picks: Sequence[Pick], /) -> Appearance:
        """A clip; without crops where the person was never inside the image."""
        crops = np.empty((len(picks), CROP_HEIGHT_PX, CROP_WIDTH_PX, 3), np.uint8)
        for index, pick in enumerate(picks):
            crops[index] = pick.content
        return Clip(
            crops=crops,
            timestamps_us=np.array([pick.timestamp_us for pick in picks], np.int64),
            qualities=np.array([pick.quality for pick in picks], np.float32),
        )


class EmbeddingView:
    """Recorded embeddings of a frame: `data["embedding"]`, (N, D)."""

    look_interval_us = 0

    def __init__(self, tracked: sv.Detections, timestamp_us: int) -> None:
        self._vectors = np.asarray(tracked.data[EMBEDDING_KEY], np.float32)
        self._qualities = recorded_quality(tracked).tolist()
        self._timestamp_us = timestamp_us

    def offer(self, row: int, slots: Slots) -> None:
        """Offer the embedding of a person."""
        quality = self._qualities[row]

        def look() -> Pick:
            return Pick(self._timestamp_us, quality, self._vectors[row].copy())

        slots.offer(self._timestamp_us, quality, look)

    @staticmethod
    def appearance(picks: Sequence[Pick], /) -> Appearance:
        """The embeddings kept; none where all had confidence 0."""
        vectors = np.stack([pick.content for pick in picks]) if picks else np.zeros((0, 0))
        return FrameEmbeddings(
            vectors=vectors.astype(np.float32),
            timestamps_us=np.array([pick.timestamp_us for pick in picks], np.int64),
        )


class BlindView:
    """A frame of which boxes were recorded and nothing else."""

    look_interval_us = 0

    def offer(self, row: int, slots: Slots) -> None:
        """There is nothing to offer."""

    @staticmethod
    def appearance(_picks: Sequence[Pick], /) -> Appearance:
        """There is none."""
        return NoAppearance()


def recorded_quality(tracked: sv.Detections) -> DoubleArray:
    """Quality (N,) in [0, 1] as far as boxes and scores tell: confidence, occlusion, size."""
    boxes = np.asarray(tracked.xyxy, np.float64)
    scores = 1.0 if tracked.confidence is None else np.clip(tracked.confidence, 0, 1)
    visible = np.maximum(1 - occlusion(boxes), LEAST_VISIBLE)
    return np.asarray(visible * fineness(boxes) * scores, np.float64)


def occlusion(boxes: Boxes) -> DoubleArray:
    """Share (N,) in [0, 1] of each box that people nearer to the camera cover.

    Nearer is whose box ends lower in the image: people stand on one floor. Boxes that cover the
    same part are counted each, up to the whole box.
    """
    nearer = boxes[None, :, 3] > boxes[:, None, 3]
    covered = (intersection(boxes, boxes) * nearer).sum(axis=1)
    return np.asarray(np.minimum(covered / np.maximum(area(boxes), 1e-9), 1.0))


def wholeness(boxes: Boxes, width: int, height: int) -> DoubleArray:
    """Share (N,) in [0, 1] of each box inside the image; `CUT_QUALITY` of it at the border."""
    limits = np.array([width, height, width, height], np.float64)
    inside = area(np.clip(boxes, 0, limits)) / np.maximum(area(boxes), 1e-9)
    cut_off = (boxes[:, :2] <= BORDER_PX).any(1) | (boxes[:, 2:] >= limits[2:] - BORDER_PX).any(1)
    return np.asarray(np.where(cut_off, CUT_QUALITY, 1.0) * inside)


def fineness(boxes: Boxes) -> DoubleArray:
    """Detail (N,) in [0, 1]: the box's size over that of a crop, in length; 1 for larger ones."""
    return np.minimum(np.sqrt(area(boxes) / (CROP_HEIGHT_PX * CROP_WIDTH_PX)), 1.0)


def cut(image: ImageArray, box: Boxes) -> ImageArray:
    """The part of an image (H, W, 3) in a box (4,) xyxy, resized to (256, 128, 3).

    The box must reach into the image; what lies outside is left out.
    """
    height, width = image.shape[:2]
    left, top = (int(v) for v in np.floor(np.clip(box[:2], 0, (width, height))))
    right, bottom = (int(v) for v in np.ceil(np.clip(box[2:], 0, (width, height))))
    part = image[top:bottom, left:right]
    shrinks = part.shape[0] * part.shape[1] > CROP_HEIGHT_PX * CROP_WIDTH_PX
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(
        cv2.resize(part, (CROP_WIDTH_PX, CROP_HEIGHT_PX), interpolation=how), np.uint8
    )


def sharpness(crop: ImageArray) -> float:
    """Sharpness of a crop (256, 128, 3), in [0, 1): variance v of its Laplacian as v / (v + c).

    The variance of the Laplacian as a measure of focus: Pech-Pacheco et al., ICPR 2000.
    """
    edges = cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), cv2.CV_16S)
    variance = float(cv2.meanStdDev(edges)[1][0, 0]) ** 2
    return variance / (variance + HALF_SHARP)
