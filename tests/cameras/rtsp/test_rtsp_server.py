"""The test camera itself, seen by libav alone: what it sends can be relied on."""

import socket
import time
from collections.abc import Callable
from itertools import islice
from urllib.parse import urlsplit

import av
import pytest

from tests.cameras.rtsp.server import RtspServer

Start = Callable[..., RtspServer]


def opened(url: str, transport: str = "tcp") -> av.container.InputContainer:
    options = {"rtsp_transport": transport, "analyzeduration": "200000", "fpsprobesize": "0"}
    return av.open(url, options=options, timeout=(10, 10))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@pytest.mark.parametrize("codec", ["h264", "h265", "mjpeg"])
def test_every_picture_arrives_in_order(
    rtsp_camera: Start, read_number: Callable[..., int], codec: str, transport: str
) -> None:
    camera = rtsp_camera(codec=codec, size=(256, 192))  # key frames of several packets
    with opened(camera.url(), transport) as stream:
        images = [f.to_ndarray(format="bgr24") for f in islice(stream.decode(video=0), 30)]
    numbers = [read_number(image) for image in images]
    assert numbers == list(range(numbers[0], numbers[0] + 30))


def test_reports_tell_when_pictures_were_taken(
    rtsp_camera: Start, read_number: Callable[..., int]
) -> None:
    camera = rtsp_camera(clock_offset_seconds=3.5, codec="mjpeg")  # a picture, a packet
    with opened(camera.url()) as stream:
        packets = list(islice(stream.demux(video=0), 20))
    for packet in packets:
        (wall,) = (
            int.from_bytes(bytes(data)[:8], "little")
            for data in packet.iter_sidedata()
            if data.data_type == "prft"
        )
        number = read_number(packet.decode()[0].to_ndarray(format="bgr24"))
        assert wall - 3_500_000 == pytest.approx(camera.taken_us[number], abs=20)


@pytest.mark.parametrize("authentication", ["digest", "basic"])
def test_it_asks_for_a_password(rtsp_camera: Start, authentication: str) -> None:
    camera = rtsp_camera(password="right", authentication=authentication)
    with pytest.raises(av.HTTPUnauthorizedError):
        opened(camera.url("viewer", "wrong"))
    opened(camera.url("viewer", "right")).close()


def test_it_goes_and_comes_back(rtsp_camera: Start) -> None:
    camera = rtsp_camera()
    with opened(camera.url()) as stream:
        pictures = stream.decode(video=0)
        next(pictures)
        camera.stop()
        with pytest.raises(StopIteration):
            while True:
                next(pictures)
        with pytest.raises(ConnectionRefusedError):
            opened(camera.url())
    camera.listen()
    opened(camera.url()).close()


@pytest.mark.parametrize("reset", [False, True])
def test_it_hangs_up_or_resets(rtsp_camera: Start, reset: bool) -> None:
    camera = rtsp_camera()
    with socket.create_connection(("127.0.0.1", urlsplit(camera.url()).port)) as client:
        client.sendall(f"OPTIONS {camera.url()} RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"RTSP/1.0 200")
        camera.hang_up(reset=reset)
        if reset:
            with pytest.raises(ConnectionResetError):
                client.recv(1000)
        else:
            assert client.recv(1000) == b""


def test_it_holds_what_it_could_not_send(
    rtsp_camera: Start, read_number: Callable[..., int]
) -> None:
    camera = rtsp_camera(codec="mjpeg")
    with opened(camera.url()) as stream:
        pictures = stream.decode(video=0)
        first = read_number(next(pictures).to_ndarray(format="bgr24"))
        camera.behaviour.freezes = "holds"
        while len(camera.taken_us) < first + 20:
            time.sleep(0.01)
        camera.behaviour.freezes = ""
        numbers = [
            read_number(f.to_ndarray(format="bgr24")) for f in islice(stream.decode(video=0), 30)
        ]
    assert numbers == list(range(first + 1, first + 31))


def test_gstreamers_server_streams(gstreamer_camera: str) -> None:
    with opened(gstreamer_camera) as stream:
        sizes = {(f.width, f.height) for f in islice(stream.decode(video=0), 10)}
    assert sizes == {(320, 240)}
