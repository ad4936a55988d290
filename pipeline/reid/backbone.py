"""The frame backbone: crops in, one embedding a crop out, by OpenVINO from an IR or ONNX file."""

import hashlib
import threading
from pathlib import Path

import numpy as np

import pipeline.offline  # noqa: F401 (before OpenVINO)

# isort: split
import openvino

from pipeline.config import ReidSettings
from pipeline.errors import WeightsError
from pipeline.lasting import the_only
from pipeline.types import CROP_HEIGHT_PX, CROP_WIDTH_PX, DoubleArray, FloatArray, ImageArray

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406])
IMAGENET_STD = np.array([0.229, 0.224, 0.225])


class OpenVinoBackbone:
    """A frame-embedding model file: OpenVINO IR (.xml with .bin beside it) or ONNX.

    Computed in float32, so that the same crop has the same embedding on another machine. Threads
    may share it: they wait for each other.

    Args:
        settings: Which file, and how it wants its input.

    Raises:
        WeightsError: The file is missing, unreadable, or no model of crops to vectors.
    """

    def __init__(self, settings: ReidSettings) -> None:
        self._input = settings.input
        self._lock = threading.Lock()
        path = _find(settings.weights)
        self.name = path.stem
        self.sha256 = _hash(path)
        core = the_only(openvino.Core)
        try:
            model = core.read_model(str(path))
            model.reshape([-1, 3, CROP_HEIGHT_PX, CROP_WIDTH_PX])
            precision = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
            self._model = core.compile_model(model, "CPU", precision)
        except RuntimeError as error:
            raise WeightsError(
                f"reid.weights: {path}: expected a model of crops (N, 3, 256, 128):"
                f" {str(error).strip().splitlines()[-1][:160]}"
            ) from None
        blank = np.zeros((1, CROP_HEIGHT_PX, CROP_WIDTH_PX, 3), np.uint8)
        self.dimension = int(self._run(blank).shape[1])

    def embed(self, crops: ImageArray) -> FloatArray:
        """Unit vectors (N, D) float32 of crops (N, 256, 128, 3) uint8 BGR, N >= 1."""
        vectors = self._run(crops)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)

    def _run(self, crops: ImageArray) -> DoubleArray:
        prepared = _prepare(crops, self._input)
        with self._lock:
            output = np.array(self._model(prepared)[0], np.float64)
        return output.reshape(len(crops), -1)


def _prepare(crops: ImageArray, kind: str) -> FloatArray:
    """The model's input (N, 3, 256, 128) float32."""
    pixels = crops.astype(np.float32)
    if kind == "rgb-imagenet":
        pixels = ((pixels[..., ::-1] / 255 - IMAGENET_MEAN) / IMAGENET_STD).astype(np.float32)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def _find(weights: str) -> Path:
    path = Path(weights)
    if not path.is_file():
        raise WeightsError(f"reid.weights: {path}: no such file")
    if path.suffix == ".xml" and not path.with_suffix(".bin").is_file():
        raise WeightsError(f"reid.weights: {path}: expected {path.with_suffix('.bin').name} beside")
    if path.suffix not in (".xml", ".onnx"):
        raise WeightsError(f"reid.weights: {path}: expected .safetensors, .onnx or OpenVINO .xml")
    return path


def _hash(path: Path) -> str:
    """SHA-256 over the model's files."""
    digest = hashlib.sha256(path.read_bytes())
    if path.suffix == ".xml":
        digest.update(path.with_suffix(".bin").read_bytes())
    return digest.hexdigest()
