"""Letterboxing keeps a frame's shape and can be undone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detection.letterbox import PADDING_GREY, Letterbox

SIZES = [
    # frame height, width, image size, expected input height, width
    (1080, 1920, 640, 384, 640),  # 16:9
    (240, 320, 640, 480, 640),  # 4:3, enlarged
    (1920, 1088, 640, 640, 384),  # portrait
    (640, 640, 640, 640, 640),
    (720, 1280, 320, 192, 320),
    (100, 3000, 640, 32, 640),  # a strip: 21 rows, padded to the stride
]


@pytest.mark.parametrize(("height", "width", "size", "input_height", "input_width"), SIZES)
def test_input_is_the_least_multiple_of_the_stride(
    height: int, width: int, size: int, input_height: int, input_width: int
) -> None:
    letterbox = Letterbox.of(height, width, size)
    assert (letterbox.height, letterbox.width) == (input_height, input_width)


def test_frame_lies_in_the_middle_of_grey() -> None:
    letterbox = Letterbox.of(1080, 1920, 640)  # 360 rows of 384: 12 above, 12 below
    picture = letterbox.apply(np.full((1080, 1920, 3), 200, np.uint8))
    assert picture.shape == (384, 640, 3)
    assert (picture[:12] == PADDING_GREY).all()
    assert (picture[12:372] == 200).all()
    assert (picture[372:] == PADDING_GREY).all()


@given(
    height=st.integers(16, 3000),
    width=st.integers(16, 3000),
    size=st.sampled_from([320, 640, 1280]),
    corner=st.tuples(st.floats(0, 0.9), st.floats(0, 0.9)),
)
def test_undo_brings_boxes_back(
    height: int, width: int, size: int, corner: tuple[float, float]
) -> None:
    letterbox = Letterbox.of(height, width, size)
    x, y = corner[0] * width, corner[1] * height
    box = np.array([[x, y, (x + width) / 2, (y + height) / 2]])
    seen = box * letterbox.scale + [letterbox.left, letterbox.top] * 2
    np.testing.assert_allclose(letterbox.undo(seen, height, width), box, atol=1e-6)


def test_undo_clips_to_the_frame() -> None:
    letterbox = Letterbox.of(1080, 1920, 640)
    boxes = letterbox.undo(np.array([[-50.0, -50.0, 700.0, 400.0]]), 1080, 1920)
    np.testing.assert_array_equal(boxes, [[0, 0, 1920, 1080]])
