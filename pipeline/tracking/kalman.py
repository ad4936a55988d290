"""Kalman filter over all tracks at once: arrays instead of a loop over people.

State of a track: centre x, centre y, width and height of its box, each with its velocity, in
pixels and pixels per second. The four coordinates are filtered independently, so that a covariance
is three numbers a coordinate instead of an 8 x 8 matrix; the couplings left out are small for
upright boxes.

The velocity of a coordinate is an Ornstein-Uhlenbeck process (Uhlenbeck and Ornstein, Phys. Rev.
36, 1930) and the position its integral: a velocity is kept for about `TIME_CONSTANT_SECONDS` and
then forgotten, and its standard deviation stays bounded by `SPEED`. That fits people, who do not
accelerate for ever: a track not seen for a while comes to rest instead of flying on. The
transition is exact for every elapsed time, so two short predictions equal one long one, and a
changed frame rate or a gap does not change the meaning of a parameter.

Standard deviations are given in heights of the person's box: the same numbers fit near and far
people, and small and large images.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.geometry import Boxes
from pipeline.types import BoolArray, DoubleArray, IntArray

# Tuned on the 11 MOT15 training sequences with the detections of SORT and on simulated sites, at
# full rate, 5 and 2 frames a second. `SPEED` a fifth lower costs 0.8 HOTA on the latter; nothing
# else a fifth higher or lower changes a mean by more than 0.4.
TIME_CONSTANT_SECONDS = 4.5
SPEED = np.array([0.55, 0.33, 0.1, 0.2])  # of centre x, centre y, width, height; heights a second
MEASUREMENT = np.array([0.045, 0.045, 0.15, 0.1])  # of the same, at confidence 1; heights

UNSURE_GROWTH = 3.0
"""By how many times its own the variance of a measurement grows at confidence 0. At full rate in
dense crowds (see `tracker.py`) 1 costs 0.4 in the mean of HOTA and IDF1, 0 costs 0.8."""

SMALLEST_SIDE_PX = 1.0


@dataclass(frozen=True, slots=True)
class Transition:
    """How the state of a box one pixel high changes over some time.

    Attributes:
        mean: (2, 2), position and velocity to the same, later.
        covariance: (3, 3), var(position), cov(position, velocity), var(velocity) to the same.
        noise: (3, 4), what the process adds to these three, for each coordinate.
    """

    mean: DoubleArray
    covariance: DoubleArray
    noise: DoubleArray


@lru_cache(maxsize=64)  # frames come at a few distances in time only
def transition(elapsed_seconds: float) -> Transition:
    """The exact transition of the integrated Ornstein-Uhlenbeck process over a time >= 0."""
    tau = TIME_CONSTANT_SECONDS
    kept = float(np.exp(-elapsed_seconds / tau))
    lost = -float(np.expm1(-elapsed_seconds / tau))
    reach = tau * lost  # seconds for which the present velocity still carries
    spread = max(2 * tau * (elapsed_seconds - reach) - reach * reach, 0.0)
    return Transition(
        mean=np.array([[1.0, reach], [0.0, kept]]),
        covariance=np.array(
            [[1.0, 2 * reach, reach * reach], [0.0, kept, reach * kept], [0.0, 0.0, kept * kept]]
        ),
        noise=np.outer([spread, reach * lost, lost * (1 + kept)], SPEED**2),
    )


def to_centre_size(boxes: Boxes) -> DoubleArray:
    """Boxes (N, 4) xyxy to rows centre x, centre y, width, height (4, N)."""
    columns = boxes.T
    result = np.empty(columns.shape)
    np.subtract(columns[2:], columns[:2], out=result[2:])
    np.add(columns[2:], columns[:2], out=result[:2])
    result[:2] /= 2
    return result


@dataclass(slots=True)
class States:
    """The states of N tracks, all at one time.

    Tracks stand last, so that every step is one operation on long rows.

    Attributes:
        mean: (2, 4, N) float64, position and velocity of centre x, centre y, width, height;
            pixels, pixels per second.
        covariance: (3, 4, N) float64, var(position), cov(position, velocity), var(velocity).
    """

    mean: DoubleArray
    covariance: DoubleArray

    def predict(self, elapsed_seconds: float) -> None:
        """Move all states on by a time >= 0."""
        step = transition(elapsed_seconds)
        heights = np.maximum(self.mean[0, 3], SMALLEST_SIDE_PX)
        count = len(heights)
        self.mean = (step.mean @ self.mean.reshape(2, -1)).reshape(2, 4, count)
        self.covariance = (step.covariance @ self.covariance.reshape(3, -1)).reshape(3, 4, count)
        self.covariance += step.noise[:, :, None] * (heights * heights)

    def correct(self, rows: IntArray, boxes: Boxes, scores: DoubleArray) -> None:
        """Take in measured boxes (M, 4) xyxy of the tracks in `rows` (M,), each at most once.

        The variance of a measurement grows as its score (M,) falls: boxes of people half hidden
        are less exact (after NSA Kalman, GIAOTracker, arXiv 2202.11983, eq. 6).
        """
        measured = to_centre_size(boxes)
        mean, covariance = self.mean.take(rows, axis=2), self.covariance.take(rows, axis=2)
        noise = _measurement_variance(measured) * (1 + UNSURE_GROWTH * (1 - scores))
        gain = covariance[:2] / (covariance[0] + noise)
        mean += gain * (measured - mean[0])
        covariance[2] -= gain[1] * covariance[1]  # P - K H P, before its second row changes
        covariance[:2] *= 1 - gain[0]
        self.mean[:, :, rows], self.covariance[:, :, rows] = mean, covariance

    def boxes(self) -> DoubleArray:
        """(N, 4) xyxy; no side is shorter than a pixel."""
        centre = self.mean[0, :2]
        half = np.maximum(self.mean[0, 2:], SMALLEST_SIDE_PX) / 2
        return np.concatenate([centre - half, centre + half]).T

    def spreads(self) -> DoubleArray:
        """Standard deviation (N, 2) of the centre in x and y, pixels."""
        return np.sqrt(self.covariance[0, :2]).T

    def subset(self, kept: BoolArray) -> "States":
        """The states of some tracks, by a mask (N,)."""
        return States(self.mean[:, :, kept], self.covariance[:, :, kept])

    def extended(self, other: "States") -> "States":
        """These states, then the others."""
        return States(
            np.concatenate([self.mean, other.mean], axis=2),
            np.concatenate([self.covariance, other.covariance], axis=2),
        )


def first_states(boxes: Boxes) -> States:
    """States of people seen once, at boxes (N, 4) xyxy: at rest, as uncertain as anybody's."""
    measured = to_centre_size(boxes)
    heights = np.maximum(measured[3], SMALLEST_SIDE_PX)
    none = np.zeros_like(measured)
    speed = np.outer(SPEED, heights)
    return States(
        np.stack([measured, none]),
        np.stack([_measurement_variance(measured), none, speed * speed]),
    )


def _measurement_variance(measured: DoubleArray) -> DoubleArray:
    """Variance (4, N) of sure measurements of centres and sizes (4, N), square pixels."""
    deviation = MEASUREMENT[:, None] * np.maximum(measured[3], SMALLEST_SIDE_PX)
    return np.asarray(deviation * deviation)
