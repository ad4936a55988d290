"""`run`: from the cameras of a site to identities in the store."""

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import typer
from rich.console import Console

from cameras.detection_service import DetectionService
from cameras.encoding import EncoderOf, EncodingStage
from cameras.hardware import check_decoding
from cameras.pool import Pool
from cameras.progress import ProgressDisplay
from cameras.worker import FRAMES_IN_FLIGHT, CameraStatus, State
from commands.association import Association, associate_run, associated, knowledge_of
from commands.camera_workers import CameraWorkers
from commands.fits_told import FitsTold
from commands.interrupts import EXIT_INTERRUPTED, terminated_as_interrupt
from commands.live_association import LiveAssociation
from commands.metrics import RunningParts, served, split_address
from commands.options import DEFAULT_DATABASE, print_json, print_table
from commands.reloading import SiteReload, camera_records
from pipeline.config import PixelCamera, Site, load_site, redacted_json, stored_site
from pipeline.detection.detector import Detector
from pipeline.detection.devices import find_device
from pipeline.detection.exports import cache_folder
from pipeline.errors import SettingsError, WeightsError
from pipeline.reid.encoder import ClipEncoder, RecordedEncoder
from pipeline.reid.opening import open_encoder
from pipeline.reid.splitting import TrackletSplitter
from pipeline.types import Clip, EncodedTracklet
from storage.retention import Retention
from storage.store import RunRecord, Store, open_store
from storage.writer import Writer

EXIT_FAULT, EXIT_USER = 1, 2

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CameraReport:
    """How a camera fared in this run."""

    state: str
    frames: int
    tracklets: int
    message: str


@dataclass(frozen=True, slots=True)
class RunReport:
    """What `run --json` prints."""

    run: int
    site: str
    database: str
    status: str
    seconds: float
    tracklets: int
    identities: int
    cameras: dict[str, CameraReport]
    warnings: tuple[str, ...]
    exit_code: int


def run_site(
    config: Path,
    database: str | None,
    *,
    resume: bool,
    as_json: bool,
    metrics: str | None = None,
) -> None:
    """The command `run`: see `run_pipeline.run`."""
    if metrics is not None:
        split_address(metrics)
    site = load_site(config)
    check_decoding(site.cameras)
    with open_store(database or site.storage.url or DEFAULT_DATABASE, create=True) as store:
        report = execute(site, store, resume=resume, metrics=metrics, config=config)
    for message in dict.fromkeys(c.message for c in report.cameras.values() if c.message):
        print(f"error: {message}", file=sys.stderr)
    for message in report.warnings:
        print(f"warning: {message}", file=sys.stderr)
    if as_json:
        print_json(asdict(report))
    else:
        _print_summary(report)
    raise typer.Exit(report.exit_code)


def execute(
    site: Site,
    store: Store,
    *,
    resume: bool,
    metrics: str | None = None,
    config: Path | None = None,
) -> RunReport:
    """Run a site into a store.

    A camera that fails is named in the report; what the others and itself gave until then is stored
    and associated all the same. Where cameras are live, SIGHUP has the site file read again.

    Raises:
        UserError: Weights, calibrations or the database: nothing can run without them.
    """
    started = time.monotonic()
    knowledge = knowledge_of(site)
    detection, detector = _detection(site)
    encoder = pixel_encoder(site) if _has_pixels(site) else None
    encoder_of = _encoders(site, encoder)
    embed = None if encoder is None else encoder.embed
    splitter = TrackletSplitter(site.tracking.split_log_odds)
    retention = Retention(store, site.site, site.storage)
    retention.enforce()
    resumed = _resumable(site, store, encoder) if resume else None
    run_id, finished = _begin(site, store, detector, set(knowledge.calibrations), resumed)
    live = LiveAssociation(store, run_id, knowledge) if site.live_cameras else None
    told = FitsTold()
    reload = live and config and SiteReload(config, site, store, run_id, live)
    with (
        retention,
        live or nullcontext(),
        Writer(store, run_id, _ignored if live is None else live.put) as writer,
        EncodingStage(encoder_of, splitter, writer.put, site.storage.thumbnails) as encoding,
        detection as service,
        ProgressDisplay(Console(stderr=True)) as display,
    ):
        last_seen = store.last_seen(run_id)
        workers = CameraWorkers(site, service, encoding.put, encoding.put_open, embed, last_seen)
        pool = Pool(workers.of([each for each in site.cameras if each.id not in finished]))

        def watch(statuses: Sequence[CameraStatus]) -> None:
            # Where nobody is in view no camera would notice for hours.
            encoding.check()
            writer.check()
            if live is not None:
                live.check()
                told.tell(live.fits)
            if reload:
                reload.when_asked(pool, workers)
            display.show(statuses)

        interrupted = False
        try:
            parts = RunningParts(lambda: pool.statuses, service, encoding, writer, live)
            asked = reload.asked_by_hangup() if reload else nullcontext()
            with terminated_as_interrupt(), asked, served(metrics, parts):
                pool.run(watch)
        except KeyboardInterrupt:
            interrupted = _end_live(pool.statuses)
    _end_cameras(store, run_id, pool.statuses)
    if live is None:
        who = associate_run(store, run_id, knowledge)
    else:
        who = associated(store, run_id, live.fits)
    report = _conclude(site, store, run_id, who, pool.statuses, interrupted, started)
    return replace(report, warnings=(*report.warnings, *retention.warnings))


