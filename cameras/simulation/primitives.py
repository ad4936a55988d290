"""Small closed shapes of triangles, from which things are put together.

All look outward, have texture coordinates in metres and are nowhere cut. Axes as in `meshes`.
"""

import numpy as np
import numpy.typing as npt

from cameras.simulation.body import vertex_normals
from cameras.simulation.meshes import Mesh, join
from pipeline.types import DoubleArray, IntArray


def loft(rings: npt.ArrayLike, material: int = 0, caps: bool = True) -> Mesh:
    """The skin over rings (R, N, 3) of points, its two ends closed by flat caps.

    Rings follow one another along an axis and run counter-clockwise seen from its far end. A ring
    given twice makes a sharp edge; a ring of one point N times makes a tip. Texture: metres around,
    metres along, x.
    """
    points = np.asarray(rings, np.float64)
    seamed = np.concatenate([points, points[:, :1]], axis=1)  # (R, N + 1, 3)
    rows, columns = seamed.shape[:2]
    around = _walked(seamed, axis=1).max(axis=0)
    along = _walked(seamed, axis=0).mean(axis=1)
    texture = np.stack([*np.meshgrid(around, along), seamed[..., 0]], axis=-1).reshape(-1, 3)
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    faces = np.concatenate(
        [
            corner[:, None] + [0, 1, columns + 1],
            corner[:, None] + [0, columns + 1, columns],
        ]
    )
    positions = seamed.reshape(-1, 3)
    normals = vertex_normals(positions, faces).reshape(rows, columns, 3)
    normals[:, 0] = normals[:, -1] = _unit(normals[:, 0] + normals[:, -1])
    side = mesh_of(positions, normals.reshape(-1, 3), texture, faces, material)
    if not caps:
        return side
    ends = (points[0, ::-1], points[-1])
    return join([side, *(_cap(end, material) for end in ends if np.ptp(end, axis=0).max() > 1e-6)])


def tube(
    path: npt.ArrayLike,
    radii: npt.ArrayLike,
    material: int = 0,
    sides: int = 8,
    beside: npt.ArrayLike = (0, 0, 1),
) -> Mesh:
    """A bar of elliptic section along a path.

    Args:
        path: (R, 3) points of its axis.
        radii: Half-widths, broadcast to (R, 2): towards `beside`, and across it.
        material: Row in the table of materials.
        sides: Points of a section.
        beside: (3,) direction that the path never takes.
    """
    points = np.asarray(path, np.float64)
    forward = _unit(np.gradient(points, axis=0))
    across = _unit(np.cross(forward, np.asarray(beside, np.float64)))
    towards = np.cross(across, forward)
    widths = np.broadcast_to(np.asarray(radii, np.float64), (len(points), 2))
    angles = np.arange(sides) * 2 * np.pi / sides
    rings = (
        points[:, None]
        + np.cos(angles)[:, None] * (towards * widths[:, :1])[:, None]
        + np.sin(angles)[:, None] * (across * widths[:, 1:])[:, None]
    )
    return loft(rings, material)


def turned(profile: npt.ArrayLike, material: int = 0, sides: int = 12) -> Mesh:
    """The solid that a profile (R, 2) of (radius, z), from its lower end up, makes around z.

    A row given twice makes a sharp edge. A profile that goes down again looks inward.
    """
    radii, heights = np.asarray(profile, np.float64).T
    angles = np.arange(sides) * 2 * np.pi / sides
    circle = np.stack([np.cos(angles), np.sin(angles), np.zeros(sides)], axis=1)
    return loft(radii[:, None, None] * circle + heights[:, None, None] * [0, 0, 1], material)


def cylinder(radius: float, height: float, material: int = 0, sides: int = 12) -> Mesh:
    """A cylinder that stands on z = 0."""
    return turned([(radius, 0), (radius, height)], material, sides)


def cone(lower: float, upper: float, height: float, material: int = 0, sides: int = 12) -> Mesh:
    """A cone that stands on z = 0, of the two radii; `upper` may be 0."""
    return turned([(lower, 0), (upper, height)], material, sides)


def ellipsoid(radii: npt.ArrayLike, material: int = 0, rows: int = 7, sides: int = 12) -> Mesh:
    """An ellipsoid around the origin."""
    latitudes = np.linspace(-np.pi / 2, np.pi / 2, rows)
    ball = turned(np.stack([np.cos(latitudes), np.sin(latitudes)], axis=1), material, sides)
    stretch = np.asarray(radii, np.float64)
    return mesh_of(
        ball.positions * stretch,
        _unit(ball.positions / stretch),
        ball.texture * stretch.mean(),
        ball.faces,
        material,
    )


