"""Clips of simulated people, rendered by several processes and kept as an archive."""

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np

from cameras.simulation.crops import ClipStudio
from pipeline.reid.datasets.archive import ArchiveWriter, ClipArchive
from pipeline.reid.datasets.sources import resized
from pipeline.reid.training.recipe import SimulatedClips

PEOPLE_AT_ONCE: Final = 5
"""Rendered by a process before it looks at the clock."""
_SEEN_BY = 1  # tells uses of the seed apart

Size = tuple[int, int]


def simulated_archive(
    clips: SimulatedClips,
    size: Size,
    folder: Path,
    is_over: Callable[[], bool],
    watch: Callable[[int, int], None],
) -> ClipArchive | None:
    """The archive of these clips; what is missing of it is rendered.

    Args:
        clips: Which.
        size: H and W of its pictures.
        folder: Where archives are kept, each under the hash of its settings.
        is_over: Whether to stop: asked after each part.
        watch: Told how many people of how many are there.

    Returns:
        None where it had to stop; the next call goes on.
    """
    made_by = {
        "source": "simulation",
        **clips.model_dump(),
        "height_px": size[0],
        "width_px": size[1],
    }
    digest = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:12]
    archive = folder / f"clips-{digest}"
    if not archive.exists():
        parts = _render(clips, size, folder / f"parts-{digest}", is_over, watch)
        if not parts:
            return None
        with ArchiveWriter(archive, size, made_by) as writer:
            for part in parts:
                with np.load(part) as kept:
                    for row in zip(kept["crops"], kept["identities"], kept["cameras"], strict=True):
                        writer.append(row[0], int(row[1]), int(row[2]))
        for part in parts:
            part.unlink()
        parts[0].parent.rmdir()
    return ClipArchive(archive)


def cameras_of(clips: SimulatedClips, identity: int) -> list[int]:
    """Which cameras see a person."""
    rng = np.random.default_rng([clips.seed, _SEEN_BY, identity])
    chosen: list[int] = rng.choice(clips.cameras, clips.cameras_each, replace=False).tolist()
    return sorted(chosen)


def _render(
    clips: SimulatedClips,
    size: Size,
    folder: Path,
    is_over: Callable[[], bool],
    watch: Callable[[int, int], None],
) -> list[Path]:
    """Files with all clips, in order of people; none where it had to stop."""
    folder.mkdir(parents=True, exist_ok=True)
    groups = {
        folder / f"{first:06d}.npz": range(first, min(first + PEOPLE_AT_ONCE, clips.identities))
        for first in range(0, clips.identities, PEOPLE_AT_ONCE)
    }
    missing = {path: people for path, people in groups.items() if not path.exists()}
    os.environ.setdefault("LP_NUM_THREADS", "1")  # the renderer's own; processes share the cores
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        waiting = [
            pool.submit(_render_part, clips, size, people, path) for path, people in missing.items()
        ]
        done = clips.identities - sum(map(len, missing.values()))
        for part in as_completed(waiting):
            done += part.result()
            watch(done, clips.identities)
            if is_over():
                pool.shutdown(cancel_futures=True)
                break
    return list(groups) if all(path.exists() for path in groups) else []


def _render_part(clips: SimulatedClips, size: Size, people: range, path: Path) -> int:
    """Render all clips of some people into one file; how many people they are."""
    studio = _studio(clips.seed, clips.frames, clips.alike, clips.cameras)
    crops, identities, cameras = [], [], []
    for identity in people:
        for camera in cameras_of(clips, identity):
            crops.append(resized(studio.clip(identity, camera).crops, size))
            identities.append(identity)
            cameras.append(camera)
    partial = path.with_name(f"partial-{path.name}")
    np.savez(partial, crops=np.stack(crops), identities=identities, cameras=cameras)
    partial.replace(path)
    return len(people)


@lru_cache(maxsize=1)
def _studio(seed: int, frames: int, alike: float, cameras: int) -> ClipStudio:
    """This process's own."""
    return ClipStudio(seed, frames, alike, cameras_kept=cameras)
