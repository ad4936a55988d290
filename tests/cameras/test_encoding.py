"""Tracklets on their way from the cameras to the store."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from cameras.encoding import (
    THUMBNAILS,
    TRACKLETS_AT_ONCE,
    WAITING_OPEN,
    EncodingStage,
    clip_of,
    make_thumbnails,
)
from pipeline.config import Thumbnails
from pipeline.errors import StoreError
from pipeline.reid.splitting import Piece, TrackletSplitter
from pipeline.types import (
    Appearance,
    Clip,
    Embedding,
    EncodedTracklet,
    EncoderIdentity,
    FloatArray,
    NoAppearance,
    NoEmbedding,
    Thumbnail,
    Tracklet,
)


def _tracklet(number: int) -> Tracklet:
    return Tracklet("hall", number, 1, np.arange(1), np.arange(1), np.ones((1, 4)), np.ones(1))


def _clip() -> Clip:
    shades = np.array([10, 60, 110, 160, 210], np.uint8)
    crops = np.ones((5, 256, 128, 3), np.uint8) * shades[:, None, None, None]
    return Clip(crops, np.arange(5) * 100, np.array([0.1, 0.9, 0.2, 0.8, 0.5]))


class _Blind:
    """Sees nothing."""

    def frames(self, appearances: Sequence[Appearance]) -> list[FloatArray]:
        return [np.zeros((0, 0), np.float32) for _ in appearances]

    def looks(self, frames: FloatArray) -> FloatArray:
        return frames

    def pooled(self, _: FloatArray) -> NoEmbedding:
        return NoEmbedding()


class _Halves(TrackletSplitter):
    """Splits every tracklet in the middle, as one that had learnt to would."""

    def __init__(self) -> None:
        super().__init__(None)

    def split(self, tracklet: Tracklet, clip: Clip, looks: FloatArray) -> list[Piece]:
        assert np.linalg.norm(looks, axis=1).tolist() == [1] * 5
        return [
            Piece(
                replace(tracklet, part=tracklet.part + 2 * half),
                Clip(clip.crops[rows], clip.timestamps_us[rows], clip.qualities[rows]),
                rows,
            )
            for half, rows in enumerate((slice(0, 3), slice(3, 5)))
        ]


class _Shade:
    """Encodes crops by their brightness: its frame vectors are not of unit length."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def frames(self, appearances: Sequence[Appearance]) -> list[FloatArray]:
        self.calls.append(len(appearances))
        clips = [seen for seen in appearances if isinstance(seen, Clip)]
        return [clip.crops[:, 0, 0, :1].astype(np.float32) for clip in clips]

    def looks(self, frames: FloatArray) -> FloatArray:
        return frames / np.abs(frames)

    def pooled(self, frames: FloatArray) -> Embedding:
        return Embedding(frames.mean(axis=0), EncoderIdentity("shade", "0" * 64, 1))


def _stage(
    deliver: Callable[[EncodedTracklet], None], thumbnails: Thumbnails = True
) -> EncodingStage:
    return EncodingStage(lambda _: _Blind(), TrackletSplitter(2), deliver, thumbnails)


def test_thumbnails_are_the_best_crops_in_order_of_time() -> None:
    thumbnails = make_thumbnails(_clip())
    assert len(thumbnails) == THUMBNAILS
    assert [thumbnail.timestamp_us for thumbnail in thumbnails] == [100, 300, 400]
    for thumbnail, shade in zip(thumbnails, (60, 160, 210), strict=True):
        picture = cv2.imdecode(np.frombuffer(thumbnail.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (128, 64, 3)
        assert abs(float(picture.mean()) - shade) < 3


def test_no_thumbnails_without_pixels_or_where_not_allowed() -> None:
    assert make_thumbnails(NoAppearance()) == ()
    delivered: list[EncodedTracklet] = []
    with _stage(delivered.append, thumbnails=False) as stage:
        stage.put(_tracklet(1), _clip())
    assert delivered[0].thumbnails == ()


def test_blurred_thumbnails_show_nobodys_face_and_everybodys_clothes() -> None:
    """Of the upper quarter eight colours are left; the rest is what it is without."""
    noise = np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3), np.uint8)
    crops = noise.repeat(4, axis=1).repeat(4, axis=2)
    clip = Clip(crops, np.array([100, 200]), np.ones(2, np.float32))
    delivered: list[EncodedTracklet] = []
    with _stage(delivered.append, "blurred") as stage:
        stage.put(_tracklet(1), clip)
    for thumbnail, sharp in zip(delivered[0].thumbnails, make_thumbnails(clip), strict=True):
        blurred, plain = _picture(thumbnail), _picture(sharp)
        np.testing.assert_allclose(blurred[48:], plain[48:], atol=2)  # JPEG has blocks of 16
        detail, before = (float(image[:32].std(axis=(0, 1)).mean()) for image in (blurred, plain))
        assert detail < before / 3
        assert abs(float(blurred[:32].mean()) - float(plain[:32].mean())) < 8, "not black either"


