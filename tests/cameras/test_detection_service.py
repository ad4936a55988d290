"""One detector for many workers."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest
import supervision as sv

from cameras.detection_service import DetectionService
from pipeline.types import ImageArray


def _brightness(images: Sequence[ImageArray]) -> list[sv.Detections]:
    """A detector whose answer names the image: one box whose left edge is the pixel value."""
    return [
        sv.Detections(
            xyxy=np.array([[image[0, 0, 0], 0, 300, 10]], np.float32),
            confidence=np.ones(1, np.float32),
        )
        for image in images
    ]


def _image(value: int) -> ImageArray:
    return np.full((4, 4, 3), value, np.uint8)


@pytest.mark.parametrize("lanes", [1, 3])
def test_everyone_gets_their_own_answer(lanes: int) -> None:
    answers: dict[int, list[int]] = {}

    def worker(number: int, service: DetectionService) -> None:
        futures = [service.submit(_image(number * 20 + frame)) for frame in range(20)]
        answers[number] = [int(future.result().xyxy[0, 0]) for future in futures]

    with DetectionService(_brightness, max_batch=3, lanes=lanes) as service:
        threads = [threading.Thread(target=worker, args=(n, service)) for n in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert answers == {n: list(range(n * 20, n * 20 + 20)) for n in range(5)}


def test_waiting_frames_form_batches_of_limited_size() -> None:
    sizes: list[int] = []
    first_is_in, go_on = threading.Event(), threading.Event()

    def detect(images: Sequence[ImageArray]) -> list[sv.Detections]:
        sizes.append(len(images))
        first_is_in.set()
        go_on.wait(10)
        return _brightness(images)

    with DetectionService(detect, max_batch=3) as service:
        futures = [service.submit(_image(0))]
        assert first_is_in.wait(10)
        futures += [service.submit(_image(value)) for value in range(1, 6)]
        go_on.set()
        for future in futures:
            future.result(10)
    assert sizes == [1, 3, 2]


def test_a_failure_reaches_those_who_wait_and_the_service_goes_on() -> None:
    def detect(images: Sequence[ImageArray]) -> list[sv.Detections]:
        if images[0][0, 0, 0] == 13:
            raise RuntimeError("bad luck")
        return _brightness(images)

    with DetectionService(detect, max_batch=1) as service:
        failed, fine = service.submit(_image(13)), service.submit(_image(7))
        with pytest.raises(RuntimeError, match="bad luck"):
            failed.result(10)
        assert fine.result(10).xyxy[0, 0] == 7


def test_an_image_is_asked_for_at_its_turn() -> None:
    first, go_on, latest = threading.Event(), threading.Event(), [1]

    def detect(images: Sequence[ImageArray]) -> list[sv.Detections]:
        first.set()
        assert go_on.wait(10)
        return _brightness(images)

    with DetectionService(detect, max_batch=1) as service:
        service.submit(_image(0))
        assert first.wait(10)
        future = service.submit_later(lambda: _image(latest[0]))
        latest[0] = 2
        go_on.set()
        assert future.result(10).xyxy[0, 0] == 2


def test_lanes_work_side_by_side() -> None:
    """Each call waits for the other: were there one lane, none would come back."""
    both = threading.Barrier(2, timeout=10)
    sizes: list[int] = []

    def detect(images: Sequence[ImageArray]) -> list[sv.Detections]:
        sizes.append(len(images))
        both.wait()
        return _brightness(images)

    with DetectionService(detect, max_batch=1, lanes=2) as service:
        futures = [service.submit(_image(value)) for value in range(4)]
        assert [f.result(20).xyxy[0, 0] for f in futures] == [0, 1, 2, 3]
    assert sizes == [1, 1, 1, 1]
