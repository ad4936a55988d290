"""Dressed people: sound meshes, cloth outside of what it covers, edges where the cut says."""

from dataclasses import replace

import numpy as np
import pytest

from cameras.simulation.accessories import standing_gait
from cameras.simulation.body import J, make_body, skin, vertex_normals
from cameras.simulation.gait import standing_pose
from cameras.simulation.garments import body_of, dress
from cameras.simulation.looks import Cut, Kind, Look, Thing
from cameras.simulation.meshes import Dressed
from cameras.simulation.pieces import arm_weight
from cameras.simulation.poses import pose_body
from cameras.simulation.shells import Layer, wear
from cameras.simulation.wardrobe import random_look
from pipeline.types import FloatArray

SHIRT = Cut("shirt", Kind.TOP, sleeve=0.5, hem=-0.02, thickness_m=0.006, loose_m=0.02)
JACKET = Cut("jacket", Kind.TOP, sleeve=0.9, hem=0.0, opening_m=0.05, thickness_m=0.012)
TROUSERS = Cut("trousers", Kind.TROUSERS, hem=0.9, loose_m=0.015)
DRESS = Cut("dress", Kind.TOP, sleeve=0.3, hem=0.5, flare_m=0.08)
NOTHING = np.zeros((0, 3), np.float32)


@pytest.fixture(scope="module")
def looks() -> list[Look]:
    return [random_look(np.random.default_rng([11, number])) for number in range(12)]


@pytest.fixture(scope="module")
def people(looks: list[Look]) -> list[Dressed]:
    return [dress(look) for look in looks]


def test_meshes_are_sound(people: list[Dressed]) -> None:
    for person in people:
        mesh = person.mesh
        count = len(mesh.positions)
        assert count < 6500
        for array in (mesh.positions, mesh.normals, mesh.texture, mesh.cut, person.weights):
            assert array.dtype == np.float32
            assert np.isfinite(array).all()
            assert len(array) == count
        np.testing.assert_allclose(person.weights.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-3)
        assert mesh.faces.min() == 0
        assert mesh.faces.max() == count - 1
        assert 0 <= mesh.material.min() <= mesh.material.max() < len(person.materials)
        assert np.all(np.ptp(mesh.material[mesh.faces], axis=1) == 0)


def test_nobody_reaches_below_the_floor_but_with_wheels(
    looks: list[Look], people: list[Dressed]
) -> None:
    for person in people:
        assert person.mesh.positions[person.is_person, 2].min() > -0.002


def test_things_carried_are_no_part_of_the_person(looks: list[Look], people: list[Dressed]) -> None:
    for look, person in zip(looks, people, strict=True):
        assert bool(np.any(~person.is_person)) == bool(look.carries)


def test_dressing_is_deterministic(looks: list[Look], people: list[Dressed]) -> None:
    again = dress(looks[0])
    np.testing.assert_array_equal(again.mesh.positions, people[0].mesh.positions)
    assert again.materials == people[0].materials


@pytest.mark.parametrize("cut", [SHIRT, JACKET, TROUSERS, DRESS], ids=lambda cut: cut.name)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cloth_lies_at_least_its_thickness_outside_the_skin(cut: Cut, seed: int) -> None:
    body = make_body(np.random.default_rng(seed))
    layer = wear(body, body.vertices, NOTHING, cut, 0)
    used = np.unique(body.faces[layer.faces])
    above = np.einsum("vi,vi->v", layer.cloth - body.vertices, body.normals)
    assert above[used].min() >= cut.thickness_m - 1e-5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_layers_stack_outward(seed: int) -> None:
    body = make_body(np.random.default_rng(seed))
    shirt = wear(body, body.vertices, NOTHING, SHIRT, 0)
    jacket = wear(body, shirt.outer, shirt.hanging, JACKET, 1)
    under = vertex_normals(shirt.outer, body.faces)
    used = np.unique(body.faces[jacket.faces])
    above = np.einsum("vi,vi->v", jacket.cloth - shirt.outer, under)
    assert above[used].min() >= JACKET.thickness_m - 1e-5


