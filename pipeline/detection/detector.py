"""People in frames, by any model that ultralytics can load."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import supervision as sv

from pipeline.config import DetectionSettings
from pipeline.detection.choice import open_engine
from pipeline.detection.letterbox import Letterbox
from pipeline.detection.predictions import read_columns, read_rows
from pipeline.detection.tiling import merge, views
from pipeline.detection.weights import find_weights
from pipeline.errors import WeightsError
from pipeline.types import DoubleArray, FloatArray, ImageArray

PERSON = "person"
COLUMNS_OF_A_ROW = 6


class Detector:
    """Finds people in frames of any cameras.

    Args:
        settings: Which weights, at which size, on which engine and device.
        at_once: How many frames may wait for it at once.

    Raises:
        WeightsError: The weights are missing, unreadable, or know no persons.
    """

    def __init__(self, settings: DetectionSettings, at_once: int = 1) -> None:
        self._settings = settings
        path = find_weights(settings)
        self._engine = open_engine(path, settings, at_once)
        self._persons = _person_classes(self._engine.classes, path)
        self._letterboxes: dict[tuple[int, int], Letterbox] = {}
        self.name = f"{path.name} ({self._engine.name})"
        """Of weights and engine, for the record."""
        self.lanes = self._engine.lanes
        """From how many threads at once `detect` may be called."""
        self.batches = self._engine.batches
        """Whether several images in one call cost less than one by one."""

    def detect(self, images: Sequence[ImageArray]) -> list[sv.Detections]:
        """People in each image (H, W, 3) uint8 BGR; best first, boxes clipped to the image."""
        areas = [views(i.shape[1], i.shape[0], *self._settings.tiles) for i in images]
        parts = [
            image[top:bottom, left:right]
            for image, several in zip(images, areas, strict=True)
            for left, top, right, bottom in several.tolist()
        ]
        seen = iter(self._look(parts))
        return [_detections(merge([next(seen) for _ in several], several)) for several in areas]

    def _look(self, images: Sequence[ImageArray]) -> list[DoubleArray]:
        """People (n, 5) of x1, y1, x2, y2, confidence in each image by itself."""
        boxes = [self._letterbox(image.shape[0], image.shape[1]) for image in images]
        inputs = [box.apply(image) for box, image in zip(boxes, images, strict=True)]
        people: list[DoubleArray] = [np.empty((0, 5))] * len(images)
        for group in self._batches(inputs):
            outputs = self._engine.infer(np.stack([inputs[index] for index in group]))
            for index, raw in zip(group, outputs, strict=True):
                rows = self._read(raw)
                rows[:, :4] = boxes[index].undo(rows[:, :4], *images[index].shape[:2])
                people[index] = rows
        return people

    def _letterbox(self, height: int, width: int) -> Letterbox:
        """The mapping for frames of this size; networks of a fixed size set their own."""
        if (height, width) not in self._letterboxes:
            self._letterboxes[height, width] = (
                Letterbox.into(height, width, *self._engine.input_size)
                if self._engine.input_size
                else Letterbox.of(height, width, self._settings.image_size)
            )
        return self._letterboxes[height, width]

    def _batches(self, inputs: Sequence[ImageArray]) -> list[list[int]]:
        """Which inputs go through the network together: those of one size, or each alone."""
        if not self._engine.batches:
            return [[index] for index in range(len(inputs))]
        groups: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
        for index, image in enumerate(inputs):
            groups[image.shape].append(index)
        return list(groups.values())

    def _read(self, raw: FloatArray) -> DoubleArray:
        """People (n, 5) in pixels of the network's input."""
        confidence = self._settings.confidence
        if self._engine.is_end_to_end or raw.shape[-1] == COLUMNS_OF_A_ROW:
            return read_rows(raw, self._persons, confidence)
        classes = len(self._engine.classes)
        return read_columns(raw, classes, self._persons, confidence, self._settings.iou)


def _detections(people: DoubleArray) -> sv.Detections:
    whole = (people[:, 2] > people[:, 0]) & (people[:, 3] > people[:, 1])
    boxes, confidence = people[whole, :4], people[whole, 4]
    return sv.Detections(xyxy=boxes.astype(np.float32), confidence=confidence.astype(np.float32))


def _person_classes(names: dict[int, str], path: Path) -> list[int]:
    """The class of persons; the only class of a one-class model, whatever its name."""
    if len(names) == 1:
        return list(names)
    persons = [index for index, name in names.items() if name == PERSON]
    if not persons:
        raise WeightsError(f"detection.weights: {path}: expected a model with a class {PERSON}")
    return persons
