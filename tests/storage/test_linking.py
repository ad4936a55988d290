"""Links while people come: some tracklets at a time, in versions."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from pipeline.types import EncodedTracklet, Evidence, Link
from storage import edits, queries
from storage.engine import reading
from storage.erasure import erase_identity
from storage.explanations import why
from storage.linking import EditedMeanwhileError, EditsVersion
from storage.schema import LinkRow
from storage.store import Store

UNEDITED = EditsVersion(0, 0)
Begin = Callable[[Store], int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]


def _who(store: Store, run_id: int) -> dict[str, int]:
    people = [person.identity for person in queries.identities(store, run_id)]
    return {p.tracklet: one for one in people for p in queries.trajectory(store, run_id, one)}


def test_links_of_others_stay(store: Store, begin: Begin, make: Make, join: Join) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1), make("gate", 1), make("gate", 2)])
    assert store.add_links(run_id, [join("north/1", 1), join("gate/1", 2)], UNEDITED) == frozenset()
    assert store.add_links(run_id, [join("gate/1", 1), join("gate/2", 3)], UNEDITED) == frozenset()
    assert _who(store, run_id) == {"north/1": 1, "gate/1": 1, "gate/2": 3}
    with reading(store.engine) as connection:
        closed = select(func.count()).where(LinkRow.valid_to_us.is_not(None))
        assert connection.execute(closed).scalar_one() == 1


def test_what_has_been_erased_is_told_and_left_out(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1)])
    compared = join("north/1", 1, [("gate/7", 0.9, True)])
    assert store.add_links(run_id, [compared, join("gate/8", 2)], UNEDITED) == {"gate/7", "gate/8"}
    assert _who(store, run_id) == {"north/1": 1}
    assert why(store, run_id, "north/1").pairs == ()


def test_more_than_one_statement_takes(store: Store, begin: Begin, make: Make, join: Join) -> None:
    run_id, count = begin(store), 1100
    store.add_tracklets(run_id, [make("north", track) for track in range(1, count + 1)])
    for identity_of in (lambda i: i, lambda i: 1 + i % 7):
        links = [join(f"north/{i}", identity_of(i)) for i in range(1, count + 1)]
        assert store.add_links(run_id, links, UNEDITED) == frozenset()
        assert _who(store, run_id) == {link.tracklet: link.identity for link in links}


def test_evidence_must_be_finite_and_nothing_changes(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1)])
    store.add_links(run_id, [join("north/1", 1)], UNEDITED)
    bad = Link("north/1", 2, Evidence(float("nan"), 0.0, 0.0, 0.0), (), 0, "test")
    with pytest.raises(ValueError, match="finite"):
        store.add_links(run_id, [bad], UNEDITED)
    assert _who(store, run_id) == {"north/1": 1}


def test_an_erasure_is_noticed_by_who_began_before(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    """Also where it takes an edit with it, and another is made."""
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", number) for number in (1, 2, 3, 4)])
    links = [join("north/1", 1), join("north/2", 1), join("north/3", 2), join("north/4", 3)]
    store.set_links(run_id, links)
    edits.confirm(store, run_id, 1)
    known = edits.decided(store, run_id).version
    erase_identity(store, run_id, 1)
    edits.merge(store, run_id, 2, 3)
    with pytest.raises(EditedMeanwhileError):
        store.add_links(run_id, [join("north/4", 3)], known)
