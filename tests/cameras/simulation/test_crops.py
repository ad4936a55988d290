from collections.abc import Iterator

import numpy as np
import pytest

from cameras.simulation.cast import ALIKE, Cast
from cameras.simulation.crops import OTHERS, ClipStudio, TrainingClip
from cameras.simulation.passages import HEIGHTS_PX, STATURE_M, Stage, make_stage, walk_by
from cameras.simulation.random_sites import is_free
from cameras.simulation.renderer import Renderer
from cameras.simulation.sensor import Sensor

SEED = 4


@pytest.fixture(scope="module")
def studio() -> Iterator[ClipStudio]:
    with ClipStudio(SEED, frames=3) as studio:
        yield studio


@pytest.fixture(scope="module")
def clip(studio: ClipStudio) -> TrainingClip:
    return studio.clip(2, 1)


@pytest.fixture(scope="module")
def stage() -> Stage:
    return make_stage((SEED, 0))


def test_a_clip_shows_its_person(clip: TrainingClip) -> None:
    assert clip.crops.shape == (3, 256, 128, 3)
    assert clip.crops.dtype == np.uint8
    assert clip.masks.shape == (3, 256, 128)
    assert (clip.masks.mean(axis=(1, 2)) > 0.1).all()
    assert clip.crops.std() > 10
    # Boxes are cut around the person: its pixels lie in the middle, not at the corners.
    assert clip.masks[:, 64:192, 32:96].mean() > 2 * clip.masks[:, :32, :16].mean()


def test_a_clip_depends_on_its_numbers_alone(studio: ClipStudio, clip: TrainingClip) -> None:
    with ClipStudio(SEED, frames=3, people_kept=1, cameras_kept=1) as other:
        other.clip(0, 0)
        again = other.clip(2, 1)
    np.testing.assert_array_equal(again.crops, clip.crops)
    np.testing.assert_array_equal(again.masks, clip.masks)
    for identity, camera, passage in ((3, 1, 0), (2, 0, 0), (2, 1, 1)):
        assert np.abs(studio.clip(identity, camera, passage).crops - clip.crops).mean() > 5


def test_people_walk_over_free_floor_in_sight_of_the_camera(stage: Stage) -> None:
    for number in range(20):
        walk = walk_by(np.random.default_rng(number), stage, 5)[0]
        points = np.array([moment.position for moment in walk.moments])
        # Between two tenths of a second one may have come a hand's breadth nearer.
        assert stage.is_good(points).mean() >= 0.6
        assert is_free(stage.site, stage.blocks, points[2:3]).all()
        foot = np.column_stack([points, np.zeros(5)])
        head = np.column_stack([points, np.full(5, STATURE_M)])
        tall = stage.camera.project(foot)[0] - stage.camera.project(head)[0]
        assert (tall[:, 1] > 0.9 * HEIGHTS_PX[0]).all()
        assert (np.diff(walk.seconds) >= 0).all()


def test_a_passage_goes_straight_at_the_speed_of_its_steps(stage: Stage) -> None:
    """Feet that slide would show in the walk cycle: metres of the cycle are metres on the floor."""
    for number in range(20):
        walk = walk_by(np.random.default_rng(number), stage, 8)[0]
        points = np.array([moment.position for moment in walk.moments])
        gone = np.linalg.norm(np.diff(points, axis=0), axis=1)
        np.testing.assert_allclose(gone, np.diff(walk.metres), rtol=0.02, atol=1e-3)


def test_a_sensor_treats_a_part_as_it_treats_the_whole(stage: Stage) -> None:
    site = stage.site
    sensor = Sensor(site.cameras[0], site.light, SEED)
    width, height = site.cameras[0].image_size
    whole = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    part = sensor(whole[100:220, 300:380], 7, (300, 100))
    # Blur reaches over the edge of a part, not farther in.
    np.testing.assert_array_equal(part[16:-16, 16:-16], sensor(whole, 7)[116:204, 316:364])


def test_uniforms_are_shared_by_neighbours_and_nobody_else() -> None:
    with Renderer(64) as renderer:
        cast = Cast(renderer, SEED, alike=1.0, kept=1)
        looks = [cast.look(identity) for identity in range(2 * ALIKE)]
        plain = Cast(renderer, SEED, alike=0.0, kept=1).look(0)
    first, second = looks[:ALIKE], looks[ALIKE:]
    assert all(look.garments == first[0].garments for look in first)
    assert first[0].garments != second[0].garments
    assert len({look.body for look in looks}) == 2 * ALIKE
    assert plain not in looks


def test_passers_by_are_no_identities(studio: ClipStudio) -> None:
    with pytest.raises(ValueError, match="identity"):
        studio.clip(OTHERS, 0)
