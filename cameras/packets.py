"""The packets of a video stream, and whether they are all that its file announces."""

import logging
import math
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from cameras.decoding import VideoPacket
from pipeline.config import VideoCamera

NOMINAL_RATE = Fraction(25)
"""Only where a stream tells neither times nor a rate; what libav assumes too."""

FORMATS_THAT_ANNOUNCE = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "flv", "asf")
"""Their headers say how much follows. Elsewhere libav works the length out from what is there."""

FORMATS_WITHOUT_PTS = ("avi",)
"""libav makes presentation times up for them, in the order of decoding: right only where that is
the order of presentation."""

NO_TIMESTAMPS = 0x80  # libav's AVFMT_NOTIMESTAMPS: elementary streams

FEW_FRAMES = 2
"""Headers count a frame or two wrong."""

REORDERED_PICTURES = 32
"""No codec shows a picture this many packets after the one that holds it."""

logger = logging.getLogger(__name__)


class PacketReader:
    """The packets of a stream from its first key frame on, until the file ends or is damaged.

    Attributes:
        time_base: Seconds a tick of their times.
        frame_rate: Pictures a second by the header.
        has_pts: Whether their presentation times can be relied on.
        announced_frames: Pictures by the header; 0 where it does not say.
        damage: Why reading ended early, in words; empty where the file was read to its end.
        last_pts: Presentation time after which pictures that were read may follow one that was
            not, so that their numbers are unknown; infinite for none.
    """

    def __init__(self, container: InputContainer, stream: VideoStream, camera: VideoCamera) -> None:
        name = container.format.name
        self._container = container
        self._stream = stream
        # A transport stream's packets are also marked where recordings were joined.
        self._trusts_marks = name != "mpegts"
        self.time_base = stream.time_base or Fraction(1, av.time_base)
        self.frame_rate = Fraction(stream.average_rate or stream.guessed_rate or NOMINAL_RATE)
        self.has_pts = name not in FORMATS_WITHOUT_PTS or stream.codec_context.codec.intra_only
        self._counted_frames = stream.frames if name in FORMATS_THAT_ANNOUNCE else 0
        self._seconds = self._length() if name in FORMATS_THAT_ANNOUNCE else Fraction(0)
        self.announced_frames = self._counted_frames or round(self._seconds * self.frame_rate)
        self.damage = ""
        self.last_pts = math.inf
        self._count = self._first = self._end = self._longest = 0
        self._decoding_time: int | None = None
        self._recent: deque[int] = deque(maxlen=REORDERED_PICTURES)
        if container.format.flags & NO_TIMESTAMPS:
            logger.warning(
                "%s: %s has no times: frames are taken to come at %s a second",
                camera.video,
                name,
                self.frame_rate,
                extra={"camera": camera.id},
            )

    def __iter__(self) -> Iterator[VideoPacket]:
        has_key = False
        try:
            for packet in self._container.demux(self._stream):
                if packet.size == 0:  # the mark of the end, or a picture that is shown on
                    continue
                if packet.is_corrupt and self._trusts_marks:
                    self.damage = "cut off or damaged"
                    break
                self._measure(packet)
                has_key = has_key or packet.is_keyframe
                if has_key:
                    yield packet
        except av.FFmpegError as error:
            self.damage = f"damaged ({error.strerror})"
        self._conclude()

    def _measure(self, packet: VideoPacket) -> None:
        self._count += 1
        shown = packet.pts if packet.pts is not None else packet.dts
        if shown is not None:
            self._first = min(self._first, shown)
            self._end = max(self._end, shown + (packet.duration or 0))
            self._recent.append(shown)
        if packet.dts is not None and self._decoding_time is not None:
            self._longest = max(self._longest, packet.dts - self._decoding_time)
        self._decoding_time = packet.dts

    def _conclude(self) -> None:
        if not self.damage and self._is_short():
            self.damage = "cut off"
        if self.damage and self.has_pts and self._decoding_time is not None:
            self.last_pts = self._last_before_gap(self._decoding_time)

    def _is_short(self) -> bool:
        """Whether less was read than the header announces, both in frames and in time.

        Either is enough: the last frame of a video may be shown for any time, and an index may
        count frames that are not there.
        """
        has_frames = 0 < self._counted_frames <= self._count + FEW_FRAMES
        spare = (FEW_FRAMES + 1) * self._longest  # one more: how long the last lasts may be unknown
        has_time = 0 < self._seconds <= (self._end - self._first + spare) * self.time_base
        return self.announced_frames > 0 and not (has_frames or has_time)

    def _last_before_gap(self, decoding_time: int) -> float:
        """Presentation time of the last picture before the first that is missing.

        What was not read would have been decoded, and so shown, later than `decoding_time`: of the
        pictures after that, those behind a gap are taken to follow a missing one.
        """
        spacing = 1 / (self.frame_rate * self.time_base)
        late = sorted(pts for pts in self._recent if pts >= decoding_time)
        gaps = (one for one, other in pairwise(late) if other - one > spacing * Fraction(3, 2))
        return next(gaps, math.inf)

    def _length(self) -> Fraction:
        """Seconds of the video stream by the header; 0 where it does not say."""
        stream, container = self._stream, self._container
        # The index counts more than the duration where libav sees that an AVI has been cut off.
        by_index = Fraction(stream.frames) / self.frame_rate
        if stream.duration:
            return max(stream.duration * self.time_base, by_index)
        if "DURATION" in stream.metadata:  # Matroska: of this stream
            return max(_clock_seconds(stream.metadata["DURATION"]), by_index)
        if len(container.streams) == 1 and container.duration:  # sound may last longer
            return max(Fraction(container.duration, av.time_base), by_index)
        return by_index


def _clock_seconds(text: str) -> Fraction:
    """Seconds of `00:00:04.040000000`; 0 where the text is no such time."""
    try:
        hours, minutes, seconds = text.strip().split(":")
        return Fraction(int(hours) * 3600 + int(minutes) * 60) + Fraction(seconds)
    except ValueError:
        return Fraction(0)
