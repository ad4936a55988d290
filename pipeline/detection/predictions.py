"""From raw predictions of a network to people, in pixels of its input."""

from collections.abc import Sequence

import cv2
import numpy as np

from pipeline.types import DoubleArray, FloatArray

MOST_PEOPLE = 300
"""Of one input; also what end-to-end networks give at most."""


def read_rows(raw: FloatArray, persons: Sequence[int], confidence: float) -> DoubleArray:
    """People (n, 5) of x1, y1, x2, y2, confidence from end-to-end rows (m, 6 or more)."""
    chosen = (raw[:, 4] > confidence) & np.isin(raw[:, 5], persons)
    return raw[chosen, :5].astype(np.float64)


def read_columns(
    raw: FloatArray, classes: int, persons: Sequence[int], confidence: float, overlap: float
) -> DoubleArray:
    """People (n, 5), best first, from overlapping columns (4 + classes or more, m).

    A column counts as a person where no other class is surer; of two people whose boxes overlap by
    more than `overlap` (IoU), the worse is dropped.
    """
    scores = raw[4 : 4 + classes]
    columns = np.flatnonzero(scores[list(persons)].max(axis=0) > confidence)
    columns = columns[np.isin(scores[:, columns].argmax(axis=0), persons)]
    centre_x, centre_y, width, height = raw[:4, columns].astype(np.float64)
    left, top = centre_x - width / 2, centre_y - height / 2
    best = scores[:, columns].max(axis=0)
    people = np.stack([left, top, left + width, top + height, best], axis=1)
    return people[suppress(people, overlap)][:MOST_PEOPLE]


def suppress(people: DoubleArray, overlap: float) -> list[int]:
    """Rows of people (n, 5) to keep, best first: none overlaps a better one by more (IoU)."""
    corners, sides = people[:, :2], people[:, 2:4] - people[:, :2]
    kept = cv2.dnn.NMSBoxes(
        np.hstack([corners, sides]).tolist(), people[:, 4].tolist(), 0.0, overlap
    )
    return [int(row) for row in kept]
