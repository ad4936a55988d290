"""Opening a database: one way to begin transactions, migrations, and errors in one line."""

import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, func, inspect, make_url, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from pipeline.config import redact
from pipeline.errors import StoreError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 5.0
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
EXAMPLES = "sqlite:///tracking.db or postgresql://user:password@host/name"
WRITES = "writes"
"""Execution option of connections that will write: SQLite then locks at once."""
SNAPSHOT: dict[str, dict[str, Any]] = {
    "sqlite": {},  # every transaction is one
    "postgresql": {"isolation_level": "REPEATABLE READ"},
}
MIGRATION_LOCK = 0x747261636B
"""Any number, the same in every version of this program."""


class ConnectionLostError(StoreError):
    """The server of the database has gone, or does not answer; it may come back."""


def open_engine(url: str, *, create: bool) -> Engine:
    """An engine on a database of the newest schema.

    Args:
        url: SQLAlchemy URL, `sqlite:///file.db` or `postgresql://...`.
        create: Make the database's tables, and SQLite's file, where there are none.

    Raises:
        StoreError: There is no such database, it cannot be opened, or it is none of ours.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        _check_file(parsed, create)
    # A connection of the pool that the server has dropped is replaced before it is used.
    engine = create_engine(parsed, connect_args=_arguments(parsed), pool_pre_ping=True)
    _install(engine)
    try:
        _migrate(engine, create)
    except BaseException:
        engine.dispose()
        raise
    return engine


def shown(url: URL) -> str:
    """A database's URL as messages show it: without driver, credentials and options."""
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{url.host or ''}{port}/{url.database or ''}"


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Errors of the database as one line for the user, without credentials or parameters."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        kind = ConnectionLostError if _is_lost(error) else StoreError
        raise kind(f"database {shown(engine.url)}: {_reason(error)}") from None
    except OverflowError:  # by SQLite's driver, which SQLAlchemy lets through
        raise StoreError(f"database {shown(engine.url)}: a number is too large for it") from None


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: all of it is committed, or nothing."""
    with (
        translated(engine),
        engine.connect().execution_options(**{WRITES: True}) as connection,
        connection.begin(),
    ):
        yield connection


def checkpoint(engine: Engine, patience_seconds: float = BUSY_SECONDS) -> bool:
    """SQLite: bring the write-ahead log into the file and empty it; whether that is done.

    What was erased stays readable in the log until then, in spite of `secure_delete`. Where a
    reader holds on to an older state it takes its turn: tried anew for so long, and whoever writes
    goes on meanwhile; at the latest it is done when the last connection closes.
    """
    if engine.dialect.name != "sqlite":
        return True
    until = time.monotonic() + patience_seconds
    with translated(engine), engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        # To empty the log it keeps writers out while it waits for readers: never for long.
        raw.execute("PRAGMA busy_timeout = 20").close()
        try:
            while raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                if time.monotonic() >= until:
                    return False
                time.sleep(0.05)
        finally:
            raw.execute(f"PRAGMA busy_timeout = {round(BUSY_SECONDS * 1000)}").close()
    return True


def wiped(engine: Engine, tables: Iterable[str]) -> bool:
    """Leave nothing of what was erased from these tables in free space; whether that is done.

    SQLite has overwritten it by now (`secure_delete`) but in its log. PostgreSQL writes the tables
    anew, without what is dead: they are locked meanwhile, and for readers it waits only shortly.
    """
    if engine.dialect.name == "sqlite":
        return checkpoint(engine)
    try:
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT")
            connection.exec_driver_sql(f"SET lock_timeout = '{round(BUSY_SECONDS)}s'")
            for table in tables:
                connection.exec_driver_sql(f"VACUUM FULL {table}")
            connection.exec_driver_sql("RESET lock_timeout")
    except OperationalError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            return False
        with translated(engine):
            raise
    return True


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one state of the database, whoever writes meanwhile."""
    with (
        translated(engine),
        engine.connect().execution_options(**SNAPSHOT[engine.dialect.name]) as connection,
        connection.begin(),
    ):
        yield connection


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        name = redact(url) if "://" in url else url.rpartition("@")[2]
        raise StoreError(f"database {name}: expected a URL such as {EXAMPLES}") from None
    name = parsed.drivername.partition("+")[0]
    if name not in DRIVERS:
        raise StoreError(f"database {redact(url)}: expected {EXAMPLES}, got {name}://")
    if name != "sqlite" and "@" in f"{parsed.host}/{parsed.database}":
        raise StoreError(f"database {redact(url)}: expected @ and / in a password as %40 and %2F")
    return parsed.set(drivername=DRIVERS[name])


