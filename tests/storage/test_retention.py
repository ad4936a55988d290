"""What is beyond a site's limits is erased, in small batches, and nothing else."""

import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from pipeline.config import StorageSettings
from pipeline.errors import StoreError
from pipeline.types import EncodedTracklet, Link, NoEmbedding
from storage import audit, edits, queries, retention
from storage.engine import reading
from storage.explanations import why
from storage.retention import Enforced, Retention
from storage.schema import TrackletRow, TrackPoint
from storage.store import Store, open_store
from storage.writer import Writer

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]
Clock = Callable[[float], None]

NOW_US = 1_767_607_200_000_000
SOON_SECONDS = 20


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the time: so many days before now."""

    def turn(days_ago: float) -> None:
        now_us = NOW_US - round(days_ago * 86_400e6)
        monkeypatch.setattr(time, "time_ns", lambda: now_us * 1000)

    return turn


def limits(**days: float | None) -> StorageSettings:
    return StorageSettings.model_validate({"retention_days": None, **days})


@pytest.fixture
def aged(store: Store, begin: Begin, make: Make, join: Join, clock: Clock) -> int:
    """A run with a tracklet stored each day, eight days ago to today: north/8 ... north/0."""
    run_id = begin(store)
    for days in range(8, -1, -1):
        clock(days)
        store.add_tracklets(run_id, [make("north", days, frames=range(9), thumbnails=[b"1", b"2"])])
    links = [join(f"north/{n}", 1 + n % 2, [(f"north/{n - 1}", 0.5, False)]) for n in range(1, 9)]
    store.set_links(run_id, [*links, join("north/0", 1)])
    return run_id


def points(store: Store) -> dict[int, list[int]]:
    """Frames that are kept of each track."""
    query = (
        select(TrackletRow.track_id, TrackPoint.frame_index)
        .join(TrackPoint, TrackPoint.tracklet_id == TrackletRow.id)
        .order_by(TrackletRow.track_id, TrackPoint.frame_index)
    )
    found: dict[int, list[int]] = {}
    with reading(store.engine) as connection:
        for track, frame in connection.execute(query):
            found.setdefault(track, []).append(frame)
    return found


def tracks(store: Store, run_id: int) -> list[int]:
    return sorted(tracklet.track_id for tracklet, _ in store.load_tracklets(run_id))


def sizes(store: Store) -> list[int]:
    with reading(store.engine) as connection:
        query = select(TrackletRow.size_bytes).order_by(TrackletRow.track_id)
        return list(connection.execute(query).scalars())


def test_each_part_has_its_own_limit(store: Store, aged: int) -> None:
    settings = limits(retention_days=7.5, points_days=5.5, embeddings_days=3.5, thumbnails_days=1.5)
    before = sizes(store)
    done = Retention(store, "plaza", settings).enforce()
    assert done == Enforced(tracklets=1, points=2 * 7, embeddings=4, thumbnails=6 * 2)
    loaded = {tracklet.track_id: (tracklet, e) for tracklet, e in store.load_tracklets(aged)}
    assert sorted(loaded) == list(range(8))
    kept = points(store)
    assert [kept[n] for n in (6, 7)] == [[0, 8]] * 2
    assert all(kept[n] == list(range(9)) for n in range(6))
    assert [isinstance(loaded[n][1], NoEmbedding) for n in range(8)] == [False] * 4 + [True] * 4
    pictures = queries.thumbnails(store, aged)
    assert sorted(pictures) == ["north/0", "north/1"]
    assert why(store, aged, "north/7").earlier_decisions == 0, "links stay"
    first, whole = loaded[7][0], loaded[0][0]
    assert (first.start_us, first.end_us) == (whole.start_us, whole.end_us)
    point = 51 if store.engine.dialect.name == "sqlite" else 112
    freed = [0, 0, 2, 2, 10, 10, 10 + 7 * point, 10 + 7 * point]
    assert sizes(store) == [size - less for size, less in zip(before[:8], freed, strict=True)]
    entry = audit.entries(store)[-1]
    assert (entry.action, entry.site) == ("retention", "plaza")
    assert entry.details == {"tracklets": 1, "points": 14, "embeddings": 4, "thumbnails": 12}


def test_what_is_within_the_limits_stays(
    store: Store, aged: int, dump: Callable[[Store], object]
) -> None:
    before = dump(store)
    settings = limits(retention_days=9, retention_gb=1, points_days=9, thumbnails_days=9)
    for each in (settings, limits()):
        assert Retention(store, "plaza", each).enforce() == Enforced()
    other = limits(retention_days=1, retention_gb=1e-9, points_days=1, embeddings_days=1)
    assert Retention(store, "harbour", other).enforce() == Enforced()
    assert dump(store) == before, "no entry in the audit log either"


def test_the_default_keeps_thirty_days(store: Store, aged: int, clock: Clock) -> None:
    clock(-26)  # north/4 was stored thirty days before
    assert Retention(store, "plaza", StorageSettings()).enforce().tracklets == 4
    assert tracks(store, aged) == [0, 1, 2, 3, 4]


def test_the_oldest_go_where_there_is_too_much(store: Store, aged: int) -> None:
    every = sizes(store)
    settings = limits(retention_gb=(sum(every[:4]) + 1) / 1e9)
    assert Retention(store, "plaza", settings).enforce().tracklets == 5
    assert tracks(store, aged) == [0, 1, 2, 3]
    assert sum(sizes(store)) <= settings.retention_gb * 1e9  # type: ignore[operator]
    assert Retention(store, "plaza", settings).enforce() == Enforced()


def test_numbers_of_whom_it_erased_are_never_given_again(
    store: Store, begin: Begin, make: Make, join: Join
) -> None:
    run_id = begin(store)
    store.add_tracklets(run_id, [make("north", 1), make("north", 2)])
    store.set_links(run_id, [join("north/1", 1), join("north/2", 2)])
    following = edits.decided(store, run_id).following
    retention.erase_stored_before(store, "plaza", 2**62)
    assert queries.identities(store, run_id) == []
    assert edits.decided(store, run_id).following == following


def test_sizes_are_those_of_one_site(store: Store, aged: int, begin: Begin, make: Make) -> None:
    elsewhere = begin(store, site="harbour")
    store.add_tracklets(elsewhere, [make("north", n, thumbnails=[b"x" * 9999]) for n in range(9)])
    settings = limits(retention_gb=sum(sizes(store)[:9]) / 1e9)
    assert Retention(store, "plaza", settings).enforce() == Enforced()
    assert len(tracks(store, elsewhere)) == 9


def test_what_grows_old_later_is_found_then(store: Store, aged: int, clock: Clock) -> None:
    keeper = Retention(store, "plaza", limits(points_days=5.5, thumbnails_days=5.5))
    assert keeper.enforce() == Enforced(points=3 * 7, thumbnails=3 * 2)
    assert keeper.enforce() == Enforced()
    clock(-2)
    assert keeper.enforce() == Enforced(points=2 * 7, thumbnails=2 * 2)
    # One that begins anew finds what is left, and no more.
    assert Retention(store, "plaza", limits(points_days=4.5)).enforce() == Enforced(points=7)


def test_short_tracklets_lose_no_points(
    store: Store, begin: Begin, make: Make, clock: Clock
) -> None:
    run_id = begin(store)
    clock(5)
    short = [make("north", 1, frames=[4]), make("north", 2, frames=[4, 9])]
    store.add_tracklets(run_id, [*short, make("north", 3, frames=[4, 9, 11])])
    clock(0)
    assert Retention(store, "plaza", limits(points_days=1)).enforce().points == 1
    assert points(store) == {1: [4], 2: [4, 9], 3: [4, 11]}


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Boxes of the tracklets of each batch."""
    found: list[list[int]] = []
    erase = Retention._erase

    def watched(self: Retention, batch: Sequence[Any]) -> int:
        found.append([each.boxes for each in batch])
        return erase(self, batch)

    monkeypatch.setattr(Retention, "_erase", watched)
    return found


