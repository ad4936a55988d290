import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tracking import kalman
from pipeline.tracking.kalman import States, first_states, to_centre_size, transition

SECONDS = st.floats(1e-3, 20)


def random_states(count: int, seed: int = 0) -> States:
    random = np.random.default_rng(seed)
    boxes = random.uniform(0, 500, (count, 2))
    states = first_states(np.hstack([boxes, boxes + random.uniform(20, 200, (count, 2))]))
    states.mean[1, :3] = random.normal(0, 50, (3, count))  # height keeps still: see below
    states.predict(0.3)
    return states


def test_to_centre_size():
    assert to_centre_size(np.array([[10.0, 20.0, 30.0, 80.0]])).T.tolist() == [[20, 50, 20, 60]]


def test_hand_worked_transition(monkeypatch):
    monkeypatch.setattr(kalman, "TIME_CONSTANT_SECONDS", 1.0)
    monkeypatch.setattr(kalman, "SPEED", np.array([2.0, 1.0, 1.0, 1.0]))
    step = transition(np.log(2))  # half of the velocity is lost
    assert step.mean == pytest.approx(np.array([[1, 0.5], [0, 0.5]]))
    assert step.covariance == pytest.approx(np.array([[1, 1, 0.25], [0, 0.5, 0.25], [0, 0, 0.25]]))
    # var x = 2 (ln 2 - 1/2) - 1/4, cov = 1/4, var v = 3/4; centre x is four times as lively
    unit = np.array([2 * np.log(2) - 1.25, 0.25, 0.75])
    assert step.noise == pytest.approx(np.stack([4 * unit, unit, unit, unit], axis=1))


def test_transition_is_the_integral_of_the_process():
    """Against many small Euler steps of the moments' differential equations."""
    tau, elapsed, steps = kalman.TIME_CONSTANT_SECONDS, 1.7, 100_000
    drive = 2 * kalman.SPEED**2 / tau
    dt = elapsed / steps
    x, c, v = np.zeros(4), np.zeros(4), np.zeros(4)
    for _ in range(steps):
        x, c, v = x + 2 * c * dt, c + (v - c / tau) * dt, v + (drive - 2 * v / tau) * dt
    assert transition(elapsed).noise == pytest.approx(np.stack([x, c, v]), rel=1e-3)


@given(SECONDS, SECONDS)
def test_two_predictions_equal_one_long_one(first, second):
    short, long = random_states(5), random_states(5)
    short.mean[1, 3] = long.mean[1, 3] = 0  # noise is scaled by the height at the start
    short.predict(first)
    short.predict(second)
    long.predict(first + second)
    assert short.mean == pytest.approx(long.mean)
    assert short.covariance == pytest.approx(long.covariance, rel=1e-6, abs=1e-9)


def test_velocity_stays_bounded_out_of_sight():
    states = first_states(np.array([[0.0, 0.0, 40.0, 100.0]]))
    states.mean[1, 0, 0] = 100.0
    states.predict(1000.0)
    assert states.mean[1, 0, 0] == pytest.approx(0)
    assert states.mean[0, 0, 0] == pytest.approx(20 + 100 * kalman.TIME_CONSTANT_SECONDS)
    assert states.covariance[2, :, 0] == pytest.approx((100 * kalman.SPEED) ** 2)


def test_hand_worked_correction(monkeypatch):
    monkeypatch.setattr(kalman, "MEASUREMENT", np.array([0.1, 0.1, 0.1, 0.1]))
    states = States(mean=np.zeros((2, 4, 1)), covariance=np.zeros((3, 4, 1)))
    states.mean[:, 0, 0] = [50.0, 2.0]
    states.covariance[:, 0, 0] = [300.0, 100.0, 50.0]
    # measured: centre x 90, height 100, so noise (0.1 * 100)^2 = 100 and gains 3/4 and 1/4
    states.correct(np.array([0]), np.array([[80.0, 0.0, 100.0, 100.0]]), np.array([1.0]))
    assert states.mean[:, 0, 0] == pytest.approx([50 + 0.75 * 40, 2 + 0.25 * 40])
    assert states.covariance[:, 0, 0] == pytest.approx([300 / 4, 100 / 4, 50 - 25])


