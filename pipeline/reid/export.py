"""Encoders as networks of their own: exported to OpenVINO for a CPU, or run by torch on a GPU.

Two networks, because crops are seen once and clips may be put together more than once: crops to
frame vectors, and the frame vectors of clips to embeddings.
"""

import tempfile
import warnings
from pathlib import Path
from typing import Final, Protocol

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
from pipeline.reid.video_encoder import VideoEncoder, normalised
from pipeline.reid.weights import load_encoder, weights_hash
from pipeline.types import (
    CROP_HEIGHT_PX,
    CROP_WIDTH_PX,
    Appearance,
    BoolArray,
    Clip,
    Embedding,
    EncoderIdentity,
    FloatArray,
    ImageArray,
    NoEmbedding,
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


class Networks(Protocol):
    """The two networks of an encoder, on arrays."""

    def frames(self, crops: ImageArray) -> FloatArray:
        """Frame vectors (N, F) of crops (N, 256, 128, 3) uint8 BGR."""
        ...

    def clips(self, frames: FloatArray, present: BoolArray) -> FloatArray:
        """Unit vectors (B, D) of frame vectors (B, K, F), of which those `present` (B, K) are."""
        ...


class OpenVinoNetworks:
    """Both networks compiled for the CPU.

    Args:
        frames: The exported `FrameNetwork`.
        clips: The exported `ClipNetwork`.
    """

    def __init__(self, frames: openvino.Model, clips: openvino.Model) -> None:
        core = openvino.Core()
        self._frames = core.compile_model(frames, "CPU", COMPILE)
        self._clips = core.compile_model(clips, "CPU", COMPILE)

    def frames(self, crops: ImageArray) -> FloatArray:
        """Frame vectors (N, F) of crops (N, 256, 128, 3) uint8 BGR."""
        return np.array(self._frames(crops)[0], np.float32)

    def clips(self, frames: FloatArray, present: BoolArray) -> FloatArray:
        """Unit vectors (B, D) of frame vectors (B, K, F), of which those `present` (B, K) are."""
        return np.array(self._clips([frames, present])[0], np.float32)


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

    @torch.inference_mode()
    def frames(self, crops: ImageArray) -> FloatArray:
        """Frame vectors (N, F) of crops (N, 256, 128, 3) uint8 BGR."""
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


class ExportedEncoder:
    """Encodes clips of pixels with trained weights.

    One clip is one batch, so that its embedding does not depend on which other tracklets happen to
    close at the same time.

    Args:
        networks: What computes.
        identity: The encoder's name, hash and dimension.
    """

    def __init__(self, networks: Networks, identity: EncoderIdentity) -> None:
        self.networks = networks
        self.identity = identity

    def frames(self, appearance: Appearance) -> FloatArray:
        """Frame vectors (K, F) of a clip's crops, of any length; (0, 0) where there are none."""
        if not isinstance(appearance, Clip) or len(appearance.crops) == 0:
            return np.zeros((0, 0), np.float32)
        return self.networks.frames(appearance.crops)

    def pooled(self, frames: FloatArray) -> Embedding | NoEmbedding:
        """The embedding of the frame vectors (K, F) of one clip; none where K is 0."""
        if len(frames) == 0:
            return NoEmbedding()
        present = np.ones((1, len(frames)), np.bool_)
        return Embedding(self.networks.clips(frames[None], present)[0], self.identity)

    def encode(self, appearance: Appearance) -> Embedding | NoEmbedding:
        """The embedding of a clip; none where the clip is empty or there are no pixels."""
        return self.pooled(self.frames(appearance))


def open_encoder(weights: Path, device: torch.device, cache: Path) -> ExportedEncoder:
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
        return ExportedEncoder(TorchNetworks(encoder, device), identity)
    folder = cache / f"{digest[:16]}-openvino-{openvino.__version__[:24]}"
    return ExportedEncoder(_cached(encoder, folder), identity)


def _cached(encoder: VideoEncoder, folder: Path) -> OpenVinoNetworks:
    if not folder.is_dir():
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            workplace = tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-")
        except OSError:
            return OpenVinoNetworks(*convert(encoder))
        with workplace as unfinished:
            made = Path(unfinished) / folder.name
            export(encoder, made)
            try:
                made.rename(folder)
            except OSError:
                if not folder.is_dir():  # else another process was faster, as good an export
                    raise
    core = openvino.Core()
    return OpenVinoNetworks(
        core.read_model(str(folder / FRAMES)), core.read_model(str(folder / CLIPS))
    )


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
