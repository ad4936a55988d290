"""Questions about a little run whose answers are known."""

import json
import re
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from pipeline.errors import StoreError
from pipeline.timestamps import from_iso
from pipeline.types import UNSUPPORTED, EncodedTracklet, Link
from storage import queries, stored_boxes
from storage.engine import reading
from storage.explanations import Explanation, Pair, Parts, why
from storage.queries import IdentitySummary, Passage, Period, Wanted
from storage.store import Store, open_store
from storage.stored_boxes import ExportRow

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]

START_US = from_iso("2026-01-05T10:00:00Z")


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as caught:
        action()
    return str(caught.value)


def passage(
    tracklet: str, identity: int, enter_ms: int, leave_ms: int, log_odds: float = 2.25
) -> Passage:
    def iso(milliseconds: int) -> str:
        return f"2026-01-05T10:00:{milliseconds // 1000:02}.{milliseconds % 1000:03}000Z"

    return Passage(
        identity=identity,
        tracklet=tracklet,
        camera=tracklet.partition("/")[0],
        enter=iso(enter_ms),
        leave=iso(leave_ms),
        enter_us=START_US + 1000 * enter_ms,
        leave_us=START_US + 1000 * leave_ms,
        boxes=5,
        mean_score=0.9,
        log_odds=log_odds,
    )


NORTH_1 = passage("north/1", 1, 0, 400)
NORTH_2 = passage("north/2", 2, 0, 400, log_odds=8.25)
DOCK_1 = passage("Dock/1", 1, 300, 700)
DOCK_2 = passage("Dock/2", 2, 0, 400)
GATE_1 = passage("gate/1.2", 1, 1000, 1400)
GATE_3 = passage("gate/3", 0, 2000, 2400, log_odds=0.0)


def test_which_run_is_asked(store: Store, begin: Begin) -> None:
    name = f"database {store.name}"
    assert refusal(lambda: queries.resolve_run(store, None)) == (
        f"{name}: no run yet; `run` a site first"
    )
    assert refusal(lambda: queries.resolve_run(store, 1)) == f"{name}: there is no run 1"
    first, second = begin(store), begin(store)
    assert queries.resolve_run(store, None) == second
    assert queries.resolve_run(store, first) == first
    assert refusal(lambda: queries.resolve_run(store, 3)) == f"{name}: there is no run 3"
    assert refusal(lambda: queries.resolve_run(store, 10**30)).startswith(f"{name}: ")


def test_cameras_in_the_order_of_the_site(store: Store, begin: Begin) -> None:
    first = begin(store, ("gate", "north", "Dock"))
    second = begin(store, ("north", "alley", "gate"))
    assert queries.cameras(store, first) == ["gate", "north", "Dock"]
    assert queries.cameras(store, second) == ["north", "alley", "gate"]
    assert queries.cameras(store, 99) == []


def test_identities(store: Store, little_run: int) -> None:
    assert queries.identities(store, little_run) == [
        IdentitySummary(
            identity=1,
            cameras=("north", "Dock", "gate"),
            tracklets=3,
            first_seen="2026-01-05T10:00:00.000000Z",
            last_seen="2026-01-05T10:00:01.400000Z",
            first_seen_us=START_US,
            last_seen_us=START_US + 1_400_000,
            boxes=15,
        ),
        IdentitySummary(
            identity=2,
            cameras=("north", "Dock"),
            tracklets=2,
            first_seen="2026-01-05T10:00:00.000000Z",
            last_seen="2026-01-05T10:00:00.400000Z",
            first_seen_us=START_US,
            last_seen_us=START_US + 400_000,
            boxes=10,
        ),
    ]
    assert queries.identities(store, little_run - 1) == []


