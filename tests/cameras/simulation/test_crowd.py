"""Who walks where and when: what must hold of every visit, on small sites made by hand."""

from functools import cache
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from cameras.simulation.crowd import walk_site
from cameras.simulation.footprints import FOOTPRINTS
from cameras.simulation.ground import map_ground
from cameras.simulation.plans import draw_plans
from cameras.simulation.routes import build_network
from cameras.simulation.settings import Simulation
from cameras.simulation.visits import Activity, Visit, at
from cameras.simulation.walkers import STEP_S, Mode, Walkers
from pipeline.errors import SettingsError
from pipeline.types import DoubleArray

SEEDS = (0, 1, 2)
DURATION = 40.0


def corridor(**changes: Any) -> Simulation:
    """24 m x 4 m, an entry at each end."""
    return Simulation.model_validate(
        {
            "site": "corridor",
            "start": "2026-01-01T00:00:00Z",
            "floors": [{"area": (-2, 0, 26, 4)}],
            "stops": {
                "west": {"position": (0, 2), "kind": "entry"},
                "east": {"position": (24, 2), "kind": "entry"},
            },
            "paths": [("west", "east")],
            "cameras": [{"id": "a", "position": (0, 0, 3), "look_at": (6, 3, 0)}],
        }
        | changes
    )


def two_rooms(seed: int, **people: Any) -> Simulation:
    """A room of 8 m x 8 m and one of 10 m x 8 m with a door between, and things to walk round."""
    return corridor(
        seed=seed,
        duration_seconds=DURATION,
        floors=[{"area": (0, 0, 18, 8)}],
        walls=[
            {
                "start": (8, 0),
                "end": (8, 8),
                "thickness_m": 0.2,
                "openings": [{"at_m": 3.3, "width_m": 1.4}],
            }
        ],
        columns=[{"position": (4.2, 4.2), "radius_m": 0.3}],
        furniture=[
            {"kind": "bench", "position": (13, 1), "heading_degrees": 90},
            {"kind": "table", "position": (11.5, 5.6)},
        ],
        stops={
            "west": {"position": (-2, 4), "kind": "entry", "radius_m": 0.8},
            "east": {"position": (20, 4), "kind": "entry", "radius_m": 0.8},
            "left": {"position": (6, 4)},
            "right": {"position": (14, 4), "radius_m": 1},
            "seat": {"position": (12.6, 1), "kind": "sit"},
            "other seat": {"position": (13.4, 1), "kind": "sit"},
            "wall": {"position": (2, 6.5), "kind": "stand", "heading_degrees": 90},
            "view": {"position": (15, 6.5), "kind": "stand", "radius_m": 1},
        },
        paths=[
            *[("west", "left"), ("left", "right"), ("right", "east"), ("right", "seat")],
            *[("right", "other seat"), ("left", "wall"), ("right", "view")],
        ],
        people={"count": 10, "grouped": 0.5, "returning": 0.3} | people,
    )


@cache
def walk(seed: int) -> tuple[Visit, ...]:
    return walk_site(two_rooms(seed))


of_each_seed = pytest.mark.parametrize("seed", SEEDS)


def by_person(visits: tuple[Visit, ...]) -> dict[int, list[Visit]]:
    return {v.person: [w for w in visits if w.person == v.person] for v in visits}


def positions_of_all(visits: tuple[Visit, ...]) -> DoubleArray:
    """(times, persons, 2), NaN while away."""
    result = np.full((int(DURATION * 10) + 1, max(v.person for v in visits), 2), np.nan)
    for visit in visits:
        result[np.rint(visit.times_s * 10).astype(int), visit.person - 1] = visit.positions
    return result


def test_a_person_needs_length_over_speed() -> None:
    people = {"count": 1, "grouped": 0, "speed_m_per_s": (1.2, 1.2)}
    walks = [
        walk_site(corridor(seed=seed, duration_seconds=40, people=people)) for seed in range(3)
    ]
    whole = [v for (v, *_) in walks if v.times_s[0] > 0 and v.times_s[-1] < 40]
    assert whole
    for visit in whole:
        assert visit.times_s[-1] - visit.times_s[0] == pytest.approx(24 / 1.2, rel=0.15)
        assert np.diff(visit.positions[:, 0]).min() > 0 or np.diff(visit.positions[:, 0]).max() < 0
        assert visit.distances[-1] == pytest.approx(24, rel=0.1)
        assert np.median(visit.speeds) == pytest.approx(1.2, abs=0.05)


