"""Simulated sites as recordings: tracks, embeddings and ground truth in a folder.

The folder is a site of recorded tracks: `run` and `evaluate` take it as any other. Beside
`embedding` each NPZ file holds `person`, who each row truly is. All rows of a track have the
embedding of its clip.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cameras.recorded import open_tracks
from cameras.simulation.optics import Camera
from cameras.simulation.scene import Scene
from cameras.simulation.settings import Simulation
from cameras.simulation.sightings import Sightings, sightings
from cameras.simulation.timetable import timetable
from cameras.simulation.track_clips import clips
from cameras.simulation.tracklets import Tracks, draw_tracks, is_findable
from pipeline.calibration import load_calibrations
from pipeline.config import Site, TracksCamera, load_site
from pipeline.evaluation.ground_truth import GroundTruth, load_ground_truth
from pipeline.reid.encoder import ClipEncoder, RecordedEncoder
from pipeline.timestamps import to_iso
from pipeline.tracking.tracklets import TrackletBuilder
from pipeline.types import (
    BoolArray,
    Calibrations,
    Clip,
    DoubleArray,
    Embedding,
    FloatArray,
    IntArray,
    NoEmbedding,
    Tracklet,
)

VERSION: Final = 1
"""To be raised where tracks are drawn, or pictures rendered, otherwise than before."""
CLIP_SIZE: Final = 8
CLIPS_AT_ONCE: Final = 16
LEAST_VISIBLE: Final = 0.1
"""Of whom less is to be seen, nobody may be expected to know."""
PEDESTRIAN: Final = 1
DISTRACTOR: Final = 8
MADE_OF: Final = "made-of.json"
_TRACKS: Final = 0x7AC
"""Tells this use of the seed from others."""

OnProgress = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What association gets of a site, and the truth.

    Attributes:
        site: The site file.
        tracklets: N tracklets.
        embeddings: Theirs, N.
        calibrations: By camera id.
        truth: By camera id.
        persons: (N,) int64: who each tracklet shows most of the time.
        is_mixed: (N,) bool: whether it shows somebody else, too.
    """

    site: Site
    tracklets: Sequence[Tracklet]
    embeddings: Sequence[Embedding | NoEmbedding]
    calibrations: Calibrations
    truth: Mapping[str, GroundTruth]
    persons: IntArray
    is_mixed: BoolArray


def record(
    simulation: Simulation, encoder: ClipEncoder, folder: Path, on_progress: OnProgress
) -> None:
    """Make the folder of a site; nothing is done where it was made of the same before."""
    made_of = _made_of(simulation, encoder)
    if (folder / MADE_OF).exists() and json.loads((folder / MADE_OF).read_text()) == made_of:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    tables = {one.id: timetable(simulation, one) for one in simulation.cameras}
    with Scene(simulation) as scene:
        seen, tracks = {}, {}
        for camera in simulation.cameras:
            rng = np.random.default_rng([simulation.seed, _TRACKS, *camera.id.encode()])
            seen[camera.id] = sightings(
                scene.world, Camera(camera), tables[camera.id], scene.still(camera.id)
            )
            tracks[camera.id] = draw_tracks(seen[camera.id], camera.frame_rate, rng)
        total = sum(int(own.tracks.max(initial=0)) for own in tracks.values())
        vectors: dict[tuple[str, int], FloatArray] = {}
        waiting: list[tuple[str, int, Clip]] = []
        for camera_id, track, crops in clips(scene, tables, tracks, CLIP_SIZE):
            waiting.append((camera_id, track, _clip(crops)))
            if len(waiting) == CLIPS_AT_ONCE or len(vectors) + len(waiting) == total:
                vectors |= _embedded(encoder, waiting)
                waiting.clear()
                on_progress(f"{simulation.site}: {len(vectors)} of {total} tracks")
    for camera in simulation.cameras:
        own = {track: vector for (name, track), vector in vectors.items() if name == camera.id}
        _write_camera(folder, Camera(camera), seen[camera.id], tracks[camera.id], own)
    starts = {name: to_iso(table.start_us) for name, table in tables.items()}
    (folder / "site.yaml").write_text(_site_text(simulation, starts))
    (folder / "simulation.yaml").write_text(
        yaml.safe_dump(simulation.model_dump(mode="json"), sort_keys=False)
    )
    (folder / MADE_OF).write_text(json.dumps(made_of))


def _made_of(simulation: Simulation, encoder: ClipEncoder) -> dict[str, str | int]:
    """What a recording follows from."""
    return {
        "simulation": hashlib.sha256(simulation.model_dump_json().encode()).hexdigest(),
        "encoder": encoder.identity.words,
        "version": VERSION,
    }


def _clip(crops: np.ndarray) -> Clip:
    return Clip(crops, np.arange(len(crops)), np.ones(len(crops), np.float32))


def _embedded(
    encoder: ClipEncoder, waiting: Sequence[tuple[str, int, Clip]]
) -> dict[tuple[str, int], FloatArray]:
    """Embeddings (D,) by camera and track."""
    frames = encoder.frames([clip for _, _, clip in waiting])
    found = {}
    for (camera_id, track, _), vectors in zip(waiting, frames, strict=True):
        embedding = encoder.pooled(vectors)
        assert isinstance(embedding, Embedding)
        found[camera_id, track] = embedding.vector
    return found


