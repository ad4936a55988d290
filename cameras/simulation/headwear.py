"""Hats, headscarves and glasses."""

from typing import Final

import numpy as np

from cameras.simulation.body import Body, J, Part, vertex_normals
from cameras.simulation.heads import Head, measure_head
from cameras.simulation.looks import Glasses, Headwear
from cameras.simulation.meshes import Mesh
from cameras.simulation.pieces import Piece, arm_weight, moulded, rigid, smoothing
from cameras.simulation.primitives import ellipsoid, loft, placed, rotation, tube
from pipeline.types import DoubleArray, FloatArray

_LENGTH_M, _WIDTH_M, _MIDDLE_M = 0.104, 0.079, 0.016
"""Half-axes of the head above the ears, and how far its middle is ahead of them."""


def put_on(body: Body, headwear: Headwear, surface: FloatArray, material: int) -> list[Piece]:
    """What is worn on the head; a headscarf lies over the dressed surface (V, 3) too."""
    head = measure_head(body)
    if headwear is Headwear.CAP:
        return [
            rigid([_dome(head, 0.045, 0.012, 0.6, -4, material), _visor(head, material)], "head")
        ]
    if headwear is Headwear.BEANIE:
        cuff = _band(
            head, 0.012, ((1.0, -0.005), (1.07, 0), (1.09, 0.035), (1.02, 0.045)), -8, material
        )
        return [rigid([_dome(head, 0.012, 0.014, 0.75, -8, material), cuff], "head")]
    if headwear is Headwear.HAT:
        brim = _band(
            head, 0.048, ((0.9, 0.0), (1.7, -0.006), (1.7, 0.0), (1.06, 0.014)), -3, material
        )
        return [rigid([_dome(head, 0.05, 0.014, 0.4, -3, material), brim], "head")]
    return [_scarf(body, head, surface, material)] if headwear is Headwear.HIJAB else []


def wear_glasses(body: Body, glasses: Glasses, material: int) -> list[Piece]:
    """What is worn before the eyes."""
    if glasses is Glasses.NONE:
        return []
    head = measure_head(body)
    _, y, z = head.eye
    x = head.face_x(0.012, float(z)) + 0.006
    parts = [
        tube(
            head.placed([(x, -0.012, z + 0.008), (x, 0.012, z + 0.008)]),
            0.002,
            material,
            5,
            beside=(0, 0, 1),
        )
    ]
    for side in (1, -1):
        middle = head.placed((x - 0.004, side * y, z - 0.003))
        parts.append(placed(_lens(head.scale, glasses, material), middle))
        temple = [(x - 0.006, side * (y + 0.025), z + 0.005), (0.0, side * 0.083, z + 0.008)]
        parts.append(tube(head.placed(temple), 0.002, material, 5, beside=(0, 0, 1)))
    return [rigid(parts, "head")]


def _lens(scale: float, glasses: Glasses, material: int) -> Mesh:
    """A dark glass, or the rim around a clear one; around the origin."""
    if glasses is Glasses.DARK:
        return ellipsoid(scale * np.array([0.004, 0.027, 0.021]), material, 5, 10)
    angles = np.linspace(0, 2 * np.pi, 11)
    ring = scale * np.stack([0 * angles, 0.026 * np.cos(angles), 0.02 * np.sin(angles)], axis=1)
    return tube(ring, 0.0022, material, 5, beside=(1, 0, 0))


def _oval(head: Head, profile: DoubleArray, line: float, tilt: float, material: int) -> Mesh:
    """A profile (R, 2) of size against the head and height above `line`, led around the head."""
    angles = np.arange(16) * 2 * np.pi / 16
    circle = np.stack([_LENGTH_M * np.cos(angles), _WIDTH_M * np.sin(angles), 0 * angles], axis=1)
    rings = profile[:, :1, None] * circle + profile[:, 1, None, None] * np.array([0, 0, 1])
    turned = rings @ rotation(1, tilt).T
    return loft(head.placed(turned + np.array([_MIDDLE_M, 0, line])), material, caps=False)


def _dome(
    head: Head, line: float, thickness: float, roundness: float, tilt: float, material: int
) -> Mesh:
    """A crown from a height above the eyes to over the top."""
    rise = np.linspace(0, np.pi / 2, 7)
    size = np.cos(rise).clip(0) ** roundness * (1 + thickness / _WIDTH_M)
    height = np.sin(rise) * (0.118 - line + thickness)
    return _oval(head, np.stack([size, height], axis=1), line, tilt, material)


def _band(
    head: Head, line: float, profile: tuple[tuple[float, float], ...], tilt: float, material: int
) -> Mesh:
    """A brim or cuff; its profile is closed."""
    return _oval(head, np.array([*profile, profile[0]]), line, tilt, material)


def _visor(head: Head, material: int) -> Mesh:
    plate = ellipsoid(head.scale * np.array([0.085, 0.072, 0.006]), material, 5, 14)
    return placed(plate, head.placed((0.115, 0, 0.052)), rotation(1, 9))


_SCARVED: Final = (Part.HEAD, Part.NECK, Part.TORSO, Part.EYE)


def _scarf(body: Body, head: Head, surface: FloatArray, material: int) -> Piece:
    """A headscarf around the face, down over the neck to the shoulders."""
    x, y, z = head.points.T
    face = 0.06 * (1 - np.hypot(y / 0.060, (z + 0.028) / 0.088))
    below = (
        np.linalg.norm((surface - body.joints[J["neck"]]) * [1, 0.85, 1], axis=1)
        - 0.16 * head.scale
    )
    edge = np.maximum(np.where(x > 0.03, face, -1), np.where(z < -0.1, below, -1))
    edge = np.where(np.isin(body.part, _SCARVED), edge, 1) + 2 * arm_weight(body)
    smooth, normals = smoothing(body), vertex_normals(surface, body.faces)
    points = surface + normals * 0.016
    for _ in range(8):
        points = np.where((edge < 0.05)[:, None], smooth @ points, points)
    short = 0.012 - np.einsum("vi,vi->v", points - surface, normals)
    points = points + normals * np.maximum(short, 0)[:, None]
    faces = edge[body.faces].min(axis=1) <= 0
    return moulded(body, points.astype(np.float32), edge.astype(np.float32), faces, material)
