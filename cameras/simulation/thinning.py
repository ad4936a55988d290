"""Fewer triangles: edges collapse onto one of their ends, the cheapest first.

Garland and Heckbert, "Surface simplification using quadric error metrics", 1997, restricted to
existing vertices, with a price on length that keeps triangles even (skinning bends them).
"""

import heapq

import numpy as np
import numpy.typing as npt

from pipeline.types import DoubleArray, IntArray

_LENGTH_PRICE = 0.02
_SMALLEST_COSINE = 0.3  # of the turn of a triangle's normal by one collapse


class Thinning:
    """A mesh that is losing vertices.

    Args:
        vertices: (V, 3).
        faces: (F, 3).
        importance: (V,) multiplies the cost of losing a vertex.
    """

    def __init__(self, vertices: DoubleArray, faces: IntArray, importance: DoubleArray) -> None:
        self._vertices = vertices.astype(np.float64)
        self._faces = faces.astype(np.int64).copy()
        self._importance = importance
        self._around: list[set[int]] = [set() for _ in vertices]
        for row, face in enumerate(faces):
            for vertex in face:
                self._around[vertex].add(row)
        self._quadrics, self._areas = self._measure()
        self._version = np.zeros(len(vertices), np.int64)
        self._heap: list[tuple[float, int, int, int, int]] = []
        for vertex in range(len(vertices)):
            self._push(vertex)

    def to(self, count: int) -> tuple[IntArray, IntArray]:
        """The kept vertices (count,) by their old numbers, and faces (F, 3) by their new ones."""
        left = sum(bool(around) for around in self._around)
        while left > count:
            _, vertex, onto, version, other = heapq.heappop(self._heap)
            current = version == self._version[vertex] and other == self._version[onto]
            if current and self._allowed(vertex, onto):
                self._collapse(vertex, onto)
                left -= 1
        alive = np.array(sorted(set().union(*self._around)))
        kept = np.unique(self._faces[alive])
        return kept, np.searchsorted(kept, self._faces[alive])

    def _measure(self) -> tuple[DoubleArray, DoubleArray]:
        corners = self._vertices[self._faces]  # (F, 3, 3)
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        areas = np.linalg.norm(normals, axis=1) / 2
        normals /= np.maximum(2 * areas, 1e-12)[:, None]
        planes = np.c_[normals, -np.einsum("fi,fi->f", normals, corners[:, 0])]
        quadrics = np.zeros((len(self._vertices), 4, 4))
        sums = np.zeros(len(self._vertices))
        outer = areas[:, None, None] * planes[:, :, None] * planes[:, None, :]
        for corner in range(3):
            np.add.at(quadrics, self._faces[:, corner], outer)
            np.add.at(sums, self._faces[:, corner], areas / 3)
        return quadrics, sums

    def _neighbours(self, vertex: int) -> set[int]:
        return {int(v) for row in self._around[vertex] for v in self._faces[row]} - {vertex}

    def _push(self, vertex: int) -> None:
        for onto in self._neighbours(vertex):
            for one, two in ((vertex, onto), (onto, vertex)):
                entry = (self._cost(one, two), one, two)
                heapq.heappush(
                    self._heap, (*entry, int(self._version[one]), int(self._version[two]))
                )

    def _cost(self, vertex: int, onto: int) -> float:
        place = np.append(self._vertices[onto], 1)
        length2 = np.sum((self._vertices[onto] - self._vertices[vertex]) ** 2)
        bend = place @ self._quadrics[vertex] @ place
        return float(
            self._importance[vertex] * (bend + _LENGTH_PRICE * length2 * self._areas[vertex])
        )

    def _allowed(self, vertex: int, onto: int) -> bool:
        """Whether the surface stays a surface, keeps its borders, and folds nowhere."""
        shared = self._around[vertex] & self._around[onto]
        if len(self._neighbours(vertex) & self._neighbours(onto)) != len(shared):
            return False
        if self._on_border(vertex) and not (self._on_border(onto) and len(shared) == 1):
            return False
        rows = np.array(sorted(self._around[vertex] - shared))
        if not len(rows):
            return False
        before = self._faces[rows]
        old, new = self._normals(before), self._normals(np.where(before == vertex, onto, before))
        sizes = np.linalg.norm(old, axis=1) * np.linalg.norm(new, axis=1)
        return bool(np.all(np.einsum("fi,fi->f", old, new) > _SMALLEST_COSINE * sizes + 1e-14))

    def _on_border(self, vertex: int) -> bool:
        return len(self._neighbours(vertex)) != len(self._around[vertex])

    def _normals(self, faces: IntArray) -> DoubleArray:
        a, b, c = (self._vertices[faces[:, corner]] for corner in range(3))
        return np.cross(b - a, c - a)

    def _collapse(self, vertex: int, onto: int) -> None:
        for row in self._around[vertex] & self._around[onto]:
            for corner in self._faces[row]:
                self._around[corner].discard(row)
        for row in self._around[vertex]:
            face = self._faces[row]
            face[face == vertex] = onto
            self._around[onto].add(row)
        self._around[vertex] = set()
        self._quadrics[onto] += self._quadrics[vertex]
        self._areas[onto] += self._areas[vertex]
        self._version[[vertex, onto]] += 1
        self._push(onto)


def thin(
    vertices: npt.NDArray[np.floating],
    faces: npt.NDArray[np.integer],
    importance: DoubleArray,
    count: int,
) -> tuple[IntArray, IntArray]:
    """About `count` of the vertices, by their numbers, and the triangles between them."""
    return Thinning(np.asarray(vertices, np.float64), np.asarray(faces, np.int64), importance).to(
        count
    )
