"""Encoded pictures as RTP payloads: H.264 (RFC 6184), H.265 (RFC 7798), JPEG (RFC 2435)."""

import struct
from collections.abc import Callable

LARGEST_BYTES = 1200
START_CODE = b"\x00\x00\x01"


def nal_units(picture: bytes) -> list[bytes]:
    """The units of a picture in Annex B form, without their start codes."""
    parts = picture.split(START_CODE)[1:]
    # A start code of four bytes leaves a zero at the end of the unit before it.
    return [part[:-1] if part.endswith(b"\x00") else part for part in parts]


def h264(picture: bytes) -> list[bytes]:
    """Payloads of a picture: small units as they are, large ones in fragments (FU-A)."""
    payloads = []
    for unit in nal_units(picture):
        if len(unit) <= LARGEST_BYTES:
            payloads.append(unit)
            continue
        indicator, kind = (unit[0] & 0xE0) | 28, unit[0] & 0x1F
        payloads += _fragments(unit[1:], bytes([indicator]), kind)
    return payloads


def h265(picture: bytes) -> list[bytes]:
    """The same for H.265, whose units begin with two bytes."""
    payloads = []
    for unit in nal_units(picture):
        if len(unit) <= LARGEST_BYTES:
            payloads.append(unit)
            continue
        kind = unit[0] >> 1 & 0x3F
        header = bytes([(unit[0] & 0x81) | 49 << 1, unit[1]])
        payloads += _fragments(unit[2:], header, kind)
    return payloads


def _fragments(body: bytes, header: bytes, kind: int) -> list[bytes]:
    pieces = [body[at : at + LARGEST_BYTES] for at in range(0, len(body), LARGEST_BYTES)]
    last = len(pieces) - 1
    marks = [(number == 0) << 7 | (number == last) << 6 for number in range(len(pieces))]
    return [
        header + bytes([mark | kind]) + piece for mark, piece in zip(marks, pieces, strict=True)
    ]


def jpeg(picture: bytes) -> list[bytes]:
    """Payloads of a baseline JPEG (4:2:0, standard Huffman tables), its quantisation inside."""
    tables, size, scan = b"", (0, 0), b""
    at = 2
    while not scan:
        marker, length = struct.unpack(">xBH", picture[at : at + 4])
        body = picture[at + 4 : at + 2 + length]
        if marker == 0xDB:  # tables of 64 bytes, each after its number
            tables += b"".join(body[i + 1 : i + 65] for i in range(0, len(body), 65))
        elif marker == 0xC0:
            size = struct.unpack(">HH", body[1:5])
        elif marker == 0xDA:
            scan = picture[at + 2 + length : -2]
        at += 2 + length
    payloads = []
    for offset in range(0, len(scan), LARGEST_BYTES):
        place = struct.pack(">I", offset)  # the first byte is "type specific": 0
        header = place + bytes([1, 255, size[1] // 8, size[0] // 8])
        quantisation = struct.pack(">BBH", 0, 0, len(tables)) + tables if offset == 0 else b""
        payloads.append(header + quantisation + scan[offset : offset + LARGEST_BYTES])
    return payloads


PAYLOADS: dict[str, Callable[[bytes], list[bytes]]] = {"h264": h264, "h265": h265, "mjpeg": jpeg}