def test_a_passage_within_another_ends_before_it(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    """The last seen is not the end of the last passage."""
    run_id = begin(store)
    store.add_tracklets(
        run_id, [make("north", 1, frames=range(50)), make("gate", 1, frames=range(10, 20))]
    )
    store.set_links(run_id, [join("north/1", 1), join("gate/1", 1)])
    [person] = queries.identities(store, run_id)
    assert person.last_seen_us == START_US + 4_900_000


def test_trajectory(store: Store, little_run: int) -> None:
    assert queries.trajectory(store, little_run, 1) == [NORTH_1, DOCK_1, GATE_1]
    assert queries.trajectory(store, little_run, 2) == [NORTH_2, DOCK_2]
    for nobody in (0, 3, 99):
        assert refusal(lambda nobody=nobody: queries.trajectory(store, little_run, nobody)) == (
            f"run {little_run} has no identity {nobody}"
        )


def test_which_identities(store: Store, little_run: int) -> None:
    def found(**asked: object) -> list[int]:
        wanted = Wanted(**asked)  # type: ignore[arg-type]
        return [person.identity for person in queries.identities(store, little_run, wanted)]

    second = Period(START_US + 1_000_000, START_US + 9_000_000)
    assert found(period=second) == [1]
    assert found(period=Period(START_US, START_US)) == [1, 2]
    assert found(camera="gate") == [1]
    assert found(camera="Dock", period=second) == [], "identity 1 was elsewhere then"
    assert found(least_cameras=3) == [1]
    assert found(least_seconds=0.4) == [1, 2]
    assert found(least_seconds=0.5) == [1]
    [person] = queries.identities(store, little_run, Wanted(second))
    assert person.tracklets == 3, "also those outside of the period"
    assert "has no camera cellar" in refusal(lambda: found(camera="cellar"))


def test_an_answer_given_earlier_is_given_again(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    """Also one given between a decision and when it was put down."""
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1), make("gate", 1), make("gate", 2)])

    def decide(*identities: int) -> int:
        """The time between this decision and the next."""
        keys = ("north/1", "gate/1", "gate/2")
        pairs = [("gate/1", 0.5, True)]
        links = [join(key, n, pairs) for key, n in zip(keys, identities, strict=True)]
        store.set_links(run_id, links)
        time.sleep(0.001)
        return time.time_ns() // 1000

    times = [decide(1, 1, 2), decide(1, 2, 2), decide(3, 3, 3)]

    def answers(as_of_us: int | None) -> list[object]:
        why_so = why(store, run_id, "north/1", as_of_us=as_of_us)
        return [
            [p.identity for p in queries.identities(store, run_id, as_of_us=as_of_us)],
            [
                p.identity
                for p in queries.presence(store, run_id, "gate", 0, 2**62, as_of_us=as_of_us)
            ],
            (why_so.identity, why_so.earlier_decisions, why_so.pairs[0].identity),
        ]

    assert answers(None) == [[3], [3, 3], (3, 2, 3)]
    assert [answers(time_us) for time_us in times] == [
        [[1, 2], [1, 2], (1, 0, 1)],
        [[1, 2], [2, 2], (1, 1, 2)],
        [[3], [3, 3], (3, 2, 3)],
    ]
    assert len(queries.trajectory(store, run_id, 2, as_of_us=times[1])) == 2
    assert queries.identities(store, run_id, as_of_us=START_US) == [], "nothing was decided yet"
    assert "has no identity 2" in refusal(lambda: queries.trajectory(store, run_id, 2))


def test_gaps(store: Store, little_run: int) -> None:
    passages = queries.trajectory(store, little_run, 1)
    assert queries.gaps_seconds(passages) == [None, pytest.approx(-0.1), pytest.approx(0.3)]
    assert [passage.confidence for passage in passages] == [pytest.approx(0.9047, abs=1e-4)] * 3
    assert GATE_3.confidence is None


def test_presence(store: Store, little_run: int) -> None:
    def found(camera: str, from_ms: float, to_ms: float) -> list[Passage]:
        begin_us, end_us = (round(START_US + 1000 * time) for time in (from_ms, to_ms))
        return queries.presence(store, little_run, camera, begin_us, end_us)

    # A moment is enough, and the first and the last moment count.
    assert found("Dock", 0, 5000) == [DOCK_2, DOCK_1]
    assert found("Dock", -100, -0.001) == []
    assert found("Dock", -100, 0) == [DOCK_2]
    assert found("Dock", 0, 299.999) == [DOCK_2]
    assert found("Dock", 0, 300) == [DOCK_2, DOCK_1]
    assert found("Dock", 350, 350) == [DOCK_2, DOCK_1]
    assert found("Dock", 400, 500) == [DOCK_2, DOCK_1]
    assert found("Dock", 400.001, 500) == [DOCK_1]
    assert found("Dock", 700, 9000) == [DOCK_1]
    assert found("Dock", 700.001, 9000) == []
    # Who is not linked was there all the same.
    assert found("gate", 0, 5000) == [GATE_1, GATE_3]


def test_presence_is_a_range_of_an_index(store: Store, little_run: int) -> None:
    """Whatever the run has seen before and after is not looked at."""
    asked: list[tuple[str, object]] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def look(*given: Any) -> None:
        asked.append((given[2], given[3]))

    queries.presence(store, little_run, "Dock", START_US, START_US + 1)
    is_sqlite = store.engine.dialect.name == "sqlite"
    sql, values = next(each for each in asked if "end_us >=" in each[0])
    with reading(store.engine) as connection:
        if not is_sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # of a table so small
        words = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        found = connection.exec_driver_sql(f"{words} {sql}", values)
        plan = "\n".join(str(row) for row in found)
    assert re.search(
        r"camera_id=\? AND start_us>\? AND start_us<\?|start_us >= .*start_us <=", plan
    ), plan


