"""Floors, walls, columns and furniture of simulated sites."""

from typing import Any, get_args

import numpy as np
import pytest

from cameras.simulation.footprints import FOOTPRINTS
from cameras.simulation.furniture import build
from cameras.simulation.meshes import Material, Mesh
from cameras.simulation.place import COPING_M, FRAME_M, build_place
from cameras.simulation.settings import Furniture, Simulation
from cameras.simulation.surfaces import colour_of
from cameras.simulation.surroundings import build_surroundings

WALL = {"start": (1, 1), "end": (7, 9), "thickness_m": 0.2}  # 10 m long, towards (0.6, 0.8)
DOORS = [{"at_m": 6, "width_m": 1.5, "height_m": 2.2}, {"at_m": 2, "width_m": 1}]


def site(**parts: Any) -> Simulation:
    plain = {
        "site": "s",
        "start": "2026-01-01T00:00:00Z",
        "floors": [{"area": (0, 0, 10, 10)}],
        "stops": {"in": {"position": (1, 1), "kind": "entry"}},
        "paths": [],
        "cameras": [{"id": "c", "position": (0, 0, 3), "look_at": (5, 5, 0)}],
    }
    return Simulation.model_validate({**plain, **parts})


def first_hit(mesh: Mesh, start: Any, way: Any) -> tuple[float, int]:
    """Metres along a ray to the first triangle, and its material; (inf, -1) where there is none.

    After Moeller and Trumbore 1997.
    """
    corners = mesh.positions[mesh.faces].astype(np.float64)
    a, ab, ac = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    way = np.asarray(way, float) / np.linalg.norm(way)
    across = np.cross(way, ac)
    scale = (ab * across).sum(axis=1)
    scale = np.where(np.abs(scale) < 1e-12, np.nan, scale)
    offset = np.asarray(start) - a
    u = (offset * across).sum(axis=1) / scale
    turned = np.cross(offset, ab)
    v = turned @ way / scale
    far = (ac * turned).sum(axis=1) / scale
    hit = np.where((u >= 0) & (v >= 0) & (u + v <= 1) & (far > 0), far, np.inf)
    nearest = int(np.argmin(hit))
    distance = float(hit[nearest])
    return distance, int(mesh.material[mesh.faces[nearest, 0]]) if distance < np.inf else -1


def through(mesh: Mesh, at_m: float, height_m: float) -> float:
    """Metres from 1 m before the wall's axis, across it, to what is in the way within 2 m."""
    along, across = np.array((0.6, 0.8, 0)), np.array((-0.8, 0.6, 0))
    start = np.array((1, 1, height_m)) + at_m * along - across
    distance, _ = first_hit(mesh, start, across)
    return distance if distance < 2 else np.inf


@pytest.mark.parametrize("surface", ["bricks", "plaster"])
def test_openings_are_free_and_all_else_is_wall(surface: str) -> None:
    mesh, _ = build_place(site(walls=[{**WALL, "surface": surface, "openings": DOORS}]))
    for near, far, height in ((2, 3, 2.1), (6, 7.5, 2.2)):
        for at in np.linspace(near + 0.01, far - 0.01, 7):
            for z in (0.01, 0.05, 1, height - 0.01):
                assert through(mesh, at, z) == np.inf
            for z in (height + 0.01, height + 0.3, 2.8):  # the lintel
                assert through(mesh, at, z) == pytest.approx(0.9, abs=0.03)
        for beside in (near - 0.02, far + 0.02):  # the frame
            assert through(mesh, beside, height + FRAME_M / 2) == pytest.approx(0.88, abs=0.01)
    for at in (0.01, 1.8, 4.5, 7.7, 9.99):
        assert through(mesh, at, 1.0) == pytest.approx(0.9, abs=0.01)
        assert through(mesh, at, 3 - COPING_M / 2) == pytest.approx(0.88, abs=0.01)
        assert through(mesh, at, 3.01) == np.inf
    assert through(mesh, -0.2, 1.0) == through(mesh, 10.2, 1.0) == np.inf


def test_corners_of_walls_are_closed() -> None:
    walls = [{"start": (2, 2), "end": (2, 8)}, {"start": (2, 2), "end": (8, 2)}]
    mesh, _ = build_place(site(walls=walls))
    for offset in (0.0, 0.03, 0.05):  # of 0.075; looking along the diagonal of the corner
        start = np.array((2 - offset - 1, 2 + offset - 1, 1.0))
        assert first_hit(mesh, start, (1, 1, 0))[0] < 1.5


def test_first_of_two_walls_in_one_line_is_seen() -> None:
    walls = [
        {"start": (2, 5), "end": (8, 5), "colour": "#ff0000"},
        {"start": (5, 5), "end": (9, 5), "colour": "#0000ff"},
    ]
    mesh, materials = build_place(site(walls=walls))
    for side in (-1, 1):
        _, row = first_hit(mesh, (6, 5 + 2 * side, 1), (0, -side, 0))
        assert materials[row].colour == (1, 0, 0)


def test_later_floors_are_seen_and_none_share_a_plane() -> None:
    areas = [(0, 0, 10, 10), (4, 4, 0, 8), (8, 8, 3, 3), (10, 0, 12, 10)]
    colours = ["#ff0000", "#00ff00", "#0000ff", "#ffffff"]
    floors = [{"area": a, "colour": c} for a, c in zip(areas, colours, strict=True)]
    mesh, materials = build_place(site(floors=floors))
    for place, seen in (((1, 1), 0), ((1, 6), 1), ((3.5, 6), 2), ((5, 5), 2), ((11, 5), 3)):
        distance, row = first_hit(mesh, (*place, 1), (0, 0, -1))
        assert materials[row].colour == colour_of(colours[seen])
        assert 1 <= distance < 1.005
    heights = mesh.positions[::4, 2]
    assert sorted(np.round(heights, 4).tolist()) == pytest.approx([-0.004, -0.002, 0, 0])