def test_arrays_equal_a_loop_over_textbook_filters():
    random = np.random.default_rng(1)
    states = random_states(7)
    rows = np.array([5, 0, 3])
    low = random.uniform(0, 500, (3, 2))
    boxes = np.hstack([low, low + random.uniform(20, 200, (3, 2))])
    scores = np.array([1.0, 0.5, 0.0])
    expected_mean, expected_covariance = states.mean.copy(), states.covariance.copy()
    for row, box, score in zip(rows, boxes, scores, strict=True):
        z = to_centre_size(box[None])[:, 0]
        for i in range(4):
            a, b, d = states.covariance[:, i, row]
            p, h = np.array([[a, b], [b, d]]), np.array([[1.0, 0.0]])
            s = h @ p @ h.T + (z[3] * kalman.MEASUREMENT[i]) ** 2 * (4 - 3 * score)
            k = p @ h.T / s
            expected_mean[:, i, row] += (k * (z[i] - states.mean[0, i, row]))[:, 0]
            p = (np.eye(2) - k @ h) @ p
            expected_covariance[:, i, row] = [p[0, 0], p[0, 1], p[1, 1]]
    states.correct(rows, boxes, scores)
    assert states.mean == pytest.approx(expected_mean)
    assert states.covariance == pytest.approx(expected_covariance)


def test_prediction_equals_a_loop_over_textbook_filters():
    states, elapsed = random_states(6), 0.7
    step = transition(elapsed)
    expected = np.zeros_like(states.covariance)
    for n in range(6):
        for i in range(4):
            a, b, d = states.covariance[:, i, n]
            q = step.noise[:, i] * states.mean[0, 3, n] ** 2
            p = step.mean @ np.array([[a, b], [b, d]]) @ step.mean.T
            expected[:, i, n] = [p[0, 0] + q[0], p[0, 1] + q[1], p[1, 1] + q[2]]
    states.predict(elapsed)
    assert states.covariance == pytest.approx(expected)


@given(st.lists(st.tuples(SECONDS, st.booleans()), min_size=1, max_size=30))
def test_covariances_stay_valid(steps):
    states = random_states(4)
    for elapsed, seen in steps:
        states.predict(elapsed)
        if seen:
            states.correct(np.arange(4), states.boxes() + 3, np.full(4, 0.7))
        spread, shared, speed = states.covariance
        assert (spread > 0).all()
        assert (speed > 0).all()
        assert (shared**2 <= spread * speed * (1 + 1e-9)).all()


def test_a_steady_walk_is_learned():
    states = first_states(np.array([[0.0, 0.0, 40.0, 100.0]]))
    for step in range(1, 51):
        states.predict(0.04)
        x = 2.0 * step  # 50 pixels a second
        states.correct(np.array([0]), np.array([[x, 0.0, x + 40, 100.0]]), np.array([0.9]))
    assert states.mean[1, 0, 0] == pytest.approx(50, rel=0.1)
    assert states.boxes()[0] == pytest.approx([100, 0, 140, 100], abs=1)


def test_boxes_never_vanish():
    states = first_states(np.array([[10.0, 10.0, 10.0, 10.0]]))
    states.predict(0.04)
    states.correct(np.array([0]), np.array([[10.0, 10.0, 10.0, 10.0]]), np.array([0.9]))
    assert states.boxes().tolist() == [[9.5, 9.5, 10.5, 10.5]]
    assert np.isfinite(states.covariance).all()


def test_subset_and_extended():
    states = random_states(3)
    joined = states.subset(np.array([True, False, True])).extended(random_states(1, seed=5))
    assert joined.mean[..., :2].tolist() == states.mean[..., [0, 2]].tolist()
    assert joined.covariance.shape == (3, 4, 3)
