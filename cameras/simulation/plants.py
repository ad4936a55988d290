"""Leaves and trees."""

import numpy as np

from cameras.simulation.meshes import Colour, Material, Mesh, Pattern
from cameras.simulation.primitives import ellipsoid, mesh_of, placed
from cameras.simulation.settings import Point3
from cameras.simulation.surfaces import Part, darker, mixed
from pipeline.types import DoubleArray

LEAVES: tuple[Colour, ...] = ((0.20, 0.36, 0.13), (0.29, 0.45, 0.18), (0.14, 0.27, 0.12))


def foliage(
    centre: Point3, radii: Point3, count: int, length: float, rng: np.random.Generator
) -> list[Part]:
    """Leaves of up to `length` metres within an ellipsoid, around a dark core; in three greens."""
    extent = np.array(radii)
    core = placed(ellipsoid(0.6 * extent, rows=5, sides=8), centre)
    parts = [Part(core, Material(darker(LEAVES[0], 0.35), wear=0.3, infrared=0.5))]
    for colour in LEAVES:
        towards = rng.standard_normal((count // len(LEAVES), 3))
        towards /= np.linalg.norm(towards, axis=1, keepdims=True)
        middles = towards * rng.uniform(0.6, 1, (len(towards), 1)) * (extent - 0.5 * length)
        parts.append(Part(placed(_leaf_mesh(middles, towards, length, rng), centre), _leaf(colour)))
    return parts


def _leaf(colour: Colour) -> Material:
    return Material(
        colour, mixed(colour, (0.5, 0.55, 0.2), 0.4), Pattern.PRINT, 0.2, gloss=0.3, infrared=0.85
    )


def _leaf_mesh(
    middles: DoubleArray, towards: DoubleArray, length: float, rng: np.random.Generator
) -> Mesh:
    """Rhombs around `middles` (N, 3) that look roughly `towards` (N, 3)."""
    outward = towards + 0.5 * rng.standard_normal(towards.shape) + (0, 0, 0.5)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    along = np.cross(outward, rng.standard_normal(towards.shape))
    along *= (length / 2 * rng.uniform(0.6, 1, (len(along), 1))) / np.linalg.norm(
        along, axis=1, keepdims=True
    )
    across = 0.45 * np.cross(outward, along)
    points = np.stack([along, across, -along, -across], axis=1) + middles[:, None]
    first = 4 * np.arange(len(points))[:, None]
    faces = np.concatenate([first + half for half in ((0, 1, 2), (0, 2, 3))])
    corners = points.reshape(-1, 3)
    # Lit as the bush is, more than as each leaf would be: no glitter.
    normals = (outward + towards)[:, None].repeat(4, axis=1).reshape(-1, 3)
    return mesh_of(
        corners, normals / np.linalg.norm(normals, axis=1, keepdims=True), corners, faces
    )
