"""People in frames, by any model that ultralytics can load."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import supervision as sv

from pipeline.config import DetectionSettings
from pipeline.detection.letterbox import Letterbox
from pipeline.detection.weights import find_weights
from pipeline.errors import WeightsError
from pipeline.types import ImageArray

# Before ultralytics is imported: it must not install packages, look for a network, or write to
# standard output, which belongs to `--json`.
os.environ["YOLO_AUTOINSTALL"] = "false"
os.environ["YOLO_OFFLINE"] = "true"
os.environ["YOLO_VERBOSE"] = "false"
# Before torch is: the threads of its pool would spin between layers. In trials beside other
# programs on two cores (YOLO26n at 640x480) a frame then cost 100 to 530 CPU ms, and 60 to 90
# with threads that wait; by itself it cost about the same either way.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
import torchvision  # noqa: F401 (ultralytics suppresses otherwise when it is not imported)
from ultralytics.nn.autobackend import AutoBackend
from ultralytics.utils.nms import non_max_suppression

PERSON = "person"
NO_TIME_LIMIT_SECONDS = 1e6
"""ultralytics' suppression stops after a while by default, and results would depend on the load."""


class Detector:
    """Finds people in frames of any cameras.

    Frames are handed to the model one by one on a CPU, where batches cost more (82 instead of 68
    CPU ms a frame at 640x480, YOLO26n in torch) and change the last bits of the result with the
    batch's size; on a GPU all frames of one size form a batch.

    Args:
        settings: Which weights, at which size, on which device.

    Raises:
        WeightsError: The weights are missing, unreadable, or know no persons.
    """

    def __init__(self, settings: DetectionSettings) -> None:
        self._settings = settings
        self._path = find_weights(settings)
        self._device = _device(settings.device)
        self._model = _load(self._path, self._device)
        self._persons = _person_classes(self._model.names, self._path)
        self._letterboxes: dict[tuple[int, int], Letterbox] = {}

    @property
    def name(self) -> str:
        """Name of the weights, for the record."""
        return self._path.name

    def detect(self, images: Sequence[ImageArray]) -> list[sv.Detections]:
        """People in each image (H, W, 3) uint8 BGR; best first, boxes clipped to the image."""
        shapes = [image.shape[:2] for image in images]
        inputs = [self._letterbox(shape).apply(i) for shape, i in zip(shapes, images, strict=True)]
        outputs: list[Any] = [None] * len(images)
        for group in self._batches(inputs):
            predictions = self._predict(np.stack([inputs[index] for index in group]))
            for index, prediction in zip(group, predictions, strict=True):
                outputs[index] = prediction
        return [self._interpret(rows, shape) for rows, shape in zip(outputs, shapes, strict=True)]

    def _letterbox(self, shape: tuple[int, int]) -> Letterbox:
        """The mapping for frames of this (height, width); fixed-size exports set their own."""
        if shape not in self._letterboxes:
            fixed = self._model.format != "pt" and not getattr(self._model, "dynamic", False)
            self._letterboxes[shape] = (
                Letterbox.into(*shape, *self._model.imgsz)
                if fixed
                else Letterbox.of(*shape, self._settings.image_size)
            )
        return self._letterboxes[shape]

    def _batches(self, inputs: Sequence[ImageArray]) -> list[list[int]]:
        """Which inputs go through the model together."""
        if self._device.type == "cpu":
            return [[index] for index in range(len(inputs))]
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(inputs):
            groups.setdefault(image.shape, []).append(index)
        return list(groups.values())

    def _predict(self, batch: ImageArray) -> list[Any]:
        """Rows (n, 6) of x1, y1, x2, y2, confidence, class for each input (B, H, W, 3)."""
        with torch.inference_mode():
            tensor = torch.from_numpy(batch).to(self._device)
            tensor = tensor.permute(0, 3, 1, 2).flip(1).float().div_(255)  # (B, 3, H, W) RGB
            rows = non_max_suppression(
                self._model(tensor),
                conf_thres=self._settings.confidence,
                iou_thres=self._settings.iou,
                classes=self._persons,
                nc=len(self._model.names),
                max_time_img=NO_TIME_LIMIT_SECONDS,
                end2end=getattr(self._model, "end2end", False),
            )
        return [row.cpu().numpy() for row in rows]

    def _interpret(self, rows: Any, shape: tuple[int, int]) -> sv.Detections:
        boxes = self._letterbox(shape).undo(rows[:, :4].astype(np.float64), *shape)
        whole = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return sv.Detections(
            xyxy=boxes[whole].astype(np.float32), confidence=rows[whole, 4].astype(np.float32)
        )


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise WeightsError(f"detection.device: expected auto, cpu or cuda, got {name}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise WeightsError(f"detection.device: {name}: no CUDA device is available here")
    return device


def _load(path: Path, device: torch.device) -> Any:
    """The model behind ultralytics' one interface to its many formats."""
    try:
        model = AutoBackend(str(path), device=device, verbose=False)
    # Every format and loader fails in its own way; each means that the file is no such model.
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise WeightsError(
            f"detection.weights: {path}: ultralytics cannot load it: "
            f"{reason[0][:160] if reason else type(error).__name__}"
        ) from None
    model.eval()
    return model


def _person_classes(names: dict[int, str], path: Path) -> list[int]:
    """The class of persons; the only class of a one-class model, whatever its name."""
    if len(names) == 1:
        return list(names)
    persons = [index for index, name in names.items() if name == PERSON]
    if not persons:
        raise WeightsError(f"detection.weights: {path}: expected a model with a class {PERSON}")
    return persons
