"""The two steps of a picture: what is seen in each pixel, then how it looks."""

from collections.abc import Sequence

import moderngl

from cameras.simulation.atlas import Atlas, Picture, Seen, Size, inside
from cameras.simulation.models import Model
from cameras.simulation.optics import View
from cameras.simulation.projections import column_major, picture_matrix
from cameras.simulation.shading import program
from cameras.simulation.shadows import Shadows
from cameras.simulation.tiles import BYTES, CORNERS, triangles
from pipeline.types import IntArray


class Painter:
    """Draws pictures into an atlas.

    Args:
        context: Where.
        shadows: What falls on what is drawn.
    """

    def __init__(self, context: moderngl.Context, shadows: Shadows) -> None:
        self._context, self._shadows = context, shadows
        self._gather = program(context, "gather", "gather")
        self._shades: dict[str, moderngl.VertexArray] = {}
        self._rectangles = context.buffer(reserve=BYTES)
        self._seen = Seen(context, (16, 16))
        self._atlas = Atlas(context, (16, 16), self._rectangles)

    def sitter(
        self,
        positions: moderngl.Buffer,
        normals: moderngl.Buffer,
        details: moderngl.Buffer,
        faces: moderngl.Buffer,
    ) -> moderngl.VertexArray:
        """All triangles of a model."""
        content = [
            (positions, "3f", "in_position"),
            (normals, "3f", "in_normal"),
            (details, "3f 1f 1f", "in_texture", "in_cut", "in_material"),
        ]
        return self._context.vertex_array(self._gather, content, faces)

    def make_room(self, atlas: Size, picture: Size) -> None:
        """For an atlas and pictures of these sizes."""
        if atlas[0] > self._atlas.size[0] or atlas[1] > self._atlas.size[1]:
            self._atlas = Atlas(self._context, atlas, self._rectangles)
        if picture[0] > self._seen.size[0] or picture[1] > self._seen.size[1]:
            self._seen = Seen(self._context, picture)

    def look(self, view: View, visible: Sequence[tuple[Model, int]], behind: Seen | None) -> None:
        """Finds out what is seen in every pixel.

        Args:
            view: Of what.
            visible: Models, each with the row of its first material.
            behind: What else is seen; None: nothing.
        """
        self._seen.open(view.size, behind)
        self._gather["world_to_clip"] = column_major(picture_matrix(view))
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

    def seen_again(self, view: View) -> Seen:
        """A copy of what `look` found last, in this view."""
        seen = Seen(self._context, view.size)
        seen.open(view.size, self._seen)
        return seen

    def develop(
        self, view: View, lamps: int, materials: moderngl.Texture, corner: Size, parts: IntArray
    ) -> None:
        """Shades parts (N, 4) of the picture, into its place in the atlas."""
        self._rectangles.write(triangles(parts, view.size))
        self._atlas.open(corner, view.size)
        self._context.enable_only(moderngl.NOTHING)
        maps = (
            self._seen.seen,
            self._seen.depth,
            materials,
            self._shadows.sun,
            self._shadows.floor,
        )
        for unit, texture in enumerate(maps):
            texture.use(unit)
        shade = self._shade(view, lamps)
        shade.program["inside"] = inside(corner, view.size)
        shade.render(vertices=CORNERS * len(parts))
        self._atlas.smooth(corner, view.size, CORNERS * len(parts))

    def _shade(self, view: View, lamps: int) -> moderngl.VertexArray:
        """The shader for just this light: a processor pays for every branch, taken or not."""
        kind = "INFRARED" if view.infrared else f"LAMPS {lamps}"
        if kind not in self._shades:
            shade = program(self._context, "picture", "shade", kind)
            content = [(self._rectangles, "2f", "in_position")]
            self._shades[kind] = self._context.vertex_array(shade, content)
        return self._shades[kind]

    def read(self, corners: Sequence[Size], sizes: Sequence[Size]) -> list[Picture]:
        """The pictures at these corners."""
        return self._atlas.read(corners, sizes)
