"""What was exported, edited and erased: kept for ever, without anybody's data."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from pipeline.timestamps import to_iso
from storage.engine import reading, writing
from storage.schema import Audit, Run
from storage.store import Store

Details = Mapping[str, int | str | bool]
"""Kinds and counts; never names, positions or pictures."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done; `run` is 0 where it was to a whole site."""

    at: str
    action: str
    site: str
    run: int
    details: dict[str, int | str | bool]


def log(connection: Connection, action: str, run_id: int, details: Details) -> None:
    """Put down, in the transaction that does it, what is done to a run."""
    site = connection.execute(select(Run.site).where(Run.id == run_id)).scalar_one()
    log_of_site(connection, action, str(site), details, run_id)


def log_of_site(
    connection: Connection, action: str, site: str, details: Details, run_id: int | None = None
) -> None:
    """Put down what is done to a site, or to one run of it."""
    row = {
        "at_us": time.time_ns() // 1000,
        "action": action,
        "site": site,
        "run_id": run_id,
        "details_json": json.dumps(details, sort_keys=True),
    }
    connection.execute(insert(Audit), row)


def log_export(store: Store, run_id: int, details: Details) -> None:
    """Put down that something was exported; in a transaction of its own, as exports only read."""
    with writing(store.engine) as connection:
        log(connection, "export", run_id, details)


def entries(store: Store) -> list[AuditEntry]:
    """Everything that was put down, in order."""
    with reading(store.engine) as connection:
        found = connection.execute(select(Audit).order_by(Audit.id)).all()
    return [
        AuditEntry(
            to_iso(row.at_us),
            row.action,
            row.site,
            row.run_id or 0,
            json.loads(row.details_json),
        )
        for row in found
    ]
