"""Open tracklets: kept as far as they have come, and in the end as if stored whole."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from pipeline.types import EncodedTracklet, Link, NoEmbedding
from storage import embeddings, erasure, reconnecting
from storage import store as store_module
from storage.engine import ConnectionLostError, reading, writing
from storage.erasure import erase_identity
from storage.schema import TrackletRow
from storage.store import Store

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]

WHOLE = range(10)


@pytest.fixture
def make_open(make: Make) -> Make:
    """A tracklet that is open, of some frames; nothing was seen of it unless `embedded`."""

    def make_open(
        frames: Sequence[int], *, embedded: bool = False, **keys: object
    ) -> EncodedTracklet:
        made = make("north", 1, frames=frames, embedded=embedded, **keys)
        return replace(made, is_open=True)

    return make_open


def kept(store: Store, run_id: int) -> dict[str, list[tuple[object, ...]]]:
    """All that is stored of a run's tracklets but when."""
    tracklets = "(select id from tracklet where run_id = :run)"
    queries = {
        "tracklet": "select track_id, part, start_us, end_us, boxes, mean_score, size_bytes"
        " from tracklet where run_id = :run order by 1, 2",
        "points": "select track_id, part, frame_index, timestamp_us, x1, y1, x2, y2, score"
        " from track_point join tracklet on tracklet.id = tracklet_id"
        " where run_id = :run order by 1, 2, 3",
        "embedding": f"select vector from embedding where tracklet_id in {tracklets} order by 1",
        "thumbnail": f"select position, jpeg from thumbnail where tracklet_id in {tracklets}"
        " order by 1, 2",
        "run": "select longest_us from run where id = :run",
    }
    with reading(store.engine) as connection:
        return {
            name: [tuple(row) for row in connection.execute(text(query), {"run": run_id})]
            for name, query in queries.items()
        }


@pytest.mark.parametrize("at_once", [False, True], ids=["one by one", "in one batch"])
def test_what_was_open_is_in_the_end_as_if_stored_whole(
    store: Store, begin: Begin, make: Make, make_open: Make, at_once: bool
) -> None:
    whole = make("north", 1, frames=WHOLE, thumbnails=[b"a", b"b"])
    steps = [
        make_open(range(3)),
        make_open(range(5), embedded=True, thumbnails=[b"early", b"earlier", b"earliest"]),
        make_open(range(5)),
        make_open(range(9)),
        whole,
    ]
    at_first, run_id = begin(store), begin(store)
    store.add_tracklets(at_first, [whole])
    for batch in [steps] if at_once else [[step] for step in steps]:
        store.add_tracklets(run_id, batch)
    assert kept(store, run_id) == kept(store, at_first)
    assert store.add_tracklets(run_id, [make_open(range(3)), whole]) == 0
    assert kept(store, run_id) == kept(store, at_first), "what comes late changes nothing"


def test_what_was_told_while_it_is_open_holds_until_it_is_told_again(
    store: Store, begin: Begin, make: Make, make_open: Make
) -> None:
    run_id = begin(store)
    seen = make_open(range(5), embedded=True, thumbnails=[b"a"])
    assert store.add_tracklets(run_id, [seen]) == 1
    assert store.add_tracklets(run_id, [make_open(range(8))]) == 0
    [(tracklet, embedding)] = store.load_tracklets(run_id)
    assert tracklet.frame_indices.tolist() == list(range(8))
    assert not isinstance(embedding, NoEmbedding)
    other = begin(store)
    store.add_tracklets(other, [seen, make_open(range(8))])
    assert kept(store, other) == kept(store, run_id), "also in one batch"
    store.add_tracklets(run_id, [make("north", 1, frames=WHOLE, embedded=False)])
    assert kept(store, run_id)["embedding"] == kept(store, run_id)["thumbnail"] == []


def test_one_that_showed_two_people_ends_where_the_first_does(
    store: Store, begin: Begin, make: Make, make_open: Make
) -> None:
    pieces = [make("north", 1, frames=range(4)), make("north", 1, part=3, frames=range(4, 10))]
    at_first, run_id = begin(store), begin(store)
    store.add_tracklets(at_first, pieces)
    store.add_tracklets(run_id, [make_open(range(9), embedded=True)])
    assert store.add_tracklets(run_id, pieces) == 1
    found, expected = kept(store, run_id), kept(store, at_first)
    # That of the longest is a bound: it was as long for a while.
    assert found.pop("run") >= expected.pop("run")
    assert found == expected


def test_whoever_is_erased_while_in_view_does_not_come_back(
    store: Store, begin: Begin, make: Make, make_open: Make, join: Join
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make_open(range(5), embedded=True)])
    store.set_links(run_id, [join("north/1", 1)])
    erase_identity(store, run_id, 1)
    for item in (make_open(range(8), embedded=True), make("north", 1, frames=WHOLE)):
        assert store.add_tracklets(run_id, [item]) == 0
        assert kept(store, run_id)["points"] == []


