"""Sites for the association benchmark: rooms on a grid with doors, people and cameras, by seed.

A room with several cameras in its corners is seen from all of them at once; rooms with one camera
each share hardly any view. Walls are higher than cameras hang, and people come and leave beside the
doors to the outside, so that entries are out of all views.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cameras.simulation.settings import Simulation

Side = Literal["west", "east", "south", "north"]
Time = Literal["day", "dusk", "night"]
Point = tuple[float, float]
Rng = np.random.Generator

OUTWARD: Final[dict[Side, Point]] = {
    "west": (-1, 0),
    "east": (1, 0),
    "south": (0, -1),
    "north": (0, 1),
}
STREET_M: Final = 7.0
"""Floor around the building."""
BEFORE_DOOR_M: Final = 1.6
ASIDE_M: Final = 4.5
"""So far beside a door to the outside people come and leave."""
FROM_WALL_M: Final = 0.35
CLEAR_M: Final = 2.0
"""Around doors, and places to stay, nothing stands."""
ROOM_TO_STAY_M2: Final = 50.0
"""One place to stay for so much floor, at least one a room."""
STRETCH: Final = 0.12
"""Rooms are up to so much longer or shorter than their layout says."""
SURFACES: Final = ("tiles", "planks", "carpet", "concrete", "bricks")
WALLS: Final = ("plaster", "plaster", "bricks", "concrete", "planks")
THINGS: Final = ("planter", "table", "kiosk", "shelf", "sign", "bin", "counter")


@dataclass(frozen=True, slots=True)
class Layout:
    """A building: rooms in columns (west to east) and rows (south to north), all joined by doors.

    Attributes:
        columns: Widths, metres.
        rows: Depths, metres.
        cameras: How many cameras (0 to 4) each room has, row by row.
        exits: Doors to the outside: column, row, side.
        door_m: Width of doors.
        camera_m: How high cameras hang.
    """

    columns: tuple[float, ...]
    rows: tuple[float, ...]
    cameras: tuple[tuple[int, ...], ...]
    exits: tuple[tuple[int, int, Side], ...]
    door_m: float = 1.2
    camera_m: float = 2.9


LAYOUTS: Final = {
    # Overlapping: a square seen from four corners, a court seen from two.
    "plaza": Layout(
        (16, 11), (14,), ((4, 2),), ((0, 0, "west"), (0, 0, "north"), (1, 0, "east")), 2.4, 4.0
    ),
    # Disjoint: six rooms, a camera each.
    "rooms": Layout(
        (9, 9, 9), (7, 8), ((1, 1, 1), (1, 1, 1)), ((0, 0, "west"), (2, 0, "east"), (1, 1, "north"))
    ),
    # Disjoint with blind stretches between.
    "corridor": Layout(
        (10, 4, 10, 4, 10, 4, 10),
        (4, 6),
        ((1, 0, 1, 0, 1, 0, 1), (0, 0, 1, 0, 1, 0, 0)),
        ((0, 0, "west"), (6, 0, "east"), (2, 1, "north")),
    ),
    # A hall seen from three corners, shops beside it seen by one.
    "atrium": Layout(
        (8, 15, 8),
        (13,),
        ((1, 3, 2),),
        ((1, 0, "south"), (1, 0, "north"), (0, 0, "west")),
        2.2,
        3.6,
    ),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One site of the benchmark.

    Attributes:
        name: Its name.
        layout: One of `LAYOUTS`.
        seed: Everything random follows from it.
        people: How many persons come in all.
        alike: Share of them who wear the uniform.
        time: Of the day.
        seconds: How long.
    """

    name: str
    layout: str
    seed: int
    people: int = 50
    alike: float = 0.0
    time: Time = "day"
    seconds: float = 600.0


TUNED: Final = (
    Case("plaza", "plaza", seed=7101),
    Case("rooms", "rooms", seed=7102, alike=0.4),
)
"""Everything that is tuned may be tuned on these."""
UNTOUCHED: Final = (
    Case("corridor", "corridor", seed=7903, people=40, alike=0.3, time="night"),
    Case("atrium", "atrium", seed=7904, people=60, alike=0.15, time="dusk"),
)
"""Looked at once, at the end: other seeds, layouts and lights."""


