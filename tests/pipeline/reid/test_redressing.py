"""People in clothes of other colours: garments change, all else stays."""

import numpy as np

from pipeline.reid.redressing import redressed
from pipeline.types import ImageArray

BACKGROUND, SHIRT, TROUSERS = 250, 40, 90


def somebody() -> ImageArray:
    """Three crops (128, 64) of a dark shirt over grey trousers before a white wall."""
    crops = np.full((3, 128, 64, 3), BACKGROUND, np.uint8)
    crops[:, 20:62, 18:46] = SHIRT
    crops[:, 62:120, 22:42] = TROUSERS
    return crops


def test_garments_change_and_the_wall_does_not() -> None:
    people = redressed(np.random.default_rng(0), [somebody()], 20)
    assert all(one.shape == (3, 128, 64, 3) and one.dtype == np.uint8 for one in people)
    walls = np.stack([one[:, :, :8] for one in people])
    assert abs(walls.astype(int) - BACKGROUND).max() <= 2
    shirts, trousers = (
        np.stack([one[0, row, 32] for one in people]).astype(int) for row in (40, 90)
    )
    assert len(np.unique(shirts, axis=0)) > 12 and len(np.unique(trousers, axis=0)) > 12
    assert not np.array_equal(shirts, trousers)


def test_a_person_wears_the_same_in_all_crops() -> None:
    crops = somebody()
    crops[1] = (crops[1] * 0.8).astype(np.uint8)  # in the shade
    for one in redressed(np.random.default_rng(1), [crops], 10):
        lit, shaded, again = one[:, 40, 32].astype(int)
        assert np.array_equal(lit, again)
        assert abs(lit - shaded).max() <= 0.2 * SHIRT + 1


def test_the_same_chances_give_the_same_people() -> None:
    first, second = (redressed(np.random.default_rng(2), [somebody()], 3) for _ in range(2))
    assert all(np.array_equal(*pair) for pair in zip(first, second, strict=True))