def test_of_whoever_is_erased_while_in_view_the_rest_does_not_come_back_either(
    store: Store, begin: Begin, make: Make, make_open: Make, join: Join
) -> None:
    """Neither as the next part of the track, nor as what it was split into; what was before may."""
    run_id = begin(store)
    store.add_tracklets(run_id, [make_open(range(5), part=2, embedded=True)])
    store.set_links(run_id, [join("north/1.2", 1)])
    erase_identity(store, run_id, 1)
    later = [make("north", 1, part=part, frames=WHOLE) for part in (2, 3, 4)]
    assert store.add_tracklets(run_id, later) == 0
    assert store.add_tracklets(run_id, [make("north", 1, part=1), make("north", 2)]) == 2


def test_the_row_of_whoever_was_erased_is_taken_for_nobody_else(
    store: Store, begin: Begin, make: Make, make_open: Make, join: Join
) -> None:
    """SQLite gives its number to the next who comes."""
    run_id = begin(store)
    store.add_tracklets(run_id, [make_open(range(5), embedded=True, thumbnails=[b"a"])])
    store.set_links(run_id, [join("north/1", 1)])
    erase_identity(store, run_id, 1)
    other = make("gate", 7, frames=range(20, 40))
    first = replace(make("gate", 7, frames=range(20, 24)), is_open=True)
    store.add_tracklets(run_id, [first])
    store.add_tracklets(run_id, [make_open(range(8), embedded=True, thumbnails=[b"a"])])
    store.add_tracklets(run_id, [make("north", 1, frames=WHOLE), other])
    assert [row[2] for row in kept(store, run_id)["points"]] == list(range(20, 40))
    assert kept(store, run_id)["thumbnail"] == []


@pytest.mark.parametrize("before", [0, 3], ids=["new", "going on"])
def test_a_commit_whose_answer_is_lost_is_done_again_without_harm(
    store: Store,
    begin: Begin,
    make: Make,
    make_open: Make,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
) -> None:
    run_id = begin(store)
    if before:
        store.add_tracklets(run_id, [make_open(range(before))])
    lost = [ConnectionLostError("server closed the connection")]

    @contextmanager
    def losing(engine: Engine) -> Iterator[Connection]:
        with writing(engine) as connection:
            yield connection
        if lost:
            raise lost.pop()

    monkeypatch.setattr(reconnecting, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(store_module, "writing", losing)
    store.add_tracklets(run_id, [make_open(range(5))])
    assert not lost
    store.add_tracklets(run_id, [make_open(range(8), embedded=True)])
    store.add_tracklets(run_id, [make("north", 1, frames=WHOLE)])
    assert [row[2] for row in kept(store, run_id)["points"]] == list(WHOLE)


def test_writing_and_erasing_at_once(
    store: Store,
    begin: Begin,
    make_open: Make,
    make: Make,
    join: Join,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two that lock the same rows in another order one would be ended by the database."""
    run_id = begin(store)
    store.add_tracklets(run_id, [make_open(range(5), embedded=True)])
    store.set_links(run_id, [join("north/1", 1)])
    count, is_reached, go_on = erasure._count, Event(), Event()

    def slowly(*arguments: Any) -> int:
        is_reached.set()
        go_on.wait(5)
        return count(*arguments)

    monkeypatch.setattr(erasure, "_count", slowly)
    with ThreadPoolExecutor() as pool:
        erasing = pool.submit(erase_identity, store, run_id, 1)
        assert is_reached.wait(30)
        batch = [make_open(range(8)), make("gate", 2, frames=range(3))]
        adding = pool.submit(store.add_tracklets, run_id, batch)
        time.sleep(0.3)  # until it waits, too
        go_on.set()
        assert erasing.result(30).rows.tracklets == 1
        assert adding.result(30) == 1
    assert [row[0] for row in kept(store, run_id)["tracklet"]] == [2]


def test_what_retention_erased_begins_anew(
    store: Store, begin: Begin, make: Make, make_open: Make
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make_open(range(5))])
    with writing(store.engine) as connection:
        connection.execute(TrackletRow.__table__.delete())
    whole = make("north", 1, frames=WHOLE)
    assert store.add_tracklets(run_id, [whole]) == 1
    assert len(kept(store, run_id)["points"]) == len(WHOLE)


def test_a_batch_that_fails_can_be_given_again(
    store: Store,
    begin: Begin,
    make: Make,
    make_open: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_id, at_first = begin(store), begin(store)
    whole = make("north", 1, frames=WHOLE)
    store.add_tracklets(at_first, [whole])
    store.add_tracklets(run_id, [make_open(range(5))])

    def full(*_: object) -> None:
        raise RuntimeError("disk full")

    with monkeypatch.context() as broken, pytest.raises(RuntimeError):
        broken.setattr(embeddings, "add", full)
        store.add_tracklets(run_id, [whole])
    assert len(kept(store, run_id)["points"]) == 5
    store.add_tracklets(run_id, [whole])
    assert kept(store, run_id) == kept(store, at_first)
