"""Where to step next among people and obstacles.

Each walker looks along directions around the one it wants, sees how far it could go in each before
it bumps into something, takes the one that brings it nearest to where it wants to be, and walks no
faster than lets it stop in time (Moussaid, Helbing & Theraulaz 2011, heuristics 1 and 2).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from cameras.simulation.ground import Ground
from pipeline.types import DoubleArray, IntArray

_ANGLES: Final = np.radians(np.concatenate([np.arange(-84, 0, 7), np.arange(0, 85, 7)]))
_HORIZON_S: Final = 4.0
_REACTION_S: Final = 0.6
_PROBES_M: Final = np.array([0.2, 0.4, 0.6, 0.85, 1.1, 1.4])
_NO_WAY_M: Final = 0.3
_FEELER_M: Final = 0.28
_KEEP_RIGHT: Final = 0.03
_KEEP_ON: Final = 0.15


@dataclass(frozen=True, eq=False, slots=True)
class Scene:
    """Everybody (N) at a moment, of whom some walk (W).

    Attributes:
        positions: (N, 2) metres.
        velocities: (N, 2) metres a second.
        walking: (W,) rows of those who walk.
        headings: (W,) radians.
        carrots: (W, 2) points a little ahead that they follow.
        speeds: (W,) metres a second, as fast as they want to go now.
        limits: (W,) metres to where they want to halt; nothing beyond matters.
        distances: (W, N) metres that they want to keep between centres.
    """

    positions: DoubleArray
    velocities: DoubleArray
    walking: IntArray
    headings: DoubleArray
    carrots: DoubleArray
    speeds: DoubleArray
    limits: DoubleArray
    distances: DoubleArray


def choose(scene: Scene, ground: Ground) -> tuple[DoubleArray, DoubleArray]:
    """(W,) direction to walk in, radians, and (W,) speed, metres a second."""
    here = scene.positions[scene.walking]
    wanted = scene.carrots - here
    straight = np.arctan2(wanted[:, 1], wanted[:, 0])
    angles = straight[:, None] + _ANGLES  # (W, A)
    horizon = np.minimum(_HORIZON_S * scene.speeds, scene.limits)[:, None]
    free = np.minimum(_free_of_people(scene, angles), horizon)
    feeler = np.linalg.norm(wanted, axis=1, keepdims=True)
    by_obstacles = _free_of_obstacles(here, angles, ground)
    by_obstacles[by_obstacles >= feeler] = np.inf
    free = np.minimum(free, by_obstacles)
    part = free / np.maximum(horizon, 1e-6)
    missed = 1 + part**2 - 2 * part * np.cos(_ANGLES)
    missed += by_obstacles < _NO_WAY_M  # people may make room, walls do not
    turn = 1 - np.cos(angles - scene.headings[:, None])
    best = (missed + _KEEP_RIGHT * np.sin(_ANGLES) + _KEEP_ON * turn).argmin(axis=1)
    rows = np.arange(len(best))
    return angles[rows, best], np.minimum(scene.speeds, free[rows, best] / _REACTION_S)


def _free_of_people(scene: Scene, angles: DoubleArray) -> DoubleArray:
    """(W, A) metres to the first touch with another who goes on as now; infinite without."""
    direction = np.stack([np.cos(angles), np.sin(angles)], axis=2)  # (W, A, 2)
    speed = np.maximum(scene.speeds, 0.1)[:, None, None]
    offset = scene.positions[None] - scene.positions[scene.walking][:, None]  # (W, N, 2)
    apart = (offset**2).sum(axis=2)
    radius = np.minimum(scene.distances, 0.97 * np.sqrt(apart))
    # |offset - t * relative|^2 = radius^2 for the relative velocity of each direction
    closing = speed * (direction @ offset.swapaxes(1, 2))  # (W, A, N)
    closing -= (offset * scene.velocities).sum(axis=2)[:, None]
    relative = speed**2 - 2 * speed * (direction @ scene.velocities.T)
    relative += (scene.velocities**2).sum(axis=1)
    root = closing**2 - relative * (apart - radius**2)[:, None]
    touches = (root >= 0) & (closing > 0)
    touches[np.arange(len(angles)), :, scene.walking] = False
    time = (closing - np.sqrt(np.maximum(root, 0))) / np.maximum(relative, 1e-9)
    return np.asarray((np.where(touches, time, np.inf) * speed).min(axis=2))


def _free_of_obstacles(here: DoubleArray, angles: DoubleArray, ground: Ground) -> DoubleArray:
    """(W, A) metres to the first point too near to an obstacle; infinite without one nearby."""
    direction = np.stack([np.cos(angles), np.sin(angles)], axis=2)[:, :, None]
    points = here[:, None, None] + _PROBES_M[:, None] * direction  # (W, A, probes, 2)
    allowed = np.minimum(_FEELER_M, ground.clearance(here) - 0.02)[:, None, None]
    blocked = ground.clearance(points) < allowed
    first = _PROBES_M[blocked.argmax(axis=2)] - _PROBES_M[0]
    return np.where(blocked.any(axis=2), first, np.inf)
