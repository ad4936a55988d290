"""What a camera gives, found out by opening it."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from cameras.hardware import decoding_of
from cameras.live import Link, LiveSource, Patience
from cameras.live_clock import ClockSource, SteadyClock
from cameras.sources import open_frames, open_observations
from pipeline.config import Camera, PixelCamera, Site, VideoCamera
from pipeline.errors import UserError
from pipeline.types import Frame, ImageArray

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found.

    Attributes:
        camera_id: Which camera.
        kind: live, recorded frames, or recorded rows.
        is_paused: Whether nobody is to look at it: it was not opened.
        message: Why it cannot be opened; empty where it can.
        codec: As libav names it; empty for recordings.
        width: Pixels; 0 where there are none.
        height: Pixels.
        decoding: What decodes it: software, or hardware; empty where nothing is decoded.
        rate_hz: Pictures a second that came, of a live camera; 0 for recordings.
        frames: How many a recording announces; 0 where unknown.
        clock: Whose clock dates a live camera's frames.
        offset_ms: Arrival minus a live camera's own time; None where it does not tell that.
        image: Its first frame; None without pixels.
    """

    camera_id: str
    kind: str
    is_paused: bool = False
    message: str = ""
    codec: str = ""
    width: int = 0
    height: int = 0
    decoding: str = ""
    rate_hz: float = 0
    frames: int = 0
    clock: ClockSource = ClockSource.NONE
    offset_ms: float | None = None
    image: ImageArray | None = None


def probe_all(
    site: Site,
    seconds: float,
    patience: Patience = Patience(),  # noqa: B008 (frozen)
) -> list[Probe]:
    """Open all cameras of a site at once, not those that are paused; look at live ones so long."""
    steady = SteadyClock()

    def probe(camera: Camera) -> Probe:
        if not camera.enabled:
            return Probe(camera.id, _kind(camera), is_paused=True)
        if isinstance(camera, VideoCamera) and camera.is_live:
            with closing(LiveSource(camera, site, steady, patience)) as source:
                return _of_live(source, seconds)
        return _of_recording(camera, site)

    with ThreadPoolExecutor(len(site.cameras)) as pool:
        return list(pool.map(probe, site.cameras))


def _kind(camera: Camera) -> str:
    if isinstance(camera, VideoCamera) and camera.is_live:
        return "live"
    return "frames" if isinstance(camera, PixelCamera) else "rows"


def _of_live(source: LiveSource, seconds: float) -> Probe:
    first: Frame | None = None
    while first is None:
        first = source.poll(POLL_SECONDS)
        status = source.status()
        if first is None and status.link is Link.BACKOFF:
            return Probe(source.camera_id, "live", message=status.failure)
    began, before = time.monotonic(), source.status().pictures
    while time.monotonic() - began < seconds:
        source.poll(POLL_SECONDS)
    status, passed = source.status(), time.monotonic() - began
    return Probe(
        source.camera_id,
        "live",
        message="" if status.link is Link.RUNNING else status.failure or status.link.value,
        codec=status.facts.codec,
        width=status.facts.width,
        height=status.facts.height,
        decoding=status.facts.decoding,
        rate_hz=round((status.pictures - before) / passed, 1),
        clock=status.clock,
        offset_ms=None if status.offset_us is None else round(status.offset_us / 1000, 1),
        image=first.image,
    )


def _of_recording(camera: Camera, site: Site) -> Probe:
    found = Probe(camera.id, _kind(camera))
    try:
        return _opened(found, camera, site)
    except UserError as error:
        return replace(found, message=str(error))


def _opened(found: Probe, camera: Camera, site: Site) -> Probe:
    if not isinstance(camera, PixelCamera):
        with closing(open_observations(camera, site)) as rows:
            width, height = camera.image_size
            return replace(found, width=width, height=height, frames=rows.expected_frames or 0)
    with closing(open_frames(camera, site)) as source:
        image = next(iter(source)).image
        height, width = image.shape[:2]
        frames = source.expected_frames or 0
        shown = replace(found, width=width, height=height, frames=frames, image=image)
    if isinstance(camera, VideoCamera) and not Path(camera.video).is_dir():
        return replace(shown, decoding=decoding_of(camera))
    return shown
