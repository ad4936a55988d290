"""A thread with a queue before it: what waits is bounded, and a failure is told to whoever puts."""

import queue
import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Stage(ABC, Generic[T]):
    """Works on what is put, in a thread of its own, until it is left.

    After a failure every call raises it, and nobody waits for ever: what comes is drained.

    Args:
        name: Of the thread.
        most_waiting: Whoever puts waits when so many items do: memory stays bounded.
    """

    def __init__(self, name: str, most_waiting: int) -> None:
        self._queue: queue.Queue[T | None] = queue.Queue(most_waiting)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def __enter__(self) -> Self:
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
        """How many items wait."""
        return self._queue.qsize()

    def check(self) -> None:
        """Raise what has stopped this stage, if anything has."""
        if self._failure is not None:
            raise self._failure

    def _put(self, item: T) -> None:
        self.check()
        self._queue.put(item)

    @abstractmethod
    def _next_batch(self) -> tuple[list[T], bool]:
        """What is worked on next, and whether that was all: None came from the queue."""

    @abstractmethod
    def _work(self, batch: list[T]) -> None:
        """Work on a batch; it may be empty."""

    def _end(self) -> None:
        """Called in the stage's thread when all has been worked on."""

    def _serve(self) -> None:
        ended = False
        while not ended and self._failure is None:
            batch, ended = self._next_batch()
            try:
                self._work(batch)
                if ended:
                    self._end()
            # Kept for the threads that put, whatever it is; the first is the one to report.
            except BaseException as error:
                self._failure = error
        while not ended:
            ended = self._queue.get() is None
