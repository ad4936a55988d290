"""One connection to a live camera, read in a thread of its own that may be abandoned.

libav's reads may block for longer than any of its timeouts says; who waits for pictures must not
wait for this thread. It ends by itself as soon as libav lets it.
"""

import errno
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from cameras.decoding import VideoPacket
from cameras.hardware import accelerator, decoding_of
from cameras.live_clock import LiveClock, SteadyClock
from cameras.packets import NO_TIMESTAMPS
from pipeline.config import SOFTWARE, VideoCamera
from pipeline.errors import SourceError, UserError

BEHIND_US = 1_000_000
"""Packets that come later than this after the fastest are a backlog: they are not shown."""
BEHIND_SECONDS = 3.0
"""A backlog that lasts longer is left for a new connection, which begins with what is new."""
LONGEST_GROUP = 600
"""Packets kept of a group of pictures while it is behind."""
LONGEST_WAIT_SECONDS = 5.0
"""Times that are further ahead are a new beginning."""
OPEN_SECONDS = 10.0
READ_SECONDS = 10.0
PROTOCOLS = "rtsp,rtsps,rtp,rtmp,rtmps,srt,udp,tcp,tls,http,https,hls,crypto,httpproxy"
"""Not files: a playlist must not make us read this machine's."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, not yet converted: most are never looked at.

    Attributes:
        frame: The picture.
        timestamp_us: When it was taken, microseconds UTC.
    """

    frame: VideoFrame
    timestamp_us: int


@dataclass(slots=True)
class StreamFacts:
    """What a connection has learned of its stream; empty and 0 until then."""

    codec: str = ""
    width: int = 0
    height: int = 0
    rate: float = 0
    damaged: int = 0
    decoding: str = SOFTWARE


class Deliver(Protocol):
    """Takes the pictures of a connection."""

    def __call__(self, connection: "Connection", picture: Picture, /) -> bool:
        """Whether more are wanted; False once the connection was abandoned."""
        ...


class BacklogError(Exception):
    """The stream stays behind."""


