"""Truth of people made of boxes, against pictures of owners painted by hand."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from cameras.simulation.meshes import Dressed, Mesh, join
from cameras.simulation.optics import Camera
from cameras.simulation.settings import SimulatedCamera
from cameras.simulation.truth import FrameTruth, observe
from cameras.simulation.world import PosedPerson

Array = npt.NDArray[Any]
WIDTH, DEPTH, HEIGHT = 0.5, 0.3, 1.7
STEPS = 24


def camera(**settings: Any) -> Camera:
    """At 1 m, looking along +x: 90 degrees over 640 pixels, focal length 320."""
    along_x = {"id": "c", "position": (0, 0, 1), "look_at": (5, 0, 1), "field_of_view_degrees": 90}
    return Camera(SimulatedCamera.model_validate({**along_x, **settings}))


def block(low: Array, high: Array) -> Mesh:
    """A box along the axes, each side of STEPS x STEPS x 2 triangles, outward."""
    sides = []
    u, v = (axis.ravel() for axis in np.meshgrid(*[np.linspace(0, 1, STEPS + 1)] * 2))
    corner = (np.arange(STEPS)[:, None] * (STEPS + 1) + np.arange(STEPS)).ravel()
    right, up = corner + 1, corner + STEPS + 1
    faces = np.concatenate(
        [np.stack([corner, right, up + 1], 1), np.stack([corner, up + 1, up], 1)]
    ).astype(np.int32)
    for axis in range(3):
        for end in (0, 1):
            unit = np.empty((u.size, 3))
            unit[:, axis] = end
            unit[:, (axis + 1) % 3], unit[:, (axis + 2) % 3] = (u, v) if end else (v, u)
            normal = np.zeros(3)
            normal[axis] = 2 * end - 1
            count = u.size
            sides.append(
                Mesh(
                    (low + unit * (high - low)).astype(np.float32),
                    np.tile(normal, (count, 1)).astype(np.float32),
                    np.zeros((count, 3), np.float32),
                    np.zeros(count, np.float32),
                    np.zeros(count, np.int32),
                    faces,
                )
            )
    return join(sides)


BODY = block(np.array((-DEPTH / 2, -WIDTH / 2, 0)), np.array((DEPTH / 2, WIDTH / 2, HEIGHT)))
NOSE, LEFT_EAR, LEFT_WRIST, LEFT_HIP, RIGHT_ANKLE = 0, 3, 9, 11, 16
KEYPOINTS = np.tile(np.float32((0, 0, 1)), (17, 1))
KEYPOINTS[NOSE] = (DEPTH / 2, 0, 1.6)  # on the front, towards +x
KEYPOINTS[RIGHT_ANKLE] = (0, 0, 0.1)


def dressed(mesh: Mesh = BODY, is_person: Array | None = None) -> Dressed:
    count = len(mesh.positions)
    return Dressed(
        mesh,
        np.ones((count, 1), np.float32),
        np.ones(count, np.bool_) if is_person is None else is_person,
        (),
        np.zeros((1, 3), np.float32),
        KEYPOINTS,
        np.ones((17, 1), np.float32),
    )


def person(x: float, y: float, identity: int = 1, mesh: Mesh = BODY) -> PosedPerson:
    place = np.float32((x, y, 0))
    return PosedPerson(
        identity,
        mesh.positions + place,
        mesh.normals,
        KEYPOINTS + place,
        np.array((x, y), np.float64),
        0.0,
        0.0,
    )


def painted(seen: Camera, *people: PosedPerson) -> Array:
    """The outlines of blocks, the later ones over the earlier."""
    owner = np.zeros(seen.size[::-1], np.uint16)
    for one in people:
        pixels, _ = seen.project(one.positions)
        outline = cv2.convexHull(np.rint(pixels).astype(np.int32))
        cv2.fillConvexPoly(owner, outline, one.identity)
    return owner


def look(seen: Camera, owner: Array, *people: PosedPerson) -> FrameTruth:
    return observe(seen, people, {one.identity: dressed() for one in people}, owner)


def test_a_person_in_the_open_by_hand() -> None:
    seen, one = camera(), person(4, 0)
    truth = look(seen, painted(seen, one), one)
    near = 320 / (
        4 - DEPTH / 2
    )  # pixels a metre at the front side; the top lies 0.7 above the lens
    expected = (320 - 0.25 * near, 180 - 0.7 * near, 320 + 0.25 * near, 180 + near)
    np.testing.assert_allclose(truth.full_boxes, [expected], atol=1e-4)
    np.testing.assert_allclose(truth.visible_boxes, [expected], atol=1)
    assert truth.identities.tolist() == [1]
    assert truth.visibility[0] == pytest.approx(1)
    assert truth.ground.tolist() == [[4, 0]]
    assert not truth.full_boxes.flags.writeable


@pytest.mark.parametrize(("part", "visibility"), [(0.5, 0.5), (0.25, 0.75), (1.0, 0.0)])
def test_what_another_covers_is_not_seen(part: float, visibility: float) -> None:
    seen, one = camera(), person(4, 0)
    owner = painted(seen, one)
    left, top, right, bottom = look(seen, owner, one).full_boxes[0]
    owner[:, round(right - part * (right - left)) :] = 2
    owner[:, : round(left) - 2] = 2
    truth = look(seen, owner, one)
    assert truth.visibility[0] == pytest.approx(visibility, abs=0.04)
    assert truth.full_boxes[0].tolist() == [left, top, right, bottom]
    if part == 1:
        assert truth.visible_boxes[0].tolist() == [0, 0, 0, 0]
    else:
        edge = right - part * (right - left)
        np.testing.assert_allclose(truth.visible_boxes[0], (left, top, edge, bottom), atol=1)


def test_what_is_outside_the_picture_is_not_seen() -> None:
    # At 4 m the right border is 4 m - half a pixel aside: half of the person is beyond.
    seen, one = camera(), person(4, -4 * 319.5 / 320)
    truth = look(seen, painted(seen, one), one)
    left, _, right, _ = truth.full_boxes[0]
    assert left < 640 < right
    assert truth.visible_boxes[0, 2] == 640
    assert truth.visibility[0] == pytest.approx((640 - left) / (right - left), abs=0.05)


@pytest.mark.parametrize("place", [(-4, 0), (4, 6), (4, -6), (0, 3), (-0.3, 0)])
def test_people_outside_the_picture_are_left_out(place: tuple[float, float]) -> None:
    seen, one, other = camera(), person(*place), person(5, 0, identity=2)
    truth = look(seen, painted(seen, other), one, other)
    assert truth.identities.tolist() == [2]


def test_nobody() -> None:
    truth = look(camera(), np.zeros((360, 640), np.uint16))
    assert truth.full_boxes.shape == (0, 4) and truth.keypoints.shape == (0, 17, 3)


def test_the_distorted_person_has_the_box_that_opencv_gives() -> None:
    seen = camera(lens={"k1": -0.1, "k2": 0.01, "p1": 0.002}, position=(0, 0, 2.5))
    one = person(3, 1.5)
    truth = look(seen, painted(seen, one), one)
    rotation, _ = cv2.Rodrigues(seen.rotation)
    pixels, _ = cv2.projectPoints(
        one.positions.astype(np.float64),
        rotation,
        seen.translation,
        seen.intrinsics,
        seen.distortion,
    )
    bounds = np.concatenate([pixels[:, 0].min(axis=0), pixels[:, 0].max(axis=0)])
    np.testing.assert_allclose(truth.full_boxes[0], bounds + 0.5, atol=1e-6)
    assert truth.visibility[0] == pytest.approx(1, abs=0.01)


def test_things_carried_widen_no_box() -> None:
    seen = camera()
    bag = block(np.array((-0.1, 0.3, 0.5)), np.array((0.1, 0.7, 1.0)))
    both = join([BODY, bag])
    is_person = np.arange(len(both.positions)) < len(BODY.positions)
    one = person(4, 0, mesh=both)
    owner = np.maximum(painted(seen, person(4, 0)), painted(seen, person(4, 0, mesh=bag)))
    truth = observe(seen, [one], {1: dressed(both, is_person)}, owner)
    bare = look(seen, painted(seen, person(4, 0)), person(4, 0))
    assert truth.full_boxes.tolist() == bare.full_boxes.tolist()
    # The bag's pixels are the person's too; at most the pixels cut by the box's edge are added.
    np.testing.assert_allclose(truth.visible_boxes, bare.visible_boxes, atol=1)
    assert truth.visibility[0] == pytest.approx(1)


def test_cloth_that_is_cut_off_is_not_there() -> None:
    seen = camera()
    cut = (BODY.positions[:, 2] - 1.0).astype(np.float32)  # nothing above 1 m
    mesh = Mesh(BODY.positions, BODY.normals, BODY.texture, cut, BODY.material, BODY.faces)
    truth = observe(seen, [person(4, 0)], {1: dressed(mesh)}, painted(seen, person(4, 0)))
    _, top, _, _ = truth.full_boxes[0]
    assert top == pytest.approx(180, abs=320 / 4 * HEIGHT / STEPS)  # at the height of the lens


def keypoints_of(seen: Camera, owner: Array, **places: tuple[float, float, float]) -> Array:
    """Keypoints of a person at (4, 0): x, y, how seen; `places` moves some of them."""
    one = person(4, 0)
    for name, place in places.items():
        one.keypoints[int(name[1:])] = place
    return np.asarray(look(seen, owner, one).keypoints[0])


def test_keypoints_are_where_the_calibration_projects_them() -> None:
    seen = camera()
    points = keypoints_of(seen, painted(seen, person(4, 0)))
    np.testing.assert_allclose(points[LEFT_HIP, :2], (319.5, 179.5), atol=1e-4)
    assert points[LEFT_HIP, 2] == 2  # in the body, 15 cm behind the skin


def test_the_far_side_of_the_head_is_hidden_by_the_head() -> None:
    # The person looks along +x, away from the camera: the nose is 30 cm behind its back.
    seen = camera()
    owner = painted(seen, person(4, 0))
    assert keypoints_of(seen, owner)[NOSE, 2] == 1
    turned = keypoints_of(seen, owner, _0=(4 - DEPTH / 2, 0, 1.6))
    assert turned[NOSE, 2] == 2


def test_keypoints_behind_others_and_outside() -> None:
    seen = camera()
    owner = painted(seen, person(4, 0))
    owner[:180] = 2  # all above 1 m
    outside = (4, -6, 1)
    points = keypoints_of(seen, owner, _3=(3.9, 0, 1.3), _9=(3.9, 0, 0.5), _11=outside)
    assert points[LEFT_EAR, 2] == 1
    assert points[LEFT_WRIST, 2] == 2
    assert points[LEFT_HIP].tolist() == [0, 0, 0]
