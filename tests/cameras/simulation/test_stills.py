"""Scenery that is kept drawn: pictures of people before it are those drawn all anew."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from cameras.simulation.atlas import Picture
from cameras.simulation.lights import Light, make_light
from cameras.simulation.meshes import Material, Mesh, Pattern, join
from cameras.simulation.models import Model, box_of
from cameras.simulation.optics import View
from cameras.simulation.primitives import box, ellipsoid, placed
from cameras.simulation.renderer import Moment, Placed, Renderer, Shot
from cameras.simulation.settings import LightSettings
from cameras.simulation.stills import edit, room_around, shades
from cameras.simulation.tiles import TILE, around

LOW = LightSettings(sun_azimuth_degrees=30, sun_elevation_degrees=12, lamps=((0, 3, 2.5),))
LOW_SUN = make_light(LOW)
HIGH_SUN = make_light(LightSettings(sun_azimuth_degrees=250, sun_elevation_degrees=60))
NIGHT = make_light(LOW.model_copy(update={"time": "night"}))
OVERCAST = replace(HIGH_SUN, sun=(0, 0, 0))
MATERIALS = [
    Material((0.5, 0.5, 0.5), (0.4, 0.4, 0.4), Pattern.TILES, scale_m=0.4, wear=0.5),
    Material((0.6, 0.3, 0.2), (0.5, 0.5, 0.5), Pattern.BRICKS, scale_m=0.25),
    Material((0.2, 0.3, 0.6), pattern=Pattern.CHECKS, scale_m=0.1, folds=0.6, gloss=0.3),
]
# Before the wall, in one another's shadow, under the roof, partly behind a lens, behind a camera
# with the shadow in front of it, far away.
PLACES = np.array([(0, 0), (1.5, 0.6), (0.7, 3.6), (-1, -5.4), (-3, -7.2), (7.5, 6.9), (-7, 7.5)])


def block(low: tuple[float, ...], high: tuple[float, ...], material: int) -> Mesh:
    middle, size = np.add(low, high) / 2, np.subtract(high, low)
    return placed(box(size, material), middle)


def person() -> Mesh:
    """A body that carries something over its head and draws something along."""
    body = placed(ellipsoid((0.25, 0.2, 0.8), 2, 12, 16), (0, 0, 0.8))
    roof = placed(ellipsoid((0.6, 0.6, 0.1), 1, 6, 12), (0.2, 0, 2.0))
    return join([body, roof, block((0.5, -0.3, 0.05), (0.9, 0.3, 0.3), 2)])


SCENERY = join(
    [
        block((-8, -8, -0.5), (8, 8, 0), 0),
        block((-8, 3, 0), (2, 3.25, 2.5), 1),
        block((2.5, -2, 0), (3.5, -1, 1), 1),
        block((1, 1, 2), (5, 5, 2.25), 1),
    ]
)
UP = (0.0, 0.0, 1.0)
UNSEEN = 1.0
"""A cut that leaves nothing."""


def room() -> Mesh:
    """Invisible: as large as a stage's room for shadows, so that both drawings have equal maps."""
    corners = room_around(SCENERY.positions.astype(np.float64)).astype(np.float32)
    nothing = np.zeros_like(corners)
    cut = np.full(8, UNSEEN, np.float32)
    faces = np.array([(0, 1, 2)])
    return Mesh(corners, nothing + 0.577, nothing, cut, np.zeros(8, np.int32), faces)


def looking(
    eye: tuple[float, ...], at: tuple[float, ...], size: tuple[int, int], focal: float = 150
) -> View:
    forward = np.subtract(at, eye) / np.linalg.norm(np.subtract(at, eye))
    right = np.cross(forward, (0, 0, 1)) / np.linalg.norm(np.cross(forward, (0, 0, 1)))
    rotation = np.stack([right, np.cross(forward, right), forward])
    intrinsics = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
    return View(intrinsics, rotation, -rotation @ np.array(eye), size)


VIEWS = (
    looking((-1.4, -5.5, 3.0), (1, 1, 0.5), (241, 163)),
    looking((7, 6, 3.5), (0, 1, 0), (200, 120)),
    replace(looking((-1.4, -5.5, 3.0), (1, 1, 0.5), (241, 163)), infrared=True),
    looking((-1.0, -5.5, 1.5), (3, -4, 1.0), (90, 60)),
    looking((1, -2.5, 3.5), (0.5, -0.2, 0), (160, 120), focal=350),
)


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer(1024) as opened:
        yield opened


