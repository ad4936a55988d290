"""What is drawn, where, and whose pixels they are."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Thread

import moderngl
import numpy as np
import pytest

from cameras.simulation.atlas import WIDTH, Picture, lay_out
from cameras.simulation.lights import Light, make_light
from cameras.simulation.meshes import Material, Mesh, Pattern
from cameras.simulation.models import coarse_faces
from cameras.simulation.optics import View
from cameras.simulation.projections import is_out_of_view, picture_matrix
from cameras.simulation.renderer import Moment, Placed, Renderer, Shot
from cameras.simulation.settings import LightSettings
from cameras.simulation.shading import RenderingError
from pipeline.errors import UserError

DAY = make_light(LightSettings())
LAMPLIT = Light((0, 0, 1), (0, 0, 0), (0, 0, 0), (0, 0, 0), ((0.0, 0.0, 2.0),), (1, 1, 1))
WHITE = Material((0.8, 0.8, 0.8))
BLACK = Material((0.1, 0.1, 0.1))


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    with Renderer(1024) as opened:
        yield opened


def quad(corners: np.ndarray, cut: tuple[float, float, float, float] = (0, 0, 0, 0)) -> Mesh:
    """A flat mesh of four corners (4, 3), counter-clockwise seen from where it looks."""
    points = np.asarray(corners, np.float32)
    normal = np.cross(points[1] - points[0], points[3] - points[0])
    return Mesh(
        points,
        np.tile(normal / np.linalg.norm(normal), (4, 1)).astype(np.float32),
        points,
        np.array(cut, np.float32),
        np.zeros(4, np.int32),
        np.array([(0, 1, 2), (0, 2, 3)], np.int32),
    )


def level(x: float, y: float, z: float, half: float) -> Mesh:
    """A square that looks up, `half` its width from its middle."""
    offsets = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)])
    return quad(np.array((x, y, z)) + half * offsets)


def from_above(height: float = 10, size: tuple[int, int] = (200, 160)) -> View:
    """Straight down on the origin: u runs along +x, v along -y, 20 pixels a metre at the floor."""
    intrinsics = np.array([[20 * height, 0, 100], [0, 20 * height, 80], [0, 0, 1.0]])
    down = np.diag([1.0, -1.0, -1.0])
    return View(intrinsics, down, np.array([0, 0, height], float), size)


def slanted() -> View:
    """Some camera that looks down to one side."""
    forward = np.array([0.6, 0.64, -0.48])
    right = np.array([0.64, -0.6, 0]) / np.hypot(0.64, 0.6)
    rotation = np.stack([right, np.cross(forward, right), forward])
    intrinsics = np.array([[213.0, 0, 101.3], [0, 217.0, 61.7], [0, 0, 1]])
    return View(intrinsics, rotation, -rotation @ np.array([1.0, -2.0, 3.0]), (203, 121))


def seen_at(view: View, pixels: np.ndarray, depths: np.ndarray) -> np.ndarray:
    """Points (N, 3) of the world that OpenCV's pinhole camera sees at these pixels (N, 2)."""
    rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(view.intrinsics).T
    return (rays * depths[:, None] - view.translation) @ view.rotation


def take(renderer: Renderer, view: View, *placed: Placed, light: Light = DAY) -> Picture:
    (picture,) = renderer.draw([Shot(Moment(light, placed), view)])
    return picture


@pytest.mark.parametrize("view", [from_above(), slanted()])
@pytest.mark.parametrize(
    "margin, first, last", [(0.05, (50, 30), (61, 36)), (-0.05, (51, 31), (60, 35))]
)
def test_a_point_lands_on_its_opencv_projection(
    renderer: Renderer, view: View, margin: float, first: tuple[int, int], last: tuple[int, int]
) -> None:
    """Edges 0.05 pixel outside and inside the centres of pixels 50..61, 30..36."""
    (u0, v0), (u1, v1) = (50 - margin, 30 - margin), (61 + margin, 36 + margin)
    pixels = np.array([(u0, v1), (u1, v1), (u1, v0), (u0, v0)])
    mesh = quad(seen_at(view, pixels, np.array([5.0, 6.0, 7.0, 5.5])))
    # Not flat: its outer edges still are straight lines between the corners' projections.
    picture = take(renderer, view, Placed(renderer.add(mesh, [WHITE]), 7))
    expected = np.zeros(view.size[::-1], np.uint16)
    expected[first[1] : last[1] + 1, first[0] : last[0] + 1] = 7
    np.testing.assert_array_equal(picture.owner, expected)


