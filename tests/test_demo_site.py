"""The demo site as it is kept in the repository: whole, agreeing with itself, and scored fairly."""

import json
import sys
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import yaml

import run_pipeline
from cameras.simulation.settings import load_simulation
from pipeline.config import load_site
from pipeline.evaluation.ground_truth import load_ground_truth

DEMO = Path(__file__).resolve().parents[1] / "demo"
CAMERAS = ("plaza_north", "plaza_south", "court", "garden")
LARGEST_BYTES = 12_000_000

CORNERS = {"court": (23.0705, 1.0695), "garden": (11.068, -11.933)}
"""Where two walls of different colours meet: ends and thickness as in simulation.yaml, less the
half millimetre a wall by which later ones are thinner."""


def program(*words: str) -> None:
    """Run the command line; it must end well."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["run_pipeline.py", *words])
        with pytest.raises(SystemExit) as end:
            run_pipeline.main()
    assert end.value.code in (0, None)


def test_it_is_whole_and_small() -> None:
    simulation = load_simulation(DEMO / "simulation.yaml")
    for name in ("site.yaml", "recorded.yaml"):
        site = load_site(DEMO / name)
        assert tuple(camera.id for camera in site.cameras) == CAMERAS
        assert all(camera.calibration and camera.calibration.exists() for camera in site.cameras)
    assert tuple(camera.id for camera in simulation.cameras) == CAMERAS
    assert sum(path.stat().st_size for path in DEMO.rglob("*")) <= LARGEST_BYTES


@pytest.mark.parametrize("camera", CAMERAS)
def test_every_video_lasts_as_long_as_its_truth(camera: str) -> None:
    simulation = load_simulation(DEMO / "simulation.yaml")
    with av.open(str(DEMO / f"videos/{camera}.mp4")) as video:
        stream = video.streams.video[0]
        times = sorted(packet.pts for packet in video.demux(stream) if packet.pts is not None)
        seconds = float((times[-1] - times[0]) * stream.time_base)
    frames = round(simulation.duration_seconds * 10)
    assert len(times) == frames
    assert seconds == pytest.approx(simulation.duration_seconds - 0.1, abs=1e-3)
    rows = np.loadtxt(DEMO / f"ground_truth/{camera}.txt", delimiter=",")
    assert 1 <= rows[:, 0].min() <= rows[:, 0].max() <= frames


def test_the_people_are_those_that_were_asked_for() -> None:
    """14 to 16 of them; most are seen in more than one of the three places, several alike."""
    simulation = load_simulation(DEMO / "simulation.yaml")
    truth = load_ground_truth(DEMO / "ground_truth", list(CAMERAS))
    assert set(truth) == set(CAMERAS)
    places = {"plaza": ("plaza_north", "plaza_south"), "court": ("court",), "garden": ("garden",)}
    seen: dict[str, set[int]] = {
        place: {
            int(row[1])
            for camera in cameras
            for row in np.loadtxt(DEMO / f"ground_truth/{camera}.txt", delimiter=",")
            if row[6] == 1
        }
        for place, cameras in places.items()
    }
    everybody = set.union(*seen.values())
    assert everybody == set(range(1, simulation.people.count + 1))
    assert 12 <= len(everybody) <= 16
    assert simulation.people.alike >= 3
    travelled = [p for p in everybody if sum(p in people for people in seen.values()) > 1]
    assert len(travelled) >= 10


@pytest.mark.parametrize("camera", CORNERS)
def test_calibrations_agree_with_the_pictures(camera: str) -> None:
    """The edge between two walls is where the calibration has it, to half a pixel."""
    tree = yaml.safe_load((DEMO / f"{camera}.calibration.yaml").read_text(encoding="utf-8"))
    rotation, translation, intrinsics, distortion = (
        np.array(tree[key], float)
        for key in ("rotation", "translation", "intrinsics", "distortion")
    )
    points = np.array([[*CORNERS[camera], height] for height in np.linspace(0.9, 2.3, 40)])
    pixels = cv2.projectPoints(
        points, cv2.Rodrigues(rotation)[0], translation, intrinsics, distortion
    )[0][:, 0]
    offsets = np.arange(-4, 4.01, 0.1)
    beside = pixels[:, None] + np.stack([offsets, np.zeros_like(offsets)], axis=1)  # (40, 81, 2)
    samples = cv2.remap(
        background(camera).astype(np.float32), beside.astype(np.float32), None, cv2.INTER_LINEAR
    )
    profile = samples.mean(axis=0)
    left, right = profile[offsets < -2].mean(), profile[offsets > 2].mean()
    assert abs(left - right) > 20
    # Where the profile is half of the one wall, half of the other.
    crossings = np.flatnonzero(np.diff(np.sign(profile - (left + right) / 2)))
    assert len(crossings) == 1
    assert abs(offsets[crossings[0]]) < 0.5


def background(camera: str) -> np.ndarray:
    """The grey picture (H, W) without people."""
    with av.open(str(DEMO / f"videos/{camera}.mp4")) as video:
        frames = [
            frame.to_ndarray(format="gray")
            for index, frame in enumerate(video.decode(video=0))
            if index % 50 == 0
        ]
    return np.asarray(np.median(frames, axis=0))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The demo's recorded rows, run through."""
    url = f"sqlite:///{tmp_path_factory.mktemp('demo') / 'tracking.db'}"
    program("run", str(DEMO / "recorded.yaml"), "--database", url)
    return url


