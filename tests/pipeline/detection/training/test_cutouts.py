import numpy as np

from pipeline.detection.training.cutouts import cut_out, empty_scene, paste
from pipeline.detection.training.windows import Window
from pipeline.types import ImageArray

SCENE = np.full((120, 200, 3), 220, np.uint8)
BOX = np.array([50.0, 30, 80, 110])


def scene_with_a_person(left: int = 55) -> ImageArray:
    """Dark clothes, with a strip as light as the wall in their middle, and a faint shadow."""
    image = SCENE.copy()
    image[100:108, left - 4 : left + 24] = 205
    image[35:105, left : left + 20] = 60
    image[60:63, left : left + 20] = 215
    return image


def test_the_empty_scene_is_the_median() -> None:
    frames = [scene_with_a_person(left) for left in (10, 60, 110, 160)]
    np.testing.assert_array_equal(empty_scene([*frames, SCENE]), SCENE)


def test_a_person_is_cut_out_whole_and_without_its_shadow() -> None:
    (person,) = cut_out(scene_with_a_person(), SCENE, BOX[None])
    mask = person[..., 3] > 127
    assert person.shape == (80, 30, 4)
    assert mask[10:70, 8:22].all()
    assert not mask[:, :4].any()
    assert not mask[77:].any()


def test_whoever_is_not_alone_or_not_moving_is_left() -> None:
    frame = scene_with_a_person()
    assert cut_out(frame, SCENE, np.array([BOX, BOX + 10])) == []
    assert cut_out(frame, frame, BOX[None]) == []
    assert cut_out(frame, SCENE, np.array([[0.0, 30, 80, 110]])) == []


def test_pasted_people_have_boxes_and_hide_nobody() -> None:
    person = np.zeros((80, 30, 4), np.uint8)
    person[..., 3] = 255
    there = np.array([[20.0, 20, 60, 90]])
    empty = Window(np.full((128, 128, 3), 200, np.uint8), there)
    for seed in range(20):
        made = paste(np.random.default_rng(seed), empty, [person])
        np.testing.assert_array_equal(made.boxes[0], there[0])
        covered = (made.image[20:90, 20:60] != 200).any(axis=2).mean()
        assert covered <= 0.35 * (len(made.boxes) - 1) + 0.02
        for left, top, right, bottom in np.rint(made.boxes[1:]).astype(int).tolist():
            assert (made.image[top:bottom, left:right] < 190).all()
    assert (empty.image == 200).all()
