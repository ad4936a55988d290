"""`train metric`: the locality-aware metric learns from stored runs, and is weighed with cosine."""

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from commands.interrupts import terminated_as_interrupt
from commands.options import print_table, watched
from pipeline.config import redact

# torch takes seconds to import, and no other command needs it.
if TYPE_CHECKING:
    from commands.labelled_tracklets import Labelled, Reading
    from pipeline.association.metric.training.comparison import Table
    from pipeline.association.metric.training.recipe import MetricRecipe, Source
    from pipeline.association.metric.training.training import Trained

WEIGHTS: Final = "metric.safetensors"
REPORT: Final = "metric.json"


def metric(
    recipe: Annotated[Path, typer.Argument(help="Recipe (YAML).", metavar="RECIPE.yaml")],
    output: Annotated[Path, typer.Option(help="Folder for the metric, its table and curves.")],
) -> None:
    """Train the metric that association compares people by, on runs of the site itself.

    What beats cosine on people held out is kept; for all else the metric leaves it to cosine.
    """
    from commands.labelled_tracklets import Sources
    from pipeline.association.metric.training.recipe import load_recipe
    from pipeline.association.metric.training.training import test, train

    what = load_recipe(recipe)
    sources = Sources(what.sure_log_odds)
    labelled = sources.read(what.train)
    tested = sources.read(what.test) if what.test else None
    with terminated_as_interrupt(), watched() as watch:
        trained = train(
            labelled.tracklets,
            labelled.encoder,
            what,
            lambda done, total: watch("networks learnt", done, total),
        )
    tables = [*trained.tables]
    if tested is not None:
        tables += test(tested.tracklets, what, trained)
    _write(output, what, labelled, tested, trained, tables)
    for reading in (*labelled.readings, *(tested.readings if tested is not None else ())):
        print(_words(reading), file=sys.stderr)
    for table in tables:
        _print(table)
    for decision in trained.decisions:
        print(decision)
    print(output / WEIGHTS)


def _write(
    output: Path,
    recipe: "MetricRecipe",
    labelled: "Labelled",
    tested: "Labelled | None",
    trained: "Trained",
    tables: Sequence["Table"],
) -> None:
    from pipeline.association.metric.training.curves import (
        CURVES,
        PICTURE,
        draw_curves,
        write_curves,
    )
    from pipeline.association.metric.weights import save_metric

    output.mkdir(parents=True, exist_ok=True)
    save_metric(output / WEIGHTS, trained.metric)
    write_curves(output / CURVES, trained.points)
    draw_curves(output / PICTURE, trained.points, recipe.name)
    tree = {
        "name": recipe.name,
        "weights": hashlib.sha256((output / WEIGHTS).read_bytes()).hexdigest(),
        "encoder": asdict(labelled.encoder),
        "recipe": _recipe_tree(recipe),
        "train": [asdict(reading) for reading in labelled.readings],
        "test": [asdict(reading) for reading in tested.readings] if tested is not None else [],
        "decisions": trained.decisions,
        "iterations": {
            kind: getattr(one, "iteration", None) for kind, one in trained.learnt.items()
        },
        "tables": [asdict(table) for table in tables],
    }
    (output / REPORT).write_text(json.dumps(tree, indent=1) + "\n", encoding="utf-8")


def _recipe_tree(recipe: "MetricRecipe") -> dict[str, Any]:
    """The recipe without credentials."""

    def shown(source: "Source") -> "Source":
        return source.model_copy(update={"database": redact(source.database)})

    sources = {
        "train": tuple(map(shown, recipe.train)),
        "test": tuple(map(shown, recipe.test)),
    }
    tree: dict[str, Any] = recipe.model_copy(update=sources).model_dump(mode="json")
    return tree


def _words(reading: "Reading") -> str:
    left_out = {
        "without embedding": reading.without_embedding,
        "not purely one person": reading.impure,
    }
    words = f"{reading.source}: {reading.tracklets} tracklets, labels from {reading.labels}"
    words += "".join(f", {count} {why} left out" for why, count in left_out.items() if count)
    if reading.contradictory:
        words += f", {reading.contradictory} persons in one view twice given up"
    return words


def _print(table: "Table") -> None:
    print_table(
        f"{table.words}: {table.pairs} pairs, {table.same} of one person, {table.people} people",
        ["method", "AUC", "error %"],
        [(row.method, f"{row.auc:.3f}", f"{100 * row.error:.1f}") for row in table.rows],
    )