def box(size: npt.ArrayLike, material: int = 0, bevel: float = 0.0) -> Mesh:
    """A box around the origin of the given lengths along x, y, z.

    Edges and corners are cut off by `bevel` metres and shaded as if they were round. Texture on
    walls is (across, z), on top and bottom (x, y).
    """
    half = np.asarray(size, np.float64) / 2
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    positions = np.stack([corners * (half - bevel * (np.arange(3) != axis)) for axis in range(3)])
    normals = np.stack([corners * (np.arange(3) == axis) for axis in range(3)])
    axes = ([1, 2, 0], [0, 2, 1], [0, 1, 2])
    texture = np.stack([positions[axis][:, order] for axis, order in enumerate(axes)])
    faces = _BOX_FACES if bevel > 0 else _BOX_FACES[:12]
    return mesh_of(
        positions.reshape(-1, 3), normals.reshape(-1, 3), texture.reshape(-1, 3), faces, material
    )


def placed(mesh: Mesh, at: npt.ArrayLike, rotation: npt.ArrayLike | None = None) -> Mesh:
    """The mesh turned by `rotation` (3, 3) and then moved by `at` (3,)."""
    turn = np.eye(3) if rotation is None else np.asarray(rotation, np.float64)
    return Mesh(
        (mesh.positions @ turn.T + np.asarray(at, np.float64)).astype(np.float32),
        (mesh.normals @ turn.T).astype(np.float32),
        mesh.texture,
        mesh.cut,
        mesh.material,
        mesh.faces,
    )


def rotation(axis: int, degrees: float) -> DoubleArray:
    """The (3, 3) rotation about x, y or z (0, 1, 2), counter-clockwise seen from its far end."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    angle = np.deg2rad(degrees)
    matrix = np.eye(3)
    matrix[[i, j], [i, j]] = np.cos(angle)
    matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
    return matrix


def mesh_of(
    positions: npt.ArrayLike,
    normals: npt.ArrayLike,
    texture: npt.ArrayLike,
    faces: npt.ArrayLike,
    material: int = 0,
    cut: npt.ArrayLike = 0.0,
) -> Mesh:
    """A mesh of one material, its arrays brought to their types."""
    points = np.asarray(positions, np.float32)
    return Mesh(
        points,
        np.asarray(normals, np.float32),
        np.asarray(texture, np.float32),
        np.broadcast_to(np.asarray(cut, np.float32), len(points)),
        np.full(len(points), material, np.int32),
        np.asarray(faces, np.int32),
    )


def _unit(vectors: npt.ArrayLike) -> DoubleArray:
    """Vectors (..., 3) brought to length 1; those of length 0 stay."""
    given = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(given, axis=-1, keepdims=True)
    return given / np.where(lengths > 0, lengths, 1)


def _walked(points: DoubleArray, axis: int) -> DoubleArray:
    """Metres from the first point along an axis of a grid (R, N, 3)."""
    steps = np.linalg.norm(np.diff(points, axis=axis), axis=-1)
    return np.insert(np.cumsum(steps, axis=axis), 0, 0, axis=axis)


def _cap(ring: DoubleArray, material: int) -> Mesh:
    """The flat end of a tube, counter-clockwise (N, 3) seen from outside."""
    count = len(ring)
    normal = _unit(np.cross(ring, np.roll(ring, -1, axis=0)).sum(axis=0))
    points = np.concatenate([ring.mean(axis=0, keepdims=True), ring])
    edge = np.arange(count)
    faces = np.stack([np.zeros(count, int), edge + 1, (edge + 1) % count + 1], axis=1)
    return mesh_of(points, np.tile(normal, (count + 1, 1)), points, faces, material)


def _box_faces() -> IntArray:
    """Triangles (44, 3) of a bevelled box, the six walls first.

    Vertex 8 * axis + corner belongs to the wall across `axis`; the bits of a corner are x, y, z.
    """
    bit = (4, 2, 1)
    axes = ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    walls = [
        [8 * a + side + step for step in (0, bit[b], bit[b] + bit[c], bit[c])]
        for a, b, c in axes
        for side in (0, bit[a])
    ]
    edges = [
        [8 * a + corner, 8 * a + corner + bit[c], 8 * b + corner + bit[c], 8 * b + corner]
        for a, b, c in axes
        for corner in (0, bit[a], bit[b], bit[a] + bit[b])
    ]
    halves = [half for q in walls + edges for half in ([q[0], q[1], q[2]], [q[0], q[2], q[3]])]
    faces = np.array(halves + [[corner, 8 + corner, 16 + corner] for corner in range(8)])
    signs = (np.arange(8)[:, None] & bit > 0) * 2 - 1
    points = (signs * (1 - 0.2 * ~np.eye(3, dtype=bool)[:, None])).reshape(24, 3)
    a, b, c = (points[faces[:, i]] for i in range(3))
    inward = np.sum(np.cross(b - a, c - a) * (a + b + c), axis=1) < 0
    faces[inward] = faces[inward, ::-1]
    return faces


_BOX_FACES = _box_faces()
