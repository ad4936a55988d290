"""Bodies on the floor: they follow their courses, keep off one another, stand, sit down, get up.

A body walks where it looks: speed and direction change with bounded rates, so that the gait fits
the movement (people walk so over all but the shortest distances, Arechavaleta et al. 2008).
"""

from enum import IntEnum
from typing import Final

import numpy as np

from cameras.simulation.courses import Courses
from cameras.simulation.ground import Ground
from cameras.simulation.routes import WALK_M, find_way
from cameras.simulation.steering import Scene, choose
from cameras.simulation.visits import SAMPLES_PER_SECOND, Activity
from pipeline.types import DoubleArray, IntArray

STEP_S: Final = 1 / SAMPLES_PER_SECOND
SETTLE_SECONDS: Final = 1.2
"""From standing before a seat to sitting on it, and back."""
_APART_M: Final = 0.62
_MATES_APART_M: Final = 0.48
_SQUEEZED_M: Final = 0.42
_TOUCH_M: Final = 0.47
_HARD_M: Final = 0.38
_WALL_M: Final = 0.22
_ACCELERATION: Final = 1.3
_BRAKING: Final = 0.9
_TURN: Final = 2.4
_TURN_CHANGE: Final = 8.0
_ARRIVED_M: Final = 0.12
_LEFT_M: Final = 0.3
_RIGHT_M: Final = -0.25
_PATIENCE_S: Final = 2.0
_SHOVE: Final = 0.35
_LOST_S: Final = 4.0


class Mode(IntEnum):
    """What a body is about."""

    AWAY = 0
    WALK = 1
    STAND = 2
    TURN = 3  # before its seat, to sit down
    SIT = 4
    RISE = 5
    GONE = 6  # has reached the end of a course on which it does not halt


ACTIVITIES: Final = np.array([-1, Activity.WALK, *[Activity.STAND] * 2, *[Activity.SIT] * 2, -1])
"""By mode; -1 off the site."""


