import numpy as np
import pytest

from cameras.simulation.settings import PeopleSettings, Simulation
from cameras.simulation.visits import Activity, at
from cameras.simulation.world import World, draw_looks

SITE = {
    "site": "yard",
    "start": "2026-01-05T10:00:00Z",
    "duration_seconds": 20,
    "seed": 3,
    "floors": [{"area": [0, 0, 12, 6]}],
    "furniture": [{"kind": "bench", "position": [6, 5], "heading_degrees": 270}],
    "stops": {
        "west": {"position": [1, 3], "kind": "entry"},
        "east": {"position": [11, 3], "kind": "entry"},
        "bench": {"position": [6, 5], "kind": "sit", "heading_degrees": 270, "radius_m": 0.1},
    },
    "paths": [["west", "bench"], ["bench", "east"]],
    "people": {"count": 4, "alike": 2, "stops": [1, 2]},
    "cameras": [{"id": "north", "position": [6, -3, 4], "look_at": [6, 3, 1]}],
}


@pytest.fixture(scope="module")
def world() -> World:
    return World(Simulation.model_validate(SITE))


def test_everybody_is_where_its_visit_says(world: World) -> None:
    for time_s in (0.0, 4.3, 11.0, 19.9):
        people = world.people_at(time_s)
        here = [visit for visit in world.visits if visit.is_on(time_s)]
        assert [one.identity for one in people] == [visit.person for visit in here]
        for one, visit in zip(people, here, strict=True):
            np.testing.assert_allclose(one.ground, at(visit, time_s).position)
            trunk = one.positions[:, :2].mean(axis=0)
            assert np.linalg.norm(trunk - one.ground) < 0.6


def test_bodies_face_where_they_head(world: World) -> None:
    """The nose (keypoint 0) is before the ears (3, 4)."""
    for one in world.people_at(5.0):
        ahead = one.keypoints[0] - one.keypoints[3:5].mean(axis=0)
        heading = np.array([np.cos(one.heading), np.sin(one.heading)])
        assert ahead[:2] @ heading / np.linalg.norm(ahead[:2]) > 0.4  # heads turn a little


def test_soles_are_on_the_floor(world: World) -> None:
    """Of those who walk or stand; shoes are at most 3 cm from it, at any time."""
    lowest = [
        one.positions[world.dressed[one.identity].is_person, 2].min()
        for time_s in np.arange(0, 20, 0.37)
        for one in world.people_at(time_s)
    ]
    assert len(lowest) > 50
    assert np.abs(lowest).max() < 0.03


def test_feet_that_stand_do_not_slide(world: World) -> None:
    """While a walker's ankle is lowest and the foot flat, it stays within 2 cm over 50 ms."""
    slides = []
    for visit in world.visits:
        for time_s in np.arange(visit.times_s[0], visit.times_s[-1] - 0.05, 0.31):
            moment = at(visit, time_s)
            if moment.activity is not Activity.WALK or moment.speed < 0.8:
                continue
            now, then = (
                next(p for p in world.people_at(t) if p.identity == visit.person).keypoints[15:17]
                for t in (time_s, time_s + 0.05)
            )
            lower = int(now[:, 2].argmin())
            slides.append(np.linalg.norm(then[lower] - now[lower]))
    assert len(slides) > 30
    # A walking body moves 5 cm and more in that time. Heels rise at the end of a stance.
    assert np.median(slides) < 0.015


def test_the_same_settings_give_the_same_people(world: World) -> None:
    again = World(Simulation.model_validate(SITE))
    for one, other in zip(world.people_at(7.7), again.people_at(7.7), strict=True):
        assert one.positions.tobytes() == other.positions.tobytes()


def test_those_alike_share_garments_and_no_more() -> None:
    looks = draw_looks(PeopleSettings(count=8, alike=3), seed=1)
    assert sorted(looks) == list(range(1, 9))
    outfits = [look.garments for look in looks.values()]
    worn = sorted(outfits.count(outfit) for outfit in outfits)
    assert worn == [1] * 5 + [3] * 3
    assert len(set(looks.values())) == 8


def test_more_people_leave_the_others_as_they_are() -> None:
    few, many = (draw_looks(PeopleSettings(count=count), seed=1) for count in (3, 6))
    assert all(few[person] == many[person] for person in few)
