"""Writing annotated videos, each frame at its own time."""

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import av
from av.video.stream import VideoStream

from pipeline.errors import UserError
from pipeline.types import ImageArray

TIME_BASE = Fraction(1, 90_000)
CODEC = "libx264"
RATE_FACTOR = "23"
NOMINAL_RATE = 30
"""Only a hint to the encoder: every frame carries its own time."""


class VideoWriter:
    """An H.264 video in an MP4 file, written under a temporary name until it is complete.

    Args:
        path: The file to make.
        width: Of the frames, pixels; an odd last column is left out, as the codec wants.
        height: Of the frames, pixels; likewise.

    Raises:
        UserError: The file cannot be written.
    """

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._first_us: int | None = None
        self._last_pts = -1
        try:
            self._container = av.open(str(self._partial), "w")
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None
        stream = self._container.add_stream(CODEC, rate=NOMINAL_RATE)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = width - width % 2, height - height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = TIME_BASE
        stream.codec_context.time_base = TIME_BASE
        stream.options = {"crf": RATE_FACTOR, "preset": "veryfast"}
        self._stream = stream

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._container.mux(self._stream.encode(None))
        self._container.close()
        if error is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)

    def write(self, image: ImageArray, timestamp_us: int) -> None:
        """Add a frame (H, W, 3) BGR; times must not decrease."""
        if self._first_us is None:
            self._first_us = timestamp_us
        visible = image[: self._stream.height, : self._stream.width]
        frame = av.VideoFrame.from_ndarray(visible, format="bgr24")
        seconds = Fraction(timestamp_us - self._first_us, 1_000_000)
        # Two frames at one time (clocks do that) are shown one tick apart.
        self._last_pts = max(round(seconds / TIME_BASE), self._last_pts + 1)
        frame.pts, frame.time_base = self._last_pts, TIME_BASE
        self._container.mux(self._stream.encode(frame))