def test_presence_of_what_cannot_be(store: Store, little_run: int) -> None:
    assert refusal(lambda: queries.presence(store, little_run, "Dock", START_US + 1, START_US)) == (
        "expected --from before --to, got 2026-01-05T10:00:00.000001Z, 2026-01-05T10:00:00.000000Z"
    )
    assert refusal(lambda: queries.presence(store, little_run, "cellar", 0, 1)) == (
        f"run {little_run} has no camera cellar; it has north, Dock, gate"
    )
    assert refusal(lambda: queries.presence(store, little_run - 1, "north", 0, 1)) == (
        f"run {little_run - 1} has no camera north; it has gate"
    )


def _pair(
    other: Passage, identity: int, same: bool, similarity: float | None, evidence: Parts
) -> Pair:
    where = other.tracklet, other.camera, other.enter_us, other.leave_us
    return Pair(*where, identity, same, similarity, evidence)


def test_why(store: Store, little_run: int) -> None:
    north_2, dock_2, dock_1, gate_3 = (
        next(p for p in queries.presence(store, little_run, camera, 0, 2**62) if p.tracklet == key)
        for camera, key in (
            ("north", "north/2"),
            ("Dock", "Dock/2"),
            ("Dock", "Dock/1"),
            ("gate", "gate/3"),
        )
    )
    explanation = why(store, little_run, "north/2")
    assert explanation == Explanation(
        run=little_run,
        tracklet="north/2",
        camera="north",
        enter_us=north_2.enter_us,
        leave_us=north_2.leave_us,
        identity=2,
        method="average-link",
        decided_at="2026-01-05T10:01:00.000000Z",
        evidence=Parts(8.25, 7.5, 0.25, 0.5, 0.0),
        pairs=(
            _pair(dock_2, 2, True, 0.75, Parts(8.5, 7.5, 1.0, 0.0, 0.0)),
            _pair(dock_1, 1, False, -0.5, Parts(-4.0, -5.0, 1.0, 0.0, 0.0)),
            _pair(gate_3, 0, False, None, Parts(1.0, 0.0, 1.0, 0.0, 0.0)),
        ),
        earlier_decisions=1,
    )
    json.dumps(asdict(explanation), allow_nan=False)
    assert why(store, little_run, "gate/1.2").pairs == ()
    assert why(store, little_run, "north/2.1") == explanation, "the first part by its name"


def test_why_counts_decisions(store: Store, begin: Begin, make: Make, join: Join) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1), make("gate", 1)])
    for decisions in range(3):
        store.set_links(run_id, [join("north/1", 1)])
        assert why(store, run_id, "north/1").earlier_decisions == decisions


@pytest.mark.parametrize(
    ("tracklet", "reason"),
    [
        ("north/9", "run 2 has no tracklet north/9"),
        ("cellar/1", "run 2 has no tracklet cellar/1"),
        ("gate/1", "run 2 has no tracklet gate/1"),
        ("gate/3", "run 2: tracklet gate/3 is not linked yet"),
        ("north", "expected a tracklet such as desk/12 or desk/12.2, got north"),
        ("north/one", "expected a tracklet such as desk/12 or desk/12.2, got north/one"),
        ("north/1/2", "expected a tracklet such as desk/12 or desk/12.2, got north/1/2"),
        ("north/-1", "expected a tracklet such as desk/12 or desk/12.2, got north/-1"),
        ("", "expected a tracklet such as desk/12 or desk/12.2, got "),
    ],
)
def test_why_of_what_is_not_there(
    store: Store, little_run: int, tracklet: str, reason: str
) -> None:
    assert little_run == 2
    assert refusal(lambda: why(store, little_run, tracklet)) == reason


def test_numbers_too_large_for_the_database(store: Store, little_run: int) -> None:
    """SQLite's driver refuses them by an error of Python's own."""
    assert re.search(
        "no tracklet|too large|out of range",
        refusal(lambda: why(store, 2, f"gate/{10**30}")),
    )
    assert re.search(
        "no identity|too large|out of range", refusal(lambda: queries.trajectory(store, 2, 10**30))
    )


def test_thumbnails(store: Store, little_run: int) -> None:
    assert queries.thumbnails(store, little_run) == {
        "north/1": (b"n1 first", b"n1 second"),
        "Dock/2": (b"d2",),
    }
    assert queries.thumbnails(store, little_run - 1) == {}