def test_the_nearer_owns_the_pixel_however_they_are_ordered(renderer: Renderer) -> None:
    low = Placed(renderer.add(level(0, 0, 0, 2), [WHITE]), 300)
    high = Placed(renderer.add(level(0, 0, 1, 1), [WHITE]), 65535)
    one, other = (take(renderer, from_above(), *both) for both in ((low, high), (high, low)))
    np.testing.assert_array_equal(one.owner, other.owner)
    assert one.owner[80, 100] == 65535
    assert one.owner[80, 100 + 35] == 300
    assert one.owner[80, 190] == 0
    assert set(np.unique(one.owner)) == {0, 300, 65535}


def test_scenery_owns_nothing_but_hides(renderer: Renderer) -> None:
    person = Placed(renderer.add(level(0, 0, 0, 2), [WHITE]), 5)
    roof = Placed(renderer.add(level(1, 0, 1, 1), [WHITE]))
    owner = take(renderer, from_above(), person, roof).owner
    assert owner[80, 110] == 0
    assert owner[80, 90] == 5


def test_cloth_ends_where_the_cut_is_zero(renderer: Renderer) -> None:
    corners = np.array([(-2, -2, 0), (2, -2, 0), (2, 2, 0), (-2, 2, 0)])
    mesh = quad(corners, cut=(-3, 1, 1, -3))  # zero at x = 1
    owner = take(renderer, from_above(), Placed(renderer.add(mesh, [WHITE]), 1)).owner
    columns = np.flatnonzero(owner[80])
    assert (columns[0], columns[-1]) == (60, 120)


def test_both_sides_of_cloth_are_seen_and_of_skin_the_outer(renderer: Renderer) -> None:
    back = quad(level(0, 0, 0, 2).positions[::-1])
    skin = Material((0.8, 0.6, 0.5), pattern=Pattern.SKIN)
    cloth, body = (Placed(renderer.add(back, [one]), 1) for one in (WHITE, skin))
    assert take(renderer, from_above(), cloth).owner[80, 100] == 1
    assert take(renderer, from_above(), body).owner[80, 100] == 0


def test_a_shadow_falls_where_the_sun_puts_it(renderer: Renderer) -> None:
    """Sun at 45 degrees in +x: a roof 2 m above the floor darkens it 2 m further to -x."""
    light = make_light(LightSettings(sun_azimuth_degrees=0, sun_elevation_degrees=45))
    floor = Placed(renderer.add(level(0, 0, 0, 5), [WHITE]))
    roof = Placed(renderer.add(level(2, 0, 2, 0.5), [BLACK]))
    grey = take(renderer, from_above(), floor, roof, light=light).image[..., 1].astype(float)
    lit = grey[80, 60]
    assert grey[80, 100] < 0.8 * lit
    shadow = np.flatnonzero(grey[80, 70:118] < 0.9 * lit) + 70
    assert shadow[0] == pytest.approx(100 - 10, abs=1)
    assert shadow[-1] == pytest.approx(100 + 10, abs=1)
    no_shadow = take(renderer, from_above(), floor, replace(roof, casts=False), light=light)
    assert no_shadow.image[80, 100, 1] == pytest.approx(lit, abs=6)


def test_the_floor_is_darker_below_what_stands_on_it(renderer: Renderer) -> None:
    overcast = replace(DAY, sun=(0, 0, 0))
    floor = Placed(renderer.add(level(0, 0, 0, 5), [WHITE]))
    box = Placed(renderer.add(level(0, 0, 0.1, 0.5), [WHITE]))
    row = take(renderer, from_above(), floor, box, light=overcast).image[80, :, 1].astype(int)
    assert row[112] < row[120] < row[150]


