"""Noise, softness and lost frames of simulated cameras."""

from typing import Any

import numpy as np
import pytest

from cameras.simulation.sensor import DARK_CORNERS, LEVELS_AT_FULL_NOISE, Sensor
from cameras.simulation.settings import LightSettings, SimulatedCamera
from pipeline.types import ImageArray

GREY = np.full((90, 160, 3), 128, np.uint8)


def sensor(time: Any = "day", seed: int = 3, **settings: Any) -> Sensor:
    plain = {"id": "c", "position": (0, 0, 3), "look_at": (5, 0, 0), "image_size": (160, 90)}
    camera = SimulatedCamera.model_validate({**plain, **settings})
    return Sensor(camera, LightSettings(time=time), seed)


def middle(image: ImageArray) -> np.ndarray:
    return image[30:60, 50:110].astype(float)


def deviation(image: ImageArray) -> float:
    return float(middle(image).std())


def test_a_frame_is_always_alike_and_frames_differ() -> None:
    first = sensor()
    later = first(GREY, 7)
    np.testing.assert_array_equal(sensor()(GREY, 7), later)  # whatever came before
    assert (first(GREY, 8) != later).mean() > 0.5
    assert (sensor(seed=4)(GREY, 7) != later).mean() > 0.5
    assert (sensor(id="d")(GREY, 7) != later).mean() > 0.5


@pytest.mark.parametrize("time", ["day", "night"])
@pytest.mark.parametrize("infrared", [False, True])
def test_keeps_the_mean(time: str, infrared: bool) -> None:
    frames = sensor(time, noise=0.5, infrared=infrared)
    mean = np.mean([middle(frames(GREY, index)).mean() for index in range(20)])
    assert mean == pytest.approx(128, abs=1)


def test_noise_has_the_wanted_strength() -> None:
    quiet, middling, loud = (deviation(sensor(noise=share)(GREY, 0)) for share in (0, 0.4, 1))
    assert quiet < 0.5  # the corners, in whole grey levels
    # The part that stays in place adds a little to what changes.
    assert middling == pytest.approx(0.4 * LEVELS_AT_FULL_NOISE, rel=0.15)
    assert loud == pytest.approx(LEVELS_AT_FULL_NOISE, rel=0.15)


def test_the_dark_is_noisier() -> None:
    day, dusk, night = (deviation(sensor(time)(GREY, 0)) for time in ("day", "dusk", "night"))
    assert day < dusk < night
    assert deviation(sensor(infrared=True)(GREY, 0)) > day
    dark, bright = (deviation(sensor(noise=0.4)(GREY // 2 + add, 0)) for add in (0, 100))
    assert dark > bright


def test_infrared_stays_grey() -> None:
    seen = sensor(infrared=True, noise=1)(GREY, 0)
    assert (seen == seen[..., :1]).all()


def test_corners_are_darker() -> None:
    seen = sensor(noise=0)(GREY, 0)
    assert seen[0, 0, 0] == pytest.approx(128 * (1 - DARK_CORNERS), abs=2)
    assert middle(seen).mean() == pytest.approx(128, abs=1)


def test_soft_lens_widens_edges() -> None:
    edge = GREY.copy()
    edge[:, 80:] = 200
    sharp, soft = (
        np.abs(np.diff(sensor(noise=0, lens={"softness_px": width})(edge, 0)[45, :, 0].astype(int)))
        for width in (0, 2)
    )
    assert sharp.max() > 70  # with the halo of sharpening
    assert soft.max() < 30
