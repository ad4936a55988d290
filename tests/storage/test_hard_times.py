"""Locks, killed programs and full disks: what is committed stays, and messages say what to do."""

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg
import pytest
from sqlalchemy import Connection, event, func, select, text

from pipeline.errors import StoreError
from pipeline.types import EncodedTracklet, Link
from storage import engine as engine_module
from storage import queries, reconnecting, stored_boxes
from storage import writer as writer_module
from storage.engine import reading, writing
from storage.retention import erase_stored_before
from storage.schema import TrackletRow, TrackPoint
from storage.store import Store, open_store
from storage.writer import Writer

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]
Administrator = psycopg.Connection[tuple[object, ...]]

ROOT = Path(engine_module.__file__).parents[1]

HOLD_LOCK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
input()
"""


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Lets another program lock the SQLite database, for writing, to the end of the test."""
    programs: list[subprocess.Popen[str]] = []

    def lock() -> None:
        program = subprocess.Popen(
            [sys.executable, "-I", "-c", HOLD_LOCK, tmp_path / "tracking.db"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        programs.append(program)
        assert program.stdout is not None
        assert program.stdout.readline() == "locked\n"

    yield lock
    for program in programs:
        program.communicate("\n", timeout=30)


def test_a_lock_held_too_long_is_named(
    tmp_path: Path,
    begin: Begin,
    make: Make,
    locked: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.2)
    url = f"sqlite:///{tmp_path / 'tracking.db'}"
    with open_store(url, create=True) as store:
        run_id = begin(store)
        store.add_tracklets(run_id, [make("north", 1)])
        locked()
        expected = f"database {url}: locked: another program is writing to it"
        for write in (
            lambda: begin(store),
            lambda: store.add_tracklets(run_id, [make("north", 2)]),
            lambda: store.set_links(run_id, []),
            lambda: erase_stored_before(store, "plaza", 0),
        ):
            with pytest.raises(StoreError) as caught:
                write()
            assert str(caught.value) == expected
        with pytest.raises(StoreError) as caught, Writer(store, run_id) as writer:
            writer.put(make("north", 2))
        assert str(caught.value) == expected
        # Who reads is not kept waiting, nor is who opens.
        assert len(store.load_tracklets(run_id)) == 1
        open_store(url, create=True).engine.dispose()


def test_a_lock_held_shortly_is_waited_for(tmp_path: Path, begin: Begin, make: Make) -> None:
    path = tmp_path / "tracking.db"
    with open_store(f"sqlite:///{path}", create=True) as store:
        run_id = begin(store)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with Writer(store, run_id) as writer:
            writer.put(make("north", 1))
            time.sleep(1)  # the writer has tried for half a second by now
            other.execute("COMMIT")
        other.close()
        assert len(store.load_tracklets(run_id)) == 1


def test_a_reader_sees_the_old_state_during_a_long_write(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1), make("gate", 1)])
    store.set_links(run_id, [join("north/1", 1), join("gate/1", 1)])
    before = queries.identities(store, run_id)
    with writing(store.engine) as connection:
        connection.execute(text("DELETE FROM tracklet"))
        assert queries.identities(store, run_id) == before
        assert len(store.load_tracklets(run_id)) == 2
        assert len(list(stored_boxes.export_rows(store, run_id, "gate"))) == 5
    assert queries.identities(store, run_id) == []


def test_a_reader_sees_one_state_to_its_end(store: Store, begin: Begin, make: Make) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1)])

    def count(connection: Connection) -> int:
        return int(connection.execute(select(func.count()).select_from(TrackletRow)).scalar_one())

    with reading(store.engine) as connection:
        assert count(connection) == 1
        store.add_tracklets(run_id, [make("north", 2)])
        erase_stored_before(store, "plaza", 2**60)
        assert count(connection) == 1
    with reading(store.engine) as connection:
        assert count(connection) == 0


