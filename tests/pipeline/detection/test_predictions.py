"""Raw predictions to people, against numbers by hand and a naive loop."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipeline.detection.predictions import read_columns, read_rows, suppress
from pipeline.geometry import iou
from pipeline.types import DoubleArray


def test_rows_of_people_above_the_threshold_are_kept() -> None:
    raw = np.array(
        [
            [10, 20, 30, 60, 0.9, 1],
            [0, 0, 5, 5, 0.8, 0],  # another class
            [40, 20, 60, 60, 0.3, 1],
            [70, 20, 90, 60, 0.25, 1],  # not above
            [70, 20, 90, 60, 0.1, 1],
        ],
        np.float32,
    )
    people = read_rows(raw, [1], 0.25)
    np.testing.assert_allclose(people, raw[[0, 2], :5])


def test_columns_become_corners_and_overlaps_go() -> None:
    # Columns: centre x and y, width, height, confidence of a car and of a person.
    columns = [
        [50, 50, 20, 40, 0.0, 0.7],
        [51, 50, 20, 40, 0.0, 0.8],  # the same person, surer: (20 - 1) / (20 + 1) = .9 of it
        [60, 50, 20, 40, 0.0, 0.6],  # beside: 11 / 29 of the second
        [90, 50, 20, 40, 0.9, 0.5],  # rather a car
        [90, 90, 20, 40, 0.0, 0.1],  # too weak
    ]
    people = read_columns(np.array(columns, np.float32).T, 2, [1], 0.25, 0.5)
    np.testing.assert_allclose(people, [[41, 30, 61, 70, 0.8], [50, 30, 70, 70, 0.6]], atol=1e-6)


def test_further_columns_are_no_classes() -> None:
    """Key points of a pose network follow the classes."""
    column = np.array([[50, 50, 20, 40, 0.7, 300, 200]], np.float32).T
    assert read_columns(column, 1, [0], 0.25, 0.5).shape == (1, 5)


numbers = st.integers(0, 12)
boxes = st.lists(st.tuples(numbers, numbers, st.integers(1, 8), st.integers(1, 8)), max_size=12)


@given(boxes=boxes, overlap=st.sampled_from([0.0, 0.3, 0.5, 0.7]))
def test_suppression_keeps_what_no_better_one_overlaps(
    boxes: list[tuple[int, int, int, int]], overlap: float
) -> None:
    corners = np.array(boxes, np.float64).reshape(-1, 4)
    scores = np.linspace(0.9, 0.2, len(corners))[:, None]
    people = np.hstack([corners[:, :2], corners[:, :2] + corners[:, 2:], scores])[::-1]
    assert suppress(people, overlap) == _naive(people, overlap)


def _naive(people: DoubleArray, overlap: float) -> list[int]:
    kept: list[int] = []
    for row in reversed(range(len(people))):
        if all(iou(people[[row], :4], people[[k], :4])[0, 0] <= overlap + 1e-6 for k in kept):
            kept.append(row)
    return kept
