from dataclasses import replace

import numpy as np
import pytest

from cameras.simulation.body import Body, J, Part, make_body, skin
from cameras.simulation.gait import (
    Carry,
    Gait,
    carrying_hand,
    make_gait,
    seat_reach_m,
    sitting_pose,
    standing_pose,
    stride_m,
    walking_pose,
)
from cameras.simulation.poses import Pose, blend, euler, pose_body

PHASES = np.linspace(0, 1, 41)


@pytest.fixture(scope="module")
def people() -> list[tuple[Body, Gait]]:
    return [person(seed, child=seed == 5) for seed in range(6)]


def person(seed: int, child: bool = False) -> tuple[Body, Gait]:
    rng = np.random.default_rng([3, seed])
    body = make_body(rng, child=child)
    return body, make_gait(rng, body)


def posed(body: Body, pose: Pose) -> np.ndarray:
    return skin(body.vertices, body.weights, pose_body(pose, body.joints))


def joints_of(body: Body, pose: Pose) -> np.ndarray:
    transforms = pose_body(pose, body.joints)
    return np.einsum("jik,jk->ji", transforms[:, :, :3], body.joints) + transforms[:, :, 3]


def test_angles_turn_as_documented() -> None:
    down = np.array([0, 0, -1.0])
    quarter = np.pi / 2
    np.testing.assert_allclose(euler(np.array([quarter, 0, 0])) @ down, [0, 1, 0], atol=1e-12)
    np.testing.assert_allclose(euler(np.array([0, -quarter, 0])) @ down, [1, 0, 0], atol=1e-12)
    ahead = np.array([1.0, 0, 0])
    np.testing.assert_allclose(euler(np.array([0, 0, quarter])) @ ahead, [0, 1, 0], atol=1e-12)


@pytest.mark.parametrize("speed", [0.8, 1.2, 1.5])
def test_the_standing_foot_does_not_slide(people: list[tuple[Body, Gait]], speed: float) -> None:
    """Sole under the ball: still from when the foot is flat until it leaves."""
    for body, gait in people:
        stride = stride_m(speed, gait)
        foot = (body.side > 0) & (body.part == Part.FOOT) & (body.vertices[:, 2] < 0.02)
        ball = foot & (abs(body.vertices[:, 0] - body.joints[J["toes_l"], 0]) < 0.02)
        track = []
        for phase in np.linspace(0.1, 0.58, 12):
            sole = posed(body, walking_pose(phase, speed, gait))[ball].mean(axis=0)
            track.append(sole + np.array([stride * phase, 0, 0]))
        assert np.ptp(track, axis=0)[:2].max() < 0.05


@pytest.mark.parametrize("speed", [0.4, 1.2, 1.6])
def test_the_lowest_sole_is_on_the_floor(people: list[tuple[Body, Gait]], speed: float) -> None:
    for body, gait in people:
        lowest = [posed(body, walking_pose(p, speed, gait))[:, 2].min() for p in PHASES]
        assert -0.02 < min(lowest) <= max(lowest) < 0.02


def test_joints_move_as_measured_in_people(people: list[tuple[Body, Gait]]) -> None:
    for body, gait in people:
        knees, hips = [], []
        for phase in PHASES:
            joints = joints_of(body, walking_pose(phase, 1.3, gait))
            hip, knee, ankle = joints[[J["thigh_l"], J["shin_l"], J["foot_l"]]]
            thigh, shin = (
                np.degrees(np.arctan2(b[0] - a[0], a[2] - b[2]))
                for a, b in ((hip, knee), (knee, ankle))
            )
            hips.append(thigh)
            knees.append(thigh - shin)
        assert 20 < max(hips) < 50
        assert -40 < min(hips) < -2
        assert min(knees) > 0  # never bent the wrong way
        assert 45 < max(knees) < 80
        assert PHASES[np.argmax(knees)] > 0.6  # while swinging


def test_steps_mirror_after_half_a_cycle(people: list[tuple[Body, Gait]]) -> None:
    body, gait = people[0]
    gait = replace(gait, asymmetry=0.0)
    mirror = np.array([1, -1, 1])
    for phase in (0.0, 0.13, 0.31, 0.66):
        one = joints_of(body, walking_pose(phase, 1.3, gait))
        two = joints_of(body, walking_pose(phase + 0.5, 1.3, gait)) * mirror
        for name in ("foot", "toes", "shin", "hand", "forearm", "clavicle"):
            np.testing.assert_allclose(one[J[f"{name}_l"]], two[J[f"{name}_r"]], atol=3e-3)


