"""Which detection belongs to which track: cost, then solve.

The cost weighs how well two boxes overlap under the uncertainty of the track's place. Both boxes
are grown by a share of that uncertainty before they are compared (buffered IoU: Yang et al.,
C-BIoU, arXiv 2211.14317, who grow them by a fixed share of their size), so boxes that no longer
touch, at 2 frames a second or after a gap, still compare. The overlap is multiplied by that of
heights alone (height-modulated IoU: Yang et al., Hybrid-SORT, arXiv 2308.00783), because two
people who meet differ in height and foot point more than in place. What it exceeds the least
overlap acceptable for the detection by counts in proportion to the certainty of the track's place:
where two tracks could take a detection, the one that was seen lately wins, but alone the other may
have it.
"""

from dataclasses import dataclass

import lap
import numpy as np

from pipeline.geometry import Boxes
from pipeline.types import BoolArray, DoubleArray, IntArray

BUFFER_SPREADS = 0.65
"""By how many standard deviations boxes grow. Tuned as in `tracker.py`; 0, which is the plain IoU,
costs 1.9 on MOT15, 6.1 on simulated sites and 4.4 in dense crowds."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Tracks and detections that could belong together; every pair of the two at most once.

    Attributes:
        tracks: (P,) int64, row numbers of tracks.
        detections: (P,) int64, row numbers of detections.
        costs: (P,) float64; below 0 where making the pair beats leaving both alone.
    """

    tracks: IntArray
    detections: IntArray
    costs: DoubleArray

    def __getitem__(self, kept: BoolArray | IntArray) -> "Pairs":
        """Some of the pairs, by a mask (P,) or their numbers."""
        return Pairs(self.tracks[kept], self.detections[kept], self.costs[kept])


def candidates(
    boxes: Boxes, spreads: DoubleArray, detections: Boxes, least_overlaps: DoubleArray
) -> Pairs:
    """The pairs whose boxes overlap by more than the detection's least overlap, once grown.

    A pair costs certainty * (least overlap - overlap), which lies in [-1, 0), with certainty =
    area / grown area of the track's box.

    Args:
        boxes: (N, 4) xyxy, where tracks are expected; no side is 0.
        spreads: (N, 2), standard deviation of their centres in x and y, pixels.
        detections: (M, 4) xyxy.
        least_overlaps: (M,) in [0, 1], what a track has to overlap each of them by.
    """
    growth = 2 * BUFFER_SPREADS * spreads
    sides = boxes[:, 2:] - boxes[:, :2]
    certainty = sides.prod(1) / (sides + growth).prod(1)
    rows, columns = _touching(boxes, growth, detections)
    overlap = overlaps(boxes[rows], detections[columns], growth[rows])
    pairs = Pairs(rows, columns, certainty[rows] * (least_overlaps[columns] - overlap))
    return pairs[pairs.costs < 0]


def _touching(boxes: Boxes, growth: DoubleArray, detections: Boxes) -> tuple[IntArray, IntArray]:
    """Rows and columns of the pairs that overlap once both boxes have grown.

    In a crowd these are few: a table of flags (N, M) is much cheaper than one of overlaps.
    """
    low, high = (boxes[:, :2] - growth).T[:, :, None], (boxes[:, 2:] + growth).T[:, :, None]
    near = low[0] < detections[:, 2]
    near &= high[0] > detections[:, 0]
    near &= low[1] < detections[:, 3]
    near &= high[1] > detections[:, 1]
    rows, columns = near.nonzero()
    return rows, columns


def overlaps(first: Boxes, second: Boxes, growth: DoubleArray) -> DoubleArray:
    """Height-modulated IoU (P,) in [0, 1] of boxes (P, 4) and (P, 4), pair by pair.

    Both boxes of a pair are first made wider and taller by its `growth` (P, 2), pixels.
    """
    one, other, grow = first.T, second.T, growth.T
    shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]) + grow  # (2, P)
    np.maximum(shared, 0, out=shared)
    one_sides, other_sides = one[2:] - one[:2] + grow, other[2:] - other[:2] + grow
    both = shared[0] * shared[1]
    either = one_sides[0] * one_sides[1] + other_sides[0] * other_sides[1] - both
    tall = one_sides[1] + other_sides[1] - shared[1]
    return np.asarray(both * shared[1] / (either * tall))


def contested(pairs: Pairs) -> BoolArray:
    """Which pairs (P,) have a rival: another pair of the same track or the same detection."""
    rows, columns = pairs.tracks, pairs.detections
    return np.asarray((np.bincount(rows)[rows] > 1) | (np.bincount(columns)[columns] > 1))


def solve(pairs: Pairs) -> IntArray:
    """The numbers of the pairs to make: the assignment of least total cost.

    Each track and each detection is in at most one of them, and all cost less than 0. Pairs that
    have no rival are made at once; only the rest goes to the solver (Jonker-Volgenant).
    """
    worth = np.flatnonzero(pairs.costs < 0)
    is_contested = contested(pairs[worth])
    if not is_contested.any():
        return worth
    rest = worth[is_contested]
    return np.concatenate([worth[~is_contested], rest[_solve_contested(pairs[rest])]])


def _solve_contested(pairs: Pairs) -> IntArray:
    """`solve` by the solver, on a table of the tracks and detections that are left."""
    rows, columns = _ranks(pairs.tracks), _ranks(pairs.detections)
    shape = rows.max() + 1, columns.max() + 1
    costs, numbers = np.zeros(shape), np.zeros(shape, np.int64)
    costs[rows, columns], numbers[rows, columns] = pairs.costs, np.arange(len(rows))
    _, column_of, _ = lap.lapjv(costs, extend_cost=True)  # -1 where a row has none
    row = np.flatnonzero(column_of >= 0)
    chosen = row, column_of[row]
    return np.asarray(numbers[chosen][costs[chosen] < 0])


def _ranks(values: IntArray) -> IntArray:
    """Values (P,) >= 0 renamed to 0, 1, ... in their order."""
    return np.asarray((np.cumsum(np.bincount(values) > 0) - 1)[values])
