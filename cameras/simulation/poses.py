"""Poses: how each part of the body is turned, and the legs that reach for where the feet stand.

Angles are of parts against the body's axes (x ahead, y left, z up), not against their parents:
arms hang by gravity however the trunk leans, and a knee's bend is the pitch of the thigh less that
of the shin. At zero, a person stands straight with straight arms at the sides.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial.transform import Rotation

from cameras.simulation.body import (
    JOINTS,
    PARENTS,
    REST_ARM_DEGREES,
    REST_ELBOW_DEGREES,
    REST_LEG_DEGREES,
    Body,
    J,
    pose_joints,
)
from pipeline.types import DoubleArray, FloatArray

ROLL: Final = 0  # about x: what points up goes right; positive swings a hanging limb left
PITCH: Final = 1  # about y: what points up goes ahead; negative swings a hanging limb ahead
YAW: Final = 2  # about z: positive turns left
_SHOULDER_DROP_DEGREES: Final = 6.0  # as the arms come down from the rest pose
_LONGEST: Final = 0.9995  # share of a leg's length that it reaches for at most


@dataclass(frozen=True, eq=False, slots=True)
class Pose:
    """A body's attitude.

    Attributes:
        rotations: (J, 3, 3) float32 relative to the parents; identity is the rest pose.
        pelvis: (3,) float64, metres: the pelvis, from the point on the floor where the person is;
            x ahead, y left, z up.
    """

    rotations: FloatArray
    pelvis: DoubleArray


@dataclass(frozen=True, slots=True)
class Legs:
    """Lengths, metres, that decide where feet can be.

    Attributes:
        hip: The left hip from the pelvis, ahead, left and up.
        thigh: Hip to knee.
        shin: Knee to ankle.
        ankle: Height of the ankle over the sole.
        heel: From below the ankle back to where the heel touches the floor.
        ball: From below the ankle ahead to the toes' joints.
    """

    hip: tuple[float, float, float]
    thigh: float
    shin: float
    ankle: float
    heel: float
    ball: float

    @property
    def length(self) -> float:
        return self.thigh + self.shin


def measure_legs(body: Body) -> Legs:
    """The lengths of a body's legs."""
    pelvis, hip, knee, ankle, toes = body.joints[
        [J[name] for name in ("pelvis", "thigh_l", "shin_l", "foot_l", "toes_l")]
    ].astype(np.float64)
    sole = body.vertices[(body.side > 0) & (body.vertices[:, 2] < 0.15 * ankle[2])]
    return Legs(
        hip=tuple((hip - pelvis).tolist()),
        thigh=float(np.linalg.norm(knee - hip)),
        shin=float(np.linalg.norm(ankle - knee)),
        ankle=float(ankle[2]),
        heel=float(ankle[0] - sole[:, 0].min()),
        ball=float(toes[0] - ankle[0]),
    )


def pose_body(pose: Pose, joints: FloatArray) -> FloatArray:
    """Transforms (J, 3, 4) from the rest pose of a body with these joints (J, 3) to the pose.

    Posed coordinates have their origin on the floor where the person is.
    """
    transforms = pose_joints(pose.rotations, joints)
    transforms[:, :, 3] += (pose.pelvis - joints[0]).astype(np.float32)
    return transforms


def blend(start: Pose, end: Pose, share: float) -> Pose:
    """From one pose (share 0) to another (1), every joint turning the shortest way."""
    between = Rotation.from_matrix(np.swapaxes(start.rotations, 1, 2) @ end.rotations)
    part = Rotation.from_rotvec(share * between.as_rotvec()).as_matrix().astype(np.float32)
    return Pose(start.rotations @ part, (1 - share) * start.pelvis + share * end.pelvis)


