"""One detector for all cameras: frames that wait are looked at together, or side by side."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import supervision as sv

from pipeline.types import ImageArray

Detect = Callable[[Sequence[ImageArray]], list[sv.Detections]]
Request = tuple[Callable[[], ImageArray], "Future[sv.Detections]"]
"""What gives the image, and where its detections go."""


@dataclass(slots=True)
class DetectorWork:
    """What a detector has done: calls, frames in them, and seconds that they took."""

    batches: int = 0
    frames: int = 0
    seconds: float = 0


class DetectionService:
    """Threads that share the detector and serve the workers of all cameras.

    None waits for a camera: it takes what is there, at most one batch, and whatever comes
    meanwhile forms the next batch. So a batch is as large as the detector is behind, and its
    deadline is the end of the one before.

    Args:
        detect: The detector; called from as many threads as there are lanes.
        max_batch: Most frames in one call.
        lanes: How many calls are in work at once.

    Attributes:
        work: What it has done so far.
    """

    def __init__(self, detect: Detect, max_batch: int, lanes: int = 1) -> None:
        self._detect = detect
        self._max_batch = max_batch
        self._counting = threading.Lock()
        self.work = DetectorWork()
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._serve, name=f"detector-{lane}", daemon=True)
            for lane in range(lanes)
        ]

    def __enter__(self) -> "DetectionService":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for _ in self._threads:
            self._requests.put(None)
        for thread in self._threads:
            thread.join()

    @property
    def waiting(self) -> int:
        """Frames that wait."""
        return self._requests.qsize()

    def submit(self, image: ImageArray) -> "Future[sv.Detections]":
        """The detections of an image (H, W, 3), as soon as they are there."""
        return self.submit_later(lambda: image)

    def submit_later(self, image: Callable[[], ImageArray]) -> "Future[sv.Detections]":
        """The detections of an image that is asked for, from another thread, at its turn."""
        future: Future[sv.Detections] = Future()
        self._requests.put((image, future))
        return future

    def _serve(self) -> None:
        while (request := self._requests.get()) is not None:
            batch = [request]
            with suppress(queue.Empty):
                while len(batch) < self._max_batch:
                    following = self._requests.get_nowait()
                    if following is None:
                        self._requests.put(None)
                        break
                    batch.append(following)
            self._answer(batch)

    def _answer(self, batch: list[Request]) -> None:
        began = time.monotonic()
        try:
            results = self._detect([image() for image, _ in batch])
        # Handed to the workers that wait, each of which reports it as its own failure.
        except BaseException as error:
            for _, future in batch:
                future.set_exception(error)
            return
        self._count(len(batch), time.monotonic() - began)
        for (_, future), detections in zip(batch, results, strict=True):
            future.set_result(detections)

    def _count(self, frames: int, seconds: float) -> None:
        with self._counting:  # of several lanes
            self.work.batches += 1
            self.work.frames += frames
            self.work.seconds += seconds
