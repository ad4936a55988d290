"""What lights a simulated site: sun or main lamp, sky, lamps; in linear light."""

from dataclasses import dataclass
from math import cos, radians, sin
from typing import Final

from cameras.simulation.meshes import Colour
from cameras.simulation.settings import LightSettings, Point3


@dataclass(frozen=True, slots=True)
class Light:
    """The light of a moment; colours are linear red, green, blue, not limited to 1.

    Attributes:
        to_sun: Unit vector towards the sun or main lamp, which alone throws shadows.
        sun: Its light on a surface that faces it.
        sky: Light from above, on a surface that looks up.
        ground: Light thrown back by the ground, on a surface that looks down.
        lamps: Where lamps hang, at most 8.
        lamp: Light of each lamp at a distance of 1 m.
    """

    to_sun: Point3
    sun: Colour
    sky: Colour
    ground: Colour
    lamps: tuple[Point3, ...] = ()
    lamp: Colour = (0.0, 0.0, 0.0)


# By eye, for cameras that have adapted to the time of day: lamps look dimmer by day.
SUN: Final[dict[str, Colour]] = {
    "day": (2.1, 1.98, 1.78),
    "dusk": (0.85, 0.56, 0.34),
    "night": (0.17, 0.17, 0.19),
}
SKY: Final[dict[str, Colour]] = {
    "day": (0.72, 0.80, 0.92),
    "dusk": (0.34, 0.38, 0.52),
    "night": (0.05, 0.06, 0.085),
}
GROUND: Final[dict[str, Colour]] = {
    "day": (0.44, 0.42, 0.38),
    "dusk": (0.20, 0.18, 0.18),
    "night": (0.03, 0.03, 0.035),
}
LAMP: Final[dict[str, Colour]] = {
    "day": (1.6, 1.45, 1.2),
    "dusk": (3.6, 3.0, 2.2),
    "night": (4.6, 3.8, 2.7),
}


def make_light(settings: LightSettings) -> Light:
    """The light that the simulation file asks for."""
    azimuth = radians(settings.sun_azimuth_degrees)
    elevation = radians(settings.sun_elevation_degrees)
    level = cos(elevation)
    return Light(
        to_sun=(level * cos(azimuth), level * sin(azimuth), sin(elevation)),
        sun=SUN[settings.time],
        sky=SKY[settings.time],
        ground=GROUND[settings.time],
        lamps=settings.lamps,
        lamp=LAMP[settings.time],
    )
