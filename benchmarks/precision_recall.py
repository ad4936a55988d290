"""Precision and recall of boxes against a reference, over all confidences."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from box_agreement import SAME_IOU

from pipeline.geometry import iou
from pipeline.types import BoolArray, DoubleArray

TALL_PX: Final = 50.0
"""Lower people do not count, neither found nor missed."""


@dataclass(frozen=True, eq=False, slots=True)
class Reference:
    """Boxes (N, 4) that are to be found in a frame, and (M, 4) that may be found or not."""

    wanted: DoubleArray
    allowed: DoubleArray


@dataclass(frozen=True, eq=False, slots=True)
class Curve:
    """Of all boxes that count, best first: confidence, precision and recall down to each (N,)."""

    confidence: DoubleArray
    precision: DoubleArray
    recall: DoubleArray
    hits: BoolArray

    @property
    def average_precision(self) -> float:
        """The area under the curve, precision made to fall only."""
        envelope = np.maximum.accumulate(self.precision[::-1])[::-1]
        return float(np.diff(self.recall, prepend=0.0) @ envelope)

    def recall_at_precision(self, precision: float) -> float:
        """The best recall at this precision or a higher one; 0 where it is not reached."""
        return float(self.recall[self.precision >= precision].max(initial=0.0))

    def at_confidence(self, confidence: float) -> tuple[float, float]:
        """Precision and recall of the boxes of at least this confidence; 1 and 0 of none."""
        count = int((self.confidence >= confidence).sum())
        return (
            (float(self.precision[count - 1]), float(self.recall[count - 1])) if count else (1, 0)
        )

    def confidences(self, shares: Sequence[float]) -> list[float]:
        """Quantiles of the confidence of the boxes that are right."""
        right = self.confidence[self.hits]
        return np.quantile(right, shares).tolist() if right.size else [0.0] * len(shares)


def reference(boxes: DoubleArray, counts: BoolArray) -> Reference:
    """Of people (N, 4), those wanted count and are tall; the others may be found or not."""
    is_wanted = counts & (boxes[:, 3] - boxes[:, 1] > TALL_PX)
    return Reference(boxes[is_wanted], boxes[~is_wanted])


def curve(references: Sequence[Reference], people: Sequence[DoubleArray]) -> Curve:
    """The curve of people (N, 5) of x1, y1, x2, y2, confidence in each frame."""
    judged = [_judge(one, found) for one, found in zip(references, people, strict=True)]
    rows = np.vstack([np.empty((0, 2)), *judged])
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    right = rows[:, 1].cumsum()
    total = sum(len(one.wanted) for one in references)
    return Curve(
        rows[:, 0], right / np.arange(1, len(rows) + 1), right / max(total, 1), rows[:, 1] > 0
    )


def _judge(expected: Reference, found: DoubleArray) -> DoubleArray:
    """(K, 2) confidence, and 1 for each box that is right, of the boxes that count.

    Best first, each takes the wanted box that it overlaps most of those left.
    """
    found = found[np.argsort(-found[:, 4], kind="stable")]
    wanted, allowed = iou(found[:, :4], expected.wanted), iou(found[:, :4], expected.allowed)
    rows = []
    for index, box in enumerate(found):
        best = int(wanted[index].argmax()) if wanted.shape[1] else -1
        if best >= 0 and wanted[index, best] >= SAME_IOU:
            wanted[:, best] = 0
            rows.append((box[4], 1.0))
        elif allowed[index].max(initial=0.0) < SAME_IOU and box[3] - box[1] > TALL_PX:
            rows.append((box[4], 0.0))
    return np.array(rows, np.float64).reshape(-1, 2)
