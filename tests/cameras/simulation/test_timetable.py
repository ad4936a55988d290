"""When simulated cameras take their pictures."""

from pathlib import Path
from typing import Any

import pytest

from cameras.simulation.settings import Simulation
from cameras.simulation.timetable import Timetable, camera_of, timetable
from pipeline.errors import SourceError
from pipeline.timestamps import from_iso

START_US = from_iso("2026-01-05T10:00:00Z")


def simulation(duration_seconds: float = 2, seed: int = 0, **camera: Any) -> Simulation:
    placed = {"position": (0, 0, 3), "look_at": (5, 0, 0)}
    return Simulation.model_validate(
        {
            "site": "s",
            "start": "2026-01-05T10:00:00Z",
            "duration_seconds": duration_seconds,
            "seed": seed,
            "floors": [{"area": (0, 0, 5, 5)}],
            "stops": {"door": {"position": (0, 0), "kind": "entry"}},
            "paths": [],
            "cameras": [{"id": "a", **placed, **camera}, {"id": "b", **placed, **camera}],
        }
    )


def table(camera: int = 0, **settings: Any) -> Timetable:
    described = simulation(**settings)
    return timetable(described, described.cameras[camera])


def test_frames_come_at_the_rate_until_the_end() -> None:
    times = table(frame_rate=29.97)
    assert times.indices.tolist() == list(range(60))  # frame 59 comes at 1.969 s, 60 at 2.002 s
    assert times.start_us == START_US
    assert times.true_seconds(30) == pytest.approx(30 / 29.97)
    assert times.offset_us(30) == 1_001_001
    assert len(table(frame_rate=10).indices) == 20  # a frame at 2.0 s would be the next video's
    assert len(table(frame_rate=0.4).indices) == 1


def test_a_clock_ahead_says_later_but_sees_the_same() -> None:
    ahead, right = table(clock_offset_ms=250.5), table()
    assert ahead.start_us == right.start_us + 250_500
    assert ahead.true_seconds(7) == right.true_seconds(7)
    assert ahead.offset_us(7) == right.offset_us(7)


def test_lost_frames_leave_gaps() -> None:
    times = table(duration_seconds=200, dropped=0.25)
    assert 1400 <= len(times.indices) <= 1600  # of 2000; 1500 +- 5 deviations
    assert times.indices[0] == 0
    assert (times.indices[1:] > times.indices[:-1]).all()
    assert times.indices[-1] >= 1980
    assert table(dropped=1).indices.tolist() == [0]


def test_losses_follow_from_seed_and_camera_alone() -> None:
    lost = {"duration_seconds": 60, "dropped": 0.5}
    same = table(**lost).indices.tolist()
    assert table(**lost).indices.tolist() == same
    assert table(camera=1, **lost).indices.tolist() != same
    assert table(seed=1, **lost).indices.tolist() != same


def test_cameras_are_found_by_id() -> None:
    assert camera_of(simulation(), "b", Path("x.yaml")).id == "b"
    with pytest.raises(SourceError, match=r"^x.yaml: expected a camera with the id c, got a, b$"):
        camera_of(simulation(), "c", Path("x.yaml"))
