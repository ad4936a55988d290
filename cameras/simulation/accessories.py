"""Things carried: rigid, each moved by one joint, made to hang right in the poses of `gait`."""

from collections.abc import Callable
from typing import Final

import numpy as np

from cameras.simulation.body import Body, J, Part
from cameras.simulation.gait import Carry, Gait, carrying_hand, standing_pose
from cameras.simulation.looks import IN_HAND, Carried, Look, Thing
from cameras.simulation.meshes import Mesh
from cameras.simulation.pieces import Piece, arm_weight, rigid
from cameras.simulation.poses import measure_legs, pose_body
from cameras.simulation.primitives import box, cylinder, placed, rotation, tube, turned
from pipeline.types import DoubleArray, FloatArray

_BUSY: Final = {
    Thing.TROLLEY: Carry.TROLLEY_R,
    Thing.UMBRELLA: Carry.UMBRELLA_R,
    Thing.PHONE: Carry.PHONE_R,
}


def carry_of(look: Look) -> Carry:
    """What keeps the arms busy; a thing in a hand comes before one on the back."""
    for carried in look.carries:
        if carried.thing in IN_HAND:
            held = Carry.HANDBAG_L if carried.side > 0 else Carry.HANDBAG_R
            return _BUSY.get(carried.thing, held)
    worn = {carried.thing for carried in look.carries}
    return Carry.BACKPACK if Thing.BACKPACK in worn else Carry.NONE


def carry(body: Body, gait: Gait, surface: FloatArray, carried: Carried, material: int) -> Piece:
    """A thing, where it is carried on the dressed surface (V, 3)."""
    scale = body.height_m / 1.7
    if carried.thing is Thing.BACKPACK:
        return _backpack(body, surface, scale, material)
    if carried.thing in (Thing.SHOULDER_BAG, Thing.CROSSBODY):
        return _slung(body, surface, carried, scale, material)
    if carried.thing is Thing.TROLLEY:
        return _trolley(body, gait, scale, material)
    hand = "hand_l" if carried.side > 0 else "hand_r"
    grip = body.joints[J[hand]] + _palm(body, hand)
    turn = carrying_hand(gait).T  # from upright to the rest pose
    return rigid([placed(m, grip, turn) for m in _HELD[carried.thing](material)], hand, False)


def _palm(body: Body, hand: str) -> DoubleArray:
    """From the wrist to the middle of the hand."""
    wrist = body.joints[J[hand]].astype(np.float64)
    return (
        0.085 * body.height_m / 1.7 * _unit(wrist - body.joints[J[hand.replace("hand", "forearm")]])
    )


def _handbag(material: int) -> list[Mesh]:
    handle = tube([(x, 0, z) for x, z in _arch(0.09, 0.11)], 0.006, material, 6, beside=(0, 1, 0))
    return [placed(box((0.30, 0.11, 0.21), material, 0.025), (0, 0, -0.22)), handle]


def _briefcase(material: int) -> list[Mesh]:
    handle = tube([(x, 0, z) for x, z in _arch(0.06, 0.045)], 0.008, material, 6, beside=(0, 1, 0))
    return [placed(box((0.40, 0.09, 0.29), material, 0.015), (0, 0, -0.19)), handle]


def _shopping_bag(material: int) -> list[Mesh]:
    handle = tube([(x, 0, z) for x, z in _arch(0.08, 0.14)], 0.004, material, 6, beside=(0, 1, 0))
    return [placed(box((0.30, 0.13, 0.34), material, 0.008), (0, 0, -0.31)), handle]


def _phone(material: int) -> list[Mesh]:
    return [placed(box((0.012, 0.075, 0.155), material, 0.004), (0.04, 0, 0.03), rotation(1, -30))]


def _umbrella(material: int) -> list[Mesh]:
    """Open, its grip at the origin: eight ribs, a little to the inside so as to cover the head."""
    top = 0.74
    rise = np.linspace(0, np.pi / 2, 6)
    profile = np.stack([0.52 * np.cos(rise), top - 0.2 + 0.2 * np.sin(rise)], axis=1)
    canopy = turned(profile, material, 8)
    shaft = placed(cylinder(0.006, top + 0.1, material, 6), (0, 0, -0.05))
    lean = rotation(0, -8)
    return [placed(part, (0, 0, 0), lean) for part in (canopy, shaft)]