def _ignored(_: Sequence[EncodedTracklet]) -> None:
    """Nobody asks what has been stored: all is associated at the end."""


def _end_live(statuses: Sequence[CameraStatus]) -> bool:
    """Live cameras end when they are stopped; whether recorded ones were interrupted by it."""
    stopped = [status for status in statuses if status.state is State.STOPPED]
    recorded = [status for status in stopped if status.live is None]
    for status in stopped:
        if not recorded:
            status.state = State.ENDED
    return bool(recorded)


def _has_pixels(site: Site) -> bool:
    return any(isinstance(camera, PixelCamera) for camera in site.cameras)


def _detection(site: Site) -> tuple[DetectionService, str]:
    """What finds people, and its name; no weights are needed without pixels."""
    if not _has_pixels(site):
        return DetectionService(lambda _: [], max_batch=1), "none: recorded"
    detector = Detector(site.detection, FRAMES_IN_FLIGHT * len(site.cameras))
    max_batch = len(site.cameras) if detector.batches else 1
    return DetectionService(detector.detect, max_batch, detector.lanes), detector.name


def pixel_encoder(site: Site) -> ClipEncoder:
    """The encoder that the site names, on the device of its detector."""
    return open_encoder(site.reid, find_device(site.detection.device), cache_folder())


def _encoders(site: Site, clips: ClipEncoder | None) -> EncoderOf:
    """Which encoder is for which appearance: one for pixels, else what was recorded."""
    recorded = RecordedEncoder(site.site)
    if clips is None:
        return lambda _: recorded
    return lambda appearance: clips if isinstance(appearance, Clip) else recorded


def _resumable(site: Site, store: Store, encoder: ClipEncoder | None) -> int | None:
    """The run to go on with, if there is one.

    Raises:
        WeightsError: Its people were embedded by another encoder: they could not be compared with
            those to come.
    """
    run_id = store.resumable_run(site.site, _as_put_down(site, store))
    if run_id is None or encoder is None:
        return run_id
    recorded = RecordedEncoder(site.site)
    for earlier in store.encoders(run_id):
        if earlier != encoder.identity and earlier.sha256 != recorded.sha256:
            raise WeightsError(
                f"run {run_id}: its embeddings are by {earlier.words}, reid.weights is now"
                f" {encoder.identity.words}: `reembed --run {run_id}` first, or run without"
                " --resume"
            )
    return run_id


def _as_put_down(site: Site, store: Store) -> str:
    """The settings as the site's newest run put them down, where these mean the same.

    A later version may have more of them, which are as if they had been there.
    """
    now, before = redacted_json(site), store.newest_settings(site.site)
    if before is None:
        return now
    try:
        return before if redacted_json(stored_site(before)) == now else now
    except SettingsError:
        return now


def _begin(
    site: Site, store: Store, detector: str, calibrated: set[str], resumed: int | None
) -> tuple[int, set[str]]:
    """Number of the run, and the cameras that it already has to their end."""
    if resumed is not None:
        store.resume_run(resumed)
        return resumed, store.ended_cameras(resumed)
    cameras = camera_records(site.cameras, calibrated)
    record = RunRecord(site.site, redacted_json(site), detector, cameras, _now_us())
    return store.begin_run(record), set()


def _now_us() -> int:
    return time.time_ns() // 1000


def _conclude(
    site: Site,
    store: Store,
    run_id: int,
    who: "Association",
    statuses: Sequence[CameraStatus],
    interrupted: bool,
    started: float,
) -> RunReport:
    """Close the run, and report."""
    failed = [status for status in statuses if status.state is State.FAILED]
    outcome = "interrupted" if interrupted else "failed" if failed else "finished"
    store.end_run(run_id, outcome, _now_us())
    for status in failed:
        if status.fault:
            logger.error("%s", status.fault.rstrip(), extra={"camera": status.camera_id})
    return RunReport(
        run=run_id,
        site=site.site,
        database=store.name,
        status=outcome,
        seconds=round(time.monotonic() - started, 1),
        tracklets=who.tracklets,
        identities=who.identities,
        cameras={
            s.camera_id: CameraReport(s.state.value, s.frames, s.tracklets, s.message)
            for s in statuses
        },
        warnings=who.warnings,
        exit_code=_exit_code(failed, interrupted),
    )


def _end_cameras(store: Store, run_id: int, statuses: Sequence[CameraStatus]) -> None:
    """Put down how cameras fared."""
    for status in statuses:
        is_whole = status.state is State.ENDED
        # What failed is read again when the run is resumed; of a live camera nothing can be.
        if is_whole or (status.state is State.FAILED and status.live is None):
            store.end_camera(
                run_id, status.camera_id, status.state.value, status.message, status.frames
            )


def _exit_code(failed: Sequence[CameraStatus], interrupted: bool) -> int:
    if interrupted:
        return EXIT_INTERRUPTED
    if any(status.fault for status in failed):
        return EXIT_FAULT
    return EXIT_USER if failed else 0


def _print_summary(report: RunReport) -> None:
    print_table(
        f"run {report.run} of {report.site} {report.status} in {report.seconds:.1f} s:"
        f" {report.tracklets} tracklets, {report.identities} identities in {report.database}",
        ["camera", "state", "frames", "tracklets"],
        [
            (name, camera.state, camera.frames, camera.tracklets)
            for name, camera in report.cameras.items()
        ],
    )
