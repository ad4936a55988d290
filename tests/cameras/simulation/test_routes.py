"""The map of clearances, and ways over the graph of stops and round obstacles."""

from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest

from cameras.simulation.footprints import FOOTPRINTS
from cameras.simulation.ground import Ground, map_ground
from cameras.simulation.routes import WALK_M, Network, build_network, find_way
from cameras.simulation.settings import Furniture, Simulation
from pipeline.errors import SettingsError


def site(**changes: Any) -> Simulation:
    """A hall of 12 m x 6 m with an entry at each end and a stop in the middle."""
    return Simulation.model_validate(
        {
            "site": "hall",
            "start": "2026-01-01T00:00:00Z",
            "floors": [{"area": (0, 0, 12, 6)}],
            "stops": {
                "west": {"position": (1, 3), "kind": "entry"},
                "middle": {"position": (6, 3)},
                "east": {"position": (11, 3), "kind": "entry"},
            },
            "paths": [("west", "middle"), ("middle", "east")],
            "cameras": [{"id": "a", "position": (0, 0, 3), "look_at": (6, 3, 0)}],
        }
        | changes
    )


def with_stop(name: str, paths: tuple[tuple[str, str], ...] = (), **stop: Any) -> dict[str, Any]:
    plain = site()
    return {"stops": {**plain.stops, name: stop}, "paths": (*plain.paths, *paths)}


def network_of(simulation: Simulation) -> tuple[Network, Ground]:
    ground = map_ground(simulation)
    return build_network(simulation, ground), ground


def test_clearances_by_hand() -> None:
    ground = map_ground(
        site(
            walls=[
                {
                    "start": (4, 0),
                    "end": (4, 6),
                    "thickness_m": 0.2,
                    "openings": [{"at_m": 2.4, "width_m": 1.2}],
                }
            ],
            columns=[{"position": (8, 5), "radius_m": 0.3}],
            furniture=[{"kind": "table", "position": (8, 1.5), "heading_degrees": 90}],
        )
    )
    length, depth = FOOTPRINTS["table"]
    by_hand = {
        (3.0, 1.0): 0.9,  # from the wall's face at 3.9
        (4.0, 3.0): 0.6,  # in the middle of the door
        (4.0, 1.0): -0.1,  # in the wall
        (8.0, 4.0): 0.7,  # before the column
        (8.0, 1.5 + depth / 2 + 0.4): 0.4,  # before the table, which looks along +y
        (8 - length / 2 - 0.5, 1.5): 0.5,  # beside it
        (1.0, 0.5): 0.5,  # from the floor's edge
    }
    by_hand[6, 3] = np.hypot(2 - length / 2, 1.5 - depth / 2)  # from a corner of the table
    found = ground.clearance(np.array(list(by_hand), float))
    np.testing.assert_allclose(found, list(by_hand.values()), atol=0.06)
    assert ground.clearance(np.array([50.0, 50.0])) < 0


def test_all_furniture_has_a_size() -> None:
    assert set(FOOTPRINTS) == set(get_args(Furniture))


def test_who_stands_in_a_wall_is_pushed_out() -> None:
    ground = map_ground(site(walls=[{"start": (4, 0), "end": (4, 6)}]))
    points = np.column_stack([np.linspace(3.5, 4.5, 30), np.full(30, 3.0)])
    pushed = ground.push_out(points, 0.25)
    assert ground.clearance(pushed).min() > 0.24
    assert (np.sign(pushed[:, 0] - 4) == np.sign(points[:, 0] - 4)).all()


def test_the_shortest_of_two_routes_is_taken_and_seats_are_not_walked_over() -> None:
    simulation = site(
        stops={
            "a": {"position": (1, 3), "kind": "entry"},
            "seat": {"position": (6, 3), "kind": "sit", "heading_degrees": 90},
            "round": {"position": (6, 5)},
            "b": {"position": (11, 3), "kind": "entry"},
        },
        paths=[("a", "seat"), ("seat", "b"), ("a", "round"), ("round", "b")],
    )
    network, _ = network_of(simulation)
    assert network.route(0, 3) == [0, 2, 3]
    assert network.route(3, 3) == [3]
    assert network.lengths[0, 3] == pytest.approx(2 * np.hypot(5, 2))
    np.testing.assert_allclose(network.lengths, network.lengths.T)


def test_a_column_on_a_path_is_walked_around() -> None:
    network, ground = network_of(site(columns=[{"position": (3.5, 3.1), "radius_m": 0.4}]))
    corners = np.array([network.aims[0], *network.ways[0, 1], network.aims[1]])
    assert len(corners) > 2
    for start, end in pairwise(corners):
        assert ground.is_free(start, end, WALK_M - 0.05)
    assert 5 < network.lengths[0, 1] < 5.4
    np.testing.assert_array_equal(network.ways[1, 0], network.ways[0, 1][::-1])


def test_no_way_through_a_closed_wall() -> None:
    ground = map_ground(site(walls=[{"start": (4, 0), "end": (4, 6)}]))
    assert find_way(ground, np.array([2.0, 3.0]), np.array([6.0, 3.0])) is None


def test_a_seat_is_reached_from_before_it() -> None:
    bench = {"kind": "bench", "position": (6, 1), "heading_degrees": 90}
    stop = {"position": (6.4, 1), "kind": "sit"}
    network, _ = network_of(
        site(furniture=[bench], **with_stop("bench", (("middle", "bench"),), **stop))
    )
    np.testing.assert_allclose(network.places[3], (6.4, 1))
    assert network.aims[3] == pytest.approx([6.4, 1 + FOOTPRINTS["bench"][1] / 2 + WALK_M], abs=0.1)
    assert network.looks[3] == pytest.approx(np.pi / 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            with_stop("attic", position=(6, 5)),
            r"stops\.attic: expected paths that lead there from west, got none",
        ),
        (
            with_stop("attic", (("middle", "attic"),), position=(6, 5.9))
            | {"walls": [{"start": (0, 5.8), "end": (12, 5.8)}]},
            r"stops\.attic\.position: expected at least 0\.25 m",
        ),
        (
            {"walls": [{"start": (8, 0), "end": (8, 6)}]},
            r"paths: expected a free way between middle and east",
        ),
        (
            {
                "walls": [
                    {"start": (8, 0), "end": (8, 6), "openings": [{"at_m": 3, "width_m": 0.4}]}
                ]
            },
            r"paths: expected a free way between middle and east",
        ),
    ],
)
def test_what_is_wrong_with_a_site_is_said(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        network_of(site(**changes))
