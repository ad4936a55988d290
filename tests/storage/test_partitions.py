"""PostgreSQL: the boxes of each day lie in a table of their own, and go with it."""

import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import inspect, select, text

from pipeline.config import StorageSettings
from pipeline.timestamps import from_iso
from pipeline.types import EncodedTracklet, Link
from storage import partitions, retention
from storage.engine import reading, writing
from storage.erasure import erase_identity
from storage.partitions import DAY_US, PREFIX, Days
from storage.retention import Retention
from storage.schema import TrackletRow
from storage.store import Store, open_store

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]
Turn = Callable[[int], None]

NOON_US = from_iso("2026-01-05T12:00:00Z")


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    """Of an empty PostgreSQL database."""
    return new_database()


@pytest.fixture
def turn(monkeypatch: pytest.MonkeyPatch) -> Turn:
    """Sets the date: so many days after the first, at noon."""

    def turn(days: int) -> None:
        now_us = NOON_US + days * DAY_US
        monkeypatch.setattr(retention.time, "time_ns", lambda: now_us * 1000)

    return turn


@pytest.fixture
def week(store: Store, begin: Begin, make: Make, turn: Turn) -> int:
    """A run of a week with two tracklets a day: north/1 and gate/1 on the first ..."""
    run_id = begin(store)
    for day in range(7):
        turn(day)
        for camera in ("north", "gate"):
            store.add_tracklets(run_id, [make(camera, day + 1, frames=range(200))])
    return run_id


def tables(store: Store) -> list[str]:
    """Of which days there are tables."""
    with reading(store.engine) as connection:
        names = inspect(connection).get_table_names()
    return sorted(name.removeprefix(PREFIX) for name in names if name.startswith(PREFIX))


def bytes_of_boxes(store: Store) -> int:
    query = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('track_point')"
    with reading(store.engine) as connection:
        return int(connection.execute(text(query)).scalar_one())


def tracks(store: Store, run_id: int) -> list[int]:
    return sorted({tracklet.track_id for tracklet, _ in store.load_tracklets(run_id)})


def keeper(store: Store, days: float) -> Retention:
    """Keeps so many days."""
    return Retention(store, "plaza", StorageSettings.model_validate({"retention_days": days}))


def test_retention_gives_room_back_at_once(store: Store, week: int) -> None:
    every_day = [f"2026010{day}" for day in range(5, 10)] + ["20260110", "20260111"]
    assert tables(store) == ["19700101", *every_day]
    before = bytes_of_boxes(store)
    assert keeper(store, 2.5).enforce().tracklets == 8
    assert tables(store) == every_day[4:]
    assert bytes_of_boxes(store) < 0.5 * before
    assert tracks(store, week) == [5, 6, 7]
    assert all(len(tracklet.scores) == 200 for tracklet, _ in store.load_tracklets(week))


def test_a_day_of_which_somebody_is_left_stays(
    store: Store, week: int, begin: Begin, make: Make, turn: Turn
) -> None:
    """The sites of a database share its days."""
    elsewhere = begin(store, site="harbour")
    turn(6)
    store.add_tracklets(elsewhere, [make("north", 1)])
    turn(20)
    store.add_tracklets(week, [make("north", 99)])
    assert keeper(store, 5).enforce().tracklets == 14
    assert tables(store) == ["20260111", "20260125"]
    assert (tracks(store, week), tracks(store, elsewhere)) == ([99], [1])


def test_the_last_two_days_stay_also_when_they_are_empty(store: Store, week: int) -> None:
    """Somebody may have drawn a number, and not yet written."""
    assert keeper(store, 0.001).enforce().tracklets == 12
    assert tables(store) == ["20260110", "20260111"]


