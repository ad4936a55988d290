"""How people walk, stand and sit.

Amplitudes are textbook figures of gait (Perry, "Gait Analysis"; Winter, "Biomechanics and Motor
Control of Human Movement"): pelvis turned by some 4 degrees to each side and dropped by some 4 on
the swinging side, thorax turned against it, arms swung against the legs, step length in constant
proportion to cadence. The feet are `footfalls`' matter.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from cameras.simulation.body import JOINTS, Body, J, Part
from cameras.simulation.footfalls import hip_height, walking_foot
from cameras.simulation.poses import (
    PITCH,
    YAW,
    Foot,
    Legs,
    Pose,
    hold_hand,
    make_pose,
    measure_legs,
    reach,
)
from pipeline.types import DoubleArray

_DEGREE: Final = np.pi / 180
_USUAL_SPEED: Final = 1.3  # metres a second, at which the amplitudes below hold
_WALK_RATIO: Final = 0.0069 * 60  # step length / steps a second / length of leg, s
_CHEST: Final = [J[name] for name in ("chest", "clavicle_l", "clavicle_r")]
_TRUNK: Final = [J["pelvis"], J["spine1"], J["spine2"], *_CHEST]


class Carry(IntEnum):
    """What the arms are kept busy with."""

    NONE = 0
    TROLLEY_R = 1
    UMBRELLA_R = 2
    HANDBAG_L = 3
    HANDBAG_R = 4
    PHONE_R = 5
    BACKPACK = 6


@dataclass(frozen=True, slots=True)
class Gait:
    """How one person moves; angles in radians.

    Attributes:
        legs: Lengths.
        carry: What the arms do.
        clearance: How far the arms hang away from straight down, so as to pass the hips.
        cadence: Steps a second against the usual at the same speed.
        swing: Of the arms, against the usual.
        stoop: Lean of the chest.
        toe_out: How far the feet are turned outwards.
        width: Between the ankles, metres.
        bounce: Rise and fall of the pelvis, against the usual.
        asymmetry: Of the steps' times, share of a cycle.
        phases: (4,) in [0, 1): where the slow motions of standing begin.
    """

    legs: Legs
    carry: Carry = Carry.NONE
    clearance: float = 0.12
    cadence: float = 1.0
    swing: float = 1.0
    stoop: float = 0.03
    toe_out: float = 0.1
    width: float = 0.14
    bounce: float = 1.0
    asymmetry: float = 0.0
    phases: tuple[float, float, float, float] = (0.0, 0.25, 0.5, 0.75)


def make_gait(rng: np.random.Generator, body: Body, carry: Carry = Carry.NONE) -> Gait:
    """A random way to move for a body; the old stoop more and bounce less."""
    legs = measure_legs(body)
    age = max(body.age_years - 50, 0) / 30
    return Gait(
        legs=legs,
        carry=carry,
        clearance=_clearance(body),
        cadence=float(rng.normal(1, 0.05)),
        swing=float(np.clip(rng.normal(1, 0.35), 0.2, 1.8)),
        stoop=float(rng.uniform(-2, 6) + 6 * age) * _DEGREE,
        toe_out=float(rng.uniform(2, 12)) * _DEGREE,
        width=2 * legs.hip[1] * float(rng.uniform(0.5, 0.75)),
        bounce=float(rng.uniform(0.7, 1.0) - 0.15 * age),
        asymmetry=float(rng.normal(0, 0.008)),
        phases=tuple(rng.random(4).tolist()),
    )


def _clearance(body: Body) -> float:
    """Angle at which a straight arm passes the hips with a hand's thickness between."""
    hips = body.vertices[np.isin(body.part, (Part.TORSO, Part.LEG)) & (np.abs(body.torso) < 0.15)]
    needed = np.abs(hips[:, 1]).max() + 0.065 - body.joints[J["upperarm_l"], 1]
    return float(np.clip(np.arcsin(needed / (0.9 * body.arm_m)), 4 * _DEGREE, 25 * _DEGREE))


def stride_m(speed: float, gait: Gait) -> float:
    """Metres of two steps at a speed in metres a second: how far one cycle of `phase` goes."""
    step = np.sqrt(_WALK_RATIO * gait.legs.length * max(speed, 0.1)) / gait.cadence
    return float(2 * step)


