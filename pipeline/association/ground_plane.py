"""Evidence from the floor: where calibrated cameras see people stand, and when.

The comparison is of positions at the same time where two tracklets overlap, and of exit and entry
where one follows the other closely. Foot points carry an uncertainty that grows with distance. The
constants are set by reasoning and tuned on nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.association.pairs import Pairs
from pipeline.geometry import foot_points, to_floor
from pipeline.types import BoolArray, Calibrations, DoubleArray, IntArray, Tracklet

FOOT_ERROR = 0.04
"""Standard deviation of a foot point, in heights of its box."""
CUT_MARGIN_PX = 3.0
"""A box that ends this close to the lower border of the image hides where the person stands."""
FLOOR_AREA_M2 = 50.0
"""Someone else may stand anywhere on about this much floor."""
WALKING_M_PER_S = 1.0
FASTEST_M_PER_S = 5.0
MAX_INTERPOLATION_US = 1_000_000
INDEPENDENT_EVERY_SECONDS = 1.0
"""Errors of foot points persist: positions closer in time than this count as one."""
MAX_INDEPENDENT = 5.0
LOWEST_LOG_ODDS = -10.0
"""Of one position: a wrong box in a good tracklet must not decide alone."""


@dataclass(frozen=True, slots=True, eq=False)
class FloorTrack:
    """A tracklet's positions on the floor.

    Attributes:
        times_us: (T,) int64, increasing.
        positions: (T, 2) float64, metres.
        variances: (T,) float64, square metres, of each coordinate.
    """

    times_us: IntArray
    positions: DoubleArray
    variances: DoubleArray


def floor_track(tracklet: Tracklet, calibrations: Calibrations, sigma_m: float) -> FloorTrack:
    """Where the person of a tracklet stood; empty without calibration or where feet are hidden.

    Args:
        tracklet: The tracklet.
        calibrations: By camera id.
        sigma_m: What a perfect box still errs on the floor (calibration, body), metres.
    """
    calibration = calibrations.get(tracklet.camera_id)
    if calibration is None:
        return FloorTrack(np.empty(0, np.int64), np.empty((0, 2)), np.empty(0))
    boxes = tracklet.boxes.astype(np.float64)
    feet = foot_points(boxes)
    error_px = FOOT_ERROR * (boxes[:, 3] - boxes[:, 1])
    positions = to_floor(feet, calibration)
    # Numerically, by one standard deviation up the image: nearer the horizon a pixel means more.
    beyond = to_floor(feet - np.stack([np.zeros_like(error_px), error_px], axis=1), calibration)
    variances = sigma_m**2 + ((beyond - positions) ** 2).sum(axis=1)
    whole = feet[:, 1] < calibration.image_height - CUT_MARGIN_PX
    good = whole & np.isfinite(positions).all(axis=1) & np.isfinite(variances)
    return FloorTrack(tracklet.timestamps_us[good], positions[good], variances[good])


def ground_plane_log_odds(
    tracklets: Sequence[Tracklet], calibrations: Calibrations, sigma_m: float, pairs: Pairs
) -> tuple[DoubleArray, BoolArray]:
    """Evidence (P,) from positions, and whether a pair (P,) would need impossible speed."""
    tracks = [floor_track(tracklet, calibrations, sigma_m) for tracklet in tracklets]
    seen = np.array([len(track.times_us) > 0 for track in tracks], np.bool_)
    evidence = np.zeros(len(pairs))
    too_fast = np.zeros(len(pairs), np.bool_)
    for row in np.flatnonzero(seen[pairs.first] & seen[pairs.second]):
        one, other = tracks[pairs.first[row]], tracks[pairs.second[row]]
        evidence[row], too_fast[row] = _compare(one, other)
    return evidence, too_fast


def _compare(first: FloorTrack, second: FloorTrack) -> tuple[float, bool]:
    """Log-odds, and whether one person would have had to be impossibly fast."""
    if first.times_us[0] > second.times_us[0]:
        first, second = second, first
    gap_seconds = (second.times_us[0] - first.times_us[-1]) / 1e6
    if gap_seconds > 0:
        return _compare_gap(first, second, float(gap_seconds))
    return _compare_overlap(first, second), False


def _compare_overlap(first: FloorTrack, second: FloorTrack) -> float:
    """Evidence of positions at the same times; 0 where no times are shared closely enough."""
    times = first.times_us
    shared = (times >= second.times_us[0]) & (times <= second.times_us[-1])
    nearest = _nearest_gap(second.times_us, times)
    shared &= nearest <= MAX_INTERPOLATION_US
    if not shared.any():
        return 0.0
    other = np.stack(
        [np.interp(times[shared], second.times_us, second.positions[:, axis]) for axis in (0, 1)],
        axis=1,
    )
    variances = first.variances[shared] + np.interp(
        times[shared], second.times_us, second.variances
    )
    squared = ((first.positions[shared] - other) ** 2).sum(axis=1)
    mean = float(np.maximum(_log_odds(squared, variances), LOWEST_LOG_ODDS).mean())
    seconds = float(np.ptp(times[shared])) / 1e6
    return mean * min(1.0 + seconds / INDEPENDENT_EVERY_SECONDS, MAX_INDEPENDENT)


def _compare_gap(first: FloorTrack, second: FloorTrack, gap_seconds: float) -> tuple[float, bool]:
    """Evidence of the way from exit to entry; a long gap says nothing, a short one may."""
    squared = ((second.positions[0] - first.positions[-1]) ** 2).sum()
    still = first.variances[-1] + second.variances[0]
    variance = still + (WALKING_M_PER_S * gap_seconds) ** 2
    reach = FASTEST_M_PER_S * gap_seconds + 3 * np.sqrt(2 * still)
    log_odds = float(_log_odds(squared, variance))
    return max(log_odds, 0.0), bool(np.sqrt(squared) > reach)


def _log_odds(squared: DoubleArray, variances: DoubleArray) -> DoubleArray:
    """Same place (two-dimensional normal) against anywhere on the floor (uniform)."""
    same = -squared / (2 * variances) - np.log(2 * np.pi * variances)
    return np.asarray(same + np.log(FLOOR_AREA_M2))


def _nearest_gap(times: IntArray, wanted: IntArray) -> IntArray:
    """How far each wanted time is from the nearest of the sorted times, microseconds."""
    after = np.clip(np.searchsorted(times, wanted), 1, max(len(times) - 1, 1))
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearest: IntArray = np.minimum(np.abs(times[after] - wanted), np.abs(times[before] - wanted))
    return nearest
