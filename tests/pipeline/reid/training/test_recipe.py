"""Recipes: read strictly, one line for what is wrong."""

from pathlib import Path

import pytest
import yaml

from pipeline.errors import SettingsError
from pipeline.reid.training.recipe import Recipe, load_recipe

ROOT = Path(__file__).resolve().parents[4]
CONFIGS = ROOT / "configs"
RECIPES = sorted([*CONFIGS.glob("reid_*.yaml"), *CONFIGS.glob("encoder*.yaml")])

VALID = {
    "name": "r",
    "encoder": {},
    "train": {"archive": "a"},
    "test": {"t": {"dataset": {"name": "mars", "folder": "../mars"}}},
    "frames": {"iterations": 1, "learning_rate": 0.1},
    "heads": {"iterations": 1, "learning_rate": 0.1},
    "teacher": {"weights": "teacher.onnx"},
}


def load(folder: Path, tree: object) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return load_recipe(path)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_the_recipes_of_the_repository_load(path: Path) -> None:
    recipe = load_recipe(path)
    assert path.stem.replace("_", "-") == recipe.name
    assert "mean" in recipe.heads.names
    everything = [*recipe.train, *recipe.test.values()]
    seeds = [clips.simulation.seed for clips in everything if clips.simulation]
    assert len(set(seeds)) == len(seeds), "test people are others"
    files = [clips.videos.files for clips in everything if clips.videos]
    videos = [file for several in files for file in several]
    assert len(set(videos)) == len(videos), "test videos are others"


def test_paths_are_seen_from_the_recipe(tmp_path: Path) -> None:
    recipe = load(tmp_path, VALID)
    assert recipe.train[0].archive == tmp_path / "a"
    dataset = recipe.test["t"].dataset
    assert dataset is not None and dataset.folder == tmp_path.parent / "mars"
    assert recipe.teacher is not None and recipe.teacher.weights == (tmp_path / "teacher.onnx",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": {"iterations": 1}}, "frames.learning_rate: expected a value, got none"),
        ({"fames": {}}, "fames: unknown key"),
        ({"train": {}}, "train[0]: expected exactly one of simulation, archive, dataset, videos"),
        (
            {"train": {"archive": "a", "dataset": {"name": "mars", "folder": "b"}}},
            "train[0]: expected exactly one of simulation, archive, dataset, videos",
        ),
        (
            {"train": {"simulation": {"seed": 1, "identities": 3, "cameras": 2}}},
            "train[0].simulation: cameras_each: expected at most the 2 cameras that there",
        ),
        (
            {"heads": {"iterations": 1, "learning_rate": 0.1, "names": ["mean"]}},
            "heads.names: expected encoder.head, lstm_attention, to be among them",
        ),
        (
            {"heads": {"iterations": 1, "learning_rate": 0.1, "names": ["lstm_attention", "mean"]}},
            "heads.names: expected mean first",
        ),
        ({"encoder": {"head": "best"}}, "encoder.head: input should be 'mean', 'consensus',"),
        ({"teacher": {"weights": "a", "views": 0}}, "teacher.views: input should be greater"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, VALID | changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_head_of_maps_needs_no_second_stage(tmp_path: Path) -> None:
    assert load(tmp_path, VALID | {"encoder": {"head": "drsa"}}).encoder.head == "drsa"