def walking_pose(phase: float, speed: float, gait: Gait) -> Pose:
    """The pose at a phase of the cycle, in cycles: at 0 the left heel strikes, at 0.5 the right.

    Args:
        phase: Grows by distance / `stride_m`; only its fraction counts.
        speed: Metres a second.
        gait: Whose.
    """
    stride = stride_m(speed, gait)
    vigour = float(np.clip(speed / _USUAL_SPEED, 0.3, 1.2))
    left, right = phase % 1, (phase + 0.5 + gait.asymmetry) % 1
    wave = 2 * np.pi * left
    angles = np.zeros((len(JOINTS), 3))
    _walk_trunk(angles, wave, vigour, gait)
    sway = 0.02 * np.sin(wave)
    pelvis = np.array([0, sway, hip_height(wave, stride, vigour, gait.legs, gait.bounce)])
    pelvis[2] -= gait.legs.hip[2]
    feet = [
        walking_foot(own, stride, vigour, gait.legs, aside, gait.toe_out)
        for own, aside in ((left, gait.width / 2), (right, -gait.width / 2))
    ]
    reach(angles, pelvis, gait.legs, *feet)
    for side, own in (("l", wave), ("r", wave + np.pi)):
        swing = -np.cos(own) * gait.swing * vigour  # ahead as the other leg is
        elbow = (16 + 10 * max(swing, 0)) * _DEGREE
        _hang_arm(angles, side, (18 * swing - 2) * _DEGREE, elbow, gait)
    _carry(angles, gait, swinging=True)
    return make_pose(angles, pelvis)


def _walk_trunk(angles: DoubleArray, wave: float, vigour: float, gait: Gait) -> None:
    turn, drop = np.cos(wave) * vigour * _DEGREE, np.sin(wave + 0.4) * vigour * _DEGREE
    angles[J["pelvis"]] = 3 * drop, 2 * _DEGREE, -4 * turn
    angles[J["spine1"]] = 1.5 * drop, gait.stoop * 0.3, -1 * turn
    angles[J["spine2"]] = 0, gait.stoop * 0.7, 2 * turn
    angles[_CHEST] = -0.5 * drop, gait.stoop, 4 * turn
    angles[J["neck"]] = 0, gait.stoop * 0.8, 2 * turn
    angles[J["head"]] = 0, gait.stoop * 0.3, 0.5 * turn


def _hang_arm(
    angles: DoubleArray, side: str, ahead: float, elbow: float, gait: Gait, inwards: float = 0.0
) -> None:
    """One arm: upper arm swung ahead, elbow bent, forearm turned inwards."""
    sign = 1 if side == "l" else -1
    roll = sign * gait.clearance
    angles[J[f"upperarm_{side}"]] = roll, -ahead, 0
    angles[J[f"forearm_{side}"]] = roll * 0.7, -(ahead + elbow), -sign * inwards
    angles[J[f"hand_{side}"]] = roll * 0.5, -(ahead + elbow), -sign * inwards


def _carry(angles: DoubleArray, gait: Gait, swinging: bool) -> None:
    """Keep the arms busy with what is carried."""
    if gait.carry == Carry.TROLLEY_R:
        _hang_arm(angles, "r", -24 * _DEGREE, 12 * _DEGREE, gait)
    elif gait.carry == Carry.UMBRELLA_R:
        _hang_arm(angles, "r", 18 * _DEGREE, 115 * _DEGREE, gait, 10 * _DEGREE)
    elif gait.carry == Carry.PHONE_R:
        _hang_arm(angles, "r", 22 * _DEGREE, 92 * _DEGREE, gait, 28 * _DEGREE)
        angles[[J["neck"], J["head"]], PITCH] += np.array([8, 24]) * _DEGREE
    elif gait.carry in (Carry.HANDBAG_L, Carry.HANDBAG_R):
        side = "l" if gait.carry == Carry.HANDBAG_L else "r"
        sway = 0.2 * angles[J[f"upperarm_{side}"], PITCH] if swinging else 0.0
        _hang_arm(angles, side, -sway, 6 * _DEGREE, gait)


def carrying_hand(gait: Gait) -> DoubleArray:
    """(3, 3) turn of the busy hand (right unless HANDBAG_L) from the rest pose, body's axes.

    A thing drawn upright about the grip at v belongs at hand + turn.T @ v in the rest pose.
    """
    angles = np.zeros((len(JOINTS), 3))
    side = "l" if gait.carry == Carry.HANDBAG_L else "r"
    _hang_arm(angles, side, 0, 0.1, gait)
    _carry(angles, gait, swinging=False)
    return hold_hand(angles, J[f"hand_{side}"])


def standing_pose(time_s: float, gait: Gait) -> Pose:
    """Standing at a time: shifting the weight, looking about."""
    angles, pelvis = _standing_trunk(time_s, gait)
    aside = gait.width / 2 + 0.03
    feet = [
        Foot((-0.01, sign * aside, gait.legs.ankle), 0, gait.toe_out + 4 * _DEGREE)
        for sign in (1, -1)
    ]
    reach(angles, pelvis, gait.legs, *feet)
    for side, sign in (("l", 1), ("r", -1)):
        _hang_arm(angles, side, sign * angles[J["pelvis"], YAW] / 2, 14 * _DEGREE, gait)
    _carry(angles, gait, swinging=False)
    return make_pose(angles, pelvis)


