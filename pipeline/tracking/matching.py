"""Which detection belongs to which track: cost, solve, interpret.

The cost is one minus the overlap to be expected under the uncertainty of the track's place. Both
boxes are grown by a share of that uncertainty before they are compared (buffered IoU: Yang et al.,
C-BIoU, arXiv 2211.14317, who grow them by a fixed share of their size), and the result is scaled
by what growing did to the track's own box. So boxes that no longer touch, at 4 frames a second or
after a gap, still compare; and where two tracks could take a detection, the one that was seen
lately is the cheaper one.
"""

from dataclasses import dataclass

import lap
import numpy as np

from pipeline.geometry import Boxes
from pipeline.types import BoolArray, DoubleArray, IntArray

BUFFER_SPREADS = 0.5
"""By how many standard deviations boxes grow; tuned as in `kalman.py`: 0, which is the plain IoU,
costs 1.2 HOTA on MOT15 and 1.0 costs 0.4."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Pairs, and what is left: every track and every detection is in exactly one place.

    Attributes:
        tracks: (P,) int64, matched with
        detections: (P,) int64.
        tracks_left: (N - P,) int64, in the order in which they were offered.
        detections_left: (M - P,) int64, in the order in which they were offered.
    """

    tracks: IntArray
    detections: IntArray
    tracks_left: IntArray
    detections_left: IntArray


def overlap_cost(boxes: Boxes, spreads: DoubleArray, detections: Boxes) -> DoubleArray:
    """One minus the expected overlap of predicted and detected boxes; in [0, 1].

    With boxes that grow by b = `BUFFER_SPREADS` times the spread to each side, the overlap is
    BIoU_b(track, detection) * area(track) / area(track grown by b). It is the plain IoU where the
    track's place is certain.

    Args:
        boxes: (N, 4) xyxy, where tracks are expected; no side is 0.
        spreads: (N, 2), standard deviation of their centres in x and y, pixels.
        detections: (M, 4) xyxy.

    Returns:
        (N, M) float64.
    """
    growth = 2 * BUFFER_SPREADS * spreads
    sides, others = boxes[:, 2:] - boxes[:, :2], detections[:, 2:] - detections[:, :2]
    grown = sides + growth
    shared = _shared_side(boxes, growth, detections, 0)
    shared *= _shared_side(boxes, growth, detections, 1)
    # (other width + growth x) (other height + growth y) + grown area, as one product of matrices.
    ones = np.ones(len(detections))
    areas = np.column_stack([np.ones(len(boxes)), growth, growth.prod(1) + grown.prod(1)]) @ (
        np.stack([others.prod(1), others[:, 1], others[:, 0], ones])
    )
    areas -= shared
    shared *= (sides.prod(1) / grown.prod(1))[:, None]
    return np.asarray(1 - shared / areas)


def _shared_side(boxes: Boxes, growth: DoubleArray, detections: Boxes, axis: int) -> DoubleArray:
    """Length (N, M) that grown boxes have in common along one axis."""
    side = np.minimum(boxes[:, axis + 2, None], detections[:, axis + 2])
    side -= np.maximum(boxes[:, axis, None], detections[:, axis])
    side += growth[:, axis, None]
    return np.asarray(np.maximum(side, 0, out=side))


def solve(cost: DoubleArray, gate: float) -> IntArray:
    """The assignment of least total cost in which only pairs cheaper than the gate are made.

    Making a pair counts its cost, leaving a row alone counts the gate. Pairs that have no rival
    are made at once; only the rest goes to the solver (Jonker-Volgenant), with the gate's cost in
    the place of every dearer pair, which has the same optimum as a cost limit at a fraction of
    its time.

    Returns:
        (N,) int64, the column of each row of the cost (N, M), -1 where it has none.
    """
    columns = np.full(len(cost), -1, np.int64)
    if cost.size == 0:
        return columns
    allowed = cost < gate
    per_row, per_column = allowed.sum(1), allowed.sum(0)
    certain_rows = np.flatnonzero(per_row == 1)
    choice = allowed[certain_rows].argmax(1)
    alone = per_column[choice] == 1
    columns[certain_rows[alone]] = choice[alone]
    per_column[choice[alone]] = 0
    rows = np.flatnonzero((per_row > 0) & (columns < 0))
    if len(rows):
        contested = np.flatnonzero(per_column)
        columns[rows] = _solve_contested(cost[np.ix_(rows, contested)], gate, contested)
    return columns


def _solve_contested(cost: DoubleArray, gate: float, columns: IntArray) -> IntArray:
    """`solve` by the solver; what it chose is named by `columns` (M,)."""
    solution = lap.lapjv(np.minimum(cost, gate), extend_cost=True, return_cost=False)[0]
    chosen = np.take_along_axis(cost, np.maximum(solution, 0)[:, None], 1)[:, 0]
    return np.where((solution >= 0) & (chosen < gate), columns[solution], -1)


def interpret(columns: IntArray, tracks: IntArray, detections: IntArray) -> Assignment:
    """Name the pairs and leftovers of a solution (N,).

    Args:
        columns: As `solve` returns them.
        tracks: (N,), what the rows of the cost stand for.
        detections: (M,), what its columns stand for.
    """
    matched = columns >= 0
    chosen = columns[matched]
    left: BoolArray = np.ones(len(detections), np.bool_)
    left[chosen] = False
    return Assignment(tracks[matched], detections[chosen], tracks[~matched], detections[left])
