"""Where a tracker exchanged two people who crossed in its view: other cameras saw who walked where.

Each of the two tracklets holds two people then, and its embedding is of neither. On the floor the
other cameras tell: whom they see was with one of the two before, and with the other after. How well
all of them fit with the rest of both tracklets exchanged, and how well as they are, is compared in
a window around each moment at which somebody seems to change over. Views must overlap. Where two
cameras disagree, either may have exchanged the two: a third one decides, and in whose picture they
covered one another and would go on the straighter if exchanged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np

from pipeline.association.floor_fit import CameraFit, corrected
from pipeline.association.floor_tracks import STEP_US, FloorSamples, floor_tracks, sampled
from pipeline.association.ground_plane import FLOOR_AREA_M2, WRONG, position_log_odds
from pipeline.association.meetings import meetings
from pipeline.association.pairs import Pairs
from pipeline.association.passages import spread
from pipeline.association.seen import Seen
from pipeline.geometry import iou
from pipeline.types import BoolArray, Calibrations, DoubleArray, IntArray, Split, Tracklet

WINDOW: Final = 16
"""Steps of the samples before and after that are compared: four seconds."""
SECOND: Final = round(1e6 / STEP_US)
"""So many steps at least each tracklet must go on on either side; and so close in time to one
another the boxes must overlap, and the floor say that somebody changes over."""
LEAST_OVERLAP: Final = 0.1
OVERLAP_LOG_ODDS: Final = 10.0
"""For boxes that cover one another wholly."""
STRIDE: Final = 6
"""So many steps before and after a moment tell how somebody goes on."""
TURNING: Final = 0.1
"""Weight of a bend, per squared second, beside a jump."""
SMOOTHER_LOG_ODDS: Final = 20.0
MOST_SMOOTHER: Final = 10.0
"""People go on as they went: log-odds for a squared height of their boxes, and at most. Without, a
twelfth fewer were found and twice as many were wrong: the other camera's of two."""
LEAST_TURN: Final = 0.5
"""Log-odds of having been with somebody, and of having left them."""
LEAST_GAIN: Final = 18.0
"""In log-odds. On seven simulated sites 112 of 176 changes of person were found so, and 5 tracklets
of one person split; with 14 two more, and 11; with 22 four fewer, and 5."""


@dataclass(frozen=True, slots=True, eq=False)
class _Scene:
    """N tracklets on the floor.

    Attributes:
        seen: They.
        samples: Where they stood, by the clock that most cameras share.
        ahead_us: (N,) int64: how far the clock of their camera is ahead of it.
        variance: What the perfect boxes of two still err, square metres.
    """

    seen: Seen
    samples: FloorSamples
    ahead_us: IntArray
    variance: float


@dataclass(frozen=True, slots=True, eq=False)
class _Crossing:
    """Two tracklets of one camera that may have been exchanged.

    Attributes:
        first: The one.
        second: The other.
        steps: (T,) at which it may have been.
        picture: (T,) what their boxes say for it, log-odds.
    """

    first: int
    second: int
    steps: IntArray
    picture: DoubleArray


def exchanges(
    seen: Seen, calibrations: Calibrations, sigma_m: float, fits: Sequence[CameraFit]
) -> list[Split]:
    """Where tracklets are to be split, because two of one camera were exchanged there.

    Args:
        seen: N tracklets; those of cameras without calibration are left out.
        calibrations: By camera id.
        sigma_m: What a perfect box still errs on the floor, metres.
        fits: Cameras whose clock or floor is not that of the others.
    """
    known = np.array([name in calibrations for name in seen.passages.names], np.bool_)
    if known.sum() < 2:
        return []
    scene = _scene(seen.take(known[seen.passages.camera]), calibrations, sigma_m, fits)
    rated = [(_best(scene, each, {})[0], each) for each in _crossings(scene)]
    rated = sorted((one for one in rated if one[0] >= LEAST_GAIN), key=lambda one: -one[0])
    found: dict[int, list[int]] = {}
    for _, crossing in rated:
        gain, step = _best(scene, crossing, found)
        if gain >= LEAST_GAIN:
            for row in (crossing.first, crossing.second):
                found.setdefault(row, []).append(step)
    return list(_splits(scene, found))


def _scene(
    seen: Seen, calibrations: Calibrations, sigma_m: float, fits: Sequence[CameraFit]
) -> _Scene:
    names = [tracklet.camera_id for tracklet in seen.tracklets]
    clocks = {fit.camera: round(fit.clock_s * 1e6) for fit in fits}
    ahead_us = np.array([clocks.get(name, 0) for name in names], np.int64)
    samples = sampled(corrected(floor_tracks(seen.tracklets, calibrations), names, fits))
    return _Scene(seen, samples, ahead_us, 2 * sigma_m**2)


