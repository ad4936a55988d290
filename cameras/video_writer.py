"""Writing annotated videos, each frame at its own time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, TracebackType

import av
from av.video.stream import VideoStream

from pipeline.errors import UserError
from pipeline.types import ImageArray

TIME_BASE = Fraction(1, 90_000)
CODEC = "libx264"
NO_B_FRAMES = {"bf": "0"}
"""No frames that refer to later ones, as in surveillance cameras. With them the encoder's weighing
of blocks over frames reads memory that was never written, and the same pictures give other bytes
(libx264 build 165 with AVX-512)."""
QUICK = MappingProxyType({"crf": "23", "preset": "veryfast"})
NOMINAL_RATE = 30
"""Only a hint to the encoder: every frame carries its own time."""


class VideoWriter:
    """An H.264 video in an MP4 file, written under a temporary name until it is complete.

    It leaves no file behind when it is left by an exception, and none when no frame was written.

    Args:
        path: The file to make.
        width: Of the frames, pixels; an odd last column is left out, as the codec wants.
        height: Of the frames, pixels; likewise.
        options: Of the encoder, in its own words.

    Raises:
        UserError: The file cannot be written; also while writing and at the end.
    """

    def __init__(
        self, path: Path, width: int, height: int, options: Mapping[str, str] = QUICK
    ) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        self._first_us: int | None = None
        self._last_pts = -1
        with self._errors_in_one_line():
            # libav opens the file only with the first packet.
            self._partial.open("wb").close()
            self._container = av.open(str(self._partial), "w")
        stream = self._container.add_stream(CODEC, rate=NOMINAL_RATE)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height = width - width % 2, height - height % 2
        stream.pix_fmt = "yuv420p"
        stream.time_base = TIME_BASE
        stream.codec_context.time_base = TIME_BASE
        stream.options = {**NO_B_FRAMES, **options}
        self._stream = stream

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None and self._first_us is not None:
                with self._errors_in_one_line():
                    self._complete()
        finally:
            with suppress(OSError):  # of what is thrown away
                self._container.close()
            self._partial.unlink(missing_ok=True)

    def write(self, image: ImageArray, timestamp_us: int) -> None:
        """Add a frame (H, W, 3) BGR; times must not decrease.

        A frame of another size than announced is scaled to it.
        """
        if self._first_us is None:
            self._first_us = timestamp_us
        height, width = image.shape[:2]
        visible = image[: height - height % 2, : width - width % 2]
        frame = av.VideoFrame.from_ndarray(visible, format="bgr24")
        seconds = Fraction(timestamp_us - self._first_us, 1_000_000)
        # Two frames at one time (clocks do that) are shown one tick apart.
        self._last_pts = max(round(seconds / TIME_BASE), self._last_pts + 1)
        frame.pts, frame.time_base = self._last_pts, TIME_BASE
        with self._errors_in_one_line():
            self._container.mux(self._stream.encode(frame))

    def _complete(self) -> None:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        self._partial.replace(self._path)

    @contextmanager
    def _errors_in_one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(f"{self._path}: cannot be written: {error.strerror}") from None
