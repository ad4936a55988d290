from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.geometry import area, iou
from pipeline.tracking.matching import (
    BUFFER_SPREADS,
    Pairs,
    candidates,
    contested,
    overlaps,
    solve,
)

LEAST = np.array([0.15])
COSTS = st.tuples(st.integers(0, 4), st.integers(0, 4)).flatmap(
    # whole tenths make ties and pairs worth nothing likely
    lambda shape: arrays(np.float64, shape, elements=st.integers(-9, 2).map(lambda v: v / 10))
)


def random_boxes(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    low = random.uniform(0, 200, (count, 2))
    return np.hstack([low, low + random.uniform(10, 100, (count, 2))])


def table(cost: np.ndarray) -> Pairs:
    rows, columns = np.indices(cost.shape).reshape(2, -1)
    return Pairs(rows, columns, cost.ravel())


def solved(cost) -> list[tuple[int, int]]:
    cost = np.asarray(cost, np.float64)
    pairs = table(cost)
    made = pairs[solve(pairs)]
    return sorted(zip(made.tracks.tolist(), made.detections.tolist(), strict=True))


def test_boxes_of_one_height_on_one_line_overlap_as_in_the_plain_iou():
    one, other = np.array([[0.0, 0, 40, 100]]), np.array([[10.0, 0, 50, 100]])
    assert overlaps(one, other, np.zeros((1, 2))) == pytest.approx(iou(one, other)[0])


def test_hand_worked_overlap():
    # 10 x 10 at (0, 0) and 10 x 20 at (20, 0), each 30 wider: 40 x 10 at (-15, 0), 40 x 20 at
    # (5, 0); they share 20 x 10 of 400 + 800 - 200, and 10 of 20 in height
    one, other = np.array([[0.0, 0, 10, 10]]), np.array([[20.0, 0, 30, 20]])
    assert overlaps(one, other, np.array([[30.0, 0]])) == pytest.approx([200 / 1000 * 10 / 20])


def test_boxes_apart_in_both_directions_do_not_overlap():
    one, other = np.array([[0.0, 0, 10, 10]]), np.array([[20.0, 30, 30, 40]])
    assert overlaps(one, other, np.zeros((1, 2))).tolist() == [0]


def test_pairs_with_a_rival():
    pairs = Pairs(np.array([0, 0, 1, 2, 3]), np.array([0, 1, 1, 2, 4]), np.full(5, -0.5))
    assert contested(pairs).tolist() == [True, True, True, False, False]
    assert contested(pairs[3:]).tolist() == [False, False]
    assert contested(pairs[:0]).tolist() == []


def test_candidates_equal_a_loop_over_pairs():
    tracks, detections = random_boxes(9, 2), random_boxes(14, 3)
    spreads = np.random.default_rng(4).uniform(0, 40, (9, 2))
    least = np.random.default_rng(5).uniform(0, 0.4, 14)
    expected = {}
    for i, track in enumerate(tracks):
        growth = np.concatenate([-spreads[i], spreads[i]]) * BUFFER_SPREADS
        for j, detection in enumerate(detections):
            one, other = track + growth, detection + growth
            tall = np.array([[0, one[1], 1, one[3]]]), np.array([[0, other[1], 1, other[3]]])
            overlap = (iou(one[None], other[None]) * iou(*tall))[0, 0]
            certainty = area(track[None])[0] / area(one[None])[0]
            if overlap > least[j]:
                expected[i, j] = certainty * (least[j] - overlap)
    pairs = candidates(tracks, spreads, detections, least)
    found = zip(pairs.tracks.tolist(), pairs.detections.tolist(), strict=True)
    assert dict(zip(found, pairs.costs.tolist(), strict=True)) == pytest.approx(expected)
    assert 9 < len(expected) < 9 * 14


@given(st.floats(0, 200), st.floats(0, 200))
def test_of_two_places_the_certain_one_is_cheaper(sure, unsure):
    box = np.array([[0.0, 0, 40, 100]])
    sure, unsure = sorted([sure, unsure])
    costs = [candidates(box, np.full((1, 2), s), box, LEAST).costs[0] for s in (sure, unsure)]
    assert -1 <= costs[0] <= costs[1] + 1e-12 < 0


def test_uncertainty_reaches_boxes_that_no_longer_touch():
    track, detection = np.array([[0.0, 0, 40, 100]]), np.array([[45.0, 0, 85, 100]])
    assert len(candidates(track, np.zeros((1, 2)), detection, LEAST).costs) == 0
    assert len(candidates(track, np.array([[40.0, 0]]), detection, LEAST).costs) == 1


@pytest.mark.parametrize(("tracks", "detections"), [(0, 0), (0, 3), (3, 0)])
def test_nothing_on_one_side_gives_no_pairs(tracks, detections):
    boxes, others = random_boxes(tracks, 0), random_boxes(detections, 1)
    pairs = candidates(boxes, np.ones((tracks, 2)), others, np.full(detections, 0.15))
    assert len(pairs.tracks) == len(pairs.detections) == len(solve(pairs)) == 0


def best_total(cost: np.ndarray) -> float:
    """By trying everything: rows to columns or to none, which costs nothing."""
    rows, columns = cost.shape
    padded = np.hstack([cost, np.zeros((rows, rows))])
    choices = permutations(range(columns + rows), rows)
    return min(sum(padded[i, j] for i, j in enumerate(choice)) for choice in choices)


@settings(max_examples=60, deadline=None)
@given(COSTS)
def test_solve_finds_the_optimum_one_to_one(cost):
    made = solved(cost)
    assert sum(cost[pair] for pair in made) == pytest.approx(best_total(cost))
    assert len({i for i, _ in made}) == len({j for _, j in made}) == len(made)
    assert all(cost[pair] < 0 for pair in made)


def test_solve_prefers_the_best_total_to_the_best_pair():
    assert solved([[-0.9, -0.8], [-0.85, -0.1]]) == [(0, 1), (1, 0)]


def test_a_pair_worth_nothing_is_not_made():
    assert solved([[0.0]]) == []
    # in the solver as well: row 0 wins the only column, row 1 is left
    assert solved([[-0.4], [-0.1]]) == [(0, 0)]
    assert solved([[-0.4, 0.4, 0.4], [-0.3, 0.4, 0.0], [-0.2, -0.4, -0.1]]) == [(0, 0), (2, 1)]
