"""Who walks where and when: everybody's visits to the site."""

from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise
from typing import Final

import numpy as np

from cameras.simulation.ground import Ground, map_ground
from cameras.simulation.plans import LEAST_AWAY_S, Outing, Plan, draw_plans
from cameras.simulation.routes import WALK_M, Network, build_network, find_way
from cameras.simulation.settings import Simulation
from cameras.simulation.spots import Spots
from cameras.simulation.visits import SAMPLES_PER_SECOND, Visit, visits_of
from cameras.simulation.walkers import ACTIVITIES, Mode, Walkers
from pipeline.types import DoubleArray, IntArray

_STREAM: Final = 4
_SLOT_M: Final = 0.62
_OVERTIME_S: Final = 3.0
_SOONEST_GONE_S: Final = 3.0


def walk_site(simulation: Simulation) -> tuple[Visit, ...]:
    """Everybody's visits, by person and time; each person of `people.count` has at least one.

    Social distances, groups and obstacles are minded; equal settings and seed give equal visits.

    Raises:
        SettingsError: A stop is not on free floor or cannot be reached, or a path is blocked.
    """
    rng = np.random.default_rng([simulation.seed, _STREAM])
    ground = map_ground(simulation)
    network = build_network(simulation, ground)
    crowd = _Crowd(ground, network, draw_plans(simulation, network, rng), rng)
    until = np.ceil(simulation.duration_seconds * SAMPLES_PER_SECOND) / SAMPLES_PER_SECOND
    first = int(np.floor(min(0, crowd.first_s) * SAMPLES_PER_SECOND))
    last = int((until + _OVERTIME_S) * SAMPLES_PER_SECOND)
    times = np.arange(first, last + 1) / SAMPLES_PER_SECOND
    states = [crowd.step(time) for time in times.tolist()]
    modes, positions, headings = (np.stack(parts) for parts in zip(*states, strict=True))
    return tuple(
        visit
        for row in range(simulation.people.count)
        for visit in visits_of(
            row + 1, times, positions[:, row], headings[:, row], ACTIVITIES[modes[:, row]], until
        )
    )


class _Stage(Enum):
    """What a party is about."""

    AWAY = auto()
    ON_THE_WAY = auto()
    STAYING = auto()
    RISING = auto()
    DONE = auto()


@dataclass(slots=True)
class _Party:
    """One person or a group, and how far its plan has come.

    Attributes:
        plan: What it means to do.
        outings: Visits not begun yet.
        outing: The visit that it is on.
        until_s: Of AWAY: when it comes. Of STAYING: when it goes on.
        members: Rows of its members.
        stage: What it is about.
        at: The stop that it is at, or walks to.
        targets: Stops still ahead of it on this visit.
    """

    plan: Plan
    outings: list[Outing]
    outing: Outing
    until_s: float
    members: list[int]
    stage: _Stage = _Stage.AWAY
    at: int = -1
    targets: list[int] = field(default_factory=list)


