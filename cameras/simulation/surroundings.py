"""What lies around a simulated site, so that cameras see no void: ground, trees, houses.

Nobody walks there. It is a mesh of its own because it is too far away to throw shadows on the
site, and would take up most of the map of shadows.
"""

from typing import Final

import numpy as np

from cameras.simulation.meshes import Material, Mesh, Pattern
from cameras.simulation.place import flat
from cameras.simulation.plants import foliage
from cameras.simulation.primitives import cylinder, mesh_of, rotation
from cameras.simulation.settings import Simulation
from cameras.simulation.surfaces import Part, assemble, block, colour_of, darker, moved, paint
from pipeline.types import DoubleArray

REACH_M: Final = 160.0
PAVED_M: Final = 4.0
TREES_M: Final = (7.0, 12.0)
HOUSES_M: Final = (17.0, 24.0)
STOREY_M: Final = 3.1
BELOW_M: Final = 0.03
_SURROUNDINGS: Final = 7  # tells these random numbers from others of the same seed
_WALLS: Final = ("#b9ab93", "#a0624a", "#c9c4b8", "#8f9499", "#a98f72")
_GRASS: Final = Material(
    (0.33, 0.38, 0.24), (0.27, 0.33, 0.19), Pattern.SPECKLE, wear=0.2, infrared=0.7
)
_PAVING: Final = Material((0.5, 0.49, 0.47), (0.42, 0.41, 0.4), Pattern.SPECKLE, infrared=0.4)
_BARK: Final = Material((0.27, 0.21, 0.16), (0.18, 0.14, 0.1), Pattern.SPECKLE, infrared=0.4)
_WINDOW: Final = Material((0.16, 0.2, 0.24), gloss=0.9, infrared=0.1)


def build_surroundings(simulation: Simulation) -> tuple[Mesh, tuple[Material, ...]]:
    """A mesh that begins where the floors and cameras end, and its table of materials."""
    rng = np.random.default_rng([simulation.seed, _SURROUNDINGS])
    low, high = _extent(simulation)
    paved = (*(low - PAVED_M).tolist(), *(high + PAVED_M).tolist())
    wide = (*(low - REACH_M).tolist(), *(high + REACH_M).tolist())
    parts = [Part(flat(wide, -2 * BELOW_M), _GRASS), Part(flat(paved, -BELOW_M), _PAVING)]
    middle, half = (low + high) / 2, (high - low) / 2
    for turn, (away, along) in enumerate([half, half[::-1], half, half[::-1]]):
        # A row beyond one side of the site, built as if it were the one at -x.
        row = [*_trees(away, along, rng), *_houses(away, along, rng)]
        parts += moved(row, (*middle, 0), rotation(2, 90 * turn))
    return assemble(parts)


def _extent(simulation: Simulation) -> tuple[DoubleArray, DoubleArray]:
    areas = np.reshape([floor.area for floor in simulation.floors], (-1, 2))
    cameras = np.array([camera.position[:2] for camera in simulation.cameras])
    points = np.concatenate([areas, cameras])
    return points.min(axis=0), points.max(axis=0)


def _trees(away: float, along: float, rng: np.random.Generator) -> list[Part]:
    parts: list[Part] = []
    for y in np.arange(-along - 4, along + 4, 11) + rng.uniform(0, 5):
        height, radius = rng.uniform((2.2, 1.9), (3.0, 2.7))
        crown = foliage((0, 0, height + radius), (radius, radius, 1.1 * radius), 84, 1.4, rng)
        trunk = Part(cylinder(0.13, height + radius, sides=6), _BARK)
        parts += moved([trunk, *crown], (-away - rng.uniform(*TREES_M), y, -BELOW_M), np.eye(3))
    return parts


def _houses(away: float, along: float, rng: np.random.Generator) -> list[Part]:
    parts: list[Part] = []
    y = -along - HOUSES_M[0]
    while y < along + HOUSES_M[0]:
        width, storeys = rng.uniform(9, 17), int(rng.integers(2, 5))
        house = _house(width, storeys, colour_of(_WALLS[rng.integers(len(_WALLS))]))
        parts += moved(house, (-away - rng.uniform(*HOUSES_M), y + width / 2, 0), np.eye(3))
        y += width + rng.uniform(0.5, 4)
    return parts


def _house(width: float, storeys: int, colour: tuple[float, float, float]) -> list[Part]:
    """A house with a flat roof that looks along +x from x = 0."""
    height = storeys * STOREY_M + 0.6
    plaster = Material(colour, wear=0.3, infrared=0.6)
    return [
        block((-10, -width / 2, -1), (0, width / 2, height), plaster),
        block(
            (-10.2, -width / 2 - 0.2, height),
            (0.2, width / 2 + 0.2, height + 0.3),
            paint(darker(colour, 0.4), 0.1),
        ),
        Part(_windows(width, storeys), _WINDOW),
    ]


def _windows(width: float, storeys: int) -> Mesh:
    """Windows just before the plane x = 0."""
    across = np.linspace(-width / 2, width / 2, int(width / 2.4) + 1)
    middles = np.stack(
        np.meshgrid((across[1:] + across[:-1]) / 2, (np.arange(storeys) + 0.55) * STOREY_M), axis=-1
    ).reshape(-1, 1, 2)
    corners = middles + np.array([(-0.6, -0.8), (0.6, -0.8), (0.6, 0.8), (-0.6, 0.8)])
    points = np.insert(corners.reshape(-1, 2), 0, 0.03, axis=1)
    first = 4 * np.arange(len(middles))[:, None]
    faces = np.concatenate([first + half for half in ((0, 1, 2), (0, 2, 3))])
    return mesh_of(points, np.tile((1, 0, 0), (len(points), 1)), points, faces)
