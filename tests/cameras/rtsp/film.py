"""What the camera of a test films: pictures made, encoded and dated as they are sent."""

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
import numpy.typing as npt

from tests.cameras.rtsp.payloads import nal_units

Picture = Callable[[int, tuple[int, int]], npt.NDArray[np.uint8]]
"""Makes the picture (H, W, 3) BGR of a number and a size (width, height)."""

ENCODERS = {
    "h264": ("libx264", {"preset": "ultrafast", "tune": "zerolatency", "threads": "1"}),
    "h265": (
        "libx265",
        {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "x265-params": "log-level=none:pools=none:frame-threads=1:repeat-headers=1",
        },
    ),
}
CLOCK_HZ = 90_000


@dataclass(frozen=True, slots=True)
class Shot:
    """One encoded picture.

    Attributes:
        data: Annex B, or a JPEG.
        is_key: Whether it can be decoded by itself.
        timestamp_us: When it was taken, by the clock of this machine.
    """

    data: bytes
    is_key: bool
    timestamp_us: int

    @property
    def rtp_time(self) -> int:
        """Its time in ticks, 32 bits."""
        return self.timestamp_us * CLOCK_HZ // 1_000_000 & 0xFFFFFFFF


class Film:
    """Pictures of the numbers 0, 1, 2 ... and when each was taken.

    Attributes:
        taken_us: By number: microseconds UTC.
    """

    def __init__(self, picture: Picture, codec: str, size: tuple[int, int], gop: int) -> None:
        self._picture = picture
        self._gop = gop
        self.codec, self.size = codec, size
        self.taken_us: list[int] = []
        self._parameter_sets: list[bytes] = []
        self._encoder: av.VideoCodecContext | None = None

    def change(self, codec: str, size: tuple[int, int]) -> None:
        """From the next picture on, which is a key frame where anything changes."""
        if (codec, size) != (self.codec, self.size):
            self.codec, self.size, self._encoder = codec, size, None

    def shoot(self) -> Shot:
        """Take and encode the next picture."""
        number = len(self.taken_us)
        self.taken_us.append(time.time_ns() // 1000)
        image = self._picture(number, self.size)
        if self.codec == "mjpeg":
            _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])
            return Shot(data.tobytes(), True, self.taken_us[number])
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts = number
        if self._encoder is None:
            self._encoder = self._open()
        (packet,) = self._encoder.encode(frame)  # without delay
        shot = Shot(bytes(packet), packet.is_keyframe, self.taken_us[number])
        if shot.is_key:
            self._parameter_sets = _parameter_sets(shot.data, self.codec)
        return shot

    def _open(self) -> av.VideoCodecContext:
        name, options = ENCODERS[self.codec]
        encoder = av.CodecContext.create(name, "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height = self.size
        encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 25)
        encoder.gop_size, encoder.max_b_frames = self._gop, 0
        encoder.options = options
        return encoder

    def description(self) -> str:
        """The lines of a session description (SDP) that tell the codec."""
        if self.codec == "mjpeg":
            return "m=video 0 RTP/AVP 26\r\na=rtpmap:26 JPEG/90000\r\n"
        sets = [base64.b64encode(unit).decode() for unit in self._parameter_sets]
        if self.codec == "h265":
            names = ("sprop-vps", "sprop-sps", "sprop-pps")
            parameters = ";".join(f"{n}={s}" for n, s in zip(names, sets, strict=True))
        else:
            parameters = f"packetization-mode=1;sprop-parameter-sets={','.join(sets)}"
        name = self.codec.upper()
        return f"m=video 0 RTP/AVP 96\r\na=rtpmap:96 {name}/90000\r\na=fmtp:96 {parameters}\r\n"


def _parameter_sets(picture: bytes, codec: str) -> list[bytes]:
    kinds = (7, 8) if codec == "h264" else (32, 33, 34)
    shift, mask = (0, 0x1F) if codec == "h264" else (1, 0x3F)
    found = {unit[0] >> shift & mask: unit for unit in nal_units(picture)}
    return [found[kind] for kind in kinds]
