"""Fitting a frame into the detector's input without bending it."""

from dataclasses import dataclass

import cv2
import numpy as np

from pipeline.types import DoubleArray, ImageArray

STRIDE = 32
PADDING_GREY = 114
"""What YOLO models were trained with around their images."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How one frame size maps to the detector's input.

    Attributes:
        width: Width of the input, pixels.
        height: Height of the input, pixels.
        scale: Input pixels per frame pixel.
        left: Padding on the left, pixels.
        top: Padding at the top, pixels.
        resized: (width, height) of the frame inside the input, pixels.
    """

    width: int
    height: int
    scale: float
    left: int
    top: int
    resized: tuple[int, int]

    @classmethod
    def of(cls, frame_height: int, frame_width: int, image_size: int) -> "Letterbox":
        """The least padded input whose longer side is `image_size`: 640x384 for a 16:9 frame."""
        scale = image_size / max(frame_height, frame_width)
        width, height = (
            int(np.ceil(round(side * scale) / STRIDE) * STRIDE)
            for side in (frame_width, frame_height)
        )
        return cls.into(frame_height, frame_width, height, width)

    @classmethod
    def into(cls, frame_height: int, frame_width: int, height: int, width: int) -> "Letterbox":
        """The mapping into an input of a size that the model fixes."""
        scale = min(height / frame_height, width / frame_width)
        resized = (round(frame_width * scale), round(frame_height * scale))
        left, top = (width - resized[0]) // 2, (height - resized[1]) // 2
        return cls(width, height, scale, left, top, resized)

    def apply(self, image: ImageArray) -> ImageArray:
        """The frame (H, W, 3) resized and padded to (height, width, 3)."""
        canvas = np.full((self.height, self.width, 3), PADDING_GREY, np.uint8)
        inside = canvas[
            self.top : self.top + self.resized[1], self.left : self.left + self.resized[0]
        ]
        cv2.resize(image, self.resized, dst=inside, interpolation=cv2.INTER_LINEAR)
        return canvas

    def undo(self, boxes: DoubleArray, frame_height: int, frame_width: int) -> DoubleArray:
        """Boxes (N, 4) of the input in pixels of the frame, clipped to it."""
        shifted = (boxes - [self.left, self.top] * 2) / self.scale
        return np.clip(shifted, 0, [frame_width, frame_height] * 2)
