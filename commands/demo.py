"""`demo`: the whole pipeline on the site that the repository holds, and a report to look at."""

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import typer

from cameras.simulation.settings import WallSettings, load_simulation
from commands.interrupts import EXIT_INTERRUPTED
from commands.models import choose_models
from commands.options import print_json, print_table
from commands.page import Page, shown, write_page
from commands.report import draw_run, make_folder
from commands.run import execute
from pipeline.config import load_site
from pipeline.errors import UserError
from pipeline.evaluation.baselines import baselines
from pipeline.evaluation.camera_tracks import identified
from pipeline.evaluation.ground_truth import load_ground_truth
from pipeline.evaluation.multi_camera import Evaluation, evaluate
from pipeline.evaluation.tracking import Scores
from pipeline.floor_plan import FloorMap
from pipeline.types import DoubleArray
from storage import queries
from storage.store import Store, open_store

OURS = "this project"
DATABASE = "demo.db"
"""Not the name that `run` gives by default: the demo begins with an empty one each time."""
CIRCLE = np.linspace(0, 2 * np.pi, 25)


def run_demo(
    folder: Path, output: Path, weights_dir: Path | None, *, recorded: bool, as_json: bool
) -> None:
    """The command `demo`: see `run_pipeline.demo`.

    Raises:
        UserError: The demo is not whole, `weights_dir` holds no models, or the report cannot be
            written.
    """
    models = choose_models(folder, weights_dir, recorded=recorded)
    film = load_site(folder / "site.yaml")
    floor_map = floor_map_of(folder / "simulation.yaml")
    _tell(f"weights: {models.words}")
    make_folder(output)
    with _fresh_store(output / DATABASE) as store:
        _tell(f"detecting, tracking and associating in {len(models.site.cameras)} cameras")
        report = execute(models.site, store, resume=False)
        if report.exit_code == EXIT_INTERRUPTED:
            raise typer.Exit(report.exit_code)
        if report.status != "finished":
            reasons = [camera.message for camera in report.cameras.values() if camera.message]
            raise UserError("; ".join(reasons) or f"the run ended {report.status}")
        _tell("scoring")
        evaluations = score(store, report.run, folder / "ground_truth")
        for name in evaluations[OURS].not_evaluated:
            _tell(f"camera {name} has no ground truth: not evaluated")
        failures = draw_run(film, store, report.run, output, floor_map)
        if failures:
            raise UserError("; ".join(failures))
        people = [person.identity for person in queries.identities(store, report.run)]
    cameras = list(report.cameras)
    page = Page(film.site, models.words, cameras, report.tracklets, people, evaluations)
    path = write_page(page, output)
    if as_json:
        trees = {name: evaluation.to_json() for name, evaluation in evaluations.items()}
        print_json({"weights": models.words, "report": str(path), "scores": trees})
        return
    _print_scores(evaluations)
    print(f"weights: {models.words}\nreport:  {path}")


def score(store: Store, run_id: int, ground_truth: Path) -> dict[str, Evaluation]:
    """Scores of the run, and of the baselines on the same tracklets and embeddings.

    What the run takes for things is none of its people; the baselines know no things.
    """
    names = queries.cameras(store, run_id)
    truth = load_ground_truth(ground_truth, names)
    stored = store.load_tracklets(run_id)
    tracklets = [tracklet for tracklet, _ in stored]
    linked = {
        passage.tracklet: person.identity
        for person in queries.identities(store, run_id)
        for passage in queries.trajectory(store, run_id, person.identity)
    }
    kept = [tracklet for tracklet in tracklets if tracklet.key in linked]
    ours = np.array([linked[tracklet.key] for tracklet in kept], np.int64)
    found = {OURS: identified(names, kept, ours)}
    for name, identities in baselines([embedding for _, embedding in stored]).items():
        found[name] = identified(names, tracklets, identities)
    return {name: evaluate(truth, each) for name, each in found.items()}


def floor_map_of(path: Path) -> FloorMap:
    """Floors, walls and columns of a simulated site; no map where its file is not there."""
    if not path.exists():
        return FloorMap()
    simulation = load_simulation(path)
    areas = [_corners(*floor.area) for floor in simulation.floors]
    walls = [piece for wall in simulation.walls for piece in _closed_parts(wall)]
    rings = [
        np.array(column.position)
        + column.radius_m * np.stack([np.cos(CIRCLE), np.sin(CIRCLE)], axis=1)
        for column in simulation.columns
    ]
    return FloorMap(tuple(areas), tuple(walls), tuple(rings))


def _corners(x1: float, y1: float, x2: float, y2: float) -> DoubleArray:
    return np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], np.float64)


def _closed_parts(wall: WallSettings) -> list[DoubleArray]:
    """The pieces (2, 2) of a wall between its openings."""
    start, end = np.array(wall.start), np.array(wall.end)
    along = (end - start) / wall.length_m
    return [start + np.array([[near], [far]]) * along for near, far in wall.closed_m]


def _fresh_store(path: Path) -> Store:
    """A new database, in the place of an earlier demo's."""
    for suffix in ("", "-wal", "-shm"):
        try:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"{path}{suffix}: cannot be replaced: {error.strerror}") from None
    return open_store(f"sqlite:///{path}", create=True)


def _print_scores(evaluations: Mapping[str, Evaluation]) -> None:
    people = {name: evaluation.multi_camera for name, evaluation in evaluations.items()}
    _print_table("each camera, in percent (IDSW: a count)", evaluations[OURS].per_camera)
    _print_table("all cameras as one sequence, beside trivial baselines", people)


def _print_table(title: str, rows: Mapping[str, Scores]) -> None:
    trees = {name: scores.to_json() for name, scores in rows.items()}
    headings = ["", *next(iter(trees.values()))]
    print_table(title, headings, [(name, *map(shown, t.values())) for name, t in trees.items()])


def _tell(words: str) -> None:
    print(words, file=sys.stderr)
