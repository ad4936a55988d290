"""The lines that walkers follow, and where on it each is heading."""

import numpy as np

from pipeline.types import DoubleArray, IntArray

_STEP_M = 0.25
_PROBES_M = np.arange(0, 0.55, 0.05)
AHEAD_M = 1.1


class Courses:
    """A line of points `_STEP_M` apart for each walker, padded with its last point.

    Attributes:
        lengths: (P,) float64, metres.
        carrots: (P,) float64, metres along the line to the point that is headed for; never falls.
    """

    def __init__(self, count: int) -> None:
        """Lines of no length for so many walkers."""
        self.lengths = np.zeros(count)
        self.carrots = np.zeros(count)
        self._points = np.zeros((count, 2, 2))

    def lay(self, walker: int, corners: DoubleArray) -> None:
        """Give a walker a new line over (K, 2) corners, K >= 2, and put it at its beginning."""
        along = np.cumsum(np.linalg.norm(np.diff(corners, axis=0, prepend=corners[:1]), axis=1))
        count = 2 + int(along[-1] / _STEP_M)
        lacking = count - self._points.shape[1]
        if lacking > 0:
            self._points = np.pad(self._points, ((0, 0), (0, lacking), (0, 0)), "edge")
        places = np.minimum(np.arange(self._points.shape[1]) * _STEP_M, along[-1])
        self._points[walker] = np.stack([np.interp(places, along, xy) for xy in corners.T], axis=1)
        self.lengths[walker] = along[-1]
        self.carrots[walker] = 0

    def rest(self, walker: int) -> DoubleArray:
        """(K, 2) points of a walker's line from its carrot on."""
        places = np.arange(self.carrots[walker], self.lengths[walker], _STEP_M)
        places = np.append(places, self.lengths[walker])
        return np.asarray(self.points(np.array([walker]), places[None])[0])

    def follow(self, walkers: IntArray, positions: DoubleArray) -> None:
        """Bring the carrots of (W,) walkers at (W, 2) forward until they are `AHEAD_M` away.

        Where a line turns back on itself the nearest point of it would lead in circles.
        """
        places = self.carrots[walkers, None] + _PROBES_M
        distances = np.linalg.norm(self.points(walkers, places) - positions[:, None], axis=2)
        is_ahead = distances >= AHEAD_M
        first = np.where(is_ahead.any(axis=1), is_ahead.argmax(axis=1), len(_PROBES_M) - 1)
        reached = places[np.arange(len(walkers)), first]
        self.carrots[walkers] = np.minimum(reached, self.lengths[walkers])

    def remaining(self, walkers: IntArray, positions: DoubleArray) -> DoubleArray:
        """(W,) metres to the end of the line, for walkers at (W, 2)."""
        carrots = self.carrots[walkers]
        to_carrot = np.linalg.norm(self.points(walkers, carrots) - positions, axis=1)
        return np.asarray(to_carrot + self.lengths[walkers] - carrots)

    def points(self, walkers: IntArray, places_m: DoubleArray) -> DoubleArray:
        """(W, ...) metres along the lines -> (W, ..., 2) points."""
        rows = walkers.reshape(-1, *[1] * (places_m.ndim - 1))
        places = np.clip(places_m, 0, self.lengths[rows]) / _STEP_M
        cells = np.minimum(places.astype(int), self._points.shape[1] - 2)
        part = (places - cells)[..., None]
        return np.asarray(
            self._points[rows, cells] * (1 - part) + self._points[rows, cells + 1] * part
        )

    def headed_for(self, walkers: IntArray) -> tuple[DoubleArray, DoubleArray]:
        """(W, 2) points that walkers head for, and (W, 2) unit vectors to the left of the lines."""
        places = self.carrots[walkers, None] + np.array([-_STEP_M, 0, _STEP_M])
        before, points, after = self.points(walkers, places).swapaxes(0, 1)
        along = after - before
        along /= np.maximum(np.sqrt((along**2).sum(axis=1, keepdims=True)), 1e-9)
        return points, np.stack([-along[:, 1], along[:, 0]], axis=1)
