"""Tracklets with just what association looks at."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.types import Tracklet

MakeTracklet = Callable[..., Tracklet]


@pytest.fixture(scope="session")
def tracklet() -> MakeTracklet:
    """A tracklet of a camera from one second to another, five boxes a second."""

    def make(
        camera: str,
        number: int,
        start: float,
        end: float,
        box: tuple[float, float, float, float] = (0, 0, 10, 20),
        part: int = 1,
    ) -> Tracklet:
        count = max(2, round((end - start) * 5) + 1)
        times = np.linspace(start * 1e6, end * 1e6, count).astype(np.int64)
        return Tracklet(
            camera, number, part, np.arange(count), times, np.tile(box, (count, 1)), np.ones(count)
        )

    return make
