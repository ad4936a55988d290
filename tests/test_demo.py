"""The command `demo` on a tiny site that the test makes: films, recorded rows, ground truth."""

import contextlib
import io
import json
import re
import shutil
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import av
import cv2
import numpy as np
import pytest
import yaml

import run_pipeline
from commands.demo import score
from commands.models import choose_models
from pipeline.bundled import BUNDLED, DEFAULTS
from pipeline.config import VideoCamera
from pipeline.evaluation.multi_camera import EvaluationTree
from storage.store import open_store

Film = Callable[..., Path]
RED, BLUE, ORANGE = (20, 20, 255), (255, 20, 20), (20, 120, 255)
PASSAGE, FRAMES = 60, 160
WIDE, TALL = 64, 128

VECTORS = {1: (1.0, 0.0, 0.0), 2: (0.0, 1.0, 0.0), 3: (0.7, 0.0, 0.714)}
"""Embeddings of red, blue and orange: red and orange are alike, with a cosine of .7."""
START = {"north": {1: 0, 2: 10, 3: 5}, "gate": {1: 90, 2: 95}}
"""The frame in which each person enters each camera."""
TOP = {1: 16, 2: 240, 3: 128}
COLOURS = {1: RED, 2: BLUE, 3: ORANGE}

SIMULATION = """\
site: demo
start: 2026-01-05T10:00:00Z
floors: [{area: [0, -1, 4, 1]}]
walls:
  - start: [0, 1]
    end: [4, 1]
    openings: [{at_m: 1, width_m: 1}]
columns: [{position: [2, 0]}]
stops: {door: {position: [0, 0], kind: entry}}
paths: []
cameras: [{id: north, position: [0, 0, 3], look_at: [2, 0, 0]}]
"""


def place(person: int, camera: str, frame: int) -> tuple[int, int] | None:
    step = frame - START[camera][person]
    return (8 * step + 40, TOP[person]) if 0 <= step < PASSAGE else None


def walk(person: int, camera: str) -> tuple[tuple[int, int, int], Callable[[int], Any]]:
    return COLOURS[person], lambda frame: place(person, camera, frame)


def rows_of(camera: str, number: Callable[[int], int]) -> tuple[list[str], list[int]]:
    """MOTChallenge rows, and whose each is."""
    seen = [
        (frame, person, corner)
        for frame in range(FRAMES)
        for person in START[camera]
        if (corner := place(person, camera, frame)) is not None
    ]
    rows = [f"{f + 1},{number(p)},{x},{y},{WIDE},{TALL},1,-1,-1,-1\n" for f, p, (x, y) in seen]
    return rows, [person for _, person, _ in seen]


def write_camera(folder: Path, camera: str, left_m: float) -> None:
    """Detections, embeddings, truth and calibration: 500 pixels a metre."""
    detections, people = rows_of(camera, lambda _: -1)
    (folder / f"recorded/{camera}.det.txt").write_text("".join(detections), encoding="utf-8")
    vectors = np.array([VECTORS[person] for person in people], np.float32)
    np.savez(folder / f"recorded/{camera}.embeddings.npz", embedding=vectors)
    truth, _ = rows_of(camera, lambda person: person)
    (folder / f"ground_truth/{camera}.txt").write_text("".join(truth), encoding="utf-8")
    homography = [[0.002, 0, left_m], [0, -0.002, 0.5], [0, 0, 1]]
    text = yaml.safe_dump({"ground_homography": homography})
    (folder / f"calibrations/{camera}.yaml").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, film: Film) -> Path:
    """A demo folder: red and blue walk through both cameras, orange through the first only."""
    folder = tmp_path_factory.mktemp("demo-site")
    for name in ("videos", "recorded", "ground_truth", "calibrations"):
        (folder / name).mkdir()
    for camera, left_m in (("north", 0.0), ("gate", 2.0)):
        people = [walk(person, camera) for person in START[camera]]
        film(folder / f"videos/{camera}.mp4", people, FRAMES)
        write_camera(folder, camera, left_m)
    (folder / "simulation.yaml").write_text(SIMULATION, encoding="utf-8")
    for name, keys in (
        ("site", {"video": "videos/{}.mp4"}),
        (
            "recorded",
            {
                "detections": "recorded/{}.det.txt",
                "embeddings": "recorded/{}.embeddings.npz",
                "frame_rate": 25,
                "image_size": [640, 384],
            },
        ),
    ):
        cameras = [
            {"id": camera, "calibration": f"calibrations/{camera}.yaml"}
            | {k: v.format(camera) if isinstance(v, str) else v for k, v in keys.items()}
            for camera in START
        ]
        tree = {"site": "tiny", "start": "2026-01-05T10:00:00Z", "cameras": cameras}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    return folder


