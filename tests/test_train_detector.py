"""The command `train detector`: from a recipe to weights, cut or not."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import cv2
import numpy as np
import pytest
import yaml

from commands import training_images
from pipeline.detection.training.recipe import load_recipe
from pipeline.detection.training.windows import Window, read_windows, write_windows

SIMULATED = {"images": 3, "people": 25, "windows_each": 1}
RECIPE: dict[str, Any] = {
    "name": "tiny",
    "architecture": "yolo11n.yaml",
    "size_px": 64,
    "train": {"seed": 1, **SIMULATED},
    "validation": {"seed": 2, **SIMULATED},
    "real": {
        "teacher": "toy_openvino_model",
        "image_size": 640,
        "videos": [{"video": "walk.mp4", "every": 1, "windows_each": 1}],
    },
    "cluttered": 4,
    "epochs": 2,
    "epoch_windows": 6,
    "batch": 3,
}
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory, toy_detector: Path, film: Callable[..., Path]
) -> Path:
    """A recipe with what it names: a video of one who walks, and a teacher that sees her."""
    folder = tmp_path_factory.mktemp("detector")
    film(folder / "walk.mp4", [((220, 200, 210), lambda index: (16 + 48 * index, 128))], 12)
    (folder / "toy_openvino_model").symlink_to(toy_detector)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    return folder


def test_a_training_is_cut_and_goes_on(
    folder: Path, pipeline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("train", "detector", "recipe.yaml", "--output", "out", "--device", "cpu")
    cut = pipeline(*words, "--minutes", "0", folder=folder)
    assert (cut.returncode, cut.stdout) == (0, ""), cut.stderr
    assert cut.stderr == "stopped after 0 minutes; the same call goes on\n"

    monkeypatch.setattr("pipeline.reid.training.loop.Deadline.is_over", False)
    from ultralytics.utils import downloads

    from pipeline.detection.training import loop

    asked: list[str] = []
    monkeypatch.setattr(downloads, "is_url", lambda url, check=False: asked.append(url))
    with monkeypatch.context() as after_one_epoch:
        after_one_epoch.setattr(
            loop._PersonTraining, "_look_at_the_clock", lambda self: setattr(self, "stop", True)
        )
        first = pipeline(*words, "--minutes", "99", folder=folder)
    assert (first.returncode, first.stdout) == (0, "out/tiny.pt after 1 of 2 epochs\n")
    second = pipeline(*words, folder=folder)
    assert (second.returncode, second.stdout, second.stderr) == (
        0,
        "out/tiny.pt after 2 of 2 epochs\n",
        "",
    )
    rows = (folder / "out" / "results.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["epoch", "1", "2"]
    assert asked == []


def test_there_are_windows_of_every_kind(folder: Path) -> None:
    parts = [
        path.relative_to(folder / "out" / "data") for path in (folder / "out").glob("data/*/*")
    ]
    kinds = sorted((path.parts[0].partition("-")[0], path.parts[1]) for path in parts)
    assert kinds == [
        ("cluttered", "train"),
        ("real", "cutouts"),
        ("real", "train"),
        ("real", "val"),
        ("simulated", "train"),
        ("simulated", "train"),
    ]


def test_the_weights_load_safely_and_tell_nothing_of_this_machine(folder: Path) -> None:
    from ultralytics.nn.tasks import torch_safe_load

    path = folder / "out" / "tiny.pt"
    checkpoint, _ = torch_safe_load(path, safe_only=True)
    assert checkpoint["model"].names == {0: "person"}
    assert {"optimizer", "git"}.isdisjoint(checkpoint)
    assert next(checkpoint["model"].parameters()).dtype.itemsize == 2
    with ZipFile(path) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    for word in (folder, Path.home(), Path(__file__).parents[1]):
        assert str(word).encode() not in everything


def test_the_weights_find_people_or_nobody(folder: Path) -> None:
    from pipeline.config import DetectionSettings
    from pipeline.detection.detector import Detector

    weights = str(folder / "out" / "tiny.pt")
    detector = Detector(DetectionSettings(weights=weights, image_size=64, engine="torch"))
    (found,) = detector.detect([np.zeros((48, 64, 3), np.uint8)])
    assert found.xyxy.shape[1] == 4


def test_videos_of_which_nobody_can_be_cut_out_are_named(folder: Path, pipeline: Run) -> None:
    other = folder / "pasted.yaml"
    real = {**RECIPE["real"], "pasted": 8}
    other.write_text(yaml.safe_dump({**RECIPE, "real": real}), encoding="utf-8")
    words = ("pasted.yaml", "--output", "pasted", "--data", "out/data")
    run = pipeline("train", "detector", *words, folder=folder)
    assert run.returncode == 2
    assert run.stderr.startswith("error: real.pasted: expected 0, or a video of a still camera")


def test_people_of_videos_are_put_into_simulated_places(tmp_path: Path) -> None:
    places, people, made = tmp_path / "places", tmp_path / "people" / "video", tmp_path / "made"
    people.mkdir(parents=True)
    person = np.dstack([np.zeros((64, 24, 3), np.uint8), np.full((64, 24), 255, np.uint8)])
    for number in range(training_images.LEAST_CUTOUTS):
        cv2.imwrite(str(people / f"{number}.png"), person)
    empty = Window(np.full((96, 96, 3), 200, np.uint8), np.empty((0, 4)))
    write_windows([empty] * 3, places / "00000", np.random.default_rng(0))
    training_images._pasted_part(places, people.parent, 5, [1, 2], made)
    windows = list(read_windows(made / "train"))
    assert len(windows) == 5
    assert all(len(one.boxes) for one in windows)


def test_a_folder_belongs_to_one_recipe(folder: Path, pipeline: Run) -> None:
    other = folder / "other.yaml"
    other.write_text(yaml.safe_dump({**RECIPE, "epochs": 3}), encoding="utf-8")
    run = pipeline("train", "detector", "other.yaml", "--output", "out", folder=folder)
    assert (run.returncode, run.stderr) == (
        2,
        "error: --output: out: holds the training of another recipe\n",
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [({"batch": 1}, "batch"), ({"architecture": "yolo11n.pt"}, "architecture"), ({"x": 1}, "x")],
)
def test_a_wrong_recipe_is_one_line(
    change: dict[str, object], words: str, folder: Path, pipeline: Run
) -> None:
    wrong = folder / "wrong.yaml"
    wrong.write_text(yaml.safe_dump({**RECIPE, **change}), encoding="utf-8")
    run = pipeline("train", "detector", "wrong.yaml", "--output", "wrong", folder=folder)
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: wrong.yaml: {words}")
    assert run.stderr.count("\n") == 1


def test_a_second_part_starts_with_what_the_first_has_made(folder: Path, pipeline: Run) -> None:
    """One step at a rate of next to nothing leaves the first part's weights as they were."""
    changes = {"start": "out/tiny.pt", "epochs": 1, "learning_rate": 1e-12, "averaging": 0}
    for name, recipe in (("second", {**RECIPE, **changes}), ("lost", {**RECIPE, "start": "no.pt"})):
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    words = ("--data", "out/data", "--device", "cpu")
    lost = pipeline("train", "detector", "lost.yaml", "--output", "lost", *words, folder=folder)
    assert lost.returncode == 2
    assert lost.stderr.startswith("error: start: ")
    second = pipeline("train", "detector", "second.yaml", "--output", "2", *words, folder=folder)
    assert second.returncode == 0, second.stderr
    from ultralytics.nn.tasks import load_checkpoint

    both = [load_checkpoint(folder / part / "tiny.pt")[0].state_dict() for part in ("out", "2")]
    for name, value in both[0].items():
        if name.endswith("conv.weight"):
            np.testing.assert_allclose(value, both[1][name], atol=1e-3)


@pytest.mark.parametrize("name", ["detector", "detector_first"])
def test_the_recipes_of_the_bundled_detector_load(name: str) -> None:
    recipe = load_recipe(Path(__file__).parents[1] / "configs" / f"{name}.yaml")
    assert recipe.real is not None
    assert {one.video.parents[1].name for one in recipe.real.videos} == {"footage"}
    assert recipe.epochs % recipe.cycles == 0
