"""Annotated videos of every camera, and one of all cameras together."""

import heapq
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, groupby, islice
from pathlib import Path

import numpy as np

from cameras.playback import ThumbnailCutter, play
from cameras.video_writer import VideoWriter
from pipeline.config import Camera, Site, VideoCamera
from pipeline.errors import UserError
from pipeline.mosaic import Mosaic
from pipeline.rendering import FrameAnnotator
from pipeline.timestamps import to_iso
from pipeline.types import Frame
from storage import stored_boxes
from storage.store import Store
from storage.stored_boxes import ExportRow

USUAL_FRAME_RATE = 25.0
SAME_MOMENT_US = 20_000
"""Pictures of several cameras that are nearer in time than this are shown together."""


@dataclass(frozen=True, slots=True)
class Film:
    """A camera's annotated video.

    Attributes:
        camera_id: Which camera.
        path: Where the video is.
        start_us: Time of its first frame, microseconds UTC.
        size: Width and height of the camera's frames, pixels; 0 where there was none.
        failure: In one line what was wrong with the source, or nothing.
    """

    camera_id: str
    path: Path
    start_us: int
    size: tuple[int, int]
    failure: str


def draw_camera(
    site: Site, camera: Camera, store: Store, run_id: int, output: Path, cutter: ThumbnailCutter
) -> Film:
    """Make `CAMERA.mp4`. Of a source that ends in damage, what could be read is drawn."""
    path = output / f"{camera.id}.mp4"
    frames = play(camera, site)
    head, failure = _head(frames)
    if not head:
        return Film(camera.id, path, 0, (0, 0), failure)
    height, width = head[0].image.shape[:2]
    annotator = FrameAnnotator(height, _rate(head))
    rows = stored_boxes.export_rows(store, run_id, camera.id)
    try:
        with VideoWriter(path, width, height) as video:
            later = _draw(chain(head, frames), rows, annotator, video, cutter)
    except UserError as error:
        later = str(error)
    return Film(camera.id, path, head[0].timestamp_us, (width, height), failure or later)


def _head(frames: Iterator[Frame]) -> tuple[list[Frame], str]:
    """The first two frames, or as many as can be read, and what was wrong with the source."""
    head: list[Frame] = []
    try:
        for frame in islice(frames, 2):
            head = [*head, frame]
    except UserError as error:
        return head, str(error)
    return head, ""


def draw_mosaic(site: Site, films: Sequence[Film], path: Path) -> None:
    """All annotated videos in one, by their clocks."""
    with_frames = [film for film in films if film.path.is_file() and all(film.size)]
    if not with_frames:
        return
    cameras = [film.camera_id for film in with_frames]
    mosaic = Mosaic(site.site, cameras, with_frames[0].size)
    with VideoWriter(path, *mosaic.size) as video:
        shown_us = 0
        for frame in heapq.merge(*map(_replay, with_frames), key=lambda frame: frame.timestamp_us):
            if shown_us and frame.timestamp_us - shown_us > SAME_MOMENT_US:
                video.write(mosaic.at(shown_us), shown_us)
                shown_us = 0
            shown_us = shown_us or frame.timestamp_us
            mosaic.put(frame.camera_id, frame.image, frame.timestamp_us)
        video.write(mosaic.at(shown_us), shown_us)


def _replay(film: Film) -> Iterator[Frame]:
    """The frames of an annotated video, at the times that they had."""
    start = datetime.fromisoformat(to_iso(film.start_us))
    camera = VideoCamera(id=film.camera_id, video=str(film.path), start=start)
    return play(camera, Site(site="annotated", cameras=(camera,)))


def _draw(
    frames: Iterable[Frame],
    rows: Iterator[ExportRow],
    annotator: FrameAnnotator,
    video: VideoWriter,
    cutter: ThumbnailCutter,
) -> str:
    try:
        for frame, people in _paired(frames, rows):
            boxes = np.array([row.box for row in people], np.float32).reshape(-1, 4)
            identities = np.array([row.identity for row in people], np.int64)
            video.write(annotator.draw(frame.image, boxes, identities), frame.timestamp_us)
            cutter.look(frame)
    except UserError as error:
        return str(error)
    return ""


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


def _rate(head: Sequence[Frame]) -> float:
    """About how many frames a second are drawn: only the length of trails depends on it."""
    interval_us = head[-1].timestamp_us - head[0].timestamp_us
    return 1e6 / interval_us if interval_us > 0 else USUAL_FRAME_RATE
