"""Clothes as shells: the body's own faces moved outward, layer upon layer, and what hangs on."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cameras.simulation.body import Body, J, Part, vertex_normals
from cameras.simulation.drapes import Drape, drape, hang, opening, tail, trunk
from cameras.simulation.looks import Cut, Kind
from cameras.simulation.pieces import Piece, arm_weight, as_on_torso, draped, smoothing
from cameras.simulation.primitives import ellipsoid, loft, placed
from pipeline.types import BoolArray, FloatArray

_STATURE_M: Final = 1.70
"""Metres in cuts are for this stature."""


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """What a garment makes of the surface below it.

    Attributes:
        material: Row of its material.
        faces: (F,) bool, faces of the body that its shell follows.
        shell_edge: (V,) float32: metres beyond the edges of the shell.
        others: Its other parts: skirt, collar, hood.
        cloth: (V, 3) float32: where its shell lies.
        outer: (V, 3) float32: the outermost surface, with it on.
        cut: (V,) float32: metres beyond its edges, below 0 where it covers the body.
        hanging: (N, 3) float32: points that what is worn over it must also go around.
    """

    material: int
    faces: BoolArray
    shell_edge: FloatArray
    others: tuple[Piece, ...]
    cloth: FloatArray
    outer: FloatArray
    cut: FloatArray
    hanging: FloatArray


def wear(body: Body, surface: FloatArray, hanging: FloatArray, cut: Cut, material: int) -> Layer:
    """A garment put on over a surface.

    Args:
        body: Whose.
        surface: (V, 3) outermost surface so far, vertex by vertex of the body.
        hanging: (N, 3) points of skirts worn beneath.
        cut: Its shape.
        material: Row of its material.
    """
    edge = _EDGES[cut.kind](body, body.vertices, cut)
    over = drape(body, np.concatenate([trunk(body, surface), hanging]), cut)
    cloth = _displaced(body, surface, over, edge, cut)
    hips = body.joints[J["thigh_l"], 2]
    has_tail = cut.kind is Kind.SKIRT or (cut.kind is Kind.TOP and cut.hem > 0)
    shell_edge = _EDGES[cut.kind](body, cloth, cut)
    if has_tail:
        shell_edge = np.maximum(shell_edge, hips - cloth[:, 2] - arm_weight(body))
    faces = (shell_edge[body.faces].min(axis=1) <= 0) & _CLOTHED[body.part][body.faces].all(axis=1)
    pieces: list[Piece] = []
    if has_tail:
        pieces.append(tail(body, over, cut, 0.03, material))
        hanging = np.concatenate([hanging, pieces[-1].mesh.positions])
    if cut.collar_m > 0:
        pieces.append(_collar(body, cut, material))
    if cut.hood:
        pieces.append(_hood(body, material))
    covered = edge < 0.03
    outer = np.where(covered[:, None], cloth, surface)
    return Layer(material, faces, shell_edge, tuple(pieces), cloth, outer, edge, hanging)


_ARM: Final = ("upperarm", "forearm", "hand")
_LEG: Final = ("thigh", "shin", "foot")
_CLOTHED: Final = np.array(
    [part in (Part.TORSO, Part.NECK, Part.ARM, Part.HAND, Part.LEG, Part.FOOT) for part in Part]
)


def _top_edge(body: Body, points: FloatArray, cut: Cut) -> FloatArray:
    """Metres of points (V, 3), on the body or above it, beyond sleeves, hem, neckline and front."""
    hem = body.joints[J["thigh_l"], 2] - cut.hem * body.leg_m
    centre = float(body.joints[J["spine2"], 0])
    trunk_gaps = (
        hem - points[:, 2],
        _neckline(body, points, cut),
        opening(cut, points, centre),
    )
    beyond = np.max(trunk_gaps, axis=0) - _on_arms(body)
    return np.asarray(np.maximum(beyond, _sleeve_edge(body, points, cut)), np.float32)


def _on_arms(body: Body) -> FloatArray:
    """0 on the trunk (V,), metres on the arms, where its edges must not reach."""
    return np.asarray(3 * np.clip(arm_weight(body) - 0.3, 0, 1), np.float32)


def _sleeve_edge(body: Body, points: FloatArray, cut: Cut) -> FloatArray:
    """Metres beyond the sleeves, or into the armholes of what has none."""
    arms = arm_weight(body)
    if cut.sleeve > 0:
        along = _along(body, points, _ARM)
        reached = np.minimum(along, 0) + np.maximum(along, 0) * np.minimum(2 * arms, 1)
        return np.asarray((reached - cut.sleeve) * body.arm_m, np.float32)
    scale = body.height_m / _STATURE_M
    shoulder = body.joints[J["upperarm_l"]]
    beside = np.abs(points[:, 1]) - shoulder[1] - cut.sleeve * body.arm_m
    above = points[:, 2] - shoulder[2] + 0.13 * scale
    return np.asarray(np.maximum(np.minimum(beside, above), 0.2 * (arms - 0.4)), np.float32)


def _neckline(body: Body, points: FloatArray, cut: Cut) -> FloatArray:
    """Metres above the neckline: a plane through the root of the neck, lower before the throat."""
    scale = body.height_m / _STATURE_M
    x, y, z = (points - body.joints[J["neck"]]).T / scale
    sideways = np.abs(y) / 0.085
    roundness = np.clip(1.5 - sideways, 0, 1)
    shape = cut.vee * np.clip(1 - sideways, 0, 1) + (1 - cut.vee) * roundness
    under_collar = 0.022 * (cut.collar_m > 0)
    depth = cut.neck_m * shape * np.clip(x / 0.04 + 0.5, 0, 1)
    return np.asarray((z + 0.45 * x - 0.01 - under_collar + depth) * scale, np.float32)


def _lower_edge(body: Body, points: FloatArray, cut: Cut) -> FloatArray:
    """Metres of points (V, 3) beyond the hem and waist of trousers; arms are far beyond."""
    waist = body.joints[J["thigh_l"], 2] + cut.waist_m * body.height_m / _STATURE_M
    hem = (_along(body, points, _LEG) - cut.hem) * body.leg_m
    arms = 2 * arm_weight(body)
    instep = points[:, 0] - body.joints[J["foot_l"], 0] - 0.08 * body.height_m / _STATURE_M
    hem = np.maximum(hem, np.where(body.part == Part.FOOT, instep, -1))
    return np.asarray(np.maximum(hem - arms, points[:, 2] - waist + arms), np.float32)


_EDGES: Final = {Kind.TOP: _top_edge, Kind.TROUSERS: _lower_edge, Kind.SKIRT: _lower_edge}


def _displaced(
    body: Body, surface: FloatArray, over: Drape, edge: FloatArray, cut: Cut
) -> FloatArray:
    """Where the cloth lies (V, 3) over a surface: nowhere nearer than its thickness."""
    normals = vertex_normals(surface, body.faces)
    near = (edge < 0.08)[:, None]
    points = surface + normals * cut.thickness_m
    if cut.kind is Kind.TROUSERS:
        points = _widened(points, body, _LEG, body.leg, cut)
    else:
        points = _widened(hang(body, points, over), body, _ARM, body.arm, cut)
    smooth = smoothing(body)
    for _ in range(1 + round(150 * cut.loose_m)):
        points = np.where(near, smooth @ points, points)
    short = cut.thickness_m - np.einsum("vi,vi->v", points - surface, normals)
    points = points + normals * np.maximum(short, 0)[:, None]
    floor = np.array([-np.inf, -np.inf, 0.0])
    return np.asarray(np.maximum(points, floor), np.float32)


def _widened(
    points: FloatArray, body: Body, limb: tuple[str, str, str], along: FloatArray, cut: Cut
) -> FloatArray:
    """Points (V, 3) of sleeves or trouser legs moved out to a loose tube around the limb."""
    start, middle, end = (body.joints[J[f"{name}_l"]] for name in limb)
    mirror = np.stack([np.ones_like(body.side), body.side, np.ones_like(body.side)], axis=1)
    left = points * mirror
    upper = along < np.linalg.norm(middle - start) / np.linalg.norm(end - start)
    foot = np.where(upper[:, None], _foot(left, start, middle), _foot(left, middle, end))
    outward = left - foot
    own = np.maximum(np.linalg.norm(outward, axis=1), 1e-3)
    ring = np.abs(along - 0.5) < 0.08
    tube = np.median(own[ring]) * min(cut.loose_m / 0.012, 1) + 0.6 * cut.loose_m
    wanted = tube + cut.flare_m * np.clip(along - 0.3, 0, 1) * (cut.kind is Kind.TROUSERS)
    share = np.clip((along - 0.2) / 0.25, 0, 1) * (along < 1.15)
    factor = 1 + share * (np.maximum(wanted, own) / own - 1)
    return np.asarray((foot + outward * factor[:, None]) * mirror)


def _along(body: Body, points: FloatArray, limb: tuple[str, str, str]) -> FloatArray:
    """Where points (V, 3) fall on a limb of their side: 0 at its root, 1 at wrist or ankle."""
    start, _, end = (body.joints[J[f"{name}_l"]] for name in limb)
    line = end - start
    left = points - start
    left[:, 1] = points[:, 1] * body.side - start[1]
    return np.asarray(left @ line / (line @ line), np.float32)


def _foot(points: FloatArray, start: FloatArray, end: FloatArray) -> FloatArray:
    """The points (V, 3) of a line nearest to the given ones."""
    line = end - start
    return np.asarray(start + ((points - start) @ line / (line @ line))[:, None] * line)


def _collar(body: Body, cut: Cut, material: int) -> Piece:
    """A band that stands around the neck."""
    scale = body.height_m / _STATURE_M
    neck = body.joints[J["neck"]]
    slice_ = body.vertices[body.part == Part.NECK]
    middle = (slice_.min(axis=0) + slice_.max(axis=0)) / 2
    reach = np.ptp(slice_, axis=0)[:2] / 2
    angles = np.linspace(-np.pi, np.pi, 21)[:-1]
    out = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rows = ((-0.035, 0.02), (0.0, 0.006), (cut.collar_m, 0.006 + 0.25 * cut.collar_m))
    rings = []
    for rise, wider in rows:
        flat = middle[:2] + out * (
            np.minimum(reach, 0.075 * scale) + (wider + cut.thickness_m) * scale
        )
        lean = neck[2] + scale * (0.012 + rise) - 0.45 * (flat[:, :1] - neck[0])
        rings.append(np.concatenate([flat, lean], axis=1))
    side = loft(np.array(rings), material, caps=False)
    gap = 0.008 + 0.25 * cut.neck_m + cut.opening_m
    x, y, _ = side.positions.T
    return draped(body, as_on_torso(side, np.where(x > middle[0], gap - np.abs(y), -1)))


def _hood(body: Body, material: int) -> Piece:
    """A hood that lies on the back."""
    scale = body.height_m / _STATURE_M
    nape = body.joints[J["neck"]] + scale * np.array([-0.095, 0, -0.01])
    lump = ellipsoid(scale * np.array([0.05, 0.115, 0.085]), material)
    return draped(body, as_on_torso(placed(lump, nape), -1.0))
