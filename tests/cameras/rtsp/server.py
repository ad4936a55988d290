"""A camera of the tests: one RTSP stream (RFC 2326) of numbered pictures, with faults on demand.

RTP goes over TCP, interleaved, or over UDP; RTCP sender reports tell the time; digest and basic
authentication. One thread does it all. What a fault is stands in `Behaviour`, which a test may
change at any time; `RtspServer` breaks connections.
"""

import asyncio
import base64
import hashlib
import random
import re
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Literal

from tests.cameras.rtsp.film import Film, Picture, Shot
from tests.cameras.rtsp.payloads import PAYLOADS

NTP_EPOCH_SECONDS = 2_208_988_800
PAYLOAD_TYPES = {"h264": 96, "h265": 96, "mjpeg": 26}
SOURCE = 0x5EC0DE
NONCE = "5ccc069c403ebaf9f0171e9517f40e41"


@dataclass(slots=True)
class Behaviour:
    """How the camera is at this moment.

    Attributes:
        codec: h264, h265 or mjpeg; clients learn of another when they connect anew.
        size: Width and height, pixels.
        rate: Pictures a second.
        freezes: Nothing is sent or answered, and nothing closed; "holds": what was not sent is
            sent at once when it goes on, as a network does that was interrupted.
        answers: Whether requests are answered.
        reports: Whether RTCP sender reports are sent, one after each key frame.
        clock_offset_seconds: By how much its clock is ahead.
        loses: Share of RTP packets that are lost.
        corrupts: Share of RTP packets of which some bytes are wrong.
        loses_key_frames: Whether whole key frames are lost.
        password: What clients must know, of the user "viewer"; empty: nothing.
        authentication: How they tell it.
    """

    codec: Literal["h264", "h265", "mjpeg"] = "h264"
    size: tuple[int, int] = (128, 96)
    rate: float = 25
    freezes: Literal["", "drops", "holds"] = ""
    answers: bool = True
    reports: bool = True
    clock_offset_seconds: float = 0
    loses: float = 0
    corrupts: float = 0
    loses_key_frames: bool = False
    password: str = ""
    authentication: Literal["digest", "basic"] = "digest"


