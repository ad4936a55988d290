"""What is drawn into: one picture's pixels to be shaded, and an atlas of many finished pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import moderngl
import numpy as np

from cameras.simulation.shading import TEXTURES, program
from pipeline.types import ImageArray

WIDTH: Final = 2560
"""Pixels; four pictures of 640 or twenty crops of 128 in a row."""

Size = tuple[int, int]


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """A rendered view.

    Attributes:
        image: (H, W, 3) uint8, BGR.
        owner: (H, W) uint16: whose pixel it is; 0 is scenery or nothing.
    """

    image: ImageArray
    owner: np.ndarray[Any, np.dtype[np.uint16]]


def lay_out(sizes: Sequence[Size]) -> tuple[list[Size], Size]:
    """Where the pictures' corners go, row after row, and how large the whole is.

    Corners are even: shaders compare the pixels of blocks of two by two, which must be the same
    wherever a picture lies.
    """
    corners, x, y, tallest, widest = [], 0, 0, 0, 0
    for width, height in sizes:
        if x and x + width > WIDTH:
            x, y, tallest = 0, y + tallest, 0
        corners.append((x, y))
        x, tallest = x + width + width % 2, max(tallest, height + height % 2)
        widest = max(widest, x)
    return corners, (widest, y + tallest)


def inside(corner: Size, size: Size) -> tuple[int, int, int, int]:
    """First and last pixel of a picture."""
    return (*corner, corner[0] + size[0] - 1, corner[1] + size[1] - 1)


class Seen:
    """What is seen in each pixel of one picture, and how far.

    Attributes:
        seen: As packing.glsl has it.
        depth: From 0 to 1; 1 where nothing is.
    """

    def __init__(self, context: moderngl.Context, size: Size) -> None:
        self._context = context
        self.size = size
        self.seen = context.texture(size, 4, dtype="u4")
        self.depth = context.depth_texture(size)
        self.depth.compare_func = ""
        self._target = context.framebuffer([self.seen], self.depth)

    def open(self, size: Size, behind: "Seen | None" = None) -> None:
        """Drawing goes here: to a picture of this size, empty or before what another has."""
        viewport = (0, 0, *size)
        if behind:
            self._context.copy_framebuffer(self._target, behind._target)
        else:
            self._target.clear(viewport=viewport)
        self._target.use()
        self._target.viewport = viewport


class Atlas:
    """Many pictures side by side, read back all at once.

    Args:
        context: Where.
        size: Of all of it.
        rectangles: Triangles that cover what is drawn of a picture, in its clip space.
    """

    def __init__(self, context: moderngl.Context, size: Size, rectangles: moderngl.Buffer) -> None:
        self.size = size
        self._shaded = context.texture(size, 4)
        owner, smooth = (
            context.renderbuffer(size, 1, dtype="u2"),
            context.renderbuffer(size, 4),
        )
        self._target = context.framebuffer([self._shaded, owner])
        self._smooth_target = context.framebuffer([smooth])
        smooth_program = program(context, "picture", "smooth")
        self._smooth = context.vertex_array(smooth_program, [(rectangles, "2f", "in_position")])

    def open(self, corner: Size, size: Size) -> None:
        """Drawing goes to the picture of this size at this corner."""
        self._target.use()
        self._target.viewport = (*corner, *size)

    def smooth(self, corner: Size, size: Size, vertices: int) -> None:
        """Smooths the edges of the picture of this size at this corner, in its rectangles."""
        self._smooth_target.use()
        self._smooth_target.viewport = (*corner, *size)
        self._shaded.use(TEXTURES.index("shaded"))
        self._smooth.program["inside"] = inside(corner, size)
        self._smooth.render(vertices=vertices)

    def read(self, corners: Sequence[Size], sizes: Sequence[Size]) -> list[Picture]:
        """The pictures at these corners."""
        width = max(x + size[0] for (x, _), size in zip(corners, sizes, strict=True))
        height = max(y + size[1] for (_, y), size in zip(corners, sizes, strict=True))
        used = (0, 0, width, height)
        colour = self._smooth_target.read(used, components=4)
        owner = self._target.read(used, components=1, attachment=1, dtype="u2")
        colours = np.frombuffer(colour, np.uint8).reshape(height, width, 4)
        owners = np.frombuffer(owner, np.uint16).reshape(height, width)
        parts = [
            (slice(y, y + size[1]), slice(x, x + size[0]))
            for (x, y), size in zip(corners, sizes, strict=True)
        ]
        return [
            Picture(
                np.asarray(cv2.cvtColor(colours[part], cv2.COLOR_BGRA2BGR), np.uint8),
                owners[part].copy(),
            )
            for part in parts
        ]