_HELD: Final[dict[Thing, Callable[[int], list[Mesh]]]] = {
    Thing.HANDBAG: _handbag,
    Thing.BRIEFCASE: _briefcase,
    Thing.SHOPPING_BAG: _shopping_bag,
    Thing.PHONE: _phone,
    Thing.UMBRELLA: _umbrella,
}
"""Meshes around a grip at the origin, upright, x ahead."""


def _arch(half_width: float, depth: float) -> list[tuple[float, float]]:
    """A handle (x, z) with its top at the origin."""
    turns = np.linspace(0, np.pi, 7)
    return [(float(-half_width * np.cos(t)), float(depth * (np.sin(t) - 1))) for t in turns]


def _trolley(body: Body, gait: Gait, scale: float, material: int) -> Piece:
    """A suitcase on wheels, drawn by the right hand, its wheels on the floor."""
    posed = pose_body(standing_pose(0.0, gait), body.joints)
    hand = posed[J["hand_r"]] @ np.append(body.joints[J["hand_r"]] + _palm(body, "hand_r"), 1)
    lift = posed[0, :, 3] - body.joints[0] + posed[0, :, :3] @ body.joints[0]
    grip = np.asarray(hand - [0, 0, lift[2]], np.float64)
    foot = np.array([grip[0] - 0.34 * scale, grip[1] - 0.02, 0.03])
    along = _unit(grip - foot)
    lean = np.degrees(np.arctan2(along[0], along[2]))
    length = float(np.linalg.norm(grip - foot))
    case = placed(box((0.22, 0.36, 0.52), material, 0.03), (0, 0, 0.31))
    bars = [placed(cylinder(0.007, length - 0.5, material, 6), (0, y, 0.5)) for y in (-0.1, 0.1)]
    grip_bar = tube([(0, -0.11, length), (0, 0.11, length)], 0.012, material, 6)
    wheels = [
        placed(cylinder(0.03, 0.03, material, 10), (0, y, 0), rotation(0, 90))
        for y in (-0.13, 0.16)
    ]
    parts = [case, *bars, grip_bar, *wheels]
    turn = rotation(1, lean)
    return rigid([placed(part, foot, turn) for part in parts], "pelvis", False)


def _backpack(body: Body, surface: FloatArray, scale: float, material: int) -> Piece:
    """A bag against the back, hanging from both shoulders."""
    trunk = _trunk(body, surface)
    chest = body.joints[J["chest"]]
    middle = chest[2] - 0.07 * scale
    back = _extreme(trunk, middle, 0.2 * scale, 0.12 * scale, -1)
    size = scale * np.array([0.17, 0.30, 0.44])
    bag = placed(box(size, material, 0.045), (back - size[0] / 2 + 0.015, 0, middle))
    pocket = placed(
        box(size * [0.3, 0.75, 0.42], material, 0.02),
        (back - size[0] - 0.01, 0, middle - 0.2 * size[2]),
    )
    straps = [
        _strap(trunk, side * 0.095 * scale, back, middle, scale, material) for side in (1, -1)
    ]
    return rigid([bag, pocket, *straps], "chest", False)


def _trunk(body: Body, surface: FloatArray) -> DoubleArray:
    """The points (N, 3) that straps lie on."""
    bearing = np.isin(body.part, (Part.TORSO, Part.LEG)) & (arm_weight(body) < 0.7)
    return surface[bearing].astype(np.float64)


