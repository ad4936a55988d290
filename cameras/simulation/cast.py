"""Any number of people by number: who they are follows from a seed, the last few are kept."""

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from cameras.simulation.gait import Gait
from cameras.simulation.garments import dress
from cameras.simulation.looks import Look
from cameras.simulation.meshes import Dressed
from cameras.simulation.models import Model
from cameras.simulation.outfits import gait_of
from cameras.simulation.renderer import Renderer
from cameras.simulation.wardrobe import random_look, uniform_looks

_LOOKS, _UNIFORMS = 1, 2  # tell uses of the seed apart
ALIKE = 4
"""How many wear one uniform."""


@dataclass(frozen=True, eq=False, slots=True)
class Actor:
    """A person ready to be posed and drawn."""

    dressed: Dressed
    gait: Gait
    model: Model


class Cast:
    """People by number, from 0.

    Args:
        renderer: Which will draw them.
        seed: Who is who.
        alike: Share in [0, 1] of people who wear the uniform of `ALIKE`, whose numbers follow one
            another.
        kept: How many stay dressed.
    """

    def __init__(self, renderer: Renderer, seed: int, alike: float, kept: int) -> None:
        self._renderer, self._seed, self._alike, self._kept = renderer, seed, alike, kept
        self._actors: OrderedDict[int, Actor] = OrderedDict()

    def look(self, identity: int) -> Look:
        """How a person looks."""
        group, place = divmod(identity, ALIKE)
        rng = np.random.default_rng([self._seed, _UNIFORMS, group])
        if rng.random() < self._alike:
            return uniform_looks(rng, ALIKE)[place]
        return random_look(np.random.default_rng([self._seed, _LOOKS, identity]))

    def actor(self, identity: int) -> Actor:
        """The person, dressed."""
        if identity in self._actors:
            self._actors.move_to_end(identity)
            return self._actors[identity]
        look = self.look(identity)
        dressed = dress(look)
        model = self._renderer.add(dressed.mesh, dressed.materials)
        self._actors[identity] = actor = Actor(dressed, gait_of(look), model)
        if len(self._actors) > self._kept:
            self._actors.popitem(last=False)
        return actor
