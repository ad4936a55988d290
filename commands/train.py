"""`train`: an encoder learns from labelled clips, and is scored on people it has not seen."""

import json
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from commands.interrupts import terminated_as_interrupt
from commands.options import Watch, watched
from commands.train_detector import detector
from commands.train_metric import metric
from pipeline.errors import UserError

# torch and the renderer take seconds to import, and no other command needs them.
if TYPE_CHECKING:
    from pipeline.reid.datasets.records import ClipSource
    from pipeline.reid.training.deadline import Deadline
    from pipeline.reid.training.recipe import Clips, Recipe
    from pipeline.reid.training.stages import Trained
    from pipeline.reid.training.table import Score, TestSet
    from pipeline.types import FloatArray

app = typer.Typer(no_args_is_help=True, help="Learn from clips of people, or from pictures.")
app.command()(detector)
app.command()(metric)

QUERIES_SHOWN = 12
SECONDS_A_MINUTE = 60


@app.command()
def encoder(
    recipe: Annotated[Path, typer.Argument(help="Recipe (YAML).", metavar="RECIPE.yaml")],
    output: Annotated[
        Path, typer.Option(help="Folder for weights, curves, table and page of ranked results.")
    ],
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after about so long; the same call then goes on. Default: never."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder where rendered clips are kept; default: OUTPUT/data."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:0 ...")] = "auto",
    pictures: Annotated[
        bool,
        typer.Option("--pictures", help="Show people of data sets, too, on the page of results."),
    ] = False,
) -> None:
    """Train a video encoder by a recipe and score it, every head beside the mean of the frames."""
    from pipeline.reid.training.deadline import Deadline, OutOfTimeError
    from pipeline.reid.training.recipe import load_recipe

    what = load_recipe(recipe)
    _keep_recipe(what, output)
    deadline = Deadline()
    if minutes is not None:
        deadline = Deadline(time.monotonic() + minutes * SECONDS_A_MINUTE)
    try:
        with terminated_as_interrupt(), watched() as watch:
            _train(what, output, data or output / "data", device, deadline, watch, pictures)
    except OutOfTimeError:
        print(f"stopped after {minutes:g} minutes; the same call goes on", file=sys.stderr)


def _train(
    recipe: "Recipe",
    output: Path,
    data: Path,
    device: str,
    deadline: "Deadline",
    watch: Watch,
    pictures: bool,
) -> None:
    from pipeline.reid.training.devices import find_device
    from pipeline.reid.training.stages import Training

    source = _source(recipe, data, deadline, watch)
    tests = [
        _test_set(name, clips, recipe, data, deadline, watch) for name, clips in recipe.test.items()
    ]
    trained = Training(
        recipe, source, tests, score, output, find_device(device), deadline, watch
    ).run()
    shown = [t for t in tests if pictures or recipe.test[t.name].simulation is not None]
    _write_results(recipe, output, tests, shown, trained)


def _write_results(
    recipe: "Recipe",
    output: Path,
    tests: Sequence["TestSet"],
    shown: Sequence["TestSet"],
    trained: "Trained",
) -> None:
    """The table in text and JSON, the picture of the curves, the page of ranked results."""
    from pipeline.reid.training.curves import CURVES, PICTURE, draw_curves, read_curves
    from pipeline.reid.training.ranked_results import search, spread_queries, write_page
    from pipeline.reid.training.stages import WEIGHTS
    from pipeline.reid.training.table import REMARK, as_markdown, as_tree
    from pipeline.reid.weights import weights_hash

    draw_curves(output / PICTURE, read_curves(output / CURVES), recipe.name)
    text = as_markdown(recipe.name, REMARK, tests, trained.rows)
    (output / "table.md").write_text(text, encoding="utf-8")
    tree = {
        "name": recipe.name,
        "weights": weights_hash(output / WEIGHTS),
        "recipe": recipe.model_dump(mode="json"),
        "rows": as_tree(trained.rows, tests),
    }
    (output / "table.json").write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")
    searches = [
        (
            test,
            [
                search(test, trained.embeddings[test.name], int(query))
                for query in spread_queries(test, QUERIES_SHOWN)
            ],
        )
        for test in shown
    ]
    write_page(output / "results.html", f"{recipe.name}: who is found", searches)
    print(text)


