"""Places that nobody has drawn: a room or a yard with furniture, its light, and one camera."""

from typing import Final, TypeVar, get_args

import numpy as np

from cameras.simulation.ground import Block, furniture_blocks
from cameras.simulation.meshes import Material, Mesh
from cameras.simulation.place import build_place
from cameras.simulation.settings import (
    ColumnSettings,
    FloorSettings,
    Furniture,
    FurnitureSettings,
    LensSettings,
    LightSettings,
    Point3,
    SimulatedCamera,
    Simulation,
    Surface,
    WallSettings,
)
from pipeline.types import BoolArray, DoubleArray

CAMERA: Final = "camera"
"""Id of the one camera."""
SIZES: Final = ((640, 360), (640, 360), (640, 480), (704, 576), (854, 480))
CLEARANCE_M: Final = 0.3
TALL: Final = ("column", "kiosk", "shelf", "sign")
_INDOORS: Final[tuple[Surface, ...]] = ("tiles", "planks", "carpet", "concrete", "tiles")
_OUTDOORS: Final[tuple[Surface, ...]] = ("asphalt", "concrete", "bricks", "tiles")
_WALLS: Final[tuple[Surface, ...]] = ("plaster", "plaster", "bricks", "concrete", "planks", "glass")
_STREET: Final = "#5f5f5c"

Rng = np.random.Generator
Choice = TypeVar("Choice")


def random_site(rng: Rng, distorted: bool = True) -> Simulation:
    """A place of 7 to 20 m, indoors or outdoors, by day or night, with a camera at its edge.

    Args:
        rng: Where chance comes from.
        distorted: Whether lenses distort.
    """
    indoors = bool(rng.random() < 0.55)
    size = rng.uniform(7, 20, 2)
    height = float(rng.uniform(2.7, 4.5) if indoors else rng.uniform(2.5, 7))
    light = _light(rng, size, height, indoors)
    return Simulation.model_validate(
        {
            "site": "random",
            "start": "2026-01-05T10:00:00Z",
            "seed": int(rng.integers(2**31)),
            "light": light,
            "floors": _floors(rng, size, indoors),
            "walls": _walls(rng, size, height, indoors),
            "columns": _columns(rng, size, height),
            "furniture": _furniture(rng, size),
            "stops": {"gate": {"position": (0.5, 0.5), "kind": "entry"}},
            "paths": (),
            "cameras": (_camera(rng, size, height if indoors else 6.0, light, distorted),),
        }
    )


def obstacles(site: Simulation) -> tuple[Block, ...]:
    """What stands about in the place."""
    columns = (Block(one.position, (0, 0), 0, one.radius_m) for one in site.columns)
    return (*columns, *furniture_blocks(site))


def tall_obstacles(site: Simulation) -> tuple[Block, ...]:
    """What stands about and is as high as a person."""
    return tuple(
        block
        for block, kind in zip(
            obstacles(site),
            (*("column",) * len(site.columns), *(one.kind for one in site.furniture)),
            strict=True,
        )
        if kind in TALL
    )


def pieces(site: Simulation) -> list[tuple[Mesh, tuple[Material, ...]]]:
    """The place in parts, so that what is out of sight need not be drawn: furniture one by one."""
    bare = site.model_copy(update={"furniture": ()})
    empty = {"floors": (), "walls": (), "columns": ()}
    alone = (site.model_copy(update=empty | {"furniture": (one,)}) for one in site.furniture)
    return [build_place(part) for part in (bare, *alone)]


def is_free(site: Simulation, blocks: tuple[Block, ...], points: DoubleArray) -> BoolArray:
    """Whether a person can be at points (..., 2): inside the place, and not in an obstacle."""
    x0, y0, x1, y1 = site.floors[-1].area
    low, high = np.array((x0, y0)) + CLEARANCE_M, np.array((x1, y1)) - CLEARANCE_M
    free = ((points > low) & (points < high)).all(axis=-1)
    for block in blocks:
        free &= block.distance(points) > CLEARANCE_M
    return np.asarray(free, np.bool_)


def _light(rng: Rng, size: DoubleArray, height: float, indoors: bool) -> LightSettings:
    """Indoors lamps hang from the ceiling; outdoors they stand about after sunset."""
    time = str(rng.choice(("day", "dusk", "night"), p=(0.62, 0.14, 0.24)))
    count = int(rng.integers(3, 8)) if indoors else int(rng.integers(1, 5)) * (time != "day")
    places = rng.uniform((0, 0), size, (count, 2))
    level = height - 0.1 if indoors else float(rng.uniform(3.5, 5))
    lamps: list[Point3] = [(float(x), float(y), level) for x, y in places]
    return LightSettings.model_validate(
        {
            "time": time,
            "sun_azimuth_degrees": rng.uniform(0, 360),
            "sun_elevation_degrees": rng.uniform(25, 75) if time == "day" else rng.uniform(12, 40),
            "lamps": lamps,
        }
    )


