"""The writer thread: everything put is stored, and nobody waits for ever when it cannot be."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from pipeline.errors import StoreError
from pipeline.types import EncodedTracklet
from storage import writer as writer_module
from storage.store import Store
from storage.writer import Writer

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Batches = list[list[str]]

SOON_SECONDS = 20
"""Whoever waits longer waits for ever, however busy the machine."""


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> Batches:
    """The batches that stores were given, as keys."""
    found: Batches = []
    add = Store.add_tracklets

    def watched(self: Store, run_id: int, encoded: Sequence[EncodedTracklet]) -> int:
        found.append([item.tracklet.key for item in encoded])
        return add(self, run_id, encoded)

    monkeypatch.setattr(Store, "add_tracklets", watched)
    return found


def stored(store: Store, run_id: int) -> list[str]:
    return [tracklet.key for tracklet, _ in store.load_tracklets(run_id)]


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + SOON_SECONDS
    while not condition():
        assert time.monotonic() < until, "waited for ever"
        time.sleep(0.01)


def finishes(action: Callable[[], None]) -> list[BaseException]:
    """Runs an action that might wait for ever in a thread; what it raised."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SOON_SECONDS)
    assert not thread.is_alive(), "waits for ever"
    return raised


def test_everything_put_is_stored_in_batches(
    store: Store, begin: Begin, make: Make, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "COMMIT_EVERY_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(writer_module, "COMMIT_EVERY_TRACKLETS", 4)
    run_id = begin(store)
    with Writer(store, run_id) as writer:
        for number in range(1, 11):
            writer.put(make("north", number))
    assert [len(batch) for batch in batches] == [4, 4, 2]
    expected = [f"north/{number}" for number in range(1, 11)]
    assert [key for batch in batches for key in batch] == expected
    assert stored(store, run_id) == expected


def test_few_tracklets_need_not_wait_for_more(store: Store, begin: Begin, make: Make) -> None:
    run_id = begin(store)
    with Writer(store, run_id) as writer:
        for number in (1, 2):
            writer.put(make("north", number))
            wait_until(lambda number=number: len(stored(store, run_id)) == number)  # type: ignore[misc]


def test_nothing_put_nothing_written(store: Store, begin: Begin, batches: Batches) -> None:
    with Writer(store, begin(store)):
        pass
    assert batches == []


def test_many_threads_put_at_once(store: Store, begin: Begin, make: Make) -> None:
    run_id = begin(store)
    with Writer(store, run_id) as writer:

        def camera(name: str) -> None:
            for number in range(1, 61):
                writer.put(make(name, number))

        threads = [
            threading.Thread(target=camera, args=(name,)) for name in ("north", "Dock", "gate")
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    expected = {f"{name}/{n}" for name in ("north", "Dock", "gate") for n in range(1, 61)}
    assert set(stored(store, run_id)) == expected


def test_two_writers_on_one_database(store: Store, begin: Begin, make: Make) -> None:
    runs = [begin(store), begin(store, site="harbour")]
    with Writer(store, runs[0]) as first, Writer(store, runs[1]) as second:
        for number in range(1, 121):
            first.put(make("north", number))
            second.put(make("north", number))
    for run_id in runs:
        assert len(stored(store, run_id)) == 120


def test_an_error_of_the_body_loses_nothing(store: Store, begin: Begin, make: Make) -> None:
    run_id = begin(store)
    with pytest.raises(RuntimeError, match="a camera"), Writer(store, run_id) as writer:
        writer.put(make("north", 1))
        writer.put(make("gate", 1))
        raise RuntimeError("a camera")
    assert stored(store, run_id) == ["north/1", "gate/1"]


def test_a_failure_is_raised_at_the_end(
    store: Store, begin: Begin, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "add_tracklets", failing)

    def use() -> None:
        with Writer(store, begin(store)) as writer:
            writer.put(make("north", 1))

    [raised] = finishes(use)
    assert isinstance(raised, StoreError)
    assert str(raised) == "the disk is full"


def test_after_a_failure_every_put_raises_it(
    store: Store, begin: Begin, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "COMMIT_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(Store, "add_tracklets", failing)

    def put_for_ever() -> None:
        with Writer(store, begin(store)) as writer:
            writer.put(make("north", 1))
            while True:
                writer.put(make("north", 2))

    [raised] = finishes(put_for_ever)
    assert isinstance(raised, StoreError)


def test_whoever_waits_at_a_full_queue_gets_on_after_a_failure(
    store: Store, begin: Begin, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "WAITING_TRACKLETS", 3)
    monkeypatch.setattr(writer_module, "COMMIT_EVERY_TRACKLETS", 1)
    may_fail = threading.Event()

    def fail_later(self: Store, run_id: int, encoded: object) -> int:
        may_fail.wait(SOON_SECONDS)
        return failing()

    monkeypatch.setattr(Store, "add_tracklets", fail_later)
    run_id, put = begin(store), 0
    cameras: list[list[BaseException]] = []

    def use() -> None:
        with Writer(store, run_id) as writer:

            def camera() -> None:
                nonlocal put
                for number in range(1, 100):
                    writer.put(make("north", number))
                    put += 1

            threads = [
                threading.Thread(target=lambda: cameras.append(finishes(camera))) for _ in range(3)
            ]
            for thread in threads:
                thread.start()
            wait_until(lambda: put == 4)  # one at the writer, three in the queue
            time.sleep(0.05)
            assert put == 4, "the queue has no end"
            may_fail.set()
            for thread in threads:
                thread.join()

    [raised] = finishes(use)
    assert isinstance(raised, StoreError)
    assert len(cameras) == 3
    for [error] in cameras:
        assert isinstance(error, StoreError)


def test_what_was_committed_before_a_failure_stays(
    store: Store, begin: Begin, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "COMMIT_EVERY_TRACKLETS", 2)
    run_id = begin(store)
    with pytest.raises(KeyError, match="cellar"), Writer(store, run_id) as writer:
        for camera, number in (("north", 1), ("gate", 1), ("cellar", 1), ("north", 2)):
            writer.put(make(camera, number))
    assert stored(store, run_id) == ["north/1", "gate/1"]


def failing(*_: object) -> int:
    raise StoreError("the disk is full")
