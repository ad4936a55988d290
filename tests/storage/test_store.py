"""Writing: runs, tracklets and links; each call is all or nothing, and nothing older changes."""

import math
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.orm import aliased

from pipeline.errors import StoreError
from pipeline.types import (
    Embedding,
    EncodedTracklet,
    EncoderIdentity,
    Evidence,
    LastSeen,
    Link,
    Thumbnail,
)
from storage import embeddings, queries, retention
from storage import store as store_module
from storage.engine import reading, writing
from storage.erasure import erase_identity
from storage.explanations import why
from storage.retention import erase_stored_before
from storage.schema import (
    Base,
    EmbeddingRow,
    Identity,
    LinkPair,
    LinkRow,
    Run,
    RunCamera,
    ThumbnailRow,
    TrackletRow,
    TrackPoint,
)
from storage.store import CameraRecord, RunRecord, Store, open_store

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]
Dump = Callable[[Store], dict[str, list[tuple[object, ...]]]]

NOW_US = 1_767_607_200_000_000


def rows_in(store: Store, table: type[Base]) -> int:
    with reading(store.engine) as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the time that the store believes it is, microseconds UTC."""

    def turn(time_us: int) -> None:
        monkeypatch.setattr(store_module.time, "time_ns", lambda: time_us * 1000)

    return turn


def test_what_a_run_remembers(store: Store, dump: Dump) -> None:
    cameras = (
        CameraRecord("north", "videos/north.mp4", True),
        CameraRecord("dock", "rtsp://10.0.0.7/stream", False),
    )
    run_id = store.begin_run(RunRecord("plaza", '{"a": 1}', "toy", cameras, NOW_US))
    sha256 = "f9d86028c6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310"
    assert dump(store) == {table.name: [] for table in Base.metadata.sorted_tables} | {
        "run": [(run_id, "plaza", "running", NOW_US, None, '{"a": 1}', sha256, "toy", 0)],
        "camera": [(1, "plaza", "north"), (2, "plaza", "dock")],
        "run_camera": [
            (run_id, 1, 0, "videos/north.mp4", True, "running", "", 0),
            (run_id, 2, 1, "rtsp://10.0.0.7/stream", False, "running", "", 0),
        ],
    }
    store.end_camera(run_id, "dock", "failed", "dock: no frame for 10 s", 17)
    store.end_run(run_id, "failed", NOW_US + 5)
    after = dump(store)
    assert after["run_camera"] == [
        (run_id, 1, 0, "videos/north.mp4", True, "running", "", 0),
        (run_id, 2, 1, "rtsp://10.0.0.7/stream", False, "failed", "dock: no frame for 10 s", 17),
    ]
    assert after["run"][0][2:5] == ("failed", NOW_US, NOW_US + 5)


def test_a_run_without_cameras(store: Store) -> None:
    run_id = store.begin_run(RunRecord("plaza", "{}", "toy", (), NOW_US))
    assert queries.cameras(store, run_id) == []


def test_cameras_of_two_sites_with_the_same_name(store: Store, begin: Begin, make: Make) -> None:
    plaza, harbour = begin(store), begin(store, site="harbour")
    store.add_tracklets(plaza, [make("gate", 1)])
    assert len(store.load_tracklets(plaza)) == 1
    assert store.load_tracklets(harbour) == []


def test_a_later_run_leaves_what_an_older_one_says_of_its_cameras(store: Store, dump: Dump) -> None:
    for source in ("old.mp4", "new.mp4"):
        camera = CameraRecord("north", source, source == "new.mp4")
        store.begin_run(RunRecord("plaza", "{}", "toy", (camera,), NOW_US))
    assert dump(store)["camera"] == [(1, "plaza", "north")]
    assert [row[3:5] for row in dump(store)["run_camera"]] == [
        ("old.mp4", False),
        ("new.mp4", True),
    ]


def test_a_resumed_run_forgets_what_damage_cut_short(
    store: Store, begin: Begin, make: Make, dump: Dump
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1), make("gate", 1), make("gate", 2)])
    store.end_camera(run_id, "north", "ended", "", 10)
    store.end_camera(run_id, "gate", "failed", "gate.mp4: damaged", 5)
    store.end_run(run_id, "failed", NOW_US)
    store.resume_run(run_id)
    assert [tracklet.key for tracklet, _ in store.load_tracklets(run_id)] == ["north/1"]
    assert [(row[2], row[4]) for row in dump(store)["run"]] == [("running", None)]
    statuses = [row[5:] for row in dump(store)["run_camera"]]
    assert statuses.count(("ended", "", 10)) == 1
    assert ("failed", "gate.mp4: damaged", 5) not in statuses
    assert store.ended_cameras(run_id) == {"north"}


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_evidence_that_is_no_number_is_refused(
    store: Store, begin: Begin, make: Make, wrong: float
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("gate", 1)])
    link = Link("gate/1", 1, Evidence(wrong, 0, 0, 0), (), NOW_US, "test")
    with pytest.raises(ValueError, match="finite evidence for gate/1"):
        store.set_links(run_id, [link])


def test_runs_of_a_new_site_that_begin_at_once(store: Store, begin: Begin, dump: Dump) -> None:
    names = [f"camera-{number}" for number in range(20)]
    with ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda _: begin(store, names), range(8)))
    assert len(set(runs)) == 8
    assert len(dump(store)["camera"]) == 20
    assert [queries.cameras(store, run_id) for run_id in runs] == [names] * 8


def test_running_again_touches_nothing_older(
    store: Store, begin: Begin, make: Make, join: Join, dump: Dump
) -> None:
    def whole_run() -> None:
        run_id = begin(store)
        store.add_tracklets(run_id, [make("north", 1, thumbnails=[b"a"]), make("gate", 1)])
        store.end_camera(run_id, "north", "ended", "", 5)
        store.set_links(run_id, [join("north/1", 1, [("gate/1", 0.9, True)]), join("gate/1", 1)])
        store.end_run(run_id, "finished", NOW_US)

    whole_run()
    before = dump(store)
    whole_run()
    after = dump(store)
    for table, rows in before.items():
        assert set(rows) <= set(after[table]), table
        assert len(after[table]) == len(rows) * (1 if table in ("camera", "encoder") else 2), table


def test_adding_again_changes_nothing(store: Store, begin: Begin, make: Make, dump: Dump) -> None:
    run_id = begin(store)
    items = [make("north", 1, thumbnails=[b"a", b"b"]), make("north", 1, part=2), make("gate", 1)]
    assert store.add_tracklets(run_id, items) == 3
    before = dump(store)
    assert store.add_tracklets(run_id, items) == 0
    assert store.add_tracklets(run_id, [make("north", 1, left=500.0, embedded=False)]) == 0
    assert dump(store) == before
    assert store.add_tracklets(run_id, [make("gate", 2), items[0], make("gate", 2)]) == 1
    assert store.add_tracklets(run_id, []) == 0


def test_adding_fails_whole(store: Store, begin: Begin, make: Make, dump: Dump) -> None:
    run_id = begin(store)
    before = dump(store)
    with pytest.raises(KeyError, match="cellar"):
        store.add_tracklets(run_id, [make("north", 1), make("cellar", 1)])
    assert dump(store) == before


def test_embeddings_are_replaced(store: Store, begin: Begin, make: Make, dump: Dump) -> None:
    """Those that are named; nothing else of the run, nothing of another."""
    run_id, other = begin(store), begin(store)
    for run in (run_id, other):
        items = [make("north", 1, thumbnails=[b"a"]), make("north", 1, part=3), make("gate", 1)]
        store.add_tracklets(run, [*items, make("gate", 2, embedded=False)])
    before = dump(store)
    new = Embedding(np.array([1.0, 0.0]), EncoderIdentity("street", "cd" * 32, 2))
    named = {"north/1.3": new, "gate/2": new, "gate/9": new}
    assert store.replace_embeddings(run_id, named) == 2
    assert store.replace_embeddings(run_id, {}) == 0
    found = {tracklet.key: embedding for tracklet, embedding in store.load_tracklets(run_id)}
    names = {key: getattr(e, "encoder", e).name for key, e in found.items()}
    assert names == {
        "north/1": "toy.xml",
        "north/1.3": "street",
        "gate/1": "toy.xml",
        "gate/2": "street",
    }
    assert found["gate/2"].vector.tolist() == [1, 0]
    assert [encoder.name for encoder in store.encoders(run_id)] == ["street", "toy.xml"]
    assert [encoder.name for encoder in store.encoders(other)] == ["toy.xml"]
    after = dump(store)
    for table in before.keys() - {"embedding", "encoder"}:
        assert after[table] == before[table], table
    assert len(after["embedding"]) == len(before["embedding"]) + 1


def test_embeddings_are_replaced_whole_or_not_at_all(
    store: Store, begin: Begin, make: Make, dump: Dump, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1), make("gate", 1)])
    before = dump(store)
    new = Embedding(np.array([1.0, 0.0]), EncoderIdentity("street", "cd" * 32, 2))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(embeddings.rows, "insert_all", killed)
    with pytest.raises(KeyboardInterrupt):
        store.replace_embeddings(run_id, {"north/1": new, "gate/1": new})
    assert dump(store) == before


def test_an_encoder_is_asked_for_once_however_many_it_has_made(
    store: Store, begin: Begin, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others cannot write until all embeddings are replaced: SQLite lets them wait 5 s."""
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", track) for track in range(1, 41)])
    asked = []

    def found_or_made(connection: Connection, table: type, key: dict[str, object]) -> int:
        asked.append(key["name"])
        return whole(connection, table, key)

    whole = embeddings.rows.found_or_made
    monkeypatch.setattr(embeddings.rows, "found_or_made", found_or_made)
    new = {
        f"north/{track}": Embedding(
            np.array([1.0, 0.0]), EncoderIdentity(("street", "yard")[track % 2], "cd" * 32, 2)
        )
        for track in range(1, 41)
    }
    assert store.replace_embeddings(run_id, new) == 40
    assert asked == ["yard", "street"]


