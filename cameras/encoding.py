"""Closed tracklets of all cameras on their way to the store: embedded, with thumbnails."""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Final

import cv2
import numpy as np

from pipeline.types import (
    Appearance,
    Clip,
    Embedding,
    EncodedTracklet,
    NoEmbedding,
    Thumbnail,
    Tracklet,
)

THUMBNAIL_HEIGHT_PX: Final = 128
THUMBNAIL_WIDTH_PX: Final = 64
THUMBNAILS: Final = 3
JPEG_QUALITY: Final = 80
WAITING_TRACKLETS: Final = 64
"""Cameras wait when this many tracklets do: memory stays bounded."""

Encode = Callable[[Appearance], Embedding | NoEmbedding]


def make_thumbnails(appearance: Appearance) -> tuple[Thumbnail, ...]:
    """The best few crops of a clip as small JPEGs, in order of time; none without pixels."""
    if not isinstance(appearance, Clip):
        return ()
    best = np.sort(np.argsort(-appearance.qualities, kind="stable")[:THUMBNAILS])
    return tuple(
        Thumbnail(int(appearance.timestamps_us[index]), _jpeg(appearance.crops[index]))
        for index in best
    )


def _jpeg(crop: "cv2.typing.MatLike") -> bytes:
    small = cv2.resize(
        crop, (THUMBNAIL_WIDTH_PX, THUMBNAIL_HEIGHT_PX), interpolation=cv2.INTER_AREA
    )
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()


class EncodingStage:
    """A thread that encodes tracklets one after another, so that cameras need not wait for it.

    Args:
        encode: The encoder.
        deliver: Where encoded tracklets go; called from this thread.
        thumbnails: Whether pictures may be kept.
    """

    def __init__(
        self, encode: Encode, deliver: Callable[[EncodedTracklet], None], thumbnails: bool
    ) -> None:
        self._encode = encode
        self._deliver = deliver
        self._thumbnails = thumbnails
        self._queue: queue.Queue[tuple[Tracklet, Appearance] | None] = queue.Queue(
            WAITING_TRACKLETS
        )
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._serve, name="encoder", daemon=True)

    def __enter__(self) -> "EncodingStage":
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
        if error is None and self._failure is not None:
            raise self._failure

    def put(self, tracklet: Tracklet, appearance: Appearance) -> None:
        """Hand over a tracklet; waits while too many do. Raises what has stopped this stage."""
        if self._failure is not None:
            raise self._failure
        self._queue.put((tracklet, appearance))

    def _serve(self) -> None:
        while (item := self._queue.get()) is not None:
            if self._failure is not None:
                continue  # drained, so that no camera waits for ever
            try:
                self._deliver(self._encoded(*item))
            # Kept for the threads that put; the first failure is the one to report.
            except BaseException as error:
                self._failure = error

    def _encoded(self, tracklet: Tracklet, appearance: Appearance) -> EncodedTracklet:
        thumbnails = make_thumbnails(appearance) if self._thumbnails else ()
        return EncodedTracklet(tracklet, self._encode(appearance), thumbnails)
