"""The two maps of depth that shadows come from: one seen from the sun, one from the floor up.

Where scenery stands still, its share of both maps is kept, and only people are drawn into them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import moderngl
import numpy as np

from cameras.simulation.models import Model
from cameras.simulation.projections import (
    DepthMap,
    column_major,
    floor_map,
    sun_map,
    texels,
)
from cameras.simulation.shading import program
from pipeline.types import DoubleArray, FloatArray

SHADOW_FINEST_M: Final = 0.02
FLOOR_FINEST_M: Final = 0.04
FLOOR_REACH_M: Final = 1.1
FLOOR_BLUR_M: Final = 0.09
FLOOR_DARKEST: Final = 0.7


@dataclass(frozen=True, eq=False, slots=True)
class Fit:
    """How both maps look.

    Attributes:
        sun: The map seen from the sun.
        floor: The map of what stands on the floor.
        shines: Whether the sun does; else its map is not drawn.
    """

    sun: DepthMap
    floor: DepthMap
    shines: bool


@dataclass(frozen=True, eq=False, slots=True)
class StillShadows:
    """Both maps of what stands still.

    Attributes:
        fit: How they look.
        depths: (S, S) float32, the sun's.
        clearance: (h, w) float32, the used part of the floor's.
    """

    fit: Fit
    depths: FloatArray
    clearance: FloatArray


class Shadows:
    """Both maps, as shaders read them.

    Args:
        context: Where they are drawn.
        size: Width of the sun's map, pixels; the floor's is a quarter.

    Attributes:
        sun: Depths seen from the sun.
        floor: The share of the sky that is hidden from each bit of floor.
    """

    def __init__(self, context: moderngl.Context, size: int) -> None:
        self._context = context
        self._depth = program(context, "depth", "depth")
        self.sun = context.depth_texture((size, size))
        self.sun.compare_func = "<="
        self._sun_target = context.framebuffer([], self.sun)
        floor_size = (size // 4, size // 4)
        self.floor = context.texture(floor_size, 1)
        self.floor.repeat_x = self.floor.repeat_y = False
        self._floor_target = context.framebuffer([], context.depth_renderbuffer(floor_size))
        self._still: StillShadows | None = None  # what the sun's map holds
        self._stained: list[tuple[int, int, int, int]] = []  # where it holds people besides

    def caster(
        self,
        positions: moderngl.Buffer,
        details: moderngl.Buffer,
        faces: moderngl.Buffer,
    ) -> moderngl.VertexArray:
        """What throws a model's shadow; of the details only the cut counts."""
        content = [(positions, "3f", "in_position"), (details, "12x 1f 4x", "in_cut")]
        return self._context.vertex_array(self._depth, content, faces)

    def fit(self, corners: DoubleArray, to_sun: DoubleArray, shines: bool) -> Fit:
        """Maps that hold all corners (N, 3)."""
        return Fit(
            sun_map(corners, to_sun, self.sun.width, SHADOW_FINEST_M),
            floor_map(corners, FLOOR_REACH_M, self.floor.width, FLOOR_FINEST_M),
            shines,
        )

    def cast(self, models: Sequence[Model], fit: Fit) -> FloatArray:
        """The shadows of these models alone; the clearance above the floor, (h, w)."""
        self._still = None
        if fit.shines:
            self._sun_target.clear(viewport=(0, 0, *fit.sun.used))
            self._draw(models, fit.sun, self._sun_target)
        return self._soften(self._clearance(models, fit.floor), fit.floor)

    def keep(self, models: Sequence[Model], fit: Fit) -> StillShadows:
        """The shadows of what stands still, for `cast_beside`."""
        clearance = self.cast(models, fit)
        depths = np.frombuffer(self.sun.read(), np.float32)
        return StillShadows(fit, depths.reshape(self.sun.height, self.sun.width), clearance)

    def cast_beside(self, still: StillShadows, models: Sequence[Model], boxes: DoubleArray) -> None:
        """The shadows of these models, in boxes (N, 8, 3), and of what stands still."""
        if still.fit.shines:
            self._restore(still)
            self._stained = texels(still.fit.sun, boxes, 1).tolist()
            self._draw(models, still.fit.sun, self._sun_target)
        clearance = self._clearance(models, still.fit.floor)
        self._soften(np.minimum(clearance, still.clearance), still.fit.floor)

    def _restore(self, still: StillShadows) -> None:
        if self._still is not still:
            self.sun.write(still.depths)
            self._still = still
            return
        for left, top, right, bottom in self._stained:
            part = np.ascontiguousarray(still.depths[top:bottom, left:right])
            self.sun.write(part, (left, top, right - left, bottom - top))

    def _draw(
        self, models: Sequence[Model], depth_map: DepthMap, target: moderngl.Framebuffer
    ) -> None:
        target.use()
        target.viewport = (0, 0, *depth_map.used)
        self._context.enable_only(moderngl.DEPTH_TEST)
        self._depth["world_to_clip"] = column_major(depth_map.matrix)
        for model in models:
            model.coarse.render()

    def _clearance(self, models: Sequence[Model], floor: DepthMap) -> FloatArray:
        used = (0, 0, *floor.used)
        self._floor_target.clear(viewport=used)
        self._draw(models, floor, self._floor_target)
        raw = self._floor_target.read(used, 1, -1, dtype="f4")
        return np.frombuffer(raw, np.float32).reshape(floor.used[::-1])

    def _soften(self, clearance: FloatArray, floor: DepthMap) -> FloatArray:
        """The share of the sky that is hidden from each bit of floor by what stands there."""
        hidden = (255 * FLOOR_DARKEST) * np.square(1 - clearance)
        soft = cv2.GaussianBlur(hidden, (0, 0), FLOOR_BLUR_M / floor.pixel_m)
        self.floor.write(soft.astype(np.uint8), (0, 0, *floor.used), alignment=1)
        return clearance