def _crossings(scene: _Scene) -> Iterator[_Crossing]:
    """Pairs of one camera between which somebody else's tracklet changes over, as it seems."""
    count, camera = len(scene.seen), scene.seen.passages.camera
    met = meetings(scene.samples, camera, np.ones(count, np.bool_))
    for number in range(len(scene.seen.passages.names)):
        own, other = _sides(met, camera == number)
        for (first, second), group in groupby(_turns(scene, own, other), key=lambda row: row[:2]):
            steps = np.array([step for _, _, step in group])
            for part in np.split(steps, np.flatnonzero(np.diff(steps) > 2 * SECOND) + 1):
                yield from _overlapping(scene, first, second, part)


def _sides(met: Pairs, of_camera: BoolArray) -> tuple[IntArray, IntArray]:
    """Pairs (P,) of a camera's tracklets, and whom they met."""
    some, others = met.where(of_camera[met.first]), met.where(of_camera[met.second])
    return np.r_[some.first, others.second], np.r_[some.second, others.first]


def _turns(scene: _Scene, own: IntArray, other: IntArray) -> list[tuple[int, int, int]]:
    """Two of `own` and a step, sorted: one of `other` leaves the one and joins the other there."""
    samples = scene.samples
    since = np.maximum(samples.begins[own], samples.begins[other])
    until = np.minimum(samples.ends[own], samples.ends[other])
    which, step = spread(since, until)
    total = np.r_[0, np.cumsum(_nearness(scene, own[which], other[which], step))]
    row = np.arange(len(step))
    low, high = row - (step - since[which]), row + (until[which] - step)
    before = total[row] - total[np.maximum(row - WINDOW, low)]
    after = total[np.minimum(row + WINDOW, high)] - total[row]
    leaves = np.flatnonzero(np.minimum(before, -after) >= LEAST_TURN)
    joins = np.flatnonzero(np.minimum(-before, after) >= LEAST_TURN)
    first = step.min(initial=0)
    code = other[which] * (step.max(initial=0) - first + 1) + step - first
    joins = joins[np.argsort(code[joins], kind="stable")]
    sides = (np.searchsorted(code[joins], code[leaves], side) for side in ("left", "right"))
    place, match = spread(*sides)
    one, two = own[which[leaves[place]]], own[which[joins[match]]]
    rows = zip(np.minimum(one, two).tolist(), np.maximum(one, two).tolist(), strict=True)
    steps = step[leaves[place]].tolist()
    return sorted({(*pair, at) for pair, at in zip(rows, steps, strict=True)})


def _overlapping(scene: _Scene, first: int, second: int, steps: IntArray) -> Iterator[_Crossing]:
    """The crossing around these steps, if both go on and their boxes overlap there."""
    begins, ends = (
        (times[[first, second]] - scene.ahead_us[first]) / STEP_US
        for times in (scene.seen.passages.starts, scene.seen.passages.ends)
    )
    around = np.arange(steps[0] - SECOND, steps[-1] + SECOND + 1)
    around = around[(around >= begins.max() + SECOND) & (around <= ends.min() - SECOND)]
    if len(around):
        near = np.arange(around[0] - STRIDE, around[-1] + STRIDE + 1)
        times = near * STEP_US + scene.ahead_us[first]
        one, two = (_boxes(scene.seen.tracklets[row], times) for row in (first, second))
        shared = np.diagonal(iou(one, two))[STRIDE - SECOND : len(near) - STRIDE + SECOND]
        overlap = np.lib.stride_tricks.sliding_window_view(shared, 2 * SECOND + 1).max(axis=1)
        smoother = np.clip(SMOOTHER_LOG_ODDS * _smoother(one, two), -MOST_SMOOTHER, MOST_SMOOTHER)
        some = overlap >= LEAST_OVERLAP
        if some.any():
            picture = OVERLAP_LOG_ODDS * overlap + smoother
            yield _Crossing(first, second, around[some], picture[some])


