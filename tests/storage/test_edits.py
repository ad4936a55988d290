"""Edits: applied at once as new versions, kept as constraints, and undone without a trace."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import delete, select

from pipeline.association.resolver import EDIT_LOG_ODDS
from pipeline.errors import StoreError
from pipeline.types import UNSUPPORTED, EncodedTracklet, Link
from storage import audit, edits, explanations, queries
from storage.engine import reading, writing
from storage.linking import EditedMeanwhileError
from storage.schema import Camera, Identity, LinkRow, TrackletRow
from storage.store import Store

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]


def numbers(store: Store, run_id: int) -> dict[str, int]:
    """The identity of each tracklet that is linked."""
    people = queries.identities(store, run_id) + queries.identities(store, run_id, things=True)
    return {
        passage.tracklet: person.identity
        for person in people
        for passage in queries.trajectory(store, run_id, person.identity)
    }


BEFORE = {"north/1": 1, "Dock/1": 1, "gate/1.2": 1, "Dock/2": 2, "north/2": 2}
"""Of `little_run`."""


@pytest.mark.parametrize(
    ("edit", "changed", "together", "apart"),
    [
        (
            lambda store, run: edits.merge(store, run, 1, 2),
            {"Dock/2": 1, "north/2": 1},
            {frozenset(BEFORE)},
            set(),
        ),
        (
            lambda store, run: edits.merge(store, run, 2, 1),
            {"north/1": 2, "Dock/1": 2, "gate/1.2": 2},
            {frozenset(BEFORE)},
            set(),
        ),
        (
            lambda store, run: edits.split(store, run, ["gate/1.2", "north/1", "gate/1.2"]),
            {"gate/1.2": 4, "north/1": 4},
            {frozenset({"gate/1.2", "north/1"})},
            {frozenset({"Dock/1", "gate/1.2"}), frozenset({"Dock/1", "north/1"})},
        ),
        (
            lambda store, run: edits.reject(store, run, "Dock/1"),
            {"Dock/1": 4},
            set(),
            {frozenset({"Dock/1", "gate/1.2"}), frozenset({"Dock/1", "north/1"})},
        ),
        (
            lambda store, run: edits.relabel(store, run, ["north/2"], 1),
            {"north/2": 1},
            {frozenset({"north/1", "Dock/1", "gate/1.2", "north/2"})},
            {frozenset({"Dock/2", key}) for key in ("north/1", "Dock/1", "gate/1.2", "north/2")},
        ),
        (
            lambda store, run: edits.confirm(store, run, 1),
            {},
            {frozenset({"north/1", "Dock/1", "gate/1.2"})},
            set(),
        ),
    ],
    ids=["merge", "merge the other way", "split", "reject", "relabel", "confirm"],
)
def test_an_edit_holds_at_once_and_is_kept(
    store: Store,
    little_run: int,
    edit: Callable[[Store, int], edits.EditReport],
    changed: dict[str, int],
    together: set[frozenset[str]],
    apart: set[frozenset[str]],
) -> None:
    assert numbers(store, little_run) == BEFORE
    report = edit(store, little_run)
    assert {each.tracklet: each.now for each in report.moved if each.now != each.before} == changed
    assert {each.tracklet: each.before for each in report.moved}.items() <= BEFORE.items()
    assert numbers(store, little_run) == BEFORE | changed
    decided = edits.decided(store, little_run)
    people = groups(decided.together)
    assert set(people.values()) == together
    assert {
        frozenset([one, other])
        for a, b in decided.apart
        for one in people.get(a, [a])
        for other in people.get(b, [b])
    } == apart
    assert decided.numbers == BEFORE | changed
    # The first identity 3 is of an earlier decision: its number is nobody else's.
    assert decided.following == max(3, *numbers(store, little_run).values()) + 1


def groups(together: tuple[tuple[str, str], ...]) -> dict[str, frozenset[str]]:
    """With whom each is one person, by way of others, too."""
    found: dict[str, frozenset[str]] = {}
    for a, b in together:
        both = found.get(a, frozenset([a])) | found.get(b, frozenset([b]))
        found |= dict.fromkeys(both, both)
    return found


def test_nothing_is_rewritten(
    store: Store, little_run: int, dump: Callable[[Store], dict[str, list[tuple[object, ...]]]]
) -> None:
    """Older links stay as they are, but that they are closed; evidence stays to the letter."""
    before = dump(store)
    edits.merge(store, little_run, 1, 2)
    edits.undo(store, little_run)
    after = dump(store)
    for table in ("tracklet", "track_point", "embedding", "thumbnail", "identity", "run"):
        assert after[table] == before[table]
    assert set(before["link_pair"]) < set(after["link_pair"])
    closed = {row[:5] + row[6:] for row in before["link"]}
    assert closed < {row[:5] + row[6:] for row in after["link"]}
    with reading(store.engine) as connection:
        rows = connection.execute(select(LinkRow.tracklet_id, LinkRow.valid_to_us)).all()
    assert len([row for row in rows if row.valid_to_us is None]) == 5


def test_what_why_says_of_an_edit(store: Store, little_run: int) -> None:
    before = explanations.why(store, little_run, "north/2")
    edits.relabel(store, little_run, ["north/2"], 1)
    now = explanations.why(store, little_run, "north/2")
    assert (now.method, now.identity) == ("relabel", 1)
    assert (now.evidence.edits, now.evidence.log_odds) == (EDIT_LOG_ODDS, EDIT_LOG_ODDS)
    assert now.earlier_decisions == before.earlier_decisions + 1
    assert [(p.tracklet, p.similarity, p.evidence) for p in now.pairs] == [
        (p.tracklet, p.similarity, p.evidence) for p in before.pairs
    ]
    joined = {p.tracklet: p.same_identity for p in now.pairs}
    assert joined == {"Dock/2": False, "Dock/1": True, "gate/3": False}


def test_confirming_keeps_the_evidence(store: Store, little_run: int) -> None:
    before = explanations.why(store, little_run, "north/2").evidence
    edits.confirm(store, little_run, 2)
    now = explanations.why(store, little_run, "north/2")
    assert now.method == "confirm"
    assert now.evidence == replace(
        before, edits=EDIT_LOG_ODDS, log_odds=before.log_odds + EDIT_LOG_ODDS
    )


def test_undoing_goes_back_step_by_step(store: Store, little_run: int) -> None:
    steps = [
        lambda: edits.merge(store, little_run, 1, 2),
        lambda: edits.split(store, little_run, ["Dock/2", "gate/1.2"]),
        lambda: edits.reject(store, little_run, "north/2"),
        lambda: edits.confirm(store, little_run, 1),
        lambda: edits.relabel(store, little_run, ["Dock/2"], 1),
    ]
    states = []
    for step in steps:
        told = {key: explanations.why(store, little_run, key).evidence for key in BEFORE}
        states.append((numbers(store, little_run), told, edits.decided(store, little_run)))
        step()
    for kind in ("relabel", "confirm", "reject", "split", "merge"):
        report = edits.undo(store, little_run)
        assert report.kind == f"undo {kind}"
        now, told, decided = states.pop()
        assert numbers(store, little_run) == now
        assert {key: explanations.why(store, little_run, key).evidence for key in BEFORE} == told
        found = edits.decided(store, little_run)
        assert (found.together, found.apart) == (decided.together, decided.apart)
        assert found.people == decided.people
    assert numbers(store, little_run) == BEFORE
    with pytest.raises(StoreError, match=f"^run {little_run}: there is no edit to undo$"):
        edits.undo(store, little_run)
    kinds = [entry.details["kind"] for entry in audit.entries(store)]
    assert kinds[:5] == ["merge", "split", "reject", "confirm", "relabel"]
    assert kinds[5:] == [f"undo {kind}" for kind in reversed(kinds[:5])]


def test_after_an_undo_another_edit_can_be_undone(store: Store, little_run: int) -> None:
    edits.merge(store, little_run, 1, 2)
    edits.undo(store, little_run)
    edits.reject(store, little_run, "north/1")
    edits.undo(store, little_run)
    assert numbers(store, little_run) == BEFORE


def test_undoing_after_some_were_erased(store: Store, little_run: int) -> None:
    """What is left comes back; an edit of which nothing is left can be undone, too."""
    edits.merge(store, little_run, 1, 2)
    erase(store, "Dock", 2)
    assert [each.tracklet for each in edits.undo(store, little_run).moved] == ["north/2"]
    assert numbers(store, little_run) == {k: v for k, v in BEFORE.items() if k != "Dock/2"}
    edits.confirm(store, little_run, 2)
    erase(store, "north", 2)
    assert edits.undo(store, little_run).moved == ()


def erase(store: Store, camera: str, track: int) -> None:
    """Erase one tracklet, as retention does."""
    of_camera = select(Camera.id).where(Camera.name == camera)
    with writing(store.engine) as connection:
        connection.execute(
            delete(TrackletRow).where(
                TrackletRow.camera_id.in_(of_camera), TrackletRow.track_id == track
            )
        )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s, r: edits.merge(s, r, 1, 1), "expected two identities, got 1 twice"),
        (lambda s, r: edits.merge(s, r, 1, 9), "run 2 has no identity 9"),
        (lambda s, r: edits.merge(s, r, 3, 1), "run 2 has no identity 3"),
        (
            lambda s, r: edits.split(s, r, ["north/1", "north/2"]),
            "expected tracklets of one identity, got north/1 of 1 and north/2 of 2",
        ),
        (
            lambda s, r: edits.split(s, r, ["north/2", "Dock/2"]),
            "identity 2 has no other tracklets: nothing to split",
        ),
        (lambda s, r: edits.split(s, r, ["north/7"]), "run 2 has no tracklet north/7"),
        (lambda s, r: edits.reject(s, r, "gate/3"), "run 2: tracklet gate/3 is not linked yet"),
        (
            lambda s, r: edits.reject(s, r, "gate"),
            "expected a tracklet such as desk/12 or desk/12.2, got gate",
        ),
        (lambda s, r: edits.relabel(s, r, ["north/2"], 2), "north/2 is of identity 2 already"),
        (lambda s, r: edits.relabel(s, r, ["north/2"], 5), "run 2 has no identity 5"),
        (lambda s, r: edits.confirm(s, r, 0), "run 2 has no identity 0"),
        (lambda s, r: edits.undo(s, r), "run 2: there is no edit to undo"),
        (
            lambda s, r: edits.name(s, r, 1, "Ann"),
            "run 2: names are off; a run of a site file with storage.names: true takes them",
        ),
    ],
)
def test_edits_that_are_refused_change_nothing(
    store: Store,
    little_run: int,
    dump: Callable[[Store], object],
    edit: Callable[[Store, int], object],
    message: str,
) -> None:
    before = dump(store)
    with pytest.raises(StoreError) as caught:
        edit(store, little_run)
    assert str(caught.value) == message
    assert dump(store) == before


def test_the_only_tracklet_is_not_refused_its_identity(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1)])
    store.set_links(run_id, [join("north/1", 1)])
    with pytest.raises(StoreError, match=r"^identity 1 has no tracklet but north/1$"):
        edits.reject(store, run_id, "north/1")


def test_another_run_is_left_alone(store: Store, begin: Begin, make: Make, join: Join) -> None:
    run_id, other = begin(store), begin(store)
    for run in (run_id, other):
        store.add_tracklets(run, [make("north", 1), make("gate", 1)])
        store.set_links(run, [join("north/1", 1), join("gate/1", 2)])
    edits.merge(store, run_id, 2, 1)
    assert numbers(store, other) == {"north/1": 1, "gate/1": 2}
    assert edits.decided(store, other).together == ()
    with pytest.raises(StoreError, match="no edit"):
        edits.undo(store, other)


def test_a_thing_that_a_user_confirms_is_a_person(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1)])
    store.set_links(run_id, [replace(join("north/1", 1), method=UNSUPPORTED)])
    edits.confirm(store, run_id, 1)
    assert [person.identity for person in queries.identities(store, run_id)] == [1]
    edits.undo(store, run_id)
    assert queries.identities(store, run_id) == []
    assert edits.decided(store, run_id).people == frozenset()


def test_names(store: Store, begin: Begin, make: Make, join: Join) -> None:
    run_id = begin(store, settings='{"storage": {"names": true}}')
    store.add_tracklets(run_id, [make("north", 1)])
    store.set_links(run_id, [join("north/1", 1)])
    edits.name(store, run_id, 1, "Ann")
    assert label(store) == "Ann"
    edits.name(store, run_id, 1, None)
    assert label(store) is None
    with pytest.raises(StoreError, match="has no identity 2"):
        edits.name(store, run_id, 2, "Ben")
    logged = [entry.details for entry in audit.entries(store)]
    assert [details["given"] for details in logged] == [True, False]
    assert "Ann" not in str(logged)


def label(store: Store) -> str | None:
    with reading(store.engine) as connection:
        return connection.execute(select(Identity.label)).scalar_one()


def test_an_edit_is_not_lost_to_an_association_that_did_not_know_it(
    store: Store, little_run: int, join: Join
) -> None:
    seen = edits.decided(store, little_run).version
    edits.merge(store, little_run, 1, 2)
    links = [join(key, number) for key, number in BEFORE.items()]
    with pytest.raises(EditedMeanwhileError):
        store.set_links(little_run, links, seen)
    assert set(numbers(store, little_run).values()) == {1}
    seen = edits.decided(store, little_run).version
    edits.undo(store, little_run)
    with pytest.raises(EditedMeanwhileError):
        store.set_links(little_run, links, seen)
    store.set_links(little_run, links, edits.decided(store, little_run).version)
    assert numbers(store, little_run) == BEFORE
