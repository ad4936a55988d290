"""Links that a run is sure of: only those in force, of one identity, with evidence enough."""

from collections.abc import Callable

import pytest

from storage.store import Store
from storage.sure_links import sure_links


@pytest.mark.parametrize(
    ("log_odds", "expected"),
    [(8.0, [("north/2", "Dock/2")]), (8.6, [])],
)
def test_pairs_with_all_evidence_together(
    store: Store, little_run: int, log_odds: float, expected: list[tuple[str, str]]
) -> None:
    """north/2 has Dock/2 (7.5 + 1) of its identity, and Dock/1 of another."""
    assert sure_links(store, little_run, log_odds) == expected


def test_decisions_that_no_longer_hold_are_not_asked(
    store: Store, little_run: int, join: Callable[..., object]
) -> None:
    store.set_links(little_run, [join("north/2", 2), join("Dock/2", 5)])
    assert sure_links(store, little_run, -100.0) == []


def test_others_of_one_identity_only(store: Store, little_run: int) -> None:
    assert sure_links(store, little_run, -100.0) == [("north/2", "Dock/2")]
