"""Recipes of metrics: read strictly, one line for what is wrong."""

from pathlib import Path

import pytest
import yaml

from pipeline.association.metric.training.recipe import MetricRecipe, load_recipe
from pipeline.errors import SettingsError

CONFIGS = Path(__file__).resolve().parents[5] / "configs"
VALID = {"name": "m", "train": [{"database": "sqlite:///a.db", "ground_truth": "../truth"}]}


def load(folder: Path, tree: object) -> MetricRecipe:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return load_recipe(path)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("metric*.yaml")), ids=lambda path: path.name)
def test_the_recipes_of_the_repository_load_and_show_the_defaults(path: Path) -> None:
    recipe = load_recipe(path)
    assert all(source.ground_truth.is_dir() for source in recipe.train if source.ground_truth)
    plain = MetricRecipe(name=recipe.name, train=recipe.train)
    assert recipe == plain
    assert set(yaml.safe_load(path.read_text())) == set(MetricRecipe.model_fields)


def test_paths_are_seen_from_the_recipe(tmp_path: Path) -> None:
    assert load(tmp_path, VALID).train[0].ground_truth == tmp_path.parent / "truth"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tain": []}, "tain: unknown key"),
        ({"train": []}, "train: tuple should have at least 1 item"),
        ({"train": [{"run": 1}]}, "train[0].database: expected a value, got none"),
        ({"inter": {"window_s": 0}}, "inter.window_s: input should be greater than 0, got 0"),
        ({"sampling": "best"}, "sampling: input should be 'sliding' or 'bins', got best"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError) as error:
        load(tmp_path, VALID | changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