def _write_camera(
    folder: Path,
    camera: Camera,
    seen: Sightings,
    tracks: Tracks,
    vectors: Mapping[int, FloatArray],
) -> None:
    (folder / f"{camera.id}.calibration.yaml").write_text(camera.calibration_text())
    _write_rows(
        folder / "tracks" / f"{camera.id}.txt",
        (tracks.frames, tracks.tracks),
        tracks.boxes,
        [f"{score:.3f},-1,-1,-1" for score in tracks.scores.tolist()],
    )
    embeddings = np.stack([vectors[track] for track in tracks.tracks.tolist()])
    np.savez_compressed(
        folder / "tracks" / f"{camera.id}.npz",
        embedding=embeddings.astype(np.float16),
        person=tracks.persons,
    )
    counts = is_findable(seen)
    kept = seen.visibility >= LEAST_VISIBLE
    words = [
        f"{int(own)},{PEDESTRIAN if own else DISTRACTOR},{share:.3f}"
        for own, share in zip(counts[kept].tolist(), seen.visibility[kept].tolist(), strict=True)
    ]
    numbers = (seen.frames[kept], seen.persons[kept])
    _write_rows(folder / "gt" / f"{camera.id}.txt", numbers, seen.boxes[kept], words)


def _write_rows(
    path: Path, numbers: tuple[IntArray, IntArray], boxes: DoubleArray, words: Sequence[str]
) -> None:
    """MOTChallenge rows: frame, id, box, and what stands behind."""
    path.parent.mkdir(exist_ok=True)
    lines = (
        f"{frame + 1},{number},{x:.2f},{y:.2f},{right - x:.2f},{bottom - y:.2f},{rest}\n"
        for frame, number, (x, y, right, bottom), rest in zip(
            *(column.tolist() for column in numbers), boxes.tolist(), words, strict=True
        )
    )
    path.write_text("".join(lines))


def _site_text(simulation: Simulation, starts: Mapping[str, str]) -> str:
    cameras: list[dict[str, Any]] = [
        {
            "id": camera.id,
            "tracks": f"tracks/{camera.id}.txt",
            "embeddings": f"tracks/{camera.id}.npz",
            "calibration": f"{camera.id}.calibration.yaml",
            "frame_rate": camera.frame_rate,
            "image_size": list(camera.image_size),
            "start": starts[camera.id],
        }
        for camera in simulation.cameras
    ]
    text: str = yaml.safe_dump({"site": simulation.site, "cameras": cameras}, sort_keys=False)
    return text


def read_recording(folder: Path) -> Recording:
    """A folder of `record`, read as `run` reads it.

    Raises:
        UserError: It is not whole.
    """
    site = load_site(folder / "site.yaml")
    encoder = RecordedEncoder(site.site)
    found: list[Tracklet] = []
    embeddings: list[Embedding | NoEmbedding] = []
    for camera in site.cameras:
        assert isinstance(camera, TracksCamera)
        builder = TrackletBuilder(camera.id, site.tracking)
        closed = [
            one
            for observation in open_tracks(camera, site)
            for one in builder.add_observation(observation.detections, observation)
        ]
        for tracklet, appearance in [*closed, *builder.close()]:
            found.append(tracklet)
            embeddings.append(encoder.pooled(encoder.frames([appearance])[0]))
    names = [camera.id for camera in site.cameras]
    persons, is_mixed = people_of(site, found)
    return Recording(
        site=site,
        tracklets=found,
        embeddings=embeddings,
        calibrations=load_calibrations(site),
        truth=load_ground_truth(folder / "gt", names),
        persons=persons,
        is_mixed=is_mixed,
    )


def people_of(site: Site, tracklets: Sequence[Tracklet]) -> tuple[IntArray, BoolArray]:
    """Who (N,) each of a recorded site's tracklets shows most, and whether (N,) others, too."""
    person_of = {one.id: _person_of(one) for one in site.cameras if isinstance(one, TracksCamera)}
    people = [
        np.array([person_of[tracklet.camera_id][key] for key in keys], np.int64)
        for tracklet in tracklets
        for keys in [zip(tracklet.frame_indices.tolist(), repeat_of(tracklet), strict=True)]
    ]
    persons = np.array([np.bincount(own).argmax() for own in people], np.int64)
    return persons, np.array([len(np.unique(own)) > 1 for own in people])


def repeat_of(tracklet: Tracklet) -> list[int]:
    """The tracklet's track, once a box."""
    return [tracklet.track_id] * len(tracklet.frame_indices)


def _person_of(camera: TracksCamera) -> dict[tuple[int, int], int]:
    """Who it truly is, by frame from 0 and track."""
    assert camera.embeddings is not None
    rows = np.loadtxt(camera.tracks, delimiter=",", ndmin=2)[:, :2].astype(np.int64)
    persons = np.load(camera.embeddings)["person"]
    return {
        (frame - 1, track): person
        for (frame, track), person in zip(rows.tolist(), persons.tolist(), strict=True)
    }