@pytest.fixture(scope="module")
def models(renderer: Renderer) -> list[Model]:
    """Scenery, room, then people."""
    return [renderer.add(mesh, MATERIALS) for mesh in (SCENERY, room(), *[person()] * 7)]


def people_at(models: list[Model], step: int) -> list[Placed]:
    """Walking to and fro; some are missing now and then."""
    turns = np.arange(7.0)
    places = np.zeros((7, 3), np.float32)
    places[:, :2] = PLACES + 0.3 * step * np.column_stack([np.cos(turns), np.sin(turns)])
    return [
        Placed(model, i + 1, model.mesh.positions + place, model.mesh.normals)
        for i, (model, place) in enumerate(zip(models[2:], places, strict=True))
        if (i + step) % 4
    ]


def take(renderer: Renderer, moment: Moment, view: View) -> Picture:
    (picture,) = renderer.draw([Shot(moment, view)])
    return picture


@pytest.mark.parametrize("light", [LOW_SUN, HIGH_SUN, NIGHT, OVERCAST])
def test_pictures_before_a_still_are_those_drawn_anew(
    renderer: Renderer, models: list[Model], light: Light
) -> None:
    scenery, frame = Placed(models[0]), Placed(models[1])
    stage, other = (renderer.stage((scenery,), one) for one in (light, replace(light, to_sun=UP)))
    for step in range(4):
        people = people_at(models, step)
        for view in VIEWS:
            quick = take(renderer, stage.at(people), view)
            anew = take(renderer, Moment(light, (scenery, frame, *people)), view)
            np.testing.assert_array_equal(quick.owner, anew.owner)
            np.testing.assert_array_equal(quick.image, anew.image)
            take(renderer, other.at(people[:2]), view)
            again = take(renderer, stage.at(people), view)
            np.testing.assert_array_equal(again.image, anew.image)


def test_views_of_one_moment_are_taken_together(renderer: Renderer, models: list[Model]) -> None:
    stage = renderer.stage((Placed(models[0]),), LOW_SUN)
    moments = [stage.at(people_at(models, step)) for step in (1, 2)]
    shots = [Shot(moment, view) for moment in moments for view in VIEWS]
    for shot, picture in zip(shots, renderer.draw(shots), strict=True):
        alone = take(renderer, shot.moment, shot.view)
        np.testing.assert_array_equal(picture.owner, alone.owner)
        # Smoothing reads between pixels, which rounds otherwise elsewhere in the atlas.
        assert difference(picture, alone) <= 1


def difference(one: Picture, other: Picture) -> int:
    return int(np.abs(one.image.astype(int) - other.image).max())


def test_little_is_drawn_where_people_change_little(
    renderer: Renderer, models: list[Model]
) -> None:
    stage, view = renderer.stage((Placed(models[0]),), HIGH_SUN), VIEWS[1]
    first, hidden = (people_at(models, 1)[row] for row in (0, 2))
    picture = take(renderer, stage.at([first, hidden]), view)
    still, fit = stage.stills[view], stage.shadows.fit
    boxes = np.stack([box_of(one.where) for one in (first, hidden)])
    change = edit(still, boxes, shades(fit, boxes))
    differs = (picture.image != still.picture.image).any(axis=2)
    assert differs.any() and change.mask[differs].all()
    assert change.mask.mean() < 0.25


def test_tiles_hold_a_mask_and_its_surroundings() -> None:
    mask = np.zeros((50, 71), np.uint8)
    mask[9, 13] = mask[49, 70] = 1
    drawn = np.zeros_like(mask)
    for left, top, right, bottom in around(mask, 2):
        assert right <= 71 and bottom <= 50
        drawn[top:bottom, left:right] += 1
    wanted = np.zeros_like(mask)
    wanted[7:12, 11:16] = wanted[47:, 68:] = 1
    assert drawn.max() == 1 and (drawn >= wanted).all()
    assert drawn.sum() <= 4 * TILE**2
    assert not len(around(np.zeros_like(mask), 2))
