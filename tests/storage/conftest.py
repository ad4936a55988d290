"""The two databases of the store, each really there, and small runs to put into them."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from hypothesis import settings

from pipeline.timestamps import from_iso
from pipeline.types import (
    Embedding,
    EncodedTracklet,
    EncoderIdentity,
    Evidence,
    Link,
    NoEmbedding,
    PairEvidence,
    Thumbnail,
    Tracklet,
)
from storage.store import CameraRecord, RunRecord, Store, open_store

# On a busy machine a deadline says nothing about the code.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

PASSWORD = "s3cret-of-the-test"
START_US = from_iso("2026-01-05T10:00:00Z")
ENCODER = EncoderIdentity("toy.xml", "ab" * 32, 4)


def _programs() -> Path | None:
    """The folder of PostgreSQL's own programs."""
    on_path = shutil.which("pg_ctl")
    folders = [Path(on_path).resolve().parent] if on_path else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    wanted = ("initdb", "pg_ctl", "postgres")
    return next((f for f in folders if all((f / name).exists() for name in wanted)), None)


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root: the user it runs as instead."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server_url() -> Iterator[Callable[..., str]]:
    """URL of a database of a PostgreSQL server that runs for as long as the tests do."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: no initdb, pg_ctl and postgres")
    folder = Path(tempfile.mkdtemp(prefix="store-test-"))
    user, data, port = _unprivileged(), folder / "data", _free_port()

    def execute(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, "--pgdata", data, *arguments],
            user=user,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            timeout=60,
            check=True,
        )

    try:
        password = folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        if user is not None:
            shutil.chown(folder, user)
            shutil.chown(password, user)
        execute(
            "initdb",
            "--username=tracking",
            "--auth=scram-sha-256",
            f"--pwfile={password}",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        options = f"-p {port} -k {folder} -h 127.0.0.1 -c fsync=off"
        execute("pg_ctl", "start", "--wait", f"--log={folder / 'log'}", f"--options={options}")
        try:
            yield (
                lambda name, password=PASSWORD: (
                    f"postgresql://tracking:{password}@127.0.0.1:{port}/{name}"
                )
            )
        finally:
            execute("pg_ctl", "stop", "--mode=immediate")
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def spare_databases() -> list[str]:
    """Names of empty databases on the server: making one takes longer than most tests."""
    return []


@pytest.fixture
def new_database(
    server_url: Callable[..., str], spare_databases: list[str]
) -> Iterator[Callable[[], str]]:
    """Makes an empty PostgreSQL database, one whose text does not sort by bytes; its URL."""
    used: list[str] = []

    def make() -> str:
        if spare_databases:
            name = spare_databases.pop()
        else:
            name = f"test_{uuid4().hex}"
            with psycopg.connect(server_url("postgres"), autocommit=True) as connection:
                connection.execute(
                    f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'"
                )
        used.append(name)
        return server_url(name)

    yield make
    for name in used:
        with psycopg.connect(server_url(name)) as connection:
            connection.execute(
                "SET lock_timeout = '10s'"
            )  # rather than wait for ever for a transaction left open
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
    spare_databases += used


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that does not exist yet (SQLite) or is empty (PostgreSQL)."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'tracking.db'}"
    make: Callable[[], str] = request.getfixturevalue("new_database")
    return make()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A new store."""
    with open_store(url, create=True) as opened:
        yield opened


Begin = Callable[..., int]


@pytest.fixture(scope="session")
def begin() -> Begin:
    """Begins a run of cameras."""

    def begin(
        store: Store,
        cameras: Sequence[str] = ("north", "Dock", "gate"),
        site: str = "plaza",
        settings: str = "{}",
        started_at_us: int = START_US,
    ) -> int:
        records = tuple(
            CameraRecord(name, f"videos/{name}.mp4", name == "gate") for name in cameras
        )
        return store.begin_run(RunRecord(site, settings, "toy detector", records, started_at_us))

    return begin


Make = Callable[..., EncodedTracklet]


