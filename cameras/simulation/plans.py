"""What people mean to do on the site: with whom, when, and over which stops."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cameras.simulation.routes import Network
from cameras.simulation.settings import PeopleSettings, Simulation
from pipeline.errors import SettingsError
from pipeline.types import DoubleArray

LEAST_AWAY_S: Final = 8.0
_LEAST_BACK_S: Final = 8.0
_LEAST_SEEN_S: Final = 5.0
_SAME_EXIT: Final = 0.15
_SAME_WAY_BACK: Final = 0.6
_LONGEST_LEAD_S: Final = 90.0


@dataclass(frozen=True, slots=True)
class Outing:
    """One visit as it is meant: the numbers of an entry, of stops, and of the entry to leave by."""

    enter: int
    targets: tuple[int, ...]
    leave: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What one person, or a group, means to do.

    Attributes:
        persons: Their numbers, from 1.
        speed: At which they like to walk, metres a second.
        enters_s: When they come, seconds from the start of the simulation; before it for many.
        outings: Their visits: one, or two of those who come back.
        leaves_by_s: When the first of two visits has to end; stops are left out for that.
        away_s: Time between the two visits.
    """

    persons: tuple[int, ...]
    speed: float
    enters_s: float
    outings: tuple[Outing, ...]
    leaves_by_s: float
    away_s: float


def draw_plans(
    simulation: Simulation, network: Network, rng: np.random.Generator
) -> tuple[Plan, ...]:
    """Plans for everybody, such that the site is about as busy at the start as at the end.

    Raises:
        SettingsError: There is one entry and nothing to walk to.
    """
    parties = _parties(simulation.people, rng)
    returning = _returning(simulation.people, parties, rng)
    order = rng.permutation(len(parties))
    return tuple(
        _plan(simulation, network, party, comes_back, (place + rng.uniform()) / len(parties), rng)
        for party, comes_back, place in zip(parties, returning, order, strict=True)
    )


