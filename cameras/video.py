"""Video files, read through PyAV."""

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cameras.clock import MICROSECONDS, SamplingGrid, exact, start_us
from cameras.decoding import DamagedVideoError, PictureDecoder
from cameras.hardware import accelerator
from cameras.onepass import OnePass
from cameras.packets import PacketReader
from cameras.timeline import Place, Timeline
from pipeline.config import Site, VideoCamera
from pipeline.errors import SourceError
from pipeline.types import Frame, ImageArray

DECODER_THREADS = 2
"""Cameras are decoded beside each other, each in its own thread; more threads a camera would only
compete."""


def open_video(camera: VideoCamera, site: Site) -> OnePass[Frame]:
    """The frames of a video file, upright, at the site's sampling rate.

    The best video stream is taken (the default one, then the largest); sound, and pictures
    attached as covers, are left aside. The video begins at its first key frame.

    Raises:
        SettingsError: Hardware that is to decode it is not here.
        SourceError: The file cannot be read or holds no video. While iterating: no picture can be
            decoded, or the file is damaged or cut off; every sound frame before has been delivered.
    """
    video = _Video(camera, site)
    return OnePass(camera.id, video.expected_frames(), video.frames(), video.container.close)


class _Video:
    """An open video file."""

    def __init__(self, camera: VideoCamera, site: Site) -> None:
        self._camera_id = camera.id
        self._path = camera.video
        self.container = _open(Path(camera.video), accelerator(camera))
        try:
            self._stream = _best_stream(self.container, camera.video)
        except SourceError:
            self.container.close()
            raise
        stream = self._stream
        self._packets = PacketReader(self.container, stream, camera)
        time_base, rate_hz = self._packets.time_base, site.detection.rate_hz
        self._timeline = Timeline(
            start_us(camera, site, _creation_time(self.container, stream)),
            time_base,
            1 / (self._packets.frame_rate * time_base),
            SamplingGrid(rate_hz),
        )
        self._interval = self._packets.frame_rate / exact(rate_hz) if rate_hz else Fraction(1)

    def expected_frames(self) -> int | None:
        """The number of frames by the container's header; None where it does not say."""
        return self._packets.announced_frames or None

    def frames(self) -> Generator[Frame, None, None]:
        decoder = self._stream.codec_context
        # Threads within a picture, not one a picture: the latter report damage late, with sound
        # pictures lost, and what they make of damaged ones depends on timing.
        decoder.thread_type = "SLICE"
        decoder.thread_count = DECODER_THREADS
        packets = self._packets
        pictures = PictureDecoder(
            decoder, self._timeline, has_pts=packets.has_pts, last_pts=lambda: packets.last_pts
        )
        last = Place(-1, self._timeline.last_us, False)
        try:
            for picture in pictures.sampled(packets, self._interval):
                last = picture.place
                image = _upright(picture.frame)
                yield Frame(self._camera_id, last.index, last.timestamp_us, image)
        except DamagedVideoError as damage:
            # Sampling plans ahead of decoding: the timeline is further than the damage.
            raise self._error(f"damaged ({damage})", last.index + 1, last.timestamp_us) from None
        if packets.damage:
            raise self._error(packets.damage, self._timeline.count, self._timeline.last_us)
        if self._timeline.count == 0:
            raise SourceError(f"{self._path}: expected a video, got no frame that can be decoded")

    def _error(self, what: str, count: int, last_us: int) -> SourceError:
        expected = self.expected_frames()
        of_all = f" of {expected}" if expected else ""
        seconds = (last_us - self._timeline.start_us) / MICROSECONDS
        return SourceError(
            f"{self._path}: {what}: expected a whole video,"
            f" could read {count}{of_all} frames, up to {seconds:.3f} s"
        )


def _open(path: Path, hwaccel: HWAccel | None) -> InputContainer:
    try:
        if path.stat().st_size == 0:
            raise SourceError(f"{path}: expected a video, got an empty file")
        # Only this file: a playlist must not make us read others or the network.
        options = {"protocol_whitelist": "file"}
        return av.open(f"file:{path}", options=options, metadata_errors="replace", hwaccel=hwaccel)
    except (av.InvalidDataError, av.EOFError):
        raise SourceError(
            f"{path}: expected a video, got something else, or one cut off before its index"
        ) from None
    except (OSError, av.FFmpegError) as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None


def _best_stream(container: InputContainer, path: str) -> VideoStream:
    """The stream to look at: the default one, of several the one with the most pixels."""
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        kinds = sorted({stream.type for stream in container.streams if stream.type != "video"})
        found = f"only {' and '.join(kinds)}" if kinds else "no stream"
        raise SourceError(f"{path}: expected a video, got {found}")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise SourceError(f"{path}: expected a video that can be decoded, got an unknown codec")
    return max(
        known,
        key=lambda s: (bool(s.disposition & Disposition.default), s.width * s.height, -s.index),
    )


def _creation_time(container: InputContainer, stream: VideoStream) -> str:
    for metadata in (container.metadata, stream.metadata):
        if "creation_time" in metadata:
            return str(metadata["creation_time"])
    return ""


def _upright(frame: VideoFrame) -> ImageArray:
    """The pixels (H, W, 3) BGR, turned and mirrored as the display matrix says.

    The matrix maps stored to shown pixels: x' = a x + c y, y' = b x + d y with a, b, c, d its
    first, second, fourth and fifth numbers; turns by other than quarters are not undone.
    """
    image = frame.to_ndarray(format="bgr24", threads=1)
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is not None:
        a, b, _, c, d = np.frombuffer(cast("bytes", matrix), np.int32)[:5].tolist()
        if abs(b) > abs(a):
            image = image.transpose(1, 0, 2)
            a, d = c, b
        image = image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
    return np.ascontiguousarray(image, np.uint8)
