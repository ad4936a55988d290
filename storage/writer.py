"""The one thread that writes tracklets while cameras run."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from pipeline.types import EncodedTracklet
from storage.store import Store

COMMIT_EVERY_SECONDS = 0.5
COMMIT_EVERY_TRACKLETS = 50
WAITING_TRACKLETS = 500
"""Whoever puts waits when this many tracklets do: memory stays bounded."""


class Writer:
    """Commits tracklets in small batches, within half a second of their arrival.

    After a failure every call raises it, and nobody waits for ever.

    Args:
        store: Where to.
        run_id: The run that they belong to.
        committed: Called with each batch when it is stored.

    Attributes:
        commits: How many batches are stored.
        commit_seconds: How long that took, all together.
    """

    def __init__(
        self,
        store: Store,
        run_id: int,
        committed: Callable[[Sequence[EncodedTracklet]], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._run_id = run_id
        self._committed = committed
        self.commits = 0
        self.commit_seconds = 0.0
        self._queue: queue.Queue[EncodedTracklet | None] = queue.Queue(WAITING_TRACKLETS)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="writer", daemon=True)

    def __enter__(self) -> "Writer":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        if error is None:
            self.check()

    @property
    def waiting(self) -> int:
        """Tracklets that wait."""
        return self._queue.qsize()

    def put(self, encoded: EncodedTracklet) -> None:
        """Hand over a tracklet to be stored; raises what has stopped the writer."""
        self.check()
        self._queue.put(encoded)

    def check(self) -> None:
        """Raise what has stopped the writer, if anything has."""
        if self._failure is not None:
            raise self._failure

    def _serve(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._next_batch()
            if self._failure is not None or not batch:
                continue  # drained, so that nobody waits for ever
            try:
                began = time.monotonic()
                self._store.add_tracklets(self._run_id, batch)
                self.commits += 1
                self.commit_seconds += time.monotonic() - began
                self._committed(batch)
            # Kept for the threads that put, whatever it is.
            except BaseException as error:
                self._failure = error

    def _next_batch(self) -> tuple[list[EncodedTracklet], bool]:
        """What arrives until it is time to commit, and whether that was all."""
        first = self._queue.get()
        if first is None:
            return [], True
        batch, commit_at = [first], time.monotonic() + COMMIT_EVERY_SECONDS
        while len(batch) < COMMIT_EVERY_TRACKLETS:
            try:
                item = self._queue.get(timeout=max(commit_at - time.monotonic(), 0))
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False