def test_lamps_fade_with_distance(renderer: Renderer) -> None:
    floor = Placed(renderer.add(level(0, 0, 0, 5), [WHITE]))
    row = take(renderer, from_above(), floor, light=LAMPLIT).image[80, :, 1].astype(int)
    assert row[100] > row[130] > row[170] > 0


def test_colour_is_bgr_and_gain_brightens(renderer: Renderer) -> None:
    red = Placed(renderer.add(level(0, 0, 0, 2), [Material((0.6, 0.2, 0.1))]))
    b, g, r = take(renderer, from_above(), red).image[80, 100].astype(int)
    assert b < g < r
    brighter = take(renderer, replace(from_above(), gain=(2, 2, 2)), red).image[80, 100]
    warmer = take(renderer, replace(from_above(), gain=(1, 1, 0.5)), red).image[80, 100]
    assert (brighter > (b, g, r)).all()
    assert warmer[0] < b and tuple(warmer[1:]) == (g, r)


def test_infrared_is_grey_and_knows_nothing_of_dyes(renderer: Renderer) -> None:
    def value(colour: tuple[float, float, float], reflectance: float, height: float = 0) -> int:
        material = Material(colour, infrared=reflectance)
        placed = Placed(renderer.add(level(0, 0, height, 2), [material]))
        view = replace(from_above(), infrared=True, gain=(1.2, 1, 0.7))
        image = take(renderer, view, placed, light=LAMPLIT).image
        assert (image == image[..., :1]).all()
        return int(image[80, 100, 0])

    assert value((0.1, 0.1, 0.1), 0.6) == value((0.7, 0.2, 0.1), 0.6)
    assert value((0.5, 0.5, 0.5), 0.2) < value((0.5, 0.5, 0.5), 0.6)
    assert value((0.5, 0.5, 0.5), 0.6) < value((0.5, 0.5, 0.5), 0.6, height=5)


@pytest.mark.parametrize("pattern", Pattern)
def test_patterns_calm_down_far_away(renderer: Renderer, pattern: Pattern) -> None:
    """Where repeats are finer than pixels, what is left is their mean: no moire."""
    second = Material((0.8, 0.8, 0.8), (0.1, 0.1, 0.1), pattern, scale_m=0.03)
    placed = Placed(renderer.add(level(0, 0, 0, 60), [second]))
    far = View(
        np.array([[80, 0, 40], [0, 80, 30], [0, 0, 1.0]]),
        np.diag([1.0, -1.0, -1.0]),
        np.array([0, 0, 80.0]),
        (80, 60),
    )
    assert np.std(take(renderer, far, placed).image[..., 1]) < 4


def test_what_has_moved_can_stand_as_added_again(renderer: Renderer) -> None:
    mesh = level(0, 0, 0, 1)
    model = renderer.add(mesh, [WHITE])
    still = take(renderer, from_above(), Placed(model, 1))
    moved = mesh.positions + np.array([3, 0, 0], np.float32)
    away = take(renderer, from_above(), Placed(model, 1, moved, mesh.normals))
    assert away.owner[80, 160] == 1 and away.owner[80, 100] == 0
    again = take(renderer, from_above(), Placed(model, 1))
    np.testing.assert_array_equal(again.image, still.image)


def a_scene(renderer: Renderer) -> Moment:
    materials = [
        Material((0.5, 0.4, 0.3), pattern=Pattern.TILES, scale_m=0.4, wear=0.5),
        Material((0.3, 0.4, 0.6), pattern=Pattern.CHECKS, folds=0.5),
    ]
    floor, cloth = level(0, 0, 0, 5), level(1, 1, 1.5, 1)
    return Moment(
        DAY,
        (Placed(renderer.add(floor, materials[:1])), Placed(renderer.add(cloth, materials[1:]), 4)),
    )


