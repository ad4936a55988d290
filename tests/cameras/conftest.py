"""Real videos whose pictures tell their own number, and sites of one camera to read them."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from pipeline.config import Camera, Site

Image = npt.NDArray[np.uint8]

BITS = 16
COLUMNS = 4
DARK, BRIGHT = 50, 200


def picture_of(number: int, size: tuple[int, int] = (128, 96)) -> Image:
    """A picture (H, W, 3) BGR that shows a number: 4 x 4 grey blocks, the lowest bit top left.

    A faint pattern moves over it, so that a picture decoded with wrong references differs.
    """
    width, height = size
    y, x = np.mgrid[:height, :width]
    bit = y * COLUMNS // height * COLUMNS + x * COLUMNS // width
    grey = np.where(number >> bit & 1, BRIGHT, DARK)
    pattern = ((x + 3 * number) // 5 + (y + 2 * number) // 7) % 3 * 12
    return np.repeat((grey + pattern).astype(np.uint8)[..., None], 3, axis=2)


def number_in(image: Image) -> int:
    """The number that `picture_of` drew, read from the middle of each block."""
    rows, columns = (
        [slice(length * (2 * k + 1) // 8 - 2, length * (2 * k + 1) // 8 + 3) for k in range(4)]
        for length in image.shape[:2]
    )
    bright = [image[row, column].mean() > 140 for row in rows for column in columns]
    return sum(1 << bit for bit in range(BITS) if bright[bit])


def write_video(
    path: Path,
    frames: int | Sequence[int],
    *,
    rate: int = 25,
    codec: str = "libx264",
    gop: int = 12,
    b_frames: int = 0,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (128, 96),
    options: dict[str, str] | None = None,
    container: str | None = None,
    container_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    sound_seconds: float = 0,
) -> Path:
    """Write a video of numbered pictures.

    Args:
        path: Where to; its suffix tells the container unless `container` does.
        frames: How many pictures, numbered from 0, or their numbers.
        rate: Pictures a second.
        codec: Name of libav's encoder.
        gop: Pictures from one key frame to the next.
        b_frames: How many may follow each other that refer to later pictures.
        pts: Presentation time of each picture in ticks of `time_base`; default: 0, 1, 2 ...
        time_base: Seconds a tick; default: 1 / rate.
        pixel_format: As libav names it.
        size: Width and height, pixels.
        options: Of the encoder.
        container: Its format, as libav names it.
        container_options: Of the muxer.
        metadata: Of the container.
        sound_seconds: Length of a silent sound track beside the video.
    """
    numbers = range(frames) if isinstance(frames, int) else frames
    tick = time_base or Fraction(1, rate)
    with av.open(str(path), "w", format=container, options=container_options or {}) as output:
        output.metadata.update(metadata or {})
        stream = output.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        context = stream.codec_context
        context.gop_size, context.max_b_frames, context.time_base = gop, b_frames, tick
        context.options = options or {}
        sound = output.add_stream("aac", rate=48000) if sound_seconds else None
        for position, number in enumerate(numbers):
            frame = av.VideoFrame.from_ndarray(picture_of(number, size), format="bgr24")
            frame.pts, frame.time_base = pts[position] if pts else position, tick
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
        if sound is not None:
            for number in range(int(sound_seconds * 48000) // 1024):
                samples = np.zeros((2, 1024), np.float32)
                silence = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
                silence.sample_rate, silence.pts = 48000, number * 1024
                output.mux(sound.encode(silence))
            output.mux(sound.encode(None))
    return path


@pytest.fixture(scope="session")
def make_video() -> Callable[..., Path]:
    """`write_video`: makes a real video whose pictures tell their own number."""
    return write_video


@pytest.fixture(scope="session")
def number_picture() -> Callable[..., Image]:
    """`picture_of`: the picture that shows a number."""
    return picture_of


@pytest.fixture(scope="session")
def read_number() -> Callable[[Image], int]:
    """`number_in`: the number that a picture shows."""
    return number_in


@pytest.fixture(scope="session")
def one_camera() -> Callable[..., tuple[Camera, Site]]:
    """Makes a site of one camera, named `north`, that starts in 1970 unless told otherwise.

    Called with the camera's keys, and `rate_hz` and `site_start` of the site.
    """

    def make(
        *, rate_hz: float | None = None, site_start: str | None = "1970-01-01T00:00:00Z", **camera
    ) -> tuple[Camera, Site]:
        tree = {
            "site": "plaza",
            "start": site_start,
            "cameras": [{"id": "north", **{key: _plain(value) for key, value in camera.items()}}],
            "detection": {"rate_hz": rate_hz},
        }
        site = Site.model_validate(tree)
        return site.cameras[0], site

    return make


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Path) else value
