"""PostgreSQL: the boxes of each day lie in a table of their own, which is dropped when it is empty.

Rows that are deleted leave room that only later rows of the same table take; a table that is
dropped gives its room back at once. Tracklets that are first written on a UTC day have numbers of
that day's range, so that the boxes need no further column to be divided by. SQLite has one table.
"""

import time
from datetime import UTC, date, datetime
from typing import Final

import psycopg
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import OperationalError

from storage.engine import reading, translated, writing
from storage.schema import TrackletRow

DAY_US: Final = 86_400_000_000
NUMBERS_A_DAY: Final = 2**32
PREFIX: Final = "track_point_"
LOCK: Final = 0x646179
"""Any number, the same in every version of this program."""
LOCK_MS: Final = 100
"""While a drop waits for readers, others wait for it: never for long."""


class Days:
    """Begins the days of one database, for whoever writes to it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._begun = -1

    def begin(self, now_us: int) -> None:
        """See that tracklets get numbers of today, and that there is a table for their boxes.

        In transactions of its own, before anything else is locked: readers do not wait for it, and
        it can be in no deadlock with who writes.
        """
        day = now_us // DAY_US
        if self._begun == day or self._engine.dialect.name == "sqlite":
            return
        with writing(self._engine) as connection:
            if _is_due(connection, day):
                _create(connection, day)
        # Numbers are drawn by all at once: not before all see the table.
        with writing(self._engine) as connection:
            if _is_due(connection, day):
                following = _following(connection, day)
                connection.execute(select(func.setval("tracklet_id_seq", following, False)))
        self._begun = day


def drop_empty(engine: Engine, patience_seconds: float) -> int:
    """Drop the tables of days of which no tracklet is left; how many.

    Where somebody reads a state in which there were some they take their turn: it is tried anew for
    so long. The last two days stay, as somebody may just be writing the first tracklet.
    """
    if engine.dialect.name == "sqlite":
        return 0
    with writing(engine) as connection:  # which draws a number that all who come later exceed
        last = _last_number(connection) // NUMBERS_A_DAY
        empty = [day for day in _days(connection) if day < last - 1 and _is_empty(connection, day)]
        number = text("SELECT CAST(CAST(pg_current_xact_id() AS xid) AS text)")
        erased_by = connection.execute(number).scalar_one()
    until = time.monotonic() + patience_seconds
    return sum(_drop(engine, day, erased_by, until) for day in empty)


def _drop(engine: Engine, day: int, erased_by: str, until: float) -> bool:
    while not (_all_know(engine, erased_by) and _dropped(engine, day)):
        if time.monotonic() >= until:
            return False
        time.sleep(0.05)
    return True


def _all_know(engine: Engine, erased_by: str) -> bool:
    """Whether nobody reads a state from before a transaction: to them boxes would be missing."""
    reads_older = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        " AND age(backend_xmin) >= age(CAST(:erased_by AS xid))"
    )
    with reading(engine) as connection:
        return not connection.execute(reads_older, {"erased_by": erased_by}).scalar_one()


def _dropped(engine: Engine, day: int) -> bool:
    """Whether a day's table is gone; not where somebody reads boxes just now."""
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_MS}")
            connection.exec_driver_sql(f"DROP TABLE IF EXISTS {_table(day)}")
    except OperationalError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            return False
        with translated(engine):
            raise
    return True


def _is_due(connection: Connection, day: int) -> bool:
    """Whether a day is to be begun; until the end nobody else begins one.

    Also where numbers are of a day further ahead than clocks and midnights differ: somebody's clock
    was wrong, and until that day all boxes would lie in its table.
    """
    connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
    last_day = _last_number(connection) // NUMBERS_A_DAY
    return last_day < day or last_day > day + 1


def _following(connection: Connection, day: int) -> int:
    """A day's first number that nobody has."""
    first = day * NUMBERS_A_DAY
    of_day = (TrackletRow.id >= first) & (TrackletRow.id < first + NUMBERS_A_DAY)
    last = connection.execute(select(func.max(TrackletRow.id)).where(of_day)).scalar()
    return first if last is None else int(last) + 1


def _create(connection: Connection, day: int) -> None:
    """Make a day's table and attach it, which locks out other writers, and no reader."""
    name, first = _table(day), day * NUMBERS_A_DAY
    if connection.execute(select(func.to_regclass(name))).scalar() is not None:
        return  # by who was then cut off
    connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE track_point)")
    connection.exec_driver_sql(
        f"ALTER TABLE track_point ATTACH PARTITION {name}"
        f" FOR VALUES FROM ({first}) TO ({first + NUMBERS_A_DAY})"
    )


def _last_number(connection: Connection) -> int:
    return int(connection.execute(text("SELECT last_value FROM tracklet_id_seq")).scalar_one())


def _days(connection: Connection) -> list[int]:
    """That have a table."""
    query = text(
        "SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid"
        " WHERE inhparent = CAST('track_point' AS regclass) ORDER BY relname"
    )
    epoch = date(1970, 1, 1)
    names = connection.execute(query).scalars()
    return [(date.fromisoformat(name.removeprefix(PREFIX)) - epoch).days for name in names]


def _is_empty(connection: Connection, day: int) -> bool:
    first = day * NUMBERS_A_DAY
    some = select(TrackletRow.id).where(
        TrackletRow.id >= first, TrackletRow.id < first + NUMBERS_A_DAY
    )
    return connection.execute(some.limit(1)).first() is None


def _table(day: int) -> str:
    return f"{PREFIX}{datetime.fromtimestamp(day * DAY_US / 1e6, UTC):%Y%m%d}"