def test_a_picture_does_not_depend_on_what_else_is_drawn(renderer: Renderer) -> None:
    first, second = a_scene(renderer), a_scene(renderer)
    shots = [
        Shot(first, from_above()),
        Shot(first, slanted()),
        Shot(second, slanted()),
        Shot(second, replace(slanted(), infrared=True)),
        Shot(first, slanted()),
    ]
    together = renderer.draw(shots)
    with Renderer(1024) as other:
        fresh = a_scene(other)
        for shot, picture in zip(shots, together, strict=True):
            assert picture.image.shape == (*shot.view.size[::-1], 3)
            (alone,) = other.draw([Shot(fresh, shot.view)])
            np.testing.assert_array_equal(alone.image, picture.image)
            np.testing.assert_array_equal(alone.owner, picture.owner)


def in_threads(work: Callable[[int], None], count: int) -> None:
    threads = [Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_two_threads_have_a_renderer_each(renderer: Renderer) -> None:
    expected = renderer.draw([Shot(a_scene(renderer), slanted())])[0].image
    images: dict[int, list[np.ndarray]] = {0: [], 1: []}

    def work(number: int) -> None:
        with Renderer(1024) as own:
            scene = a_scene(own)
            images[number] = [own.draw([Shot(scene, slanted())])[0].image for _ in range(5)]

    in_threads(work, 2)
    assert [len(made) for made in images.values()] == [5, 5]
    for image in images[0] + images[1]:
        np.testing.assert_array_equal(image, expected)


def test_without_egl_one_line_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(**_: object) -> None:
        raise ImportError("libEGL.so not loaded")

    monkeypatch.setattr(moderngl, "create_context", missing)
    with pytest.raises(RenderingError, match="libegl1 libegl-mesa0 libgl1-mesa-dri") as raised:
        Renderer()
    assert isinstance(raised.value, UserError)
    assert "\n" not in str(raised.value)
    assert "libEGL.so not loaded" in str(raised.value)


def test_pictures_lie_side_by_side_without_touching() -> None:
    sizes = [(640, 360), (1280, 720), (640, 360), (128, 256), (WIDTH, 10)]
    corners, whole = lay_out(sizes)
    taken = np.zeros(whole[::-1], int)
    for (x, y), (width, height) in zip(corners, sizes, strict=True):
        assert x + width <= whole[0] and y + height <= whole[1]
        taken[y : y + height, x : x + width] += 1
    assert taken.max() == 1


def test_only_what_is_wholly_outside_is_left_out() -> None:
    box = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (0, 2)], float)
    matrix = picture_matrix(from_above())
    assert not is_out_of_view(matrix, box)
    assert not is_out_of_view(matrix, box + np.array((5.9, 0, 0)))  # its near edge is still seen
    assert is_out_of_view(matrix, box + np.array((9, 0, 0)))
    assert is_out_of_view(matrix, box + np.array((0, 0, 11)))  # behind the camera


def test_shadows_come_from_fewer_triangles_of_the_same_outline() -> None:
    steps = np.linspace(-0.5, 0.5, 101)
    x, y = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
    points = np.column_stack([x, y, np.ones_like(x)]).astype(np.float32)
    at = np.arange(101 * 101).reshape(101, 101)
    a, b, c, d = (at[i : i + 100, j : j + 100].ravel() for i, j in ((0, 0), (1, 0), (1, 1), (0, 1)))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)
    mesh = Mesh(points, points, points, x.astype(np.float32), at.ravel() * 0, faces)
    coarse = coarse_faces(mesh)
    assert len(coarse) < len(faces) / 10
    np.testing.assert_allclose(np.abs(points[coarse.ravel()]).max(axis=0), (0.5, 0.5, 1), atol=0.04)
    edges = np.diff(points[coarse][:, :, :2], axis=1)
    area = np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]).sum() / 2
    assert area == pytest.approx(1, rel=0.08)


def test_the_light_follows_the_sun_and_the_hour() -> None:
    settings = LightSettings(sun_azimuth_degrees=90, sun_elevation_degrees=30, lamps=((1, 2, 3),))
    day, night = make_light(settings), make_light(settings.model_copy(update={"time": "night"}))
    np.testing.assert_allclose(day.to_sun, (0, np.sqrt(0.75), 0.5), atol=1e-12)
    assert night.lamps == ((1, 2, 3),)
    assert sum(night.sun) < sum(day.sun) / 5
    assert sum(night.lamp) > sum(day.lamp)
