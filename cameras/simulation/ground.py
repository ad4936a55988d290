"""Where one can stand: the distance to the next obstacle, for every point of the floor."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from cameras.simulation.footprints import FOOTPRINTS
from cameras.simulation.settings import Simulation, WallSettings
from pipeline.types import BoolArray, DoubleArray

SPACING_M = 0.1
FARTHEST_M = 2.0
"""Clearances are cut off here, so that an obstacle has to be drawn on the map around it only."""
PATH_M = 1.0
"""Floor there is this far beside every path, drawn or not: entries lie at its edge or beyond."""


@dataclass(frozen=True, slots=True)
class Block:
    """A box or disc that nobody can walk through.

    Attributes:
        centre: x, y, metres.
        half: Half of its extent along and across its heading, metres; (0, 0) for a disc.
        heading: Radians.
        rounding: Metres around that box that belong to it too; the radius of a disc.
    """

    centre: tuple[float, float]
    half: tuple[float, float]
    heading: float
    rounding: float = 0.0

    def distance(self, points: DoubleArray) -> DoubleArray:
        """(..., 2) points -> (...) metres to its edge, negative inside."""
        cosine, sine = np.cos(self.heading), np.sin(self.heading)
        offset = (points - self.centre) @ np.array([[cosine, -sine], [sine, cosine]])
        beyond = np.abs(offset) - self.half
        outside = np.linalg.norm(np.maximum(beyond, 0), axis=-1)
        return np.asarray(outside + np.minimum(beyond.max(axis=-1), 0) - self.rounding)


@dataclass(frozen=True, eq=False, slots=True)
class Ground:
    """The floor's map of clearances.

    Attributes:
        origin: (2,) x, y of the first cell's centre, metres.
        field: (columns, rows) float64, metres to the next obstacle or the floor's edge, negative
            inside, at most `FARTHEST_M`.
    """

    origin: DoubleArray
    field: DoubleArray

    def clearance(self, points: DoubleArray) -> DoubleArray:
        """(..., 2) points -> (...) metres to the next obstacle, linearly between cells.

        Off the map as at its edge, which is off the floor.
        """
        places = np.clip((points - self.origin) / SPACING_M, 0, np.array(self.field.shape) - 1.001)
        cells = places.astype(int)
        x, y = np.moveaxis(places - cells, -1, 0)
        rows = self.field.shape[1]
        corner = cells[..., 0] * rows + cells[..., 1]
        values = self.field.ravel()
        near = values[corner] * (1 - y) + values[corner + 1] * y
        far = values[corner + rows] * (1 - y) + values[corner + rows + 1] * y
        return np.asarray(near * (1 - x) + far * x)

    def away(self, points: DoubleArray) -> DoubleArray:
        """(N, 2) points -> (N, 2) unit vectors that lead away from the next obstacle."""
        step = np.array([[SPACING_M, 0], [0, SPACING_M]])
        slope = self.clearance(points[:, None] + step) - self.clearance(points[:, None] - step)
        return np.asarray(slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9))

    def push_out(self, points: DoubleArray, clearance_m: float) -> DoubleArray:
        """(N, 2) points, those too near to an obstacle moved to the wanted clearance."""
        for _ in range(3):
            lacking = clearance_m - self.clearance(points)
            near = lacking > 0
            if not near.any():
                break
            points = points.copy()
            points[near] += self.away(points[near]) * lacking[near, None]
        return points

    def is_free(self, start: DoubleArray, end: DoubleArray, clearance_m: float) -> bool:
        """Whether one can walk straight from one point (2,) to the other."""
        count = 2 + int(np.linalg.norm(end - start) / SPACING_M)
        on_the_way = np.linspace(start, end, count)
        return bool(self.clearance(on_the_way).min() >= clearance_m)


def map_ground(simulation: Simulation) -> Ground:
    """The map of a site: walls with their openings, columns, furniture, the floors' edges."""
    low, high = _extent(simulation)
    columns, rows = np.ceil((high - low) / SPACING_M).astype(int) + 1
    grid = low + SPACING_M * np.moveaxis(np.mgrid[:columns, :rows], 0, -1)  # (columns, rows, 2)
    floor = _is_floor(simulation, grid)
    to_edge = distance_transform_edt(floor) - distance_transform_edt(~floor)
    to_edge -= np.sign(to_edge) / 2  # from cell centres to the line between cells
    field = np.clip(SPACING_M * to_edge, -FARTHEST_M, FARTHEST_M)
    for block in blocks(simulation):
        _draw(field, grid, block)
    return Ground(low, field)


def blocks(simulation: Simulation) -> tuple[Block, ...]:
    """All that stands on the floor."""
    walls = (block for wall in simulation.walls for block in _wall_blocks(wall))
    columns = (Block(c.position, (0, 0), 0, c.radius_m) for c in simulation.columns)
    return (*walls, *columns, *furniture_blocks(simulation))


def furniture_blocks(simulation: Simulation) -> tuple[Block, ...]:
    """The furniture, in the order of the settings; a block's heading is where its front looks."""
    return tuple(
        Block(
            thing.position,
            (FOOTPRINTS[thing.kind][1] / 2, FOOTPRINTS[thing.kind][0] / 2),
            float(np.radians(thing.heading_degrees)),
        )
        for thing in simulation.furniture
    )


def _wall_blocks(wall: WallSettings) -> list[Block]:
    """The parts of a wall between its openings."""
    start, end = np.array(wall.start), np.array(wall.end)
    along = (end - start) / wall.length_m
    return [
        Block(
            tuple(start + along * (near + far) / 2),
            ((far - near) / 2, wall.thickness_m / 2),
            float(np.arctan2(along[1], along[0])),
        )
        for near, far in wall.closed_m
    ]


def _extent(simulation: Simulation) -> tuple[DoubleArray, DoubleArray]:
    areas = [np.reshape(floor.area, (2, 2)) for floor in simulation.floors]
    stops = [np.array([stop.position]) for stop in simulation.stops.values()]
    corners = np.concatenate([*areas, *stops])
    return corners.min(axis=0) - 1.5, corners.max(axis=0) + 1.5


def _is_floor(simulation: Simulation, grid: DoubleArray) -> BoolArray:
    """(columns, rows): on a floor, or beside a path."""
    result = np.zeros(grid.shape[:2], bool)
    for floor in simulation.floors:
        x0, y0, x1, y1 = floor.area
        low, high = (min(x0, x1), min(y0, y1)), (max(x0, x1), max(y0, y1))
        result |= ((grid >= low) & (grid <= high)).all(axis=-1)
    for path in simulation.paths:
        start, end = (np.array(simulation.stops[name].position) for name in path)
        along = end - start
        heading, half = float(np.arctan2(along[1], along[0])), float(np.linalg.norm(along)) / 2
        strip = Block(tuple((start + end) / 2), (half, 0), heading, PATH_M)
        result |= strip.distance(grid) <= 0
    return result


def _draw(field: DoubleArray, grid: DoubleArray, block: Block) -> None:
    """Lower the clearances around one block, in place."""
    reach = np.hypot(*block.half) + block.rounding + FARTHEST_M
    first, last = (
        np.clip(
            ((np.array(block.centre) + sign * reach - grid[0, 0]) / SPACING_M).astype(int) + 1,
            0,
            field.shape,
        )
        for sign in (-1, 1)
    )
    window = (slice(first[0], last[0]), slice(first[1], last[1]))
    field[window] = np.minimum(field[window], block.distance(grid[window]))
