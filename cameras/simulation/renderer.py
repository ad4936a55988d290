"""Draws people and places with moderngl over EGL: no window, and no GPU where there is none.

A picture takes two steps, because on a processor every triangle costs a block of pixels: what is
seen in each pixel, then how it looks. Two maps of depth give shadows: one seen from the sun, one
from the floor upwards, for the dark below whatever stands there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final

import cv2
import moderngl
import numpy as np

from cameras.simulation.atlas import Atlas, Picture, Seen, Size, inside, lay_out
from cameras.simulation.lights import Light
from cameras.simulation.meshes import Material, Mesh
from cameras.simulation.models import (
    SHADOW_CELL_M,
    Model,
    box_of,
    closed_first,
    coarse_faces,
    material_table,
    owned,
    vertex_table,
)
from cameras.simulation.optics import View
from cameras.simulation.projections import (
    DepthMap,
    floor_map,
    is_out_of_view,
    picture_matrix,
    sun_map,
)
from cameras.simulation.shading import SHOT_BYTES, open_context, program, uniforms
from pipeline.types import DoubleArray, FloatArray

SHADOW_FINEST_M: Final = 0.02
FLOOR_FINEST_M: Final = 0.04
FLOOR_REACH_M: Final = 1.1
FLOOR_BLUR_M: Final = 0.09
FLOOR_DARKEST: Final = 0.7
MOST_MATERIALS: Final = 4096


@dataclass(frozen=True, eq=False, slots=True)
class Placed:
    """A model at a moment.

    Attributes:
        model: What.
        owner: 0 for scenery, else the number that its pixels get, 1 to 65535.
        positions: (V, 3) float32, metres; None: as added.
        normals: (V, 3) float32, unit; None: as added.
        casts: Whether it throws shadows; false for what is far around a site, as shadows are the
            sharper the less room all that throws them takes.
    """

    model: Model
    owner: int = 0
    positions: FloatArray | None = None
    normals: FloatArray | None = None
    casts: bool = True


@dataclass(frozen=True, eq=False, slots=True)
class Moment:
    """What there is to see: no model twice, at most 4096 materials."""

    light: Light
    placed: tuple[Placed, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Shot:
    """One picture to take."""

    moment: Moment
    view: View


@dataclass(frozen=True, eq=False, slots=True)
class _Scene:
    """A moment as uploaded.

    Attributes:
        boxes: (P, 8, 3) corners around each placed model.
        sun: How the shadow map looks.
        floor: How the map of the floor looks.
        materials: Table of all models' materials, one after the other.
        first_materials: Where each model's begin.
    """

    boxes: DoubleArray
    sun: DepthMap
    floor: DepthMap
    materials: moderngl.Texture
    first_materials: tuple[int, ...]


class Renderer:
    """Holds one OpenGL context and all that was added to it; belongs to the thread that made it.

    Args:
        shadow_size: Widest shadow map, pixels.
        shadow_cell_m: Points nearer together throw one shadow; the larger, the quicker.

    Raises:
        RenderingError: EGL or a driver is missing.
    """

    def __init__(self, shadow_size: int = 2048, shadow_cell_m: float = SHADOW_CELL_M) -> None:
        self._shadow_cell_m = shadow_cell_m
        self._context = open_context()
        self._context.gc_mode = "context_gc"
        with self._context as context:
            self._depth = program(context, "depth", "depth")
            self._gather = program(context, "gather", "gather")
            self._shades: dict[str, moderngl.VertexArray] = {}
            self._sun_map = context.depth_texture((shadow_size, shadow_size))
            self._sun_map.compare_func = "<="
            self._sun_target = context.framebuffer([], self._sun_map)
            floor_size = (shadow_size // 4, shadow_size // 4)
            self._floor_map = context.texture(floor_size, 1)
            self._floor_map.repeat_x = self._floor_map.repeat_y = False
            self._floor_target = context.framebuffer([], context.depth_renderbuffer(floor_size))
            self._seen = Seen(context, (16, 16))
            self._atlas = Atlas(context, (16, 16))
            self._shots = context.buffer(reserve=SHOT_BYTES)

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Gives everything back; the renderer cannot be used any more."""
        self._context.release()

    def add(self, mesh: Mesh, materials: Sequence[Material]) -> Model:
        """Uploads a mesh, to be drawn as often as wanted."""
        faces, closed = closed_first(mesh, materials)
        with self._context as context:
            positions = context.buffer(vertex_table(mesh.positions))
            normals = context.buffer(vertex_table(mesh.normals))
            details = context.buffer(vertex_table(mesh.texture, mesh.cut, mesh.material))
            fine = [
                (positions, "3f", "in_position"),
                (normals, "3f", "in_normal"),
                (details, "3f 1f 1f", "in_texture", "in_cut", "in_material"),
            ]
            casting = context.buffer(coarse_faces(mesh, self._shadow_cell_m))
            coarse = [(positions, "3f", "in_position"), (details, "12x 1f 4x", "in_cut")]
            return Model(
                mesh,
                material_table(materials),
                positions,
                normals,
                context.vertex_array(self._gather, fine, context.buffer(faces)),
                context.vertex_array(self._depth, coarse, casting),
                closed,
            )

    def draw(self, shots: Sequence[Shot]) -> list[Picture]:
        """Takes all pictures and reads them back at once.

        Neighbouring shots of one `Moment` object share its upload and its shadows.
        """
        sizes = [shot.view.size for shot in shots]
        corners, size = lay_out(sizes)
        with self._context as context:
            context.gc()
            context.front_face = "cw"  # pictures are drawn upside down
            self._make_room(size, (max(w for w, _ in sizes), max(h for _, h in sizes)))
            self._shots.orphan(SHOT_BYTES * len(shots))
            scene = self._set(shots[0].moment)
            for i, (shot, corner) in enumerate(zip(shots, corners, strict=True)):
                if i and shot.moment is not shots[i - 1].moment:
                    scene = self._set(shot.moment)
                self._shots.write(
                    uniforms(shot.view, shot.moment.light, scene.sun, scene.floor),
                    offset=SHOT_BYTES * i,
                )
                self._shots.bind_to_uniform_block(0, offset=SHOT_BYTES * i, size=SHOT_BYTES)
                self._look(shot, scene)
                self._develop(shot, scene, corner)
            return self._atlas.read(corners, sizes)

    def _make_room(self, atlas: Size, picture: Size) -> None:
        if atlas[0] > self._atlas.size[0] or atlas[1] > self._atlas.size[1]:
            self._atlas = Atlas(self._context, atlas)
        if picture[0] > self._seen.size[0] or picture[1] > self._seen.size[1]:
            self._seen = Seen(self._context, picture)

    def _set(self, moment: Moment) -> _Scene:
        """Uploads where everything is and what it is made of, and draws the maps of depth."""
        boxes = np.stack([box_of(p.model.move(p.positions, p.normals)) for p in moment.placed])
        casting = [placed.casts for placed in moment.placed]
        corners = boxes[casting if any(casting) else ...].reshape(-1, 3)
        to_sun = np.array(moment.light.to_sun)
        sun = sun_map(corners, to_sun, self._sun_map.width, SHADOW_FINEST_M)
        floor = floor_map(corners, FLOOR_REACH_M, self._floor_map.width, FLOOR_FINEST_M)
        self._context.enable_only(moderngl.DEPTH_TEST)
        self._draw_depths(moment, floor, self._floor_target)
        if any(moment.light.sun):
            self._draw_depths(moment, sun, self._sun_target)
        self._darken_floor(floor)
        tables = [owned(placed.model.materials, placed.owner) for placed in moment.placed]
        *first_materials, count = np.cumsum([0, *map(len, tables)]).tolist()
        if count > MOST_MATERIALS:
            raise ValueError(f"at most {MOST_MATERIALS} materials in a moment, got {count}")
        materials = self._context.texture((1, count), 4, np.concatenate(tables), dtype="u4")
        return _Scene(boxes, sun, floor, materials, tuple(first_materials))

    def _draw_depths(
        self, moment: Moment, depth_map: DepthMap, target: moderngl.Framebuffer
    ) -> None:
        target.use()
        target.viewport = (0, 0, *depth_map.used)
        target.clear(viewport=target.viewport)
        self._depth["world_to_clip"] = _column_major(depth_map.matrix)
        for placed in moment.placed:
            if placed.casts:
                placed.model.coarse.render()

    def _darken_floor(self, floor: DepthMap) -> None:
        """The share of the sky that is hidden from each bit of floor by what stands there."""
        width, height = floor.used
        raw = self._floor_target.read((0, 0, width, height), 1, -1, dtype="f4")
        clearance = np.frombuffer(raw, np.float32).reshape(height, width)
        hidden = (255 * FLOOR_DARKEST) * np.square(1 - clearance)
        soft = cv2.GaussianBlur(hidden, (0, 0), FLOOR_BLUR_M / floor.pixel_m)
        self._floor_map.write(soft.astype(np.uint8), (0, 0, width, height), alignment=1)

    def _look(self, shot: Shot, scene: _Scene) -> None:
        """Finds out what is seen in every pixel."""
        self._seen.open(shot.view.size)
        matrix = picture_matrix(shot.view)
        self._gather["world_to_clip"] = _column_major(matrix)
        visible = [
            (placed.model, first)
            for placed, box, first in zip(
                shot.moment.placed, scene.boxes, scene.first_materials, strict=True
            )
            if not is_out_of_view(matrix, box)
        ]
        self._context.enable_only(moderngl.DEPTH_TEST | moderngl.CULL_FACE)
        for model, first in visible:
            if model.closed:
                self._gather["first_material"] = first
                model.fine.render(vertices=model.closed)
        self._context.enable_only(moderngl.DEPTH_TEST)
        for model, first in visible:
            if model.closed < model.fine.vertices:
                self._gather["first_material"] = first
                model.fine.render(vertices=model.fine.vertices - model.closed, first=model.closed)

    def _develop(self, shot: Shot, scene: _Scene, corner: Size) -> None:
        """Shades every pixel, into the picture's place in the atlas."""
        self._atlas.open(corner, shot.view.size)
        self._context.enable_only(moderngl.NOTHING)
        maps = (self._seen.seen, self._seen.depth, scene.materials, self._sun_map, self._floor_map)
        for unit, texture in enumerate(maps):
            texture.use(unit)
        shade = self._shade(shot)
        shade.program["inside"] = inside(corner, shot.view.size)
        shade.render(vertices=3)
        self._atlas.smooth(corner, shot.view.size)

    def _shade(self, shot: Shot) -> moderngl.VertexArray:
        """The shader for just this light: a processor pays for every branch, taken or not."""
        kind = "INFRARED" if shot.view.infrared else f"LAMPS {len(shot.moment.light.lamps)}"
        if kind not in self._shades:
            shade = program(self._context, "picture", "shade", kind)
            self._shades[kind] = self._context.vertex_array(shade, [])
        return self._shades[kind]


def _column_major(matrix: DoubleArray) -> tuple[float, ...]:
    return tuple(matrix.T.ravel().tolist())
