"""Opening a database: what is made, what is refused, and in which words."""

import hashlib
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from pipeline.errors import StoreError
from storage import engine as engine_module
from storage.engine import open_engine, reading, writing
from storage.schema import Base
from storage.store import Store, open_store

ROOT = Path(engine_module.__file__).parents[1]


def refusal(url: str, *, create: bool = True) -> str:
    """The one line by which a database is refused."""
    with pytest.raises(StoreError) as caught:
        open_engine(url, create=create)
    message = str(caught.value)
    assert "\n" not in message
    return message


def execute_sqlite(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def schema_of(path: Path) -> set[str]:
    """The statements that made a SQLite database; order of columns and constraints left out.

    A column that was added later stands on the line of the one before it.
    """
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE tbl_name <> 'alembic_version'")
    statements = {
        "\n".join(sorted(line.strip(" ,\t") for line in re.split(r"\n|, (?=\w+ [BT])", sql)))
        for (sql,) in rows
        if sql
    }
    connection.close()
    return statements


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_models_are_the_migrated_schema(store: Store) -> None:
    with store.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "compare_type": True,
                "compare_server_default": True,
                # Those of days: see `partitions`.
                "include_name": lambda name, *_: not str(name).startswith("track_point_"),
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_the_models_are_the_migrated_schema_to_the_letter(tmp_path: Path) -> None:
    """Conditions of indexes and tables without row numbers are not compared by alembic."""
    migrated, modelled = tmp_path / "migrated.db", tmp_path / "modelled.db"
    open_engine(f"sqlite:///{migrated}", create=True).dispose()
    engine = create_engine(f"sqlite:///{modelled}")
    Base.metadata.create_all(engine)
    engine.dispose()
    assert schema_of(migrated) == schema_of(modelled)


def test_statuses_that_do_not_exist(store: Store) -> None:
    with writing(store.engine) as connection:
        for statement in (
            "INSERT INTO run (id, site, status, started_at_us, settings_json, settings_sha256,"
            " detector) VALUES (1, 'plaza', 'running', 0, '', '', '')",
            "INSERT INTO camera (id, site, name) VALUES (1, 'plaza', 'north')",
        ):
            connection.execute(text(statement))
    for statement, constraint in (
        ("UPDATE run SET status = 'lost'", "ck_run_status"),
        (
            "INSERT INTO run_camera VALUES (1, 1, 0, '', false, 'lost', '', 0)",
            "ck_run_camera_status",
        ),
    ):
        with (
            pytest.raises(StoreError, match=constraint),
            writing(store.engine) as connection,
        ):
            connection.execute(text(statement))


def test_opening_twice_changes_nothing(
    url: str, begin: Callable[..., int], dump: Callable[..., object]
) -> None:
    with open_store(url, create=True) as store:
        begin(store)
        before = dump(store)
    for create in (True, False):
        with open_store(url, create=create) as store:
            assert dump(store) == before


def test_sqlite_file_is_the_same_after_opening_and_asking(tmp_path: Path) -> None:
    path = tmp_path / "tracking.db"
    open_store(f"sqlite:///{path}", create=True).engine.dispose()
    before = sha256(path)
    open_store(f"sqlite:///{path}", create=False).engine.dispose()
    assert sha256(path) == before


def test_settings_of_every_sqlite_connection(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'tracking.db'}", create=True)
    expected = {"foreign_keys": 1, "journal_mode": "wal", "synchronous": 1, "secure_delete": 1}
    with reading(engine) as first, reading(engine) as second:
        for connection in (first, second):
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in expected
            }
            assert found == expected
    engine.dispose()


