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

import numpy as np

from pipeline.geometry import Boxes
from pipeline.types import BoolArray, DoubleArray, IntArray

# Tuned on the 11 MOT15 training sequences with the detections of SORT, at their own frame rates
# and thinned out to 4 frames a second; values a quarter larger or smaller cost up to 0.4 HOTA.
TIME_CONSTANT_SECONDS = 3.0
SPEED = np.array([0.5, 0.5, 0.1, 0.2])  # of centre x, centre y, width, height; heights a second
MEASUREMENT = np.array([0.04, 0.04, 0.12, 0.12])  # of the same; heights

SMALLEST_SIDE_PX = 1.0


@dataclass(frozen=True, slots=True)
class Transition:
    """How the state of a box one pixel high changes over some time.

    Attributes:
        mean: (2, 2), position and velocity to the same, later.
        covariance: (3, 3), var(position), cov(position, velocity), var(velocity) to the same.
        noise: (4, 3), what the process adds to these three, for each coordinate.
    """

    mean: DoubleArray
    covariance: DoubleArray
    noise: DoubleArray


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
        noise=SPEED[:, None] ** 2 * np.array([spread, reach * lost, lost * (1 + kept)]),
    )


def to_centre_size(boxes: Boxes) -> DoubleArray:
    """Boxes (N, 4) xyxy to centre x, centre y, width, height."""
    low, high = boxes[:, :2], boxes[:, 2:]
    return np.concatenate([(low + high) / 2, high - low], axis=1, dtype=np.float64)


def _heights(centre_size: DoubleArray) -> DoubleArray:
    """(N, 1), the unit of all standard deviations; at least a pixel."""
    return np.maximum(centre_size[:, 3:], SMALLEST_SIDE_PX)


@dataclass(slots=True)
class States:
    """The states of N tracks, all at one time.

    Attributes:
        mean: (N, 4, 2) float64, position and velocity of centre x, centre y, width, height;
            pixels, pixels per second.
        covariance: (N, 4, 3) float64, var(position), cov(position, velocity), var(velocity).
    """

    mean: DoubleArray
    covariance: DoubleArray

    def predict(self, elapsed_seconds: float) -> None:
        """Move all states on by a time >= 0."""
        step = transition(elapsed_seconds)
        heights = _heights(self.mean[:, :, 0])
        # One product over all tracks and coordinates: a stack of 4-row products costs four times.
        self.mean = (self.mean.reshape(-1, 2) @ step.mean.T).reshape(-1, 4, 2)
        moved = (self.covariance.reshape(-1, 3) @ step.covariance.T).reshape(-1, 4, 3)
        self.covariance = moved + (heights * heights)[:, :, None] * step.noise

    def correct(self, rows: IntArray, boxes: Boxes) -> None:
        """Take in measured boxes (M, 4) xyxy of the tracks in `rows` (M,), each at most once."""
        measured = to_centre_size(boxes)
        mean, covariance = self.mean[rows], self.covariance[rows]
        noise = (_heights(measured) * MEASUREMENT) ** 2
        with_position = covariance[:, :, :2]  # (M, 4, 2), of position and velocity
        gain = with_position / (covariance[:, :, 0] + noise)[:, :, None]
        self.mean[rows] = mean + gain * (measured - mean[:, :, 0])[:, :, None]
        # P - K H P: row 0 of H P is `with_position`, so all three entries need its old values.
        explained = gain[:, :, [0, 1, 1]] * with_position[:, :, [0, 0, 1]]
        self.covariance[rows] = covariance - explained

    def boxes(self) -> DoubleArray:
        """(N, 4) xyxy; no side is shorter than a pixel."""
        centre = self.mean[:, :2, 0]
        half = np.maximum(self.mean[:, 2:, 0], SMALLEST_SIDE_PX) / 2
        return np.concatenate([centre - half, centre + half], axis=1)

    def spreads(self) -> DoubleArray:
        """Standard deviation (N, 2) of the centre in x and y, pixels."""
        return np.sqrt(self.covariance[:, :2, 0])

    def subset(self, kept: BoolArray) -> "States":
        """The states of some tracks, by a mask (N,)."""
        return States(self.mean[kept], self.covariance[kept])

    def extended(self, other: "States") -> "States":
        """These states, then the others."""
        return States(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.covariance, other.covariance]),
        )


def first_states(boxes: Boxes) -> States:
    """States of people seen once, at boxes (N, 4) xyxy: at rest, as uncertain as anybody's."""
    measured = to_centre_size(boxes)
    heights = _heights(measured)
    covariance = np.zeros((*measured.shape, 3))
    covariance[:, :, 0] = (heights * MEASUREMENT) ** 2
    covariance[:, :, 2] = (heights * SPEED) ** 2
    return States(np.stack([measured, np.zeros_like(measured)], axis=2), covariance)
