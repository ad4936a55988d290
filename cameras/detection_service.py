"""One detector for all cameras: frames that wait together are detected together."""

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType

import supervision as sv

from pipeline.types import ImageArray

Detect = Callable[[Sequence[ImageArray]], list[sv.Detections]]


class DetectionService:
    """A thread that owns the detector and serves the workers of all cameras.

    It never waits for a camera: it takes what is there, at most one batch, and whatever comes
    meanwhile forms the next batch.

    Args:
        detect: The detector.
        max_batch: Most frames taken at once.
    """

    def __init__(self, detect: Detect, max_batch: int) -> None:
        self._detect = detect
        self._max_batch = max_batch
        self._requests: queue.SimpleQueue[tuple[ImageArray, Future[sv.Detections]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._serve, name="detector", daemon=True)

    def __enter__(self) -> "DetectionService":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._requests.put(None)
        self._thread.join()

    def submit(self, image: ImageArray) -> "Future[sv.Detections]":
        """The detections of an image (H, W, 3), as soon as they are there."""
        future: Future[sv.Detections] = Future()
        self._requests.put((image, future))
        return future

    def _serve(self) -> None:
        while (request := self._requests.get()) is not None:
            batch = [request]
            while len(batch) < self._max_batch and not self._requests.empty():
                following = self._requests.get()
                if following is None:
                    self._requests.put(None)
                    break
                batch.append(following)
            self._answer(batch)

    def _answer(self, batch: list[tuple[ImageArray, "Future[sv.Detections]"]]) -> None:
        try:
            results = self._detect([image for image, _ in batch])
        # Handed to the workers that wait, each of which reports it as its own failure.
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), detections in zip(batch, results, strict=True):
            future.set_result(detections)