def test_batches_are_small(
    store: Store,
    begin: Begin,
    make: Make,
    clock: Clock,
    batches: list[list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In tracklets, and in points, of which long ones have many."""
    monkeypatch.setattr(retention, "TRACKLETS_AT_ONCE", 4)
    monkeypatch.setattr(retention, "POINTS_AT_ONCE", 60)
    run_id = begin(store)
    clock(3)
    lengths = [5, 5, 5, 5, 5, 50, 30, 30, 100, 100]
    items = [make("north", n, frames=range(count)) for n, count in enumerate(lengths)]
    store.add_tracklets(run_id, items)
    clock(0)
    assert Retention(store, "plaza", limits(retention_days=1)).enforce().tracklets == 10
    assert batches == [[5, 5, 5, 5], [5, 50, 30], [30, 100], [100]]


def test_cameras_write_while_it_erases(
    store: Store,
    begin: Begin,
    make: Make,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retention, "TRACKLETS_AT_ONCE", 5)
    run_id = begin(store)
    clock(3)
    store.add_tracklets(run_id, [make("north", n, thumbnails=[b"x"]) for n in range(200)])
    clock(0)
    settings = limits(retention_days=1, thumbnails_days=2)
    counts = []
    erasing = threading.Thread(
        target=lambda: counts.append(Retention(store, "plaza", settings).enforce().tracklets)
    )
    with Writer(store, run_id) as writer:
        erasing.start()
        for number in range(1000, 1200):
            writer.put(make("gate", number, thumbnails=[b"x"]))
            assert len(queries.cameras(store, run_id)) == 3
    erasing.join(SOON_SECONDS)
    assert counts == [200]
    assert tracks(store, run_id) == list(range(1000, 1200))


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON_SECONDS
    while not condition():
        assert time.monotonic() < until, "waited for ever"
        time.sleep(0.02)


def test_the_thread_keeps_to_the_limits(
    store: Store, aged: int, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.02)
    with Retention(store, "plaza", limits(retention_days=5.5)) as keeper:
        wait_until(lambda: tracks(store, aged) == [0, 1, 2, 3, 4, 5])
        clock(-3)
        wait_until(lambda: tracks(store, aged) == [0, 1, 2])
    assert keeper.warnings == ()
    clock(-99)
    time.sleep(0.1)
    assert tracks(store, aged) == [0, 1, 2], "it has ended"


def test_a_failure_in_the_thread_is_told_until_it_is_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.02)
    is_over = threading.Event()

    def enforce(_: Retention) -> Enforced:
        if not is_over.is_set():
            raise StoreError("locked")
        return Enforced()

    monkeypatch.setattr(Retention, "enforce", enforce)
    with Retention(store, "plaza", limits()) as keeper:
        wait_until(lambda: keeper.warnings == ("retention: locked",))
        is_over.set()
        wait_until(lambda: keeper.warnings == ())


def test_stopping_does_not_wait_for_all_batches(
    store: Store,
    begin: Begin,
    make: Make,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    batches: list[list[int]],
) -> None:
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.01)
    monkeypatch.setattr(retention, "TRACKLETS_AT_ONCE", 1)
    run_id = begin(store)
    clock(3)
    store.add_tracklets(run_id, [make("north", n) for n in range(400)])
    clock(0)
    with Retention(store, "plaza", limits(retention_days=1)):
        wait_until(lambda: len(batches) > 2)
    with reading(store.engine) as connection:
        left = connection.execute(select(func.count()).select_from(TrackletRow)).scalar_one()
    assert left == 400 - len(batches)
    assert left > 0


def test_pictures_that_were_erased_are_in_no_file(
    tmp_path: Path, begin: Begin, make: Make, clock: Clock
) -> None:
    """Of SQLite; PostgreSQL overwrites what autovacuum has freed, in its own time."""
    with open_store(f"sqlite:///{tmp_path / 'tracking.db'}", create=True) as store:
        run_id = begin(store)
        clock(3)
        store.add_tracklets(run_id, [make("north", 1, thumbnails=[b"a face nobody may see" * 40])])
        clock(0)
        assert Retention(store, "plaza", limits(thumbnails_days=1)).enforce().thumbnails == 1
        for file in tmp_path.iterdir():
            assert b"nobody may see" not in file.read_bytes()