WRITE_FOR_EVER = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from pipeline.types import EncodedTracklet, NoEmbedding, Thumbnail, Tracklet
from storage.store import CameraRecord, RunRecord, open_store

store = open_store(sys.argv[2], create=True)
run_id = store.begin_run(
    RunRecord("plaza", "{}", "toy", (CameraRecord("north", "north.mp4", False),), 0)
)
frames = np.arange(300)
track = 0
while True:
    batch = []
    for _ in range(20):
        track += 1
        boxes = np.full((300, 4), track)
        tracklet = Tracklet("north", track, 1, frames, frames, boxes, np.ones(300))
        batch.append(EncodedTracklet(tracklet, NoEmbedding(), (Thumbnail(0, b"jpeg" * 999),)))
    store.add_tracklets(run_id, batch)
    print(track, flush=True)
"""


def test_a_program_killed_while_it_writes(url: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-I", "-c", WRITE_FOR_EVER, ROOT, url], stdout=subprocess.PIPE, text=True
    )
    assert program.stdout is not None
    committed = 0
    while committed < 100:
        committed = int(program.stdout.readline())
    time.sleep(0.013)  # into the midst of a transaction: they follow one another without rest
    program.send_signal(signal.SIGKILL)
    lines = program.communicate(timeout=30)[0].split()
    committed = int(lines[-1]) if lines else committed

    with open_store(url, create=False) as store:
        found = store.load_tracklets(1)
        # The one that it was about to report may be there: whole, as every other.
        assert len(found) in (committed, committed + 20)
        for number, (tracklet, _) in enumerate(found, 1):
            assert tracklet.track_id == number
            np.testing.assert_array_equal(tracklet.frame_indices, np.arange(300))
            assert np.all(tracklet.boxes == number)
        pictures = queries.thumbnails(store, 1)
        assert [len(jpegs) for jpegs in pictures.values()] == [1] * len(found)
        with reading(store.engine) as connection:
            points = connection.execute(select(func.count()).select_from(TrackPoint)).scalar_one()
            assert points == 300 * len(found)
            if store.engine.dialect.name == "sqlite":
                check = connection.exec_driver_sql("PRAGMA integrity_check").scalars().all()
                assert check == ["ok"]
        assert store.resumable_run("plaza", "{}") == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of 2 MB, where this program may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def fill(store: Store, run_id: int, make: Make) -> int:
    """Adds tracklets until there is no more room; how many were committed."""
    for number in range(1, 1000):
        item = make("north", number, frames=range(500), thumbnails=[b"jpeg" * 5000])
        try:
            store.add_tracklets(run_id, [item])
        except StoreError as error:
            assert str(error) == f"database {store.name}: database or disk is full"
            return number - 1
    raise AssertionError("there is no end of room")


def assert_readable(store: Store, run_id: int, tracklets: int) -> None:
    found = store.load_tracklets(run_id)
    assert [tracklet.track_id for tracklet, _ in found] == list(range(1, tracklets + 1))
    assert all(len(tracklet.frame_indices) == 500 for tracklet, _ in found)
    assert len(queries.thumbnails(store, run_id)) == tracklets


def test_a_full_disk(small_disk: Path, begin: Begin, make: Make) -> None:
    url = f"sqlite:///{small_disk / 'tracking.db'}"
    with open_store(url, create=True) as store:
        run_id = begin(store)
        committed = fill(store, run_id, make)
        assert committed > 5
        assert_readable(store, run_id, committed)
        with pytest.raises(StoreError, match="disk is full"), Writer(store, run_id) as writer:
            writer.put(make("north", 2000, thumbnails=[b"jpeg" * 100_000]))
    with open_store(url, create=False) as store:
        assert_readable(store, run_id, committed)


def test_a_database_that_may_not_grow(tmp_path: Path, begin: Begin, make: Make) -> None:
    """A full disk where none can be mounted: SQLite then fails in the same way."""
    with open_store(f"sqlite:///{tmp_path / 'tracking.db'}", create=True) as store:
        run_id = begin(store)

        @event.listens_for(store.engine, "connect")
        def limit(connection: sqlite3.Connection, _: object) -> None:
            connection.execute("PRAGMA max_page_count = 300").close()

        store.engine.dispose()
        committed = fill(store, run_id, make)
        assert committed > 5
        assert_readable(store, run_id, committed)
        assert erase_stored_before(store, "plaza", 2**60) == committed
        assert fill(store, run_id, make) == committed


def test_a_server_that_goes_away(
    new_database: Callable[[], str], server_url: Callable[..., str], begin: Begin, make: Make
) -> None:
    url = new_database()
    with open_store(url, create=True) as store:
        run_id = begin(store)
        store.add_tracklets(run_id, [make("north", 1)])
        with pytest.raises(StoreError) as caught, writing(store.engine) as connection:
            connection.execute(text("DELETE FROM tracklet"))
            with psycopg.connect(server_url("postgres"), autocommit=True) as administrator:
                administrator.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    (url.rpartition("/")[2],),
                )
            connection.execute(text("DELETE FROM run"))
        message = str(caught.value)
        assert message.startswith(f"database {store.name}: ")
        assert "terminating connection" in message
        assert "\n" not in message
        assert len(store.load_tracklets(run_id)) == 1, "the next connection works"


CLAIM = """
import sys
sys.path.insert(0, sys.argv[1])
from storage.store import open_store