def test_the_mean_score_is_kept_per_mille(store: Store, begin: Begin, make: Make) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1)])
    with reading(store.engine) as connection:
        row = connection.execute(select(TrackletRow.boxes, TrackletRow.mean_score)).one()
    assert tuple(row) == (5, 900)


def test_links_have_versions(
    store: Store, begin: Begin, make: Make, join: Join, clock: Callable[[int], None]
) -> None:
    run_id, other = begin(store), begin(store)
    for run in (run_id, other):
        store.add_tracklets(run, [make("north", 1), make("gate", 1)])
        clock(NOW_US)
        store.set_links(run, [join("north/1", 1), join("gate/1", 1)])
    clock(NOW_US + 7)
    store.set_links(run_id, [join("north/1", 2), join("gate/1", 1)])
    query = (
        select(TrackletRow.id, Identity.number, LinkRow.valid_to_us)
        .join(TrackletRow, TrackletRow.id == LinkRow.tracklet_id)
        .join(Identity, Identity.id == LinkRow.identity_id)
        .where(TrackletRow.run_id == run_id)
        .order_by(LinkRow.id)
    )
    with reading(store.engine) as connection:
        found = [tuple(row) for row in connection.execute(query)]
        open_elsewhere = connection.execute(
            select(func.count())
            .select_from(LinkRow)
            .join(TrackletRow, TrackletRow.id == LinkRow.tracklet_id)
            .where(TrackletRow.run_id == other, LinkRow.valid_to_us.is_(None))
        ).scalar_one()
    north, gate = found[0][0], found[1][0]
    assert north != gate
    assert found == [
        (north, 1, NOW_US + 7),
        (gate, 1, NOW_US + 7),
        (north, 2, None),
        (gate, 1, None),
    ]
    assert open_elsewhere == 2


