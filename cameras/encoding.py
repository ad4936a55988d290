"""Closed tracklets of all cameras on their way to the store: embedded, with thumbnails."""

import queue
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np

from pipeline.config import Thumbnails
from pipeline.reid.splitting import TrackletSplitter
from pipeline.stage import Stage
from pipeline.types import (
    CROP_HEIGHT_PX,
    CROP_WIDTH_PX,
    Appearance,
    Clip,
    Embedding,
    EncodedTracklet,
    FloatArray,
    ImageArray,
    NoEmbedding,
    Thumbnail,
    Tracklet,
)

THUMBNAIL_HEIGHT_PX: Final = 128
THUMBNAIL_WIDTH_PX: Final = 64
THUMBNAILS: Final = 3
JPEG_QUALITY: Final = 80
FACE_HEIGHT_PX: Final = THUMBNAIL_HEIGHT_PX // 4
"""No face detector: who stands has the head above, who is cut by the image may have it lower."""
FACE_BLOCKS: Final = (4, 2)
"""Colours that are left of it, across and down: hair and skin, but nobody."""
WAITING_TRACKLETS: Final = 64
WAITING_OPEN: Final = WAITING_TRACKLETS // 2
"""From here on there is no time for open ones."""
TRACKLETS_AT_ONCE: Final = 16
"""Most of those that wait whose frames are computed by one call."""


class Encoder(Protocol):
    """Turns what was seen of tracklets into embeddings, in two steps."""

    def frames(self, appearances: Sequence[Appearance], /) -> list[FloatArray]:
        """Frame vectors (K, F) of each; (0, 0) where there is nothing to see.

        Those of one are the same whatever the others are.
        """
        ...

    def looks(self, frames: FloatArray, /) -> FloatArray:
        """Unit vectors (K, D) that compare people, one a frame vector."""
        ...

    def pooled(self, frames: FloatArray, /) -> Embedding | NoEmbedding:
        """The embedding of the frame vectors (K, F) of one person."""
        ...


EncoderOf = Callable[[Appearance], Encoder]
"""Which encoder is for which appearance: one site may have cameras of pixels and recorded ones."""


def make_thumbnails(appearance: Appearance, *, blurred: bool = False) -> tuple[Thumbnail, ...]:
    """The best few crops of a clip as small JPEGs, in order of time; none without pixels.

    Args:
        appearance: What was seen.
        blurred: Make faces unknowable: the upper quarter of a crop, where they are.
    """
    if not isinstance(appearance, Clip):
        return ()
    best = np.sort(np.argsort(-appearance.qualities, kind="stable")[:THUMBNAILS])
    return tuple(
        Thumbnail(int(appearance.timestamps_us[index]), _jpeg(appearance.crops[index], blurred))
        for index in best
    )


def _jpeg(crop: "cv2.typing.MatLike", blurred: bool) -> bytes:
    small = cv2.resize(
        crop, (THUMBNAIL_WIDTH_PX, THUMBNAIL_HEIGHT_PX), interpolation=cv2.INTER_AREA
    )
    if blurred:
        few = cv2.resize(small[:FACE_HEIGHT_PX], FACE_BLOCKS, interpolation=cv2.INTER_AREA)
        small[:FACE_HEIGHT_PX] = cv2.resize(few, (THUMBNAIL_WIDTH_PX, FACE_HEIGHT_PX))
    _, encoded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return encoded.tobytes()


def clip_of(jpegs: Sequence[bytes]) -> Clip:
    """The crops that thumbnails were made of, as far as they show them; times are not known."""
    count = len(jpegs)
    return Clip(np.stack([_crop(jpeg) for jpeg in jpegs]), np.arange(count), np.ones(count, "f4"))


def _crop(jpeg: bytes) -> ImageArray:
    small = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert small is not None  # a JPEG of ours
    large = cv2.resize(small, (CROP_WIDTH_PX, CROP_HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """What was handed over."""

    tracklet: Tracklet
    appearance: Appearance
    is_open: bool


class EncodingStage(Stage[_Waiting]):
    """A thread that encodes the tracklets that wait, so that cameras need not wait for it.

    Args:
        encoder_of: The encoders.
        splitter: What splits tracklets that hold two people; used from this thread alone.
        deliver: Where encoded tracklets go; called from this thread.
        thumbnails: Whether pictures may be kept, and with faces blurred.
    """

    def __init__(
        self,
        encoder_of: EncoderOf,
        splitter: TrackletSplitter,
        deliver: Callable[[EncodedTracklet], None],
        thumbnails: Thumbnails,
    ) -> None:
        super().__init__("encoder", WAITING_TRACKLETS)
        self._encoder_of = encoder_of
        self._splitter = splitter
        self._deliver = deliver
        self._thumbnails = thumbnails

    def put(self, tracklet: Tracklet, appearance: Appearance) -> None:
        """Hand over a tracklet; waits while too many do. Raises what has stopped this stage."""
        self._put(_Waiting(tracklet, appearance, is_open=False))

    def put_open(self, tracklet: Tracklet, appearance: Appearance) -> bool:
        """Hand over one that is still open, if there is time for it; whether there is.

        It is not split, and without an appearance has no embedding. Raises what has stopped this
        stage.
        """
        self.check()
        # Closed ones come first: nothing else tells what an open one will.
        if self.waiting >= WAITING_OPEN:
            return False
        self._put(_Waiting(tracklet, appearance, is_open=True))
        return True

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        """What waits, at least one and not too many, and whether that was all there will be."""
        item = self._queue.get()
        batch: list[_Waiting] = []
        with suppress(queue.Empty):
            while item is not None:
                batch.append(item)
                if len(batch) == TRACKLETS_AT_ONCE:
                    break
                item = self._queue.get_nowait()
        return batch, item is None

    def _work(self, batch: list[_Waiting]) -> None:
        """Frames encoder by encoder, the rest in the order of arrival."""
        encoders = [self._encoder_of(item.appearance) for item in batch]
        frames: dict[int, FloatArray] = {}
        for encoder in dict.fromkeys(encoders):
            own = [number for number, other in enumerate(encoders) if other is encoder]
            seen = encoder.frames([batch[number].appearance for number in own])
            frames.update(zip(own, seen, strict=True))
        for number, item in enumerate(batch):
            finish = self._show if item.is_open else self._finish
            finish(item, encoders[number], frames[number])

    def _finish(self, item: _Waiting, encoder: Encoder, frames: FloatArray) -> None:
        looks = encoder.looks(frames)
        for piece in self._splitter.split(item.tracklet, item.appearance, looks):
            thumbnails = self._pictures(piece.appearance)
            embedding = encoder.pooled(frames[piece.crops])
            self._deliver(EncodedTracklet(piece.tracklet, embedding, thumbnails))

    def _show(self, item: _Waiting, encoder: Encoder, frames: FloatArray) -> None:
        tracklet = self._splitter.numbered(item.tracklet)
        thumbnails = self._pictures(item.appearance)
        self._deliver(EncodedTracklet(tracklet, encoder.pooled(frames), thumbnails, is_open=True))

    def _pictures(self, appearance: Appearance) -> tuple[Thumbnail, ...]:
        if not self._thumbnails:
            return ()
        return make_thumbnails(appearance, blurred=self._thumbnails == "blurred")