def demo(*arguments: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of the command, in this process."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code: int | str | None = 0
    with (
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", ["run_pipeline.py", "demo", *map(str, arguments)])
        patch.setattr(socket, "getaddrinfo", _no_network)
        try:
            run_pipeline.main()
        except SystemExit as end:
            code = end.code
    return int(code or 0), stdout.getvalue(), stderr.getvalue()


def _no_network(host: str, *_: object) -> NoReturn:
    raise AssertionError(f"asked for {host}")


@pytest.fixture(scope="module")
def report(site: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The report's folder, and what was printed."""
    output = tmp_path_factory.mktemp("demo") / "report"
    code, stdout, stderr = demo("--demo", site, "--output", output, "--recorded")
    assert code == 0, stderr
    return output, stdout, stderr


def test_all_pictures_and_the_page_are_there(report: tuple[Path, str, str]) -> None:
    made = sorted(path.name for path in report[0].iterdir())
    sheets = [f"identity-000{number}.jpg" for number in (1, 2, 3)]
    charts = ["floor_plan.png", "timeline.png", "index.html", "demo.db"]
    assert made == sorted(["north.mp4", "gate.mp4", "mosaic.mp4", *sheets, *charts])


def test_pictures_of_an_earlier_report_are_removed_and_cameras_without_truth_are_named(
    site: Path, tmp_path: Path
) -> None:
    folder, output = tmp_path / "demo", tmp_path / "report"
    shutil.copytree(site, folder)
    (folder / "ground_truth/gate.txt").unlink()
    output.mkdir()
    (output / "identity-0099.jpg").write_bytes(b"of somebody else")
    code, _, stderr = demo("--demo", folder, "--output", output, "--recorded")
    assert code == 0, stderr
    assert "camera gate has no ground truth: not evaluated" in stderr
    assert not (output / "identity-0099.jpg").exists()
    assert (output / "identity-0001.jpg").exists()


def test_weights_are_named_and_progress_is_told(report: tuple[Path, str, str]) -> None:
    _, stdout, stderr = report
    for text in (stdout, stderr):
        assert "weights: none" in text
        assert "recordings made once with other people's weights" in text
    assert "drawing gate" in stderr


def test_the_page_needs_nothing_from_elsewhere_and_shows_everything(
    report: tuple[Path, str, str],
) -> None:
    page = (report[0] / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'(?:src|href)="([^"]+)"', page))
    assert named == {path.name for path in report[0].iterdir()} - {"index.html", "demo.db"}
    assert "<script" not in page
    assert "http" not in page
    assert "one identity per tracklet" in page


def test_contact_sheets_have_pixels_though_only_rows_were_recorded(
    report: tuple[Path, str, str],
) -> None:
    """Thumbnails are cut from the films: the first identity's are red."""
    sheet = cv2.imread(str(report[0] / "identity-0001.jpg"))
    assert sheet is not None
    reddish = (np.abs(sheet.astype(int) - RED) < 40).all(axis=2).mean()
    assert reddish > 0.3


def test_the_mosaic_shows_all_cameras_at_their_times(report: tuple[Path, str, str]) -> None:
    with av.open(str(report[0] / "mosaic.mp4")) as video:
        frames = list(video.decode(video=0))
    assert len(frames) == FRAMES
    assert frames[100].time == pytest.approx(4.0, abs=1e-3)
    picture = frames[100].to_ndarray(format="bgr24").astype(int)
    left, right = picture[:, : picture.shape[1] // 2], picture[:, picture.shape[1] // 2 :]
    shares = [(np.abs(half - RED) < 60).all(axis=2).mean() for half in (left, right)]
    assert shares[0] < 0.005 < 0.02 < shares[1]  # red has left the north and is at the gate


def scores_of(output: Path, truth: Path) -> dict[str, EvaluationTree]:
    """Of the stored tracks, against a truth."""
    with open_store(f"sqlite:///{output}/demo.db", create=False) as store:
        return {name: result.to_json() for name, result in score(store, 1, truth).items()}


def test_scores_beside_baselines_and_with_shuffled_truth(
    report: tuple[Path, str, str], site: Path, tmp_path: Path
) -> None:
    """Ids of one camera's truth change places: each camera alone is as good as before."""
    output, printed, _ = report
    scores = scores_of(output, site / "ground_truth")
    whole = scores["this project"]
    assert whole["multi_camera"]["IDF1"] == pytest.approx(100)
    assert scores["one identity per tracklet"]["multi_camera"]["IDF1"] < 70
    # Red and orange are alike by cosine, and only the cameras' times tell them apart.
    assert scores["cosine above 0.6 alone"]["multi_camera"]["IDF1"] < 99
    assert f"{whole['multi_camera']['HOTA']:.1f}" in printed

    shuffled = shutil.copytree(site / "ground_truth", tmp_path / "shuffled")
    truth, _ = rows_of("gate", lambda person: {1: 2, 2: 1}[person])
    (shuffled / "gate.txt").write_text("".join(truth), encoding="utf-8")
    wrong = scores_of(output, shuffled)["this project"]
    assert wrong["multi_camera"]["IDF1"] < 70
    assert wrong["per_camera"] == whole["per_camera"]


def test_what_is_left_out_as_a_thing_is_not_scored_as_a_person(
    report: tuple[Path, str, str], site: Path, tmp_path: Path
) -> None:
    shutil.copy(report[0] / "demo.db", tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "demo.db")) as connection, connection:
        query = "SELECT id FROM identity WHERE number = 1"
        connection.execute(f"UPDATE link SET method = 'unsupported' WHERE identity_id = ({query})")
    scores = scores_of(tmp_path, site / "ground_truth")
    assert scores["this project"]["multi_camera"]["IDP"] == pytest.approx(100)
    assert scores["this project"]["multi_camera"]["IDR"] < 80
    every = scores_of(report[0], site / "ground_truth")
    baseline = "one identity per tracklet"
    assert scores[baseline] == every[baseline]


def test_by_default_the_projects_own_models_look_at_pixels(site: Path) -> None:
    models = choose_models(site, None, recorded=False)
    assert (models.site.detection.weights, models.site.reid.weights) == (BUNDLED, BUNDLED)
    assert all(isinstance(camera, VideoCamera) for camera in models.site.cameras)
    assert all(name in models.words for name in DEFAULTS.values())


def test_models_of_a_folder_are_used_and_named(
    site: Path, tmp_path: Path, toy_detector: Path, toy_encoder: Path
) -> None:
    weights = tmp_path / "weights"
    shutil.copytree(toy_detector, weights / "toy_openvino_model")
    for suffix in (".xml", ".bin"):
        (weights / "reid").mkdir(exist_ok=True)
        shutil.copy(toy_encoder.with_suffix(suffix), weights / "reid")
    options = ["--demo", site, "--output", tmp_path / "report", "--weights-dir", weights, "--json"]
    code, stdout, stderr = demo(*options)
    assert code == 0, stderr
    tree = json.loads(stdout)
    assert "toy_openvino_model and toy-encoder.xml" in tree["weights"]
    assert tree["scores"]["this project"]["multi_camera"]["DetA"] > 90


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--weights-dir", "nowhere"], "--weights-dir: nowhere: expected a detector"),
        (["--weights-dir", "models", "--recorded"], "--recorded: expected no --weights-dir"),
        (["--demo", "nowhere"], "site.yaml: cannot be read"),
        (["--demo", "nowhere", "--recorded"], "recorded.yaml: cannot be read"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    options: list[str], expected: str, site: Path, tmp_path: Path
) -> None:
    folder = ["--demo", site] if "--demo" not in options else []
    code, stdout, stderr = demo(*folder, *options, "--output", tmp_path / "report")
    assert (code, stdout) == (2, "")
    (line,) = stderr.strip().splitlines()
    assert expected in line


def test_a_database_of_the_users_is_left_alone(tmp_path: Path) -> None:
    from commands.demo import _fresh_store

    kept = [tmp_path / name for name in ("tracking.db", "demo.db.backup")]
    for path in (*kept, tmp_path / "demo.db"):
        path.write_bytes(b"")
    with _fresh_store(tmp_path / "demo.db"):
        assert all(path.read_bytes() == b"" for path in kept)
