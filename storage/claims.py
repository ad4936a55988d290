"""Who may write to a run: one program at a time, known to be gone as soon as it is."""

import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import DBAPIError

from storage.engine import translated

CLAIMS = 0x72756E
"""First part of PostgreSQL's number of a lock, the same in every version of this program."""

Release = Callable[[], None]


def claimed(engine: Engine, run_id: int) -> Release | None:
    """Claim a run; None where another program, or another store of this one, has it.

    Gives the means to hand it back. A program that is killed hands it back by dying.
    """
    with translated(engine):
        if engine.dialect.name == "sqlite":
            return _claimed_file(Path(f"{engine.url.database}-run{run_id}.lock"))
        return _claimed_on_server(engine, run_id)


def _claimed_file(path: Path) -> Release | None:
    """An empty file beside the database, locked by SQLite's own means on every system."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE").close()
    except sqlite3.OperationalError as error:
        connection.close()
        if "locked" in str(error):
            return None
        raise

    def release() -> None:
        with closing(connection), suppress(OSError):
            path.unlink()

    return release


def _claimed_on_server(engine: Engine, run_id: int) -> Release | None:
    """A lock that lasts as long as its connection, or until it is handed back."""
    connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    lock = select(func.pg_try_advisory_lock(CLAIMS, run_id))
    if not connection.execute(lock).scalar_one():
        connection.close()
        return None

    connection.detach()  # it is held for hours, and must not count as one of the pool's

    def release() -> None:
        # A server takes a moment to see that a connection has been closed.
        with closing(connection), suppress(DBAPIError):
            connection.execute(select(func.pg_advisory_unlock(CLAIMS, run_id)))

    return release
