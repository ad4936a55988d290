"""How cloth hangs: around the convex outline of what is beneath, straight down from where it is
widest. From this come the torso of loose tops, and skirts, dresses and coat tails as tubes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from cameras.simulation.body import Body, J, Part
from cameras.simulation.looks import Cut
from cameras.simulation.pieces import Piece, arm_weight, as_on_torso, draped
from cameras.simulation.primitives import loft
from pipeline.types import DoubleArray, FloatArray

_ANGLES: Final = np.linspace(-np.pi, np.pi, 25)[:-1]
_LEVEL_M: Final = 0.03
_ROW_M: Final = 0.05
_CLEAR_M: Final = 0.014
"""How far skirts and the like stand off moving thighs."""


@dataclass(frozen=True, eq=False, slots=True)
class Drape:
    """A hanging surface around an upright axis: its radius by height and direction.

    Attributes:
        lowest: Height of the lowest level, metres; levels are `_LEVEL_M` apart.
        centre: x of the axis, metres; its y is 0.
        radii: (L, A) metres, L levels upward, A directions `_ANGLES` from the front (0) to the
            left.
    """

    lowest: float
    centre: float
    radii: DoubleArray

    def radius(self, height: npt.ArrayLike, angle: npt.ArrayLike) -> DoubleArray:
        """Metres from the axis at given heights and directions, between levels and `_ANGLES`."""
        level = np.clip(
            (np.asarray(height, np.float64) - self.lowest) / _LEVEL_M, 0, len(self.radii) - 1.001
        )
        turn = (np.asarray(angle, np.float64) / (2 * np.pi) + 0.5) * len(_ANGLES)
        row, column = np.floor(level).astype(int), np.floor(turn).astype(int)
        up, left = level - row, turn - column
        column, beside = column % len(_ANGLES), (column + 1) % len(_ANGLES)
        return np.asarray(
            (1 - up) * ((1 - left) * self.radii[row, column] + left * self.radii[row, beside])
            + up * ((1 - left) * self.radii[row + 1, column] + left * self.radii[row + 1, beside])
        )


def drape(body: Body, beneath: FloatArray, cut: Cut) -> Drape:
    """How a garment hangs over points beneath it.

    Args:
        body: Whose.
        beneath: (N, 3) points of the torso, legs and skirts that it covers, without arms.
        cut: Its shape.
    """
    hips = float(body.joints[J["thigh_l"], 2])
    lowest = hips - max(cut.hem, 0.0) * body.leg_m - _LEVEL_M
    centre = float(body.joints[J["pelvis"], 0] + body.joints[J["spine2"], 0]) / 2
    above = (beneath[:, 2] - lowest) / _LEVEL_M
    count = int((hips + 0.95 * body.torso_m - lowest) / _LEVEL_M)
    hull = _hull(beneath[:, :2] - np.array([centre, 0]), np.round(above).astype(int), count)
    inward = 0.003 / max(cut.loose_m, 1e-3) * _LEVEL_M  # how fast loose cloth may follow a waist
    radii = hull + cut.thickness_m
    for level in range(count - 2, -1, -1):
        radii[level] = np.maximum(radii[level], radii[level + 1] - inward)
    below: DoubleArray = np.maximum(hips - lowest - _LEVEL_M * np.arange(count), 0)
    wider = cut.flare_m * below / (hips - lowest) + np.minimum(0.15 * below, _CLEAR_M)
    return Drape(lowest, centre, radii + wider[:, None])


def _hull(points: DoubleArray, levels: npt.NDArray[np.int_], count: int) -> DoubleArray:
    """Radii (L, A) of the convex outlines of points (N, 2), level by level."""
    outward = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)])
    support = np.zeros((count + 2, len(_ANGLES)))
    inside = (levels >= -1) & (levels <= count)
    np.maximum.at(support, levels[inside] + 1, points[inside] @ outward)
    near = np.stack([support[:-2], support[1:-1], support[2:]])
    reach = 0.25 * near[0] + 0.5 * near.max(axis=0) + 0.25 * near[2]
    reach = np.maximum(reach, support[1:-1])
    facing = np.cos(_ANGLES[:, None] - _ANGLES)
    apart = np.where(facing > 0.2, reach[:, None, :] / np.maximum(facing, 0.2), np.inf)
    return np.asarray(apart.min(axis=2))


def hang(body: Body, points: FloatArray, hanging: Drape) -> FloatArray:
    """Points (V, 3) of the torso moved out to where the cloth hangs; those of arms stay."""
    top = (body.torso / body.torso_m - 0.72) / 0.23
    share = np.clip(1 - top, 0, 1) * np.clip(1 - 2 * arm_weight(body), 0, 1)
    x, y = points[:, 0] - hanging.centre, points[:, 1]
    own = np.maximum(np.hypot(x, y), 1e-3)
    wanted = hanging.radius(points[:, 2], np.arctan2(y, x))
    factor = 1 + share * (np.maximum(wanted, own) / own - 1)
    return np.stack([hanging.centre + x * factor, y * factor, points[:, 2]], axis=1).astype(
        np.float32
    )


def tail(body: Body, hanging: Drape, cut: Cut, top_m: float, material: int) -> Piece:
    """The tube of a garment from `top_m` above the hip joints down to its hem."""
    hips = float(body.joints[J["thigh_l"], 2])
    hem = hips - cut.hem * body.leg_m
    rows = max(int((hips + top_m - hem) / _ROW_M), 2) + 1
    heights = np.linspace(hem, hips + top_m, rows)
    radii = hanging.radius(heights[:, None], _ANGLES)
    rings = np.stack(
        [
            hanging.centre + radii * np.cos(_ANGLES),
            radii * np.sin(_ANGLES),
            np.repeat(heights[:, None], len(_ANGLES), axis=1),
        ],
        axis=-1,
    )
    side = loft(rings, material, caps=False)
    edge = np.maximum(hem - side.positions[:, 2], opening(cut, side.positions, hanging.centre))
    mesh = as_on_torso(side, edge)
    near = draped(body, mesh)
    return Piece(mesh, _striding(body, mesh.positions, near.weights, hanging.centre))


def opening(cut: Cut, points: FloatArray, centre: float) -> FloatArray:
    """Metres (V,) into the gap that an open garment leaves in front."""
    if cut.opening_m <= 0:
        return np.full(len(points), -1, np.float32)
    return np.where(points[:, 0] > centre, cut.opening_m - np.abs(points[:, 1]), -1).astype(
        np.float32
    )


def _striding(body: Body, points: FloatArray, weights: FloatArray, centre: float) -> FloatArray:
    """Weights (V, J) by which a tube around both legs follows them, from `weights` at the hips.

    Each side goes with its thigh, the middle between them; below the knee the back goes with the
    shin, which swings out behind.
    """
    hips, knee, ankle = (body.joints[J[f"{name}_l"], 2] for name in ("thigh", "shin", "foot"))
    down = np.clip((hips - points[:, 2]) / (hips - knee), 0, 2)
    leg = np.clip(down / 0.35, 0, 1)
    left = np.clip(0.5 + points[:, 1] / 0.12, 0, 1)
    behind = np.clip(0.5 - (points[:, 0] - centre) / 0.1, 0, 1)
    shin = behind * np.clip((knee - points[:, 2]) / (knee - ankle) * 1.5 + 0.3, 0, 1) * (down > 0.8)
    result = weights * (1 - leg)[:, None]
    for name, share in (("thigh", 1 - shin), ("shin", shin)):
        result[:, J[f"{name}_l"]] += leg * left * share
        result[:, J[f"{name}_r"]] += leg * (1 - left) * share
    return np.asarray(result, np.float32)


def trunk(body: Body, points: FloatArray) -> FloatArray:
    """Those of the points (V, 3) on the body's surface that garments hang around."""
    feet = body.part == Part.FOOT
    head = np.isin(body.part, (Part.HEAD, Part.NECK, Part.EYE))
    return np.asarray(points[(arm_weight(body) < 0.25) & ~feet & ~head])
