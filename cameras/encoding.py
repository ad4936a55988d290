"""Closed tracklets of all cameras on their way to the store: embedded, with thumbnails."""

import queue
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Protocol

import cv2
import numpy as np

from pipeline.reid.splitting import TrackletSplitter
from pipeline.types import (
    Appearance,
    Clip,
    Embedding,
    EncodedTracklet,
    FloatArray,
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


class Encoder(Protocol):
    """Turns what was seen of a tracklet into its embedding, in two steps."""

    def frames(self, appearance: Appearance, /) -> FloatArray:
        """Unit vectors (K, D), one a crop; (0, 0) where there is nothing to see."""
        ...

    def pooled(self, frames: FloatArray, /) -> Embedding | NoEmbedding:
        """The embedding of the frame embeddings (K, D) of one person."""
        ...


EncoderOf = Callable[[Appearance], Encoder]
"""Which encoder is for which appearance: one site may have cameras of pixels and recorded ones."""


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
        encoder_of: The encoders.
        splitter: What splits tracklets that hold two people; used from this thread alone.
        deliver: Where encoded tracklets go; called from this thread.
        thumbnails: Whether pictures may be kept.
    """

    def __init__(
        self,
        encoder_of: EncoderOf,
        splitter: TrackletSplitter,
        deliver: Callable[[EncodedTracklet], None],
        thumbnails: bool,
    ) -> None:
        self._encoder_of = encoder_of
        self._splitter = splitter
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
                for encoded in self._encoded(*item):
                    self._deliver(encoded)
            # Kept for the threads that put; the first failure is the one to report.
            except BaseException as error:
                self._failure = error

    def _encoded(self, tracklet: Tracklet, appearance: Appearance) -> Iterator[EncodedTracklet]:
        encoder = self._encoder_of(appearance)
        frames = encoder.frames(appearance)
        for piece in self._splitter.split(tracklet, appearance, frames):
            thumbnails = make_thumbnails(piece.appearance) if self._thumbnails else ()
            yield EncodedTracklet(piece.tracklet, encoder.pooled(piece.frames), thumbnails)
