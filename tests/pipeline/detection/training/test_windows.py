from pathlib import Path

import numpy as np
import pytest

from pipeline.detection.training.degradation import degraded
from pipeline.detection.training.windows import (
    GREY,
    Window,
    cut_window,
    cut_windows,
    read_windows,
    write_windows,
)


def test_a_window_by_hand() -> None:
    """Of 100 x 60 the window from (10, 20) on, twice as large: 40 x 40 become 80 x 80.

    The first box lies inside; of the second a fifth is in the window, of the third a half; the
    fourth is 2 pixels wide.
    """
    image = np.zeros((60, 100, 3), np.uint8)
    image[30:50, 20:30] = 255
    boxes = np.array(
        [[20.0, 30, 30, 50], [2, 20, 12, 40], [0, 25, 20, 45], [40, 30, 41, 50]], np.float64
    )
    window = cut_window(image, boxes, 80, np.array((10.0, 20.0)), 2.0)
    np.testing.assert_allclose(window.boxes, [[20, 20, 40, 60], [0, 10, 20, 50]])
    assert window.image.shape == (80, 80, 3)
    bright = np.argwhere(window.image[..., 0] > 200)
    np.testing.assert_allclose(bright.min(axis=0), (20, 20), atol=1)
    np.testing.assert_allclose(bright.max(axis=0), (59, 39), atol=1)


def test_beyond_the_picture_it_is_grey() -> None:
    image = np.zeros((50, 100, 3), np.uint8)
    window = cut_window(image, np.empty((0, 4)), 64, np.array((0.0, -25.0)), 0.64)
    assert (window.image[[0, -1]] == GREY).all()
    assert (window.image[32] == 0).all()


@pytest.mark.parametrize("people", [[[300.0, 100, 340, 220], [10, 10, 30, 90]], []])
def test_windows_show_people_of_many_heights(people: list[list[float]]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    boxes = np.array(people).reshape(-1, 4)
    windows = list(cut_windows(np.random.default_rng(1), image, boxes, 96, 60))
    seen = np.vstack([one.boxes for one in windows])
    assert ((seen >= 0) & (seen <= 96)).all()
    heights = seen[:, 3] - seen[:, 1]
    if people:
        assert heights.min() < 30
        assert heights.max() == 96
    again = list(cut_windows(np.random.default_rng(1), image, boxes, 96, 60))
    np.testing.assert_array_equal(windows[-1].image, again[-1].image)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    image = np.full((64, 64, 3), 90, np.uint8)
    boxes = np.array([[1.5, 2, 30, 60], [10, 10, 20, 40]])
    write_windows(
        [Window(image, boxes), Window(image, boxes[:0])], tmp_path, np.random.default_rng(0)
    )
    first, second = read_windows(tmp_path)
    np.testing.assert_allclose(first.boxes, boxes, atol=1e-3)
    np.testing.assert_allclose(first.image, image, atol=3)
    assert second.boxes.shape == (0, 4)
    row = (tmp_path / "labels" / "0000.txt").read_text().splitlines()[1].split()
    assert row == ["0", "0.234375", "0.390625", "0.156250", "0.468750"]


def test_degraded_pictures_differ_and_stay_pictures() -> None:
    image = np.random.default_rng(0).integers(0, 255, (48, 48, 3), np.uint8)
    made = [degraded(np.random.default_rng(seed), image) for seed in range(40)]
    assert all(one.shape == image.shape and one.dtype == np.uint8 for one in made)
    assert len({one.tobytes() for one in made}) > 30
    np.testing.assert_array_equal(made[3], degraded(np.random.default_rng(3), image))