def test_a_tracklet_left_out_has_no_link_any_more(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1), make("gate", 1)])
    store.set_links(run_id, [join("north/1", 1), join("gate/1", 1)])
    store.set_links(run_id, [join("gate/1", 1)])
    assert [p.tracklet for p in queries.trajectory(store, run_id, 1)] == ["gate/1"]
    store.set_links(run_id, [])
    assert queries.identities(store, run_id) == []


def test_one_open_link_a_tracklet(
    store: Store, begin: Begin, make: Make, join: Join, dump: Dump
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1)])
    store.set_links(run_id, [join("north/1", 1)])
    before = dump(store)
    with reading(store.engine) as connection:
        row = dict(connection.execute(select(LinkRow.__table__)).mappings().one())
    del row["id"]
    with pytest.raises(StoreError), writing(store.engine) as connection:
        connection.execute(insert(LinkRow), row)
    with pytest.raises(StoreError):
        store.set_links(run_id, [join("north/1", 1), join("north/1", 2)])
    assert dump(store) == before
    with writing(store.engine) as connection:  # a closed one may stand beside it
        connection.execute(insert(LinkRow), row | {"valid_to_us": NOW_US})


def test_many_links_keep_their_own_pairs(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    """More than one statement takes: each is compared with the next track, the last with none."""
    run_id, count = begin(store), 1100
    store.add_tracklets(run_id, [make("north", track) for track in range(1, count + 1)])
    links = [join(f"north/{i}", i, [(f"north/{i + 1}", 0.9, True)]) for i in range(1, count)]
    store.set_links(run_id, [*links[::-1], join(f"north/{count}", count)])
    of_link, other = aliased(TrackletRow), aliased(TrackletRow)
    query = (
        select(of_link.track_id, other.track_id)
        .join(LinkRow, LinkRow.tracklet_id == of_link.id)
        .join(LinkPair, LinkPair.link_id == LinkRow.id)
        .join(other, other.id == LinkPair.other_tracklet_id)
        .order_by(of_link.track_id)
    )
    with reading(store.engine) as connection:
        found = [tuple(row) for row in connection.execute(query)]
    assert found == [(i, i + 1) for i in range(1, count)]


@pytest.mark.parametrize(
    ("tracklet", "pair"), [("north/9", "gate/1"), ("north/1", "north/9"), ("north/9", "north/9")]
)
def test_a_link_with_an_unknown_tracklet(
    store: Store, begin: Begin, make: Make, join: Join, dump: Dump, tracklet: str, pair: str
) -> None:
    other, run_id = begin(store), begin(store)
    store.add_tracklets(other, [make("north", 9)])
    store.add_tracklets(run_id, [make("north", 1), make("gate", 1)])
    store.set_links(run_id, [join("north/1", 1)])
    before = dump(store)
    with pytest.raises(ValueError, match=f"^links: unknown tracklet north/9 in run {run_id}$"):
        store.set_links(run_id, [join("gate/1", 1), join(tracklet, 1, [(pair, 0.9, True)])])
    assert dump(store) == before


def test_which_run_is_resumed(store: Store, begin: Begin) -> None:
    assert store.resumable_run("plaza", "{}") is None
    first, other = begin(store), begin(store, settings='{"a": 1}')
    elsewhere = begin(store, site="harbour")
    assert store.resumable_run("plaza", "{}") == first
    assert store.resumable_run("plaza", '{"a": 1}') == other
    assert store.resumable_run("harbour", "{}") == elsewhere
    assert store.resumable_run("harbour", '{"a": 1}') is None
    for status in ("interrupted", "failed"):
        store.end_run(first, status, NOW_US)
        assert store.resumable_run("plaza", "{}") == first
    store.end_run(first, "finished", NOW_US)
    assert store.resumable_run("plaza", "{}") is None
    second = begin(store)
    assert store.resumable_run("plaza", "{}") == second
    store.end_run(second, "interrupted", NOW_US)
    store.end_run(begin(store), "finished", NOW_US)
    assert store.resumable_run("plaza", "{}") is None, "the newest has come to its end"


def test_cameras_that_have_ended(store: Store, begin: Begin) -> None:
    run_id, other = begin(store), begin(store)
    assert store.ended_cameras(run_id) == set()
    store.end_camera(run_id, "north", "ended", "", 10)
    store.end_camera(run_id, "gate", "failed", "gate: broken", 3)
    assert store.ended_cameras(run_id) == {"north"}
    assert store.ended_cameras(other) == set()


def test_what_was_seen_last(store: Store, begin: Begin, make: Make, join: Join) -> None:
    """A run that is resumed goes on from there; numbers of who was erased are not given again."""
    run_id = begin(store)
    assert store.last_seen(run_id) == {}
    first = make("north", 12, frames=range(5))
    store.add_tracklets(run_id, [first, make("north", 3, frames=range(7, 20)), make("gate", 3)])
    found = {"north": LastSeen(12, 19), "gate": LastSeen(3, 4)}
    assert store.last_seen(run_id) == found
    assert store.last_seen(begin(store)) == {}
    store.set_links(run_id, [join("north/12", 1), join("gate/3", 2)])
    erase_identity(store, run_id, 1)
    erase_identity(store, run_id, 2)
    assert store.last_seen(run_id) == {"north": LastSeen(12, 19), "gate": LastSeen(3, -1)}


def orphans(store: Store) -> dict[str, int]:
    """Rows whose parent is gone, and identities that nothing was ever linked to."""
    parents = (
        (TrackPoint.tracklet_id, TrackletRow.id),
        (EmbeddingRow.tracklet_id, TrackletRow.id),
        (ThumbnailRow.tracklet_id, TrackletRow.id),
        (LinkRow.tracklet_id, TrackletRow.id),
        (LinkRow.identity_id, Identity.id),
        (LinkPair.link_id, LinkRow.id),
        (LinkPair.other_tracklet_id, TrackletRow.id),
        (Identity.run_id, Run.id),
        (RunCamera.run_id, Run.id),
        (Identity.id, LinkRow.identity_id),
    )
    with reading(store.engine) as connection:
        counts = {
            f"{child} of {parent}": connection.execute(
                select(func.count()).where(child.not_in(select(parent)))
            ).scalar_one()
            for child, parent in parents
        }
    return {name: count for name, count in counts.items() if count}


def test_what_has_expired_is_erased_with_all_that_hangs_on_it(
    store: Store,
    begin: Begin,
    make: Make,
    join: Join,
    dump: Dump,
    clock: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "TRACKLETS_AT_ONCE", 2)
    elsewhere = begin(store, site="harbour", started_at_us=NOW_US - 9)
    old, half = begin(store, started_at_us=NOW_US - 9), begin(store, started_at_us=NOW_US - 9)
    for run_id in (elsewhere, old, half):
        clock(NOW_US - 5)
        store.add_tracklets(run_id, [make("north", n, thumbnails=[b"x"]) for n in (1, 2, 3)])
        clock(NOW_US)
        if run_id == half:
            store.add_tracklets(run_id, [make("gate", n, thumbnails=[b"x"]) for n in (1, 2)])
        keys = [tracklet.key for tracklet, _ in store.load_tracklets(run_id)]
        # Each speaks of the next: of one that stays and one that goes, too.
        pairs = [*pairwise(keys), (keys[-1], keys[0])]
        links = [join(key, n, [(other, 0.5, False)]) for n, (key, other) in enumerate(pairs, 1)]
        store.set_links(run_id, links)
        store.end_run(run_id, "finished", NOW_US)
    before = dump(store)

    assert erase_stored_before(store, "plaza", NOW_US) == 6

    after = dump(store)
    assert orphans(store) == {}
    assert [tracklet.key for tracklet, _ in store.load_tracklets(half)] == ["gate/1", "gate/2"]
    assert [person.identity for person in queries.identities(store, half)] == [4, 5]
    assert why(store, half, "gate/1").pairs[0].tracklet == "gate/2"
    assert why(store, half, "gate/2").pairs == (), "north/1 is gone"
    assert [row[0] for row in after["run"]] == [elsewhere, half]
    assert after["camera"] == before["camera"]
    for table in ("tracklet", "run", "identity"):
        kept = [row for row in before[table] if elsewhere in row[:2]]
        assert set(kept) <= set(after[table])
    assert len(queries.identities(store, elsewhere)) == 3
    assert erase_stored_before(store, "plaza", NOW_US) == 0
    assert dump(store) == after


def test_runs_that_saw_nobody_stay_until_they_are_old(
    store: Store, begin: Begin, dump: Dump
) -> None:
    young, old = begin(store, started_at_us=NOW_US), begin(store, started_at_us=NOW_US - 1)
    running = begin(store, started_at_us=NOW_US - 1)
    for run_id in (young, old):
        store.end_run(run_id, "finished", NOW_US + 5)
    erase_stored_before(store, "plaza", NOW_US)
    assert [row[0] for row in dump(store)["run"]] == [young, running]


def test_erasing_after_a_death_half_way(
    store: Store, begin: Begin, make: Make, join: Join, clock: Callable[[int], None]
) -> None:
    """The tracklets were erased, the identities not yet: the next time finds them."""
    run_id = begin(store)
    clock(NOW_US)
    store.add_tracklets(run_id, [make("north", 1), make("north", 2)])
    store.set_links(run_id, [join("north/1", 1), join("north/2", 2)])
    with writing(store.engine) as connection:
        connection.execute(update(Identity).values(label="Ann"))
        connection.execute(TrackletRow.__table__.delete())
    assert erase_stored_before(store, "plaza", NOW_US + 1) == 0
    with reading(store.engine) as connection:
        left = connection.execute(select(Identity.number, Identity.label, Identity.created_at_us))
        assert left.all() == [(2, None, 0)], "the last number, so that it is not given again"


def test_what_is_erased_is_not_in_the_file_any_more(
    tmp_path: Path, begin: Begin, make: Make
) -> None:
    path, face = tmp_path / "tracking.db", b"a face nobody may see again"
    with open_store(f"sqlite:///{path}", create=True) as store:
        run_id = begin(store)
        store.add_tracklets(run_id, [make("north", n, thumbnails=[face * 50]) for n in range(1, 9)])
    assert face in path.read_bytes()
    with open_store(f"sqlite:///{path}", create=False) as store:
        assert erase_stored_before(store, "plaza", 2**60) == 8
    assert [entry.name for entry in tmp_path.iterdir()] == ["tracking.db"]
    assert face not in path.read_bytes()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA freelist_count").fetchone()[0] > 0, "pages were only freed"
    connection.close()


def test_what_is_erased_is_in_no_file_any_more(tmp_path: Path, make: Make) -> None:
    """Not in free pages, and not in the write-ahead log, while the store stays open."""
    camera = CameraRecord("gate", "gate.mp4", False)
    with open_store(f"sqlite:///{tmp_path}/a.db", create=True) as store:
        run_id = store.begin_run(RunRecord("plaza", "{}", "toy", (camera,), NOW_US))
        encoded = make("gate", 1)
        secret = b"secret-picture" * 40
        thumbnail = Thumbnail(NOW_US, secret)
        store.add_tracklets(
            run_id, [EncodedTracklet(encoded.tracklet, encoded.embedding, (thumbnail,))]
        )
        files = [tmp_path / "a.db", tmp_path / "a.db-wal"]
        assert any(b"secret-picture" in file.read_bytes() for file in files)
        assert erase_stored_before(store, "plaza", 2**60) == 1
        assert not any(b"secret-picture" in file.read_bytes() for file in files)


def test_a_run_knows_its_longest_tracklet(store: Store, begin: Begin, make: Make) -> None:
    run_id, other = begin(store), begin(store)

    def longest(of: int) -> int:
        with reading(store.engine) as connection:
            return int(connection.execute(select(Run.longest_us).where(Run.id == of)).scalar_one())

    store.add_tracklets(run_id, [make("north", 1, frames=range(4)), make("gate", 1, frames=[9])])
    assert longest(run_id) == 300_000
    store.add_tracklets(run_id, [make("gate", 2, frames=range(7)), make("gate", 3)])
    store.add_tracklets(run_id, [make("gate", 2, frames=range(90))])  # is there already
    store.add_tracklets(run_id, [])
    assert (longest(run_id), longest(other)) == (600_000, 0)


def test_the_size_of_a_tracklet_is_that_of_its_parts(
    store: Store, begin: Begin, make: Make
) -> None:
    run_id = begin(store)
    bare, whole = make("north", 1, embedded=False), make("north", 2, thumbnails=[b"12345", b"678"])
    store.add_tracklets(run_id, [bare, whole])
    with reading(store.engine) as connection:
        query = select(TrackletRow.size_bytes).order_by(TrackletRow.track_id)
        found = list(connection.execute(query).scalars())
    point = 51 if store.engine.dialect.name == "sqlite" else 112
    assert found == [1500 + 5 * point, 1500 + 5 * point + 4 * 2 + 8]