def _strap(
    trunk: DoubleArray, y: float, back: float, middle: float, scale: float, material: int
) -> Mesh:
    """From the top of the bag over the shoulder and down to its lower corner."""
    slice_ = trunk[np.abs(trunk[:, 1] - y) < 0.03]
    angles = np.radians([140, 115, 90, 65, 40, 15, -10, -35])
    centre = np.array([back + 0.11, y, middle + 0.02])
    reach = [_support(slice_, centre, a) for a in angles]
    path = [
        centre + (r + 0.007) * np.array([np.cos(a), 0, np.sin(a)])
        for a, r in zip(angles, reach, strict=True)
    ]
    side = np.abs(trunk[np.abs(trunk[:, 2] - middle + 0.1) < 0.05, 1]).max()
    path += [
        np.array([back + 0.08, np.sign(y) * side, middle - 0.13 * scale]),
        np.array([back - 0.03, y * 1.3, middle - 0.17 * scale]),
    ]
    return tube(path, np.array([0.024, 0.005]), material, 6, beside=(0, 1, 0))


def _slung(body: Body, surface: FloatArray, carried: Carried, scale: float, material: int) -> Piece:
    """A bag at the hip on a strap, from the same shoulder or, across the body, from the other."""
    trunk = _trunk(body, surface)
    hips = float(body.joints[J["thigh_l"], 2])
    across = carried.thing is Thing.CROSSBODY
    size = scale * (np.array([0.24, 0.09, 0.18]) if across else np.array([0.32, 0.12, 0.27]))
    height = hips + (0.06 if across else 0.12) * scale
    width = np.abs(trunk[np.abs(trunk[:, 2] - height) < 0.12, 1]).max()
    place = np.array([-0.05 * scale, carried.side * (width + size[1] / 2 + 0.005), height])
    shoulder = np.array(
        [0, (-0.09 if across else 0.12) * carried.side * scale, body.joints[J["chest"], 2]]
    )
    down = _unit(place - shoulder)
    normal = np.cross(down, [1, 0, 0])
    corners = place + size * np.array([(x, 0, z) for x in (-0.45, 0.45) for z in (0.0, 0.5)])
    near = trunk[(np.abs((trunk - shoulder) @ normal) < 0.035) & (trunk[:, 2] > height)]
    near = np.concatenate([near - np.outer((near - shoulder) @ normal, normal), corners])
    loop = _loop(near, normal, 0.008)
    strap = tube(loop, np.array([0.014, 0.004]), material, 6, beside=normal)
    return rigid([placed(box(size, material, 0.025), place), strap], "spine2", False)


def _loop(points: DoubleArray, normal: DoubleArray, away: float) -> DoubleArray:
    """A closed path (25, 3) tight around points in a plane with a normal."""
    first = np.array([1.0, 0, 0])
    second = np.cross(normal, first)
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    flat = (points - middle) @ np.stack([first, second], axis=1)
    angles = np.linspace(0, 2 * np.pi, 25)
    support = (flat @ np.stack([np.cos(angles), np.sin(angles)])).max(axis=0) + away
    facing = np.cos(angles[:, None] - angles)
    radii = np.where(facing > 0.15, support / np.maximum(facing, 0.15), np.inf).min(axis=1)
    plane = radii[:, None] * (np.cos(angles)[:, None] * first + np.sin(angles)[:, None] * second)
    return np.asarray(middle + plane)


def _support(points: DoubleArray, centre: DoubleArray, angle: float) -> float:
    """How far points reach from a centre in a direction of the xz plane, near that direction."""
    ahead = np.array([np.cos(angle), np.sin(angle)])
    flat = (points - centre)[:, [0, 2]]
    reach = flat @ ahead
    beside = np.abs(flat @ np.array([-ahead[1], ahead[0]]))
    near = reach[(beside < 0.06) & (reach > 0)]
    return float(near.max()) if len(near) else 0.1


def _extreme(
    points: DoubleArray, height: float, reach: float, half_width: float, sign: int
) -> float:
    """The greatest x (sign 1) or least (-1) near a height, not far from the middle."""
    near = points[(np.abs(points[:, 2] - height) < reach) & (np.abs(points[:, 1]) < half_width)]
    return float(sign * (sign * near[:, 0]).max())


def _unit(vector: DoubleArray) -> DoubleArray:
    return np.asarray(vector / np.linalg.norm(vector), np.float64)


def standing_gait(body: Body, look: Look) -> Gait:
    """How this look holds its arms, before anything personal."""
    return Gait(measure_legs(body), carry_of(look))
