"""A body from few numbers: surface, skeleton, and the coordinates that clothes are cut by.

`body.npz` holds the principal components of people drawn from MakeHuman's CC0 human (made by
`cameras.simulation.bake_body`). In the rest pose a body stands on z = 0, looks along +x, has its
left at +y, its arms `REST_ARM_DEGREES` away from straight down, its elbows bent by
`REST_ELBOW_DEGREES` and its legs `REST_LEG_DEGREES` apart from straight down: the same for every
body, so that joint angles mean the same on all of them.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.types import FloatArray

Int32Array = npt.NDArray[np.int32]
Int8Array = npt.NDArray[np.int8]

_TREE: Final = (
    ("pelvis", "pelvis"),
    ("spine1", "pelvis"),
    ("spine2", "spine1"),
    ("chest", "spine2"),
    ("neck", "chest"),
    ("head", "neck"),
    ("clavicle_l", "chest"),
    ("upperarm_l", "clavicle_l"),
    ("forearm_l", "upperarm_l"),
    ("hand_l", "forearm_l"),
    ("clavicle_r", "chest"),
    ("upperarm_r", "clavicle_r"),
    ("forearm_r", "upperarm_r"),
    ("hand_r", "forearm_r"),
    ("thigh_l", "pelvis"),
    ("shin_l", "thigh_l"),
    ("foot_l", "shin_l"),
    ("toes_l", "foot_l"),
    ("thigh_r", "pelvis"),
    ("shin_r", "thigh_r"),
    ("foot_r", "shin_r"),
    ("toes_r", "foot_r"),
)
JOINTS: Final = tuple(name for name, _ in _TREE)
J: Final = {name: row for row, name in enumerate(JOINTS)}
"""Row of a joint."""
PARENTS: Final = tuple(J[parent] for _, parent in _TREE)
"""Row of the parent, before its children; the root is its own."""
_PARENT_ROWS: Final = np.array(PARENTS)

REST_ARM_DEGREES: Final = 40.0
REST_ELBOW_DEGREES: Final = 12.0
REST_LEG_DEGREES: Final = 4.0
CHILD_BELOW_YEARS: Final = 15.0
_BLOCK: Final = 768  # vertices

_KEYPOINT_JOINTS: Final = [
    J[f"{name}_{side}"]
    for name in ("upperarm", "forearm", "hand", "thigh", "shin", "foot")
    for side in "lr"
]


class Part(IntEnum):
    """Where a vertex belongs: the part of the joint that moves it most."""

    HEAD = 0
    NECK = 1
    TORSO = 2
    ARM = 3
    HAND = 4
    LEG = 5
    FOOT = 6
    EYE = 7


_PARTS: Final = (
    *([Part.TORSO] * 4),
    *(Part.NECK, Part.HEAD),
    *([Part.TORSO, Part.ARM, Part.ARM, Part.HAND] * 2),
    *([Part.LEG, Part.LEG, Part.FOOT, Part.FOOT] * 2),
)


@dataclass(frozen=True, eq=False, slots=True)
class Body:
    """A naked body in the rest pose.

    Attributes:
        vertices: (V, 3) float32, metres.
        normals: (V, 3) float32, unit, outward.
        faces: (F, 3) int32, counter-clockwise seen from outside; the same for every body.
        weights: (V, J) float32, rows add to 1.
        joints: (J, 3) float32.
        keypoints: (17, 3) float32, COCO's order.
        keypoint_weights: (17, J) float32.
        part: (V,) int8, `Part`.
        side: (V,) float32, +1 left, -1 right.
        arm: (V,) float32, along the arm: 0 at the shoulder joint, 1 at the wrist, more on the hand;
            at most 0 off the arms.
        leg: (V,) float32, along the leg: 0 at the hip joint, 1 at the ankle, more on the foot; at
            most 0 on arms and above the hips.
        torso: (V,) float32, metres above the hip joints; on the arms it tends to the shoulder's.
        arm_m: Shoulder to wrist, metres.
        leg_m: Hip to ankle, metres.
        torso_m: Hips to the base of the neck, metres.
        female: 0 male to 1 female.
        age_years: Age.
        height_m: Stature.
        weight_kg: Of a body of this volume.
    """

    vertices: FloatArray
    normals: FloatArray
    faces: Int32Array
    weights: FloatArray
    joints: FloatArray
    keypoints: FloatArray
    keypoint_weights: FloatArray
    part: Int8Array
    side: FloatArray
    arm: FloatArray
    leg: FloatArray
    torso: FloatArray
    arm_m: float
    leg_m: float
    torso_m: float
    female: float
    age_years: float
    height_m: float
    weight_kg: float


@dataclass(frozen=True, eq=False, slots=True)
class _Bank:
    """What `body.npz` holds: P people of K latent numbers, and how these make a shape."""

    mean: FloatArray  # (V + J, 3): vertices, then joints
    components: FloatArray  # (K, (V + J) * 3)
    latents: FloatArray  # (P, K)
    numbers: FloatArray  # (P, 3): female, age in years, weight in kg
    faces: Int32Array
    weights: FloatArray
    part: Int8Array
    face_points: Int32Array  # (5,) vertices at nose, eyes and ears, COCO's order


@cache
def _bank() -> _Bank:
    path = files(__package__) / "body.npz"
    with path.open("rb") as stream, np.load(stream) as stored:
        weights = stored["weights"].astype(np.float32)
        weights /= weights.sum(axis=1, keepdims=True)
        part = np.array(_PARTS, np.int8)[weights.argmax(axis=1)]
        part[stored["eyes"]] = Part.EYE
        return _Bank(
            mean=stored["mean"],
            components=stored["components"].astype(np.float32),
            latents=stored["latents"].astype(np.float32),
            numbers=stored["numbers"].astype(np.float32),
            faces=stored["faces"].astype(np.int32),
            weights=weights,
            part=part,
            face_points=stored["face_points"].astype(np.int32),
        )


def make_body(rng: np.random.Generator, female: bool | None = None, child: bool = False) -> Body:
    """A random body: one person of the bank, mixed with a little of another of the same kind.

    Args:
        rng: Where chance comes from.
        female: Or male; None: either.
        child: Younger than `CHILD_BELOW_YEARS`, at least 6; otherwise older.
    """
    bank = _bank()
    if female is None:
        female = bool(rng.random() < 0.5)
    kind = ((bank.numbers[:, 0] > 0.5) == female) & (
        (bank.numbers[:, 1] < CHILD_BELOW_YEARS) == child
    )
    first, second = rng.choice(np.flatnonzero(kind), 2, replace=False)
    share = np.float32(rng.uniform(0, 0.4))
    latent = (1 - share) * bank.latents[first] + share * bank.latents[second]
    numbers = (1 - share) * bank.numbers[first] + share * bank.numbers[second]
    return build_body(latent, *(float(number) for number in numbers))


def build_body(latent: FloatArray, female: float, age_years: float, weight_kg: float) -> Body:
    """The body of a latent vector (K,) and the numbers that go with it."""
    bank = _bank()
    points = bank.mean + (latent @ bank.components).reshape(-1, 3)
    count = len(bank.weights)
    vertices, joints = points[:count], points[count:]
    floor = np.array([0, 0, vertices[:, 2].min()], np.float32)
    vertices, joints = vertices - floor, joints - floor
    hips, shoulders = joints[J["thigh_l"]], joints[J["upperarm_l"]]
    side = np.where(vertices[:, 1] >= 0, 1, -1).astype(np.float32)
    left = vertices * np.stack([np.ones_like(side), side, np.ones_like(side)], axis=1)
    arm_weight = bank.weights[:, _rows("upperarm", "forearm", "hand")].sum(axis=1)
    arm, arm_m = _along(left, shoulders, joints[J["hand_l"]])
    leg, leg_m = _along(left, hips, joints[J["foot_l"]])
    above = vertices[:, 2] - hips[2]
    return Body(
        vertices=vertices,
        normals=vertex_normals(vertices, bank.faces),
        faces=bank.faces,
        weights=bank.weights,
        joints=joints,
        keypoints=np.concatenate([vertices[bank.face_points], joints[_KEYPOINT_JOINTS]]),
        keypoint_weights=np.concatenate(
            [
                bank.weights[bank.face_points],
                np.eye(len(JOINTS), dtype=np.float32)[_KEYPOINT_JOINTS],
            ]
        ),
        part=bank.part,
        side=side,
        arm=np.minimum(arm, 0) + np.maximum(arm, 0) * np.minimum(2 * arm_weight, 1),
        leg=np.minimum(leg, 0) + np.maximum(leg, 0) * (1 - arm_weight),
        torso=above + arm_weight * (shoulders[2] - hips[2] - above),
        arm_m=arm_m,
        leg_m=leg_m,
        torso_m=float(joints[J["neck"], 2] - hips[2]),
        female=female,
        age_years=age_years,
        height_m=float(vertices[:, 2].max()),
        weight_kg=weight_kg,
    )


def _rows(*names: str) -> list[int]:
    return [J[f"{name}_{side}"] for name in names for side in "lr"]


def _along(points: FloatArray, start: FloatArray, end: FloatArray) -> tuple[FloatArray, float]:
    """Where points (V, 3) fall on a line, 0 at its start and 1 at its end; and its length."""
    line = end - start
    place = np.asarray((points - start) @ line / (line @ line), np.float32)
    return place, float(np.linalg.norm(line))


def vertex_normals(vertices: FloatArray, faces: npt.NDArray[np.integer]) -> FloatArray:
    """Unit normals (V, 3), each the mean over its triangles by area."""
    a, b, c = vertices[faces[:, 0]], vertices[faces[:, 1]], vertices[faces[:, 2]]
    normals = np.repeat(np.cross(b - a, c - a), 3, axis=0)
    corners = faces.reshape(-1)
    sums = np.stack(
        [np.bincount(corners, normals[:, axis], len(vertices)) for axis in range(3)], axis=1
    )
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(lengths, 1e-12), np.float32)


def pose_joints(rotations: FloatArray, joints: FloatArray) -> FloatArray:
    """Where a pose takes everything: (J, 3, 4) from rest to posed body coordinates.

    Args:
        rotations: (J, 3, 3) of each joint relative to its parent; all identity is the rest pose.
            In rest the frames of all joints are parallel to the body's axes.
        joints: (J, 3) rest positions. The pelvis stays where it is.
    """
    placed = np.zeros((len(joints), 4, 4), np.float32)  # joint frames in body coordinates
    placed[:, :3, :3] = rotations
    placed[:, :3, 3] = joints - joints[_PARENT_ROWS]
    placed[0, :3, 3] = joints[0]
    placed[:, 3, 3] = 1
    for joint, parent in enumerate(PARENTS[1:], start=1):
        placed[joint] = placed[parent] @ placed[joint]
    transforms = placed[:, :3]
    transforms[:, :, 3] -= np.einsum("jik,jk->ji", transforms[:, :, :3], joints)
    return transforms


def skin(points: FloatArray, weights: FloatArray, transforms: FloatArray) -> FloatArray:
    """Rest points (V, 3) taken along by the joints: linear blend skinning."""
    return _moved(points, _mixed(transforms, weights))


def skin_surface(
    points: FloatArray, normals: FloatArray, weights: FloatArray, transforms: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Rest points (V, 3) taken along, and their normals (V, 3) turned, unit length."""
    moves = _mixed(transforms, weights)
    x, y, z = normals.T
    turned = moves[:, 0] * x + moves[:, 1] * y + moves[:, 2] * z
    turned /= np.sqrt((turned * turned).sum(axis=0))
    return _moved(points, moves), np.ascontiguousarray(turned.T)


def _moved(points: FloatArray, moves: FloatArray) -> FloatArray:
    x, y, z = points.T
    moved = moves[:, 0] * x + moves[:, 1] * y + moves[:, 2] * z + moves[:, 3]
    return np.ascontiguousarray(moved.T)


def _mixed(transforms: FloatArray, weights: FloatArray) -> FloatArray:
    """Transforms (J, 3, 4) mixed by weights (V, J): (3, 4, V).

    In blocks so small that OpenBLAS leaves its threads asleep: where the processor is busy, they
    spin for 8 ms of CPU time around half a millisecond of work.
    """
    rows = transforms.reshape(-1, 12)
    mixed = np.empty((12, len(weights)), np.float32)
    for start in range(0, len(weights), _BLOCK):
        block = slice(start, start + _BLOCK)
        mixed[:, block] = rows.T @ weights[block].T
    return mixed.reshape(3, 4, -1)