class Walkers:
    """Positions and movements of all bodies, on the site or not.

    Attributes:
        mode: (P,) a `Mode`.
        positions: (P, 2) float64, metres.
        headings: (P,) float64, radians, unwrapped.
        speeds: (P,) float64, metres a second.
        party: (P,) number of the party that each belongs to.
        preferred: (P,) float64, metres a second.
        look: (P,) float64, radians: where to look when standing or sitting; NaN: anywhere.
    """

    def __init__(
        self,
        ground: Ground,
        party: IntArray,
        preferred: DoubleArray,
        slot: DoubleArray,
        rng: np.random.Generator,
    ) -> None:
        """All are away."""
        count = len(party)
        self.mode = np.full(count, Mode.AWAY, int)
        self.positions, self.headings, self.speeds = np.zeros((count, 2)), *np.zeros((2, count))
        self.party, self.preferred, self._slot = party, preferred, slot
        self.look = np.full(count, np.nan)
        self._ground, self._rng = ground, rng
        self._courses = Courses(count)
        self._turning = np.zeros(count)
        self._halts = np.ones(count, bool)
        self._floor, self._seat = np.zeros((2, count, 2))
        self._is_to_sit = np.zeros(count, bool)
        self._in_mode, self._blocked, self._side = np.zeros((3, count))

    def enter(self, walker: int, position: DoubleArray, heading: float) -> None:
        """Put one on the site, in full walk."""
        self.positions[walker], self.headings[walker] = position, heading
        self.speeds[walker] = self.preferred[walker]
        self._turning[walker] = 0

    def send(self, walker: int, corners: DoubleArray, look: float) -> None:
        """Let one walk over (K, 2) corners, then stand and look somewhere."""
        self._courses.lay(walker, corners)
        self._halts[walker], self._is_to_sit[walker] = True, False
        self.look[walker], self._blocked[walker] = look, 0
        self._switch(np.array([walker]), Mode.WALK)

    def send_out(self, walker: int, corners: DoubleArray) -> None:
        """Let one walk over (K, 2) corners and be gone at the last."""
        self.send(walker, corners, np.nan)
        self._halts[walker] = False

    def send_to_seat(
        self, walker: int, corners: DoubleArray, seat: DoubleArray, look: float
    ) -> None:
        """Let one walk over (K, 2) corners and sit down on a seat beside the last."""
        self.send(walker, corners, look)
        self._is_to_sit[walker], self._seat[walker] = True, seat

    def rise(self, walker: int) -> None:
        """Let one who sits get up; it stands afterwards."""
        self._switch(np.array([walker]), Mode.RISE)

    def advance(self) -> None:
        """Everybody's next `STEP_S` seconds."""
        here = np.flatnonzero((self.mode != Mode.AWAY) & (self.mode != Mode.GONE))
        if not len(here):
            return
        self._in_mode[here] += STEP_S
        before = self.positions[here]
        self._move(here)
        self._keep_apart(here)
        self._settle()
        came = ((self.positions[here] - before) * _unit(self.headings[here])).sum(axis=1) / STEP_S
        self.speeds[here] = np.clip(came, 0, self.speeds[here])
        self._arrive(np.flatnonzero(self.mode == Mode.WALK))

    def _move(self, here: IntArray) -> None:
        walking = np.flatnonzero(self.mode[here] == Mode.WALK)
        direction = np.where(np.isnan(self.look), self.headings, self.look)[here]
        wanted = np.zeros(len(here))
        if len(walking):
            scene = self._scene(here, walking)
            direction[walking], wanted[walking] = choose(scene, self._ground)
            shoves = walking[self._blocked[here[walking]] > _PATIENCE_S]
            wanted[shoves] = np.maximum(wanted[shoves], _SHOVE)
        astray = _turn_to(direction, self.headings[here])
        wanted *= np.clip(0.1 + 0.9 * np.cos(astray), 0.1, 1)
        self._turn(here, astray)
        change = np.clip(wanted - self.speeds[here], -2 * STEP_S, _ACCELERATION * STEP_S)
        self.speeds[here] = np.maximum(self.speeds[here] + change, 0)
        moves = self.mode[here] < Mode.SIT
        self.positions[here] += (
            _unit(self.headings[here]) * (self.speeds[here] * moves * STEP_S)[:, None]
        )

    def _turn(self, here: IntArray, astray: DoubleArray) -> None:
        rate = np.clip(4 * astray, -_TURN, _TURN)
        change = np.clip(rate - self._turning[here], -_TURN_CHANGE * STEP_S, _TURN_CHANGE * STEP_S)
        self._turning[here] += change
        self.headings[here] += self._turning[here] * STEP_S

    def _scene(self, here: IntArray, walking: IntArray) -> Scene:
        """What the walking rows of those here see and want."""
        who = here[walking]
        velocities = self.speeds[here, None] * _unit(self.headings[here])
        remaining = self._courses.remaining(who, self.positions[who])
        speeds, carrots = self._keeping_up(who, remaining), self._carrots(who, remaining)
        remaining[~self._halts[who]] = np.inf
        mates = self.party[who, None] == self.party[here]
        apart = np.where(mates, _MATES_APART_M, _APART_M)
        patience = np.clip(1 - self._blocked[who] / _PATIENCE_S, 0, 1)[:, None]
        return Scene(
            self.positions[here],
            velocities,
            walking,
            self.headings[who],
            carrots,
            np.minimum(speeds, np.sqrt(2 * _BRAKING * remaining) + 0.1),
            remaining + 0.2,
            np.maximum(apart * patience, _SQUEEZED_M),
        )

    def _carrots(self, who: IntArray, remaining: DoubleArray) -> DoubleArray:
        """(W, 2) points ahead on the courses, on each one's side where there is room."""
        points, left = self._courses.headed_for(who)
        room = np.clip(self._ground.clearance(points) - 0.32, 0, None)
        fading = np.clip(remaining / 2 - 0.3, 0, 1)
        slots = self._slot[who] * np.minimum(room, 1) + _RIGHT_M
        lane = np.clip(slots * fading + self._side[who], -room, room)
        return np.asarray(points + lane[:, None] * left)

    def _keeping_up(self, who: IntArray, remaining: DoubleArray) -> DoubleArray:
        """(W,) preferred speeds; slower for those ahead of their party, faster for those behind."""
        count = np.bincount(self.party[who], minlength=self.party.max() + 1)
        total = np.bincount(self.party[who], remaining, len(count))
        behind = remaining - (total / np.maximum(count, 1))[self.party[who]]
        return np.asarray(self.preferred[who] * np.clip(1 + 0.5 * behind, 0.5, 1.15))

    def _keep_apart(self, here: IntArray) -> None:
        """Push apart those who touch, then off the walls; those who sit stay where they are."""
        mode = self.mode[here]
        weight = np.where(mode == Mode.WALK, 1.0, np.where(mode < Mode.SIT, 0.3, 0.0))
        share = weight[:, None] / np.maximum(weight[:, None] + weight, 1e-9)
        free = weight > 0
        positions = self.positions[here]
        for _ in range(3):
            offset = positions[:, None] - positions
            distance = np.sqrt((offset**2).sum(axis=2))
            np.fill_diagonal(distance, np.inf)
            is_clear = distance.min() > _TOUCH_M
            if not is_clear:
                push = 0.1 * np.maximum(_TOUCH_M - distance, 0)
                push = np.maximum(push, _HARD_M - distance) * share
                unit = offset / np.maximum(distance, 1e-3)[..., None]
                positions = positions + (push[..., None] * unit).sum(axis=1)
            positions[free] = self._ground.push_out(positions[free], _WALL_M)
            if is_clear:
                break
        self.positions[here] = positions

    def _settle(self) -> None:
        """Carry those who sit down or get up between floor and seat."""
        for mode, start, end in (
            (Mode.SIT, self._floor, self._seat),
            (Mode.RISE, self._seat, self._floor),
        ):
            who = np.flatnonzero(self.mode == mode)
            if not len(who):
                continue
            part = np.clip(self._in_mode[who] / SETTLE_SECONDS, 0, 1)[:, None]
            self.positions[who] = start[who] + (3 - 2 * part) * part**2 * (end[who] - start[who])
        down = np.flatnonzero((self.mode == Mode.TURN) & (self._in_mode > 0.3))
        down = down[np.abs(_turn_to(self.look[down], self.headings[down])) < 0.15]
        self._floor[down] = self.positions[down]
        self._switch(down, Mode.SIT)
        up = np.flatnonzero((self.mode == Mode.RISE) & (self._in_mode > SETTLE_SECONDS))
        self._switch(up, Mode.STAND)

    def _arrive(self, who: IntArray) -> None:
        """Follow the courses, and end those that are walked."""
        self._courses.follow(who, self.positions[who])
        self._wait(who)
        left = self._courses.remaining(who, self.positions[who])
        gives_up = (left < 1) & (self._blocked[who] > _PATIENCE_S)
        halts, sits = self._halts[who], self._is_to_sit[who]
        arrived = halts & ((left < _ARRIVED_M) | (gives_up & ~sits))
        self._switch(who[arrived & ~sits], Mode.STAND)
        self._switch(who[arrived & sits], Mode.TURN)
        self._switch(who[~halts & (left < _LEFT_M)], Mode.GONE)

    def _wait(self, who: IntArray) -> None:
        """Count the time that walkers get on slowly; after a while they try another side."""
        slow = self.speeds[who] < 0.15
        self._blocked[who] = np.maximum(self._blocked[who] + np.where(slow, 1, -2) * STEP_S, 0)
        self._side[who] *= 0.97
        for walker in who[self._blocked[who] > _LOST_S]:
            self._blocked[walker] = _PATIENCE_S
            self._find_back(walker)
        tries = who[(self._blocked[who] > _PATIENCE_S) & (np.abs(self._side[who]) < 0.15)]
        self._side[tries] = self._rng.uniform(-1, 0.5, len(tries))

    def _find_back(self, walker: int) -> None:
        """Lead one who was pushed behind an obstacle round it, to its course."""
        rest = self._courses.rest(walker)
        here = self._ground.push_out(self.positions[[walker]], WALK_M)
        way = find_way(self._ground, here[0], rest[0])
        if way is not None and len(way):
            self._courses.lay(walker, np.concatenate([here, way, rest]))

    def _switch(self, who: IntArray, mode: Mode) -> None:
        self.mode[who] = mode
        self._in_mode[who] = 0


def _turn_to(wanted: DoubleArray, now: DoubleArray) -> DoubleArray:
    """The shorter turn from one heading to another, radians in [-pi, pi)."""
    return np.asarray((wanted - now + np.pi) % (2 * np.pi) - np.pi)


def _unit(heading: DoubleArray) -> DoubleArray:
    """(N,) radians -> (N, 2) unit vectors."""
    return np.stack([np.cos(heading), np.sin(heading)], axis=1)
