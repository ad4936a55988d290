"""Simulated cameras in a site file, rendered while they are looked at."""

import threading
from pathlib import Path

import numpy as np
import pytest

from cameras.playback import play
from cameras.simulation.calibrations import simulated_calibrations
from cameras.simulation.optics import Camera
from cameras.simulation.scene import Scene
from cameras.simulation.settings import load_simulation
from cameras.simulation.timetable import timetable
from cameras.sources import open_frames
from pipeline.config import SimulationCamera, Site, load_site
from pipeline.errors import SettingsError, SourceError
from pipeline.geometry import to_floor
from pipeline.timestamps import from_iso

START_US = from_iso("2026-01-05T10:00:00Z")


def site(simulation: Path, keys: str = "", rest: str = "") -> Site:
    """A site of the tiny simulation's camera `south`, read from a file beside it."""
    path = simulation.with_name("site.yaml")
    cameras = f"cameras: [{{id: south, simulation: {simulation.name}{keys}}}]"
    path.write_text(f"site: s\n{cameras}\n{rest}", encoding="utf-8")
    return load_site(path)


def camera_of(described: Site) -> SimulationCamera:
    camera = described.cameras[0]
    assert isinstance(camera, SimulationCamera)
    return camera


def test_the_frames_are_those_of_the_simulation(tiny_simulation: Path) -> None:
    described = site(tiny_simulation)
    source = open_frames(camera_of(described), described)
    frames = list(source)

    simulation = load_simulation(tiny_simulation)
    times = timetable(simulation, simulation.cameras[1])
    assert source.expected_frames == len(frames) == len(times.indices) < 10
    assert [frame.index for frame in frames] == list(range(len(frames)))
    assert [frame.timestamp_us for frame in frames] == [
        START_US + 250_000 + 200_000 * index for index in times.indices.tolist()
    ]
    with Scene(simulation) as scene:
        for frame, index in list(zip(frames, times.indices.tolist(), strict=True))[::3]:
            _, expected = scene.frames([("north", index), ("south", index)])
            difference = np.abs(frame.image.astype(int) - expected.image)
            # Drawn at another place among others, edges round differently.
            assert difference.max() <= 8 and (difference > 1).mean() < 0.001
    assert frames[0].image.shape == (180, 320, 3)
    assert not np.array_equal(frames[0].image, frames[-1].image)


def test_sampling_and_start_are_those_of_the_site(tiny_simulation: Path) -> None:
    described = site(
        tiny_simulation,
        ", start: '2026-02-01T00:00:00Z', time_offset_ms: -50",
        "detection: {rate_hz: 1}",
    )
    frames = list(play(described.cameras[0], described))
    start_us = from_iso("2026-02-01T00:00:00Z") - 50_000
    assert frames[0].timestamp_us == start_us
    assert len(frames) == 2
    assert 1_000_000 <= frames[1].timestamp_us - start_us < 2_000_000


def test_it_can_be_closed_from_another_thread(tiny_simulation: Path) -> None:
    described = site(tiny_simulation)
    source = open_frames(camera_of(described), described)
    seen: list[int] = []
    first = threading.Event()

    def look() -> None:
        for frame in source:
            seen.append(frame.index)
            first.set()

    worker = threading.Thread(target=look)
    worker.start()
    assert first.wait(60)
    source.close()
    worker.join(60)
    assert not worker.is_alive()
    assert list(source) == []


def test_the_calibration_is_known(tiny_simulation: Path) -> None:
    calibration = simulated_calibrations(site(tiny_simulation))["south"]
    camera = Camera(load_simulation(tiny_simulation).cameras[1])
    places = np.array([(0.0, 0.0), (-2, 1), (1, 1.5)])
    pixels, _ = camera.project(np.column_stack([places, np.zeros(3)]))
    np.testing.assert_allclose(to_floor(pixels, calibration), places, atol=1e-5)


def test_what_is_wrong_is_said_in_one_line(tiny_simulation: Path, tmp_path: Path) -> None:
    described = site(tiny_simulation)
    other = camera_of(described).model_copy(update={"id": "roof"})
    with pytest.raises(SourceError, match=r"tiny.yaml: .* id roof, got north, south$"):
        open_frames(other, described)
    missing = other.model_copy(update={"simulation": tmp_path / "none.yaml"})
    with pytest.raises(SettingsError, match=r"none.yaml: cannot be read"):
        open_frames(missing, described)