def test_columns_keep_to_their_radius() -> None:
    column = {"position": (5, 4), "radius_m": 0.3, "height_m": 2.5}
    mesh, _ = build_place(site(floors=[{"area": (90, 90, 91, 91)}], columns=[column]))
    standing = mesh.positions[mesh.positions[:, 0] < 80]
    assert np.hypot(*(standing[:, :2] - (5, 4)).T).max() == pytest.approx(0.3)
    assert standing[:, 2].max() == pytest.approx(2.5)


@pytest.mark.parametrize("kind", get_args(Furniture))
def test_furniture_stands_within_its_footprint(kind: Furniture) -> None:
    parts = build(kind, (0.5, 0.3, 0.2), np.random.default_rng(0))
    points = np.concatenate([part.mesh.positions for part in parts])
    length, depth = FOOTPRINTS[kind]
    assert np.abs(points[:, 1]).max() <= length / 2 + 1e-5
    assert np.abs(points[:, 0]).max() <= depth / 2 + 1e-5
    assert np.ptp(points[:, 1]) > 0.8 * length  # and people do not walk around air
    assert np.ptp(points[:, 0]) > 0.8 * depth
    assert -1e-6 < points[:, 2].min() < 0.03
    assert 0.4 < points[:, 2].max() < 2.7


@pytest.mark.parametrize("kind", get_args(Furniture))
def test_furniture_looks_outward(kind: Furniture) -> None:
    for part in build(kind, (0.5, 0.3, 0.2), np.random.default_rng(0)):
        a, b, c = (part.mesh.positions[part.mesh.faces[:, i]].astype(float) for i in range(3))
        wound = np.cross(b - a, c - a)
        normals = part.mesh.normals[part.mesh.faces].mean(axis=1)
        assert ((wound * normals).sum(axis=1) > -1e-9).all()
        middle = part.mesh.positions.mean(axis=0)
        assert ((a + b + c - 3 * middle) * wound).sum() > 0  # its volume


def test_furniture_faces_where_it_should() -> None:
    chair = {"kind": "chair", "position": (5, 5), "heading_degrees": 90}
    mesh, _ = build_place(site(furniture=[chair]))
    back = mesh.positions[mesh.positions[:, 2] > 0.6]
    assert (back[:, 1] < 4.9).all()  # who sits leans on it and looks along +y


def everything() -> Simulation:
    kinds = [
        {"kind": kind, "position": (n, 9), "heading_degrees": 36 * n}
        for n, kind in enumerate(get_args(Furniture))
    ]
    return site(
        walls=[{**WALL, "openings": DOORS}, {"start": (0, 0), "end": (10, 0), "surface": "bricks"}],
        columns=[{"position": (5, 4)}],
        furniture=kinds,
    )


@pytest.mark.parametrize("make", [build_place, build_surroundings])
def test_meshes_are_sound(make: Any) -> None:
    mesh, materials = make(everything())
    again, same = make(everything())
    np.testing.assert_array_equal(mesh.positions, again.positions)
    assert materials == same
    assert len(set(materials)) == len(materials)
    assert all(isinstance(material, Material) for material in materials)
    assert set(mesh.material.tolist()) == set(range(len(materials)))
    assert (mesh.material[mesh.faces] == mesh.material[mesh.faces[:, :1]]).all()
    assert mesh.faces.min() == 0
    assert mesh.faces.max() == len(mesh.positions) - 1
    assert len(mesh.faces) < 6000
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-5)
    for array, kind in ((mesh.positions, "f4"), (mesh.texture, "f4"), (mesh.cut, "f4")):
        assert array.dtype == kind
        assert np.isfinite(array).all()
    assert mesh.material.dtype == mesh.faces.dtype == np.int32


def test_texture_is_in_metres_and_goes_on_along_a_wall() -> None:
    walls = [{"start": (0, 0), "end": (10, 0), "surface": "bricks", "openings": DOORS}]
    mesh, materials = build_place(site(walls=walls, floors=[{"area": (90, 90, 91, 91)}]))
    bricks = [row for row, material in enumerate(materials) if material.scale_m == 0.24]
    front = np.isin(mesh.material, bricks) & (mesh.normals[:, 1] < -0.9)
    np.testing.assert_allclose(mesh.texture[front, :2], mesh.positions[front][:, [0, 2]], atol=1e-5)


def test_surroundings_leave_the_site_alone() -> None:
    simulation = everything()
    mesh, _ = build_surroundings(simulation)
    on_site = (np.abs(mesh.positions[:, :2] - 5) < 9).all(axis=1)
    assert (mesh.positions[on_site, 2] < 0).all()
    distance, _ = first_hit(mesh, (5, 5, 1), (0, 0, -1))
    assert 1 < distance < 1.1  # ground below the floor, everywhere
    level = np.radians(np.arange(0, 360, 15))
    seen = [first_hit(mesh, (5, 5, 1.6), (np.cos(a), np.sin(a), 0))[0] for a in level]
    assert np.mean(np.isfinite(seen)) > 0.7  # houses and trees at eye level
