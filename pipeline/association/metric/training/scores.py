"""How well a score tells pairs of one person from pairs of two; both weigh the same as a whole."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from pipeline.types import BoolArray, DoubleArray, IntArray

RESAMPLES: Final = 200
SURELY: Final = 0.05
"""A gain is sure where all but this share of resamples show it."""


@dataclass(frozen=True, slots=True)
class PlattCurve:
    """Log-odds of a score: slope * score + intercept, slope >= 0 (Platt 1999).

    0 is where P(same) is 1/2 if as many pairs are of one person as of two.
    """

    slope: float
    intercept: float

    def log_odds(self, scores: DoubleArray) -> DoubleArray:
        """Of scores (P,)."""
        return self.slope * scores + self.intercept


def fit_platt(scores: DoubleArray, same: BoolArray) -> PlattCurve:
    """Least cross-entropy over pairs (P,) of known answer, at equal weights of both classes."""
    ones, others = int(same.sum()), int((~same).sum())
    centre, scale = float(scores.mean()), max(float(scores.std()), 1e-9)
    scaled = (scores - centre) / scale
    weights = np.where(same, 0.5 / ones, 0.5 / others)
    # Platt's targets: never quite certain, so that evidence stays finite.
    targets = np.where(same, (ones + 1) / (ones + 2), 1 / (others + 2))

    def loss(parameters: DoubleArray) -> tuple[float, DoubleArray]:
        activation = parameters[0] * scaled + parameters[1]
        each = -(targets * log_expit(activation) + (1 - targets) * log_expit(-activation))
        error = weights * (expit(activation) - targets)
        return float(weights @ each), np.array([error @ scaled, error.sum()])

    found = minimize(loss, [1.0, 0.0], jac=True, bounds=[(0, None), (None, None)])
    slope, intercept = found.x
    return PlattCurve(float(slope / scale), float(intercept - slope * centre / scale))


def balanced_error(log_odds: DoubleArray, same: BoolArray) -> float:
    """Mean of the share of one person's pairs refused and of two people's accepted, at 0."""
    return float(((log_odds[same] <= 0).mean() + (log_odds[~same] > 0).mean()) / 2)


def auc(scores: DoubleArray, same: BoolArray) -> float:
    """Area under the ROC curve: how often a pair of one person scores above one of two."""
    return float(_Ranking(scores, same).auc(np.ones(len(scores))))


def sure_gain(
    new: DoubleArray,
    old: DoubleArray,
    same: BoolArray,
    people: tuple[IntArray, IntArray],
    seed: int,
) -> float:
    """What the AUC of new scores (P,) surely has more than that of old ones; negative: it may lose.

    The 5 % quantile of the difference when people, not pairs, are drawn anew: a person's pairs
    have much in common.

    Args:
        new: Scores (P,).
        old: Scores (P,) of the same pairs.
        same: Whether one person (P,).
        people: Of each pair (P,) and (P,).
        seed: Of the draws.
    """
    rng = np.random.default_rng(seed)
    names, members = np.unique(np.stack(people), return_inverse=True)
    first, second = members.reshape(2, -1)
    rankings = _Ranking(new, same), _Ranking(old, same)
    gains: list[float] = []
    while len(gains) < RESAMPLES:
        times = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        weights = np.where(same, times[first], times[first] * times[second])
        if weights[same].any() and weights[~same].any():
            gains.append(rankings[0].auc(weights) - rankings[1].auc(weights))
    return float(np.quantile(gains, SURELY))


class _Ranking:
    """Pairs in order of a score, so that AUCs at many weights cost one sorting. Ties count half."""

    def __init__(self, scores: DoubleArray, same: BoolArray) -> None:
        self._order = np.argsort(scores, kind="stable")
        self._same = same[self._order]
        rising = scores[self._order]
        self._ends = np.append(np.flatnonzero(np.diff(rising) > 0), len(rising) - 1)

    def auc(
        self, weights: "np.ndarray[tuple[int, ...], np.dtype[np.floating | np.integer]]"
    ) -> float:
        ordered = weights[self._order].astype(np.float64)
        # Cumulated at the end of each run of equal scores.
        ones = np.cumsum(np.where(self._same, ordered, 0))[self._ends]
        others = np.cumsum(np.where(self._same, 0, ordered))[self._ends]
        below = (others + np.append(0, others[:-1])) / 2
        return float(np.diff(ones, prepend=0) @ below / (ones[-1] * others[-1]))
