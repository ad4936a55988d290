"""All cameras of a run: start, watch and stop their workers."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from cameras.worker import CameraStatus

WATCH_EVERY_SECONDS = 0.1
STOP_WITHIN_SECONDS = 30.0

Watch = Callable[[Sequence[CameraStatus]], None]


class Worker(Protocol):
    """What runs one camera, recorded or live, in a thread of its own."""

    @property
    def status(self) -> CameraStatus:
        """What it tells of its camera."""
        ...

    def start(self) -> None:
        """Start the thread."""
        ...

    def stop(self) -> None:
        """Let it end soon."""
        ...

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the thread; whether it has finished."""
        ...


class Pool:
    """Runs the workers of a site side by side until each has ended or failed.

    Args:
        workers: One a camera, not yet started.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = tuple(workers)

    @property
    def statuses(self) -> list[CameraStatus]:
        """What each camera tells about itself, in the order in which they were begun."""
        return [worker.status for worker in self._workers]

    def end(self, camera_ids: Collection[str]) -> None:
        """Stop the workers of some cameras, and forget them; the others go on."""
        gone = [worker for worker in self._workers if worker.status.camera_id in camera_ids]
        _stop(gone)
        self._workers = tuple(worker for worker in self._workers if worker not in gone)

    def begin(self, workers: Sequence[Worker]) -> None:
        """Run these too; to be called from `watch`."""
        for worker in workers:
            worker.start()
        self._workers += tuple(workers)

    def run(self, watch: Watch) -> None:
        """Run every camera to its end; `watch` is called a few times a second meanwhile.

        When interrupted from the keyboard, or by an error in `watch`, the workers stop at their
        next frame before the interruption goes on to the caller.
        """
        for worker in self._workers:
            worker.start()
        try:
            while self._running():
                watch(self.statuses)
        except BaseException:
            _stop(self._workers)
            raise
        watch(self.statuses)

    def _running(self) -> bool:
        """Whether any camera still runs, after waiting a moment for the first that does."""
        first = next((worker for worker in self._workers if not worker.join(0)), None)
        if first is not None:
            first.join(WATCH_EVERY_SECONDS)
        return first is not None


def _stop(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.stop()
    for worker in workers:
        worker.join(STOP_WITHIN_SECONDS)
