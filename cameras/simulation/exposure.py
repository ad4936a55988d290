"""Automatic exposure, as cameras have it: the picture of an empty place comes out half bright."""

from dataclasses import replace
from typing import Final

import numpy as np

from cameras.simulation.lights import Light
from cameras.simulation.optics import View
from cameras.simulation.renderer import Moment, Placed, Renderer, Shot

MEAN_LEVEL: Final = 120.0
"""Aimed at, grey levels; what the view's own gain asks for comes on top."""
MOST: Final = 2.5
"""Stops: at night cameras do not get there."""
ROUNDS: Final = 3
WIDTH: Final = 96


def exposed(renderer: Renderer, scenery: tuple[Placed, ...], light: Light, view: View) -> View:
    """The view with its gain adapted to the light in its place."""
    stops = 0.0
    for _ in range(ROUNDS):
        trial = replace(_small(view), gain=(2.0**stops,) * 3)
        (picture,) = renderer.draw([Shot(Moment(light, scenery), trial)])
        level = max(float(picture.image.mean()), 1.0)
        stops = float(np.clip(stops + 1.5 * np.log2(MEAN_LEVEL / level), -MOST, MOST))
    red, green, blue = (2.0**stops * own for own in view.gain)
    return replace(view, gain=(red, green, blue))


def _small(view: View) -> View:
    scale = WIDTH / view.size[0]
    intrinsics = np.diag((scale, scale, 1)) @ view.intrinsics
    return replace(view, intrinsics=intrinsics, size=(WIDTH, round(scale * view.size[1])))