@pytest.mark.parametrize("door_m", [4.0, 1.2])
def test_two_on_a_collision_course_pass(door_m: float) -> None:
    wall = {"start": (12, 0), "end": (12, 4), "openings": [{"at_m": 2 - door_m / 2}]}
    wall["openings"][0]["width_m"] = door_m
    ground = map_ground(corridor(walls=[wall]))
    alone = np.arange(2), np.full(2, 1.3), np.zeros(2)
    walkers = Walkers(ground, *alone, np.random.default_rng(0))
    west, east = np.array([7.0, 2.0]), np.array([17.0, 2.0])
    walkers.enter(0, west, 0)
    walkers.enter(1, east, np.pi)
    walkers.send(0, np.array([west, east]), 0.0)
    walkers.send(1, np.array([east, west]), np.pi)
    closest, steps = np.inf, 0
    while (walkers.mode != Mode.STAND).any() and steps < 200:
        walkers.advance()
        closest = min(closest, float(np.linalg.norm(np.subtract(*walkers.positions))))
        steps += 1
    assert closest >= 0.4
    assert steps * STEP_S < 10 / 1.3 + 4
    np.testing.assert_allclose(walkers.positions, [east, west], atol=0.2)


@of_each_seed
def test_nobody_is_in_a_wall_a_column_or_furniture(seed: int) -> None:
    places = np.concatenate([v.positions[v.activity != Activity.SIT] for v in walk(seed)])
    x, y = places.T
    in_wall = (np.abs(x - 8) < 0.25) & ((y < 3.45) | (y > 4.55))
    assert not in_wall.any()
    assert np.hypot(x - 4.2, y - 4.2).min() > 0.45
    (bench_length, bench_depth), (table_length, table_depth) = (
        FOOTPRINTS["bench"],
        FOOTPRINTS["table"],
    )
    on_bench = (np.abs(x - 13) < bench_length / 2) & (np.abs(y - 1) < bench_depth / 2 + 0.1)
    in_table = (np.abs(x - 11.5) < table_depth / 2 + 0.1) & (np.abs(y - 5.6) < table_length / 2)
    assert not on_bench.any()
    assert not in_table.any()
    inside = (x > 0) & (x < 18)
    assert y[inside].min() > 0.15
    assert y[inside].max() < 7.85


@of_each_seed
def test_nobody_goes_through_the_wall_beside_its_door(seed: int) -> None:
    for visit in walk(seed):
        crosses = np.flatnonzero(np.diff(np.sign(visit.positions[:, 0] - 8)))
        assert (np.abs(visit.positions[crosses, 1] - 4) < 0.7).all()


@of_each_seed
def test_nobody_is_in_another(seed: int) -> None:
    places = positions_of_all(walk(seed))
    pairs = combinations(range(places.shape[1]), 2)
    apart = np.array([np.linalg.norm(places[:, a] - places[:, b], axis=1) for a, b in pairs])
    near = apart[apart < 1.5]
    assert np.nanmin(apart) >= 0.35
    assert (near < 0.45).mean() < 0.05


@of_each_seed
def test_visits_begin_and_end_at_entries(seed: int) -> None:
    entries = np.array([(-2, 4), (20, 4)])
    for visit in walk(seed):
        ends = [visit.positions[0]] if visit.times_s[0] > 0 else []
        ends += [visit.positions[-1]] if visit.times_s[-1] < DURATION else []
        for end in ends:
            assert np.linalg.norm(entries - end, axis=1).min() < 2


@of_each_seed
def test_everybody_appears_and_some_are_there_at_either_end(seed: int) -> None:
    visits = walk(seed)
    assert set(by_person(visits)) == set(range(1, 11))
    for visit in visits:
        assert 0 <= visit.times_s[0] < visit.times_s[-1] <= DURATION
        np.testing.assert_allclose(np.diff(visit.times_s), 0.1)
    assert any(visit.is_on(0) for visit in visits)
    assert any(visit.is_on(DURATION) for visit in visits)


@of_each_seed
def test_those_who_return_have_been_away(seed: int) -> None:
    simulation = two_rooms(seed)
    network = build_network(simulation, map_ground(simulation))
    plans = draw_plans(simulation, network, np.random.default_rng([seed, 4]))
    returning = {p for plan in plans for p in plan.persons if len(plan.outings) == 2}
    assert len(returning) == 3
    visits = by_person(walk(seed))
    for person in returning:
        assert len(visits[person]) >= 2
    for one in visits.values():
        for before, after in pairwise(one):
            assert after.times_s[0] - before.times_s[-1] >= 8


def test_one_entry_will_do() -> None:
    stops = {
        "door": {"position": (0, 2), "kind": "entry"},
        "end": {"position": (12, 2), "radius_m": 0.3},
    }
    people = {"count": 3, "returning": 1, "grouped": 0}
    settings = {"stops": stops, "paths": [("door", "end")], "people": people}
    visits = by_person(walk_site(corridor(**settings, duration_seconds=40)))
    assert [len(visits[person]) for person in (1, 2, 3)] == [2, 2, 2]
    with pytest.raises(SettingsError, match="a stop to walk to"):
        walk_site(corridor(stops={"door": stops["door"]}, paths=[], people=people))


