"""Encoders as networks of their own: exported to OpenVINO for a CPU, or run by torch on a GPU.

Two networks, because crops are seen once and clips may be put together more than once: crops to
frame vectors, and the frame vectors of clips to embeddings.
"""

import shutil
import tempfile
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

import pipeline.offline  # noqa: F401 (before OpenVINO)

# isort: split
import openvino
import torch
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipeline.errors import WeightsError
from pipeline.lasting import the_only
from pipeline.reid.encoder import ClipEncoder
from pipeline.reid.video_encoder import CROPS_AT_ONCE, VideoEncoder, normalised
from pipeline.reid.weights import load_encoder, weights_hash
from pipeline.types import (
    CROP_HEIGHT_PX,
    CROP_WIDTH_PX,
    BoolArray,
    EncoderIdentity,
    FloatArray,
    ImageArray,
)

# float32 also where the processor has a faster format: the same crop has the same embedding on
# another machine.
COMPILE: Final = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
FRAMES: Final = "frames.xml"
CLIPS: Final = "clips.xml"


class FrameNetwork(nn.Module):
    """Crops (N, 256, 128, 3) uint8 BGR to frame vectors (N, F): resizing and colours included."""

    def __init__(self, encoder: VideoEncoder) -> None:
        super().__init__()
        self.backbone, self.pooling = encoder.backbone, encoder.pooling
        self.size = encoder.settings.size

    def forward(self, crops: Tensor) -> Tensor:
        """Frame vectors."""
        vectors: Tensor = self.pooling(self.backbone(normalised(crops, self.size)))
        return vectors.float()


class ClipNetwork(nn.Module):
    """Frame vectors (B, K, F) and which there are, (B, K) bool, to unit vectors (B, D)."""

    def __init__(self, encoder: VideoEncoder) -> None:
        super().__init__()
        self.head, self.neck = encoder.head, encoder.neck

    def forward(self, frames: Tensor, present: Tensor) -> Tensor:
        """Embeddings."""
        return normalize(self.neck(self.head(frames, present)[0]), dim=-1)


class OpenVinoNetworks:
    """Both networks compiled for the CPU. Threads may share them: they wait for each other.

    Args:
        frames: The exported `FrameNetwork`.
        clips: The exported `ClipNetwork`.
    """

    def __init__(self, frames: openvino.Model, clips: openvino.Model) -> None:
        core = the_only(openvino.Core)
        self._frames = core.compile_model(frames, "CPU", COMPILE)
        self._clips = core.compile_model(clips, "CPU", COMPILE)
        self._lock = threading.Lock()

    def frames(self, clips: Sequence[ImageArray]) -> list[FloatArray]:
        """Frame vectors (K, F) of each clip of crops (K, 256, 128, 3) uint8 BGR, K >= 1.

        Each clip is a batch of its own. Larger ones gain nothing on a CPU (measured: 28 CPU ms a
        clip of 8 crops alone or 8 clips at once, MobileNetV4 at 128x64), and the last bits of some
        networks hang on whether a batch holds more than one crop.
        """
        return [self._run(self._frames, crops) for crops in clips]

    def clips(self, frames: FloatArray, present: BoolArray) -> FloatArray:
        """Unit vectors (B, D) of frame vectors (B, K, F), of which those `present` (B, K) are."""
        return self._run(self._clips, [frames, present])

    def _run(self, network: openvino.CompiledModel, inputs: Any) -> FloatArray:
        with self._lock:
            return np.array(network(inputs)[0], np.float32)