@pytest.fixture(scope="session")
def make() -> Make:
    """Makes a tracklet: a box a frame at 10 frames/s, walking one pixel a frame to the right."""

    def make(
        camera: str,
        track_id: int,
        part: int = 1,
        frames: Sequence[int] = range(5),
        *,
        embedded: bool = True,
        thumbnails: Sequence[bytes] = (),
        left: float = 10.0,
    ) -> EncodedTracklet:
        indices = np.array(frames, np.int64)
        times = START_US + indices * 100_000
        x1 = left + indices
        boxes = np.stack([x1, np.full(x1.shape, 20.5), x1 + 30, np.full(x1.shape, 100.0)], axis=1)
        scores = np.full(len(indices), 0.9)
        vector = np.array([0.5, -0.5, 0.5, -0.5])
        return EncodedTracklet(
            Tracklet(camera, track_id, part, indices, times, boxes, scores),
            Embedding(vector, ENCODER) if embedded else NoEmbedding(),
            tuple(Thumbnail(int(times[0]) + k, jpeg) for k, jpeg in enumerate(thumbnails)),
        )

    return make


Join = Callable[..., Link]


@pytest.fixture(scope="session")
def join() -> Join:
    """Makes a link, with the pairs given as (other, similarity, same identity)."""

    def join(
        tracklet: str,
        identity: int,
        pairs: Sequence[tuple[str, float, bool]] = (),
        appearance: float = 0.0,
    ) -> Link:
        return Link(
            tracklet,
            identity,
            Evidence(appearance, 0.25, 0.5, 0.0),
            tuple(
                PairEvidence(other, similarity, Evidence(10 * similarity, 1.0, 0.0, 0.0), same)
                if similarity == similarity
                else PairEvidence(other, similarity, Evidence(0.0, 1.0, 0.0, 0.0), same)
                for other, similarity, same in pairs
            ),
            START_US + 60_000_000,
            "average-link",
        )

    return join


@pytest.fixture(scope="session")
def dump() -> Callable[[Store], dict[str, list[tuple[object, ...]]]]:
    """Every row of every table, by the table's name."""
    from sqlalchemy import select

    from storage.engine import reading
    from storage.schema import Base

    def dump(store: Store) -> dict[str, list[tuple[object, ...]]]:
        with reading(store.engine) as connection:
            return {
                table.name: sorted(
                    (tuple(row) for row in connection.execute(select(table))), key=repr
                )
                for table in Base.metadata.sorted_tables
            }

    return dump


@pytest.fixture
def little_run(store: Store, begin: Begin, make: Make, join: Join) -> int:
    """Two people in three cameras, somebody not linked, and a first opinion that was wrong.

    Identity 1: north/1 (0.0 to 0.4 s), Dock/1 (0.3 to 0.7 s), gate/1.2 (1.0 to 1.4 s).
    Identity 2: north/2 and Dock/2 (both 0.0 to 0.4 s). Not linked: gate/3 (2.0 to 2.4 s).
    """
    begin(store, ("gate",))
    run_id = begin(store)
    store.add_tracklets(
        run_id,
        [
            make("gate", 3, frames=range(20, 25), embedded=False),
            make("Dock", 2, left=200.0, thumbnails=[b"d2"]),
            make("Dock", 1, frames=range(3, 8), left=-0.5),
            make("north", 2, left=300.25),
            make("gate", 1, part=2, frames=range(10, 15)),
            make("north", 1, thumbnails=[b"n1 first", b"n1 second"]),
        ],
    )
    people = {"north/1": 1, "Dock/1": 1, "gate/1.2": 1, "Dock/2": 2}
    wrong = [join(key, number) for key, number in (people | {"north/2": 3}).items()]
    store.set_links(run_id, wrong)
    right = [join(key, number, appearance=1.5) for key, number in people.items()]
    pairs = [("Dock/2", 0.75, True), ("Dock/1", -0.5, False), ("gate/3", float("nan"), False)]
    store.set_links(run_id, [*right, join("north/2", 2, pairs, appearance=7.5)])
    return run_id
