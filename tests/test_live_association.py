"""Identities while people come, in a store that is really there."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from commands import live_association
from commands.live_association import (
    ADD_REST_SECONDS,
    RESTS,
    LiveAssociation,
    rest_seconds,
)
from pipeline.association.engine import AssociationEngine
from pipeline.association.resolver import Knowledge
from pipeline.config import AssociationSettings
from pipeline.errors import StoreError
from pipeline.types import (
    Embedding,
    EncodedTracklet,
    EncoderIdentity,
    Link,
    NoEmbedding,
    Tracklet,
)
from storage import edits, queries
from storage.erasure import erase_identity
from storage.retention import erase_stored_before
from storage.store import CameraRecord, RunRecord, Store, open_store
from storage.writer import Writer

ENCODER = EncoderIdentity("mine", "0" * 64, 8)
KNOWLEDGE = Knowledge({}, {}, AssociationSettings(similarity_threshold=0.6))
PEOPLE, VISITS = 4, 4


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'a.db'}", create=True) as opened:
        yield opened


def _begin(store: Store) -> int:
    cameras = tuple(CameraRecord(name, f"{name}.mp4", calibrated=False) for name in "abc")
    return store.begin_run(RunRecord("plaza", "{}", "none", cameras, 0))


def _visits() -> list[list[EncodedTracklet]]:
    """Of each minute, everybody at one of three cameras; track numbers tell who it is."""
    rng = np.random.default_rng(4)
    looks = rng.normal(size=(PEOPLE, 8))
    return [
        [_visit(rng, look, visit, person) for person, look in enumerate(looks)]
        for visit in range(VISITS)
    ]


def _visit(rng: np.random.Generator, look: np.ndarray, visit: int, person: int) -> EncodedTracklet:
    times = (np.arange(5) + 60 * visit + 10 * person) * 1_000_000
    boxes = np.tile(np.array((0, 0, 10, 20), np.float32), (5, 1))
    number = 10 * visit + person + 1
    camera = "abc"[visit % 3]
    tracklet = Tracklet(camera, number, 1, np.arange(5), times, boxes, np.ones(5, np.float32))
    vector = (look + 0.1 * rng.normal(size=8)).astype(np.float32)
    return EncodedTracklet(tracklet, Embedding(vector / np.linalg.norm(vector), ENCODER), ())


def _follow(store: Store, run_id: int, visits: Sequence[Sequence[EncodedTracklet]]) -> None:
    with LiveAssociation(store, run_id, KNOWLEDGE) as live, Writer(store, run_id, live.put) as sink:
        for encoded in visits:
            for each in encoded:
                sink.put(each)


def _who(store: Store, run_id: int) -> dict[int, set[int]]:
    """Persons by identity."""
    people = [person.identity for person in queries.identities(store, run_id)]
    return {
        identity: {
            (int(passage.tracklet.rpartition("/")[2]) - 1) % 10
            for passage in queries.trajectory(store, run_id, identity)
        }
        for identity in people
    }


def test_who_comes_again_is_known(store: Store) -> None:
    run_id = _begin(store)
    _follow(store, run_id, _visits())
    assert sorted(map(sorted, _who(store, run_id).values())) == [[0], [1], [2], [3]]
    assert len(store.current_identities(run_id)) == PEOPLE * VISITS


def test_who_is_still_in_view_is_known_and_stays_who_they_are(store: Store) -> None:
    run_id = _begin(store)
    visits = _visits()
    last = visits[-1][0]
    begun = replace(last, tracklet=_first_rows(last.tracklet, 3), is_open=True)
    with LiveAssociation(store, run_id, KNOWLEDGE) as live, Writer(store, run_id, live.put) as sink:
        for encoded in visits[:-1]:
            for each in encoded:
                sink.put(each)
        sink.put(replace(begun, embedding=NoEmbedding()))
        _until(lambda: last.tracklet.key in _stored(store, run_id))
        assert last.tracklet.key not in store.current_identities(run_id), "nothing seen of them yet"
        sink.put(begun)
        _until(lambda: last.tracklet.key in store.current_identities(run_id))
        identity = store.current_identities(run_id)[last.tracklet.key]
        sink.put(last)
    assert store.current_identities(run_id)[last.tracklet.key] == identity
    assert _who(store, run_id)[identity] == {0}
    (whole,) = [t for t, _ in store.load_tracklets(run_id) if t.key == last.tracklet.key]
    assert whole.frame_indices.tolist() == last.tracklet.frame_indices.tolist()


def _seen(
    camera: str, number: int, seconds: tuple[int, int], look: np.ndarray, *, is_open: bool = False
) -> EncodedTracklet:
    """Somebody in view from one second to another."""
    times = np.arange(seconds[0], seconds[1] + 1) * 1_000_000
    boxes = np.tile(np.array((0, 0, 10, 20), np.float32), (len(times), 1))
    frames, scores = np.arange(len(times)), np.ones(len(times), np.float32)
    tracklet = Tracklet(camera, number, 1, frames, times, boxes, scores)
    vector = (look / np.linalg.norm(look)).astype(np.float32)
    return EncodedTracklet(tracklet, Embedding(vector, ENCODER), (), is_open=is_open)


def _others() -> list[EncodedTracklet]:
    """Who came before: what a cosine says is learnt from them."""
    looks = np.random.default_rng(1).normal(size=(4, 8))[1:]
    return [
        _seen("abc"[n % 3], 50 + n, (20 * n - 400, 20 * n - 390), looks[n % 3]) for n in range(12)
    ]


LOOK = np.random.default_rng(1).normal(size=(4, 8))[0]


def test_who_stands_in_view_is_nobody_else_who_comes_into_it(store: Store) -> None:
    """Their appearance was told long ago; that they are still there is told all the time."""
    run_id = _begin(store)
    with LiveAssociation(store, run_id, KNOWLEDGE) as live, Writer(store, run_id, live.put) as sink:
        for each in _others():
            sink.put(each)
        sink.put(_seen("a", 1, (0, 128), LOOK, is_open=True))
        _until(lambda: "a/1" in store.current_identities(run_id))
        later = _seen("a", 1, (0, 170), LOOK, is_open=True)
        sink.put(replace(later, embedding=NoEmbedding()))
        sink.put(_seen("a", 2, (150, 160), LOOK + 0.05))
        _until(lambda: "a/2" in store.current_identities(run_id))
        who = store.current_identities(run_id)
        assert who["a/1"] != who["a/2"]
        sink.put(_seen("a", 1, (0, 300), LOOK))
    after = store.current_identities(run_id)
    assert (after["a/1"], after["a/2"]) == (who["a/1"], who["a/2"])


def test_whoever_is_erased_is_remembered_by_nobody(store: Store) -> None:
    """Somebody alike who comes the moment after is not compared with them, and has a new number."""
    run_id = _begin(store)
    with LiveAssociation(store, run_id, KNOWLEDGE) as live, Writer(store, run_id, live.put) as sink:
        for each in _others():
            sink.put(each)
        sink.put(_seen("a", 1, (0, 8), LOOK, is_open=True))
        _until(lambda: "a/1" in store.current_identities(run_id))
        erased = store.current_identities(run_id)["a/1"]
        erase_identity(store, run_id, erased)
        sink.put(_seen("b", 2, (30, 40), LOOK))
        _until(lambda: "b/2" in store.current_identities(run_id))
        assert "a/1" not in live.remembered
    assert store.current_identities(run_id)["b/2"] > erased


def test_where_taking_in_is_slow_many_wait_and_are_taken_in_together(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, add, batches = _begin(store), AssociationEngine.add, []

    def slowly(
        self: AssociationEngine, tracklets: Sequence[Tracklet], *others: Any
    ) -> Sequence[Link]:
        batches.append(len(tracklets))
        time.sleep(0.05)
        return add(self, tracklets, *others)

    monkeypatch.setattr(AssociationEngine, "add", slowly)
    began = time.monotonic()
    with LiveAssociation(store, run_id, KNOWLEDGE) as live:
        for each in _others():
            store.add_tracklets(run_id, [each])
            live.put([each])
            time.sleep(0.05)
        took = time.monotonic() - began
    assert len(batches) <= took / (0.05 * (1 + RESTS)) + 2, "at once, after each rest, at the end"
    assert sum(batches) == len(_others()) == len(store.current_identities(run_id))


@pytest.mark.parametrize(("last_seconds", "times"), [(60.0, 2), (0.0, 1)])
def test_at_the_end_all_is_decided_anew_where_that_is_quick(
    last_seconds: float, times: int, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, resolve, resolved = _begin(store), AssociationEngine.resolve, Event()
    calls = []

    def counted(self: AssociationEngine, *arguments: int) -> Sequence[Link]:
        calls.append(arguments)
        resolved.set()
        return resolve(self, *arguments)

    monkeypatch.setattr(AssociationEngine, "resolve", counted)
    monkeypatch.setattr(live_association, "LAST_RESOLVE_SECONDS", last_seconds)
    with LiveAssociation(store, run_id, KNOWLEDGE) as live:
        live._resolve_at = 0
        store.add_tracklets(run_id, _others())
        live.put(_others())
        assert resolved.wait(60)
    assert len(calls) == times
    assert len(store.current_identities(run_id)) == len(_others())


def test_what_is_gathered_in_a_rest_still_waits(store: Store) -> None:
    live = LiveAssociation(store, _begin(store), KNOWLEDGE)
    for each in _others()[:3]:
        live.put([each])
    live._resolve_at = time.monotonic() + 60
    assert len(live._next_batch()[0]) == live.waiting == 3


@pytest.mark.parametrize(
    ("took", "rests"),
    [(0.01, 0.09), (10.0, ADD_REST_SECONDS)],
    ids=["a tenth of a processor", "nobody waits long"],
)
def test_how_long_it_rests(took: float, rests: float) -> None:
    assert rest_seconds(took, ADD_REST_SECONDS) == pytest.approx(rests)


def _first_rows(tracklet: Tracklet, count: int) -> Tracklet:
    return replace(
        tracklet,
        frame_indices=tracklet.frame_indices[:count],
        timestamps_us=tracklet.timestamps_us[:count],
        boxes=tracklet.boxes[:count],
        scores=tracklet.scores[:count],
    )


def _stored(store: Store, run_id: int) -> set[str]:
    return {tracklet.key for tracklet, _ in store.load_tracklets(run_id)}


def _until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_after_a_restart_people_keep_their_numbers(store: Store) -> None:
    """What was stored last, before a crash, has no link: it gets one."""
    run_id, visits = _begin(store), _visits()
    _follow(store, run_id, visits[:2])
    before = _who(store, run_id)
    store.add_tracklets(run_id, visits[2])
    _follow(store, run_id, visits[3:])
    assert _who(store, run_id) == before
    assert len(store.current_identities(run_id)) == PEOPLE * VISITS


def test_what_a_user_joins_meanwhile_stays_joined(store: Store) -> None:
    """Others keep their numbers, and nobody gets one that the user's edit has taken."""
    run_id, visits = _begin(store), _visits()
    with LiveAssociation(store, run_id, KNOWLEDGE, resolve_every_seconds=0.02) as live:
        for encoded in visits[:2]:
            store.add_tracklets(run_id, encoded)
            live.put(encoded)
        while len(store.current_identities(run_id)) < 2 * PEOPLE:
            time.sleep(0.01)
        people = {next(iter(persons)): i for i, persons in _who(store, run_id).items()}
        edits.merge(store, run_id, people[0], people[1])
        for encoded in visits[2:]:
            store.add_tracklets(run_id, encoded)
            live.put(encoded)
    found = _who(store, run_id)
    assert found.pop(people[0]) == {0, 1}
    assert found[people[2]] == {2} and found[people[3]] == {3}
    assert {len(persons) for persons in found.values()} == {1}


def test_what_is_erased_is_forgotten_here_too(store: Store) -> None:
    run_id, visits = _begin(store), _visits()
    live = LiveAssociation(store, run_id, KNOWLEDGE, resolve_every_seconds=0.02)
    with live:
        for encoded in visits[:2]:
            store.add_tracklets(run_id, encoded)
            live.put(encoded)
        erase_stored_before(store, "plaza", 2**62)
        store.add_tracklets(run_id, visits[2])
        live.put(visits[2])
    assert set(store.current_identities(run_id)) == {each.tracklet.key for each in visits[2]}
    assert live.remembered == frozenset(each.tracklet.key for each in visits[2])


def test_what_stops_it_is_told(store: Store) -> None:
    run_id = _begin(store)
    with pytest.raises(StoreError), LiveAssociation(store, run_id, KNOWLEDGE) as live:
        store.add_tracklets(run_id, _visits()[0])
        store.engine.dispose()
        Path(str(store.engine.url.database)).unlink()
        live.put(_visits()[0])