class TorchNetworks:
    """Both networks in torch; in half precision on a GPU.

    Args:
        encoder: The encoder; it is moved to the device.
        device: Where it runs.
    """

    def __init__(self, encoder: VideoEncoder, device: torch.device) -> None:
        encoder = encoder.to(device).eval()
        self._device = device
        self._frames, self._clips = FrameNetwork(encoder), ClipNetwork(encoder)

    def frames(self, clips: Sequence[ImageArray]) -> list[FloatArray]:
        """Frame vectors (K, F) of each clip of crops (K, 256, 128, 3) uint8 BGR, K >= 1.

        All together, in batches of one size, the last filled up with black: which kernel computes a
        batch, and so the last bits, hangs on its size.
        """
        if not clips:
            return []
        crops = np.concatenate(clips)
        black = np.zeros((-len(crops) % CROPS_AT_ONCE, *crops.shape[1:]), np.uint8)
        batches = np.split(
            np.concatenate([crops, black]), range(CROPS_AT_ONCE, len(crops), CROPS_AT_ONCE)
        )
        vectors = np.concatenate([self._batch(batch) for batch in batches])
        ends = np.cumsum([len(clip) for clip in clips])
        return np.split(vectors[: ends[-1]], ends[:-1])

    @torch.inference_mode()
    def _batch(self, crops: ImageArray) -> FloatArray:
        is_gpu = self._device.type == "cuda"
        with torch.autocast(self._device.type, torch.float16, enabled=is_gpu):
            vectors: Tensor = self._frames(torch.tensor(crops, device=self._device))
        return np.asarray(vectors.cpu().numpy())

    @torch.inference_mode()
    def clips(self, frames: FloatArray, present: BoolArray) -> FloatArray:
        """Unit vectors (B, D) of frame vectors (B, K, F), of which those `present` (B, K) are."""
        vectors: Tensor = self._clips(
            torch.tensor(frames, device=self._device), torch.tensor(present, device=self._device)
        )
        return np.asarray(vectors.cpu().numpy())


def open_trained(weights: Path, device: torch.device, cache: Path) -> ClipEncoder:
    """The encoder of a weights file: by OpenVINO on a CPU, by torch on a GPU.

    Args:
        weights: A file of `save_encoder`.
        device: Where it is to run.
        cache: Folder that keeps exports, which take seconds to make; nothing is kept where it
            cannot be written.

    Raises:
        WeightsError: The file cannot be read, or its head needs the maps of whole clips.
    """
    encoder = load_encoder(weights)
    if encoder.settings.head == "cosam":
        raise WeightsError(f"{weights}: head cosam needs whole clips: expected another head")
    digest = weights_hash(weights)
    identity = EncoderIdentity(weights.stem, digest, encoder.settings.dimension)
    if device.type != "cpu":
        return ClipEncoder(TorchNetworks(encoder, device), identity)
    folder = cache / f"{digest[:16]}-openvino-{openvino.__version__[:24]}"
    return ClipEncoder(_cached(encoder, folder), identity)


def _cached(encoder: VideoEncoder, folder: Path) -> OpenVinoNetworks:
    """The networks kept in a folder; made for this once where nothing can be kept.

    What is damaged, as after a loss of power, is thrown away: the next call keeps it anew.
    """
    try:
        if not folder.is_dir():
            _keep(encoder, folder)
        core = the_only(openvino.Core)
        return OpenVinoNetworks(
            core.read_model(str(folder / FRAMES)), core.read_model(str(folder / CLIPS))
        )
    except (OSError, RuntimeError):  # the latter by OpenVINO: a full disk, a file that is cut short
        shutil.rmtree(folder, ignore_errors=True)
        return OpenVinoNetworks(*convert(encoder))


def _keep(encoder: VideoEncoder, folder: Path) -> None:
    """Export into a folder that comes to be whole or not at all."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as unfinished:
        made = Path(unfinished) / folder.name
        export(encoder, made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, as good an export
                raise


def export(encoder: VideoEncoder, folder: Path) -> None:
    """Write both networks as OpenVINO IR, float32: frames.xml, clips.xml and a .bin beside each."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, model in zip((FRAMES, CLIPS), convert(encoder), strict=True):
        openvino.save_model(model, str(folder / name), compress_to_fp16=False)


def convert(encoder: VideoEncoder) -> tuple[openvino.Model, openvino.Model]:
    """The frame and the clip network as OpenVINO models; batch and length stay open."""
    encoder = encoder.cpu().eval()
    crops = torch.zeros((2, CROP_HEIGHT_PX, CROP_WIDTH_PX, 3), dtype=torch.uint8)
    frames = torch.rand(2, 3, encoder.frame_dimension)
    present = torch.tensor([[True, True, True], [True, False, False]])
    seen = converted(FrameNetwork(encoder), (crops,))
    seen.reshape([-1, CROP_HEIGHT_PX, CROP_WIDTH_PX, 3])
    return seen, converted(ClipNetwork(encoder), (frames, present))


def converted(network: nn.Module, example: tuple[Tensor, ...]) -> openvino.Model:
    """By the frontend itself: `openvino.convert_model` sends usage data to its makers."""
    frontend = FrontEndManager().load_by_framework("pytorch")
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of tracing: sizes that are read become constants
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            network.eval(), example, check_trace=False
        )
        decoder = TorchScriptPythonDecoder(traced)
    return frontend.convert(frontend.load(decoder))