def test_a_newer_schema_is_refused(url: str) -> None:
    with open_store(url, create=True) as store, writing(store.engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for create in (True, False):
        message = refusal(url, create=create)
        assert "expected schema 0003 or older, got 9999" in message
        assert "made by a newer version of this program" in message


@pytest.mark.parametrize("create", [True, False])
def test_foreign_sqlite_database_is_refused_and_left_as_it_is(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "foreign.db"
    execute_sqlite(path, "CREATE TABLE zebra (a)", "CREATE TABLE album (a)")
    before = sha256(path)
    assert (
        refusal(f"sqlite:///{path}", create=create)
        == f"database sqlite:///{path}: expected a trajectory store, found other tables (album)"
    )
    assert sha256(path) == before
    assert list(tmp_path.iterdir()) == [path]


def test_foreign_postgresql_database_is_refused(new_database: Callable[[], str]) -> None:
    url = new_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE album (a int)")
    assert "expected a trajectory store, found other tables (album)" in refusal(url)


@pytest.mark.parametrize("create", [True, False])
def test_file_that_is_no_database(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Not a database, but long enough to be looked at. " * 50, encoding="utf-8")
    expected = f"database sqlite:///{path}: file is not a database"
    assert refusal(f"sqlite:///{path}", create=create) == expected
    assert "long enough" in path.read_text(encoding="utf-8")


def test_missing_sqlite_file_is_not_made_by_a_query(tmp_path: Path) -> None:
    path = tmp_path / "mistyped.db"
    message = refusal(f"sqlite:///{path}", create=False)
    assert message == f"database sqlite:///{path}: no such file; `run` a site first"
    assert list(tmp_path.iterdir()) == []


def test_empty_database_is_not_filled_by_a_query(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    path = tmp_path / "empty.db"
    path.touch()
    for url in (new_database(), f"sqlite:///{path}"):
        assert refusal(url, create=False).endswith(": it is empty; `run` a site first")
        open_engine(url, create=True).dispose()


def test_places_where_no_sqlite_file_can_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for name, reason in (
        (tmp_path, f"expected a file, {tmp_path} is a folder"),
        (tmp_path / "none" / "x.db", f"no such folder: {tmp_path / 'none'}"),
        (file / "x.db", f"no such folder: {file}"),
        (tmp_path / ("x" * 300), "File name too long"),
        (Path("/proc/x.db"), "unable to open database file"),  # refuses even root
    ):
        assert refusal(f"sqlite:///{name}") == f"database sqlite:///{name}: {reason}"


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("tracking.db", "database tracking.db: expected a URL such as sqlite:///tracking.db or "),
        ("", "database : expected a URL such as sqlite:///tracking.db or postgresql://"),
        ("sqlite://", "database sqlite:///: expected a file, such as sqlite:///tracking.db"),
        ("sqlite://tracking.db", "database sqlite://tracking.db/: expected a file, such as"),
        ("sqlite://host/x.db", "database sqlite://host/x.db: expected a file, such as"),
        ("sqlite:///:memory:", "database sqlite:///:memory:: expected a file, such as"),
        ("sqlite:///x.db?mode=ro", "database sqlite:///x.db: expected a file, such as"),
        ("sqlit:///x.db", "database sqlit:///x.db: expected sqlite:///tracking.db or postgresql:"),
        ("mysql://me:s3cret@host/x", "database mysql://host/x: expected sqlite:///tracking.db or"),
        ("postgresql:/me:s3cret@host/x", "database host/x: expected a URL such as"),
        ("postgresql://me:s3cret@host:pg/x", "database postgresql://host:pg/x: expected a URL"),
        (
            "postgresql://me:s3@cret@host/x",
            "database postgresql://host/x: expected @ and / in a password as %40 and %2F",
        ),
        (
            "postgresql://me:s3/cr@et@host/x",
            "database postgresql://host/x: expected @ and / in a password as %40 and %2F",
        ),
    ],
)
def test_mistyped_urls(
    url: str, start: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    message = refusal(url)
    assert message.startswith(start)
    assert "s3" not in message
    assert "cr" not in message
    assert list(tmp_path.iterdir()) == []


def test_postgresql_that_does_not_answer(server_url: Callable[..., str]) -> None:
    # The port below is nobody's: only root may listen on it, and tcpmux is long gone.
    url = re.sub(r":\d+/", ":1/", server_url("tracking"))
    message = refusal(url)
    assert message.startswith("database postgresql://127.0.0.1:1/tracking: connection failed: ")
    assert message.endswith("Connection refused")
    assert "s3cret" not in message


def test_postgresql_that_refuses(server_url: Callable[..., str]) -> None:
    place = f"database postgresql://{server_url('').partition('@')[2].rstrip('/')}"
    message = refusal(server_url("postgres", password="s3cret-but-wrong"))
    assert message.startswith(f"{place}/postgres: ")
    assert message.endswith('password authentication failed for user "tracking"')
    assert "s3cret" not in message
    message = refusal(server_url("nowhere"))
    assert message.startswith(f"{place}/nowhere: ")
    assert message.endswith('database "nowhere" does not exist')
    assert "s3cret" not in message


def test_errors_show_no_values(store: Store) -> None:
    """SQLAlchemy's own words would hold the statement and its parameters."""
    with pytest.raises(StoreError) as caught, writing(store.engine) as connection:
        connection.execute(text("INSERT INTO run (site) VALUES (:site)"), {"site": "a secret site"})
    assert "a secret site" not in str(caught.value)
    assert "INSERT" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_the_name_of_a_store_has_no_password(store: Store, url: str) -> None:
    expected = url.replace("tracking:s3cret-of-the-test@", "")
    assert store.name == expected


def test_a_transaction_that_fails_leaves_nothing(store: Store) -> None:
    insert = "INSERT INTO camera (site, name) VALUES ('plaza', 'north')"
    for _ in range(2):
        with pytest.raises(StoreError, match="camera"), writing(store.engine) as connection:
            connection.execute(text(insert))
            connection.execute(text(insert))  # the name stands twice
    with reading(store.engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM camera")).scalar() == 0


def test_migrations_in_a_folder_with_percent_and_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alembic reads % in its settings as the beginning of a variable."""
    folder = tmp_path / "100% of it"
    shutil.copytree(engine_module.MIGRATIONS, folder)
    monkeypatch.setattr(engine_module, "MIGRATIONS", folder)
    open_engine(f"sqlite:///{tmp_path / 'tracking.db'}", create=True).dispose()


def test_the_file_has_the_name_that_messages_show(tmp_path: Path) -> None:
    path = tmp_path / "Gästebuch #1 @home.db"
    with open_store(f"sqlite:///{path}", create=True) as store:
        assert store.name == f"sqlite:///{path}"
    assert path.exists()


OPEN_AT_ONCE = """
import os, sys
sys.path.insert(0, sys.argv[1])
from storage.store import open_store

children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        open_store(sys.argv[2], create=True).engine.dispose()
        os._exit(0)
    children.append(child)
print([os.waitpid(child, 0)[1] for child in children])
"""


def test_programs_that_open_a_new_database_at_once(url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-c", OPEN_AT_ONCE, ROOT, url],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert (done.stdout, done.stderr) == (f"{[0] * 4}\n", "")