def difficulties() -> Iterator[Case]:
    """The tuned layouts, easier and harder: how many people, in what clothes, in what views.

    The buildings and their cameras are the same for any people.
    """
    for layout, views in (("plaza", "overlapping"), ("rooms", "disjoint")):
        for people in (5, 20, 50, 200):
            for alike, clothes in ((0.0, "random clothes"), (1.0, "uniforms")):
                name = f"{views}, {clothes}, {people} people"
                yield Case(name, layout, 7200, people, alike, seconds=300)


def make_site(case: Case) -> Simulation:
    """The simulation of a case."""
    rng = np.random.default_rng(case.seed)
    building = _Building(LAYOUTS[case.layout], rng)
    return Simulation.model_validate(
        {
            "site": case.name.replace(" ", "-").replace(",", ""),
            "start": "2026-01-05T10:00:00Z",
            "duration_seconds": case.seconds,
            "seed": case.seed,
            "light": building.light(case.time),
            "floors": building.floors(),
            "walls": building.walls(),
            "furniture": building.furniture(),
            **building.ways(),
            "people": {
                "count": case.people,
                "alike": round(case.alike * case.people),
                "returning": 0.3,
                "stops": (4, 9),
            },
            "cameras": building.cameras(case.time),
        }
    )


def room_site(people: int, seed: int) -> Simulation:
    """A room of 7 x 4.5 m seen from its four corners, 4 times a second for 65 s.

    As large, as long and as slow as the CMC sequences (Ong et al., TPAMI 2022): there too people
    come in one after the other, walk about within 6 x 3.5 m, and leave.
    """
    width, depth = 7.0, 4.5
    layout = Layout((width,), (depth,), ((4,),), ((0, 0, "west"),), 1.4, 2.8)
    building = _Building(layout, np.random.default_rng(seed), stretch=0.0)
    ways = building.ways()
    spots = {
        f"spot{row}{column}": {
            "position": (0.9 + column * 1.3, 0.8 + row * 0.95),
            "radius_m": 0.3,
            "kind": "stand",
            "dwell_seconds": (0, 3),
        }
        for row in range(4)
        for column in range(5)
    }
    cameras = [
        one | {"frame_rate": 4, "image_size": (960, 512), "field_of_view_degrees": 82}
        for one in building.cameras("day")
    ]
    return Simulation.model_validate(
        {
            "site": f"room-{people}",
            "start": "2026-01-05T10:00:00Z",
            "duration_seconds": 65,
            "seed": seed,
            "light": building.light("day"),
            "floors": building.floors(),
            "walls": building.walls(),
            "stops": ways["stops"] | spots,
            "paths": [*ways["paths"], *(("room00", name) for name in spots)],
            "people": {"count": people, "grouped": 0, "returning": 0, "stops": (8, 14)},
            "cameras": cameras,
        }
    )


@dataclass(frozen=True, slots=True)
class _Door:
    """A door in a wall: its middle, and the rooms on both sides; one of them None: outside."""

    name: str
    middle: Point
    rooms: tuple[tuple[int, int], tuple[int, int] | None]
    outward: Point


