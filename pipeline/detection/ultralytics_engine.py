"""torch, and every other format that ultralytics can load."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pipeline.offline  # noqa: F401 (before ultralytics)
from pipeline.detection.weights import unusable
from pipeline.types import FloatArray, ImageArray

# isort: split
from ultralytics.nn.autobackend import AutoBackend

NAMES = {"pt": "torch"}


class UltralyticsEngine:
    """A model behind ultralytics' one interface to its many formats; half precision on a GPU.

    On a CPU batches cost more than single frames (82 instead of 68 CPU ms a frame at 640x480,
    YOLO26n in torch) and change the last bits of the result with the batch's size. On a GPU one
    thread may prepare a batch while the network is at work on another's.

    Args:
        path: The model's file or folder.
        device: Where it runs.

    Raises:
        WeightsError: ultralytics cannot load it.
    """

    def __init__(self, path: Path, device: torch.device) -> None:
        self._model = _load(path, device)
        self._device = device
        self.name = NAMES.get(self._model.format, self._model.format)
        self.classes: dict[int, str] = self._model.names
        self.is_end_to_end = bool(getattr(self._model, "end2end", False))
        fixed = self._model.format != "pt" and not getattr(self._model, "dynamic", False)
        self.input_size = tuple(self._model.imgsz) if fixed else None
        self.batches = device.type != "cpu" and not fixed
        self.lanes = 1 if device.type == "cpu" else 2
        self._computing = threading.Lock()

    def infer(self, batch: ImageArray) -> list[FloatArray]:
        """See `Engine.infer`."""
        with self._computing, torch.inference_mode():
            tensor = torch.from_numpy(batch).to(self._device)
            tensor = tensor.permute(0, 3, 1, 2).flip(1)  # (B, 3, H, W) RGB
            tensor = tensor.half() if self._model.fp16 else tensor.float()
            output = self._model(tensor.div_(255))
        raw = output[0] if isinstance(output, list | tuple) else output
        return list(raw.float().cpu().numpy()) if torch.is_tensor(raw) else list(np.asarray(raw))


def _load(path: Path, device: torch.device) -> Any:
    try:
        model = AutoBackend(str(path), device=device, fp16=device.type == "cuda", verbose=False)
    # Every format and loader fails in its own way; each means that the file is no such model.
    except Exception as error:
        reason = str(error).strip().splitlines()
        words = reason[0] if reason else type(error).__name__
        raise unusable(path, "load it", words) from None
    model.eval()
    return model
