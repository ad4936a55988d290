"""Parts of a dressed person: meshes that know which joints move them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.spatial import cKDTree

from cameras.simulation.body import JOINTS, Body, J, Part, vertex_normals
from cameras.simulation.meshes import Mesh, join
from cameras.simulation.primitives import mesh_of
from pipeline.types import BoolArray, FloatArray

_ARM_JOINTS = [J[f"{name}_{side}"] for name in ("upperarm", "forearm", "hand") for side in "lr"]


@dataclass(frozen=True, eq=False, slots=True)
class Piece:
    """A mesh and the weights (V, J) by which the joints move it."""

    mesh: Mesh
    weights: FloatArray
    is_person: bool = True


def rigid(meshes: Sequence[Mesh], joint: str, is_person: bool = True) -> Piece:
    """Meshes that one joint carries along."""
    mesh = join(meshes)
    weights = np.zeros((len(mesh.positions), len(JOINTS)), np.float32)
    weights[:, J[joint]] = 1
    return Piece(mesh, weights, is_person)


def moulded(
    body: Body,
    positions: FloatArray,
    cut: FloatArray,
    faces: BoolArray,
    material: int,
) -> Piece:
    """Those faces (F,) of the body whose vertices (V, 3) have moved outward to `positions`."""
    used, compact = np.unique(body.faces[faces], return_inverse=True)
    corners = compact.reshape(-1, 3)
    points = positions[used]
    mesh = mesh_of(
        points,
        vertex_normals(points, corners),
        texture_of(body, positions)[used],
        corners,
        material,
        cut[used],
    )
    return Piece(mesh, body.weights[used])


def draped(body: Body, mesh: Mesh, smoothness: int = 4) -> Piece:
    """A mesh that moves as the torso and neck beneath it do."""
    rows = np.flatnonzero(np.isin(body.part, (Part.TORSO, Part.NECK)) & (arm_weight(body) < 0.3))
    tree = cKDTree(body.vertices[rows])
    distances, nearest = tree.query(mesh.positions, k=smoothness)
    shares = 1 / (distances + 0.01)
    shares /= shares.sum(axis=1, keepdims=True)
    weights = np.einsum("vk,vkj->vj", shares, body.weights[rows][nearest])
    return Piece(mesh, weights.astype(np.float32))


def arm_weight(body: Body) -> FloatArray:
    """How much of each vertex (V,) the arms move, 0 to 1."""
    return np.asarray(body.weights[:, _ARM_JOINTS].sum(axis=1))


def texture_of(body: Body, positions: FloatArray) -> FloatArray:
    """Texture (V, 3) on a surface that follows the body's: (y, z, x), along the arm on arms."""
    share = np.clip(1.5 * arm_weight(body) - 0.25, 0, 1)
    x, y, z = positions.T
    shoulder = body.joints[J["upperarm_l"]]
    wrist = body.joints[J["hand_l"]]
    down = (wrist - shoulder) / np.linalg.norm(wrist - shoulder)
    outward = np.abs(y) - shoulder[1]
    across = shoulder[1] - outward * down[2] + (z - shoulder[2]) * down[1]
    along = (
        shoulder[2] - (x - shoulder[0]) * down[0] - outward * down[1] - (z - shoulder[2]) * down[2]
    )
    return np.stack(
        [y + share * (np.sign(y) * across - y), z + share * (along - z), x], axis=1
    ).astype(np.float32)


def with_texture(mesh: Mesh, texture: npt.ArrayLike, cut: npt.ArrayLike) -> Mesh:
    """The mesh with other texture coordinates and edge."""
    return Mesh(
        mesh.positions,
        mesh.normals,
        np.asarray(texture, np.float32),
        np.broadcast_to(np.asarray(cut, np.float32), len(mesh.positions)),
        mesh.material,
        mesh.faces,
    )


def as_on_torso(mesh: Mesh, cut: npt.ArrayLike = 0.0) -> Mesh:
    """The mesh with the texture of the torso, (y, z, x), and an edge."""
    return with_texture(mesh, mesh.positions[:, [1, 2, 0]], cut)


def smoothing(body: Body) -> sparse.csr_matrix:
    """The (V, V) matrix that moves each vertex halfway to the mean of its neighbours."""
    return _smoothing(body.faces.tobytes(), len(body.vertices))


@lru_cache(maxsize=1)  # all bodies have the same faces, and each is smoothed many times
def _smoothing(faces: bytes, count: int) -> sparse.csr_matrix:
    corners = np.frombuffer(faces, np.int32).reshape(-1, 3)
    rows, columns = corners.ravel(), corners[:, [1, 2, 0]].ravel()
    ones = np.ones(2 * len(rows), np.float32)
    pairs = (np.concatenate([rows, columns]), np.concatenate([columns, rows]))
    joined = sparse.csr_matrix((ones, pairs), (count, count))
    mean = sparse.diags(0.5 / np.maximum(joined.sum(axis=1).A1, 1)) @ joined
    return (mean + sparse.identity(count, format="csr") * 0.5).astype(np.float32)
