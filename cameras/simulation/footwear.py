"""Shoes: uppers and soles lofted along the foot, and the shafts of boots."""

from typing import Final

import numpy as np

from cameras.simulation.body import Body, J, Part
from cameras.simulation.looks import ShoeKind
from cameras.simulation.pieces import Piece, as_on_torso, moulded
from cameras.simulation.primitives import loft
from pipeline.types import DoubleArray, FloatArray

_STATIONS: Final = np.array([0.0, 0.03, 0.12, 0.27, 0.42, 0.57, 0.72, 0.86, 0.96, 1.0])
_TAPER: Final = np.array([0.55, 0.85, 1, 1, 1, 1, 1, 0.95, 0.75, 0.45])
_SOLES: Final = {
    ShoeKind.TRAINERS: (0.028, 0.009),
    ShoeKind.SHOES: (0.016, 0.006),
    ShoeKind.BOOTS: (0.03, 0.009),
    ShoeKind.SANDALS: (0.022, 0.006),
    ShoeKind.FLATS: (0.008, 0.003),
}
"""Height, and how far they stand out, metres."""
_SHAFT: Final = 0.72  # where boots end, on the leg
_SHAFT_M: Final = 0.009
_UPPER_M: Final = 0.010  # room for a shoe under the hem
_COVERING: Final = (ShoeKind.TRAINERS, ShoeKind.SHOES, ShoeKind.BOOTS)


def shoe(body: Body, kind: ShoeKind, upper: int, sole: int) -> list[Piece]:
    """Both shoes; `upper` and `sole` are rows of materials."""
    pieces = []
    for side in (1, -1):
        outline = _outline(body, side)
        pieces.append(_sole(body, outline, side, kind, sole))
        if kind is ShoeKind.SANDALS:
            pieces += [_strap(body, outline, side, row, upper) for row in (4, 6)]
        else:
            pieces.append(_upper(body, outline, side, kind, upper))
    if kind is ShoeKind.BOOTS:
        pieces.append(_shafts(body, upper))
    return pieces


def shod(body: Body, kind: ShoeKind) -> FloatArray:
    """Metres (V,) beyond the shoes: below 0 on skin that they cover."""
    if kind not in _COVERING:
        return np.ones(len(body.vertices), np.float32)
    top = np.full(len(body.part), body.joints[J["foot_l"], 2]) - body.vertices[:, 2]
    if kind is ShoeKind.BOOTS:
        top = (body.leg - _SHAFT) * body.leg_m
    return np.where(np.isin(body.part, (Part.FOOT, Part.LEG)), -top, 1).astype(np.float32)


def booted(body: Body, kind: ShoeKind) -> FloatArray:
    """The surface (V, 3) that trousers go over: the body's, with shoes and the shafts of boots."""
    low = np.isin(body.part, (Part.FOOT, Part.LEG)) & (body.leg > 0.93)
    shafts = (kind is ShoeKind.BOOTS) & (shod(body, kind) < 0.08)
    thickness = np.where(low & (kind in _COVERING), _UPPER_M, np.where(shafts, _SHAFT_M, 0))
    return (body.vertices + thickness[:, None] * body.normals).astype(np.float32)


def _outline(body: Body, side: int) -> DoubleArray:
    """At each station of a foot (S, 4): x, least y, greatest y, height."""
    foot = body.vertices[(body.part == Part.FOOT) & (body.side == side)].astype(np.float64)
    heel, toe = foot[:, 0].min() - 0.012, foot[:, 0].max() + 0.018
    rows = []
    for share in _STATIONS:
        x = heel + share * (toe - heel)
        near = np.abs(foot[:, 0] - np.clip(x, heel + 0.03, toe - 0.035)) < 0.025
        low, high = foot[near, 1].min(), foot[near, 1].max()
        rows.append((x, low, high, foot[near, 2].max()))
    return np.array(rows)


def _rings(
    outline: DoubleArray,
    taper: DoubleArray,
    wider: float,
    low: float,
    height: DoubleArray,
    square: float,
) -> DoubleArray:
    """Sections (S, N, 3) of a shoe, from the heel on, flat below."""
    angles = np.arange(14) * 2 * np.pi / 14
    x, left, right, _ = outline.T
    middle, half = (left + right) / 2, ((right - left) / 2 + wider) * taper
    across, up = (np.sign(f) * np.abs(f) ** square for f in (np.cos(angles), np.sin(angles)))
    y = middle[:, None] + half[:, None] * across
    z = low + (height - low)[:, None] * np.maximum(up, 0)
    return np.stack([np.broadcast_to(x[:, None], y.shape), y, z], axis=-1)


def _upper(body: Body, outline: DoubleArray, side: int, kind: ShoeKind, material: int) -> Piece:
    sole, _ = _SOLES[kind]
    height = np.minimum(outline[:, 3] + 0.008, 0.105 * body.height_m / 1.7)
    if kind is ShoeKind.FLATS:
        height = np.minimum(height, np.where((_STATIONS > 0.15) & (_STATIONS < 0.7), 0.03, 0.055))
    height = np.maximum(
        height * np.array([0.85, 0.95, 1, 1, 1, 1, 1, 1.05, 0.95, 0.7]), sole + 0.012
    )
    return _moved(body, _rings(outline, _TAPER, 0.005, 0.6 * sole, height, 0.8), side, material)


def _sole(body: Body, outline: DoubleArray, side: int, kind: ShoeKind, material: int) -> Piece:
    sole, wider = _SOLES[kind]
    height = np.full(len(outline), sole)
    return _moved(body, _rings(outline, _TAPER, wider, 0.0, height, 0.3), side, material)


def _strap(body: Body, outline: DoubleArray, side: int, row: int, material: int) -> Piece:
    """A band over the foot."""
    band = np.repeat(outline[row : row + 1], 2, axis=0)
    band[:, 0] += [-0.014, 0.014]
    return _moved(
        body, _rings(band, np.ones(2), 0.006, 0.01, band[:, 3] + 0.006, 0.8), side, material
    )


def _moved(body: Body, rings: DoubleArray, side: int, material: int) -> Piece:
    """A loft along the foot, bent where the toes bend."""
    mesh = as_on_torso(loft(rings, material), -1)
    suffix = "l" if side > 0 else "r"
    toes = np.clip((mesh.positions[:, 0] - body.joints[J[f"toes_{suffix}"], 0]) / 0.03 + 0.5, 0, 1)
    weights = np.zeros((len(toes), body.weights.shape[1]), np.float32)
    weights[:, J[f"toes_{suffix}"]] = toes
    weights[:, J[f"foot_{suffix}"]] = 1 - toes
    return Piece(mesh, weights)


def _shafts(body: Body, material: int) -> Piece:
    edge = ((_SHAFT - body.leg) * body.leg_m).astype(np.float32)
    lower = np.isin(body.part, (Part.LEG, Part.FOOT)) & (body.leg < 1.04)
    faces = (edge[body.faces].min(axis=1) <= 0) & lower[body.faces].all(axis=1)
    return moulded(body, body.vertices + _SHAFT_M * body.normals, edge, faces, material)
