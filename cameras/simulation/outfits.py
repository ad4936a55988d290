"""How a look moves."""

import numpy as np

from cameras.simulation.accessories import carry_of
from cameras.simulation.gait import Gait, make_gait
from cameras.simulation.garments import body_of
from cameras.simulation.looks import Look


def gait_of(look: Look) -> Gait:
    """The person's own way to walk and stand, with its arms where what it carries needs them."""
    return make_gait(np.random.default_rng([look.body, 1]), body_of(look), carry_of(look))