def _parties(people: PeopleSettings, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """All persons, the grouped share of them in twos and threes."""
    persons = [int(person) for person in rng.permutation(people.count) + 1]
    in_groups = round(people.grouped * people.count)
    sizes = []
    while in_groups >= 2:
        size = in_groups if in_groups <= 3 else int(rng.choice([2, 2, 3]))
        sizes.append(size)
        in_groups -= size
    sizes += [1] * (people.count - sum(sizes))
    ends = np.cumsum(sizes)
    return [
        tuple(persons[end - size : end]) for size, end in zip(sizes, ends.tolist(), strict=True)
    ]


def _returning(
    people: PeopleSettings, parties: list[tuple[int, ...]], rng: np.random.Generator
) -> list[bool]:
    """Which parties come back: about the wanted share of persons."""
    wanted = round(people.returning * people.count)
    result = [False] * len(parties)
    for number in rng.permutation(len(parties)):
        if len(parties[number]) <= wanted:
            result[number] = True
            wanted -= len(parties[number])
    return result


def _plan(
    simulation: Simulation,
    network: Network,
    persons: tuple[int, ...],
    comes_back: bool,
    place: float,
    rng: np.random.Generator,
) -> Plan:
    """The plan of one party; `place` in [0, 1) says when it comes among all."""
    duration = simulation.duration_seconds
    speed = _speed(simulation.people, len(persons), rng)
    first = _outing(simulation.people, network, comes_back, _entry(network, rng), rng)
    lasts = min(expected_seconds(network, first, speed), _LONGEST_LEAD_S / 0.6)
    if not comes_back:
        latest = duration - min(0.2 * lasts, 0.15 * duration)
        enters = -0.6 * lasts + place * (latest + 0.6 * lasts)
        return Plan(persons, speed, enters, (first,), np.inf, 0)
    latest = duration - LEAST_AWAY_S - _LEAST_BACK_S
    leaves = min(rng.uniform(0.25, 0.6) * duration, latest)
    away = LEAST_AWAY_S + rng.uniform(0, 0.1) * duration
    enter = first.leave if rng.uniform() < _SAME_WAY_BACK else _entry(network, rng)
    outside = float(np.linalg.norm(network.aims[enter] - network.aims[first.leave])) / speed
    if leaves + away + outside > duration - _LEAST_BACK_S:
        away, enter, outside = LEAST_AWAY_S, first.leave, 0
    second = _outing(simulation.people, network, False, enter, rng)
    # not so early that stops left out could let the first visit end unseen
    enters = max(leaves - lasts, _LEAST_SEEN_S - _shortest_seconds(network, first, speed))
    return Plan(persons, speed, enters, (first, second), leaves, away + outside)


def _entry(network: Network, rng: np.random.Generator) -> int:
    return int(rng.choice(network.of_kind("entry")))


def _speed(people: PeopleSettings, size: int, rng: np.random.Generator) -> float:
    """Normal, cut to the allowed; groups a little slower (Moussaid et al. 2010)."""
    low, high = people.speed_m_per_s
    drawn = rng.normal((low + high) / 2, (high - low) / 4) * (1 - 0.05 * (size - 1))
    return float(np.clip(drawn, low, high))


def _outing(
    people: PeopleSettings,
    network: Network,
    is_short: bool,
    enter: int,
    rng: np.random.Generator,
) -> Outing:
    """From an entry over stops, in an order without needless detours, mostly to another entry."""
    others = [entry for entry in network.of_kind("entry") if entry != enter]
    kinds = ("pass", "stand", "sit") if people.sitting else ("pass", "stand")
    stops = network.of_kind(*kinds)
    low, high = sorted(people.stops)
    if not others and not stops:
        raise SettingsError("stops: expected a stop to walk to besides the entry, got none")
    wanted = low if is_short else int(rng.integers(low, high + 1))
    wanted = min(max(wanted, 0 if others else 1), len(stops))
    chosen = [int(stop) for stop in rng.choice(np.array(stops, int), wanted, replace=False)]
    stays = any(network.stops[stop].kind != "pass" for stop in chosen)
    returns = not others or (stays and not is_short and rng.uniform() < _SAME_EXIT)
    leave = enter if returns else int(rng.choice(others))
    ordered = _in_order(network.lengths, enter, chosen)
    straight = _without_turning_back(network, [enter, *ordered, leave])
    return Outing(enter, straight if straight or enter != leave else ordered, leave)


def _in_order(lengths: DoubleArray, start: int, chosen: list[int]) -> tuple[int, ...]:
    """Always the nearest of those left."""
    left, order = list(chosen), [start]
    while left:
        order.append(min(left, key=lambda stop: float(lengths[order[-1], stop])))
        left.remove(order[-1])
    return tuple(order[1:])


def _without_turning_back(network: Network, stops: list[int]) -> tuple[int, ...]:
    """The stops between first and last, less those where one would turn round at once."""
    for place, (before, stop, after) in enumerate(zip(stops, stops[1:], stops[2:], strict=False)):
        is_stay = network.stops[stop].kind in ("stand", "sit")
        if not is_stay and network.route(before, stop)[-2] == network.route(stop, after)[1]:
            return _without_turning_back(network, stops[: place + 1] + stops[place + 2 :])
    return tuple(stops[1:-1])


def _shortest_seconds(network: Network, outing: Outing, speed: float) -> float:
    """How long an outing lasts at least, if most of its stops are left out."""
    if outing.enter != outing.leave:
        return float(network.lengths[outing.enter, outing.leave]) / speed
    return float(2 * network.lengths[outing.enter, outing.targets[0]]) / speed


def expected_seconds(network: Network, outing: Outing, speed: float) -> float:
    """How long an outing lasts where nobody is in the way."""
    stops = [outing.enter, *outing.targets, outing.leave]
    walking = float(network.lengths[stops[:-1], stops[1:]].sum()) / speed
    stays = [network.stops[t] for t in outing.targets if network.stops[t].kind in ("stand", "sit")]
    return walking + sum(sum(stop.dwell_seconds) / 2 + 3 for stop in stays)