def test_who_reads_an_older_state_finds_all_of_it(
    store: Store, week: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is dropped is gone from older states too: it waits, and takes the next turn."""
    monkeypatch.setattr(retention, "PATIENCE_SECONDS", 0)
    count = text("SELECT count(*) FROM track_point")
    with reading(store.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM tracklet")).scalar() == 14
        assert keeper(store, 2.5).enforce().tracklets == 8
        assert len(tables(store)) == 8
        assert connection.execute(count).scalar() == 14 * 200
    assert keeper(store, 2.5).enforce().tracklets == 0
    assert len(tables(store)) == 3


def test_nobody_waits_for_long_while_a_reader_holds_on_to_boxes(
    store: Store, url: str, week: int, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "PATIENCE_SECONDS", 0)
    with psycopg.connect(url) as reader:
        reader.execute("LOCK TABLE track_point IN ACCESS SHARE MODE")
        assert keeper(store, 2.5).enforce().tracklets == 8
        assert len(tables(store)) == 8
        assert store.add_tracklets(week, [make("north", 50)]) == 1
        assert 50 in tracks(store, week)
    assert keeper(store, 2.5).enforce().tracklets == 0
    assert len(tables(store)) == 3


@pytest.fixture
def reader(url: str, store: Store) -> Iterator[psycopg.Connection[tuple[int]]]:
    """Somebody who has read boxes, and has not ended."""
    with psycopg.connect(url) as connection:
        connection.execute("SELECT count(*) FROM track_point")
        yield connection
        assert connection.execute("SELECT count(*) FROM track_point").fetchone() == (8 * 10 * 5,)


def test_a_day_begins_while_others_write_and_read(
    url: str, reader: object, begin: Begin, make: Make, turn: Turn
) -> None:
    """Two programs, each with a run of its own, and somebody who reads throughout."""
    started = threading.Barrier(2)
    failures: list[BaseException] = []

    def write(site: str) -> None:
        try:
            with open_store(url, create=False) as own:
                run_id = begin(own, site=site)
                for day in range(4):
                    started.wait(20)
                    turn(day)
                    for number in range(10):
                        own.add_tracklets(run_id, [make("north", 100 * day + number)])
        except BaseException as error:  # told by the test
            failures.append(error)
            started.abort()

    programs = [threading.Thread(target=write, args=(site,)) for site in ("plaza", "harbour")]
    for program in programs:
        program.start()
    for program in programs:
        program.join(30)
    assert failures == []
    with open_store(url, create=False) as store:
        assert tables(store)[1:] == ["20260105", "20260106", "20260107", "20260108"]


def test_retention_and_two_writers_at_once(
    url: str, store: Store, week: int, begin: Begin, make: Make, turn: Turn
) -> None:
    runs = [week, begin(store, site="harbour")]

    def write(run_id: int) -> None:
        with open_store(url, create=False) as own:
            for number in range(1000, 1100):
                own.add_tracklets(run_id, [make("north", number)])

    turn(7)
    writers = [threading.Thread(target=write, args=(run_id,)) for run_id in runs]
    for writer in writers:
        writer.start()
    erased = sum(keeper(store, days).enforce().tracklets for days in (5.5, 4.5, 3.5, 2.5))
    for writer in writers:
        writer.join(30)
    assert erased == 10
    assert tracks(store, week) == [6, 7, *range(1000, 1100)]
    assert tracks(store, runs[1]) == list(range(1000, 1100))
    keeper(store, 2.5).enforce()
    assert tables(store) == ["20260110", "20260111", "20260112"]


def test_who_was_cut_off_while_a_day_began(
    store: Store, week: int, make: Make, turn: Turn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The day has a table, and no number of it has been drawn."""
    with writing(store.engine) as connection:
        partitions._create(connection, (NOON_US + 7 * DAY_US) // DAY_US)
    turn(7)
    assert store.add_tracklets(week, [make("north", 50)]) == 1
    with reading(store.engine) as connection:
        count = connection.execute(text(f"SELECT count(*) FROM {PREFIX}20260112")).scalar()
    assert count == 5


def test_a_clock_that_is_set_back(store: Store, week: int, make: Make, turn: Turn) -> None:
    turn(2)
    Days(store.engine).begin(NOON_US)
    assert store.add_tracklets(week, [make("north", 50), make("north", 51)]) == 2
    assert {50, 51} <= set(tracks(store, week))
    assert tables(store)[-1] == "20260111"
    assert len(tables(store)) == 8


def test_a_clock_that_was_far_ahead(store: Store, begin: Begin, make: Make) -> None:
    """Days begin again with the right time, and numbers go on where the day had come to."""
    run_id, now_us = begin(store), time.time_ns() // 1000
    store.add_tracklets(run_id, [make("north", 1)])
    Days(store.engine).begin(now_us + 3650 * DAY_US)
    Days(store.engine).begin(now_us)
    store.add_tracklets(run_id, [make("north", 2)])
    with reading(store.engine) as connection:
        numbers = list(
            connection.execute(select(TrackletRow.id).order_by(TrackletRow.id)).scalars()
        )
    assert numbers[1] == numbers[0] + 1


def test_an_erased_person_is_in_no_days_file(store: Store, week: int, join: Join) -> None:
    people = {f"{camera}/{day}": day % 2 + 1 for camera in ("north", "gate") for day in range(1, 8)}
    store.set_links(week, [join(key, number) for key, number in people.items()])
    with reading(store.engine) as connection:
        query = text("SELECT track_id, id FROM tracklet ORDER BY id")
        traces = [(track, struct.pack("<qq", key, 199)) for track, key in connection.execute(query)]
    assert all(_is_in_files(store, trace) for _, trace in traces)
    assert erase_identity(store, week, 1).is_wiped
    for track, trace in traces:
        assert _is_in_files(store, trace) == (track % 2 == 1), track
    assert tracks(store, week) == [1, 3, 5, 7]


def _is_in_files(store: Store, trace: bytes) -> bool:
    """Whether the last box of a tracklet, which begins like this, is in a table's file."""
    query = (
        "SELECT current_setting('data_directory') || '/' || pg_relation_filepath(relid)"
        " FROM pg_partition_tree('track_point') WHERE isleaf"
    )
    with writing(store.engine) as connection:
        names = list(connection.execute(text(query)).scalars())
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CHECKPOINT"))
    return any(trace in Path(name).read_bytes() for name in names)