@of_each_seed
def test_a_seat_is_for_one_at_a_time(seed: int) -> None:
    seats = np.array([(12.6, 1), (13.4, 1)])
    taken = set()
    for visit in walk(seed):
        settled = (visit.activity == Activity.SIT) & (visit.times_s - visit.began_s > 1.25)
        settled &= visit.ends_s - visit.times_s > 1.25
        for time, place in zip(visit.times_s[settled], visit.positions[settled], strict=True):
            away = np.linalg.norm(seats - place, axis=1)
            assert away.min() < 1e-6
            key = (round(time * 10), int(away.argmin()))
            assert key not in taken
            taken.add(key)
        assert np.abs(np.cos(visit.headings[settled])).max(initial=0) < 0.2  # along +y


def test_somebody_sits_and_somebody_stands_and_nobody_sits_where_they_must_not() -> None:
    done = np.concatenate([visit.activity for seed in SEEDS for visit in walk(seed)])
    assert set(done) == set(Activity)
    visits = walk_site(two_rooms(0, sitting=False))
    assert Activity.SIT not in np.concatenate([visit.activity for visit in visits])


@of_each_seed
def test_movements_are_those_of_bodies(seed: int) -> None:
    for visit in walk(seed):
        walks = visit.activity == Activity.WALK
        velocity = np.gradient(visit.positions, visit.times_s, axis=0)
        acceleration = np.linalg.norm(np.diff(velocity, axis=0), axis=1) * 10
        assert acceleration[walks[1:] & walks[:-1]].max(initial=0) < 6
        assert visit.speeds.max() < 1.7 * 1.2
        assert np.abs(np.diff(visit.headings)).max() < 0.25
        assert (np.diff(visit.distances) >= 0).all()
        course = np.arctan2(velocity[:, 1], velocity[:, 0])
        astray = np.abs(np.angle(np.exp(1j * (course - visit.headings))))
        assert np.percentile(astray[walks & (visit.speeds > 0.5)], 95) < 0.3


@of_each_seed
def test_those_who_stand_stay_and_look_where_the_stop_says(seed: int) -> None:
    for visit in walk(seed):
        still = (visit.activity == Activity.STAND) & (visit.times_s - visit.began_s > 2.5)
        assert visit.speeds[still].max(initial=0) < 0.4
        at_wall = still & (visit.positions[:, 0] < 4) & (visit.positions[:, 1] > 5)
        assert np.sin(visit.headings[at_wall]).min(initial=1) > 0.8


def test_groups_walk_together() -> None:
    spread, size = [], 0
    for seed in SEEDS:
        simulation = two_rooms(seed)
        network = build_network(simulation, map_ground(simulation))
        plans = draw_plans(simulation, network, np.random.default_rng([seed, 4]))
        places = positions_of_all(walk(seed))
        for plan in plans:
            size += len(plan.persons) > 1 and len(plan.persons)
            for a, b in combinations(plan.persons, 2):
                spread.append(np.linalg.norm(places[:, a - 1] - places[:, b - 1], axis=1))
    apart = np.concatenate(spread)
    apart = apart[np.isfinite(apart)]
    assert size == 5 * len(SEEDS)
    assert np.percentile(apart, 98) < 2.5
    assert np.median(apart) < 1.2


def test_the_seed_decides() -> None:
    first, second = walk(1), walk_site(two_rooms(1))
    assert [visit.person for visit in first] == [visit.person for visit in second]
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.times_s, b.times_s)
        np.testing.assert_array_equal(a.positions, b.positions)
        np.testing.assert_array_equal(a.headings, b.headings)
    other = walk(2)
    assert any(
        len(a.times_s) != len(b.times_s) or (a.positions != b.positions).any()
        for a, b in zip(first, other, strict=False)
    )


def test_between_samples_by_hand() -> None:
    visit = Visit(
        person=1,
        times_s=np.array([1.0, 1.1, 1.2]),
        positions=np.array([(0, 0), (0.1, 0), (0.1, 0.2)]),
        headings=np.array([0, 0.2, 0.2]),
        speeds=np.array([1.0, 2.0, 2.0]),
        distances=np.array([5.0, 5.1, 5.3]),
        activity=np.array([0, 1, 1]),
        began_s=np.array([-1.0, 1.1, 1.1]),
        ends_s=np.array([1.1, np.inf, np.inf]),
    )
    moment = at(visit, 1.05)
    np.testing.assert_allclose(moment.position, (0.05, 0))
    assert moment.heading == pytest.approx(0.1)
    assert (moment.speed, moment.distance) == pytest.approx((1.5, 5.05))
    assert moment.activity is Activity.WALK
    assert (moment.since_s, moment.left_s) == pytest.approx((2.05, 0.05))
    assert at(visit, 1.15).activity is Activity.STAND
    assert at(visit, 1.15).left_s == np.inf
    np.testing.assert_allclose(at(visit, 9).position, (0.1, 0.2))
    np.testing.assert_allclose(at(visit, 0).position, (0, 0))
    assert visit.is_on(1.2)
    assert not visit.is_on(1.21)
