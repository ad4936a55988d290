"""Real models, small enough to build in a test: they see flat coloured people on black."""

import contextlib
import io
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import av
import numpy as np

import pipeline.offline  # noqa: F401 (before OpenVINO)

# isort: split
import openvino
import pytest
from openvino import opset13 as ops

import run_pipeline

INPUT_HEIGHT, INPUT_WIDTH = 384, 640
PERSON_HEIGHT, PERSON_WIDTH = 128, 64
STEP = 8


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write anew what golden tests compare with"
    )


def pytest_configure() -> None:
    # A shell that starts us in the background has it ignored, by us and by all that tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)


METADATA = """\
description: sees bright upright rectangles
task: detect
stride: 32
batch: 1
imgsz: [384, 640]
names: {0: person}
"""

TINY_SIMULATION = """\
site: tiny
start: 2026-01-05T10:00:00Z
duration_seconds: 2
seed: 3
floors:
  - {area: [-5, -4, 5, 4]}
stops:
  west: {position: [-4, 0], kind: entry}
  middle: {position: [0, 0], kind: stand, radius_m: 1.5}
  east: {position: [4, 0], kind: entry}
paths: [[west, middle], [middle, east]]
people: {count: 3, returning: 0}
cameras:
  - id: north
    position: [0, 7, 3]
    look_at: [0, 0, 0.8]
    image_size: [320, 180]
    frame_rate: 5
  - id: south
    position: [5, -6, 2.5]
    look_at: [0, 0, 1]
    image_size: [320, 180]
    frame_rate: 5
    clock_offset_ms: 250
    dropped: 0.3
    lens: {k1: -0.1}
    shutter_ms: 30
"""


@pytest.fixture(scope="session")
def toy_detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OpenVINO detector in ultralytics' form: finds bright rectangles of 64x128 on black.

    Its confidence falls from 1 where the window is all bright to 0 where a fifth of it is dark.
    """
    folder = tmp_path_factory.mktemp("models") / "toy_openvino_model"
    folder.mkdir()
    image = ops.parameter([1, 3, INPUT_HEIGHT, INPUT_WIDTH], np.float32, name="images")
    bright = ops.reduce_max(image, ops.constant([1]), keep_dims=True)
    # Means of blocks, then of blocks of blocks: the same as of whole windows, and much cheaper.
    block = ops.avg_pool(bright, [STEP, STEP], [0, 0], [0, 0], [STEP, STEP], False)
    window = [PERSON_HEIGHT // STEP, PERSON_WIDTH // STEP]
    share = ops.avg_pool(block, [1, 1], [0, 0], [0, 0], window, False)  # (1, 1, rows, columns)
    rows = (INPUT_HEIGHT - PERSON_HEIGHT) // STEP + 1
    columns = (INPUT_WIDTH - PERSON_WIDTH) // STEP + 1
    centre_y, centre_x = np.meshgrid(
        np.arange(rows) * STEP + PERSON_HEIGHT / 2,
        np.arange(columns) * STEP + PERSON_WIDTH / 2,
        indexing="ij",
    )
    boxes = np.stack(
        [
            centre_x.ravel(),
            centre_y.ravel(),
            np.full(rows * columns, PERSON_WIDTH),
            np.full(rows * columns, PERSON_HEIGHT),
        ]
    )[None].astype(np.float32)  # (1, 4, N) xywh
    sure = ops.clamp(ops.subtract(ops.multiply(share, np.float32(5)), np.float32(4)), 0.0, 1.0)
    scores = ops.reshape(sure, [1, 1, rows * columns], False)
    output = ops.concat([ops.constant(boxes), scores], 1)
    openvino.save_model(
        openvino.Model([output], [image], "toy"), folder / "toy.xml", compress_to_fp16=False
    )
    (folder / "metadata.yaml").write_text(METADATA, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def toy_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An OpenVINO frame backbone: the mean colour of a crop's upper and lower half, centred."""
    path = tmp_path_factory.mktemp("models") / "toy-encoder.xml"
    crops = ops.parameter([-1, 3, 256, 128], np.float32, name="crops")
    halves = ops.avg_pool(crops, [128, 128], [0, 0], [0, 0], [128, 128], False)
    flat = ops.reshape(halves, [0, 6], True)
    output = ops.subtract(flat, ops.constant(np.float32(110)))
    openvino.save_model(openvino.Model([output], [crops], "toy"), path, compress_to_fp16=False)
    return path


Walk = tuple[tuple[int, int, int], Callable[[int], tuple[int, int] | None]]
"""A person: colour BGR, and the top left corner in each frame, or None while out of view."""


@pytest.fixture(scope="session")
def film() -> Callable[[Path, list[Walk], int], Path]:
    """Makes a video (640x384, 25 frames/s) of flat coloured people on black."""

    def make(path: Path, people: list[Walk], frames: int) -> Path:
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = INPUT_WIDTH, INPUT_HEIGHT, "yuv420p"
            stream.options = {"crf": "12", "preset": "ultrafast"}
            stream.codec_context.time_base = Fraction(1, 25)
            for index in range(frames):
                picture = np.zeros((INPUT_HEIGHT, INPUT_WIDTH, 3), np.uint8)
                for colour, place in people:
                    corner = place(index)
                    if corner is not None:
                        x, y = corner
                        picture[y : y + PERSON_HEIGHT, x : x + PERSON_WIDTH] = colour
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                frame.pts = index
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


@pytest.fixture(scope="session", name="pipeline")
def command_line() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command line with arguments in a folder, in this process: imports cost once."""

    def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
        stdout, stderr = io.StringIO(), io.StringIO()
        code: int | str | None = 0
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr(sys, "argv", ["run_pipeline.py", *arguments])
            patch.setattr(socket, "getaddrinfo", _no_network)
            try:
                run_pipeline.main()
            except SystemExit as end:
                code = end.code
        return subprocess.CompletedProcess(
            arguments, int(code or 0), stdout.getvalue(), stderr.getvalue()
        )

    return run


def _no_network(host: str, *_: object) -> NoReturn:
    raise AssertionError(f"asked for {host}")


@pytest.fixture(scope="session")
def tiny_simulation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulation file: two cameras, one of them faulty, look at three people."""
    path = tmp_path_factory.mktemp("simulation") / "tiny.yaml"
    path.write_text(TINY_SIMULATION, encoding="utf-8")
    return path
