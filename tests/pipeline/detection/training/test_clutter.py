import numpy as np

from pipeline.detection.training.clutter import cluttered
from pipeline.detection.training.windows import Window

PERSON = np.array([[20.0, 20, 60, 110]])


def test_things_come_from_backgrounds_and_hide_nobody_much() -> None:
    """The window is grey, person and all; the other is red with a green person."""
    plain = Window(np.full((128, 128, 3), 120, np.uint8), PERSON)
    image = np.zeros((128, 128, 3), np.uint8)
    image[..., 2] = 200
    image[20:110, 20:60] = (0, 200, 0)
    other = Window(image, PERSON)
    changed = 0
    for seed in range(30):
        made = cluttered(np.random.default_rng(seed), plain, [other])
        np.testing.assert_array_equal(made.boxes, PERSON)
        differs = (made.image != 120).any(axis=2)
        changed += bool(differs.any())
        assert not (made.image[..., 1][differs] > 120).any()
    assert changed > 25
    assert (plain.image == 120).all()


def test_where_everybody_stands_there_are_no_things() -> None:
    crowd = Window(np.full((64, 64, 3), 120, np.uint8), np.array([[0.0, 0, 64, 64]]))
    made = cluttered(np.random.default_rng(0), crowd, [crowd])
    np.testing.assert_array_equal(made.image, crowd.image)