class _Crowd:
    """All parties and their bodies, from step to step."""

    def __init__(
        self, ground: Ground, network: Network, plans: tuple[Plan, ...], rng: np.random.Generator
    ) -> None:
        self._ground, self._network, self._rng = ground, network, rng
        self._parties = [
            _Party(
                plan, [*plan.outings], plan.outings[0], plan.enters_s, [p - 1 for p in plan.persons]
            )
            for plan in plans
        ]
        self.first_s = min(plan.enters_s for plan in plans)
        party, preferred, slot = _habits(plans)
        self._walkers = Walkers(ground, party, preferred, slot, rng)
        self._spots = Spots(network, ground, len(party), rng)

    def step(self, time_s: float) -> tuple[IntArray, DoubleArray, DoubleArray]:
        """Modes (P,), positions (P, 2) and headings (P,) at a time; then the time goes on."""
        for party in self._parties:
            if party.stage is not _Stage.DONE and (
                party.stage is not _Stage.AWAY or time_s >= party.until_s
            ):
                self._attend(party, time_s)
        walkers = self._walkers
        state = (walkers.mode.copy(), walkers.positions.copy(), walkers.headings.copy())
        walkers.mode[walkers.mode == Mode.GONE] = Mode.AWAY
        walkers.advance()
        return state

    def _attend(self, party: _Party, time_s: float) -> None:
        """See whether a party has reached its next stage."""
        modes = set(self._walkers.mode[party.members].tolist())
        match party.stage:
            case _Stage.AWAY if time_s >= party.until_s:
                self._enter(party, time_s)
            case _Stage.ON_THE_WAY if modes <= {Mode.AWAY, Mode.GONE}:
                self._leave(party, time_s)
            case _Stage.ON_THE_WAY if modes <= {Mode.STAND, Mode.SIT}:
                self._stay(party, time_s)
            case _Stage.STAYING if time_s >= party.until_s:
                for member in party.members:
                    if self._walkers.mode[member] == Mode.SIT:
                        self._walkers.rise(member)
                party.stage = _Stage.RISING
            case _Stage.RISING if modes == {Mode.STAND}:
                self._go_on(party, time_s)
            case _:
                pass

    def _enter(self, party: _Party, time_s: float) -> None:
        """Come in as soon as nobody is in the way."""
        outing, network, walkers = party.outings[0], self._network, self._walkers
        stops = network.route(outing.enter, (*outing.targets, outing.leave)[0])
        start = self._spots.near(outing.enter)
        toward = [*network.ways[stops[0], stops[1]], network.aims[stops[1]]][0] - start
        heading = float(np.arctan2(toward[1], toward[0]))
        places = self._abreast(start, heading, len(party.members))
        others = walkers.positions[walkers.mode != Mode.AWAY]
        if len(others) and np.linalg.norm(places[:, None] - others, axis=2).min() < _SLOT_M:
            return
        for member, place in zip(party.members, places, strict=True):
            walkers.enter(member, place, heading)
        party.outing, party.at = party.outings.pop(0), outing.enter
        party.targets = list(outing.targets)
        self._go_on(party, time_s)

    def _abreast(self, start: DoubleArray, heading: float, count: int) -> DoubleArray:
        """(count, 2) points beside one another, or in a file where there is no room for that."""
        ahead = np.array([np.cos(heading), np.sin(heading)])
        slots = _SLOT_M * np.arange(count)[:, None]
        places = start + (slots - slots.mean()) * np.array([-ahead[1], ahead[0]])
        has_room = self._ground.clearance(places).min() > WALK_M
        return np.asarray(places if has_room else start + slots * ahead)

    def _leave(self, party: _Party, time_s: float) -> None:
        """All members are gone; come back if that is meant, or if nobody could have seen them."""
        if time_s < _SOONEST_GONE_S and not party.outings:
            party.outings = [party.outing]
        party.stage = _Stage.AWAY if party.outings else _Stage.DONE
        party.until_s = time_s + max(party.plan.away_s, LEAST_AWAY_S)

    def _stay(self, party: _Party, time_s: float) -> None:
        low, high = sorted(self._network.stops[party.at].dwell_seconds)
        dwell = self._rng.uniform(low, high)
        party.until_s = time_s + min(dwell, max(self._spare_seconds(party, time_s), 1))
        party.stage = _Stage.STAYING

    def _spare_seconds(self, party: _Party, time_s: float) -> float:
        """Time left until a party must make for the exit to come back in time."""
        if not party.outings:
            return np.inf
        walking = self._network.lengths[party.at, party.outing.leave] / party.plan.speed
        return float(party.plan.leaves_by_s - time_s - walking)

    def _go_on(self, party: _Party, time_s: float) -> None:
        """Walk to the next stop to stay at, or out."""
        stops = self._next_stops(party, time_s)
        party.at, party.stage = stops[-1], _Stage.ON_THE_WAY
        self._spots.release(party.members)
        sends = {"entry": self._send_out, "sit": self._sit}
        send = sends.get(self._network.stops[party.at].kind, self._stand)
        send(party.members, party.at, self._corners(stops))

    def _next_stops(self, party: _Party, time_s: float) -> list[int]:
        """The stops from here to the next at which the party stays, or to its exit."""
        if party.at != party.outing.enter and self._spare_seconds(party, time_s) < 0:
            party.targets.clear()
        stops = [party.at]
        while True:
            target = party.targets.pop(0) if party.targets else party.outing.leave
            kind = self._network.stops[target].kind
            has_other = bool(party.targets) or stops[-1] != party.outing.leave
            if has_other and self._spots.is_full(target):
                continue
            stops += self._network.route(stops[-1], target)[1:]
            if kind != "pass":
                return stops

    def _corners(self, stops: list[int]) -> list[DoubleArray]:
        """Points near the stops between the first and the last, and of the ways between them."""
        network, ends = self._network, stops[1:]
        corners = [network.aims[stops[0]]]
        for (start, stop), after in zip(pairwise(stops), [*ends[1:], -1], strict=True):
            corners += list(network.ways[start, stop])
            if after < 0:
                break
            near, is_bent = self._spots.near(stop), len(network.ways[stop, after]) > 0
            is_free = self._ground.is_free(corners[-1], near, WALK_M)
            corners.append(network.aims[stop] if is_bent or not is_free else near)
        return corners[1:]

    def _course(self, member: int, corners: list[DoubleArray], end: DoubleArray) -> DoubleArray:
        """(K, 2) from where a member is, over the corners, to the end."""
        here = self._walkers.positions[member]
        chain = [here, *corners, end]
        first, last = (find_way(self._ground, *pair) for pair in (chain[:2], chain[-2:]))
        before = [] if first is None else list(first)
        after = [] if last is None or not corners else list(last)
        return np.array([here, *before, *corners, *after, end])

    def _stand(self, members: list[int], stop: int, corners: list[DoubleArray]) -> None:
        if not members:
            return
        places, looks = self._spots.take_places(stop, members)
        for member, place, look in zip(members, places, looks, strict=True):
            self._walkers.send(member, self._course(member, corners, place), look)

    def _sit(self, members: list[int], stop: int, corners: list[DoubleArray]) -> None:
        """Those for whom there are no seats stand by."""
        seats = self._spots.take_seats(stop, members)
        for member, seat in zip(members, seats, strict=False):
            course = self._course(member, corners, self._network.aims[seat])
            place, look = self._network.places[seat], float(self._network.looks[seat])
            self._walkers.send_to_seat(member, course, place, look)
        self._stand(members[len(seats) :], stop, corners)

    def _send_out(self, members: list[int], stop: int, corners: list[DoubleArray]) -> None:
        for member in members:
            self._walkers.send_out(member, self._course(member, corners, self._spots.near(stop)))


def _habits(plans: tuple[Plan, ...]) -> tuple[IntArray, DoubleArray, DoubleArray]:
    """(P,) number of the party, preferred speed, and metres to the left of the party's middle."""
    count = sum(len(plan.persons) for plan in plans)
    party, preferred, slot = np.zeros(count, int), *np.zeros((2, count))
    for number, plan in enumerate(plans):
        rows, places = np.array(plan.persons) - 1, np.arange(len(plan.persons))
        party[rows], preferred[rows] = number, plan.speed
        slot[rows] = _SLOT_M * (places - places.mean())
    return party, preferred, slot
