"""Where a person was while on the site, ten times a second, and at any time between."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pipeline.types import DoubleArray, IntArray

SAMPLES_PER_SECOND = 10


class Activity(IntEnum):
    """What a person does."""

    WALK = 0
    STAND = 1
    SIT = 2  # from letting oneself down to having got up


@dataclass(frozen=True, eq=False, slots=True)
class Visit:
    """One presence of a person, from coming at an entry to leaving at one.

    Visits that reach over the beginning or end of the simulated time are cut there.

    Attributes:
        person: Number of the person, from 1.
        times_s: (T,) float64, seconds from the start of the simulation, `SAMPLES_PER_SECOND`.
        positions: (T, 2) float64, metres; of one who sits: the seat.
        headings: (T,) float64, where the body looks, radians counter-clockwise from +x, unwrapped.
        speeds: (T,) float64, metres a second; 0 of one who sits.
        distances: (T,) float64, metres walked since the visit began, before any cut.
        activity: (T,) int64, an `Activity`.
        began_s: (T,) float64, when this activity began; may lie before a cut.
        ends_s: (T,) float64, when it will end; may lie after a cut, infinite where unknown.
    """

    person: int
    times_s: DoubleArray
    positions: DoubleArray
    headings: DoubleArray
    speeds: DoubleArray
    distances: DoubleArray
    activity: IntArray
    began_s: DoubleArray
    ends_s: DoubleArray

    def is_on(self, time_s: float) -> bool:
        """Whether the person is on the site at a time."""
        return bool(self.times_s[0] <= time_s <= self.times_s[-1])


@dataclass(frozen=True, eq=False, slots=True)
class Moment:
    """A person at a time.

    Attributes:
        position: (2,) float64, metres.
        heading: Radians counter-clockwise from +x.
        speed: Metres a second.
        distance: Metres walked since the visit began.
        activity: What the person does.
        since_s: For how long already, seconds.
        left_s: For how long yet, seconds; infinite where unknown.
    """

    position: DoubleArray
    heading: float
    speed: float
    distance: float
    activity: Activity
    since_s: float
    left_s: float


def at(visit: Visit, time_s: float) -> Moment:
    """The person at a time, linearly between samples; before and after the visit at its ends."""
    time_s = float(np.clip(time_s, visit.times_s[0], visit.times_s[-1]))
    after = int(np.clip(np.searchsorted(visit.times_s, time_s, "right"), 1, len(visit.times_s) - 1))
    before = after - 1
    part = (time_s - visit.times_s[before]) / (visit.times_s[after] - visit.times_s[before])
    last = after if part >= 1 else before

    def between(values: DoubleArray) -> DoubleArray:
        return np.asarray(values[before] + part * (values[after] - values[before]))

    return Moment(
        between(visit.positions),
        float(between(visit.headings)),
        float(between(visit.speeds)),
        float(between(visit.distances)),
        Activity(visit.activity[last]),
        float(time_s - visit.began_s[last]),
        float(visit.ends_s[last] - time_s),
    )


def visits_of(
    person: int,
    times_s: DoubleArray,
    positions: DoubleArray,
    headings: DoubleArray,
    activity: IntArray,
    until_s: float,
) -> list[Visit]:
    """The visits of one person, from what was recorded over all times.

    Args:
        person: Number of the person.
        times_s: (T,) seconds, may begin before 0.
        positions: (T, 2) metres.
        headings: (T,) radians, unwrapped within a visit.
        activity: (T,) an `Activity`, -1 while away.
        until_s: Where visits are cut at the end; at the beginning they are cut at 0.
    """
    here = np.concatenate([[False], activity >= 0, [False]])
    first, last = (np.flatnonzero(np.diff(here.astype(int)) == sign) for sign in (1, -1))
    visits = (
        _cut(person, times_s[span], positions[span], headings[span], activity[span], until_s)
        for span in map(slice, first, last)
    )
    return [visit for visit in visits if len(visit.times_s) >= 2]


def _cut(
    person: int,
    times_s: DoubleArray,
    positions: DoubleArray,
    headings: DoubleArray,
    activity: IntArray,
    until_s: float,
) -> Visit:
    """One whole visit, cut to the simulated time."""
    walked = np.linalg.norm(np.diff(positions, axis=0, prepend=positions[:1]), axis=1)
    walked[activity == Activity.SIT] = 0
    distances = np.cumsum(walked)
    speeds = np.zeros(len(times_s))
    if len(times_s) > 1:
        speeds = np.gradient(distances, times_s)
    speeds[activity == Activity.SIT] = 0
    changes = np.flatnonzero(np.diff(activity)) + 1
    begins = times_s[np.concatenate([[0], changes])]
    run = np.searchsorted(changes, np.arange(len(times_s)), "right")
    kept = (times_s >= -1e-9) & (times_s <= until_s + 1e-9)
    return Visit(
        person,
        times_s[kept],
        positions[kept],
        headings[kept],
        speeds[kept],
        distances[kept],
        activity[kept],
        begins[run][kept],
        np.append(begins[1:], np.inf)[run][kept],
    )