class _Building:
    """A layout with its random parts."""

    def __init__(self, layout: Layout, rng: Rng, stretch: float = STRETCH) -> None:
        self._layout, self._rng = layout, rng
        self._x, self._y = (
            np.concatenate([[0], np.cumsum(np.array(sizes) * self._drawn(stretch, len(sizes)))])
            for sizes in (layout.columns, layout.rows)
        )
        self._doors = [*self._inner_doors(), *self._outer_doors()]
        self._stays = {room: self._drawn_stays(room) for room in self._rooms()}

    def light(self, time: Time) -> dict[str, Any]:
        """Sun, and after sunset a lamp in the largest rooms."""
        rooms = sorted(self._rooms(), key=lambda room: -float(np.prod(self._size(room))))
        lamps = [(*self._middle(room), self._layout.camera_m + 0.4) for room in rooms[:8]]
        return {
            "time": time,
            "sun_azimuth_degrees": self._rng.uniform(0, 360),
            "sun_elevation_degrees": self._rng.uniform(30, 65),
            "lamps": [] if time == "day" else lamps,
        }

    def floors(self) -> list[dict[str, Any]]:
        """The street, and a floor a room."""
        low, high = -STREET_M, STREET_M
        street = (low, low, float(self._x[-1]) + high, float(self._y[-1]) + high)
        return [{"area": street, "surface": "asphalt", "colour": "#5c5c5a"}] + [
            {
                "area": (*self._corner(room), *self._corner(room, 1)),
                "surface": SURFACES[int(self._rng.integers(len(SURFACES)))],
                "colour": self._colour(0.3, 0.7),
            }
            for room in self._rooms()
        ]

    def walls(self) -> list[dict[str, Any]]:
        """One along each side of each room, with its door."""
        return [
            self._wall(side, ends, middle)
            for side, starts, along in (("x", self._x, self._y), ("y", self._y, self._x))
            for middle in starts.tolist()
            for ends in zip(along[:-1].tolist(), along[1:].tolist(), strict=True)
        ]

    def furniture(self) -> list[dict[str, Any]]:
        """Some things along the walls, out of the way."""
        things = []
        for room in self._rooms():
            for _ in range(int(self._rng.integers(1, 4))):
                share = self._rng.uniform(0.1, 0.9, 2)
                share[int(self._rng.integers(2))] = self._rng.choice((0.1, 0.9))
                place = self._corner(room) + share * self._size(room)
                doors = [door.middle for door in self._doors if room in door.rooms]
                kept_free = np.array([*doors, *self._stays[room], self._middle(room)])
                if np.linalg.norm(kept_free - place, axis=1).min() > CLEAR_M:
                    things.append(
                        {
                            "kind": THINGS[int(self._rng.integers(len(THINGS)))],
                            "position": tuple(place.tolist()),
                            "heading_degrees": float(self._rng.choice((0, 90, 180, 270))),
                            "colour": self._colour(0.2, 0.7),
                        }
                    )
        return things

    def ways(self) -> dict[str, Any]:
        """Stops and the paths between them: the middle of each room, its doors, where one stays."""
        stops: dict[str, Any] = {}
        paths: list[tuple[str, str]] = []
        for room in self._rooms():
            name = f"room{room[0]}{room[1]}"
            radius = float(min(self._size(room)) / 6)
            stops[name] = {"position": self._middle(room), "radius_m": radius}
            for number, place in enumerate(self._stays[room]):
                stay = f"{name}stay{number}"
                stops[stay] = {"position": place, "kind": "stand", "dwell_seconds": (4, 15)}
                paths.append((name, stay))
        for door in self._doors:
            stops[door.name] = {"position": door.middle, "radius_m": 0.2}
            inside = [room for room in door.rooms if room is not None]
            paths += [(f"room{column}{row}", door.name) for column, row in inside]
            if len(inside) == 1:
                stops |= _entry(door, float(self._rng.choice((-1, 1))))
                paths += [(door.name, f"{door.name}step"), (f"{door.name}step", f"{door.name}gate")]
        return {"stops": stops, "paths": paths}

    def cameras(self, time: Time) -> list[dict[str, Any]]:
        """In corners of the rooms, opposite ones first, looking across."""
        return [
            self._camera(room, number, corner, time)
            for room in self._rooms()
            for number, corner in enumerate(
                self._corners(self._layout.cameras[room[1]][room[0]]), start=1
            )
        ]

    def _camera(
        self, room: tuple[int, int], number: int, corner: Point, time: Time
    ) -> dict[str, Any]:
        size, middle = self._size(room), np.array(self._middle(room))
        place = middle + np.array(corner) * (size / 2 - FROM_WALL_M)
        target = middle - np.array(corner) * size * self._rng.uniform(0.02, 0.12, 2)
        height = self._layout.camera_m + self._rng.uniform(-0.2, 0.1)
        return {
            "id": f"room{room[0]}{room[1]}-{number}",
            "position": (*place.tolist(), height),
            "look_at": (*target.tolist(), 0.7),
            "field_of_view_degrees": self._rng.uniform(72, 84),
            "image_size": (960, 540),
            "frame_rate": 5,
            "lens": {"softness_px": self._rng.uniform(0.4, 0.9)},
            "exposure_stops": self._rng.normal(0, 0.3),
            "white_balance_kelvin": float(np.clip(self._rng.normal(6500, 900), 4500, 9500)),
            "noise": self._rng.uniform(0.1, 0.3) * (0.5 if time == "night" else 1),
        }

    def _corners(self, count: int) -> list[Point]:
        """So many of the four, (-1, -1) south-west to (1, 1) north-east."""
        order: list[Point] = [(-1, -1), (1, 1), (-1, 1), (1, -1)]
        for _ in range(int(self._rng.integers(4))):
            order = [(y, -x) for x, y in order]
        return order[:count]

    def _wall(self, axis: str, ends: Point, at: float) -> dict[str, Any]:
        """One stretch of wall at x or y, from end to end along the other axis."""
        start, end = ((at, along) if axis == "x" else (along, at) for along in ends)
        openings = [
            {
                "at_m": along - ends[0] - self._layout.door_m / 2,
                "width_m": self._layout.door_m,
                "height_m": 2.3,
            }
            for door in self._doors
            for across, along in [door.middle if axis == "x" else door.middle[::-1]]
            if abs(across - at) < 1e-9 and ends[0] < along < ends[1]
        ]
        return {
            "start": start,
            "end": end,
            "height_m": self._layout.camera_m + 0.6,
            "surface": WALLS[int(self._rng.integers(len(WALLS)))],
            "colour": self._colour(0.4, 0.9),
            "openings": openings,
        }

    def _inner_doors(self) -> Iterator[_Door]:
        for column, row in self._rooms():
            if column + 1 < len(self._layout.columns):
                along = self._door_at(self._y, row)
                middle = (float(self._x[column + 1]), along)
                name = f"door{column}{row}east"
                yield _Door(name, middle, ((column, row), (column + 1, row)), (1, 0))
            if row + 1 < len(self._layout.rows):
                middle = (self._door_at(self._x, column), float(self._y[row + 1]))
                name = f"door{column}{row}north"
                yield _Door(name, middle, ((column, row), (column, row + 1)), (0, 1))

    def _outer_doors(self) -> Iterator[_Door]:
        for column, row, side in self._layout.exits:
            x = {"west": 0.0, "east": float(self._x[-1])}.get(side)
            y = {"south": 0.0, "north": float(self._y[-1])}.get(side)
            middle = (
                self._door_at(self._x, column) if x is None else x,
                self._door_at(self._y, row) if y is None else y,
            )
            yield _Door(f"exit{column}{row}{side}", middle, ((column, row), None), OUTWARD[side])

    def _door_at(self, edges: np.ndarray, number: int) -> float:
        """Where in the stretch between two edges a door has its middle."""
        room = self._layout.door_m / 2 + 0.3
        return float(self._rng.uniform(edges[number] + room, edges[number + 1] - room))

    def _rooms(self) -> Iterator[tuple[int, int]]:
        for row in range(len(self._layout.rows)):
            for column in range(len(self._layout.columns)):
                yield column, row

    def _corner(self, room: tuple[int, int], far: int = 0) -> Any:
        """South-west corner (2,), or north-east."""
        return np.array([self._x[room[0] + far], self._y[room[1] + far]])

    def _size(self, room: tuple[int, int]) -> Any:
        return self._corner(room, 1) - self._corner(room)

    def _middle(self, room: tuple[int, int]) -> Point:
        x, y = ((self._corner(room) + self._corner(room, 1)) / 2).tolist()
        return x, y

    def _drawn_stays(self, room: tuple[int, int]) -> list[Point]:
        """Places to stay in a room."""
        count = max(1, round(float(np.prod(self._size(room))) / ROOM_TO_STAY_M2))
        shares = self._rng.uniform(-0.33, 0.33, (count, 2))
        places = np.array(self._middle(room)) + shares * self._size(room)
        return [(x, y) for x, y in places.tolist()]

    def _drawn(self, stretch: float, count: int) -> Any:
        return self._rng.uniform(1 - stretch, 1 + stretch, count)

    def _colour(self, darkest: float, brightest: float) -> str:
        level = self._rng.uniform(darkest, brightest) + self._rng.normal(0, 0.025, 3)
        red, green, blue = np.clip(255 * level, 0, 255).astype(int).tolist()
        return f"#{red:02x}{green:02x}{blue:02x}"


def _entry(door: _Door, sign: float) -> dict[str, Any]:
    """A step before a door to the outside, and the place beside it where people come and leave."""
    out = np.array(door.outward)
    step = np.array(door.middle) + BEFORE_DOOR_M * out
    gate = step + sign * ASIDE_M * out[::-1] + out
    return {
        f"{door.name}step": {"position": tuple(step.tolist()), "radius_m": 0.3},
        f"{door.name}gate": {"position": tuple(gate.tolist()), "kind": "entry"},
    }
