"""What `render` makes: a run in pictures."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from cameras.playback import ThumbnailCutter
from cameras.simulation.calibrations import simulated_calibrations
from commands.videos import Film, draw_camera, draw_mosaic
from pipeline.association.floor_tracks import floor_track
from pipeline.calibration import load_calibrations
from pipeline.charts import Bar, timeline
from pipeline.config import PixelCamera, Site
from pipeline.errors import UserError
from pipeline.floor_plan import FloorMap, floor_plan
from pipeline.floor_views import CameraView, camera_view, smoothed
from pipeline.rendering import SheetPassage, contact_sheet
from pipeline.types import Calibrations, DoubleArray, Tracklet
from storage import queries
from storage.queries import Passage
from storage.store import Store

MOSAIC, TIMELINE, FLOOR_PLAN = "mosaic.mp4", "timeline.png", "floor_plan.png"
SHEETS = "identity-[0-9][0-9][0-9][0-9]*.jpg"

Trajectories = Mapping[int, Sequence[Passage]]
"""Passages in order of time, by identity."""


def draw_run(site: Site, store: Store, run_id: int, output: Path, floor_map: FloorMap) -> list[str]:
    """All pictures of a run, in a folder; for each camera that failed one line that says why.

    Pictures of an earlier run in that folder are removed.

    Raises:
        UserError: A calibration is malformed, a camera is called as the video of all cameras, or
            the folder cannot be written.
    """
    if any(f"{camera.id}.mp4" == MOSAIC for camera in site.cameras):
        raise UserError(f"{site.site}: no camera can be drawn whose video would be {MOSAIC}")
    calibrations = {**simulated_calibrations(site), **load_calibrations(site)}
    make_folder(output)
    for earlier in (*output.glob(SHEETS), output / TIMELINE, output / FLOOR_PLAN):
        earlier.unlink(missing_ok=True)
    people = queries.identities(store, run_id)
    trajectories = {p.identity: queries.trajectory(store, run_id, p.identity) for p in people}
    tracklets = {tracklet.key: tracklet for tracklet, _ in store.load_tracklets(run_id)}
    kept = queries.thumbnails(store, run_id)
    cutter = ThumbnailCutter(_without_thumbnails(site, tracklets, kept))
    films = []
    for camera in site.cameras:
        _tell(f"drawing {camera.id}")
        films.append(draw_camera(site, camera, store, run_id, output, cutter))
    _draw_sheets(run_id, trajectories, kept | cutter.thumbnails(), output)
    if trajectories:
        write(output / TIMELINE, timeline(site.site, _bars(trajectories)))
    paths = _paths(trajectories, tracklets, calibrations, site.association.ground_plane_sigma_m)
    if paths:
        views = _views(films, calibrations, floor_map)
        write(output / FLOOR_PLAN, floor_plan(site.site, paths, views, floor_map))
    _tell("drawing all cameras in one")
    draw_mosaic(site, films, output / MOSAIC)
    return [film.failure for film in films if film.failure]


def _without_thumbnails(
    site: Site, tracklets: Mapping[str, Tracklet], kept: Mapping[str, tuple[bytes, ...]]
) -> list[Tracklet]:
    """Tracklets that were recorded without pixels, where the site now has some and allows them."""
    with_pixels = {camera.id for camera in site.cameras if isinstance(camera, PixelCamera)}
    return [
        tracklet
        for key, tracklet in tracklets.items()
        if site.storage.thumbnails and key not in kept and tracklet.camera_id in with_pixels
    ]


def _draw_sheets(
    run_id: int,
    trajectories: Trajectories,
    pictures: Mapping[str, tuple[bytes, ...]],
    output: Path,
) -> None:
    """`identity-0001.jpg` and so on: whom the run takes for one person, to judge by eye."""
    for identity, passages in trajectories.items():
        shown = [
            SheetPassage(p.tracklet, p.camera, p.enter_us, p.leave_us, pictures.get(p.tracklet, ()))
            for p in passages
        ]
        sheet = contact_sheet(f"identity {identity}, run {run_id}", shown)
        _, encoded = cv2.imencode(".jpg", sheet)
        write(output / sheet_name(identity), encoded.tobytes())


def sheet_name(identity: int) -> str:
    """The file of an identity's contact sheet."""
    return f"identity-{identity:04}.jpg"


def _bars(trajectories: Trajectories) -> list[Bar]:
    return [
        Bar(identity, passage.camera, passage.enter_us, passage.leave_us)
        for identity, passages in trajectories.items()
        for passage in passages
    ]


def _paths(
    trajectories: Trajectories,
    tracklets: Mapping[str, Tracklet],
    calibrations: Calibrations,
    sigma_m: float,
) -> dict[int, list[DoubleArray]]:
    """The ways of identities over the floor; of those only that calibrated cameras saw."""
    paths = {}
    for identity, passages in trajectories.items():
        tracks = [floor_track(tracklets[p.tracklet], calibrations) for p in passages]
        times = np.concatenate([track.times_us for track in tracks])
        if len(times):
            positions = np.concatenate([track.positions for track in tracks])
            variances = sigma_m**2 + np.concatenate([track.variances for track in tracks])
            paths[identity] = smoothed(times, positions, variances)
    return paths


def _views(
    films: Sequence[Film], calibrations: Calibrations, floor_map: FloorMap
) -> list[CameraView]:
    """Where the calibrated cameras are."""
    return [
        camera_view(film.camera_id, calibrations[film.camera_id], film.size, floor_map.walls)
        for film in films
        if film.camera_id in calibrations and all(film.size)
    ]


def make_folder(path: Path) -> None:
    """A folder for results, with those above it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{path}: cannot be made: {error.strerror}") from None


def write(path: Path, content: bytes) -> None:
    """A file of results."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from None


def _tell(words: str) -> None:
    print(words, file=sys.stderr)
