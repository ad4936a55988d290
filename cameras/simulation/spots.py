"""Who stands or sits where: the occupancy of stops."""

from typing import Final

import numpy as np

from cameras.simulation.ground import Ground
from cameras.simulation.routes import STAND_M, WALK_M, Network
from pipeline.types import DoubleArray

_TOGETHER_M: Final = 2.5
_APART_M: Final = 0.8
_CROWDED_M: Final = 0.5
_TRIES: Final = 24


class Spots:
    """Places to stand and seats, taken by walkers from when they set out for them."""

    def __init__(
        self, network: Network, ground: Ground, count: int, rng: np.random.Generator
    ) -> None:
        """Nothing is taken by any of so many walkers."""
        self._network, self._ground, self._rng = network, ground, rng
        self._taken = np.full((count, 2), np.inf)
        self._seats = np.full(count, -1)

    def release(self, walkers: list[int]) -> None:
        """Give back what these walkers have taken."""
        self._taken[walkers], self._seats[walkers] = np.inf, -1

    def near(self, stop: int) -> DoubleArray:
        """A random point (2,) near a stop that can be reached straight from it."""
        return self._around(stop, float(self._network.spread[stop]))

    def is_full(self, stop: int) -> bool:
        """Whether a stop has no seat, or no place to stand, for one more."""
        settings = self._network.stops[stop]
        if settings.kind == "sit":
            return not self._free_seats(stop)
        away = np.linalg.norm(self._taken - self._network.aims[stop], axis=1)
        standing = (away < settings.radius_m + _APART_M).sum()
        return bool(settings.kind == "stand" and standing >= 1 + 5 * settings.radius_m**2)

    def take_seats(self, stop: int, walkers: list[int]) -> list[int]:
        """Seats near a seat, itself first, for the first of these walkers; maybe for none."""
        seats = self._free_seats(stop)[: len(walkers)]
        for walker, seat in zip(walkers, seats, strict=False):
            self._seats[walker], self._taken[walker] = seat, self._network.aims[seat]
        return seats

    def take_places(self, stop: int, walkers: list[int]) -> tuple[DoubleArray, DoubleArray]:
        """(W, 2) places to stand together at a stop and (W,) radians where to look from them."""
        places = self._standing(stop, len(walkers))
        self._taken[walkers] = places
        return places, self._looks(stop, places)

    def _free_seats(self, stop: int) -> list[int]:
        places = self._network.places
        away = np.linalg.norm(places - places[stop], axis=1)
        free = set(self._network.of_kind("sit")) - set(self._seats.tolist())
        seats = [seat for seat in free if away[seat] <= _TOGETHER_M]
        return sorted(seats, key=lambda seat: (float(away[seat]), seat))

    def _around(self, stop: int, radius_m: float) -> DoubleArray:
        angle, part = self._rng.uniform(0, 2 * np.pi), np.sqrt(self._rng.uniform())
        offset = radius_m * part * np.array([np.cos(angle), np.sin(angle)])
        return np.asarray(self._network.aims[stop] + offset)

    def _standing(self, stop: int, count: int) -> DoubleArray:
        """(count, 2) points in a ring; of many such rings, the one most apart from others."""
        angles = self._rng.uniform(0, 2 * np.pi) + np.arange(count) * 2 * np.pi / count
        ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        ring *= 0 if count == 1 else _APART_M / 2 / np.sin(np.pi / count)
        aim, radius = self._network.aims[stop], self._network.stops[stop].radius_m
        rings = np.array([self._around(stop, radius + _CROWDED_M) + ring for _ in range(_TRIES)])
        rings = rings[[self._can_stand(aim, ring) for ring in rings]]
        if not len(rings):
            return self._ground.push_out(aim + 0.5 * ring, WALK_M)
        gaps = np.linalg.norm(rings[:, :, None] - self._taken, axis=3).min(axis=(1, 2))
        beyond = np.maximum(np.linalg.norm(rings.mean(axis=1) - aim, axis=1) - radius, 0)
        return np.asarray(rings[(2 * np.minimum(gaps, _APART_M) - beyond).argmax()])

    def _can_stand(self, aim: DoubleArray, places: DoubleArray) -> bool:
        """Whether every place is free, and on the same side of obstacles as the stop."""
        return all(self._ground.is_free(aim, place, STAND_M) for place in places)

    def _looks(self, stop: int, places: DoubleArray) -> DoubleArray:
        """(W,) radians: as the stop says, else at one another, else where there is room."""
        wanted = self._network.looks[stop]
        if np.isfinite(wanted):
            return np.asarray(wanted + self._rng.normal(0, 0.15, len(places)))
        if len(places) > 1:
            inwards = places.mean(axis=0) - places
            return np.asarray(np.arctan2(inwards[:, 1], inwards[:, 0]))
        angles = self._rng.uniform(0, 2 * np.pi, 6)
        ahead = places + np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return np.asarray(angles[[self._ground.clearance(ahead).argmax()]])