def _check_file(parsed: URL, create: bool) -> None:
    """SQLite would make an empty file for a mistyped name, and say little about a folder."""
    name = f"database {shown(parsed)}"
    if parsed.database in (None, "", ":memory:") or parsed.host or parsed.query:
        raise StoreError(f"{name}: expected a file, such as sqlite:///tracking.db")
    path = Path(str(parsed.database))
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        raise StoreError(f"{name}: {error.strerror}") from None
    if is_folder:
        raise StoreError(f"{name}: expected a file, {path} is a folder")
    if not create and not exists:
        raise StoreError(f"{name}: no such file; `run` a site first")
    if not path.absolute().parent.is_dir():
        raise StoreError(f"{name}: no such folder: {path.absolute().parent}")


def _arguments(parsed: URL) -> dict[str, Any]:
    if parsed.get_backend_name() == "sqlite":
        return {"timeout": BUSY_SECONDS, "check_same_thread": False}
    return {"connect_timeout": 10}


def _install(engine: Engine) -> None:
    """SQLite: settings of a connection, and BEGIN IMMEDIATE for transactions that write.

    A deferred transaction that reads first and then writes fails with "database is locked" in spite
    of the busy timeout (112 times in 6 s with four writers, against none).
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        for pragma in ("foreign_keys = ON", "synchronous = NORMAL", "secure_delete = ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(engine: Engine, create: bool) -> None:
    """Bring the schema to the newest version, in one transaction."""
    config = Config()
    # Alembic reads a % in a setting as the beginning of a variable.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    is_newest = _check_schema(engine, ScriptDirectory.from_config(config), create)
    if engine.dialect.name == "sqlite":
        _write_ahead(engine)
    if is_newest:
        return
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            # Of two programs that find an empty database, one makes the tables.
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _check_schema(engine: Engine, script: ScriptDirectory, create: bool) -> bool:
    """Whether the schema is the newest; raises where it is none that can be brought there."""
    with reading(engine) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        tables = inspect(connection).get_table_names()
    known = {revision.revision for revision in script.walk_revisions()}
    name = f"database {shown(engine.url)}"
    if current is not None and current not in known:
        raise StoreError(
            f"{name}: expected schema {script.get_current_head()} or older, got {current}:"
            " made by a newer version of this program, or by another"
        )
    if current is None and tables:
        table = min(tables)
        raise StoreError(f"{name}: expected a trajectory store, found other tables ({table})")
    if current is None and not create:
        raise StoreError(f"{name}: it is empty; `run` a site first")
    return current == script.get_current_head()


def _write_ahead(engine: Engine) -> None:
    """SQLite: from the next connection on, who reads and who writes do not wait for each other.

    Only for a file that is ours: the mode is written into it.
    """

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.execute("PRAGMA journal_mode = WAL").close()

    engine.dispose()


def _is_lost(error: Exception) -> bool:
    """Whether it is the connection that failed: without a code where there was no answer."""
    original = error.orig if isinstance(error, DBAPIError) else None
    if not isinstance(original, psycopg.OperationalError):
        return False
    return original.sqlstate is None or original.sqlstate[:3] in ("080", "57P")


def _reason(error: Exception) -> str:
    """What the driver says, in one line; SQLAlchemy's own text would show parameters."""
    if isinstance(error, NoSuchModuleError):
        return "expected sqlite:/// or postgresql://"
    original = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(error, sqlite3.Error):
        original = error
    words = str(original if original is not None else type(error).__name__).strip()
    reason = words.partition("\n")[0] or "failed"
    if "database is locked" in reason:
        return "locked: another program is writing to it"
    if "malformed" in reason:
        return f"damaged ({reason}); `sqlite3 FILE .recover` saves what can be read"
    return reason[:200]