def test_export_rows(store: Store, little_run: int) -> None:
    found = list(stored_boxes.export_rows(store, little_run, "Dock"))
    assert [(row.frame_index, row.identity) for row in found] == [
        *[(0, 2), (1, 2), (2, 2), (3, 1), (3, 2), (4, 1), (4, 2)],
        *[(5, 1), (6, 1), (7, 1)],
    ]
    assert found[3:5] == [
        ExportRow("Dock", 3, START_US + 300_000, 1, "Dock/1", (2.5, 20.5, 32.5, 100.0), 0.9),
        ExportRow("Dock", 3, START_US + 300_000, 2, "Dock/2", (203.0, 20.5, 233.0, 100.0), 0.9),
    ]
    # gate/3 is nobody's, so it is left out.
    assert {row.tracklet for row in stored_boxes.export_rows(store, little_run, "gate")} == {
        "gate/1.2"
    }
    assert list(stored_boxes.export_rows(store, little_run, "cellar")) == []


def test_what_is_no_person_is_kept_but_neither_listed_nor_exported(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1), make("north", 2)])
    store.set_links(run_id, [join("north/1", 1), replace(join("north/2", 2), method=UNSUPPORTED)])
    assert [person.identity for person in queries.identities(store, run_id)] == [1]
    assert {row.identity for row in stored_boxes.export_rows(store, run_id, "north")} == {1}
    assert [p.identity for p in queries.presence(store, run_id, "north", 0, 2**62)] == [1]
    assert len(queries.trajectory(store, run_id, 2)) == 1
    assert why(store, run_id, "north/2").method == UNSUPPORTED


def test_boxes_of_a_frame_are_sorted_by_identity(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", n, frames=[0, 1]) for n in (1, 2, 3)])
    store.set_links(run_id, [join("north/1", 2), join("north/2", 1), join("north/3", 1)])
    found = list(stored_boxes.export_rows(store, run_id, "north"))
    assert [(row.frame_index, row.tracklet) for row in found] == [
        (frame, tracklet) for frame in (0, 1) for tracklet in ("north/2", "north/3", "north/1")
    ]


def test_the_order_does_not_depend_on_the_spelling_of_names(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    """Databases sort text in different ways: `alley` before `Bridge`, or after it."""
    names = ("alley", "Bridge", "ally-2", "ally.1", "Alley")
    for cameras in (names, names[::-1]):
        run_id = begin(store, cameras)
        store.add_tracklets(run_id, [make(name, 1) for name in sorted(names)])
        store.set_links(run_id, [join(f"{name}/1", 1) for name in names])
        assert [p.camera for p in queries.trajectory(store, run_id, 1)] == list(cameras)
        assert queries.identities(store, run_id)[0].cameras == cameras
        assert [t.camera_id for t, _ in store.load_tracklets(run_id)] == list(cameras)


def test_boxes_are_streamed(
    store: Store, begin: Begin, make: Make, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory of an export does not grow with the number of boxes."""
    monkeypatch.setattr(stored_boxes, "ROWS_AT_ONCE", 200)
    peaks = []
    for length in (400, 4000):
        run_id = begin(store)
        store.add_tracklets(run_id, [make("north", n, frames=range(length)) for n in (1, 2)])
        store.set_links(run_id, [join("north/1", 1), join("north/2", 2)])
        next(stored_boxes.export_rows(store, run_id, "north"))  # what is made but once
        tracemalloc.start()
        assert sum(1 for _ in stored_boxes.export_rows(store, run_id, "north")) == 2 * length
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_postgresql_sends_boxes_as_they_are_asked_for(
    new_database: Callable[[], str], begin: Begin, make: Make, join: Join
) -> None:
    """Its driver would keep all rows of a plain query outside Python's own memory."""
    url = new_database()
    with open_store(url, create=True) as store:
        run_id = begin(store)
        store.add_tracklets(run_id, [make("north", 1)])
        store.set_links(run_id, [join("north/1", 1)])
        rows = stored_boxes.export_rows(store, run_id, "north")
        next(rows)  # comes alone
        next(rows)
        with psycopg.connect(url) as connection:
            [(query,)] = connection.execute(
                "SELECT query FROM pg_stat_activity"
                " WHERE datname = current_database() AND state = 'idle in transaction'"
            ).fetchall()
        assert query.startswith(f"FETCH FORWARD {stored_boxes.ROWS_AT_ONCE} ")
        assert len(list(rows)) == 3


def test_an_answer_taken_in_part_holds_no_connection(store: Store, little_run: int) -> None:
    for _ in range(30):  # more than the pool has
        rows = stored_boxes.export_rows(store, little_run, "Dock")
        next(rows)
        rows.close()  # type: ignore[attr-defined]
    assert len(queries.identities(store, little_run)) == 2
