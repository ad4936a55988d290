"""Opening a database: one way to begin transactions, migrations, and errors in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from pipeline.config import redact
from pipeline.errors import StoreError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 5.0
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
WRITES = "writes"
"""Execution option of connections that will write: SQLite then locks at once."""


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
        _check_file(parsed, url, create)
    engine = create_engine(parsed, connect_args=_arguments(parsed))
    _install(engine)
    try:
        _migrate(engine, url, create)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def translated(engine: Engine | str) -> Iterator[None]:
    """Errors of the database as one line for the user, without credentials or parameters."""
    try:
        yield
    except SQLAlchemyError as error:
        name = engine if isinstance(engine, str) else str(engine.url)
        raise StoreError(f"database {redact(name)}: {_reason(error)}") from None


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: all of it is committed, or nothing."""
    with (
        translated(engine),
        engine.connect().execution_options(**{WRITES: True}) as connection,
        connection.begin(),
    ):
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one state of the database, whoever writes meanwhile."""
    with translated(engine), engine.connect() as connection, connection.begin():
        yield connection


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise StoreError(
            f"database {redact(url)}: expected a URL such as sqlite:///tracking.db"
        ) from None
    name = parsed.drivername.partition("+")[0]
    if name not in DRIVERS:
        raise StoreError(
            f"database {redact(url)}: expected sqlite:/// or postgresql://, got {name}://"
        )
    return parsed.set(drivername=DRIVERS[name])


def _check_file(parsed: URL, url: str, create: bool) -> None:
    """SQLite would make an empty file for a mistyped name, and say little about a folder."""
    if parsed.database in (None, "", ":memory:"):
        raise StoreError(f"database {url}: expected a file, such as sqlite:///tracking.db")
    path = Path(str(parsed.database))
    if path.is_dir():
        raise StoreError(f"database {url}: expected a file, {path} is a folder")
    if not create and not path.exists():
        raise StoreError(f"database {url}: no such file; `run` a site first")
    if not path.absolute().parent.is_dir():
        raise StoreError(f"database {url}: no such folder: {path.absolute().parent}")


def _arguments(parsed: URL) -> dict[str, Any]:
    if parsed.get_backend_name() == "sqlite":
        return {"timeout": BUSY_SECONDS, "check_same_thread": False}
    return {"connect_timeout": 10}


def _install(engine: Engine) -> None:
    """SQLite: pragmas, and BEGIN IMMEDIATE for transactions that write.

    A deferred transaction that reads first and then writes fails with "database is locked" in spite
    of the busy timeout (112 times in 6 s with four writers, against none).
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        cursor = connection.cursor()
        for pragma in (
            "foreign_keys = ON",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "secure_delete = ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(engine: Engine, url: str, create: bool) -> None:
    """Bring the schema to the newest version, in one transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    script = ScriptDirectory.from_config(config)
    with reading(engine) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        tables = engine.dialect.get_table_names(connection)
    if current == script.get_current_head():
        return
    name = f"database {redact(url)}"
    known = {revision.revision for revision in script.walk_revisions()}
    if current is not None and current not in known:
        raise StoreError(f"{name}: made by a newer version of this program (schema {current})")
    if current is None and tables:
        raise StoreError(f"{name}: expected a trajectory store, found other tables ({tables[0]})")
    if current is None and not create:
        raise StoreError(f"{name}: it is empty; `run` a site first")
    with writing(engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _reason(error: SQLAlchemyError) -> str:
    """What the driver says, in one line; SQLAlchemy's own text would show parameters."""
    if isinstance(error, NoSuchModuleError):
        return "expected sqlite:/// or postgresql://"
    original = error.orig if isinstance(error, DBAPIError) else None
    words = str(original if original is not None else type(error).__name__).strip().splitlines()
    reason = words[-1 if "connection" in words[0] and len(words) > 1 else 0] if words else "failed"
    if "database is locked" in reason:
        return "locked: another program is writing to it"
    return reason[:200]
