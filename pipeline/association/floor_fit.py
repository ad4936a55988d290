"""How well cameras agree on the floor: whose clock is ahead, whose floor lies beside the others'.

It is read off people whom two cameras see walk at one time: whatever somebody looks like, two ways
that are the same over seconds, moved in time and place, are one person's. All is relative to what
most cameras say.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np

from pipeline.association.floor_tracks import (
    STEP_US,
    FloorSamples,
    FloorTrack,
    floor_tracks,
    sampled,
)
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages, spread
from pipeline.association.seen import Seen
from pipeline.types import Calibrations, DoubleArray, IntArray

LAGS: Final = np.arange(-12, 13)
"""Steps of the samples: three seconds either way."""
LEAST_SHARED: Final = 20
"""Of two ways so many samples are compared: five seconds."""
LEAST_WALKED_M: Final = 0.6
"""Standard deviation of somebody's places; who stands still has no clock."""
LIKE_M: Final = 0.3
"""Two ways that differ by no more than this, moved to one another, are one."""
SHARP: Final = 2.0
"""A second off the two must differ so much more: of who goes straight on, time and place cannot be
told apart."""
FURTHEST_M: Final = 1.5
LEAST_WAYS: Final = 5
LEAST_AGREEING: Final = 0.6
"""Share of the ways of two cameras that must say the same within a step, else nothing is told."""
LEAST_OFFSET_S: Final = 0.3
LEAST_SHIFT_M: Final = 0.2
"""Less than this is taken for chance, told to nobody, and not corrected."""
MOST_PAIRS: Final = 100
LATEST: Final = 5000
"""So many pairs of two cameras are compared, among so many tracklets."""


@dataclass(frozen=True, slots=True)
class CameraFit:
    """What one camera says otherwise than most.

    Attributes:
        camera: Its id.
        clock_s: So many seconds its times are ahead; 0 where they agree.
        shift_m: So far its floor lies from the others', metres; 0 where they agree.
        ways: From so many ways of people that it and another camera saw.
    """

    camera: str
    clock_s: float
    shift_m: tuple[float, float]
    ways: int

    @property
    def words(self) -> str:
        """What is wrong, for people."""
        found = []
        if self.clock_s:
            side = "ahead of" if self.clock_s > 0 else "behind"
            found.append(f"its clock is {abs(self.clock_s):.1f} s {side} the others'")
        if any(self.shift_m):
            distance = float(np.hypot(*self.shift_m))
            found.append(f"its floor lies {distance:.1f} m beside the others'")
        return f"camera {self.camera}: {' and '.join(found)} ({self.ways} people seen walking)"


@dataclass(frozen=True, slots=True)
class _Agreement:
    """What two cameras say: the second is so many steps ahead, its floor so far beside."""

    first: int
    second: int
    steps: float
    beside: DoubleArray
    ways: int


def camera_fits(seen: Seen, calibrations: Calibrations) -> tuple[CameraFit, ...]:
    """Cameras whose clock or floor is not that of the others, as far as that can be told."""
    known = np.array([name in calibrations for name in seen.passages.names], np.bool_)
    if known.sum() < 2:
        return ()
    some = seen.take(np.flatnonzero(known[seen.passages.camera])[-LATEST:])
    return fits_of(some.passages, sampled(floor_tracks(some.tracklets, calibrations)))


def fits_of(passages: Passages, samples: FloorSamples) -> tuple[CameraFit, ...]:
    """The same of N tracklets whose places are known."""
    low, high = _extents(samples)
    found = [
        agreement
        for one, other in combinations(range(len(passages.names)), 2)
        for agreement in _agreement(samples, one, other, *_near(passages, low, high, one, other))
    ]
    if not found:
        return ()
    count = len(passages.names)
    values = np.array([[one.steps * STEP_US / 1e6, *one.beside] for one in found])
    solved = _solved(found, values, count)
    fits = []
    for camera in np.flatnonzero(np.isfinite(solved[:, 0])).tolist():
        clock_s, east, north = solved[camera].tolist()
        is_ahead, is_beside = abs(clock_s) >= LEAST_OFFSET_S, np.hypot(east, north) >= LEAST_SHIFT_M
        if is_ahead or is_beside:
            ways = sum(one.ways for one in found if camera in (one.first, one.second))
            shift = (east, north) if is_beside else (0.0, 0.0)
            name = passages.names[camera]
            fits.append(CameraFit(name, clock_s if is_ahead else 0.0, shift, ways))
    return tuple(fits)


