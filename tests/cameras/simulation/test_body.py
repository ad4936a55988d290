import numpy as np
import pytest

from cameras.simulation.body import (
    JOINTS,
    PARENTS,
    Body,
    J,
    Part,
    make_body,
    pose_joints,
    skin,
    skin_surface,
    vertex_normals,
)


@pytest.fixture(scope="module")
def bodies() -> list[Body]:
    return [make_body(np.random.default_rng([1, seed])) for seed in range(40)]


def quarter_turn_left() -> np.ndarray:
    return np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]], np.float32)


def at_rest() -> np.ndarray:
    return np.tile(np.eye(3, dtype=np.float32), (len(JOINTS), 1, 1))


def test_identity_is_the_rest_pose(bodies: list[Body]) -> None:
    body = bodies[0]
    transforms = pose_joints(at_rest(), body.joints)
    np.testing.assert_allclose(
        skin(body.vertices, body.weights, transforms), body.vertices, atol=1e-5
    )


def test_turning_the_root_turns_everything_about_the_pelvis(bodies: list[Body]) -> None:
    body, turn = bodies[0], quarter_turn_left()
    rotations = at_rest()
    rotations[0] = turn
    transforms = pose_joints(rotations, body.joints)
    pelvis = body.joints[0]
    points, normals = skin_surface(body.vertices, body.normals, body.weights, transforms)
    np.testing.assert_allclose(points, (body.vertices - pelvis) @ turn.T + pelvis, atol=1e-5)
    np.testing.assert_allclose(normals, body.normals @ turn.T, atol=1e-5)


def test_kinematics_agree_with_walking_up_the_tree(bodies: list[Body]) -> None:
    """Oracle: a point on a hand, carried by one joint after the other from the hand to the root."""
    rng, body = np.random.default_rng(2), bodies[3]
    rotations = np.linalg.qr(rng.standard_normal((len(JOINTS), 3, 3)))[0]
    rotations *= np.sign(np.linalg.det(rotations))[:, None, None]
    rotations = rotations.astype(np.float32)
    point = rest = body.joints[J["hand_r"]] + np.float32(0.1)
    joint = J["hand_r"]
    while True:
        point = rotations[joint] @ (point - body.joints[joint]) + body.joints[joint]
        if joint == 0:
            break
        joint = PARENTS[joint]
    weights = np.zeros((1, len(JOINTS)), np.float32)
    weights[0, J["hand_r"]] = 1
    moved = skin(rest[None], weights, pose_joints(rotations, body.joints))
    np.testing.assert_allclose(moved[0], point, atol=1e-4)


def test_parents_come_first() -> None:
    assert PARENTS[0] == 0
    assert all(parent < joint for joint, parent in enumerate(PARENTS) if joint)


def test_weights_are_shares(bodies: list[Body]) -> None:
    weights = bodies[0].weights
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(bodies[0].keypoint_weights.sum(axis=1), 1, atol=1e-6)


def test_the_surface_is_one_side_of_a_sheet(bodies: list[Body]) -> None:
    """No edge belongs to two triangles in the same direction, so all of them face outwards."""
    faces = bodies[0].faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(edges, axis=0)) == len(edges)
    for body in bodies:
        a, b, c = (body.vertices[body.faces[:, corner]] for corner in range(3))
        volume = np.einsum("fi,fi->", a, np.cross(b, c)) / 6
        assert volume * 985 == pytest.approx(body.weight_kg, rel=0.05)


def test_normals_of_a_corner() -> None:
    """Three faces of a cube's corner at the origin, each a triangle of the same area."""
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 2, 1], [0, 3, 2], [0, 1, 3]])
    normals = vertex_normals(vertices, faces)
    np.testing.assert_allclose(normals[0], np.full(3, -(3**-0.5)), atol=1e-6)


def test_bodies_are_people(bodies: list[Body]) -> None:
    statures = np.array([body.height_m for body in bodies])
    assert 1.45 < statures.min() < statures.max() < 2.0
    assert statures.std() > 0.05
    for body in bodies:
        assert body.vertices[:, 2].min() == pytest.approx(0, abs=1e-6)
        assert 15 < body.weight_kg / body.height_m**2 < 42
        assert 0.45 < body.leg_m / body.height_m < 0.53
        assert 0.25 < body.arm_m / body.height_m < 0.36


def test_gender_and_age_are_as_asked() -> None:
    for seed in range(10):
        woman = make_body(np.random.default_rng(seed), female=True)
        boy = make_body(np.random.default_rng(seed), female=False, child=True)
        assert woman.female == 1
        assert woman.age_years >= 15
        assert boy.female == 0
        assert 6 <= boy.age_years < 15
        assert 1.0 < boy.height_m < 1.8


def test_keypoints_lie_where_coco_has_them(bodies: list[Body]) -> None:
    for body in bodies:
        left, right = body.keypoints[1::2], body.keypoints[2::2]
        assert (left[:, 1] > 0).all()
        np.testing.assert_allclose(left * [1, -1, 1], right, atol=2e-3)
        nose, eye, ear, shoulder, _, _, hip, knee, ankle = body.keypoints[[0, *range(1, 17, 2)]]
        assert nose[0] > eye[0] > ear[0]
        assert ear[2] > shoulder[2] > hip[2] > knee[2] > ankle[2] > 0


def test_coordinates_for_clothes(bodies: list[Body]) -> None:
    for body in bodies[:5]:
        hands, feet = body.part == Part.HAND, body.part == Part.FOOT
        heads = np.isin(body.part, (Part.HEAD, Part.EYE))
        assert body.arm[hands].min() > 0.85
        assert body.arm[~np.isin(body.part, (Part.ARM, Part.HAND))].max() < 0.25
        assert body.leg[feet].min() > 0.85
        assert body.leg[hands].max() < 0.1
        assert body.torso[heads].min() > 0.8 * body.torso_m
        assert abs(body.torso[hands] - body.torso_m).max() < 0.25
        assert (np.sign(body.vertices[:, 1]) * body.side >= 0).all()


def test_the_same_chance_makes_the_same_body() -> None:
    one, two, other = (make_body(np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one.vertices, two.vertices)
    assert abs(one.vertices - other.vertices).max() > 0.01