def _smoother(one: DoubleArray, two: DoubleArray) -> DoubleArray:
    """By how much straighter two go on if exchanged, in squared heights of their boxes.

    Args:
        one: (T + 2 STRIDE, 4) boxes.
        two: Of the other at the same steps.

    Returns:
        (T,) for an exchange at each step but the first and the last `STRIDE`.
    """
    before, after = zip(*(_straight(boxes) for boxes in (one, two)), strict=True)
    heights = [(boxes[:, 3] - boxes[:, 1])[STRIDE : len(boxes) - STRIDE] for boxes in (one, two)]
    scale = np.mean(heights, axis=0)[:, None, None]
    weights = np.array([[1.0], [TURNING]])
    bends = [
        [((((left - right) / scale) ** 2) * weights).sum(axis=(1, 2)) for right in after]
        for left in before
    ]
    return np.asarray(bends[0][0] + bends[1][1] - bends[0][1] - bends[1][0])


def _straight(boxes: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Place, height and their change a second (T, 2, 3), by what is before and after T steps."""
    shapes = np.stack(
        [(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3], boxes[:, 3] - boxes[:, 1]], axis=1
    )
    windows = np.lib.stride_tricks.sliding_window_view(shapes, STRIDE, axis=0)  # (S, 3, STRIDE)
    seconds = np.arange(1, STRIDE + 1) / SECOND
    line = np.linalg.pinv(np.stack([np.ones(STRIDE), seconds], axis=1))  # (2, STRIDE)
    count = len(boxes) - 2 * STRIDE
    before = np.einsum("ls,tcs->tlc", line[:, ::-1], windows[:count])
    before[:, 1] *= -1
    return before, np.einsum("ls,tcs->tlc", line, windows[STRIDE + 1 :][:count])


def _boxes(tracklet: Tracklet, times_us: IntArray) -> DoubleArray:
    """Boxes (T, 4) at times (T,), between those seen by straight lines."""
    columns = tracklet.boxes.astype(np.float64).T
    return np.stack([np.interp(times_us, tracklet.timestamps_us, each) for each in columns], axis=1)


def _best(
    scene: _Scene, crossing: _Crossing, found: Mapping[int, Sequence[int]]
) -> tuple[float, int]:
    """The most that is gained by an exchange, in log-odds, and the step at which.

    Tracklets that are exchanged nearby themselves are not asked, nor exchanged twice.
    """
    first, second, steps = crossing.first, crossing.second, crossing.steps
    low, high = int(steps[0]) - WINDOW, int(steps[-1]) + WINDOW
    near = [row for row, known in found.items() if any(low < step < high for step in known)]
    if first in near or second in near:
        return -np.inf, 0
    samples, camera = scene.samples, scene.seen.passages.camera
    others = (samples.begins < high) & (samples.ends > low) & (camera != camera[first])
    others[near] = False
    rows = np.flatnonzero(others)[:, None]
    at = np.arange(low, high)
    totals = []
    for row in (first, second):
        total = np.cumsum(_nearness(scene, row, rows, at), axis=1)
        totals.append(np.concatenate([np.zeros((len(rows), 1)), total], axis=1))
    place = steps - low
    before = [total[:, place] - total[:, place - WINDOW] for total in totals]
    after = [total[:, place + WINDOW] - total[:, place] for total in totals]
    as_is = np.maximum(before[0] + after[0], before[1] + after[1])
    exchanged = np.maximum(before[0] + after[1], before[1] + after[0])
    gains = (np.maximum(exchanged, 0) - np.maximum(as_is, 0)).sum(axis=0)
    gains += crossing.picture
    best = int(gains.argmax())
    return float(gains[best]), int(steps[best])


def _nearness(scene: _Scene, one: int | IntArray, other: IntArray, step: IntArray) -> DoubleArray:
    """Evidence for one person at steps, a second's worth as one; 0 where one is not seen."""
    samples = scene.samples
    one, other, step = np.broadcast_arrays(one, other, step)
    known = np.ones(step.shape, np.bool_)
    places = []
    for row in (one, other):
        known &= (step >= samples.begins[row]) & (step < samples.ends[row])
        places.append(samples.offsets[row] + step - samples.begins[row])
    left, right = (place[known] for place in places)
    squared = ((samples.positions[left] - samples.positions[right]) ** 2).sum(axis=1)
    variances = samples.variances[left] + samples.variances[right] + scene.variance
    evidence = np.zeros(step.shape)
    evidence[known] = np.nan_to_num(position_log_odds(squared, variances, WRONG, FLOOR_AREA_M2))
    return evidence * (STEP_US / 1e6)


def _splits(scene: _Scene, found: Mapping[int, Sequence[int]]) -> Iterator[Split]:
    for row in sorted(found):
        tracklet = scene.seen.tracklets[row]
        times_us = np.sort(found[row]) * STEP_US + scene.ahead_us[row]
        for box in np.unique(np.searchsorted(tracklet.timestamps_us, times_us)).tolist():
            yield Split(tracklet.key, int(tracklet.frame_indices[box]))
