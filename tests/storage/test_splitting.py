"""Splitting stored tracklets: one transaction, all that hangs on them goes where it belongs."""

from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy import select

from pipeline.types import EncodedTracklet, Link, NoEmbedding, Split, Thumbnail
from storage import queries
from storage.engine import reading
from storage.schema import TrackletRow
from storage.store import Store

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]
Dump = Callable[[Store], dict[str, list[tuple[object, ...]]]]


@pytest.fixture
def run_id(store: Store, begin: Begin, make: Make) -> int:
    """Two tracklets at the gate, of which the first goes on as parts 2 and 3; and one elsewhere."""
    number = begin(store)
    parts = [make("gate", 7, part, range(10 * part, 10 * part + 10)) for part in (1, 2, 3)]
    store.add_tracklets(number, [*parts, make("gate", 8), make("north", 7)])
    return number


def _frames(store: Store, run_id: int) -> dict[str, list[int]]:
    return {each.key: each.frame_indices.tolist() for each, _ in store.load_tracklets(run_id)}


def test_a_split_leaves_a_number_out_and_moves_the_later_ones(store: Store, run_id: int) -> None:
    whole = {each.key: each for each, _ in store.load_tracklets(run_id)}
    assert store.split_tracklets(run_id, [Split("gate/7", 14), Split("gate/7.2", 23)]) == 2
    assert _frames(store, run_id) == {
        "north/7": [0, 1, 2, 3, 4],
        "gate/8": [0, 1, 2, 3, 4],
        "gate/7": [10, 11, 12, 13],
        "gate/7.3": [14, 15, 16, 17, 18, 19],
        "gate/7.4": [20, 21, 22],
        "gate/7.6": [23, 24, 25, 26, 27, 28, 29],
        "gate/7.7": list(range(30, 40)),
    }
    after = {each.key: each for each, _ in store.load_tracklets(run_id)}
    for name in ("boxes", "timestamps_us", "scores"):
        rejoined = [getattr(after[key], name) for key in ("gate/7", "gate/7.3")]
        np.testing.assert_array_equal(np.concatenate(rejoined), getattr(whole["gate/7"], name))


def test_twice_in_one_tracklet(store: Store, run_id: int) -> None:
    assert store.split_tracklets(run_id, [Split("gate/8", 1), Split("gate/8", 3)]) == 2
    found = _frames(store, run_id)
    assert [found[key] for key in ("gate/8", "gate/8.3", "gate/8.5")] == [[0], [1, 2], [3, 4]]


def test_both_parts_lose_the_embedding_of_two_people_and_no_other(
    store: Store, run_id: int
) -> None:
    store.split_tracklets(run_id, [Split("gate/8", 2)])
    without = {
        each.key for each, own in store.load_tracklets(run_id) if isinstance(own, NoEmbedding)
    }
    assert without == {"gate/8", "gate/8.3"}


def test_rows_say_what_the_parts_are(store: Store, begin: Begin, make: Make, dump: Dump) -> None:
    run_id = begin(store)
    item = make("gate", 1, frames=range(10))
    times = item.tracklet.timestamps_us
    pictures = tuple(Thumbnail(int(times[at]), bytes(size)) for at, size in ((1, 5), (8, 9)))
    store.add_tracklets(
        run_id,
        [
            EncodedTracklet(item.tracklet, item.embedding, pictures),
            make("gate", 2, frames=range(4), embedded=False, thumbnails=[bytes(5)]),
            make("gate", 3, frames=range(6), embedded=False, thumbnails=[bytes(9)]),
        ],
    )
    store.split_tracklets(run_id, [Split("gate/1", 4)])
    with reading(store.engine) as connection:
        found = {
            (row.track_id, row.part): row
            for row in connection.execute(select(*TrackletRow.__table__.columns))
        }
    for part, like, rows in ((1, 2, slice(0, 4)), (3, 3, slice(4, 10))):
        own, other = found[1, part], found[like, 1]
        assert (own.start_us, own.end_us) == (times[rows][0], times[rows][-1])
        for name in ("boxes", "mean_score", "size_bytes", "stored_at_us", "camera_id"):
            assert getattr(own, name) == getattr(other, name), name
    assert {key: list(map(len, jpegs)) for key, jpegs in queries.thumbnails(store, run_id).items()}[
        "gate/1.3"
    ] == [9]


def test_links_stay_with_the_first_part_until_it_is_decided_anew(
    store: Store, run_id: int, join: Join
) -> None:
    store.set_links(run_id, [join("gate/8", 1, [("north/7", 0.5, True)]), join("north/7", 1)])
    store.split_tracklets(run_id, [Split("gate/8", 2)])
    assert store.current_identities(run_id) == {"gate/8": 1, "north/7": 1}
    store.set_links(run_id, [join(key, 1) for key in _frames(store, run_id)])
    assert set(store.current_identities(run_id)) == set(_frames(store, run_id))


def test_what_is_gone_or_split_already_is_left_alone(store: Store, run_id: int, dump: Dump) -> None:
    store.split_tracklets(run_id, [Split("gate/8", 2)])
    before = dump(store)
    again = [Split("gate/8", 2), Split("gate/8", 0), Split("gate/99", 2), Split("nowhere/8", 2)]
    assert store.split_tracklets(run_id, again) == 0
    assert dump(store) == before