@dataclass(slots=True, eq=False)
class Client:
    """One connection, and where its packets go once it plays."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    send: Callable[[int, bytes], object] | None = None
    plays: bool = False
    is_dead: bool = False
    sequence: int = 0
    sent: int = 0
    octets: int = 0
    held: list[tuple[int, bytes]] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)

    def close(self) -> None:
        self.writer.transport.abort()
        for udp in self.sockets:
            udp.close()


class RtspServer:
    """A camera that films from its first start on, whoever looks.

    Attributes:
        behaviour: To be changed at any time.
        requests: Method and answer of each request so far.
    """

    def __init__(self, picture: Picture, behaviour: Behaviour | None = None, gop: int = 12) -> None:
        self.behaviour = behaviour or Behaviour()
        self._film = Film(picture, self.behaviour.codec, self.behaviour.size, gop)
        self._clients: set[Client] = set()
        self._random = random.Random(0)
        self._listener: asyncio.Server | None = None
        self._port = 0
        self.requests: list[tuple[str, int]] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._filming: asyncio.Task[None] | None = None

    @property
    def taken_us(self) -> list[int]:
        """By number of the picture: when it was taken, microseconds UTC."""
        return self._film.taken_us

    def url(self, user: str = "", password: str = "") -> str:
        """Where it is, also while it is down."""
        credentials = f"{user}:{password}@" if user else ""
        return f"rtsp://{credentials}127.0.0.1:{self._port}/live"

    def __enter__(self) -> "RtspServer":
        self._thread.start()
        self._filming = self._loop.create_task(self._shoot())
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

        async def end() -> None:
            assert self._filming is not None
            self._filming.cancel()
            await asyncio.gather(self._filming, return_exceptions=True)

        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Coroutine[object, object, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def listen(self) -> None:
        """Take connections, on the port of before."""

        async def begin() -> None:
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
            self._port = self._listener.sockets[0].getsockname()[1]

        self._do(begin())

    def stop(self, *, reset: bool = False) -> None:
        """Neither listen nor serve any more, as a camera without power or in restart."""

        async def end() -> None:
            if self._listener is not None:
                self._listener.close()

        self._do(end())
        self.hang_up(reset=reset)

    def hang_up(self, *, reset: bool = False) -> None:
        """End all connections, by FIN or by RST; new ones are taken."""

        async def end() -> None:
            for client in self._clients:
                if reset:
                    at_once = struct.pack("ii", 1, 0)
                    peer = client.writer.get_extra_info("socket")
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
                client.close()
            self._clients.clear()

        self._do(end())

    def abandon(self) -> None:
        """Leave all connections half open: never served again, never closed. New ones work."""

        async def leave() -> None:
            for client in self._clients:
                client.is_dead = True

        self._do(leave())

    @property
    def viewers(self) -> int:
        """How many connections are being served pictures."""
        return sum(client.plays and not client.is_dead for client in tuple(self._clients))

    async def _shoot(self) -> None:
        due = self._loop.time()
        while True:
            how = self.behaviour
            self._film.change(how.codec, how.size)
            self._send(self._film.shoot())
            due = max(due + 1 / how.rate, self._loop.time() - 1)
            await asyncio.sleep(max(0, due - self._loop.time()))

    def _send(self, shot: Shot) -> None:
        for client in [client for client in self._clients if client.plays and not client.is_dead]:
            packets = list(self._packets(client, shot))
            if self.behaviour.freezes:
                client.held += packets if self.behaviour.freezes == "holds" else []
                continue
            assert client.send is not None
            for channel, packet in [*client.held, *packets]:
                client.send(channel, packet)
            client.held.clear()

    def _packets(self, client: Client, shot: Shot) -> list[tuple[int, bytes]]:
        """What a client gets of a picture: channel 0 is RTP, 1 is RTCP."""
        how, packets = self.behaviour, []
        payloads = PAYLOADS[self._film.codec](shot.data)
        for number, payload in enumerate(payloads):
            marker = (number == len(payloads) - 1) << 7
            kind = PAYLOAD_TYPES[self._film.codec]
            header = struct.pack(
                ">BBHII", 0x80, marker | kind, client.sequence, shot.rtp_time, SOURCE
            )
            client.sequence = client.sequence + 1 & 0xFFFF
            client.sent, client.octets = client.sent + 1, client.octets + len(payload)
            is_lost = self._random.random() < how.loses or (how.loses_key_frames and shot.is_key)
            if not is_lost:
                packets.append((0, header + self._damaged(payload)))
        if how.reports and (shot.is_key or client.sent == len(payloads)):
            packets.insert(0, (1, self._report(client, shot)))
        return packets

    def _damaged(self, payload: bytes) -> bytes:
        if self._random.random() >= self.behaviour.corrupts or len(payload) < 20:
            return payload
        at = self._random.randrange(8, len(payload) - 8)
        return payload[:at] + self._random.randbytes(8) + payload[at + 8 :]

    def _report(self, client: Client, shot: Shot) -> bytes:
        """A sender report (RFC 3550, 6.4.1): this RTP time is that time of day."""
        offset_us = round(self.behaviour.clock_offset_seconds * 1e6)
        seconds, rest_us = divmod(shot.timestamp_us + offset_us, 1_000_000)
        # The RTP time is a whole tick, the picture's a fraction of one later.
        words = (SOURCE, seconds + NTP_EPOCH_SECONDS, (rest_us << 32) // 1_000_000)
        return struct.pack(
            ">BBHIIIIII", 0x80, 200, 6, *words, shot.rtp_time, client.sent, client.octets
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(reader, writer)
        self._clients.add(client)
        try:
            while await self._answer(client):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            if not client.is_dead:
                self._clients.discard(client)
                client.close()

    async def _answer(self, client: Client) -> bool:
        """Answer the next request; False after the last."""
        first = await client.reader.readexactly(1)
        if first == b"$":  # a receiver report, interleaved
            _, length = struct.unpack(">BH", await client.reader.readexactly(3))
            await client.reader.readexactly(length)
            return True
        text = (first + await client.reader.readuntil(b"\r\n\r\n")).decode()
        while self.behaviour.freezes or not self.behaviour.answers or client.is_dead:
            await asyncio.sleep(0.05)
        method, uri, _ = text.split("\r\n", 1)[0].split(" ")
        headers = dict(re.findall(r"^([\w-]+): *(.*?)\r$", text, re.MULTILINE))
        status, lines, body = self._respond(client, method, uri, headers)
        self.requests.append((method, status))
        head = [f"RTSP/1.0 {status} -", f"CSeq: {headers['CSeq']}", "Session: 1;timeout=20"]
        head += [*lines, f"Content-Length: {len(body)}", "", body]
        client.writer.write("\r\n".join(head).encode())
        client.plays = client.plays or method == "PLAY"
        return method != "TEARDOWN"

    def _respond(
        self, client: Client, method: str, uri: str, headers: dict[str, str]
    ) -> tuple[int, list[str], str]:
        """Status, header lines and body."""
        if method != "OPTIONS" and not self._knows(method, headers.get("Authorization", "")):
            challenge = f'Digest realm="camera", nonce="{NONCE}"'
            if self.behaviour.authentication == "basic":
                challenge = 'Basic realm="camera"'
            return 401, [f"WWW-Authenticate: {challenge}"], ""
        if method == "DESCRIBE":
            origin = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=camera\r\nt=0 0\r\n"
            lines = ["Content-Type: application/sdp", f"Content-Base: {uri}/"]
            return 200, lines, f"{origin}{self._film.description()}a=control:video\r\n"
        if method == "SETUP":
            return 200, [f"Transport: {self._connect(client, headers['Transport'])}"], ""
        return 200, ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, GET_PARAMETER, TEARDOWN"], ""

    def _knows(self, method: str, authorization: str) -> bool:
        how = self.behaviour
        if not how.password:
            return True
        if how.authentication == "basic":
            expected = base64.b64encode(f"viewer:{how.password}".encode()).decode()
            return authorization == f"Basic {expected}"
        told = dict(re.findall(r'(\w+)="([^"]*)"', authorization))
        secret = _md5(f"viewer:camera:{how.password}")
        response = _md5(f"{secret}:{NONCE}:{_md5(f'{method}:' + told.get('uri', ''))}")
        return told.get("response") == response

    def _connect(self, client: Client, transport: str) -> str:
        """Take the way that a client asks for; the answer's header."""
        ports = re.search(r"client_port=(\d+)-(\d+)", transport)
        if ports is None:
            client.send = lambda channel, packet: client.writer.write(
                struct.pack(">cBH", b"$", channel, len(packet)) + packet
            )
            return "RTP/AVP/TCP;unicast;interleaved=0-1"
        client.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for udp in client.sockets:
            udp.bind(("127.0.0.1", 0))
        targets = [("127.0.0.1", int(port)) for port in ports.groups()]
        client.send = lambda channel, packet: client.sockets[channel].sendto(
            packet, targets[channel]
        )
        own = "-".join(str(udp.getsockname()[1]) for udp in client.sockets)
        return f"RTP/AVP;unicast;{ports[0]};server_port={own}"


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
