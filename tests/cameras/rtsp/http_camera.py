"""Cameras of the tests that stream over HTTP: MPEG-TS, one JPEG after the other, and HLS."""

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import cv2

from tests.cameras.rtsp.film import Picture

SIZE = (128, 96)
SEGMENT_SECONDS = 1


class HttpCamera:
    """Serves `/live.ts`, `/live.mjpeg` and, once `film_segments` has begun, `/live.m3u8`."""

    def __init__(self, folder: Path, picture: Picture, rate: int) -> None:
        self.folder, self.picture, self.rate = folder, picture, rate
        self.ends = threading.Event()
        handler = partial(_Handler, camera=self, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._threads = [threading.Thread(target=self._server.serve_forever, daemon=True)]

    def __enter__(self) -> "HttpCamera":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ends.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        self._server.server_close()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def numbers(self) -> Iterator[int]:
        """0, 1, 2 ... when it is time for each."""
        began, number = time.monotonic(), 0
        while not self.ends.wait(max(0, began + number / self.rate - time.monotonic())):
            yield number
            number += 1

    def film_segments(self) -> None:
        """Begin to write a playlist of segments of a second; wait for its first."""

        def film() -> None:
            options = {"hls_time": str(SEGMENT_SECONDS), "hls_flags": "delete_segments"}
            playlist = str(self.folder / "live.m3u8")
            with av.open(playlist, "w", format="hls", options=options) as output:
                self.encode(output)

        self._threads.append(threading.Thread(target=film, daemon=True))
        self._threads[-1].start()
        while not (self.folder / "live.m3u8").exists():
            time.sleep(0.05)

    def encode(self, output: av.container.OutputContainer) -> None:
        """Pictures into a container until the camera ends."""
        stream = output.add_stream("libx264", rate=self.rate)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size = self.rate * SEGMENT_SECONDS
        stream.codec_context.time_base = Fraction(1, self.rate)
        stream.options = {"preset": "ultrafast", "tune": "zerolatency"}
        for number in self.numbers():
            frame = av.VideoFrame.from_ndarray(self.picture(number, SIZE), format="bgr24")
            frame.pts = number
            output.mux(stream.encode(frame))


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: object, camera: HttpCamera, directory: str) -> None:
        self._camera = camera
        super().__init__(*arguments, directory=directory)

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        try:
            if self.path == "/live.ts":
                self._begin("video/mp2t")
                with av.open(self.wfile, "w", format="mpegts") as output:
                    self._camera.encode(output)
            elif self.path == "/live.mjpeg":
                self._begin("multipart/x-mixed-replace; boundary=picture")
                self._send_pictures()
            else:
                super().do_GET()
        except (OSError, av.FFmpegError):
            pass  # whoever looked has gone

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def _send_pictures(self) -> None:
        for number in self._camera.numbers():
            _, data = cv2.imencode(".jpg", self._camera.picture(number, SIZE))
            head = f"--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            self.wfile.write(head.encode() + data.tobytes() + b"\r\n")
