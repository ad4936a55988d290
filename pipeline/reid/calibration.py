"""From similarities to decisions: P(same person), embeddings freed of their camera, a new person.

All values are frozen and come back unchanged from their JSON (`model_dump_json`,
`model_validate_json`), so that a store can keep them beside the encoder they were measured with;
they mean nothing for any other. Cameras are named as in the site file.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import isotonic_regression, minimize
from scipy.special import expit, log_expit, logit
from scipy.stats import beta, binom

from pipeline.types import BoolArray, DoubleArray, FloatArray, IntArray

MIN_PAIRS: Final = 200
"""Fewer pairs of two cameras than this say less about them than the pairs of all cameras do."""
MIN_OF_EACH: Final = 20
"""... of them so many of the same person, and so many of different people."""
SHRINKAGE_TRACKLETS: Final = 20.0
"""A camera's own mean and spread weigh n / (n + this) for n tracklets: the mean of a few people
says more about them than about the camera."""
LEAST_SPREAD: Final = 0.01
"""Of a dimension, as a part of all dimensions' spread: a dead one is not blown up."""
LEVEL: Final = 0.95
"""Of all intervals."""


class Measured(BaseModel):
    """A frozen value with a JSON form."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class PlattCurve(Measured):
    """P(same) = 1 / (1 + exp(-(slope * similarity + intercept))), Platt 1999; slope >= 0.

    `pairs` it was fitted on, and the share of them that were the same person.
    """

    kind: Literal["platt"] = "platt"
    pairs: int
    share_same: float
    slope: float
    intercept: float

    def probabilities(self, similarities: DoubleArray) -> DoubleArray:
        """P(same) of similarities (N,)."""
        return np.asarray(expit(self.slope * similarities + self.intercept))


class IsotonicCurve(Measured):
    """P(same) as the rising steps that fit best, linear between, flat outside: Zadrozny 2002."""

    kind: Literal["isotonic"] = "isotonic"
    pairs: int
    share_same: float
    knots: tuple[tuple[float, float], ...]

    def probabilities(self, similarities: DoubleArray) -> DoubleArray:
        """P(same) of similarities (N,)."""
        knots = np.array(self.knots)
        return np.asarray(np.interp(similarities, knots[:, 0], knots[:, 1]))


Curve = Annotated[PlattCurve | IsotonicCurve, Field(discriminator="kind")]
Method = Literal["platt", "isotonic"]


class CameraPairCurve(Measured):
    """The curve of two cameras (or of one with itself), their names in order."""

    cameras: tuple[str, str]
    curve: Curve


class SimilarityCalibration(Measured):
    """Similarity -> P(same person): a curve for two cameras where they had pairs enough, or all's.

    A cosine is symmetric, so pairs of cameras have no order.
    """

    pooled: Curve
    of_cameras: tuple[CameraPairCurve, ...]

    def probabilities(
        self, similarities: DoubleArray, first: Sequence[str], second: Sequence[str]
    ) -> DoubleArray:
        """P(same) of similarities (N,) between cameras, among pairs like those of the fit.

        That is with their share of pairs of the same person; see `log_odds` for evidence without.
        """
        return self._each(similarities, first, second)[0]

    def log_odds(
        self, similarities: DoubleArray, first: Sequence[str], second: Sequence[str]
    ) -> DoubleArray:
        """Evidence (N,) for "same person", to be added to other evidence; 0 is even.

        The log-odds of P(same) less those of the share of such pairs in the fit: what one
        similarity says, whatever the pairs were chosen by.
        """
        probabilities, prior = self._each(similarities, first, second)
        return np.asarray(logit(probabilities) - logit(prior))

    def _each(
        self, similarities: DoubleArray, first: Sequence[str], second: Sequence[str]
    ) -> tuple[DoubleArray, DoubleArray]:
        """P(same) (N,), and the share of such pairs in the fit that gave it (N,)."""
        curves = {one.cameras: one.curve for one in self.of_cameras}
        probabilities, prior = np.empty(len(similarities)), np.empty(len(similarities))
        for cameras, rows in _by_cameras(first, second).items():
            curve = curves.get(cameras, self.pooled)
            probabilities[rows] = curve.probabilities(similarities[rows])
            prior[rows] = curve.share_same
        return probabilities, prior


def fit_calibration(
    similarities: DoubleArray,
    is_same: BoolArray,
    first: Sequence[str],
    second: Sequence[str],
    method: Method = "platt",
) -> SimilarityCalibration:
    """The calibration of N pairs of known answer, between cameras `first` and `second`.

    Raises:
        ValueError: There are no pairs of the same person, or none of different people.
    """
    similarities = np.asarray(similarities, np.float64)
    fitted = tuple(
        CameraPairCurve(cameras=cameras, curve=_fit(similarities[rows], is_same[rows], method))
        for cameras, rows in sorted(_by_cameras(first, second).items())
        if len(rows) >= MIN_PAIRS
        and MIN_OF_EACH <= np.count_nonzero(is_same[rows]) <= len(rows) - MIN_OF_EACH
    )
    return SimilarityCalibration(pooled=_fit(similarities, is_same, method), of_cameras=fitted)


def _by_cameras(first: Sequence[str], second: Sequence[str]) -> dict[tuple[str, str], IntArray]:
    """Rows of the pairs of each two cameras."""
    rows: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for row, (one, other) in enumerate(zip(first, second, strict=True)):
        rows[min(one, other), max(one, other)].append(row)
    return {cameras: np.array(members, np.int64) for cameras, members in rows.items()}


def _fit(similarities: DoubleArray, is_same: BoolArray, method: Method) -> Curve:
    same, different = int(np.count_nonzero(is_same)), int(np.count_nonzero(~is_same))
    if not (same and different):
        raise ValueError(
            f"expected pairs of the same person and of different people, got {same} and {different}"
        )
    # Platt's targets: never quite certain, so that evidence stays finite.
    low, high = 1 / (different + 2), (same + 1) / (same + 2)
    if method == "platt":
        return _fit_platt(similarities, np.where(is_same, high, low), same)
    values, inverse, counts = np.unique(similarities, return_inverse=True, return_counts=True)
    shares = np.bincount(inverse, is_same) / counts
    steps = np.clip(isotonic_regression(shares, weights=counts).x, low, high)
    # Of each step its two ends are enough.
    is_end = np.ones(len(steps), bool)
    is_end[1:-1] = (steps[1:-1] != steps[:-2]) | (steps[1:-1] != steps[2:])
    knots = tuple(zip(values[is_end].tolist(), steps[is_end].tolist(), strict=True))
    return IsotonicCurve(pairs=len(is_same), share_same=same / len(is_same), knots=knots)


def _fit_platt(similarities: DoubleArray, targets: DoubleArray, same: int) -> PlattCurve:
    """Least cross-entropy, over similarities brought to mean 0 and spread 1."""
    centre, scale = similarities.mean(), max(float(similarities.std()), 1e-9)
    scaled = (similarities - centre) / scale

    def cross_entropy(parameters: DoubleArray) -> tuple[float, DoubleArray]:
        activation = parameters[0] * scaled + parameters[1]
        loss = -(targets * log_expit(activation) + (1 - targets) * log_expit(-activation))
        error = expit(activation) - targets
        return loss.mean(), np.array([(error * scaled).mean(), error.mean()])

    bounds = [(0, None), (None, None)]
    found = minimize(cross_entropy, [1.0, 0.0], jac=True, bounds=bounds, method="L-BFGS-B")
    slope, intercept = found.x
    return PlattCurve(
        pairs=len(targets),
        share_same=same / len(targets),
        slope=float(slope / scale),
        intercept=float(intercept - slope * centre / scale),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Reliability:
    """The numbers of a reliability diagram, B bins of equal width over [0, 1].

    Attributes:
        predicted: Mean probability in each bin (B,); NaN where it is empty.
        observed: Share of pairs of the same person in each bin (B,); NaN where it is empty.
        counts: Pairs in each bin (B,).
        ece: Expected calibration error: mean of |predicted - observed| over pairs.
    """

    predicted: DoubleArray
    observed: DoubleArray
    counts: IntArray
    ece: float


def reliability(probabilities: DoubleArray, is_same: BoolArray, bins: int = 10) -> Reliability:
    """How often pairs said to be the same with some probability are (Guo et al., ICML 2017)."""
    chosen = np.clip((probabilities * bins).astype(np.int64), 0, bins - 1)
    counts = np.bincount(chosen, minlength=bins)
    sums = np.bincount(chosen, probabilities, bins), np.bincount(chosen, is_same, bins)
    blank = np.where(counts > 0, counts, np.nan)
    ece = float(np.abs(sums[0] - sums[1]).sum() / max(1, len(probabilities)))
    return Reliability(sums[0] / blank, sums[1] / blank, counts, ece)


class CameraStandards(Measured):
    """Mean and spread of the embeddings of each camera, to be taken out of them; no labels needed.

    Light, lens and background shift and stretch all embeddings of a camera alike.
    """

    cameras: tuple[str, ...]
    means: tuple[tuple[float, ...], ...]
    spreads: tuple[tuple[float, ...], ...]
    centre: tuple[float, ...]
    spread: tuple[float, ...]

    def apply(self, embeddings: FloatArray, cameras: Sequence[str]) -> FloatArray:
        """Unit vectors (N, D) less their camera's mean, over its spread, of unit length again.

        Cameras that were not measured take the mean of the cameras' means and their common spread.
        """
        rows = {camera: row for row, camera in enumerate(self.cameras)}
        means, spreads = (
            np.array([*self.means, self.centre]),
            np.array([*self.spreads, self.spread]),
        )
        chosen = [rows.get(camera, len(self.cameras)) for camera in cameras]
        moved = (embeddings - means[chosen]) / spreads[chosen]
        moved /= np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12)
        return np.asarray(moved, np.float32)


def fit_camera_standards(embeddings: FloatArray, cameras: Sequence[str]) -> CameraStandards:
    """Standards of N tracklets' embeddings (N, D), shrunk to the common ones for few tracklets.

    Wants people seen by the cameras alike: a camera that sees other people than the others loses
    what tells them apart from these.
    """
    vectors, seen_by = np.asarray(embeddings, np.float64), np.array(cameras)
    names, numbers, counts = np.unique(seen_by, return_inverse=True, return_counts=True)
    parts = [vectors[numbers == number] for number in range(len(names))]
    means = np.array([part.mean(axis=0) for part in parts])  # (C, D)
    variances = np.array([part.var(axis=0) for part in parts])
    centre, common = means.mean(axis=0), np.average(variances, axis=0, weights=counts)
    weights = (counts / (counts + SHRINKAGE_TRACKLETS))[:, None]
    means = centre + weights * (means - centre)
    least = max(LEAST_SPREAD * math.sqrt(common.mean()), 1e-9)
    spreads = np.maximum(np.sqrt(weights * variances + (1 - weights) * common), least)
    return CameraStandards(
        cameras=tuple(names.tolist()),
        means=_rows(means),
        spreads=_rows(spreads),
        centre=tuple(centre.tolist()),
        spread=tuple(np.maximum(np.sqrt(common), least).tolist()),
    )


def _rows(table: DoubleArray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in table.tolist())


class NewPersonThreshold(Measured):
    """Who is less similar than this to everybody known is somebody new.

    Attributes:
        similarity: The threshold: similarities at least as large are accepted.
        low: Where the threshold of endlessly many impostors lies, with the high end: 95 %.
        high: 1 where there were too few impostors to say.
        false_accept_rate: What was asked for; of the impostors measured at most this share passes.
        rate_low: What share of further impostors will pass, with the high end: 95 %.
        rate_high: Far above what was asked for where there were too few impostors.
        impostors: How many were measured.
    """

    similarity: float
    low: float
    high: float
    false_accept_rate: float
    rate_low: float
    rate_high: float
    impostors: int


def new_person_threshold(impostors: DoubleArray, false_accept_rate: float) -> NewPersonThreshold:
    """The threshold that lets this share of impostors pass.

    The intervals rest on order statistics, whatever the distribution: the true quantile lies
    between impostors whose ranks are binomial, and the share above one of them is beta distributed.

    Args:
        impostors: Of N people who are not in the gallery, one value each, independent of one
            another: the greatest similarity to anybody in it.
        false_accept_rate: In (0, 1).

    Raises:
        ValueError: The rate is not in (0, 1), or there is no impostor.
    """
    falling = np.sort(np.asarray(impostors, np.float64))[::-1]
    count = len(falling)
    if not (0 < false_accept_rate < 1 and count):
        raise ValueError(
            "expected impostors and a false-accept rate in (0, 1), "
            f"got {count} and {false_accept_rate}"
        )
    tails = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    passing = passing_impostors(count, false_accept_rate)
    fewest, most = (int(binom.ppf(tail, count, false_accept_rate)) for tail in tails)
    rate_low, rate_high = beta.ppf(tails, passing + 1, count - passing)
    return NewPersonThreshold(
        similarity=acceptance_threshold(falling, passing),
        low=float(falling[min(most, count - 1)]),
        high=float(falling[fewest - 1]) if fewest else 1.0,
        false_accept_rate=false_accept_rate,
        rate_low=float(rate_low),
        rate_high=float(rate_high),
        impostors=count,
    )


def passing_impostors(count: int, rate: float) -> int:
    """How many of so many impostors are at most this share of them."""
    return math.floor(rate * count * (1 + 1e-12))  # .29 of 100 are 29


def acceptance_threshold(impostors: npt.NDArray[np.floating[Any]], passing: int) -> float:
    """The least threshold that at most so many of the impostors (N,) reach; passing < N.

    It is the next number above the first impostor that must not pass, so equal ones do not either.
    """
    last = len(impostors) - 1 - passing
    return float(np.nextafter(np.partition(impostors, last)[last], np.inf, dtype=impostors.dtype))