class Connection:
    """Reads and decodes until the camera ends, an error comes, or nobody wants more.

    Args:
        camera: Its settings.
        steady: What dates arrivals.
        deliver: Called from this connection's thread with each picture.
        ended: Called from there at its end.

    Attributes:
        clock: What dates its pictures.
        facts: What is known of the stream.
        failure: Why it ended, in words without address; empty while it goes on.
        fault: The traceback, where that is a fault of ours.
        started: Monotonic seconds.
    """

    def __init__(
        self,
        camera: VideoCamera,
        steady: SteadyClock,
        deliver: Deliver,
        ended: Callable[[], None],
    ) -> None:
        self._camera = camera
        self._steady = steady
        self._deliver = deliver
        self._ended = ended
        self.clock = LiveClock()
        self.facts = StreamFacts()
        self.failure = ""
        self.fault = ""
        self.started = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"capture-{camera.id}", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether it ended."""
        return self.failure != ""

    @property
    def is_alive(self) -> bool:
        """Whether its thread still runs: libav may hold it for a while after all is over."""
        return self._thread.is_alive()

    def _run(self) -> None:
        try:
            failure = self._read_all()
        except av.error.ExitError:
            failure = "no answer in time"
        except BacklogError:
            failure = f"behind by more than {BEHIND_US / 1e6:g} s for {BEHIND_SECONDS:g} s"
        except UserError as error:
            failure = str(error)
        except (av.FFmpegError, OSError) as error:
            failure = str(error.strerror)
        # The outer edge of a thread: whatever a decoder does is reported, and a new one tried.
        except Exception as error:
            failure, self.fault = f"{type(error).__name__}: {error}", traceback.format_exc()
        self.failure = failure
        self._ended()

    def _read_all(self) -> str:
        """Until the camera ends it; why it ended."""
        try:
            container = open_live(self._camera)
        except av.OSError as error:
            # libav's word for a host whose name is not known, too.
            if error.errno != errno.EIO:
                raise
            return f"cannot be reached: {error.strerror}"
        with container:
            self._read(container)
        return "the camera ended the stream"

    def _read(self, container: InputContainer) -> None:
        stream = live_stream(container)
        self.facts.rate = float(stream.average_rate or stream.guessed_rate or 0)
        if stream.codec_context.is_hwaccel:
            self.facts.decoding = decoding_of(self._camera)
        decoder = GroupDecoder(stream, self.facts)
        has_times = not is_without_times(container)
        pacer = Pacer() if container.format.name.startswith("hls") else None
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            pts_us = _pts_us(packet) if has_times else None
            if pacer is not None and pts_us is not None:
                pacer.wait(pts_us)
            arrival_us = self._steady.now_us()
            late_us = self.clock.take(pts_us, _camera_us(packet), arrival_us)
            for frame in decoder.decode(packet, late_us, arrival_us):
                time_us = _time_us(frame) if has_times else None
                picture = Picture(frame, self.clock.time_of(time_us, arrival_us))
                if not self._deliver(self, picture):
                    return


class Pacer:
    """Hands packets on as far apart as they are to be shown: HLS brings seconds at once."""

    def __init__(self) -> None:
        self._zero: float | None = None

    def wait(self, pts_us: int) -> None:
        """Wait until it is time for a packet; one that comes late moves all that follow."""
        now = time.monotonic()
        early = 0.0 if self._zero is None else self._zero + pts_us / 1e6 - now
        if self._zero is None or not 0 <= early <= LONGEST_WAIT_SECONDS:
            self._zero = now - pts_us / 1e6
            return
        time.sleep(early)


class GroupDecoder:
    """Decodes what is new and sound.

    After damage nothing is shown until the next key frame; of a backlog nothing, and where it ends
    decoding goes on with its newest key frame.
    """

    def __init__(self, stream: VideoStream, facts: StreamFacts) -> None:
        self._decoder = stream.codec_context
        # Threads within a picture: those over several would each hold one back.
        self._decoder.thread_type, self._decoder.thread_count = "SLICE", 1
        if not self._decoder.codec.intra_only:
            # Without, libav guesses what is missing, and shows that without a word.
            self._decoder.options = {"err_detect": "explode"}
        self._facts = facts
        self._held: list[VideoPacket] = []
        self._needs_key = True
        self._behind_since_us: int | None = None

    def decode(self, packet: VideoPacket, late_us: int, arrival_us: int) -> list[VideoFrame]:
        """The pictures to show now, in order.

        Args:
            packet: The next packet.
            late_us: By how much later than the fastest it came.
            arrival_us: When.

        Raises:
            BacklogError: It has been behind for too long.
        """
        if packet.is_keyframe:
            self._held.clear()
            self._needs_key = False
        if packet.is_corrupt:
            self._miss()
        if not self._needs_key:
            self._held.append(packet)
        if self._is_behind(late_us, arrival_us):
            if len(self._held) > LONGEST_GROUP:
                self._miss()
            return []
        frames: list[VideoFrame] = []
        while self._held:
            frames = self._decoded(self._held.pop(0))
        return frames

    def _decoded(self, packet: VideoPacket) -> list[VideoFrame]:
        try:
            frames = self._decoder.decode(packet)
        except av.FFmpegError:
            frames = []
            self._miss()
        if any(frame.is_corrupt for frame in frames):
            self._miss()
            return []
        if frames:
            facts, frame = self._facts, frames[-1]
            facts.codec = self._decoder.codec.canonical_name
            facts.width, facts.height = frame.width, frame.height
        return frames

    def _miss(self) -> None:
        """What follows cannot be decoded rightly."""
        self._facts.damaged += 1
        self._needs_key = True
        self._held.clear()

    def _is_behind(self, late_us: int, arrival_us: int) -> bool:
        if late_us <= BEHIND_US:
            self._behind_since_us = None
            return False
        if self._behind_since_us is None:
            self._behind_since_us = arrival_us
        if arrival_us - self._behind_since_us > BEHIND_SECONDS * 1e6:
            raise BacklogError
        return True


def open_live(camera: VideoCamera) -> InputContainer:
    """A connection, its header read.

    Raises:
        av.FFmpegError, OSError: It cannot be opened.
        SettingsError: What is to decode it is not here.
    """
    url, hwaccel, timeout = camera.video, accelerator(camera), (OPEN_SECONDS, READ_SECONDS)
    if not camera.is_url:
        return av.open(url, format="v4l2", timeout=timeout, hwaccel=hwaccel)
    # What libav reads in order to know the stream is old when it is shown.
    quick = {"analyzeduration": "200000", "fpsprobesize": "0"}
    options = {"protocol_whitelist": PROTOCOLS, **quick}
    if url.lower().startswith(("rtsp://", "rtsps://")):
        options = {
            "rtsp_transport": camera.rtsp_transport,
            "allowed_media_types": "video",
            "timeout": str(round(READ_SECONDS * 1e6)),
            **quick,
        }
    return av.open(url, options=options, timeout=timeout, hwaccel=hwaccel)


def is_without_times(container: InputContainer) -> bool:
    """Whether presentation times are made up: pictures one after the other, as they come."""
    return bool(container.format.flags & NO_TIMESTAMPS) or "mpjpeg" in container.format.name


def live_stream(container: InputContainer) -> VideoStream:
    """The stream to look at: the largest; cameras send it first.

    Raises:
        SourceError: There is no video.
    """
    streams = [s for s in container.streams.video if s.codec_context is not None]
    if not streams:
        raise SourceError("no video that can be decoded")
    return max(streams, key=lambda stream: (stream.width * stream.height, -stream.index))


def _pts_us(packet: VideoPacket) -> int | None:
    ticks = packet.pts if packet.pts is not None else packet.dts
    return None if ticks is None else round(ticks * packet.time_base * 1_000_000)


def _time_us(frame: VideoFrame) -> int | None:
    if frame.pts is None or frame.time_base is None:
        return None
    return round(frame.pts * frame.time_base * 1_000_000)


def _camera_us(packet: VideoPacket) -> int | None:
    """When it was taken by the camera's clock (libav's AVProducerReferenceTime)."""
    if not packet.has_sidedata("prft"):
        return None
    return int.from_bytes(bytes(packet.get_sidedata("prft"))[:8], "little", signed=True)
