"""Triangles, and what they are made of: the form in which people and places reach the renderer.

World and bodies are right-handed, in metres, z up. A body in its rest pose stands on z = 0 and
looks along +x; +y is to its left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pipeline.types import FloatArray, IntArray

Colour = tuple[float, float, float]
"""sRGB, each from 0 to 1."""


class Pattern(IntEnum):
    """How the two colours of a material are laid out on its texture coordinates."""

    PLAIN = 0
    BANDS = 1  # horizontal stripes: repeats along
    STRIPES = 2  # vertical stripes: repeats across
    CHECKS = 3
    DOTS = 4
    PRINT = 5  # soft blotches, as flowers or camouflage
    LOGO = 6  # plain, with a patch on the chest (front > 0, around across 0, along `scale_m`)
    TILES = 7
    PLANKS = 8
    BRICKS = 9
    SPECKLE = 10  # concrete, asphalt, carpet
    STRANDS = 11  # hair
    SKIN = 12


@dataclass(frozen=True, slots=True)
class Material:
    """What a surface looks like.

    Attributes:
        colour: The ground.
        second: Of stripes, prints, joints between tiles.
        pattern: How the two are laid out.
        scale_m: Length of one repeat, metres; of LOGO, height of the patch's centre.
        seed: In [0, 1): shifts noise and repeats, so that two of a kind differ.
        wear: 0 new to 1 worn: faded patches, stains.
        gloss: 0 matt to 1 shiny.
        folds: 0 flat to 1 deeply creased: bends the normals.
        infrared: Reflectance near 850 nm, 0 to 1; unrelated to the colour, as with real dyes.
    """

    colour: Colour
    second: Colour = (0.5, 0.5, 0.5)
    pattern: Pattern = Pattern.PLAIN
    scale_m: float = 0.1
    seed: float = 0.0
    wear: float = 0.0
    gloss: float = 0.0
    folds: float = 0.0
    infrared: float = 0.5


@dataclass(frozen=True, eq=False, slots=True)
class Mesh:
    """A surface of triangles.

    Attributes:
        positions: (V, 3) float32, metres.
        normals: (V, 3) float32, unit, outward.
        texture: (V, 3) float32, metres: where a pattern is looked up, as (across, along, front).
            On the torso (y, z, x) of the rest pose, on limbs their own axis is `along`; on floors
            (x, y, 0), on walls (length, height, 0).
        cut: (V,) float32, metres beyond the edge of the cloth; drawn where the value, interpolated
            over the triangle, is at most 0. That makes hems, sleeves and necklines sharper than the
            mesh. 0 where nothing is cut.
        material: (V,) int32, row in the owner's table of materials; the same at the three corners
            of a triangle.
        faces: (F, 3) int32, counter-clockwise seen from outside.
    """

    positions: FloatArray
    normals: FloatArray
    texture: FloatArray
    cut: FloatArray
    material: IntArray
    faces: IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Dressed:
    """A body with its clothes, hair and things, in the rest pose.

    Attributes:
        mesh: All of it.
        weights: (V, J) float32, rows add to 1: how much each joint of the skeleton moves a vertex.
        is_person: (V,) bool: part of the person (body, clothes, hair, hat), as opposed to things
            carried (bags, trolley, umbrella), which hide others but widen no box.
        materials: Table that `mesh.material` points into.
        joints: (J, 3) float32 rest positions of the joints of this body.
        keypoints: (17, 3) float32 rest positions of the COCO keypoints.
        keypoint_weights: (17, J) float32.
    """

    mesh: Mesh
    weights: FloatArray
    is_person: np.ndarray
    materials: tuple[Material, ...]
    joints: FloatArray
    keypoints: FloatArray
    keypoint_weights: FloatArray


def join(meshes: Sequence[Mesh]) -> Mesh:
    """One mesh of several that share a table of materials."""
    starts = np.cumsum([0, *(len(mesh.positions) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.positions for mesh in meshes]),
        np.concatenate([mesh.normals for mesh in meshes]),
        np.concatenate([mesh.texture for mesh in meshes]),
        np.concatenate([mesh.cut for mesh in meshes]),
        np.concatenate([mesh.material for mesh in meshes]),
        np.concatenate([m.faces + start for m, start in zip(meshes, starts, strict=False)]).astype(
            np.int32
        ),
    )