def _covers(layer: Layer, points: FloatArray, place: FloatArray) -> bool:
    """Whether the garment covers the point of the body nearest to a place."""
    return bool(layer.cut[np.linalg.norm(points - place, axis=1).argmin()] < 0)


@pytest.mark.parametrize("seed", [0, 3, 4])
def test_edges_are_where_the_cut_says(seed: int) -> None:
    body = make_body(np.random.default_rng(seed))
    shirt = wear(body, body.vertices, NOTHING, SHIRT, 0)
    trousers = wear(body, body.vertices, NOTHING, TROUSERS, 1)
    shoulder, wrist = body.joints[J["upperarm_l"]], body.joints[J["hand_l"]]
    hip, ankle = body.joints[J["thigh_r"]], body.joints[J["foot_r"]]
    for along in (0.25, 0.4, 0.6, 0.8):
        at = shoulder + along * (wrist - shoulder)
        assert _covers(shirt, body.vertices, at) == (along < 0.5)
    for along in (0.3, 0.6, 0.8, 0.98):
        at = hip + along * (ankle - hip)
        assert _covers(trousers, body.vertices, at) == (along < 0.9)
    assert not _covers(shirt, body.vertices, body.joints[J["head"]])
    assert not _covers(trousers, body.vertices, body.joints[J["chest"]])
    assert not _covers(trousers, body.vertices, body.joints[J["hand_l"]])


def test_an_open_jacket_shows_what_is_under_it_in_front_only() -> None:
    body = make_body(np.random.default_rng(0))
    jacket = wear(body, body.vertices, NOTHING, JACKET, 0)
    chest = body.joints[J["chest"]]
    front, back = chest + np.float32([0.2, 0, -0.1]), chest - np.float32([0.2, 0, 0.1])
    assert not _covers(jacket, body.vertices, front)
    assert _covers(jacket, body.vertices, back)


def test_a_dress_goes_around_both_legs_and_follows_them() -> None:
    body = make_body(np.random.default_rng(2), female=True)
    skirt = wear(body, body.vertices, NOTHING, DRESS, 0).others[0]
    points = skirt.mesh.positions
    hem = body.joints[J["thigh_l"], 2] - DRESS.hem * body.leg_m
    assert points[:, 2].min() == pytest.approx(hem, abs=1e-4)
    low = points[:, 2] < hem + 0.02
    legs = body.vertices[(np.abs(body.vertices[:, 2] - hem) < 0.03) & (arm_weight(body) < 0.1)]
    assert points[low, 1].max() > legs[:, 1].max()
    assert points[low, 0].max() > legs[:, 0].max()
    left = skirt.weights[low & (points[:, 1] > 0.1)]
    assert left[:, [J["thigh_l"], J["shin_l"]]].sum(axis=1).min() > 0.95


def test_hidden_skin_is_left_out() -> None:
    look = replace(random_look(np.random.default_rng(1)), carries=())
    person = dress(look)
    body = body_of(look)
    skin_ = person.mesh.positions[person.mesh.material == 0]
    assert len(skin_) < 0.6 * len(body.vertices)


def test_a_trolley_rolls_on_the_floor_behind_the_hand(looks: list[Look]) -> None:
    material = looks[0].shoes.material
    carried = [thing for look in looks for thing in look.carries][:1]
    trolley = replace(carried[0], thing=Thing.TROLLEY, material=material, side=-1)
    look = replace(looks[0], carries=(trolley,))
    person, body = dress(look), body_of(look)
    posed = pose_body(standing_pose(0.0, standing_gait(body, look)), person.joints)
    points = skin(person.mesh.positions, person.weights, posed)[~person.is_person]
    hand = posed[J["hand_r"]] @ np.append(person.joints[J["hand_r"]], 1)
    assert points[:, 2].min() == pytest.approx(0, abs=0.01)
    assert np.linalg.norm(points - hand, axis=1).min() < 0.12
    assert points[:, 0].mean() < hand[0]
