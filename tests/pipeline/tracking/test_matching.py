from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.geometry import area, iou
from pipeline.tracking.matching import BUFFER_SPREADS, interpret, overlap_cost, solve

COSTS = st.tuples(st.integers(0, 5), st.integers(0, 5)).flatmap(
    # whole tenths make ties and values at the gate likely
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 10).map(lambda v: v / 10))
)


def random_boxes(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    low = random.uniform(0, 200, (count, 2))
    return np.hstack([low, low + random.uniform(10, 100, (count, 2))])


def test_certain_places_give_the_plain_iou():
    tracks, detections = random_boxes(6, 0), random_boxes(4, 1)
    cost = overlap_cost(tracks, np.zeros((6, 2)), detections)
    assert cost == pytest.approx(1 - iou(tracks, detections))


def test_hand_worked_cost():
    # 10 x 10 boxes, 20 apart from left to left; grown by 10 to each side in x they are 30 x 10 and
    # share 10 x 10 of 50 x 10; the track's own area is a third of the grown one
    spread = np.array([[10 / BUFFER_SPREADS, 0.0]])
    cost = overlap_cost(np.array([[0.0, 0, 10, 10]]), spread, np.array([[20.0, 0, 30, 10]]))
    assert cost[0, 0] == pytest.approx(1 - 100 / 500 / 3)


def test_cost_equals_a_loop_over_pairs():
    tracks, detections = random_boxes(5, 2), random_boxes(7, 3)
    spreads = np.random.default_rng(4).uniform(0, 60, (5, 2))
    expected = np.empty((5, 7))
    for i, track in enumerate(tracks):
        growth = np.concatenate([-spreads[i], spreads[i]]) * BUFFER_SPREADS
        for j, detection in enumerate(detections):
            overlap = iou((track + growth)[None], (detection + growth)[None])[0, 0]
            expected[i, j] = 1 - overlap * area(track[None])[0] / area((track + growth)[None])[0]
    assert overlap_cost(tracks, spreads, detections) == pytest.approx(expected)


@given(st.floats(0, 200), st.floats(0, 200))
def test_of_two_places_the_certain_one_is_cheaper(sure, unsure):
    box = np.array([[0.0, 0, 40, 100]])
    sure, unsure = sorted([sure, unsure])
    costs = [overlap_cost(box, np.full((1, 2), s), box)[0, 0] for s in (sure, unsure)]
    assert 0 <= costs[0] <= costs[1] + 1e-12 <= 1


def test_uncertainty_reaches_boxes_that_no_longer_touch():
    track, detection = np.array([[0.0, 0, 40, 100]]), np.array([[45.0, 0, 85, 100]])
    assert overlap_cost(track, np.zeros((1, 2)), detection)[0, 0] == 1
    assert overlap_cost(track, np.array([[20.0, 0]]), detection)[0, 0] < 1


def best_total(cost: np.ndarray, gate: float) -> float:
    """By trying everything: rows to columns or to none, which costs the gate."""
    rows, columns = cost.shape
    padded = np.hstack([np.where(cost < gate, cost, np.inf), np.full((rows, rows), gate)])
    choices = permutations(range(columns + rows), rows)
    return min(sum(padded[i, j] for i, j in enumerate(choice)) for choice in choices)


@settings(max_examples=60, deadline=None)
@given(
    COSTS.filter(lambda c: c.shape[0] <= 4 and c.shape[1] <= 4), st.sampled_from([0.3, 0.5, 0.8])
)
def test_solve_finds_the_optimum(cost, gate):
    columns = solve(cost, gate)
    total = sum(gate if j < 0 else cost[i, j] for i, j in enumerate(columns))
    assert total == pytest.approx(best_total(cost, gate))


@given(COSTS, st.sampled_from([0.3, 0.5, 0.8]))
def test_assignment_is_one_to_one_below_the_gate(cost, gate):
    tracks, detections = np.arange(len(cost)) + 100, np.arange(cost.shape[1]) + 200
    result = interpret(solve(cost, gate), tracks, detections)
    assert sorted([*result.tracks, *result.tracks_left]) == tracks.tolist()
    assert sorted([*result.detections, *result.detections_left]) == detections.tolist()
    assert (cost[result.tracks - 100, result.detections - 200] < gate).all()


def test_solve_prefers_the_best_total_to_the_best_pair():
    cost = np.array([[0.1, 0.2], [0.15, 0.9]])
    assert solve(cost, gate=0.8).tolist() == [1, 0]


def test_a_pair_at_the_gate_is_not_made():
    assert solve(np.array([[0.5]]), gate=0.5).tolist() == [-1]
    # in the solver as well: row 0 wins the only column, row 1 is left
    assert solve(np.array([[0.1], [0.4]]), gate=0.5).tolist() == [0, -1]
    contested = np.array([[0.1, 0.9, 0.9], [0.2, 0.9, 0.5], [0.3, 0.1, 0.4]])
    assert solve(contested, gate=0.5).tolist() == [0, -1, 1]


def test_interpret_names_pairs_and_leftovers():
    result = interpret(np.array([2, -1, 0]), np.array([7, 8, 9]), np.array([10, 11, 12, 13]))
    assert result.tracks.tolist() == [7, 9]
    assert result.detections.tolist() == [12, 10]
    assert result.tracks_left.tolist() == [8]
    assert result.detections_left.tolist() == [11, 13]