def scores(database: str, truth: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    program("evaluate", "--ground-truth", str(truth), "--database", database, "--json")
    tree: dict[str, Any] = json.loads(capsys.readouterr().out)
    return tree


def test_scores_fall_when_the_ids_of_the_truth_are_shuffled(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Renaming people in each camera for itself leaves the cameras' scores, and ruins the site's.

    Giving every row a random id ruins all.
    """
    real = scores(database, DEMO / "ground_truth", capsys)
    assert real["multi_camera"]["IDF1"] > 60
    renamed, random = tmp_path / "renamed", tmp_path / "random"
    for folder in (renamed, random):
        folder.mkdir()
    rng = np.random.default_rng(0)
    for camera in CAMERAS:
        rows = (DEMO / f"ground_truth/{camera}.txt").read_text().splitlines()
        fields = [row.split(",") for row in rows]
        names = rng.permutation(16) + 1
        other = [[f[0], str(names[int(f[1]) - 1]), *f[2:]] for f in fields]
        (renamed / f"{camera}.txt").write_text("".join(",".join(f) + "\n" for f in other))
        ids_of: dict[str, list[str]] = {}
        for f in fields:
            ids_of.setdefault(f[0], []).append(f[1])
        shuffled = {frame: iter(rng.permutation(ids)) for frame, ids in ids_of.items()}
        mixed = [[f[0], str(next(shuffled[f[0]])), *f[2:]] for f in fields]
        (random / f"{camera}.txt").write_text("".join(",".join(f) + "\n" for f in mixed))
    by_camera = scores(database, renamed, capsys)
    assert by_camera["per_camera"] == real["per_camera"]
    assert by_camera["multi_camera"]["IDF1"] < real["multi_camera"]["IDF1"] - 20
    by_row = scores(database, random, capsys)
    assert by_row["multi_camera"]["IDF1"] < real["multi_camera"]["IDF1"] - 20
    for camera in CAMERAS:
        assert by_row["per_camera"][camera]["IDF1"] < real["per_camera"][camera]["IDF1"]


def test_its_site_file_belongs_to_its_description() -> None:
    site, simulation = load_site(DEMO / "site.yaml"), load_simulation(DEMO / "simulation.yaml")
    assert site.site == simulation.site
    assert [camera.start for camera in site.cameras] == [simulation.start] * len(CAMERAS)
