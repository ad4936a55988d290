"""What counts as motion: people, not noise or light."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cameras.motion import MotionGate, has_moved, shrink
from pipeline.types import Frame, ImageArray


def _scene(seed: int = 0, shape: tuple[int, int] = (360, 640), noise: float = 3.0) -> ImageArray:
    """A room with some structure, seen with noise that another seed draws anew."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    room = 90 + 40 * np.sin(x / 37) * np.cos(y / 23)
    grain = np.random.default_rng(seed).normal(0, noise, (*shape, 3))
    return np.clip(room[..., None] + grain, 0, 255).astype(np.uint8)


def _with_person(scene: ImageArray, x: int) -> ImageArray:
    scene[200:260, x : x + 22] = 200
    return scene


def _moved(before: ImageArray, now: ImageArray) -> bool:
    return has_moved(shrink(before), shrink(now))


@pytest.mark.parametrize("noise", [0, 3, 12])
@pytest.mark.parametrize("shape", [(360, 640), (240, 320), (1080, 1920), (640, 360)])
def test_noise_does_not_move(shape: tuple[int, int], noise: float) -> None:
    assert not _moved(_scene(1, shape, noise), _scene(2, shape, noise))


def test_light_does_not_move() -> None:
    brighter = (_scene(2).astype(np.int64) + 12).astype(np.uint8)
    assert not _moved(_scene(1), brighter)


def test_a_person_who_comes_or_takes_a_step_moves() -> None:
    assert _moved(_scene(1), _with_person(_scene(2), 100))
    assert _moved(_with_person(_scene(1), 100), _with_person(_scene(2), 110))
    assert not _moved(_with_person(_scene(1), 100), _with_person(_scene(2), 100))


@settings(max_examples=20)
@given(st.integers(0, 600), st.integers(0, 340))
def test_motion_is_seen_everywhere(x: int, y: int) -> None:
    now = _scene(2)
    now[y : y + 40, x : x + 20] = 220
    assert _moved(_scene(1), now)


def test_frames_of_another_size_have_moved() -> None:
    assert _moved(_scene(1), _scene(1, (480, 640)))


def _opened(gate: MotionGate, images: list[ImageArray], rate_hz: float = 10) -> list[int]:
    frames = [Frame("hall", n, round(n * 1e6 / rate_hz), image) for n, image in enumerate(images)]
    return [frame.index for frame in frames if gate.opens(frame)]


def test_a_still_camera_is_looked_at_now_and_then() -> None:
    """Every 2 seconds at 10 frames a second."""
    assert _opened(MotionGate(2), [_scene(n) for n in range(50)]) == [0, 20, 40]


def test_without_a_limit_every_frame_is_looked_at() -> None:
    assert _opened(MotionGate(None), [_scene(1)] * 5) == [0, 1, 2, 3, 4]


def test_slow_change_adds_up() -> None:
    """Somebody steps out of the dark: no two frames in a row differ, but the gate opens."""
    images = [_scene(n) for n in range(40)]
    for number, image in enumerate(images):
        image[200:260, 100:122] += np.uint8(number)
    assert not any(_moved(a, b) for a, b in pairwise(images))
    assert len(_opened(MotionGate(60), images)) >= 3
