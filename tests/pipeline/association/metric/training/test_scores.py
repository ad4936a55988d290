"""AUC, calibration and sure gains: by hand, by oracle, on distributions of known answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from pipeline.association.metric.training.scores import auc, balanced_error, fit_platt, sure_gain


def test_auc_by_hand() -> None:
    """Of 2 x 2 comparisons one is won, two are ties, one is lost: (1 + 2 / 2) / 4."""
    assert auc(np.array([1.0, 2.0, 1.0, 2.0]), np.array([True, True, False, False])) == 0.5
    assert auc(np.array([0.1, 0.9]), np.array([False, True])) == 1.0


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40))
def test_auc_is_that_of_scikit_learn(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([float(score) for score, _ in pairs])
    same = np.array([is_same for _, is_same in pairs])
    if same.any() and not same.all():
        assert auc(scores, same) == pytest.approx(roc_auc_score(same, scores))


def test_error_at_even_log_odds_by_hand() -> None:
    """One of two of one person refused, one of four of two people accepted."""
    log_odds = np.array([1.0, -1.0, 2.0, -1.0, -2.0, 0.0])
    same = np.array([True, True, False, False, False, False])
    assert balanced_error(log_odds, same) == (0.5 + 0.25) / 2


def test_calibration_is_even_at_equal_priors_whatever_the_shares() -> None:
    """Normals of means 0 and 1, spread 0.5: log-odds = 4 score - 2; 1 in 50 is one person."""
    rng = np.random.default_rng(0)
    same = np.arange(100_000) < 2_000
    curve = fit_platt(rng.normal(same, 0.5), same)
    assert curve.slope == pytest.approx(4, rel=0.05)
    assert curve.intercept == pytest.approx(-2, rel=0.05)


def test_a_score_that_is_against_itself_says_nothing() -> None:
    same = np.arange(100) < 50
    assert fit_platt(-same.astype(float), same).slope == 0


def test_a_gain_is_sure_only_over_people() -> None:
    """Noise that is a person's own repeats in all their pairs: many pairs do not make it sure."""
    rng = np.random.default_rng(0)
    people, times = 60, 12
    first = np.repeat(np.arange(people), times)
    second = np.where(np.arange(len(first)) % 2 == 0, first, (first + 1 + first % 7) % people)
    same = first == second
    old = same + rng.normal(size=len(first))
    better = same + 0.2 * rng.normal(size=len(first))
    own = same + rng.normal(size=people)[first]
    assert sure_gain(better, old, same, (first, second), 0) > 0.05
    assert sure_gain(old, old, same, (first, second), 0) == 0
    assert sure_gain(own, old, same, (first, second), 0) < 0
