"""Tracklets on their way from the cameras to the store."""

import cv2
import numpy as np
import pytest

from cameras.encoding import THUMBNAILS, EncodingStage, make_thumbnails
from pipeline.errors import StoreError
from pipeline.types import (
    Appearance,
    Clip,
    EncodedTracklet,
    NoAppearance,
    NoEmbedding,
    Tracklet,
)


def _tracklet(number: int) -> Tracklet:
    return Tracklet("hall", number, 1, np.arange(1), np.arange(1), np.ones((1, 4)), np.ones(1))


def _clip() -> Clip:
    shades = np.array([10, 60, 110, 160, 210], np.uint8)
    crops = np.ones((5, 256, 128, 3), np.uint8) * shades[:, None, None, None]
    return Clip(crops, np.arange(5) * 100, np.array([0.1, 0.9, 0.2, 0.8, 0.5]))


def _no_embedding(_: Appearance) -> NoEmbedding:
    return NoEmbedding()


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
    with EncodingStage(_no_embedding, delivered.append, thumbnails=False) as stage:
        stage.put(_tracklet(1), _clip())
    assert delivered[0].thumbnails == ()


def test_everything_put_is_delivered_in_order() -> None:
    delivered: list[EncodedTracklet] = []
    with EncodingStage(_no_embedding, delivered.append, thumbnails=True) as stage:
        for number in range(1, 200):
            stage.put(_tracklet(number), NoAppearance())
    assert [item.tracklet.track_id for item in delivered] == list(range(1, 200))


def test_a_store_that_fails_stops_the_cameras_and_not_for_ever() -> None:
    """Far more tracklets than may wait: a put raises instead of blocking."""

    def full(_: EncodedTracklet) -> None:
        raise StoreError("disk full")

    with (
        pytest.raises(StoreError, match="disk full"),
        EncodingStage(_no_embedding, full, thumbnails=True) as stage,
    ):
        for number in range(1, 1000):
            stage.put(_tracklet(number), NoAppearance())
    with (
        pytest.raises(StoreError, match="disk full"),
        EncodingStage(_no_embedding, full, thumbnails=True) as stage,
    ):
        stage.put(_tracklet(1), NoAppearance())
