"""`export`, `evaluate` and `render`: what a run found, for others, in numbers, in pictures."""

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer

from cameras.playback import play
from cameras.video_writer import VideoWriter
from commands.options import (
    DEFAULT_DATABASE,
    Config,
    Database,
    Json,
    RunNumber,
    print_json,
    print_table,
)
from pipeline.config import Camera, Site, VideoCamera, load_site
from pipeline.errors import UserError
from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.ground_truth import load_ground_truth
from pipeline.evaluation.multi_camera import evaluate as score
from pipeline.rendering import FrameAnnotator, SheetPassage, contact_sheet
from pipeline.types import Frame
from storage import queries
from storage.exports import csv as csv_export
from storage.exports import mot as mot_export
from storage.queries import ExportRow
from storage.store import Store, open_store

USUAL_FRAME_RATE = 25.0


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
    output: Annotated[Path, typer.Option(help="Folder for videos and contact sheets.")],
    database: Database = None,
    run_number: RunNumber = None,
) -> None:
    """Annotated videos of every camera, and a contact sheet of every identity."""
    site = load_site(config)
    url = database or site.storage.url or DEFAULT_DATABASE
    with open_store(url, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        try:
            output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"{output}: cannot be made: {error.strerror}") from None
        _render_sheets(store, run_id, output)
        failed = False
        for camera in site.cameras:
            failure = _render_camera(site, camera, store, run_id, output)
            if failure:
                failed = True
                print(f"error: {failure}", file=sys.stderr)
    raise typer.Exit(2 if failed else 0)


def _camera_tracks(store: Store, run_id: int, camera: str) -> CameraTracks:
    """What a run found in one camera, as evaluation wants it."""
    rows = [
        (row.frame_index, row.identity, *row.box)
        for row in queries.export_rows(store, run_id, camera)
    ]
    table = np.array(rows, np.float64).reshape(-1, 6)
    frames, identities = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    return CameraTracks(camera, frames, identities, table[:, 2:])


def _render_sheets(store: Store, run_id: int, output: Path) -> None:
    """`identity-0001.jpg` and so on: whom the run takes for one person, to judge by eye."""
    pictures = queries.thumbnails(store, run_id)
    for person in queries.identities(store, run_id):
        passages = [
            SheetPassage(
                passage.tracklet,
                passage.camera,
                passage.enter_us,
                passage.leave_us,
                pictures.get(passage.tracklet, ()),
            )
            for passage in queries.trajectory(store, run_id, person.identity)
        ]
        title = f"identity {person.identity}, run {run_id}"
        path = output / f"identity-{person.identity:04}.jpg"
        _, encoded = cv2.imencode(".jpg", contact_sheet(title, passages))
        try:
            path.write_bytes(encoded.tobytes())
        except OSError as error:
            raise UserError(f"{path}: cannot be written: {error.strerror}") from None


def _render_camera(site: Site, camera: Camera, store: Store, run_id: int, output: Path) -> str:
    """Make `CAMERA.mp4`; in one line what was wrong with its source, or nothing.

    Of a source that ends in damage, what could be read is drawn.
    """
    frames = play(camera, site)
    try:
        first = next(frames, None)
        if first is None:
            return ""
        height, width = first.image.shape[:2]
        annotator = FrameAnnotator(height, _rate(site, camera))
        rows = queries.export_rows(store, run_id, camera.id)
        with VideoWriter(output / f"{camera.id}.mp4", width, height) as video:
            return _draw(first, frames, rows, annotator, video)
    except UserError as error:
        return str(error)


def _draw(
    first: Frame,
    frames: Iterator[Frame],
    rows: Iterator[ExportRow],
    annotator: FrameAnnotator,
    video: VideoWriter,
) -> str:
    try:
        for frame, people in _paired(_chained(first, frames), rows):
            boxes = np.array([row.box for row in people], np.float32).reshape(-1, 4)
            identities = np.array([row.identity for row in people], np.int64)
            video.write(annotator.draw(frame.image, boxes, identities), frame.timestamp_us)
    except UserError as error:
        return str(error)
    return ""


def _chained(first: Frame, others: Iterator[Frame]) -> Iterator[Frame]:
    yield first
    yield from others


def _paired(
    frames: Iterable[Frame], rows: Iterator[ExportRow]
) -> Iterator[tuple[Frame, list[ExportRow]]]:
    """Each frame with its rows; both come in order of frames, neither is held in memory."""
    groups = groupby(rows, key=lambda row: row.frame_index)
    index = -1
    people: Iterator[ExportRow] = iter(())
    for frame in frames:
        while index < frame.index:
            index, people = next(groups, (sys.maxsize, iter(())))
        yield frame, list(people) if index == frame.index else []


def _rate(site: Site, camera: Camera) -> float:
    """About how many frames a second are drawn: only the length of trails depends on it."""
    recorded = camera.frame_rate if not isinstance(camera, VideoCamera) else None
    rates = [rate for rate in (site.detection.rate_hz, recorded) if rate is not None]
    return min(rates, default=USUAL_FRAME_RATE)
