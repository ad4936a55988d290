"""Draws people and places with moderngl over EGL: no window, and no GPU where there is none.

A picture takes two steps, because on a processor every triangle costs a block of pixels: what is
seen in each pixel, then how it looks. Two maps of depth give shadows: one seen from the sun, one
from the floor upwards, for the dark below whatever stands there. Where cameras, light and scenery
stand still, only the pixels that people change are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from types import TracebackType
from typing import Final

import moderngl
import numpy as np

from cameras.simulation.atlas import Picture, lay_out
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
from cameras.simulation.painter import Painter
from cameras.simulation.projections import is_out_of_view, picture_matrix
from cameras.simulation.shading import SHOT_BYTES, open_context, uniforms
from cameras.simulation.shadows import Fit, Shadows, StillShadows
from cameras.simulation.stills import (
    Edit,
    Shades,
    Still,
    edit,
    keep,
    room_around,
    shades,
    who_matter,
)
from cameras.simulation.tiles import whole
from pipeline.types import DoubleArray, FloatArray

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

    @property
    def where(self) -> FloatArray:
        """(V, 3) positions."""
        return self.model.mesh.positions if self.positions is None else self.positions


@dataclass(frozen=True, eq=False, slots=True)
class Stage:
    """Scenery and light that do not change, drawn once; made by `Renderer.stage`.

    Attributes:
        scenery: What stands still.
        light: What lights it.
        shadows: What it throws.
        stills: Its views without people, kept as they are first asked for.
    """

    scenery: tuple[Placed, ...]
    light: Light
    shadows: StillShadows
    stills: dict[View, Still] = field(default_factory=dict)

    def at(self, people: Sequence[Placed]) -> "Moment":
        """The stage with people, whose shadows lie in `room_around` what else casts some."""
        return Moment(self.light, (*self.scenery, *people), self)


@dataclass(frozen=True, eq=False, slots=True)
class Moment:
    """What there is to see: no model twice, at most 4096 materials.

    Attributes:
        light: What lights it.
        placed: Everything.
        stage: Whose scenery comes first in `placed`; None: all of it may be new.
    """

    light: Light
    placed: tuple[Placed, ...]
    stage: Stage | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Shot:
    """One picture to take."""

    moment: Moment
    view: View

    @property
    def still(self) -> Still | None:
        """The view without people, where it is kept."""
        return self.moment.stage.stills.get(self.view) if self.moment.stage else None


@dataclass(frozen=True, eq=False, slots=True)
class _Scene:
    """A moment as uploaded.

    Attributes:
        placed: What matters for the pictures wanted.
        boxes: (P, 8, 3) corners around each.
        still: How many of them are the stage's.
        fit: How the maps of shadows look.
        shades: Where in them the others throw one.
        materials: Table of all models' materials, one after the other.
        first_materials: Where each model's begin.
    """

    placed: tuple[Placed, ...]
    boxes: DoubleArray
    still: int
    fit: Fit
    shades: Shades
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
            self._shadows = Shadows(context, shadow_size)
            self._painter = Painter(context, self._shadows)
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
            casting = context.buffer(coarse_faces(mesh, self._shadow_cell_m))
            return Model(
                mesh,
                material_table(materials),
                positions,
                normals,
                self._painter.sitter(positions, normals, details, context.buffer(faces)),
                self._shadows.caster(positions, details, casting),
                closed,
            )

    def stage(self, scenery: tuple[Placed, ...], light: Light) -> Stage:
        """Keeps what does not change, for pictures of people before it."""
        with self._context as context:
            context.front_face = "cw"
            boxes = np.stack([box_of(one.where) for one in scenery])
            room = room_around(_casting(scenery, boxes))
            for one in scenery:
                one.model.move(one.positions, one.normals)
            models = [one.model for one in scenery if one.casts]
            return Stage(scenery, light, self._shadows.keep(models, self._fit(room, light)))

    def draw(self, shots: Sequence[Shot]) -> list[Picture]:
        """Takes all pictures and reads them back at once.

        Neighbouring shots of one `Moment` object share its upload and its shadows.
        """
        for shot in shots:
            stage = shot.moment.stage
            if stage and shot.view not in stage.stills:
                stage.stills[shot.view] = self._keep(stage, shot.view)
        return self._draw(shots)

    def _keep(self, stage: Stage, view: View) -> Still:
        (picture,) = self._draw([Shot(stage.at(()), view)])
        with self._context:
            return keep(picture, self._painter.seen_again(view), view, stage.shadows.fit)

    def _draw(self, shots: Sequence[Shot]) -> list[Picture]:
        sizes = [shot.view.size for shot in shots]
        corners, size = lay_out(sizes)
        changes: list[Edit | None] = []
        with self._context as context:
            context.gc()
            context.front_face = "cw"  # pictures are drawn upside down
            self._painter.make_room(size, (max(w for w, _ in sizes), max(h for _, h in sizes)))
            self._shots.orphan(SHOT_BYTES * len(shots))
            for i, (shot, corner) in enumerate(zip(shots, corners, strict=True)):
                if not i or shot.moment is not shots[i - 1].moment:
                    views = [one.view for one in shots if one.moment is shot.moment]
                    scene = self._set(shot.moment, views)
                self._shots.write(
                    uniforms(shot.view, shot.moment.light, scene.fit.sun, scene.fit.floor),
                    offset=SHOT_BYTES * i,
                )
                self._shots.bind_to_uniform_block(0, offset=SHOT_BYTES * i, size=SHOT_BYTES)
                still, people = shot.still, scene.boxes[scene.still :]
                change = edit(still, people, scene.shades) if still else None
                visible = self._visible(scene, shot.view, change)
                self._painter.look(shot.view, visible, still.seen if still else None)
                pieces = change.pieces() if change else whole(shot.view.size)
                lamps = len(shot.moment.light.lamps)
                self._painter.develop(shot.view, lamps, scene.materials, corner, pieces)
                changes.append(change)
            pictures = self._painter.read(corners, sizes)
        return [
            change.applied(picture) if change else picture
            for change, picture in zip(changes, pictures, strict=True)
        ]

    def _fit(self, corners: DoubleArray, light: Light) -> Fit:
        return self._shadows.fit(corners, np.array(light.to_sun), any(light.sun))

    def _set(self, moment: Moment, views: Sequence[View]) -> _Scene:
        """Uploads where everything is and what it is made of, and casts the shadows."""
        placed, boxes = moment.placed, np.stack([box_of(one.where) for one in moment.placed])
        stage = moment.stage
        still = len(stage.scenery) if stage else 0
        if stage:
            people = who_matter(views, boxes[still:], np.array(moment.light.to_sun))
            matters = [*[True] * still, *people]
            placed, boxes = tuple(compress(placed, matters)), boxes[matters]
        for one in placed:
            one.model.move(one.positions, one.normals)
        models = [one.model for one in placed[still:] if one.casts]
        fit = stage.shadows.fit if stage else self._fit(_casting(placed, boxes), moment.light)
        if stage:
            self._shadows.cast_beside(stage.shadows, models, boxes[still:])
        else:
            self._shadows.cast(models, fit)
        materials, first_materials = self._table(placed)
        thrown = shades(fit, boxes[still:])
        return _Scene(placed, boxes, still, fit, thrown, materials, first_materials)

    def _table(self, placed: Sequence[Placed]) -> tuple[moderngl.Texture, tuple[int, ...]]:
        """The table of all materials, and where each model's begin."""
        tables = [owned(one.model.materials, one.owner) for one in placed]
        *first_materials, count = np.cumsum([0, *map(len, tables)]).tolist()
        if count > MOST_MATERIALS:
            raise ValueError(f"at most {MOST_MATERIALS} materials in a moment, got {count}")
        materials = self._context.texture((1, count), 4, np.concatenate(tables), dtype="u4")
        return materials, tuple(first_materials)

    def _visible(self, scene: _Scene, view: View, change: Edit | None) -> list[tuple[Model, int]]:
        """What is to be drawn, each with the row of its first material."""
        if change:
            is_seen = [*[False] * scene.still, *change.is_seen]
        else:
            matrix = picture_matrix(view)
            is_seen = [not is_out_of_view(matrix, box) for box in scene.boxes]
        models = (one.model for one in scene.placed)
        return list(compress(zip(models, scene.first_materials, strict=True), is_seen))


def _casting(placed: Sequence[Placed], boxes: DoubleArray) -> DoubleArray:
    """Corners (N, 3) of all that casts shadows, or of everything where nothing does."""
    casting = [one.casts for one in placed]
    return boxes[casting if any(casting) else ...].reshape(-1, 3)
