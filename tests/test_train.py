"""The command `train encoder`: from a recipe to weights, table, curves and page, cut or not."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

import run_pipeline
from pipeline.reid.datasets.archive import ArchiveWriter
from pipeline.reid.weights import load_encoder, weights_hash

SIZE = (64, 32)
RECIPE = {
    "name": "tiny",
    "encoder": {
        "backbone": "mobilenetv4_conv_small_050",
        "dimension": 16,
        "height_px": SIZE[0],
        "width_px": SIZE[1],
    },
    "train": {"archive": "clips-1"},
    "test": {"others": {"archive": "clips-2"}},
    "frames": {
        "iterations": 4,
        "people": 4,
        "clips": 2,
        "frames": 1,
        "learning_rate": 0.001,
        "checkpoint_every": 2,
    },
    "heads": {
        "frames": 3,
        "iterations": 2,
        "people": 4,
        "clips": 2,
        "seeds": 2,
        "variants": 1,
        "learning_rate": 0.001,
        "names": ["mean", "lstm_attention"],
    },
}
Train = Callable[..., tuple[int, str, str]]


def write_archive(folder: Path, seed: int) -> None:
    """Six people before two cameras, three frames each."""
    rng = np.random.default_rng(seed)
    with ArchiveWriter(folder, SIZE, {"seed": seed}) as writer:
        for identity in range(6):
            colour = rng.integers(40, 216, 3)
            for camera in range(2):
                clip = colour + rng.integers(-30, 30, (3, *SIZE, 3))
                writer.append(clip.astype(np.uint8), identity, camera)


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Runs the command on the tiny recipe; gives its exit code, output and errors."""
    folder = tmp_path_factory.mktemp("train")
    for seed in (1, 2):
        write_archive(folder / f"clips-{seed}", seed)

    def run(output: Path, *options: str, **changes: object) -> tuple[int, str, str]:
        recipe = folder / "recipe.yaml"
        recipe.write_text(yaml.safe_dump({**RECIPE, **changes}), encoding="utf-8")
        words = ["run_pipeline.py", "train", "encoder", str(recipe), "--output", str(output)]
        stdout, stderr = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", [*words, "--device", "cpu", *options])
            with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
                try:
                    run_pipeline.main()
                    code = 0
                except SystemExit as end:
                    code = int(end.code or 0)
        return code, stdout.getvalue(), stderr.getvalue()

    return run


@pytest.fixture(scope="module")
def trained(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What comes out, uncut."""
    folder = tmp_path_factory.mktemp("trained")
    code, printed, errors = train(folder, "--pictures")
    assert (code, errors) == (0, "")
    assert printed.strip() == (folder / "table.md").read_text().strip()
    return folder


def test_a_table_of_heads_by_what_befalls_the_clips(trained: Path) -> None:
    lines = [line for line in (trained / "table.md").read_text().splitlines() if "|" in line]
    heads = [line.split("|")[1].strip() for line in lines]
    assert heads == [
        *("head", "---", "single frame", "mean, untrained", "consensus, untrained"),
        *("mean", "lstm_attention"),
    ]
    columns = [cell.strip() for cell in lines[0].split("|")[2:-1]]
    assert columns[:4] == ["clean", "occluded", "30 % wrong frames", "id switch"]
    assert columns[4:] == ["parameters", "GFLOPs a crop", "ms a crop", "ms a clip"]
    tree = json.loads((trained / "table.json").read_text())
    assert tree["weights"] == weights_hash(trained / "encoder.safetensors")
    row = tree["rows"][-1]
    assert (row["head"], row["trained"], row["seeds"]) == ("lstm_attention", True, 2)
    assert row["parameters"] > tree["rows"][-2]["parameters"]  # the mean has none of its own
    assert all(0 <= score["map"][0] <= 100 for score in row["scores"]["others"].values())


def test_weights_curves_and_a_page_are_there(trained: Path) -> None:
    encoder = load_encoder(trained / "encoder.safetensors")
    assert (encoder.settings.head, encoder.settings.dimension) == ("lstm_attention", 16)
    assert (trained / "curves.png").read_bytes()[:4] == b"\x89PNG"
    page = (trained / "results.html").read_text()
    assert page.count("<div class=search>") == 12  # all twelve clips are queries
    assert page.count("<figure class=right>") == 12  # each has one right answer, among ten


def test_one_that_is_cut_goes_on_and_ends_alike(
    train: Train, trained: Path, tmp_path: Path
) -> None:
    calls = [train(tmp_path, "--pictures", "--minutes", "0")]
    while not calls[-1][1]:
        calls.append(train(tmp_path, "--pictures", "--minutes", "0"))
    assert {code for code, _, _ in calls} == {0}
    stopped = {errors for _, _, errors in calls[:-1]}
    assert stopped == {"stopped after 0 minutes; the same call goes on\n"}
    # Iterations but the last; vectors of 1 + 1 and 1 + 1 conditions and variants; four heads.
    assert len(calls) == 3 + 4 + 4 + 1
    ours, theirs = (
        load_encoder(folder / "encoder.safetensors").state_dict() for folder in (tmp_path, trained)
    )
    assert all((ours[name] == theirs[name]).all() for name in theirs)
    assert (tmp_path / "results.html").read_text() == (trained / "results.html").read_text()


def test_a_folder_belongs_to_one_recipe(train: Train, trained: Path) -> None:
    code, _, errors = train(trained, seed=1)
    assert code == 2
    assert errors == f"error: --output: {trained}: holds the training of another recipe\n"


def test_people_of_data_sets_are_shown_only_where_asked_for(train: Train, tmp_path: Path) -> None:
    assert train(tmp_path)[0] == 0
    assert "<figure" not in (tmp_path / "results.html").read_text()


def test_a_recipe_that_cannot_be_is_one_line(train: Train, tmp_path: Path) -> None:
    code, _, errors = train(tmp_path, train={"archive": "nowhere"})
    assert code == 2
    assert "nowhere: expected an archive of clips" in errors
    assert errors.count("\n") == 1
