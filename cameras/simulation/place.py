"""What stands still on a simulated site: floors, walls with their openings, columns, furniture."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from cameras.simulation.furniture import furnish
from cameras.simulation.meshes import Material, Mesh
from cameras.simulation.primitives import mesh_of, rotation, turned
from cameras.simulation.settings import (
    ColumnSettings,
    FloorSettings,
    OpeningSettings,
    Rectangle,
    Simulation,
    WallSettings,
)
from cameras.simulation.surfaces import (
    Part,
    assemble,
    block,
    colour_of,
    darker,
    moved,
    paint,
    surface_material,
)

LAYER_M: Final = 0.002
"""Floors under others lie this much lower, so that no two share a plane."""
FOUNDATION_M: Final = 0.1
"""What stands on the floor goes on this far below it: no gaps."""
THINNER_M: Final = 0.0005
"""Each wall is thinner and lower than the one before it, so that no two share a plane."""
MOST_THINNER: Final = 24
COPING_M: Final = 0.08
SKIRTING_M: Final = 0.09
FRAME_M: Final = 0.07
_PROUD_M: Final = 0.004  # by which a part stands out of another whose plane it would share
_GOLDEN: Final = 0.618  # fills [0, 1) evenly, in steps


def build_place(simulation: Simulation) -> tuple[Mesh, tuple[Material, ...]]:
    """The place without its people: a mesh and its table of materials."""
    return assemble(
        [
            *_floors(simulation.floors),
            *(p for i, wall in enumerate(simulation.walls) for p in _wall(wall, i)),
            *(_column(column, i) for i, column in enumerate(simulation.columns)),
            *furnish(simulation.furniture, simulation.seed),
        ]
    )


def _floors(floors: tuple[FloorSettings, ...]) -> Iterator[Part]:
    """Rectangles near z = 0; where they overlap, the later one is seen."""
    layers: list[int] = []  # from the last floor to the first
    for number, floor in reversed(list(enumerate(floors))):
        above = zip(floors[:number:-1], layers, strict=True)
        layers.append(max((k + 1 for f, k in above if _overlap(f.area, floor.area)), default=0))
        material = surface_material(floor.surface, colour_of(floor.colour), number * _GOLDEN % 1)
        yield Part(flat(floor.area, -LAYER_M * layers[-1]), material)


def flat(area: Rectangle, height: float) -> Mesh:
    """A rectangle that looks up."""
    low, high = _corners(area)
    points = np.array([(x, y, height) for x in (low[0], high[0]) for y in (low[1], high[1])])
    texture = points * (1, 1, 0)
    return mesh_of(points, np.tile((0, 0, 1), (4, 1)), texture, [(0, 2, 3), (0, 3, 1)])


def _corners(area: Rectangle) -> tuple[np.ndarray, np.ndarray]:
    ends = np.reshape(area, (2, 2))
    return ends.min(axis=0), ends.max(axis=0)


def _overlap(first: Rectangle, second: Rectangle) -> bool:
    (low, high), (other_low, other_high) = _corners(first), _corners(second)
    return bool((np.minimum(high, other_high) > np.maximum(low, other_low)).all())


def _wall(wall: WallSettings, number: int) -> list[Part]:
    """A wall, built along x from its first end and then turned."""
    along = np.subtract(wall.end, wall.start)
    heading = float(np.degrees(np.arctan2(along[1], along[0])))
    # Where walls run along one another, the first of them in the file is seen.
    inset = THINNER_M * min(number, MOST_THINNER)
    half, height = wall.thickness_m / 2 - inset, wall.height_m - inset
    length = wall.length_m
    colour = colour_of(wall.colour)
    body = surface_material(wall.surface, colour, number * _GOLDEN % 1)
    top = height - COPING_M
    # Corners are closed, and no end comes through the other wall.
    beyond = max(wall.thickness_m / 2 - THINNER_M * (MOST_THINNER + 1), 0)
    ends = [
        (near - beyond * (near == 0), far + beyond * (far == length)) for near, far in wall.closed_m
    ]
    coping = paint(darker(colour, 0.55))
    over = half + 0.02
    parts = [block((near, -half, -FOUNDATION_M), (far, half, top), body) for near, far in ends]
    parts += [block((-beyond, -over, top), (length + beyond, over, height), coping)]
    for opening in wall.openings:
        parts += _opening(opening, half, top, body)
    if wall.surface == "plaster":
        board = paint(darker(colour, 0.45))
        out = half + 0.012
        parts += [
            block((near, -out, -FOUNDATION_M), (far, out, SKIRTING_M), board) for near, far in ends
        ]
    return moved(parts, (*wall.start, 0), rotation(2, heading))


def _opening(opening: OpeningSettings, half: float, top: float, body: Material) -> list[Part]:
    """The wall above an opening, and a frame around it."""
    near, far, height = opening.at_m, opening.at_m + opening.width_m, opening.height_m
    frame = paint(darker(body.colour, 0.55))
    out = half + 0.018
    above = height + FRAME_M
    parts = [
        block((near - FRAME_M, -out, -FOUNDATION_M), (near + _PROUD_M, out, above), frame),
        block((far - _PROUD_M, -out, -FOUNDATION_M), (far + FRAME_M, out, above), frame),
    ]
    if above < top:
        parts += [
            block((near, -half, height), (far, half, top), body),
            block((near, -out, height - _PROUD_M), (far, out, above), frame),
        ]
    return parts


def _column(column: ColumnSettings, number: int) -> Part:
    """A round column; its foot and head are as wide as it says, the shaft a little slimmer."""
    radius, height = column.radius_m, column.height_m
    shaft, rim = 0.88 * radius, min(0.14, height / 4)
    profile = [
        *[(radius, -FOUNDATION_M), (radius, rim), (radius, rim)],
        *[(shaft, 1.25 * rim), (shaft, 1.25 * rim)],
        *[(shaft, height - 1.25 * rim), (shaft, height - 1.25 * rim)],
        *[(radius, height - rim), (radius, height - rim), (radius, height)],
    ]
    material = surface_material(column.surface, colour_of(column.colour), number * _GOLDEN % 1)
    return moved([Part(turned(profile, sides=16), material)], (*column.position, 0), np.eye(3))[0]
