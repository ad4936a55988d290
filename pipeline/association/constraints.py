"""What cannot be: one person twice in one view at once, or faster than a person moves."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from pipeline.types import BoolArray, DoubleArray, IntArray, Tracklet

Transitions = Mapping[str, Mapping[str, tuple[float, float]]]
"""Seconds [min, max] from leaving the first camera to entering the second, by ordered pair."""

MAX_TRANSITION_LOG_ODDS = 3.0


def spans(tracklets: Sequence[Tracklet]) -> tuple[IntArray, IntArray]:
    """Start and end times (N,), microseconds UTC."""
    starts = np.array([tracklet.start_us for tracklet in tracklets], np.int64)
    ends = np.array([tracklet.end_us for tracklet in tracklets], np.int64)
    return starts, ends


def gaps_seconds(tracklets: Sequence[Tracklet]) -> DoubleArray:
    """Start of the later minus end of the earlier (N, N); negative where they overlap."""
    starts, ends = spans(tracklets)
    later_start = np.maximum(starts[:, None], starts[None, :])
    earlier_end = np.where(starts[:, None] <= starts[None, :], ends[:, None], ends[None, :])
    # Of two that start together neither is earlier; the rule must not depend on their order.
    same_start = starts[:, None] == starts[None, :]
    earlier_end = np.where(same_start, np.minimum(ends[:, None], ends[None, :]), earlier_end)
    return np.asarray((later_start - earlier_end) / 1e6)


def cannot_link(tracklets: Sequence[Tracklet], transitions: Transitions) -> BoolArray:
    """Pairs (N, N) that cannot be one person.

    Two tracklets of one camera that overlap in time, unless they are pieces of one track; and two
    of different cameras between which less time passes than the site's `transitions` allow.
    """
    gaps = gaps_seconds(tracklets)
    cameras = np.array([tracklet.camera_id for tracklet in tracklets])
    same_camera = cameras[:, None] == cameras[None, :]
    minimum = _by_direction(tracklets, transitions, 0, -np.inf)
    forbidden = np.where(same_camera, gaps <= 0, gaps < minimum) & ~same_track(tracklets)
    np.fill_diagonal(forbidden, False)
    return np.asarray(forbidden | forbidden.T, np.bool_)


def same_track(tracklets: Sequence[Tracklet]) -> BoolArray:
    """Pairs (N, N) that are pieces of one track, cut for its length.

    Where a number is left out between their parts, the track was split because its crops change
    person: what comes before and after is not known to be of one.
    """
    persons = np.zeros(len(tracklets), np.int64)
    keys = [(tracklet.camera_id, tracklet.track_id, tracklet.part) for tracklet in tracklets]
    order = sorted(range(len(keys)), key=lambda index: keys[index])
    for earlier, later in pairwise(order):
        goes_on = keys[later][:2] == keys[earlier][:2] and keys[later][2] <= keys[earlier][2] + 1
        persons[later] = persons[earlier] + (not goes_on)
    return np.asarray(persons[:, None] == persons[None, :])


def transition_log_odds(tracklets: Sequence[Tracklet], transitions: Transitions) -> DoubleArray:
    """Evidence (N, N) from the time between two cameras, against arrival at any time of the run.

    log(T / (max - min)) for a gap inside the site's `transitions` of that ordered pair, T being the
    length of the run; 0 outside (people may have gone elsewhere between) and for other pairs.
    """
    if not tracklets:
        return np.zeros((0, 0))
    starts, ends = spans(tracklets)
    duration = max((int(ends.max()) - int(starts.min())) / 1e6, 1e-3)
    low = _by_direction(tracklets, transitions, 0, np.inf)
    high = _by_direction(tracklets, transitions, 1, -np.inf)
    gaps = gaps_seconds(tracklets)
    inside = (gaps >= low) & (gaps <= high)
    width = np.where(inside, np.maximum(high - low, 1.0), duration)
    return np.asarray(np.clip(np.log(duration / width), 0, MAX_TRANSITION_LOG_ODDS))


def _by_direction(
    tracklets: Sequence[Tracklet], transitions: Transitions, bound: int, absent: float
) -> DoubleArray:
    """One bound of the transition earlier -> later for each pair (N, N)."""
    names = sorted({tracklet.camera_id for tracklet in tracklets})
    table = np.full((len(names), len(names)), absent)
    for row, first in enumerate(names):
        for column, second in enumerate(names):
            given = transitions.get(first, {}).get(second)
            if given is not None:
                table[row, column] = given[bound]
    index = np.array([names.index(tracklet.camera_id) for tracklet in tracklets], np.int64)
    starts, _ = spans(tracklets)
    first_is_earlier = starts[:, None] <= starts[None, :]
    forward = table[index[:, None], index[None, :]]
    return np.where(first_is_earlier, forward, forward.T)