def _source(recipe: "Recipe", data: Path, deadline: "Deadline", watch: Watch) -> "ClipSource":
    """What to learn from."""
    from pipeline.reid.datasets.sources import JoinedClips

    sources = [_clips(clips, recipe, data, deadline, watch) for clips in recipe.train]
    return sources[0] if len(sources) == 1 else JoinedClips(sources)


def _clips(
    clips: "Clips", recipe: "Recipe", data: Path, deadline: "Deadline", watch: Watch
) -> "ClipSource":
    from pipeline.reid.datasets.sources import FileClips

    if clips.dataset is None:
        return _archive(clips, recipe, data, deadline, watch)
    from pipeline.reid.datasets.reading import read_dataset

    found = read_dataset(clips.dataset.name, clips.dataset.folder, clips.dataset.split)
    return FileClips(found.train, recipe.encoder.size)


def _test_set(
    name: str, clips: "Clips", recipe: "Recipe", data: Path, deadline: "Deadline", watch: Watch
) -> "TestSet":
    """What to be scored on: in an archive, every clip is sought among all others."""
    from pipeline.reid.datasets.protocols import Protocol
    from pipeline.reid.datasets.reading import read_dataset
    from pipeline.reid.datasets.sources import FileClips
    from pipeline.reid.training.table import TestSet

    if clips.dataset is None:
        source = _archive(clips, recipe, data, deadline, watch)
        everything = np.arange(len(source.identities))
        protocol = Protocol(
            "cross-camera, every clip sought among all others", queries_in_gallery=True
        )
        return TestSet(name, source, everything, everything, protocol)
    found = read_dataset(clips.dataset.name, clips.dataset.folder, clips.dataset.split)
    source = FileClips((*found.query, *found.gallery), recipe.encoder.size)
    places = np.arange(len(found.query) + len(found.gallery))
    count = len(found.query)
    return TestSet(name, source, places[:count], places[count:], found.protocol)


def _archive(
    clips: "Clips", recipe: "Recipe", data: Path, deadline: "Deadline", watch: Watch
) -> "ClipSource":
    from pipeline.reid.datasets.archive import ClipArchive
    from pipeline.reid.training.deadline import OutOfTimeError

    if clips.archive is not None:
        return ClipArchive(clips.archive)
    size = recipe.encoder.size
    if clips.videos is not None:
        from commands.video_clips import video_archive

        archive = video_archive(
            clips.videos, size, data, lambda: deadline.is_over, partial(watch, "videos tracked")
        )
    else:
        from commands.training_clips import simulated_archive

        assert clips.simulation is not None  # exactly one of four
        archive = simulated_archive(
            clips.simulation,
            size,
            data,
            lambda: deadline.is_over,
            partial(watch, "people rendered"),
        )
    if archive is None:
        raise OutOfTimeError
    return archive


def score(embeddings: "FloatArray", test: "TestSet") -> "Score":
    """As the evaluation has it."""
    from pipeline.evaluation.retrieval.scores import evaluate_embeddings
    from pipeline.reid.training.table import Score

    identities, cameras = test.source.identities, test.source.cameras
    scores = evaluate_embeddings(
        embeddings[test.queries],
        embeddings[test.gallery],
        identities[test.queries],
        cameras[test.queries],
        identities[test.gallery],
        cameras[test.gallery],
        test.protocol,
    )
    return Score(scores.rank(1), scores.map, scores.minp)


def _keep_recipe(recipe: "Recipe", output: Path) -> None:
    """Put the recipe beside what comes out; a folder belongs to one."""
    output.mkdir(parents=True, exist_ok=True)
    path, text = output / "recipe.json", recipe.model_dump_json(indent=1) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise UserError(f"--output: {output}: holds the training of another recipe")
    path.write_text(text, encoding="utf-8")
