"""The site file read again while live cameras run: SIGHUP adds, removes, pauses, changes them."""

import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cameras.hardware import check_decoding
from cameras.pool import Pool
from commands.association import knowledge_of
from commands.camera_workers import CameraWorkers
from commands.live_association import LiveAssociation
from pipeline.config import (
    Camera,
    DetectionsCamera,
    SimulationCamera,
    Site,
    VideoCamera,
    load_site,
    redact,
    redacted_json,
)
from pipeline.errors import SettingsError, UserError
from storage.store import CameraRecord, Store

CHANGEABLE: Final = {"cameras", "transitions", "origin"}

logger = logging.getLogger(__name__)


class SiteReload:
    """Makes a run that goes on like its site file; cameras that stay as they are notice nothing.

    Args:
        config: The site file.
        site: What it held at the beginning.
        store: Where the run is.
        run_id: Which it is.
        association: Who decides who is who.
    """

    def __init__(
        self, config: Path, site: Site, store: Store, run_id: int, association: LiveAssociation
    ) -> None:
        self._config = config
        self._site = site
        self._store = store
        self._run_id = run_id
        self._association = association
        self._is_due = False

    @contextmanager
    def asked_by_hangup(self) -> Iterator[None]:
        """SIGHUP asks for it, also one that the process has held back since its start."""

        def ask(*_: object) -> None:
            self._is_due = True

        previous = signal.signal(signal.SIGHUP, ask)
        held = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            signal.signal(signal.SIGHUP, previous)

    def when_asked(self, pool: Pool, workers: CameraWorkers) -> None:
        """Read the file, if that was asked for; one that is no good is told, and changes nothing.

        To be called while the pool watches.
        """
        if not self._is_due:
            return
        self._is_due = False
        try:
            self._take(load_site(self._config), pool, workers)
        except UserError as error:
            logger.error("%s; the run goes on as before", error)

    def _take(self, new: Site, pool: Pool, workers: CameraWorkers) -> None:
        self._check(new)
        check_decoding(new.cameras)
        knowledge = knowledge_of(new)
        before = {camera.id: camera for camera in self._site.live_cameras}
        changed = [camera for camera in new.live_cameras if before.get(camera.id) != camera]
        gone = before.keys() - {camera.id for camera in new.live_cameras}
        records = camera_records(changed, set(knowledge.calibrations))
        self._store.change_run(self._run_id, redacted_json(new), records, gone)
        pool.end(gone | {camera.id for camera in changed})
        self._association.know(knowledge)
        pool.begin(workers.of(changed))
        self._site = new
        for camera in changed:
            state = "changed" if camera.id in before else "added"
            state = state if camera.enabled else "paused"
            logger.warning("%s: %s", camera.id, state, extra={"camera": camera.id})
        for camera_id in sorted(gone):
            logger.warning("%s: removed", camera_id, extra={"camera": camera_id})

    def _check(self, new: Site) -> None:
        """Only live cameras, and what is told of how they lie, can be others than before."""
        old = self._site
        names = [name for name in Site.model_fields if name not in CHANGEABLE]
        other = [name for name in names if getattr(new, name) != getattr(old, name)]
        if _recorded(new) != _recorded(old):
            other.append("cameras with recordings")
        if other:
            raise SettingsError(
                f"{self._config}: expected only live cameras, transitions and origin to change"
                f" during a run, got others of {', '.join(other)}"
            )


def _recorded(site: Site) -> list[Camera]:
    live = {camera.id for camera in site.live_cameras}
    return [camera for camera in site.cameras if camera.id not in live]


def camera_records(cameras: Sequence[Camera], calibrated: set[str]) -> tuple[CameraRecord, ...]:
    """How a run remembers its cameras: without credentials."""
    return tuple(
        CameraRecord(camera.id, _source_name(camera), camera.id in calibrated) for camera in cameras
    )


def _source_name(camera: Camera) -> str:
    """What a camera reads, without credentials."""
    if isinstance(camera, VideoCamera):
        return redact(camera.video)
    if isinstance(camera, SimulationCamera):
        return str(camera.simulation)
    return str(camera.detections if isinstance(camera, DetectionsCamera) else camera.tracks)
