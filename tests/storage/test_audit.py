"""The log of what was done to people's data."""

import time
from collections.abc import Callable

import pytest

from storage import audit
from storage.engine import writing
from storage.retention import erase_stored_before
from storage.store import Store

Begin = Callable[..., int]


def test_what_is_put_down_stays_in_order(
    store: Store, begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = begin(store)
    monkeypatch.setattr(time, "time_ns", lambda: 1_767_607_200_000_000_000)
    audit.log_export(store, run_id, {"format": "mot", "boxes": 12})
    with writing(store.engine) as connection:
        audit.log_of_site(connection, "retention", "harbour", {"tracklets": 3, "emptied": True})
    at = "2026-01-05T10:00:00.000000Z"
    assert audit.entries(store) == [
        audit.AuditEntry(at, "export", "plaza", run_id, {"boxes": 12, "format": "mot"}),
        audit.AuditEntry(at, "retention", "harbour", 0, {"tracklets": 3, "emptied": True}),
    ]


def test_what_is_put_down_outlives_the_run(store: Store, begin: Begin) -> None:
    run_id = begin(store)
    audit.log_export(store, run_id, {"boxes": 12})
    store.end_run(run_id, "finished", 1)
    erase_stored_before(store, "plaza", 2**60)
    assert [(entry.run, entry.details) for entry in audit.entries(store)] == [
        (run_id, {"boxes": 12})
    ]


def test_a_transaction_that_fails_puts_nothing_down(store: Store, begin: Begin) -> None:
    run_id = begin(store)
    with pytest.raises(RuntimeError, match="half way"), writing(store.engine) as connection:
        audit.log(connection, "edit", run_id, {})
        raise RuntimeError("half way")
    assert audit.entries(store) == []