def corrected(
    tracks: Sequence[FloorTrack], cameras: Sequence[str], fits: Sequence[CameraFit]
) -> list[FloorTrack]:
    """The tracks as if clocks and floors were those of the others."""
    by_camera = {fit.camera: fit for fit in fits}
    return [
        replace(
            track,
            times_us=track.times_us - round(fit.clock_s * 1e6),
            positions=track.positions - np.array(fit.shift_m),
        )
        if (fit := by_camera.get(camera)) is not None
        else track
        for track, camera in zip(tracks, cameras, strict=True)
    ]


def _solved(found: Sequence[_Agreement], values: DoubleArray, count: int) -> DoubleArray:
    """What each camera (count, 3) says beside the median of those it can be compared with.

    NaN where it agrees with nobody, or where two ways round do not lead to the same.
    """
    table = np.zeros((len(found), count))
    for row, one in enumerate(found):
        table[row, one.second], table[row, one.first] = 1, -1
    weights = np.sqrt([one.ways for one in found])[:, None]
    solved = np.linalg.lstsq(table * weights, values * weights, rcond=None)[0]
    ends = np.array([(one.first, one.second) for one in found])
    unlike = np.abs(values - table @ solved)[:, 0] > LEAST_OFFSET_S
    parts = Pairs.of(count, ends[:, 0], ends[:, 1]).components()
    for part in np.unique(parts):
        own = parts == part
        solved[own] -= np.median(solved[own], axis=0) if own.sum() > 1 else np.nan
    solved[np.unique(ends[unlike])] = np.nan
    return np.asarray(solved)


def _extents(samples: FloorSamples) -> tuple[DoubleArray, DoubleArray]:
    """First and last step, and least and greatest coordinates, of each way: (N, 3) and (N, 3)."""
    lengths = np.diff(samples.offsets)
    low = np.full((len(lengths), 3), np.inf)
    high = -low
    filled = np.flatnonzero(lengths)
    if len(filled):
        low[filled, 1:] = np.fmin.reduceat(samples.positions, samples.offsets[filled])
        high[filled, 1:] = np.fmax.reduceat(samples.positions, samples.offsets[filled])
        low[filled, 0], high[filled, 0] = samples.begins[filled], samples.ends[filled]
    return low, high


def _near(
    passages: Passages, low: DoubleArray, high: DoubleArray, one: int, other: int
) -> tuple[IntArray, IntArray]:
    """Pairs (P,) and (P,) of tracklets of two cameras, seen at one time where they may meet."""
    own, theirs = (np.flatnonzero(passages.camera == camera) for camera in (one, other))
    margin = np.array([-LEAST_SHARED - LAGS[-1], FURTHEST_M, FURTHEST_M])
    meet = np.ones((len(own), len(theirs)), np.bool_)
    for axis in range(3):
        meet &= low[own, axis][:, None] <= high[theirs, axis] + margin[axis]
        meet &= low[theirs, axis] <= high[own, axis][:, None] + margin[axis]
    first, second = np.nonzero(meet)
    return own[first], theirs[second]


