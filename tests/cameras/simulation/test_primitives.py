"""Closed shapes: they enclose the right volume, look outward, and are as large as asked."""

import numpy as np
import pytest

from cameras.simulation.meshes import Mesh
from cameras.simulation.primitives import (
    box,
    cone,
    cylinder,
    ellipsoid,
    loft,
    placed,
    rotation,
    tube,
    turned,
)


def _volume(mesh: Mesh) -> float:
    """By the divergence theorem: right only where the surface is closed and looks outward."""
    a, b, c = (mesh.positions[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    return float(np.sum(a * np.cross(b, c)) / 6)


def _polygon(sides: int) -> float:
    """Area of the regular polygon in the unit circle."""
    return sides / 2 * np.sin(2 * np.pi / sides)


SHAPES = {
    "box": (box((0.2, 0.3, 0.4)), 0.2 * 0.3 * 0.4),
    "bevelled box": (box((2, 2, 2), bevel=0.2), 8 - 12 * 0.02 * 1.6 - 8 * 0.008 * 5 / 6),
    "cylinder": (cylinder(0.1, 0.5, sides=16), _polygon(16) * 0.01 * 0.5),
    "cone": (cone(0.3, 0.0, 0.6, sides=12), _polygon(12) * 0.09 * 0.2),
    "bar": (tube([(0, 0, 0), (1, 0, 0), (2, 0, 0)], 0.1), _polygon(8) * 0.01 * 2),
    "ball": (ellipsoid((1, 2, 3), rows=41, sides=80), 4 / 3 * np.pi * 6),
    "bowl": (turned([(1, 0), (1, 1), (0.5, 1), (0.5, 0.5), (0, 0.5)]), _polygon(12) * 0.875),
}


@pytest.mark.parametrize("name", SHAPES)
def test_encloses_its_volume(name: str) -> None:
    mesh, volume = SHAPES[name]
    assert _volume(mesh) == pytest.approx(volume, rel=0.01 if name == "ball" else 1e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_normals_are_of_length_one_and_agree_with_the_faces(name: str) -> None:
    mesh, _ = SHAPES[name]
    used = np.unique(mesh.faces)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals[used], axis=1), 1, atol=1e-5)
    a, b, c = (mesh.positions[mesh.faces[:, i]] for i in range(3))
    flat = np.cross(b - a, c - a)
    assert np.all(np.sum(flat * mesh.normals[mesh.faces].mean(axis=1), axis=1) >= -1e-7)


def test_a_loft_carries_metres_around_and_along() -> None:
    square = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)], float) * 0.5
    rings = [np.c_[square, np.full(4, height)] for height in (0.0, 2.0, 3.0)]
    side = loft(rings, caps=False)
    assert side.texture[:, 0].max() == pytest.approx(4)
    assert sorted(set(side.texture[:, 1].tolist())) == [0, 2, 3]


def test_placing_turns_before_it_moves() -> None:
    moved = placed(box((2, 4, 6)), (10, 0, 0), rotation(2, 90))
    np.testing.assert_allclose(moved.positions.min(axis=0), (8, -1, -3), atol=1e-6)
    np.testing.assert_allclose(moved.positions.max(axis=0), (12, 1, 3), atol=1e-6)
    np.testing.assert_allclose(rotation(0, 90) @ (0, 1, 0), (0, 0, 1), atol=1e-12)
