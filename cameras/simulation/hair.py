"""Hair, beards and brows: shells over the scalp that end at a hairline, and what falls from it."""

from typing import Final

import numpy as np
from scipy.spatial import cKDTree

from cameras.simulation.body import Body, Part, vertex_normals
from cameras.simulation.heads import Head, head_weights, is_head, measure_head
from cameras.simulation.looks import HairStyle, Headwear, Look
from cameras.simulation.meshes import Mesh
from cameras.simulation.pieces import Piece, arm_weight, as_on_torso, moulded, rigid, smoothing
from cameras.simulation.primitives import ellipsoid, loft, placed, tube
from pipeline.types import DoubleArray, FloatArray

_HAIRLINE: Final = (
    (-0.09, -0.03, -0.018, -0.010, 0.014, 0.020, 0.032, 0.050, 0.080, 0.140),
    (-0.085, -0.075, -0.03, 0.035, 0.035, -0.012, -0.005, 0.045, 0.070, 0.076),
)
"""Ahead of the ears, and height there: around the ear, up the temple, across the forehead."""
_LONG_HAIRLINE: Final = (
    (-0.09, 0.020, 0.035, 0.055, 0.085, 0.140),
    (-0.12, -0.10, -0.02, 0.04, 0.07, 0.078),
)
_BEARDLINE: Final = ((0.02, 0.05, 0.09, 0.14), (-0.005, -0.052, -0.06, -0.052))
_VOLUME: Final = {
    HairStyle.BUZZ: (0.003, 0.002),
    HairStyle.SHORT: (0.022, 0.010),
    HairStyle.PARTED: (0.030, 0.014),
    HairStyle.CURLY: (0.036, 0.028),
    HairStyle.AFRO: (0.085, 0.075),
    HairStyle.BOB: (0.022, 0.020),
    HairStyle.LONG: (0.020, 0.016),
    HairStyle.PONYTAIL: (0.013, 0.009),
    HairStyle.BUN: (0.013, 0.009),
}
"""Thickness on top and at the sides, metres."""
_FALLS: Final = {HairStyle.BOB: 0.15, HairStyle.LONG: 0.36}
"""How far below the eyes it reaches, metres."""


def hair(body: Body, look: Look, surface: FloatArray, material: int) -> list[Piece]:
    """Hair, beard and brows over the head; what falls lies upon the dressed surface (V, 3)."""
    head = measure_head(body)
    pieces = [rigid([_brow(head, side, material) for side in (1, -1)], "head")]
    if look.beard_m > 0:
        pieces.append(_beard(body, head, look.beard_m, material))
    if look.hair is HairStyle.BALD or look.headwear is Headwear.HIJAB:
        return pieces
    pieces.append(_scalp(body, head, look, material))
    if look.hair in _FALLS:
        fall = _fall(body, head, surface, _FALLS[look.hair], material)
        pieces.append(Piece(fall, head_weights(body, fall.positions[:, 2])))
    if look.hair is HairStyle.PONYTAIL:
        pieces.append(rigid([_tail(head, material)], "head"))
    if look.hair is HairStyle.BUN:
        pieces.append(rigid([_bun(head, material, look.headwear is Headwear.NONE)], "head"))
    return pieces


def _scalp(body: Body, head: Head, look: Look, material: int) -> Piece:
    x, y, z = head.points.T
    line = _LONG_HAIRLINE if look.hair in _FALLS else _HAIRLINE
    edge = np.where(is_head(body), np.interp(x, *line) - z, 0.1)
    top, sides = _VOLUME[look.hair]
    if look.headwear is not Headwear.NONE:
        top, sides = 0.004, min(sides, 0.01)
    thickness = sides + (top - sides) * np.clip(z / 0.1, 0, 1)
    if look.hair is HairStyle.PARTED:
        thickness = thickness + 0.008 * np.sign(y - 0.025) * (z > 0.06) * (top > 0.01)
    if look.hair in (HairStyle.CURLY, HairStyle.AFRO):
        lumps = np.random.default_rng(look.body).normal(0, 0.12, len(z))
        thickness = thickness * (1 + lumps)
    rounded = look.hair in (HairStyle.CURLY, HairStyle.AFRO)
    return _shell(body, head, edge, thickness, material, 1 if rounded else 3)


def _beard(body: Body, head: Head, length_m: float, material: int) -> Piece:
    x, y, z = head.points.T
    mouth = 0.009 * (1 - np.hypot(y / 0.026, (z + 0.074) / 0.010)) * (x > 0.08)
    edge = np.max([z - np.interp(x, *_BEARDLINE), mouth, -0.135 - z, 0.016 - x], axis=0)
    edge = np.where(is_head(body), edge, 0.1)
    return _shell(body, head, edge, np.full(len(x), length_m), material, 1)