store = open_store(sys.argv[2], create=False)
store.resume_run(1)
print("claimed", flush=True)
input()
"""


@pytest.fixture
def writer_elsewhere(url: str) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Lets another program go on with run 1, until it is killed or the test ends."""
    programs: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, "-I", "-c", CLAIM, ROOT, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        programs.append(program)
        assert program.stdout is not None
        assert program.stdout.readline() == "claimed\n"
        return program

    yield start
    for program in programs:
        program.kill()
        program.communicate(timeout=30)


def test_a_second_writer_of_a_run_is_refused(
    url: str, begin: Begin, make: Make, writer_elsewhere: Callable[[], subprocess.Popen[str]]
) -> None:
    with open_store(url, create=True) as store:
        run_id = begin(store)
        store.add_tracklets(run_id, [make("gate", 1)])
        store.end_camera(run_id, "gate", "failed", "gate.mp4: damaged", 5)
        with (
            open_store(url, create=False) as second,
            pytest.raises(StoreError) as caught,
        ):
            second.resume_run(run_id)
        assert str(caught.value) == (
            f"database {store.name}: run {run_id} is being written by another program;"
            " let it end first"
        )
        assert len(store.load_tracklets(run_id)) == 1, "nothing was erased before"
        store.end_run(run_id, "failed", 1)
    program = writer_elsewhere()
    with open_store(url, create=False) as store:
        with pytest.raises(StoreError, match="run 1 is being written by another program"):
            store.resume_run(run_id)
        other = begin(store, site="harbour")  # queued: another run may be written at once
        store.add_tracklets(other, [make("north", 1)])
        program.kill()
        program.wait(30)
        until = time.monotonic() + 20
        while True:  # a server takes a moment to see that it has gone
            try:
                store.resume_run(run_id)
                break
            except StoreError:
                assert time.monotonic() < until
                time.sleep(0.05)
    if url.startswith("sqlite"):
        folder = Path(url.removeprefix("sqlite:///")).parent
        assert [file.name for file in folder.iterdir()] == ["tracking.db"]


def test_a_run_that_has_ended_is_anybodys(url: str, begin: Begin) -> None:
    with open_store(url, create=True) as first, open_store(url, create=False) as second:
        run_id = begin(first)
        first.end_run(run_id, "interrupted", 1)
        second.resume_run(run_id)
        second.resume_run(run_id)
        with pytest.raises(StoreError, match="another program"):
            first.claim(run_id)
        for _ in range(20):  # at once: a server takes a moment to see that somebody has gone
            second.end_run(run_id, "interrupted", 1)
            first.resume_run(run_id)
            first.end_run(run_id, "interrupted", 1)
            second.resume_run(run_id)


