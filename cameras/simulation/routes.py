"""Ways over the graph of stops, and round what stands in between."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from cameras.simulation.ground import SPACING_M, Block, Ground, furniture_blocks
from cameras.simulation.settings import Simulation, StopSettings
from pipeline.errors import SettingsError
from pipeline.types import BoolArray, DoubleArray, IntArray

STAND_M: Final = 0.25
"""Least clearance of a place to be."""
WALK_M: Final = 0.3
"""Least clearance of a planned way."""
_BY_THE_WAY_M: Final = 1000.0
"""Ways lead through an entry or over a seat only where there is no other."""
_LONGEST_DETOUR: Final = 2.0
_DETOUR_MARGIN_M: Final = 4.0

Way = DoubleArray
"""(K, 2) points between two neighbouring stops, both left out; none where the way is straight."""


@dataclass(frozen=True, eq=False, slots=True)
class Network:
    """The stops, by number in the order of the settings, and the ways between them.

    Attributes:
        names: Their names.
        stops: Their settings.
        places: (S, 2) where people are who have arrived; of a seat: the seat itself.
        aims: (S, 2) where people walk to; of a seat: the free floor beside it.
        looks: (S,) radians, where those who stay look; NaN where it does not matter.
        spread: (S,) metres round the aim in which every point can be reached straight from it.
        lengths: (S, S) metres along the ways.
        previous: (S, S) `previous[a, b]` is the stop before b on the way from a; negative for a.
        ways: Of each pair of neighbours, in both directions.
    """

    names: tuple[str, ...]
    stops: tuple[StopSettings, ...]
    places: DoubleArray
    aims: DoubleArray
    looks: DoubleArray
    spread: DoubleArray
    lengths: DoubleArray
    previous: IntArray
    ways: dict[tuple[int, int], Way]

    def of_kind(self, *kinds: str) -> list[int]:
        """The stops of these kinds."""
        return [number for number, stop in enumerate(self.stops) if stop.kind in kinds]

    def route(self, start: int, end: int) -> list[int]:
        """The stops on the shortest way from one stop to another, both included."""
        return _chain(self.previous[start], start, end)


def build_network(simulation: Simulation, ground: Ground) -> Network:
    """The stops of a site and the ways between them.

    Raises:
        SettingsError: A stop is not on free floor or cannot be reached, or a path is blocked.
    """
    names, stops = tuple(simulation.stops), tuple(simulation.stops.values())
    places = np.array([stop.position for stop in stops], float)
    pairs = [(names.index(a), names.index(b)) for a, b in simulation.paths]
    seats = furniture_blocks(simulation)
    looks = np.array([_look(stop, seats) for stop in stops])
    aims = places.copy()
    for number, stop in enumerate(stops):
        if stop.kind == "sit":
            aims[number] = _beside_seat(names[number], stop, looks[number], ground)
    _check_free(names, aims, ground)
    ways = _ways(names, aims, pairs, ground)
    lengths, previous = _shortest(aims, ways, [stop.kind in ("entry", "sit") for stop in stops])
    _check_reached(names, stops, lengths)
    radii = np.array([stop.radius_m for stop in stops])
    spread = np.clip(ground.clearance(aims) - WALK_M, 0, radii)
    return Network(names, stops, places, aims, looks, spread, lengths, previous, ways)


def _look(stop: StopSettings, seats: tuple[Block, ...]) -> float:
    if stop.heading_degrees is not None:
        return float(np.radians(stop.heading_degrees))
    if stop.kind != "sit":
        return np.nan
    under = (seat for seat in seats if seat.distance(np.array(stop.position)) <= 0)
    return next((seat.heading for seat in under), 0.0)


def _beside_seat(name: str, stop: StopSettings, look: float, ground: Ground) -> DoubleArray:
    """The nearest free floor before a seat, or beside or behind it where a table is before it."""
    for turn in np.radians([0, 90, -90, 180]):
        direction = np.array([np.cos(look + turn), np.sin(look + turn)])
        points = np.array(stop.position) + np.arange(0.3, 1.05, 0.05)[:, None] * direction
        free = np.flatnonzero(ground.clearance(points) >= WALK_M)
        if len(free):
            return np.asarray(points[free[0]])
    raise SettingsError(f"stops.{name}: expected free floor beside the seat, got obstacles")


def _check_free(names: tuple[str, ...], aims: DoubleArray, ground: Ground) -> None:
    for name, aim, clearance in zip(names, aims, ground.clearance(aims), strict=True):
        if clearance < STAND_M:
            raise SettingsError(
                f"stops.{name}.position: expected at least {STAND_M} m to the next obstacle,"
                f" got {clearance:.2f} m at ({aim[0]:g}, {aim[1]:g})"
            )


def _check_reached(
    names: tuple[str, ...], stops: tuple[StopSettings, ...], lengths: DoubleArray
) -> None:
    entry = next(number for number, stop in enumerate(stops) if stop.kind == "entry")
    for number, name in enumerate(names):
        if np.isinf(lengths[entry, number]):
            raise SettingsError(
                f"stops.{name}: expected paths that lead there from {names[entry]}, got none"
            )


def _ways(
    names: tuple[str, ...], aims: DoubleArray, pairs: list[tuple[int, int]], ground: Ground
) -> dict[tuple[int, int], Way]:
    ways = {}
    for a, b in pairs:
        way = find_way(ground, aims[a], aims[b])
        straight = float(np.linalg.norm(aims[b] - aims[a]))
        if way is None or _length(aims[a], way, aims[b]) > _LONGEST_DETOUR * straight + 1:
            raise SettingsError(
                f"paths: expected a free way between {names[a]} and {names[b]},"
                f" got obstacles with less than {2 * WALK_M:g} m between them"
            )
        ways[a, b], ways[b, a] = way, way[::-1]
    return ways


def _length(start: DoubleArray, way: Way, end: DoubleArray) -> float:
    return float(np.linalg.norm(np.diff([start, *way, end], axis=0), axis=1).sum())


def _shortest(
    aims: DoubleArray, ways: dict[tuple[int, int], Way], is_avoided: list[bool]
) -> tuple[DoubleArray, IntArray]:
    """(S, S) lengths and predecessors of the shortest ways over the graph."""
    count = len(aims)
    graph = np.zeros((count, count))
    extra = np.zeros((count, count))
    for (a, b), way in ways.items():
        graph[a, b] = max(_length(aims[a], way, aims[b]), 1e-6)
        extra[a, b] = _BY_THE_WAY_M * (is_avoided[a] + is_avoided[b])
    previous = dijkstra(csr_array(graph + extra), return_predecessors=True)[1]
    lengths = np.where(np.eye(count, dtype=bool), 0, np.inf)
    for start in range(count):
        for end in np.flatnonzero(previous[start] >= 0):
            stops = _chain(previous[start], start, int(end))
            lengths[start, end] = graph[stops[:-1], stops[1:]].sum()
    return lengths, previous.astype(np.int64)


def _chain(previous: IntArray, start: int, end: int) -> list[int]:
    """From start to end, by what comes before each on the shortest way from the start."""
    chain = [end]
    while chain[-1] != start:
        chain.append(int(previous[chain[-1]]))
    return chain[::-1]


def find_way(ground: Ground, start: DoubleArray, end: DoubleArray) -> Way | None:
    """The points between two places over which one can walk straight; None where there is no way.

    The shortest way over the cells of the map, in which those near obstacles count for more
    (Dijkstra 1959), then only the points that are needed to see from each to the next.
    """
    if ground.is_free(start, end, WALK_M):
        return np.empty((0, 2))
    cells = _cells_between(ground, start, end)
    if cells is None:
        return None
    return _needed(ground, np.concatenate([[start], cells, [end]]))[1:-1]


def _cells_between(ground: Ground, start: DoubleArray, end: DoubleArray) -> DoubleArray | None:
    ends = np.rint((np.array([start, end]) - ground.origin) / SPACING_M).astype(int)
    margin = int(_DETOUR_MARGIN_M / SPACING_M)
    low = np.maximum(ends.min(axis=0) - margin, 0)
    high = np.minimum(ends.max(axis=0) + margin + 1, ground.field.shape)
    window = ground.field[low[0] : high[0], low[1] : high[1]]
    graph = _graph_of_cells(window)
    source, target = (int(np.ravel_multi_index(tuple(cell - low), window.shape)) for cell in ends)
    previous = dijkstra(graph, indices=source, return_predecessors=True)[1]
    if previous[target] < 0:
        return None
    cells = np.stack(np.unravel_index(_chain(previous, source, target), window.shape), axis=1)
    return np.asarray(ground.origin + SPACING_M * (cells + low))


def _graph_of_cells(clearance: DoubleArray) -> csr_array:
    """Free cells joined with their eight neighbours; (cells, cells) metres."""
    number = np.arange(clearance.size).reshape(clearance.shape)
    free: BoolArray = clearance >= STAND_M
    cost = 1 + np.maximum(2 * WALK_M - clearance, 0)
    starts, ends, weights = [], [], []
    for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
        here = (slice(0, clearance.shape[0] - dx), slice(max(-dy, 0), None if dy <= 0 else -dy))
        there = (slice(dx, None), slice(max(dy, 0), None if dy >= 0 else dy))
        joined = free[here] & free[there]
        starts.append(number[here][joined])
        ends.append(number[there][joined])
        weights.append((np.hypot(dx, dy) * SPACING_M * (cost[here] + cost[there]) / 2)[joined])
    a, b, weight = (np.concatenate(parts) for parts in (starts, ends, weights))
    both = (np.concatenate([a, b]), np.concatenate([b, a]))
    return csr_array((np.concatenate([weight, weight]), both), (clearance.size, clearance.size))


def _needed(ground: Ground, points: DoubleArray) -> DoubleArray:
    """Of a chain of points, those from each of which the next can be reached straight."""
    kept = [0]
    while kept[-1] < len(points) - 1:
        ahead = range(len(points) - 1, kept[-1] + 1, -1)
        seen = (n for n in ahead if ground.is_free(points[kept[-1]], points[n], WALK_M - 0.02))
        kept.append(next(seen, kept[-1] + 1))
    return points[kept]
