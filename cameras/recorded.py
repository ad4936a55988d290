"""Recorded detections and tracks: MOTChallenge text, with embeddings beside it."""

import zipfile
import zlib
from collections.abc import Generator
from pathlib import Path

import numpy as np
import supervision as sv

from cameras.clock import SamplingGrid, exact, frame_offset_us, start_us
from cameras.onepass import OnePass
from pipeline.config import DetectionsCamera, RecordedCamera, Site, TracksCamera
from pipeline.errors import SourceError
from pipeline.motchallenge import MotRows, read_rows
from pipeline.types import EMBEDDING_KEY, FloatArray, IntArray, Observation


def open_detections(camera: DetectionsCamera, site: Site) -> OnePass[Observation]:
    """The recorded detections of a camera, without `tracker_id` whatever ids the file holds.

    Every frame on the sampling grid is delivered, from 0 to that of the last row, those without
    detections too. Rows keep the file's order within a frame; boxes and confidences are as they
    were recorded.

    Raises:
        SourceError: A file cannot be read or is malformed; all of it is checked here, before
            anything is delivered.
    """
    rows = read_rows(camera.detections, SourceError)
    return _open(camera, site, camera.detections, rows, _detections(rows))


def open_tracks(camera: TracksCamera, site: Site) -> OnePass[Observation]:
    """The recorded tracks of a camera, with the ids of the file as `tracker_id`.

    As `open_detections`. Ids are whole numbers from 1: -1 stands for "no track" in these files,
    and 0 is no number of a track.

    Raises:
        SourceError: As above, and where an id is below 1 or stands twice in a frame.
    """
    rows = read_rows(camera.tracks, SourceError)
    _check_ids(camera.tracks, rows)
    detections = _detections(rows)
    detections.tracker_id = rows.ids
    return _open(camera, site, camera.tracks, rows, detections)


def _detections(rows: MotRows) -> sv.Detections:
    """All rows as one value, in the file's order."""
    return sv.Detections(
        xyxy=rows.boxes.astype(np.float32), confidence=rows.scores.astype(np.float32)
    )


def _open(
    camera: RecordedCamera, site: Site, path: Path, rows: MotRows, detections: sv.Detections
) -> OnePass[Observation]:
    if camera.embeddings is not None:
        detections.data[EMBEDDING_KEY] = _read_embeddings(camera.embeddings, path, rows)
    count = int(rows.frame_indices.max(initial=-1)) + 1
    return OnePass(camera.id, count, _observations(camera, site, rows.frame_indices, detections))


def _observations(
    camera: RecordedCamera, site: Site, frame_indices: IntArray, detections: sv.Detections
) -> Generator[Observation, None, None]:
    first_us, rate = start_us(camera, site), exact(camera.frame_rate)
    grid = SamplingGrid(site.detection.rate_hz)
    order = np.argsort(frame_indices, kind="stable")
    in_order = frame_indices[order]
    for index in range(int(in_order[-1]) + 1 if len(order) else 0):
        timestamp_us = first_us + frame_offset_us(index, rate)
        if grid.wants(timestamp_us):
            begin, end = np.searchsorted(in_order, [index, index + 1])
            people = _select(detections, order[begin:end])
            yield Observation(camera.id, index, timestamp_us, people)


def _select(detections: sv.Detections, rows: IntArray) -> sv.Detections:
    selected = detections[rows]
    assert isinstance(selected, sv.Detections)  # a text as index would give an array
    return selected


def _check_ids(path: Path, rows: MotRows) -> None:
    below = np.flatnonzero(rows.ids < 1)
    if len(below):
        row = below[0]
        raise SourceError(
            f"{path}: row {rows.row_numbers[row]}: expected a track id from 1, got {rows.ids[row]}"
        )
    pairs = np.stack([rows.frame_indices, rows.ids], axis=1)  # (N, 2)
    _, first = np.unique(pairs, axis=0, return_index=True)
    again = np.setdiff1d(np.arange(len(pairs)), first)
    if len(again):
        frame, track_id = pairs[again[0]]
        raise SourceError(
            f"{path}: row {rows.row_numbers[again[0]]}: expected each track id once in a frame,"
            f" got {track_id} again in frame {frame + 1}"
        )


def _read_embeddings(path: Path, rows_path: Path, rows: MotRows) -> FloatArray:
    """Embeddings (N, D) float32, one a row."""
    array = _load(path)
    count = len(rows.ids)
    if array.ndim != 2 or array.shape[1] == 0 or array.dtype.kind != "f":
        raise SourceError(
            f"{path}: {EMBEDDING_KEY}: expected float32 (N, D), got {array.dtype} {_shape(array)}"
        )
    if len(array) != count:
        raise SourceError(
            f"{path}: {EMBEDDING_KEY}: expected one embedding for each of the {count} rows of"
            f" {rows_path}, got {len(array)}"
        )
    # A float64 beyond float32 becomes infinite, and is reported like one.
    with np.errstate(over="ignore"):
        embeddings = array.astype(np.float32)
    wrong = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(wrong):
        raise SourceError(
            f"{path}: {EMBEDDING_KEY}[{wrong[0]}]: expected finite numbers, got nan or infinity"
            f" (row {rows.row_numbers[wrong[0]]} of {rows_path})"
        )
    return embeddings


def _load(path: Path) -> np.ndarray:
    """The embeddings of an NPZ file, of whatever shape and type."""
    try:
        with path.open("rb") as file:  # np.load leaves a file open that is no archive
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):  # a .npy file holds one array
                raise ValueError
            if EMBEDDING_KEY not in archive.files:
                found = ", ".join(archive.files) or "none"
                raise SourceError(f"{path}: expected the key {EMBEDDING_KEY}, got {found}")
            return np.asarray(archive[EMBEDDING_KEY])
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error):
        raise SourceError(
            f"{path}: expected an NPZ file with {EMBEDDING_KEY} float32 (N, D), got something else"
        ) from None


def _shape(array: np.ndarray) -> str:
    return f"({', '.join(map(str, array.shape))})"