def test_a_damaged_file_says_so_and_keeps_what_can_be_read(
    tmp_path: Path, begin: Begin, make: Make
) -> None:
    path = tmp_path / "tracking.db"
    with open_store(f"sqlite:///{path}", create=True) as store:
        run_id = begin(store)
        for number in range(200):
            store.add_tracklets(run_id, [make("north", number, thumbnails=[b"jpeg" * 500])])
    data = bytearray(path.read_bytes())
    page, middle = 4096, len(data) // 2 // 4096
    data[middle * page : (middle + 20) * page] = b"\xff" * (20 * page)
    path.write_bytes(data)
    with open_store(f"sqlite:///{path}", create=False) as store:
        assert queries.cameras(store, run_id) == ["north", "Dock", "gate"]
        with pytest.raises(StoreError) as caught:
            queries.thumbnails(store, run_id)
        assert str(caught.value) == (
            f"database {store.name}: damaged (database disk image is malformed);"
            " `sqlite3 FILE .recover` saves what can be read"
        )


@pytest.fixture
def administrator(
    new_database: Callable[[], str], server_url: Callable[..., str]
) -> Iterator[tuple[str, Administrator]]:
    """URL of a new PostgreSQL database, and a connection of whoever looks after the server."""
    url = new_database()
    with psycopg.connect(server_url("postgres"), autocommit=True) as connection:
        yield url, connection


DROP = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"


def test_a_writer_whose_connections_are_dropped_goes_on(
    administrator: tuple[str, Administrator],
    begin: Begin,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In the middle of transactions, after commits: no tracklet is lost, none is there twice."""
    monkeypatch.setattr(reconnecting, "PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(writer_module, "COMMIT_EVERY_TRACKLETS", 5)
    url, connection = administrator
    with open_store(url, create=True) as store:
        run_id = begin(store)
        with Writer(store, run_id) as writer:
            for number in range(300):
                writer.put(make("north", number, frames=range(40), thumbnails=[b"x"]))
                if number % 20 == 10:
                    connection.execute(DROP, (url.rpartition("/")[2],))
        store.end_run(run_id, "finished", 1)
        found = store.load_tracklets(run_id)
        assert sorted(tracklet.track_id for tracklet, _ in found) == list(range(300))
        assert all(len(tracklet.scores) == 40 for tracklet, _ in found)
        assert len(queries.thumbnails(store, run_id)) == 300


def test_a_server_that_is_away_is_waited_for(
    administrator: tuple[str, Administrator],
    begin: Begin,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconnecting, "PAUSE_SECONDS", 0.01)
    url, connection = administrator
    name = url.rpartition("/")[2]
    with open_store(url, create=True) as store:
        run_id = begin(store)
        store.add_tracklets(run_id, [make("north", 1)])
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")  # type: ignore[arg-type]
        connection.execute(DROP, (name,))
        with Writer(store, run_id) as writer:
            writer.put(make("north", 2))
            time.sleep(1)  # it has failed by now, more than once
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")  # type: ignore[arg-type]
        assert len(store.load_tracklets(run_id)) == 2


def test_a_server_that_stays_away_is_named(
    administrator: tuple[str, Administrator],
    begin: Begin,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reconnecting, "PATIENCE_SECONDS", 0.1)
    url, connection = administrator
    name = url.rpartition("/")[2]
    with open_store(url, create=True) as store:
        run_id = begin(store)
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")  # type: ignore[arg-type]
        connection.execute(DROP, (name,))
        with pytest.raises(StoreError) as caught, Writer(store, run_id) as writer:
            writer.put(make("north", 2))
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")  # type: ignore[arg-type]
        assert str(caught.value).startswith(f"database {store.name}: connection failed: ")
        assert "not currently accepting connections" in str(caught.value)
