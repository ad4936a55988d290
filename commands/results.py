"""`export`, `evaluate` and `render`: what a run found, for others, in numbers, in pictures."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from commands.options import (
    DEFAULT_DATABASE,
    Config,
    Database,
    Json,
    RunNumber,
    print_json,
    print_table,
)
from pipeline.config import load_site
from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.ground_truth import load_ground_truth
from pipeline.evaluation.multi_camera import evaluate as score
from storage import queries
from storage.exports import csv as csv_export
from storage.exports import mot as mot_export
from storage.store import Store, open_store


class ExportFormat(StrEnum):
    """Formats that `export` writes."""

    MOT = "mot"
    CSV = "csv"


EXPORTERS = {ExportFormat.MOT: mot_export.export, ExportFormat.CSV: csv_export.export}


def export(
    output: Annotated[Path, typer.Option(help="Folder (mot) or file (csv) to write.")],
    file_format: Annotated[ExportFormat, typer.Option("--format", help="What to write.")],
    database: Database = None,
    run_number: RunNumber = None,
) -> None:
    """Write a run's boxes with their identities in a format that others read."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        for path in EXPORTERS[file_format](store, run_id, output):
            print(path, file=sys.stderr)


def evaluate(
    ground_truth: Annotated[
        Path, typer.Option(help="Folder of CAMERA.txt or CAMERA/gt.txt, MOTChallenge columns.")
    ],
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Score a run: HOTA, IDF1 and CLEAR, per camera and over all cameras as one sequence."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        names = queries.cameras(store, run_id)
        truth = load_ground_truth(ground_truth, names)
        evaluation = score(truth, [_camera_tracks(store, run_id, name) for name in names])
    for name in evaluation.not_evaluated:
        print(f"camera {name} has no ground truth: not evaluated", file=sys.stderr)
    tree = evaluation.to_json()
    if as_json:
        print_json(tree)
        return
    print_table(
        f"run {run_id}, in percent (IDSW: a count); all cameras: concatenated into one sequence",
        ["camera", *tree["multi_camera"]],
        [
            (name, *(f"{v:.1f}" if isinstance(v, float) else v for v in scores.values()))
            for name, scores in (*tree["per_camera"].items(), ("all cameras", tree["multi_camera"]))
        ],
    )


def render(
    config: Config,
    output: Annotated[Path, typer.Option(help="Folder for videos, charts and contact sheets.")],
    database: Database = None,
    run_number: RunNumber = None,
) -> None:
    """Annotated videos, one of all cameras, timeline, floor plan, a sheet of every identity."""
    # Its charts take a second to import, and no other command needs them.
    from commands.report import draw_run
    from pipeline.floor_plan import FloorMap

    site = load_site(config)
    with open_store(database or site.storage.url or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        failures = draw_run(site, store, run_id, output, FloorMap())
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    raise typer.Exit(2 if failures else 0)


def _camera_tracks(store: Store, run_id: int, camera: str) -> CameraTracks:
    """What a run found in one camera, as evaluation wants it."""
    rows = [
        (row.frame_index, row.identity, *row.box)
        for row in queries.export_rows(store, run_id, camera)
    ]
    table = np.array(rows, np.float64).reshape(-1, 6)
    frames, identities = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    return CameraTracks(camera, frames, identities, table[:, 2:])
