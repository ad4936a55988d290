"""Folders of images."""

from fractions import Fraction

import cv2
import numpy as np
import pytest

from cameras.sources import open_frames
from pipeline.errors import SourceError


@pytest.fixture
def folder_of(tmp_path, number_picture):
    """A folder of images: each named file shows its position in the list."""

    def make(names):
        folder = tmp_path / "images"
        folder.mkdir()
        for number, name in enumerate(names):
            cv2.imwrite(str(folder / name), number_picture(number))
        return folder

    return make


def test_images_come_in_natural_order_numbered_from_0(folder_of, read_number, one_camera):
    names = ["a2.png", "a10.png", "a10b.png", "b1.jpg", "b01c.jpg", "img7.bmp", "IMG08.BMP"]
    names += ["img9.webp", "img10.tif", "img100.tiff", "z.jpeg"]
    folder = folder_of(names)
    (folder / "notes.txt").write_text("no image")
    (folder / "._a2.png").write_bytes(b"what macOS leaves beside files")
    (folder / "later.png").mkdir()
    source = open_frames(*one_camera(video=folder, frame_rate=10))
    assert source.expected_frames == len(names)
    frames = list(source)
    assert [read_number(frame.image) for frame in frames] == list(range(len(names)))
    assert [frame.index for frame in frames] == list(range(len(names)))
    assert [frame.timestamp_us for frame in frames] == [100_000 * k for k in range(len(names))]
    assert frames[0].image.shape == (96, 128, 3) and frames[0].image.dtype == np.uint8


def test_numbers_in_names_do_not_move_the_index(folder_of, one_camera):
    folder = folder_of([f"{number:06}.png" for number in (500, 501, 507)])
    frames = list(open_frames(*one_camera(video=folder, frame_rate=25)))
    assert [frame.index for frame in frames] == [0, 1, 2]


def test_times_are_rounded_once_and_sampled(folder_of, one_camera):
    folder = folder_of([f"{number}.png" for number in range(40)])
    keys = {"start": "1970-01-01T00:00:01Z", "time_offset_ms": 2.5, "frame_rate": 29.97}
    frames = list(open_frames(*one_camera(video=folder, **keys)))
    rate = Fraction(2997, 100)
    assert [f.timestamp_us for f in frames] == [
        1_002_500 + round(k * 10**6 / rate) for k in range(40)
    ]
    sampled = list(open_frames(*one_camera(video=folder, rate_hz=5, **keys)))
    assert [frame.index for frame in sampled] == [0, 6, 12, 18, 24, 30, 36]
    assert [f.timestamp_us for f in sampled] == [frames[f.index].timestamp_us for f in sampled]


def test_colours_depth_and_transparency_become_bgr(tmp_path, one_camera):
    folder = tmp_path / "images"
    folder.mkdir()
    blue = np.zeros((8, 8, 3), np.uint8)
    blue[..., 0] = 255
    cv2.imwrite(str(folder / "1.png"), blue)
    cv2.imwrite(str(folder / "2.png"), np.dstack([blue, np.full((8, 8), 9, np.uint8)]))
    cv2.imwrite(str(folder / "3.png"), np.full((8, 8), 128, np.uint8))
    cv2.imwrite(str(folder / "4.png"), blue.astype(np.uint16) * 257)
    images = [f.image for f in open_frames(*one_camera(video=folder, frame_rate=1))]
    assert [image.shape for image in images] == [(8, 8, 3)] * 4
    assert [tuple(image[0, 0]) for image in images] == [
        (255, 0, 0),
        (255, 0, 0),
        (128, 128, 128),
        (255, 0, 0),
    ]


def test_a_frame_rate_is_needed(folder_of, one_camera):
    folder = folder_of(["1.png"])
    with pytest.raises(SourceError, match=r"cameras\[0\]\.frame_rate") as error:
        open_frames(*one_camera(video=folder))
    assert str(error.value).startswith(f"{folder}: ")


def test_a_folder_without_images(tmp_path, one_camera):
    (tmp_path / "north.mp4").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"expected a folder of images \(\.bmp .*\), found none"):
        open_frames(*one_camera(video=tmp_path, frame_rate=25))


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_an_unreadable_image_is_named_after_those_before_it(folder_of, one_camera, content):
    folder = folder_of([f"{number}.png" for number in range(6)])
    (folder / "3.png").write_bytes(content)
    source = open_frames(*one_camera(video=folder, frame_rate=25))
    frames = []
    with pytest.raises(SourceError) as error:
        frames.extend(frame.index for frame in source if frames.append(frame.index))
    assert frames == [0, 1, 2]
    assert str(error.value).startswith(f"{folder / '3.png'}: expected an image")
    assert list(source) == []
