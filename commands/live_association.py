"""Who is who while cameras run: tracklets get identities as soon as they are stored."""

import queue
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Self

from pipeline.association.engine import AssociationEngine
from pipeline.association.floor_fit import CameraFit
from pipeline.association.resolver import Edits, Knowledge
from pipeline.memory import give_back_memory
from pipeline.stage import Stage
from pipeline.types import Embedding, EncodedTracklet, Link, NoEmbedding, Tracklet
from storage import edits
from storage.linking import EditedMeanwhileError, EditsVersion
from storage.store import Store

WINDOW_SECONDS = 600.0
"""What ended no longer ago may still change its identity."""
RESOLVE_EVERY_SECONDS = 60.0
RESTS = 9
"""After newcomers were taken in, or all was decided anew, that rests for so many times as long as
it took: each has a tenth of a processor, until the rest is as long as it may be."""
ADD_REST_SECONDS, RESOLVE_REST_SECONDS = 3.0, WINDOW_SECONDS / 2
"""At most: newcomers who wait longer are more, and take longer; and nobody leaves the window
before they were decided anew."""
LAST_RESOLVE_SECONDS = 1.5
"""A run that is stopped decides all anew once more, unless that took longer the last time."""
WAITING_BATCHES = 1000


class LiveAssociation(Stage[Sequence[EncodedTracklet]]):
    """The association of a live run, in a thread of its own.

    Tracklets get a provisional identity when they come, and are decided anew every minute; both
    less often where it takes long. At the end all in the window are once more, where that is quick.

    Args:
        store: Where tracklets are, and links go.
        run_id: Of which run; what it has stored already is remembered.
        knowledge: Of the site.
        resolve_every_seconds: How often it is decided anew.
    """

    def __init__(
        self,
        store: Store,
        run_id: int,
        knowledge: Knowledge,
        resolve_every_seconds: float = RESOLVE_EVERY_SECONDS,
    ) -> None:
        super().__init__("association", WAITING_BATCHES)
        self._store = store
        self._run_id = run_id
        self._every_seconds = resolve_every_seconds
        self._knowledge = knowledge
        self._is_outdated = False
        self._engine = AssociationEngine(knowledge, WINDOW_SECONDS)
        self._edits = EditsVersion(0, 0)
        self._newest_us = 0
        self._in_view: dict[str, Tracklet] = {}
        self._resolve_at = 0.0
        self._resolving_took = 0.0
        self._add_at = 0.0
        self._batch: list[Sequence[EncodedTracklet]] = []

    def __enter__(self) -> Self:
        self._remember()
        self._resolve_at = time.monotonic() + self._every_seconds
        return super().__enter__()

    @property
    def fits(self) -> tuple[CameraFit, ...]:
        """Cameras whose clock or floor is not that of the others."""
        return self._engine.fits

    @property
    def remembered(self) -> frozenset[str]:
        """Keys of the tracklets that newcomers are compared with."""
        return self._engine.keys

    @property
    def waiting(self) -> int:
        """How many batches wait, those included that are worked on together next."""
        return super().waiting + len(self._batch)

    def put(self, stored: Sequence[EncodedTracklet]) -> None:
        """Tracklets that have been committed; raises what has stopped the association.

        Open ones get an identity once they have an embedding, and may get another by a later one.
        """
        self._put(stored)

    def know(self, knowledge: Knowledge) -> None:
        """Go on with other knowledge of the site; people keep their numbers."""
        self._knowledge, self._is_outdated = knowledge, True
        self.put([])

    def _work(self, batch: list[Sequence[EncodedTracklet]]) -> None:
        self._batch = []
        self._relearn()
        told: dict[str, EncodedTracklet] = {}
        for each in chain.from_iterable(batch):
            if each.is_open:
                self._in_view[each.tracklet.key] = each.tracklet
            else:
                self._in_view.pop(each.tracklet.key, None)
            if not each.is_open or isinstance(each.embedding, Embedding):
                told[each.tracklet.key] = each
        if told:
            began = time.monotonic()
            self._add([(each.tracklet, each.embedding) for each in told.values()])
            self._add_at = _rested(began, ADD_REST_SECONDS)
        if time.monotonic() >= self._resolve_at:
            began = time.monotonic()
            self._resolve()
            give_back_memory()
            self._resolving_took = time.monotonic() - began
            rested = _rested(began, RESOLVE_REST_SECONDS)
            self._resolve_at = max(began + self._every_seconds, rested)

    def _end(self) -> None:
        if self._resolving_took <= LAST_RESOLVE_SECONDS:
            self._resolve()

    def _next_batch(self) -> tuple[list[Sequence[EncodedTracklet]], bool]:
        """All that waits, or comes first until it is time to decide anew; after a rest."""
        self._batch = []
        try:
            item = self._queue.get(timeout=max(self._resolve_at - time.monotonic(), 0))
            while item is not None:
                self._batch.append(item)
                if len(self._batch) == WAITING_BATCHES:
                    return self._batch, False
                item = self._queue.get(timeout=max(self._add_at - time.monotonic(), 0))
        except queue.Empty:
            return self._batch, False
        return self._batch, True

    def _relearn(self) -> None:
        if self._is_outdated:
            self._is_outdated = False
            self._remember()

    def _remember(self) -> None:
        """Begin from what the run has stored in the time that counts, and what users decided.

        Who was stored last before a crash has no link yet, and gets one.
        """
        decided = edits.decided(self._store, self._run_id)
        known = replace(self._knowledge, edits=Edits(decided.together, decided.apart))
        # Also where the last identity was erased: a number is never given again.
        following = max(decided.following, self._engine.following)
        self._engine = AssociationEngine(known, WINDOW_SECONDS, following)
        self._edits = decided.version
        newest_us = self._store.newest_us(self._run_id)
        if newest_us is None:
            return
        self._newest_us = newest_us
        stored = self._store.load_tracklets(self._run_id, newest_us - self._engine.reach_us)
        who = self._store.current_identities(self._run_id)
        linked = [each for each in stored if each[0].key in who]
        self._engine.remember([t for t, _ in linked], [e for _, e in linked], who)
        self._add([each for each in stored if each[0].key not in who])

    def _add(self, some: Sequence[tuple[Tracklet, Embedding | NoEmbedding]]) -> None:
        self._engine.go_on(list(self._in_view.values()))
        tracklets = [tracklet for tracklet, _ in some]
        self._newest_us = max((self._newest_us, *(each.end_us for each in tracklets)))
        self._link(self._engine.add(tracklets, [embedding for _, embedding in some], _now_us()))

    def _resolve(self) -> None:
        self._engine.go_on(list(self._in_view.values()))
        self._engine.forget(self._store.missing(self._run_id, self._engine.keys))
        known = self._engine.keys
        self._in_view = {key: each for key, each in self._in_view.items() if key in known}
        self._link(self._engine.resolve(self._newest_us, _now_us()))

    def _link(self, links: Sequence[Link]) -> None:
        """Store links; where a user has edited the run meanwhile, begin anew with that."""
        if not links:
            return
        try:
            self._engine.forget(self._store.add_links(self._run_id, links, self._edits))
        except EditedMeanwhileError:
            self._remember()


def rest_seconds(took: float, most: float) -> float:
    """For how long work that took so many seconds rests."""
    return min(RESTS * took, most)


def _rested(began: float, most: float) -> float:
    """When what began then, and is done now, may be done again."""
    now = time.monotonic()
    return now + rest_seconds(now - began, most)


def _now_us() -> int:
    return time.time_ns() // 1000