def _floors(rng: Rng, size: DoubleArray, indoors: bool) -> list[FloorSettings]:
    """The last is where people are."""
    width, depth = size
    street = FloorSettings(
        area=(-25, -25, width + 25, depth + 25), surface="asphalt", colour=_STREET
    )
    surface = _pick(rng, _INDOORS if indoors else _OUTDOORS)
    floor = FloorSettings(
        area=(0, 0, width, depth), surface=surface, colour=_colour(rng, 0.25, 0.75)
    )
    return [floor] if indoors else [street, floor]


def _walls(rng: Rng, size: DoubleArray, height: float, indoors: bool) -> list[WallSettings]:
    """All around indoors; on some sides outdoors."""
    width, depth = size
    corners = ((0.0, 0.0), (width, 0.0), (width, depth), (0.0, depth))
    surface, colour = _pick(rng, _WALLS), _colour(rng, 0.35, 0.9)
    walls = []
    for start, end in zip(corners, (*corners[1:], corners[0]), strict=True):
        if rng.random() < 0.3:
            surface, colour = _pick(rng, _WALLS), _colour(rng, 0.35, 0.9)
        if indoors or rng.random() < 0.6:
            walls.append(
                WallSettings(start=start, end=end, height_m=height, surface=surface, colour=colour)
            )
    return walls


def _columns(rng: Rng, size: DoubleArray, height: float) -> list[ColumnSettings]:
    return [
        ColumnSettings(
            position=tuple(rng.uniform(1.5, size - 1.5)),
            radius_m=rng.uniform(0.12, 0.35),
            height_m=height,
            colour=_colour(rng, 0.3, 0.8),
        )
        for _ in range(int(rng.choice(4, p=(0.5, 0.25, 0.15, 0.1))))
    ]


def _furniture(rng: Rng, size: DoubleArray) -> list[FurnitureSettings]:
    return [
        FurnitureSettings(
            kind=_pick(rng, get_args(Furniture)),
            position=tuple(rng.uniform(0.8, size - 0.8)),
            heading_degrees=rng.choice((0, 90, 180, 270)) + rng.normal(0, 8),
            colour=_colour(rng, 0.15, 0.75),
        )
        for _ in range(int(rng.integers(2, 9)))
    ]


def _camera(
    rng: Rng, size: DoubleArray, highest_m: float, light: LightSettings, distorted: bool
) -> SimulatedCamera:
    """At one side of the place, looking over it; the farther in it looks, the narrower."""
    along, side = rng.uniform(0.03, 0.97), int(rng.integers(4))
    edge = (0.02, 0.98)[side % 2]
    share = (edge, along) if side < 2 else (along, edge)
    position = np.array(share) * size
    target = rng.uniform(0.3, 0.7, 2) * size
    height = rng.uniform(2.2, max(highest_m - 0.2, 2.5))
    dark = light.time == "night"
    return SimulatedCamera.model_validate(
        {
            "id": CAMERA,
            "position": (*position, height),
            "look_at": (*target, rng.uniform(0.3, 1.2)),
            "field_of_view_degrees": rng.uniform(38, 95),
            "image_size": SIZES[int(rng.integers(len(SIZES)))],
            "lens": LensSettings(
                k1=rng.uniform(-0.2, 0.02) if distorted else 0,
                k2=rng.uniform(0, 0.02) if distorted else 0,
                softness_px=rng.gamma(4, 0.11),
            ),
            "exposure_stops": rng.normal(0, 0.3),
            "white_balance_kelvin": np.clip(rng.normal(6500, 900), 4500, 9500),
            "noise": rng.beta(1.5, 5) * (0.4 if dark else 0.7),
            "infrared": dark and rng.random() < 0.35,
            "quality": int(rng.integers(18, 33)),
        }
    )


def _colour(rng: Rng, darkest: float, brightest: float) -> str:
    """A muted colour, as buildings have: sRGB as #rrggbb."""
    level = rng.uniform(darkest, brightest)
    rgb = np.clip(
        level + rng.normal(0, 0.07) * np.array((1, 0.1, -1)) + rng.normal(0, 0.02, 3), 0, 1
    )
    red, green, blue = (round(255 * float(value)) for value in rgb)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _pick(rng: Rng, choices: tuple[Choice, ...]) -> Choice:
    return choices[int(rng.integers(len(choices)))]
