"""The one thread that writes tracklets while cameras run."""

import queue
import time
from collections.abc import Callable, Sequence

from pipeline.stage import Stage
from pipeline.types import EncodedTracklet
from storage.store import Store

COMMIT_EVERY_SECONDS = 0.1
COMMIT_EVERY_TRACKLETS = 50
WAITING_TRACKLETS = 500


class Writer(Stage[EncodedTracklet]):
    """Commits tracklets in small batches, within a tenth of a second of their arrival.

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
        super().__init__("writer", WAITING_TRACKLETS)
        self._store = store
        self._run_id = run_id
        self._committed = committed
        self.commits = 0
        self.commit_seconds = 0.0

    def put(self, encoded: EncodedTracklet) -> None:
        """Hand over a tracklet to be stored; raises what has stopped the writer."""
        self._put(encoded)

    def _work(self, batch: list[EncodedTracklet]) -> None:
        if not batch:
            return
        began = time.monotonic()
        self._store.add_tracklets(self._run_id, batch)
        self.commits += 1
        self.commit_seconds += time.monotonic() - began
        self._committed(batch)

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