def _standing_trunk(time_s: float, gait: Gait) -> tuple[DoubleArray, DoubleArray]:
    """Angles (J, 3) without the limbs', and the pelvis (3,)."""
    lean, look, nod, sway = (
        _wander(time_s, start, period)
        for start, period in zip(gait.phases, (7.0, 5.0, 4.0, 6.0), strict=True)
    )
    angles = np.zeros((len(JOINTS), 3))
    angles[J["pelvis"]] = 3 * lean * _DEGREE, 0, 4 * sway * _DEGREE
    angles[J["spine1"]] = 1 * lean * _DEGREE, 0, 4 * sway * _DEGREE
    angles[J["spine2"]] = -1 * lean * _DEGREE, gait.stoop / 2, 4 * sway * _DEGREE
    angles[_CHEST] = -2 * lean * _DEGREE, gait.stoop, (4 * sway + 6 * look) * _DEGREE
    angles[J["neck"]] = 0, gait.stoop * 0.7, 22 * look * _DEGREE
    angles[J["head"]] = 0, gait.stoop * 0.3 + 5 * nod * _DEGREE, 42 * look * _DEGREE
    height = gait.legs.ankle + 0.992 * gait.legs.length - gait.legs.hip[2] - 0.006 * abs(lean)
    return angles, np.array([0.01 * sway, 0.035 * lean, height])


def _wander(time_s: float, start: float, period_s: float) -> float:
    """A slow motion between -1 and 1 that dwells at its ends and does not repeat soon."""
    first = np.sin(2 * np.pi * (time_s / period_s + start))
    second = np.sin(2 * np.pi * (time_s / (2.618 * period_s) + 3.7 * start))
    return float(np.tanh(1.3 * (first + second)) * (0.6 + 0.4 * second))


def sitting_pose(time_s: float, gait: Gait, seat_m: float = 0.45, share: float = 1.0) -> Pose:
    """Sitting on a seat, or on the way there, the hips above the person's point.

    Args:
        time_s: For looking about.
        gait: Whose.
        seat_m: Height of the seat.
        share: 0 standing to 1 seated. The feet stay where they are on the floor if meanwhile the
            point moves back by `seat_reach_m`, in proportion to 3 share^2 - 2 share^3.
    """
    legs = gait.legs
    down = share * share * (3 - 2 * share)
    standing, upright = _standing_trunk(time_s, gait)
    seated, low = _seated_trunk(time_s, gait), np.array([0, 0, seat_m + 0.23 * legs.thigh])
    angles, pelvis = (1 - down) * standing + down * seated, (1 - down) * upright + down * low
    angles[_TRUNK, PITCH] += np.array([20, 28, 36, 40, 40, 40]) * _DEGREE * np.sin(np.pi * down)
    aside = (1 - down) * (gait.width / 2 + 0.03) + down * (legs.hip[1] + 0.02)
    feet = [
        Foot((down * seat_reach_m(gait), sign * aside, legs.ankle), 0, gait.toe_out)
        for sign in (1, -1)
    ]
    reach(angles, pelvis, legs, *feet)
    ahead, elbow, inwards = np.array([0, 14, 0]) + down * np.array([18, 48, 14])
    for side in "lr":
        _hang_arm(angles, side, ahead * _DEGREE, elbow * _DEGREE, gait, inwards * _DEGREE)
    if gait.carry == Carry.PHONE_R:
        _carry(angles, gait, swinging=False)
    return make_pose(angles, pelvis)


def seat_reach_m(gait: Gait) -> float:
    """How far the ankles are ahead of the hips of one who sits."""
    return 0.95 * gait.legs.thigh


def _seated_trunk(time_s: float, gait: Gait) -> DoubleArray:
    look, nod = (_wander(time_s, gait.phases[row], period) for row, period in ((1, 5.0), (2, 4.0)))
    angles = np.zeros((len(JOINTS), 3))
    angles[J["pelvis"], PITCH] = -12 * _DEGREE
    angles[J["spine1"], PITCH] = -8 * _DEGREE
    angles[J["spine2"], PITCH] = -4 * _DEGREE + gait.stoop / 2
    angles[_CHEST, PITCH] = gait.stoop
    angles[J["neck"]] = 0, gait.stoop + 4 * _DEGREE, 20 * look * _DEGREE
    angles[J["head"]] = 0, gait.stoop + (6 + 5 * nod) * _DEGREE, 40 * look * _DEGREE
    return angles
