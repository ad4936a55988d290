"""Visits, moves and meetings in runs small enough to be worked out by hand."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import StoreError
from pipeline.timestamps import from_iso, to_iso
from pipeline.types import UNSUPPORTED, Calibration, EncodedTracklet, Link
from storage import queries
from storage.meetings import Meeting, close_together, in_view_together
from storage.movements import Flow, dwell_times, flows, moves, passed, transitions, visits
from storage.paths import is_inside, paths, presence_in_zone
from storage.queries import Period
from storage.store import Store

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]

START_US = from_iso("2026-01-05T10:00:00Z")
# Ten pixels a metre, as seen from above.
FROM_ABOVE = Calibration(
    np.array([[0.1, 0, 0], [0, -0.1, 0], [0, 0, 1]]), np.eye(3), np.zeros(5), np.inf
)


def seconds(first: float, last: float) -> range:
    """Frames, ten a second."""
    return range(round(10 * first), round(10 * last) + 1)


@pytest.fixture
def day(store: Store, begin: Begin, make: Make, join: Join) -> int:
    """Identity 1: north 0-10 and 12-20 s, gate 25-30, north 60-65, gate 3595-3605.
    Identity 2: north 5-8 s, Dock 6-16 (they overlap), gate 40-41. At Dock all day: a thing."""
    run_id = begin(store)
    people = {
        1: [("north", 1, 0, 10), ("north", 2, 12, 20), ("gate", 1, 25, 30), ("north", 4, 60, 65)],
        2: [("north", 3, 5, 8), ("Dock", 1, 6, 16), ("gate", 3, 40, 41)],
        3: [("Dock", 9, 0, 100)],
    }
    people[1].append(("gate", 4, 3595, 3605))
    links = []
    for identity, passages in people.items():
        for camera, track, first, last in passages:
            item = make(camera, track, frames=seconds(first, last), embedded=False)
            store.add_tracklets(run_id, [item])
            links.append(join(item.tracklet.key, identity))
    store.set_links(run_id, [*links[:-1], replace(links[-1], method=UNSUPPORTED)])
    return run_id


def test_visits(store: Store, day: int) -> None:
    found = [
        (v.identity, v.camera, (v.enter_us - START_US) / 1e6, v.seconds) for v in visits(store, day)
    ]
    assert found == [
        *[(1, "north", 0, 20), (1, "gate", 25, 5), (1, "north", 60, 5), (1, "gate", 3595, 10)],
        *[(2, "north", 5, 3), (2, "Dock", 6, 10), (2, "gate", 40, 1)],
    ]
    period = Period(START_US + 26_000_000, START_US + 40_000_000)
    assert [(v.identity, v.camera) for v in visits(store, day, period)] == [
        (1, "gate"),
        (2, "gate"),
    ]


def test_moves(store: Store, day: int) -> None:
    found = moves(visits(store, day))
    assert [(m.identity, m.origin, m.destination, m.seconds) for m in found] == [
        (2, "north", "Dock", -2),
        (1, "north", "gate", 5),
        (2, "Dock", "gate", 24),
        (1, "gate", "north", 30),
        (1, "north", "gate", 3530),
    ]
    hours = [to_iso(START_US), to_iso(START_US)]
    assert flows(found)[:2] == [
        Flow("north", "gate", hours[0], 2),
        Flow("Dock", "gate", hours[1], 1),
    ]
    late = flows([replace(move, enter_us=move.enter_us + 3_000_000_000) for move in found])
    assert [(flow.hour[11:16], flow.moves) for flow in late][-1] == ("11:00", 1)


def test_dwell_times_and_transitions(store: Store, day: int) -> None:
    found = visits(store, day)
    by_camera = {dwell.camera: dwell for dwell in dwell_times(found)}
    assert set(by_camera) == {"north", "gate", "Dock"}
    north = by_camera["north"]
    assert (north.people, north.seconds.count, north.seconds.median) == (2, 3, 5)
    assert (north.seconds.least, north.seconds.most) == (3, 20)
    assert north.seconds.mean == pytest.approx(28 / 3)
    assert north.seconds.p90 == pytest.approx(17)
    first = transitions(moves(found))[0]
    assert (first.origin, first.destination, first.seconds.count) == ("north", "gate", 2)
    assert first.share == pytest.approx(2 / 3)


def test_who_was_here_and_then_there(store: Store, day: int) -> None:
    def found(origin: str, destination: str, within: float) -> list[tuple[int, float]]:
        every = passed(visits(store, day), origin, destination, within)
        return [(move.identity, move.seconds) for move in every]

    assert found("north", "gate", 60) == [(1, 5), (2, 32)]
    assert found("north", "gate", 10) == [(1, 5)]
    assert found("north", "gate", 1e9) == [(1, 5), (2, 32), (1, 3530)]
    assert found("gate", "Dock", 1e9) == []
    assert found("north", "north", 60) == [(1, 40)], "who came back"


def test_who_was_in_view_with_whom(store: Store, day: int) -> None:
    times = START_US + 5_000_000, START_US + 8_000_000
    expected = Meeting(1, 2, 3.0, *map(to_iso, times), *times, ("north",))
    assert in_view_together(store, day) == [expected]
    assert in_view_together(store, day, 1) == [expected]
    assert in_view_together(store, day, 2) == [replace(expected, identity=2, other=1)]
    assert in_view_together(store, day, 2, least_seconds=3.1) == []
    [shorter] = in_view_together(store, day, 1, Period(START_US, START_US + 6_000_000))
    assert shorter.seconds == 1
    assert in_view_together(store, day, 7) == []


def test_two_cameras_that_see_the_same_two_count_once(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    run_id = begin(store)
    spans = {"north/1": (0, 6), "north/2": (2, 9), "gate/1": (4, 9), "gate/2": (4, 8)}
    for key, span in spans.items():
        camera, _, track = key.partition("/")
        store.add_tracklets(run_id, [make(camera, int(track), frames=seconds(*span))])
    store.set_links(run_id, [join(key, int(key[-1])) for key in spans])
    [meeting] = in_view_together(store, run_id)
    assert (meeting.seconds, meeting.cameras) == (6, ("north", "gate"))  # 2 to 6, and 4 to 8


def test_who_was_close_to_whom(store: Store, begin: Begin, make: Make, join: Join) -> None:
    """They walk side by side, 2 m apart, seen by two cameras with one floor; another is far."""
    run_id = begin(store)
    items = [
        make("north", 1, frames=seconds(0, 4)),
        make("gate", 1, frames=seconds(2, 8), left=30.0),
        make("gate", 2, frames=seconds(0, 8), left=500.0),
        make("Dock", 1, frames=seconds(0, 8)),
    ]
    store.add_tracklets(run_id, items)
    store.set_links(run_id, [join(e.tracklet.key, n) for n, e in enumerate(items, start=1)])
    calibrations = {"north": FROM_ABOVE, "gate": FROM_ABOVE}
    [meeting] = close_together(store, run_id, calibrations, 2.05)
    # At 2, 2.25 ... 4 seconds.
    assert (meeting.identity, meeting.other, meeting.seconds) == (1, 2, 9 * 0.25)
    assert meeting.cameras == ("north", "gate")
    assert close_together(store, run_id, calibrations, 1.95) == []
    assert close_together(store, run_id, calibrations, 2.05, 3) == []
    assert close_together(store, run_id, {}, 2.05) == []


def test_paths(store: Store, little_run: int) -> None:
    passages = queries.trajectory(store, little_run, 1)
    found = paths(store, little_run, passages, {"gate": FROM_ABOVE})
    assert {key: len(places) for key, places in found.items()} == {
        "north/1": 5,
        "Dock/1": 5,
        "gate/1.2": 5,
    }
    first = found["gate/1.2"][0]
    assert (first.x_px, first.y_px, first.x_m, first.y_m) == (35, 100, 3.5, -9.82)
    assert (first.time, first.time_us) == (to_iso(START_US + 1_000_000), START_US + 1_000_000)
    assert found["north/1"][0].x_m is None


def test_who_was_in_a_zone(store: Store, little_run: int) -> None:
    """Feet of Dock/1 go from 17.5 to 21.5 px at 0.3 to 0.7 s, those of Dock/2 from 215 to 219."""

    def found(zone: list[tuple[float, float]], period: Period) -> list[tuple[int, int, int]]:
        passages = presence_in_zone(store, little_run, "Dock", zone, period)
        return [((p.enter_us - START_US) // 1000, p.identity, p.boxes) for p in passages]

    always = Period(0, 2**62)
    left = [(0.0, 90.0), (19.0, 90.0), (19.0, 110.0), (0.0, 110.0)]
    assert found(left, always) == [(300, 1, 2)]
    assert found(left, Period(START_US + 350_000, START_US + 9_000_000)) == [(400, 1, 1)]
    assert found(left, Period(START_US + 500_000, START_US + 9_000_000)) == []
    assert found([(0, 0), (300, 90), (0, 300)], always) == [(0, 2, 5), (300, 1, 5)]
    with pytest.raises(StoreError, match="three corners"):
        found(left[:2], always)


def test_inside_of_a_zone_that_bends() -> None:
    """A U open to the top: what is between its arms is outside."""
    zone = [(0, 0), (1, 0), (1, 2), (2, 2), (2, 0), (3, 0), (3, 3), (0, 3)]
    points = np.array([(0.5, 1), (1.5, 1), (2.5, 1), (1.5, 2.5), (4, 1), (-1, 1)])
    assert is_inside(points, zone).tolist() == [True, False, True, True, False, False]
