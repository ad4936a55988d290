"""Meshes and materials in the form that the shaders read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import moderngl
import numpy as np
import numpy.typing as npt

from cameras.simulation.meshes import Colour, Material, Mesh, Pattern
from pipeline.types import DoubleArray, FloatArray

INSIDE_M: Final = 0.12
"""How far into a garment one sees from its edge."""

SHADOW_CELL_M: Final = 0.04
"""What is nearer together throws one shadow."""

Bytes = npt.NDArray[np.uint8]
Indices = npt.NDArray[np.int32]


@dataclass(eq=False, slots=True)
class Model:
    """A mesh that a renderer holds; freed when nobody refers to it any more.

    Attributes:
        mesh: As added.
        materials: (M, 16) uint8, as shade_fragment.glsl reads them.
        positions: Where it is.
        normals: How it is turned.
        fine: All triangles.
        coarse: Fewer triangles, to throw shadows.
        closed: How many of the corners of `fine` are of surfaces whose back is never seen.
        is_moved: Whether the buffers hold other positions than the mesh.
    """

    mesh: Mesh
    materials: Bytes
    positions: moderngl.Buffer
    normals: moderngl.Buffer
    fine: moderngl.VertexArray
    coarse: moderngl.VertexArray
    closed: int
    is_moved: bool = False

    def move(self, positions: FloatArray | None, normals: FloatArray | None) -> FloatArray:
        """Uploads where it is, (V, 3) both; None: as added. The positions."""
        is_moved = positions is not None or normals is not None
        placed = self.mesh.positions if positions is None else positions
        if is_moved or self.is_moved:
            self.positions.write(vertex_table(placed))
            self.normals.write(vertex_table(self.mesh.normals if normals is None else normals))
        self.is_moved = is_moved
        return placed


def vertex_table(*columns: npt.NDArray[Any]) -> FloatArray:
    """(V, C) float32 of what each vertex has."""
    return np.ascontiguousarray(np.column_stack(columns), np.float32)


def material_table(materials: Sequence[Material]) -> Bytes:
    """(M, 16) uint8: colours as square roots of linear light, then the rest; owners left out."""
    table = np.zeros((len(materials), 16), np.uint8)
    table[:, 0:3] = _bytes([_root_of_light(m.colour) for m in materials])
    table[:, 3] = [m.pattern for m in materials]
    table[:, 4:7] = _bytes([_root_of_light(m.second) for m in materials])
    table[:, 7:12] = _bytes([(m.infrared, m.seed, m.wear, m.gloss, m.folds) for m in materials])
    scales = np.array([m.scale_m for m in materials])
    table[:, 14:16] = _words(np.clip(np.round(scales * 1e4), 1, 65535))
    return table


def owned(table: Bytes, owner: int) -> Bytes:
    """The table of materials with the number that its pixels get."""
    table = table.copy()
    table[:, 12:14] = _words(np.array([owner]))
    return table


def _words(values: npt.NDArray[Any]) -> Bytes:
    return values.astype("<u2").view(np.uint8).reshape(-1, 2)


def _bytes(shares: npt.ArrayLike) -> Bytes:
    return np.round(np.clip(shares, 0, 1) * 255).astype(np.uint8)


def _root_of_light(colour: Colour) -> DoubleArray:
    srgb = np.clip(np.array(colour, np.float64), 0, 1)
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return np.sqrt(light)


def closed_first(mesh: Mesh, materials: Sequence[Material]) -> tuple[Indices, int]:
    """(F, 3) faces, those first whose back is never seen, and how many corners these have.

    The inside of cloth is seen near its edges only, that of skin never.
    """
    is_skin = np.array([m.pattern == Pattern.SKIN for m in materials])
    has_inside = mesh.cut[mesh.faces].max(axis=1) > -INSIDE_M
    is_thin = has_inside & ~is_skin[mesh.material[mesh.faces[:, 0]]]
    faces = np.concatenate([mesh.faces[~is_thin], mesh.faces[is_thin]])
    return np.ascontiguousarray(faces, np.int32), 3 * int(np.count_nonzero(~is_thin))


def coarse_faces(mesh: Mesh, cell_m: float = SHADOW_CELL_M) -> Indices:
    """(F', 3) faces to throw shadows: vertices within a cell become one, where all is fine enough.

    Faces that lie on the floor are left out: they shade nothing.
    """
    corners = mesh.positions[mesh.faces]
    is_large = np.ptp(corners, axis=1).max(axis=1) > 2 * cell_m
    cells = np.round(mesh.positions / cell_m).astype(np.int64)
    own = np.unique(mesh.faces[is_large])
    cells[own] = np.stack([own, own, np.full_like(own, -1_000_000)], axis=1)
    _, first, cell = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    faces = first[cell.ravel()[mesh.faces]]
    a, b, c = faces.T
    is_wide = (a != b) & (b != c) & (c != a) & (corners[:, :, 2].max(axis=1) > 0.005)
    return np.ascontiguousarray(faces[is_wide] if is_wide.any() else [(0, 0, 0)], np.int32)


def box_of(positions: FloatArray) -> DoubleArray:
    """(8, 3) corners of the box around points (V, 3)."""
    rows = positions.T.copy()  # a dozen times faster than down the columns
    ends = np.stack([rows.min(axis=1), rows.max(axis=1)]).astype(np.float64)
    return np.stack(np.meshgrid(*ends.T, indexing="ij"), axis=-1).reshape(8, 3)
