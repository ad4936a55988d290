"""The command `simulate`: a small site from its description to files that `run` can read."""

import contextlib
import io
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import av
import cv2
import numpy as np
import pytest
import yaml

import run_pipeline
from cameras.simulation.scene import Scene
from pipeline.calibration import load_calibrations
from pipeline.config import VideoCamera, load_site
from pipeline.errors import UserError
from pipeline.evaluation.ground_truth import load_ground_truth
from pipeline.geometry import to_floor
from pipeline.timestamps import from_iso

START_US = from_iso("2026-01-05T10:00:00Z")
CAMERAS = ("north", "south")


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    returncode: int
    stdout: str
    stderr: str


def simulate(description: Path, output: Path, *options: str) -> Outcome:
    stdout, stderr = io.StringIO(), io.StringIO()
    words = ["run_pipeline.py", "simulate", str(description), "--output", str(output), *options]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", words)
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            try:
                run_pipeline.main()
                code = 0
            except SystemExit as end:
                code = int(end.code or 0)
    return Outcome(code, stdout.getvalue(), stderr.getvalue())


@pytest.fixture(scope="module")
def output(tiny_simulation: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the command makes of the tiny site, masks included."""
    folder = tmp_path_factory.mktemp("simulated") / "tiny"
    assert simulate(tiny_simulation, folder, "--masks") == Outcome(0, "", "")
    return folder


@pytest.fixture(scope="module")
def truths(output: Path) -> dict[str, Mapping[str, np.ndarray]]:
    return {name: dict(np.load(output / "truth" / f"{name}.npz")) for name in CAMERAS}


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_files(output: Path, truths: dict[str, Mapping[str, np.ndarray]]) -> None:
    masks = {
        f"masks/{name}/{number + 1:06}.png"
        for name in CAMERAS
        for number in range(len(truths[name]["frame_timestamps_us"]))
    }
    folders = ("videos/{}.mp4", "ground_truth/{}.txt", "truth/{}.npz", "{}.calibration.yaml")
    each = {form.format(name) for form in folders for name in CAMERAS}
    assert set(files_of(output)) == each | masks | {"site.yaml", "simulation.yaml", "people.csv"}
    assert [path.name for path in output.iterdir() if path.name.startswith(".")] == []


def test_the_description_is_kept(tiny_simulation: Path, output: Path) -> None:
    assert (output / "simulation.yaml").read_bytes() == tiny_simulation.read_bytes()


def test_clock_and_losses_are_in_the_times(truths: dict[str, Mapping[str, np.ndarray]]) -> None:
    north, south = (truths[name]["frame_timestamps_us"] for name in CAMERAS)
    assert north.tolist() == [START_US + 200_000 * k for k in range(10)]
    assert south[0] == START_US + 250_000  # its clock is ahead
    steps = np.diff(south) // 200_000
    assert set((south - south[0]) % 200_000) == {0}
    assert steps.max() > 1  # frames are lost; those after them keep their times


def test_frames_have_the_times_of_the_truth(
    output: Path, truths: dict[str, Mapping[str, np.ndarray]]
) -> None:
    site = load_site(output / "site.yaml")
    for camera in site.cameras:
        assert isinstance(camera, VideoCamera) and camera.start is not None
        with av.open(camera.video) as container:
            frames = list(container.decode(video=0))
        start_us = from_iso(camera.start.isoformat())
        times = [start_us + round(frame.pts * frame.time_base * 1_000_000) for frame in frames]
        assert times == truths[camera.id]["frame_timestamps_us"].tolist()
        assert (frames[0].width, frames[0].height) == (320, 180)


def test_everybody_seen_is_in_the_ground_truth(
    output: Path, truths: dict[str, Mapping[str, np.ndarray]]
) -> None:
    found = load_ground_truth(output / "ground_truth", CAMERAS)
    for name, truth in truths.items():
        assert found[name].counted.sum() > 10
        assert found[name].tracks.frame_indices.max() < len(truth["frame_timestamps_us"])
        is_seen = truth["visibility"] > 0
        assert found[name].tracks.ids.tolist() == truth["identity"][is_seen].tolist()
        assert found[name].tracks.frame_indices.tolist() == truth["frame"][is_seen].tolist()
    assert {*found["north"].tracks.ids} & {*found["south"].tracks.ids}  # one number, one person


def test_boxes_hold_the_pixels_of_their_people(
    output: Path, truths: dict[str, Mapping[str, np.ndarray]]
) -> None:
    for name, truth in truths.items():
        for row, frame in enumerate(truth["frame"]):
            path = output / "masks" / name / f"{frame + 1:06}.png"
            mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) == truth["identity"][row]
            left, top, right, bottom = truth["full_box"][row]
            outer = mask.copy()
            outer[
                max(0, int(top) - 1) : max(0, int(bottom) + 2),
                max(0, int(left) - 1) : max(0, int(right) + 2),
            ] = False
            # Only things carried reach beyond the box of the person.
            assert outer.sum() <= 0.4 * mask.sum()
            visible = truth["visible_box"][row]
            if truth["visibility"][row] > 0.99:
                # Tops of heads and tips of feet may fall between the pixels' centres.
                np.testing.assert_allclose(visible, truth["full_box"][row], atol=2.5)
            if not mask.any():
                assert truth["visibility"][row] == 0 and not visible.any()


def test_the_calibration_shows_where_people_stand(
    output: Path, truths: dict[str, Mapping[str, np.ndarray]]
) -> None:
    calibrations = load_calibrations(load_site(output / "site.yaml"))
    for name, truth in truths.items():
        is_whole = truth["visibility"] > 0.9
        boxes = truth["full_box"][is_whole].astype(np.float64)
        feet = np.column_stack([(boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]])
        floor = to_floor(feet, calibrations[name])
        away = np.linalg.norm(floor - truth["ground"][is_whole], axis=1)
        assert np.median(away) < 0.5  # half a step
        assert away.max() < 1.2


def test_a_name_for_everybody(output: Path) -> None:
    lines = (output / "people.csv").read_text().splitlines()
    assert lines[0] == "identity,description,camera,first_seen,last_seen,frames"
    assert {line.split(",")[0] for line in lines[1:]} == {"1", "2", "3"}


def test_the_same_command_gives_the_same_bytes(
    tiny_simulation: Path, output: Path, tmp_path: Path
) -> None:
    assert simulate(tiny_simulation, tmp_path, "--masks").returncode == 0
    assert files_of(tmp_path) == files_of(output)


def test_a_failure_leaves_nothing_new(
    tiny_simulation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "people.csv").write_text("of an earlier run")
    frames, calls = Scene.frames, iter(range(3))

    def failing(self: Scene, wanted: list[tuple[str, int]]) -> object:
        if next(calls, None) is None:
            raise UserError("the graphics driver has gone")
        return frames(self, wanted)

    monkeypatch.setattr(Scene, "frames", failing)
    assert simulate(tiny_simulation, tmp_path) == Outcome(
        2, "", "error: the graphics driver has gone\n"
    )
    assert files_of(tmp_path) == {"people.csv": b"of an earlier run"}


def test_an_interrupted_command_leaves_no_folder(
    tiny_simulation: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def terminated(*_: object) -> NoReturn:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("went on")

    monkeypatch.setattr(Scene, "frames", terminated)
    assert simulate(tiny_simulation, tmp_path / "new" / "out").returncode == 130
    assert list(tmp_path.iterdir()) == []


def test_cameras_that_are_no_longer_described_leave_nothing(
    tiny_simulation: Path, output: Path, tmp_path: Path
) -> None:
    shutil.copytree(output, tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    tree = yaml.safe_load(tiny_simulation.read_text())
    tree["cameras"] = [camera for camera in tree["cameras"] if camera["id"] == "north"]
    description = tmp_path / "north.yaml"
    description.write_text(yaml.safe_dump(tree))
    assert simulate(description, tmp_path / "out") == Outcome(0, "", "")
    names = set(files_of(tmp_path / "out"))
    kept = {"site.yaml", "simulation.yaml", "people.csv", "notes.txt"}
    forms = ("videos/{}.mp4", "ground_truth/{}.txt", "truth/{}.npz", "{}.calibration.yaml")
    assert names == kept | {form.format("north") for form in forms}


def test_a_description_is_never_replaced(tiny_simulation: Path, tmp_path: Path) -> None:
    description = tmp_path / "site.yaml"
    shutil.copy(tiny_simulation, description)
    outcome = simulate(description, tmp_path)
    assert outcome.returncode == 2
    assert "would replace it" in outcome.stderr and outcome.stderr.count("\n") == 1
    assert files_of(tmp_path) == {"site.yaml": tiny_simulation.read_bytes()}


def test_a_site_that_cannot_be_walked_names_its_file(tiny_simulation: Path, tmp_path: Path) -> None:
    tree = yaml.safe_load(tiny_simulation.read_text())
    tree["paths"] = []
    description = tmp_path / "nowhere.yaml"
    description.write_text(yaml.safe_dump(tree))
    outcome = simulate(description, tmp_path / "out")
    assert outcome.returncode == 2
    assert outcome.stderr.startswith(f"error: {description}: ")


def _broken(path: Path) -> None:
    path.write_text("site: s\nstart: 2026-01-05T10:00:00\n")


def _missing(path: Path) -> None:
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("spoil", [_broken, _missing])
def test_a_wrong_description_is_said_in_one_line(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "site.yaml"
    spoil(path)
    outcome = simulate(path, tmp_path / "out")
    assert outcome.returncode == 2
    assert outcome.stderr.startswith(f"error: {path}: ") and outcome.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_said_in_one_line(
    tiny_simulation: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    outcome = simulate(tiny_simulation, tmp_path / "taken" / "out")
    assert outcome.returncode == 2
    assert "cannot be written" in outcome.stderr and outcome.stderr.count("\n") == 1