def _shell(
    body: Body,
    head: Head,
    edge: DoubleArray,
    thickness: DoubleArray,
    material: int,
    rounds: int,
) -> Piece:
    """Hair of some thickness (V,), thinner towards its edge (V,), in the head's metres."""
    faces = (edge[body.faces].min(axis=1) <= 0) & is_head(body)[body.faces].all(axis=1)
    smooth = smoothing(body)
    outward = body.normals
    for _ in range(3):
        outward = smooth @ outward
    outward = outward / np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-6)
    grown = 0.002 + (thickness - 0.002) * np.clip(-edge / 0.025 + 0.15, 0, 1)
    points = body.vertices + outward * (head.scale * grown)[:, None]
    inside = (edge < 0.02)[:, None]
    for _ in range(rounds):
        points = np.where(inside, smooth @ points, points)
    short = 0.0015 - np.einsum("vi,vi->v", points - body.vertices, body.normals)
    points = points + body.normals * np.maximum(short, 0)[:, None]
    return moulded(
        body, points.astype(np.float32), (edge * head.scale).astype(np.float32), faces, material
    )


def _fall(body: Body, head: Head, surface: FloatArray, depth_m: float, material: int) -> Mesh:
    """Hair that falls around the back of the head to `depth_m` below the eyes."""
    heights = np.append(np.linspace(-depth_m, 0.03, 8), 0.06)
    spread = np.radians(np.interp(heights, [-0.3, -0.12, 0.0, 0.06], [55, 82, 100, 80]))
    thickness = np.interp(heights, [-depth_m, -depth_m + 0.1, 0.06], [0.012, 0.024, 0.016])
    reach = np.interp(heights, [0.0, 0.03, 0.06], [1.0, 0.98, 0.84])[:, None]
    turn = np.linspace(-1, 1, 11)
    angles = np.pi + spread[:, None] * np.concatenate([turn, turn[::-1]])
    inset = np.concatenate([np.zeros(11), np.ones(11)]) * thickness[:, None]
    rings = np.stack(
        [
            0.012 + (0.112 - inset) * reach * np.cos(angles),
            (0.098 - inset) * reach * np.sin(angles),
            np.repeat(heights[:, None], 22, axis=1),
        ],
        axis=-1,
    )
    placed_ = head.placed(rings)
    behind = _back_of(body, surface, placed_) - head.scale * (0.03 - inset)
    placed_[..., 0] = np.where(
        heights[:, None] < -0.09, np.minimum(placed_[..., 0], behind), placed_[..., 0]
    )
    return as_on_torso(loft(placed_, material))


def _back_of(body: Body, surface: FloatArray, points: DoubleArray) -> DoubleArray:
    """How far back (x) the clothed back is at points (..., 3)."""
    normals = vertex_normals(surface, body.faces)
    back = surface[(normals[:, 0] < 0.1) & (body.part == Part.TORSO) & (arm_weight(body) < 0.5)]
    _, nearest = cKDTree(back[:, 1:]).query(points[..., 1:], k=3)
    return np.asarray(back[nearest, 0].min(axis=-1), np.float64)


def _tail(head: Head, material: int) -> Mesh:
    """A ponytail."""
    path = [
        (-0.09, 0, 0.04),
        (-0.125, 0, 0.045),
        (-0.145, 0, 0.0),
        (-0.14, 0, -0.07),
        (-0.13, 0, -0.17),
    ]
    radii = head.scale * np.array([0.014, 0.024, 0.03, 0.026, 0.008])
    return as_on_torso(tube(head.placed(path), radii[:, None], material, beside=(0, 1, 0)))


def _bun(head: Head, material: int, high: bool) -> Mesh:
    place = (-0.08, 0, 0.085) if high else (-0.115, 0, -0.02)
    ball = ellipsoid(head.scale * np.array([0.04, 0.043, 0.038]), material)
    return as_on_torso(placed(ball, head.placed(place)))


def _brow(head: Head, side: int, material: int) -> Mesh:
    """An eyebrow."""
    path = [
        (head.face_x(y, z) - 0.001, side * y, z)
        for y, z in ((0.015, 0.021), (0.032, 0.026), (0.050, 0.018))
    ]
    radii = head.scale * np.array([0.0035, 0.0045, 0.002])
    return tube(head.placed(path), radii[:, None], material, sides=6, beside=(0, 0, 1))
