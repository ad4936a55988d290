"""Clips of the people in videos, tracked and kept as an archive."""

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from cameras.detection_service import DetectionService
from cameras.worker import FRAMES_IN_FLIGHT, CameraWorker, State
from pipeline.config import DetectionSettings, Site, TrackingSettings, VideoCamera
from pipeline.detection.detector import Detector
from pipeline.errors import UserError
from pipeline.reid.datasets.archive import ArchiveWriter, ClipArchive
from pipeline.reid.redressing import redressed
from pipeline.reid.training.recipe import VideoClips
from pipeline.types import Appearance, Clip, ImageArray, Tracklet

RATE_HZ: Final = 10.0
"""Frames looked at: people are followed easily, and crops are taken less often."""
SOME_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Nobody asks when it was."""
LEAST_CROPS: Final = 4
"""Of a track; of one with fewer, halves would say nothing."""
HALVES: Final = 2

Size = tuple[int, int]


def video_archive(
    clips: VideoClips,
    size: Size,
    folder: Path,
    is_over: Callable[[], bool],
    watch: Callable[[int, int], None],
) -> ClipArchive | None:
    """The archive of these clips; what is missing of it is tracked, video by video.

    Every track is an identity, its halves are clips of two cameras of their own. So somebody who
    comes back is another identity: nobody has said who is who. People who are made of others stand
    before two cameras more.

    Args:
        clips: Which.
        size: H and W of its pictures.
        folder: Where archives are kept, each under the hash of its settings.
        is_over: Whether to stop: asked before each video.
        watch: Told how many videos of how many are there.

    Returns:
        None where it had to stop; the next call goes on.

    Raises:
        UserError: A video or the detector cannot be read, or nobody is in a video.
    """
    videos = [clips.folder / file for file in clips.files]
    made_by: dict[str, str | int] = {
        "source": "videos",
        "videos": " ".join(_hash(path) for path in videos),
        "detector": _hash(clips.detector),
        "frames": clips.frames,
        "redressed": clips.redressed,
        "height_px": size[0],
        "width_px": size[1],
    }
    digest = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:12]
    archive = folder / f"clips-{digest}"
    if not archive.exists():
        parts = folder / f"parts-{digest}"
        for number, path in enumerate(videos):
            watch(number, len(videos))
            part = parts / f"{number:04}.npz"
            if part.exists():
                continue
            if is_over():
                return None
            found = tracked(path, clips.detector, HALVES * clips.frames)
            _save(part, [clip.crops for _, clip in found])
        files = {path: parts / f"{number:04}.npz" for number, path in enumerate(videos)}
        _join(files, archive, size, made_by, clips.redressed)
    return ClipArchive(archive)


def tracked(video: Path, detector: Path, crops: int) -> list[tuple[Tracklet, Clip]]:
    """Everybody who was tracked in a video, each with at most so many crops, spread over the track.

    Raises:
        UserError: The video or the detector cannot be read.
    """
    camera = VideoCamera(id="video", video=str(video))
    engine = "torch" if detector.suffix == ".pt" else "auto"  # the same on every machine
    site = Site(
        site="videos",
        start=SOME_TIME,
        cameras=(camera,),
        detection=DetectionSettings(weights=str(detector), rate_hz=RATE_HZ, engine=engine),
        tracking=TrackingSettings(clip_size=crops),
    )
    found: list[tuple[Tracklet, Clip]] = []

    def keep(tracklet: Tracklet, appearance: Appearance) -> None:
        if isinstance(appearance, Clip) and len(appearance.crops) >= LEAST_CROPS:
            found.append((tracklet, appearance))

    finder = Detector(site.detection, FRAMES_IN_FLIGHT)
    with DetectionService(finder.detect, 1, finder.lanes) as service:
        worker = CameraWorker(camera, site, service, keep, threading.Event())
        worker.start()
        worker.join(threading.TIMEOUT_MAX)
    if worker.status.state is State.FAILED:
        raise UserError(worker.status.message)
    return found


def _hash(path: Path) -> str:
    """Of a file, or of the files in a folder as OpenVINO's."""
    files = sorted(f for f in path.rglob("*") if f.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    try:
        for file in files:
            digest.update(file.read_bytes())
    except OSError as error:
        raise UserError(f"{error.filename}: {error.strerror}") from None
    return digest.hexdigest()[:16]


def _save(path: Path, tracks: list[ImageArray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"partial-{path.name}")
    np.savez(partial, *tracks)
    partial.replace(path)


def _join(
    parts: Mapping[Path, Path],
    archive: Path,
    size: Size,
    made_by: Mapping[str, str | int],
    more: int,
) -> None:
    """One archive of the tracks of all videos, and of people made of them."""
    tracks = []
    for number, (video, part) in enumerate(parts.items()):
        with np.load(part) as kept:
            if not kept.files:
                raise UserError(f"{video}: nobody was tracked")
            tracks += [(number, kept[name]) for name in kept.files]
    crops = [one for _, one in tracks]
    tracks += [(len(parts), one) for one in redressed(np.random.default_rng(0), crops, more)]
    with ArchiveWriter(archive, size, made_by) as writer:
        for identity, (number, crops) in enumerate(tracks):
            for half, pictures in enumerate(np.array_split(crops, HALVES)):
                writer.append(pictures, identity, HALVES * number + half)
    for part in parts.values():
        part.unlink()
    part.parent.rmdir()