def test_arms_swing_against_legs(people: list[tuple[Body, Gait]]) -> None:
    body, gait = people[1]
    joints = joints_of(body, walking_pose(0.0, 1.3, gait))
    assert joints[J["foot_l"], 0] > joints[J["foot_r"], 0] + 0.3
    assert joints[J["hand_r"], 0] > joints[J["hand_l"], 0] + 0.1


def test_the_cycle_closes_and_is_smooth(people: list[tuple[Body, Gait]]) -> None:
    for body, gait in people:
        tracks = np.array(
            [joints_of(body, walking_pose(p, 1.3, gait)) for p in np.linspace(0, 1, 101)]
        )
        np.testing.assert_allclose(tracks[0], tracks[-1], atol=1e-5)
        assert np.linalg.norm(np.diff(tracks, axis=0), axis=2).max() < 0.06


def test_strides_grow_with_speed_and_legs() -> None:
    _, gait = person(0)
    assert 1.1 < stride_m(1.3, gait) < 1.7
    assert stride_m(1.6, gait) > stride_m(0.8, gait)
    longer = replace(gait, legs=replace(gait.legs, thigh=gait.legs.thigh + 0.1))
    assert stride_m(1.3, longer) > stride_m(1.3, gait)


def test_standing_keeps_both_feet_where_they_are(people: list[tuple[Body, Gait]]) -> None:
    for body, gait in people:
        places = []
        for time in range(0, 60, 5):
            pose = standing_pose(time, gait)
            assert abs(posed(body, pose)[:, 2].min()) < 0.01
            places.append(joints_of(body, pose)[[J["foot_l"], J["foot_r"]]])
        assert np.ptp(places, axis=0).max() < 0.01


def test_sitting_down_keeps_the_feet_and_ends_on_the_seat(people: list[tuple[Body, Gait]]) -> None:
    body, gait = people[2]
    joints = []
    for share in (0, 0.3, 0.7, 1):
        moved = seat_reach_m(gait) * (3 * share**2 - 2 * share**3)
        joints.append(joints_of(body, sitting_pose(1.0, gait, 0.45, share)) - [moved, 0, 0])
    assert np.ptp(np.array(joints)[:, J["foot_r"], [0, 2]], axis=0).max() < 0.01
    joints[-1] += [seat_reach_m(gait), 0, 0]
    hip, knee = joints[-1][[J["thigh_l"], J["shin_l"]]]
    assert abs(hip[0]) < 0.05
    assert 0.5 < hip[2] < 0.58
    assert abs(knee[2] - hip[2]) < 0.12


@pytest.mark.parametrize(
    ("carry", "moving"),
    [
        (Carry.TROLLEY_R, "hand_l"),
        (Carry.UMBRELLA_R, "hand_l"),
        (Carry.PHONE_R, "hand_l"),
        (Carry.HANDBAG_L, "hand_r"),
        (Carry.HANDBAG_R, "hand_l"),
    ],
)
def test_a_busy_arm_keeps_still(carry: Carry, moving: str) -> None:
    body, gait = person(4)
    gait = replace(gait, carry=carry, swing=1.0)
    busy = "hand_r" if moving == "hand_l" else "hand_l"
    reaches = {busy: [], moving: []}
    for phase in PHASES:
        joints = joints_of(body, walking_pose(phase, 1.3, gait))
        for name, found in reaches.items():
            found.append(joints[J[name], 0] - joints[J["chest"], 0])
    assert np.ptp(reaches[busy]) < 0.5 * np.ptp(reaches[moving])


def test_the_busy_hand_is_turned_as_told() -> None:
    body, gait = person(4)
    gait = replace(gait, carry=Carry.UMBRELLA_R)
    for pose in (walking_pose(0.4, 1.3, gait), standing_pose(7.0, gait)):
        turn = pose_body(pose, body.joints)[J["hand_r"], :, :3]
        np.testing.assert_allclose(turn, carrying_hand(gait), atol=1e-5)


def test_blending_begins_and_ends_with_its_poses() -> None:
    _, gait = person(1)
    walk, stand = walking_pose(0.2, 1.0, gait), standing_pose(3.0, gait)
    for share, pose in ((0.0, walk), (1.0, stand)):
        np.testing.assert_allclose(blend(walk, stand, share).rotations, pose.rotations, atol=1e-5)
        np.testing.assert_allclose(blend(walk, stand, share).pelvis, pose.pelvis)
    middle = blend(walk, stand, 0.5).rotations
    np.testing.assert_allclose(
        middle @ np.swapaxes(middle, 1, 2), np.tile(np.eye(3), (22, 1, 1)), atol=1e-5
    )


def test_poses_depend_on_nothing_but_their_arguments() -> None:
    (_, one), (_, two) = person(2), person(2)
    assert one == two
    for make in (standing_pose, sitting_pose):
        np.testing.assert_array_equal(make(12.3, one).rotations, make(12.3, two).rotations)
