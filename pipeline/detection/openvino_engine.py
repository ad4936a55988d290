"""OpenVINO called directly: single frames as they are decoded, preprocessing in the graph."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import pipeline.offline  # noqa: F401 (before OpenVINO)

# isort: split
import openvino
from openvino import Layout, Type
from openvino.preprocess import ColorFormat, PrePostProcessor

from pipeline.errors import WeightsError
from pipeline.lasting import the_only
from pipeline.types import FloatArray, ImageArray


class OpenVinoEngine:
    """An OpenVINO folder as ultralytics exports it, on the CPU.

    Frames run side by side, each in a lane of its own, rather than one after another on all cores:
    with two cores a frame of YOLO26n at 640x384 costs 50 CPU ms so, and 66 the other way. Either
    way the bits are the same. Weights are computed in what OpenVINO finds best for the processor
    (bf16 where it has that).

    Args:
        folder: Holds an .xml, its .bin and `metadata.yaml`.
        lanes: Frames that may run side by side.

    Raises:
        WeightsError: It is no such model.
    """

    name = "openvino"
    batches = False

    def __init__(self, folder: Path, lanes: int) -> None:
        self._path = next(iter(sorted(folder.glob("*.xml"))), folder / "model.xml")
        self.lanes = lanes
        metadata = _read_metadata(folder / "metadata.yaml")
        names = metadata.get("names") or {}
        self.classes: dict[int, str] = dict(names if isinstance(names, dict) else enumerate(names))
        self.is_end_to_end = bool(metadata.get("end2end", False))
        self._core = the_only(openvino.Core)
        shape = self._read().input().get_partial_shape()
        height, width = shape[2], shape[3]
        is_fixed = height.is_static and width.is_static
        self.input_size = (height.get_length(), width.get_length()) if is_fixed else None
        self._compiling = threading.Lock()
        self._compiled: dict[tuple[int, int], Any] = {}
        self._of_thread = threading.local()
        if self.input_size:  # else at the first frame of each shape
            self._compile(*self.input_size)

    def infer(self, batch: ImageArray) -> list[FloatArray]:
        """See `Engine.infer`."""
        request = self._request(batch.shape[1], batch.shape[2])
        return [
            np.array(request.infer({0: image[None]}, share_inputs=True)[0][0], np.float32)
            for image in batch
        ]

    def _request(self, height: int, width: int) -> Any:
        """This thread's own buffers for inputs of a size."""
        requests = self._of_thread.__dict__
        key = f"{height}x{width}"
        if key not in requests:
            with self._compiling:
                if (height, width) not in self._compiled:
                    self._compiled[height, width] = self._compile(height, width)
            requests[key] = self._compiled[height, width].create_infer_request()
        return requests[key]

    def _read(self) -> Any:
        if not _is_xml(self._path):  # else every reader that OpenVINO has complains aloud
            raise WeightsError(
                f"detection.weights: {self._path}: expected a whole OpenVINO network"
            )
        try:
            return self._core.read_model(str(self._path))
        except RuntimeError as error:
            raise WeightsError(_not_a_model(self._path, error)) from None

    def _compile(self, height: int, width: int) -> Any:
        """The network for inputs (1, height, width, 3) uint8 BGR."""
        model = self._read()
        # Pinned threads of several programs on one machine would all share the first cores.
        settings = {"NUM_STREAMS": self.lanes, "ENABLE_CPU_PINNING": False}
        try:
            model.reshape([1, 3, height, width])
            steps = PrePostProcessor(model)
            tensor = steps.input().tensor()
            tensor.set_element_type(Type.u8).set_layout(Layout("NHWC"))
            tensor.set_color_format(ColorFormat.BGR)
            steps.input().model().set_layout(Layout("NCHW"))
            prepared = steps.input().preprocess().convert_element_type(Type.f32)
            prepared.convert_color(ColorFormat.RGB).scale(255.0)
            return self._core.compile_model(steps.build(), "CPU", settings)
        except RuntimeError as error:
            raise WeightsError(_not_a_model(self._path, error)) from None


def _is_xml(path: Path) -> bool:
    """Whether a file is there, of a network, and not cut short."""
    try:
        text = path.read_bytes().strip()
    except OSError:
        return False
    return b"<net" in text[:200] and text.endswith(b"</net>")


def _read_metadata(path: Path) -> dict[str, Any]:
    """What ultralytics says of an export; nothing where it is not there."""
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return tree if isinstance(tree, dict) else {}


def _not_a_model(path: Path, error: RuntimeError) -> str:
    return (
        f"detection.weights: {path}: expected a detector of images (1, 3, height, width):"
        f" {str(error).strip().splitlines()[-1][:160]}"
    )