def _agreement(
    samples: FloorSamples, one: int, other: int, first: IntArray, second: IntArray
) -> list[_Agreement]:
    """What two cameras say, if they see enough people walk at one time and these agree."""
    first, second = _longest(samples, first, second)
    if len(first) < LEAST_WAYS:
        return []
    costs, beside = _compared(samples, first, second)
    best = costs.argmin(axis=1)
    ways = np.arange(len(first))
    good = (costs[ways, best] <= LIKE_M**2) & (
        np.linalg.norm(beside[ways, best], axis=1) <= FURTHEST_M
    )
    # At the border of the search the best is further out.
    good &= (best > 0) & (best < len(LAGS) - 1)
    a_second = round(1e6 / STEP_US)
    off = [costs[ways, np.clip(best + side, 0, len(LAGS) - 1)] for side in (-a_second, a_second)]
    good &= np.minimum(*off) >= SHARP * costs[ways, best]
    if good.sum() < LEAST_WAYS:
        return []
    middle = np.median(best[good])
    agree = good & (np.abs(best - middle) <= 1)
    if agree.sum() < max(LEAST_AGREEING * good.sum(), LEAST_WAYS):
        return []
    # Unlike is unlike, by whatever much, and so is what cannot be compared.
    total = np.minimum(costs[agree], (3 * LIKE_M) ** 2).sum(axis=0)
    place = int(total.argmin())
    return [
        _Agreement(
            one,
            other,
            float(LAGS[place]) + _vertex(total, place),
            np.median(beside[agree, place], axis=0),
            int(agree.sum()),
        )
    ]


def _longest(samples: FloorSamples, first: IntArray, second: IntArray) -> tuple[IntArray, IntArray]:
    """The pairs that are seen together for longest, `MOST_PAIRS` at most; of equals the first."""
    until = np.minimum(samples.ends[first], samples.ends[second])
    shared = until - np.maximum(samples.begins[first], samples.begins[second])
    kept = np.sort(np.argsort(-shared, kind="stable")[:MOST_PAIRS])
    return first[kept], second[kept]


def _compared(
    samples: FloorSamples, first: IntArray, second: IntArray
) -> tuple[DoubleArray, DoubleArray]:
    """By how much two ways differ (P, L), square metres, and how far beside (P, L, 2), by lag.

    Infinite where too little is to be compared, or somebody stands still.
    """
    costs = np.full((len(first), len(LAGS)), np.inf)
    beside = np.zeros((len(first), len(LAGS), 2))
    for column, lag in enumerate(LAGS.tolist()):
        since = np.maximum(samples.begins[first], samples.begins[second] - lag)
        until = np.minimum(samples.ends[first], samples.ends[second] - lag)
        which, time = spread(since, until)
        one = (samples.offsets[first] - samples.begins[first])[which] + time
        two = (samples.offsets[second] - samples.begins[second])[which] + time + lag
        apart = samples.positions[two] - samples.positions[one]
        known = np.isfinite(apart).all(axis=1)
        which, apart, place = which[known], apart[known], samples.positions[one[known]]
        counts, means, spreads = _moments(which, apart, len(first))
        walked = _moments(which, place, len(first))[2]
        enough = (counts >= LEAST_SHARED) & (walked >= LEAST_WALKED_M**2)
        costs[enough, column], beside[enough, column] = spreads[enough], means[enough]
    return costs, beside


def _moments(
    which: IntArray, values: DoubleArray, count: int
) -> tuple[IntArray, DoubleArray, DoubleArray]:
    """How many (count,), their mean (count, 2), and variance (count,) of a coordinate."""
    counts = np.bincount(which, minlength=count)
    sums = np.stack([np.bincount(which, values[:, axis], count) for axis in (0, 1)], axis=1)
    means = sums / np.maximum(counts, 1)[:, None]
    squares = np.bincount(which, ((values - means[which]) ** 2).sum(axis=1), count)
    return counts, means, squares / np.maximum(2 * counts, 1)


def _vertex(costs: DoubleArray, place: int) -> float:
    """Where between its neighbours the least of a curve (L,) lies, in steps from its place."""
    if not 0 < place < len(costs) - 1 or not np.isfinite(costs[place - 1 : place + 2]).all():
        return 0.0
    before, at, after = costs[place - 1 : place + 2]
    bend = before - 2 * at + after
    return float(np.clip((before - after) / (2 * bend), -0.5, 0.5)) if bend > 0 else 0.0
