"""The simulated site at a moment: who is where, in which pose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from cameras.simulation.body import skin, skin_surface
from cameras.simulation.crowd import walk_site
from cameras.simulation.gait import (
    Gait,
    sitting_pose,
    standing_pose,
    stride_m,
    walking_pose,
)
from cameras.simulation.garments import dress
from cameras.simulation.looks import Look
from cameras.simulation.meshes import Dressed
from cameras.simulation.outfits import gait_of
from cameras.simulation.poses import Pose, blend, pose_body
from cameras.simulation.settings import PeopleSettings, Simulation
from cameras.simulation.visits import Activity, Moment, Visit, at
from cameras.simulation.walkers import SETTLE_SECONDS
from cameras.simulation.wardrobe import random_look, uniform_looks
from pipeline.types import DoubleArray, FloatArray

_LOOKS: Final = 0x100C
"""Tells this use of the seed from others."""
_WALKING_M_PER_S: Final = 0.5
"""From here on a person walks; below, it stands the more the slower it is."""


@dataclass(frozen=True, eq=False, slots=True)
class PosedPerson:
    """A person at a moment, in the world.

    Attributes:
        identity: Number of the person, from 1.
        positions: (V, 3) float32, metres: the vertices of its `Dressed` mesh.
        normals: (V, 3) float32, unit.
        keypoints: (17, 3) float32, metres: COCO's, in its order.
        ground: (2,) float64, metres: where it stands.
        heading: Where it looks, radians counter-clockwise from +x.
        speed: Metres a second.
    """

    identity: int
    positions: FloatArray
    normals: FloatArray
    keypoints: FloatArray
    ground: DoubleArray
    heading: float
    speed: float


class World:
    """Everybody on a simulated site, at any moment.

    Args:
        simulation: The site.

    Attributes:
        identities: How each person looks, by its number from 1.
        dressed: The same as meshes.
        visits: When they are there, and where.

    Raises:
        SettingsError: A stop is not on free floor or cannot be reached, or a path is blocked.
    """

    def __init__(self, simulation: Simulation) -> None:
        self.visits: tuple[Visit, ...] = walk_site(simulation)
        self.identities: Mapping[int, Look] = draw_looks(simulation.people, simulation.seed)
        self.dressed: Mapping[int, Dressed] = {
            identity: dress(look) for identity, look in self.identities.items()
        }
        self._gaits = {identity: gait_of(look) for identity, look in self.identities.items()}
        self._phases = [_phases(visit, self._gaits[visit.person]) for visit in self.visits]

    def people_at(self, time_s: float) -> tuple[PosedPerson, ...]:
        """Everybody who is on the site at a time, by number."""
        return tuple(
            self._posed(visit, phases, time_s)
            for visit, phases in zip(self.visits, self._phases, strict=True)
            if visit.is_on(time_s)
        )

    def _posed(self, visit: Visit, phases: DoubleArray, time_s: float) -> PosedPerson:
        moment = at(visit, time_s)
        phase = float(np.interp(time_s, visit.times_s, phases))
        pose = pose_at(moment, phase, time_s, self._gaits[visit.person])
        return place(self.dressed[visit.person], visit.person, pose, moment)


def draw_looks(people: PeopleSettings, seed: int) -> dict[int, Look]:
    """How everybody looks; those who wear the uniform are drawn among all."""
    rng = np.random.default_rng([seed, _LOOKS])
    alike = sorted((rng.permutation(people.count)[: people.alike] + 1).tolist())
    uniforms = uniform_looks(np.random.default_rng([seed, _LOOKS, 0]), people.alike)
    looks = {
        person: random_look(np.random.default_rng([seed, _LOOKS, person]))
        for person in range(1, people.count + 1)
    }
    return looks | dict(zip(alike, uniforms, strict=True))


def _phases(visit: Visit, gait: Gait) -> DoubleArray:
    """Phase of the walk cycle (T,), in cycles, at the samples of a visit: quick steps are long."""
    speeds = (visit.speeds[1:] + visit.speeds[:-1]) / 2
    strides = np.array([stride_m(speed, gait) for speed in speeds.tolist()])
    phases = np.cumsum(np.diff(visit.distances) / strides)
    return np.asarray(np.append(0.0, phases) + visit.distances[0] + gait.phases[0])


def pose_at(moment: Moment, phase: float, time_s: float, gait: Gait) -> Pose:
    """What a person's body does: walks, stands, sits, or changes from one to another."""
    if moment.activity is Activity.SIT:
        share = min(moment.since_s, moment.left_s, SETTLE_SECONDS) / SETTLE_SECONDS
        return sitting_pose(time_s, gait, share=share)
    walking = min(moment.speed / _WALKING_M_PER_S, 1.0)
    if walking < 0.02:
        return standing_pose(time_s, gait)
    pose = walking_pose(phase, moment.speed, gait)
    return pose if walking == 1 else blend(standing_pose(time_s, gait), pose, walking)


def place(dressed: Dressed, identity: int, pose: Pose, moment: Moment) -> PosedPerson:
    """A dressed person put into a pose, and to where it is."""
    transforms = pose_body(pose, dressed.joints)
    cos, sin = np.cos(moment.heading), np.sin(moment.heading)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]], np.float32)
    placed = turn @ transforms
    placed[:, :2, 3] += moment.position.astype(np.float32)
    mesh = dressed.mesh
    positions, normals = skin_surface(mesh.positions, mesh.normals, dressed.weights, placed)
    return PosedPerson(
        identity,
        positions,
        normals,
        skin(dressed.keypoints, dressed.keypoint_weights, placed),
        moment.position,
        moment.heading,
        moment.speed,
    )
