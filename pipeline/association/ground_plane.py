"""Evidence from the floor: where calibrated cameras see people stand, and when.

Two tracklets are compared at the times that they share, and where one follows the other closely, in
where the first was last and the second first seen. The constants of this and of `floor_tracks` are
tuned on the simulated plaza and rooms of the benchmark.
"""

import numpy as np

from pipeline.association.floor_tracks import STEP_US, FloorSamples
from pipeline.association.pairs import Pairs
from pipeline.association.passages import spread
from pipeline.types import BoolArray, DoubleArray, IntArray

FLOOR_AREA_M2 = 30.0
"""Others are about so rarely near: as if spread over this much floor. People keep company."""
WRONG = 0.1
"""Share of positions that are anywhere: hidden feet, boxes around two people."""
INDEPENDENT_EVERY_SECONDS = 1.0
"""Errors of foot points persist: positions closer in time than this count as one."""
MAX_INDEPENDENT = 10.0
"""Nor do people who stand together tell more by standing on."""
WALKING_M_PER_S = 1.0
FASTEST_M_PER_S = 5.0
UNKNOWN_AFTER_SECONDS = 3.0
"""Who was out of sight for longer may be anywhere, as far as evidence goes."""
LONGEST_GAP_SECONDS = 60.0
BLOCK = 2_000_000
"""Positions compared at once."""


def ground_plane_log_odds(
    samples: FloorSamples, sigma_m: float, pairs: Pairs
) -> tuple[DoubleArray, BoolArray]:
    """Evidence (P,) from positions, and whether a pair (P,) would need impossible speed.

    Args:
        samples: Of N tracklets.
        sigma_m: What a perfect box still errs on the floor (calibration, body), metres.
        pairs: Of them.
    """
    evidence = np.zeros(len(pairs))
    too_fast = np.zeros(len(pairs), np.bool_)
    begins, ends = samples.begins, samples.ends
    since = np.maximum(begins[pairs.first], begins[pairs.second])
    until = np.minimum(ends[pairs.first], ends[pairs.second])
    longest = round(LONGEST_GAP_SECONDS * 1e6 / STEP_US)
    known = (ends > begins)[pairs.first] & (ends > begins)[pairs.second]
    for rows in _blocks(np.flatnonzero(known & (until > since)), until - since):
        block = pairs.first[rows], pairs.second[rows]
        evidence[rows] = _overlap(samples, sigma_m, *block, since[rows], until[rows])
    rows = np.flatnonzero(known & (until <= since) & (since - until < longest))
    evidence[rows], too_fast[rows] = _gap(samples, sigma_m, pairs.first[rows], pairs.second[rows])
    return evidence, too_fast


def _blocks(rows: IntArray, lengths: IntArray) -> list[IntArray]:
    """Rows in parts of about `BLOCK` positions together."""
    total = np.cumsum(lengths[rows])
    return np.split(rows, np.flatnonzero(np.diff(total // BLOCK)) + 1) if len(rows) else []


def _overlap(
    samples: FloorSamples,
    sigma_m: float,
    first: IntArray,
    second: IntArray,
    since: IntArray,
    until: IntArray,
) -> DoubleArray:
    """Evidence (P,) of positions at the same times; 0 where no times are shared."""
    which, time = spread(since, until)
    one, other = (
        (samples.offsets[side] - samples.begins[side])[which] + time for side in (first, second)
    )
    squared = ((samples.positions[one] - samples.positions[other]) ** 2).sum(axis=1)
    shared = np.isfinite(squared)
    which, squared = which[shared], squared[shared]
    variances = (samples.variances[one] + samples.variances[other])[shared] + 2 * sigma_m**2
    counts = np.bincount(which, minlength=len(first))
    sums = np.bincount(
        which, position_log_odds(squared, variances, WRONG, FLOOR_AREA_M2), len(first)
    )
    seconds = np.maximum(counts - 1, 0) * STEP_US / 1e6
    independent = np.minimum(1 + seconds / INDEPENDENT_EVERY_SECONDS, MAX_INDEPENDENT)
    return np.asarray(sums / np.maximum(counts, 1) * independent)


def _gap(
    samples: FloorSamples, sigma_m: float, first: IntArray, second: IntArray
) -> tuple[DoubleArray, BoolArray]:
    """Evidence (P,) of the way from exit to entry, and whether it is too far for the time."""
    is_later = samples.begins[first] > samples.begins[second]
    earlier, later = np.where(is_later, second, first), np.where(is_later, first, second)
    # The last that is known of one, and the first of the other: tracks end and begin with one.
    leave, enter = samples.offsets[earlier + 1] - 1, samples.offsets[later]
    seconds = (samples.begins[later] - samples.ends[earlier] + 1) * STEP_US / 1e6
    squared = ((samples.positions[enter] - samples.positions[leave]) ** 2).sum(axis=1)
    still = samples.variances[leave] + samples.variances[enter] + 2 * sigma_m**2
    forgotten = 1 - (1 - WRONG) * np.exp(-seconds / UNKNOWN_AFTER_SECONDS)
    variances = still + (WALKING_M_PER_S * seconds) ** 2
    # As wide as people walk meanwhile, others do: no gap speaks against those who are near.
    area = FLOOR_AREA_M2 + 2 * np.pi * variances
    evidence = position_log_odds(squared, variances, forgotten, area)
    reach = FASTEST_M_PER_S * seconds + 3 * np.sqrt(2 * still)
    unknown = np.isnan(squared)
    return np.where(unknown, 0.0, evidence), ~unknown & (np.sqrt(squared) > reach)


def position_log_odds(
    squared: DoubleArray,
    variances: DoubleArray,
    wrong: float | DoubleArray,
    area_m2: float | DoubleArray,
) -> DoubleArray:
    """Same place (normal; but for a share, anywhere) against anywhere on the floor."""
    same = area_m2 * np.exp(-squared / (2 * variances)) / (2 * np.pi * variances)
    return np.asarray(np.log((1 - wrong) * same + wrong))
