"""`export`, `evaluate` and `render`: what a run found, for others, in numbers, in pictures."""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from commands.options import (
    DEFAULT_DATABASE,
    Config,
    Database,
    Json,
    RunNumber,
    opened_run,
    print_json,
    print_table,
)
from commands.sites import calibrations_of, site_of_run
from pipeline.config import RecordedCamera, load_site
from pipeline.errors import UserError
from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.distractors import counted_truth, without_distractors
from pipeline.evaluation.ground_truth import load_ground_truth
from pipeline.evaluation.multi_camera import evaluate as score
from pipeline.evaluation.purity import score_tracklets
from pipeline.types import Calibrations
from storage import queries, stored_boxes
from storage.audit import log_export
from storage.exports import aicity as aicity_export
from storage.exports import coco as coco_export
from storage.exports import csv as csv_export
from storage.exports import duke as duke_export
from storage.exports import geojson as geojson_export
from storage.exports import kitti as kitti_export
from storage.exports import mdx as mdx_export
from storage.exports import mot as mot_export
from storage.store import Store, open_store


class ExportFormat(StrEnum):
    """Formats that `export` writes."""

    MOT = "mot"
    DUKE = "duke"
    AICITY = "aicity"
    KITTI = "kitti"
    COCO = "coco"
    MDX = "mdx"
    CSV = "csv"
    PARQUET = "parquet"
    GEOJSON = "geojson"


def export(
    output: Annotated[Path, typer.Option(help="Folder (mot, kitti) or file to write.")],
    file_format: Annotated[ExportFormat, typer.Option("--format", help="What to write.")],
    database: Database = None,
    run_number: RunNumber = None,
    fill_gaps: Annotated[
        bool, typer.Option(help="Draw boxes, at confidence 0, where a person was not found (mot).")
    ] = False,
) -> None:
    """Write a run's boxes with their identities in a format that others read."""
    if fill_gaps and file_format is not ExportFormat.MOT:
        raise typer.BadParameter("only for --format mot", param_hint="--fill-gaps")
    with opened_run(database, run_number) as (store, run_id):
        written = _exported(store, run_id, output, file_format, fill_gaps=fill_gaps)
        log_export(store, run_id, {"format": file_format.value, "files": len(written)})
    for path in written:
        print(path, file=sys.stderr)


def _exported(
    store: Store, run_id: int, output: Path, file_format: ExportFormat, *, fill_gaps: bool
) -> list[Path]:
    """The files written; only what a format needs is asked of the site's files."""
    match file_format:
        case ExportFormat.MOT:
            return mot_export.export(store, run_id, output, fill_gaps=fill_gaps)
        case ExportFormat.DUKE:
            return duke_export.export(store, run_id, output)
        case ExportFormat.KITTI:
            return kitti_export.export(store, run_id, output)
        case ExportFormat.CSV:
            return csv_export.export(store, run_id, output)
        case ExportFormat.COCO:
            sizes = {
                camera.id: camera.image_size
                for camera in site_of_run(store, run_id).cameras
                if isinstance(camera, RecordedCamera)
            }
            return coco_export.export(store, run_id, output, sizes)
        case ExportFormat.AICITY:
            return aicity_export.export(store, run_id, output, _calibrations(store, run_id))
        case ExportFormat.MDX:
            return mdx_export.export(store, run_id, output, _calibrations(store, run_id))
        case ExportFormat.PARQUET:
            # pyarrow takes a moment to import, and no other format needs it.
            from storage.exports import parquet as parquet_export

            return parquet_export.export(store, run_id, output, _calibrations(store, run_id))
        case ExportFormat.GEOJSON:
            return _to_map(store, run_id, output)


def _calibrations(store: Store, run_id: int) -> Calibrations:
    return calibrations_of(site_of_run(store, run_id))


def _to_map(store: Store, run_id: int, output: Path) -> list[Path]:
    site = site_of_run(store, run_id)
    if site.origin is None:
        raise UserError(
            f"run {run_id}: nobody knows where on earth {site.site} is; expected `origin` with"
            " latitude and longitude in its site file when it was run"
        )
    calibrations = calibrations_of(site)
    if not calibrations:
        raise UserError(f"run {run_id}: no camera of {site.site} is calibrated")
    return geojson_export.export(store, run_id, output, calibrations, site.origin)


def evaluate(
    ground_truth: Annotated[
        Path, typer.Option(help="Folder of CAMERA.txt or CAMERA/gt.txt, MOTChallenge columns.")
    ],
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Score a run: HOTA, IDF1 and CLEAR, per camera and over all; how pure its tracklets are."""
    with opened_run(database, run_number) as (store, run_id):
        names = queries.cameras(store, run_id)
        truth = load_ground_truth(ground_truth, names)
        found = {name: _camera_tracks(store, run_id, name) for name in names}
    evaluation = score(truth, [identified for identified, _ in found.values()])
    purity = {
        name: asdict(
            score_tracklets(
                counted_truth(truth[name]), without_distractors(truth[name], found[name][1])
            )
        )
        for name in evaluation.per_camera
    }
    for name in evaluation.not_evaluated:
        print(f"camera {name} has no ground truth: not evaluated", file=sys.stderr)
    tree = evaluation.to_json()
    if as_json:
        print_json({**tree, "tracklets": purity})
        return
    _print_scores(
        f"run {run_id}, in percent (IDSW: a count); all cameras: concatenated into one sequence",
        {**tree["per_camera"], "all cameras": tree["multi_camera"]},
    )
    _print_scores(
        "tracklets: purity in percent; mixed: those of two people; fragments: tracklets per person",
        purity,
    )


def _print_scores(title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    print_table(
        title,
        ["camera", *next(iter(rows.values()))],
        [
            (name, *(f"{v:.1f}" if isinstance(v, float) else v for v in scores.values()))
            for name, scores in rows.items()
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


def _camera_tracks(store: Store, run_id: int, camera: str) -> tuple[CameraTracks, CameraTracks]:
    """What a run found in one camera, as evaluation wants it: under identities, under tracklets."""
    rows = list(stored_boxes.export_rows(store, run_id, camera))
    frames = np.array([row.frame_index for row in rows], np.int64)
    boxes = np.array([row.box for row in rows], np.float64).reshape(-1, 4)
    identities = np.array([row.identity for row in rows], np.int64)
    numbers = {key: n for n, key in enumerate(dict.fromkeys(row.tracklet for row in rows))}
    tracklets = np.array([numbers[row.tracklet] for row in rows], np.int64)
    return (
        CameraTracks(camera, frames, identities, boxes),
        CameraTracks(camera, frames, tracklets, boxes),
    )
