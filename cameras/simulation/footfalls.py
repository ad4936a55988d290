"""Where a walker's feet and hips are through the cycle.

The walk follows the ground: the heel comes down, the foot lies flat, the heel rises over the ball
of the foot, each pinned to the floor while the body moves on; `poses.reach` bends the leg above.
Phases and angles of the foot after Perry, "Gait Analysis": stance for 62 % of the cycle, heel
strike with the toes some 20 degrees up, toe-off with the heel some 50 up.
"""

from typing import Final

import numpy as np
from scipy.interpolate import PchipInterpolator

from cameras.simulation.poses import Foot, Legs
from pipeline.types import DoubleArray

_STANCE: Final = 0.62  # share of the cycle that a foot is on the floor
_UNDER: Final = 0.235  # phase at which the ankle passes below the hip
_PHASES: Final = np.linspace(0, 1, 257)
_PITCH: Final = np.radians(
    PchipInterpolator(  # degrees, toes up, from one heel strike to the next
        [-0.04, 0, 0.08, 0.33, 0.5, _STANCE, 0.68, 0.80, 0.90, 0.96, 1, 1.08],
        [18, 20, 0, 0, -19, -50, -58, -24, 6, 18, 20, 0],
    )(_PHASES)
)
_TOES_BEND: Final = np.radians(58)
_TOES_BACK: Final = 0.12  # cycles until they are straight again
_EPSILON: Final = 0.01  # cycles


def walking_foot(
    phase: float, stride: float, vigour: float, legs: Legs, aside: float, outwards: float
) -> Foot:
    """A foot at a phase of its own cycle, in [0, 1): at 0 its heel strikes.

    Args:
        phase: In cycles.
        stride: Metres of one cycle.
        vigour: Scales the foot's pitch; 1 at usual speed.
        legs: Lengths.
        aside: Where the foot goes, metres left of the walker's line.
        outwards: How far it is turned.
    """
    pitch = float(np.interp(phase, _PHASES, _PITCH)) * vigour
    ahead, up = (
        _pinned(phase, stride, vigour, legs)
        if phase < _STANCE
        else _swung((phase - _STANCE) / (1 - _STANCE), stride, vigour, legs)
    )
    bent = min(max(-pitch, 0.0), _TOES_BEND)  # toes stay flat under a rising heel
    straightened = min(max((phase - _STANCE) / _TOES_BACK, 0.0), 1.0)
    return Foot((ahead, aside, up), pitch, outwards, pitch + bent * (1 - straightened))


def _pinned(phase: float, stride: float, vigour: float, legs: Legs) -> DoubleArray:
    """Ankle (ahead, up) of a foot that stands on heel, sole or ball."""
    pitch = float(np.interp(phase, _PHASES, _PITCH)) * vigour
    pivot = -legs.heel if pitch > 0 else legs.ball
    sine, cosine = np.sin(pitch), np.cos(pitch)
    ahead = stride * (_UNDER - phase) + pivot - pivot * cosine - legs.ankle * sine
    return np.array([ahead, -pivot * sine + legs.ankle * cosine])


def _swung(share: float, stride: float, vigour: float, legs: Legs) -> DoubleArray:
    """Ankle (ahead, up) of a foot in the air: a cubic from where it leaves to where it strikes."""
    leaving, before, striking = (
        _pinned(phase, stride, vigour, legs) for phase in (_STANCE, _STANCE - _EPSILON, 0)
    )
    time = 1 - _STANCE
    start = (leaving - before) / _EPSILON * time
    end = np.array([-0.6 * stride, -0.05]) * time  # slower over the floor than the body
    rest = 1 - share
    place = (
        (1 + 2 * share) * rest**2 * leaving
        + share * rest**2 * start
        + share**2 * (1 + 2 * rest) * striking
        - share**2 * rest * end
    )
    place[1] += 0.54 * vigour * legs.length * share * rest**2  # room for the toes
    return place


def hip_height(wave: float, stride: float, vigour: float, legs: Legs, bounce: float) -> float:
    """Lowest as a heel strikes, with that leg straight; highest in the middle of a step.

    Args:
        wave: Phase of the left leg, radians.
        stride: Metres.
        vigour: As of the feet.
        legs: Lengths.
        bounce: 1 for all that the legs allow.
    """
    ahead, up = _pinned(0, stride, vigour, legs)
    low = up + np.sqrt((0.998 * legs.length) ** 2 - (ahead - legs.hip[0]) ** 2)
    high = legs.ankle + 0.99 * legs.length
    middle, half = (low + high) / 2, bounce * (high - low) / 2
    return float(min(middle - half * np.cos(2 * wave), high))
