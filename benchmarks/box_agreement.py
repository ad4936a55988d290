"""How far the people found in frames are those of a reference."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.geometry import area, intersection, iou
from pipeline.types import DoubleArray, IntArray

SAME_IOU: Final = 0.5

Values = dict[str, float]


def matches(expected: DoubleArray, got: DoubleArray) -> tuple[IntArray, IntArray, DoubleArray]:
    """Rows of people (n, 5) and (m, 5) that are the same, one to one, and their IoU."""
    overlap = iou(expected[:, :4], got[:, :4])
    rows, columns = linear_sum_assignment(np.where(overlap >= SAME_IOU, overlap, 0), maximize=True)
    same = overlap[rows, columns] >= SAME_IOU
    return rows[same], columns[same], overlap[rows, columns][same]


def agreement(reference: Sequence[DoubleArray], people: Sequence[DoubleArray]) -> Values:
    """How far people (n, 5) of each frame are those of a reference."""
    overlaps, differences = [np.zeros(0)], [np.zeros(0)]
    for expected, got in zip(reference, people, strict=True):
        rows, columns, overlap = matches(expected, got)
        overlaps.append(overlap)
        differences.append(np.abs(expected[rows, 4] - got[columns, 4]))
    matched, there, seen = np.concatenate(overlaps), _count(reference), _count(people)
    return {
        "boxes": there,
        "found again, %": _percent(len(matched), there),
        "of those found, %": _percent(len(matched), seen),
        "mean IoU": matched.sum() / max(len(matched), 1),
        "mean difference of confidence": np.concatenate(differences).sum() / max(len(matched), 1),
    }


def second_boxes(reference: Sequence[DoubleArray], people: Sequence[DoubleArray]) -> float:
    """Share of boxes that lie by seven tenths on somebody who has another box already."""
    count = 0
    for expected, got in zip(reference, people, strict=True):
        rows, columns, _ = matches(expected, got)
        others = np.delete(got, columns, axis=0)[:, :4]
        shared = intersection(others, expected[rows, :4])
        count += int((shared > 0.7 * area(others)[:, None]).any(axis=1).sum())
    return count / max(_count(people), 1)


def _percent(part: int, whole: int) -> float:
    """100 where there is nothing to lose."""
    return 100 * part / whole if whole else 100.0


def _count(people: Sequence[DoubleArray]) -> int:
    return sum(map(len, people))