def euler(angles: DoubleArray) -> DoubleArray:
    """Rotations (..., 3, 3) of angles (..., 3), radians: pitched, then rolled, then yawed."""
    sine, cosine = np.sin(angles), np.cos(angles)
    sr, sp, sy = (sine[..., axis] for axis in (ROLL, PITCH, YAW))
    cr, cp, cy = (cosine[..., axis] for axis in (ROLL, PITCH, YAW))
    turns = np.empty((*angles.shape, 3))
    turns[..., 0, 0] = cy * cp - sy * sr * sp
    turns[..., 0, 1] = -sy * cr
    turns[..., 0, 2] = cy * sp + sy * sr * cp
    turns[..., 1, 0] = sy * cp + cy * sr * sp
    turns[..., 1, 1] = cy * cr
    turns[..., 1, 2] = sy * sp - cy * sr * cp
    turns[..., 2, 0] = -cr * sp
    turns[..., 2, 1] = sr
    turns[..., 2, 2] = cr * cp
    return turns


def _straight_from_rest() -> DoubleArray:
    """(J, 3, 3) turns that take the parts of the rest pose to where zero angles have them."""
    angles = np.zeros((len(JOINTS), 3))
    for side, sign in (("l", -1), ("r", 1)):
        for name in ("upperarm", "forearm", "hand"):
            angles[J[f"{name}_{side}"], ROLL] = sign * REST_ARM_DEGREES
        angles[J[f"clavicle_{side}"], ROLL] = sign * _SHOULDER_DROP_DEGREES
        for name in ("thigh", "shin"):
            angles[J[f"{name}_{side}"], ROLL] = sign * REST_LEG_DEGREES
    turns = euler(np.radians(angles))
    unbend = euler(np.radians([0, REST_ELBOW_DEGREES, 0]))
    lower = [J[name] for name in ("forearm_l", "hand_l", "forearm_r", "hand_r")]
    turns[lower] = unbend @ turns[lower]
    return turns


_STRAIGHT: Final = _straight_from_rest()
_PARENTS: Final = list(PARENTS)


def make_pose(angles: DoubleArray, pelvis: DoubleArray) -> Pose:
    """The pose whose parts are turned by angles (J, 3), radians, against the body's axes."""
    turned = euler(angles) @ _STRAIGHT
    relative = np.swapaxes(turned[_PARENTS], 1, 2) @ turned
    relative[0] = turned[0]
    return Pose(relative.astype(np.float32), pelvis)


def hold_hand(angles: DoubleArray, joint: int) -> DoubleArray:
    """(3, 3) turn of a part from the rest pose, against the body's axes, for angles (J, 3)."""
    return np.asarray(euler(angles[joint]) @ _STRAIGHT[joint])


@dataclass(frozen=True, slots=True)
class Foot:
    """Where a foot is wanted: its ankle (x, y, z), metres from the person's point on the floor,

    its pitch (toes up), radians, how far it is turned outwards, and the pitch of its toes.
    """

    ankle: tuple[float, float, float]
    pitch: float = 0.0
    outwards: float = 0.0
    toes: float = 0.0


def reach(angles: DoubleArray, pelvis: DoubleArray, legs: Legs, left: Foot, right: Foot) -> None:
    """Set the angles (J, 3) of both legs so that the feet are where they are wanted.

    Two bones and the law of cosines; the knees point ahead. A foot out of reach is approached.
    """
    frame = euler(angles[J["pelvis"]])
    for side, sign, foot in (("l", 1, left), ("r", -1, right)):
        hip = pelvis + frame @ (legs.hip[0], sign * legs.hip[1], legs.hip[2])
        ahead, aside, up = (foot.ankle - hip).tolist()
        span = min(math.hypot(ahead, aside, up), _LONGEST * legs.length)
        roll = math.atan2(aside, -up)
        line = math.atan2(ahead, math.hypot(aside, up))
        at_hip = math.acos(_cosine(legs.thigh, span, legs.shin))
        at_knee = math.pi - math.acos(_cosine(legs.thigh, legs.shin, span))
        angles[J[f"thigh_{side}"]] = roll, -(line + at_hip), 0
        angles[J[f"shin_{side}"]] = roll, -(line + at_hip - at_knee), 0
        angles[J[f"foot_{side}"]] = 0, -foot.pitch, sign * foot.outwards
        angles[J[f"toes_{side}"]] = 0, -foot.toes, sign * foot.outwards


def _cosine(one: float, two: float, opposite: float) -> float:
    """Of the angle between two sides of a triangle."""
    return min(max((one**2 + two**2 - opposite**2) / (2 * one * two), -1.0), 1.0)
