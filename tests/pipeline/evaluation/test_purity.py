"""Purity of tracklets, worked by hand."""

from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.purity import TrackletScores, score_tracklets

Row = tuple[int, int, float]


def tracks(rows: list[Row]) -> CameraTracks:
    """Rows (frame, id, place): boxes 10 px wide, 20 px apart; tenths of a place are 2 px."""
    table = np.array(rows, np.float64).reshape(-1, 3)
    left = 20 * table[:, 2]
    boxes = np.column_stack([left, 0 * left, left + 10, 0 * left + 20])
    return CameraTracks("cam", table[:, 0].astype(int), table[:, 1].astype(int), boxes)


def walk(identity: int, frames: range, place: float = 0) -> list[Row]:
    return [(frame, identity, place) for frame in frames]


TWO = [*walk(1, range(20)), *walk(2, range(20), 1)]
CASES = {
    # Two tracklets of one person each: as it should be.
    "pure": (TWO, [*walk(7, range(20)), *walk(8, range(20), 1)], (2, 100, 0, 1, 20)),
    # The first person in two pieces, the second in one: 3 tracklets for 2 people, 40 boxes.
    "fragments": (
        TWO,
        [*walk(7, range(5)), *walk(9, range(5, 20)), *walk(8, range(20), 1)],
        (3, 100, 0, 1.5, 40 / 3),
    ),
    # One tracklet: 12 boxes of the first person, 8 of the second, who is nobody's person.
    "mixed": (
        TWO,
        [*walk(7, range(12)), *walk(7, range(12, 20), 1)],
        (1, 60, 1, 1, 20),
    ),
    # 2 of 20 boxes are just enough for a second person; 1 of 2 is not, nor are 2 of 21.
    "two boxes, a tenth": (
        TWO,
        [*walk(7, range(18)), *walk(7, range(18, 20), 1)],
        (1, 90, 1, 1, 20),
    ),
    "one box": (TWO, [(0, 7, 0), (1, 7, 1)], (1, 50, 0, 1, 2)),
    "less than a tenth": (
        [*walk(1, range(21)), *walk(2, range(21), 1)],
        [*walk(7, range(19)), *walk(7, range(19, 21), 1)],
        (1, 100 * 19 / 21, 0, 1, 21),
    ),
    # Boxes on nobody are left out of purity: 4 of the first person, 16 far away. Tracklet 8 never
    # meets anybody: it is counted, but has no person.
    "nobody": (
        TWO,
        [*walk(7, range(4)), *walk(7, range(4, 20), 5), *walk(8, range(10), 6)],
        (2, 100, 0, 1, 15),
    ),
    # Shifted by a third of its width a box has an IoU of exactly 1/2; a little more is nobody.
    "IoU just at half": (
        [(0, 1, 0.0), (1, 1, 0.0)],
        [(0, 7, 1 / 6), (1, 7, 0.17)],
        (1, 100, 0, 1, 2),
    ),
    "IoU below half": ([(0, 1, 0.0)], [(0, 7, 0.17)], (1, 0, 0, 0, 1)),
    # One person, two boxes: the nearer one has them, though the other had them the frame before.
    "one to one, nearest": (
        [(0, 1, 0.0), (1, 1, 0.0)],
        [(0, 7, 0.0), (1, 7, 0.1), (1, 8, 0.0)],
        (2, 100, 0, 2, 1.5),
    ),
    # Tracklets 7 and 8 exchange two people half way: each half and half.
    "exchange": (
        TWO,
        [
            *walk(7, range(10)),
            *walk(8, range(10, 20)),
            *walk(8, range(10), 1),
            *walk(7, range(10, 20), 1),
        ],
        (2, 50, 2, 2, 20),
    ),
    "no tracklets": (TWO, [], (0, 0, 0, 0, 0)),
    "no truth": ([], walk(7, range(3)), (1, 0, 0, 0, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_hand_worked_scores(name: str) -> None:
    truth, found, expected = CASES[name]
    assert astuple(score_tracklets(tracks(truth), tracks(found))) == pytest.approx(expected)


ROWS = st.lists(
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 3)),
    max_size=20,
    unique_by=(lambda row: row[:2], lambda row: row[::2]),  # nobody shares a place: no ties
)


@given(ROWS, ROWS, st.permutations(range(4)))
def test_names_and_order_do_not_matter_and_cutting_never_makes_less_pure(
    truth: list[Row], found: list[Row], names: list[int]
) -> None:
    scores = score_tracklets(tracks(truth), tracks(found))
    renamed = [(frame, names[identity], place) for frame, identity, place in reversed(found)]
    again = score_tracklets(tracks(truth), tracks(renamed))
    assert again == scores

    halves = [(frame, identity + 10 * (frame > 2), place) for frame, identity, place in found]
    cut = score_tracklets(tracks(truth), tracks(halves))
    assert cut.purity >= scores.purity - 1e-9
    assert cut.tracklets >= scores.tracklets


def test_perfect_tracks_are_pure() -> None:
    assert score_tracklets(tracks(TWO), tracks(TWO)) == TrackletScores(2, 100.0, 0, 1.0, 20.0)