def _picture(thumbnail: Thumbnail) -> FloatArray:
    image = cv2.imdecode(np.frombuffer(thumbnail.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image.astype(np.float32)


def test_everything_put_is_delivered_in_order() -> None:
    delivered: list[EncodedTracklet] = []
    with _stage(delivered.append) as stage:
        for number in range(1, 200):
            stage.put(_tracklet(number), NoAppearance())
    assert [item.tracklet.track_id for item in delivered] == list(range(1, 200))


def test_each_piece_has_the_embedding_and_thumbnails_of_its_own_crops() -> None:
    delivered: list[EncodedTracklet] = []
    with EncodingStage(lambda _: _Shade(), _Halves(), delivered.append, True) as stage:
        stage.put(_tracklet(4), _clip())
    assert [item.tracklet.key for item in delivered] == ["hall/4", "hall/4.3"]
    assert [item.embedding.vector[0] for item in delivered] == [60, 185]
    times = [[picture.timestamp_us for picture in item.thumbnails] for item in delivered]
    assert times == [[0, 100, 200], [300, 400]]


def test_an_open_tracklet_is_not_split_and_has_the_number_that_it_will_have() -> None:
    """After a tracklet that was split the numbers of its track's later parts move on."""
    delivered: list[EncodedTracklet] = []
    splitter = _Halves()
    splitter._moved[("hall", 4)] = 2
    with EncodingStage(lambda _: _Shade(), splitter, delivered.append, True) as stage:
        assert stage.put_open(_tracklet(4), _clip())
        stage.put(_tracklet(5), _clip())
    keys = [(item.tracklet.key, item.is_open, len(item.thumbnails)) for item in delivered]
    assert keys == [("hall/4.3", True, 3), ("hall/5", False, 3), ("hall/5.3", False, 2)]
    assert delivered[0].embedding.vector[0] == 110


def test_open_tracklets_wait_for_nobody() -> None:
    """Where many wait they are not taken, and there is room for those that close."""
    go_on = threading.Event()
    delivered: list[EncodedTracklet] = []

    def deliver(item: EncodedTracklet) -> None:
        go_on.wait(30)
        delivered.append(item)

    with _stage(deliver) as stage:
        taken = [stage.put_open(_tracklet(number), NoAppearance()) for number in range(1, 200)]
        stage.put(_tracklet(1000), NoAppearance())
        go_on.set()
    assert 1 <= sum(taken) <= WAITING_OPEN + TRACKLETS_AT_ONCE
    assert [item.is_open for item in delivered] == [True] * sum(taken) + [False]


def test_what_waits_is_seen_together_and_each_by_its_encoder() -> None:
    """The first alone, in the thread's hands when the others come; then those of each encoder."""
    shade, blind = _Shade(), _Blind()
    delivered: list[EncodedTracklet] = []
    is_held, go_on = threading.Event(), threading.Event()

    def deliver(item: EncodedTracklet) -> None:
        is_held.set()
        go_on.wait(10)
        delivered.append(item)

    def encoder_of(appearance: Appearance) -> _Shade | _Blind:
        return shade if isinstance(appearance, Clip) else blind

    with EncodingStage(encoder_of, TrackletSplitter(None), deliver, True) as stage:
        stage.put(_tracklet(1), _clip())
        assert is_held.wait(10)
        for number in range(2, TRACKLETS_AT_ONCE + 3):
            stage.put(_tracklet(number), NoAppearance() if number == 4 else _clip())
        go_on.set()
    assert shade.calls == [1, TRACKLETS_AT_ONCE - 1, 1]
    assert [item.tracklet.track_id for item in delivered] == list(range(1, TRACKLETS_AT_ONCE + 3))
    of_blind = [n for n, item in enumerate(delivered, 1) if item.embedding == NoEmbedding()]
    assert of_blind == [4]


def test_thumbnails_become_crops_again() -> None:
    clip = clip_of([thumbnail.jpeg for thumbnail in make_thumbnails(_clip())])
    assert clip.crops.shape == (THUMBNAILS, 256, 128, 3)
    assert np.abs(clip.crops.mean(axis=(1, 2, 3)) - [60, 160, 210]).max() < 3


def test_what_has_stopped_it_is_told_to_whoever_asks() -> None:
    """Without anything to hand over."""

    def full(_: EncodedTracklet) -> None:
        raise StoreError("disk full")

    def ask_for_long(stage: EncodingStage) -> None:
        stage.check()
        stage.put(_tracklet(1), NoAppearance())
        for _ in range(3000):
            stage.check()
            time.sleep(0.01)

    with pytest.raises(StoreError, match="disk full"), _stage(full) as stage:
        ask_for_long(stage)


def test_a_store_that_fails_stops_the_cameras_and_not_for_ever() -> None:
    """Far more tracklets than may wait: a put raises instead of blocking."""

    def full(_: EncodedTracklet) -> None:
        raise StoreError("disk full")

    with (
        pytest.raises(StoreError, match="disk full"),
        _stage(full) as stage,
    ):
        for number in range(1, 1000):
            stage.put(_tracklet(number), NoAppearance())
    with (
        pytest.raises(StoreError, match="disk full"),
        _stage(full) as stage,
    ):
        stage.put(_tracklet(1), NoAppearance())
