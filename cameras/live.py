"""Live cameras: the newest picture, whatever happens to the camera and the network."""

import logging
import random
import threading
import time
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

import numpy as np

from cameras.clock import SamplingGrid, exact
from cameras.live_clock import ClockSource, SteadyClock
from cameras.live_connection import Connection, Picture, StreamFacts
from pipeline.config import Site, VideoCamera, redact
from pipeline.types import Frame

STALL_INTERVALS: Final = 8
"""A camera of few pictures a second stalls when so many of its usual intervals have passed."""
ABANDONED: Final = 3
"""Connections that libav does not let go of, before no further is begun."""
WARNED_OFFSET_US: Final = 500_000
UNAUTHORISED: Final = "401"

logger = logging.getLogger(__name__)


class Link(Enum):
    """How a live camera is."""

    CONNECTING = "connecting"
    RUNNING = "running"
    STALLED = "stalled"
    BACKOFF = "backoff"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for a camera, seconds.

    Attributes:
        first_picture: From the beginning of a connection to its first picture.
        stall: Without a picture: it has stalled.
        dead: Without a picture: the connection is given up.
        backoff: Least wait before connecting anew; doubled each time.
        longest_backoff: Most of it, and at once where the camera refuses the password: many lock
            out who tries too often.
        settled: A connection that gave pictures for so long was a good one.
    """

    first_picture: float = 15
    stall: float = 3
    dead: float = 6
    backoff: float = 1
    longest_backoff: float = 30
    settled: float = 5


@dataclass(slots=True)
class LiveStatus:
    """What a live source tells of itself.

    Attributes:
        link: How it is.
        pictures: Pictures decoded so far.
        dropped: Of these, those that nobody took in time or that came out of order.
        skipped: Of these, those that the sampling rate leaves out.
        connections: Connections tried so far.
        failure: Why the last connection ended, without credentials; empty before.
        fault: The traceback of that, where it is a fault of ours.
        clock: Whose clock dates its pictures.
        offset_us: Arrival minus the camera's own time; None where that is not told.
        facts: Codec, size and rate.
        seen: Monotonic seconds of the last picture; None before the first.
    """

    link: Link = Link.CONNECTING
    pictures: int = 0
    dropped: int = 0
    skipped: int = 0
    connections: int = 0
    failure: str = ""
    fault: str = ""
    clock: ClockSource = ClockSource.NONE
    offset_us: int | None = None
    facts: StreamFacts = field(default_factory=StreamFacts)
    seen: float | None = None

    @property
    def age_seconds(self) -> float | None:
        """Since the last picture."""
        return None if self.seen is None else time.monotonic() - self.seen


class LiveSource:
    """The newest picture of one live camera; connects, and connects anew for ever.

    Whoever polls does the watching: a picture that is late, a connection that ended. Pictures come
    from the thread of the connection, which is abandoned when it does not end.

    Args:
        camera: Its settings.
        site: Those it shares with the others.
        steady: What dates arrivals; shared by all cameras.
        patience: How long is waited.
        first_index: Number of its first picture.
    """

    def __init__(
        self,
        camera: VideoCamera,
        site: Site,
        steady: SteadyClock,
        patience: Patience = Patience(),
        first_index: int = 0,
    ) -> None:
        self.camera_id = camera.id
        self._camera = camera
        self._rate_hz = site.detection.rate_hz
        self._name = redact(camera.video)
        self._offset_us = round(exact(camera.time_offset_ms) * 1000)
        self._steady = steady
        self._patience = patience
        self._first_index = first_index
        self._status = LiveStatus()
        self._changed = threading.Condition()
        self._slot: tuple[int, Picture] | None = None
        self._grid = SamplingGrid(self._rate_hz)
        self._last_us = 0
        self._interval: float | None = None
        self._connection: Connection | None = None
        self._abandoned: list[Connection] = []
        self._failures = 0
        self._retry_at = time.monotonic()
        self._told = ""
        self._warned_us: int | None = None

    def status(self) -> LiveStatus:
        """How it is now."""
        with self._changed:
            return replace(self._status, facts=replace(self._status.facts))

    @property
    def last_index(self) -> int:
        """Number of the last picture that came; that before the first where none has."""
        return self._first_index + self._status.pictures - 1

    def poll(self, timeout_seconds: float) -> Frame | None:
        """The newest picture that was not taken yet; None where none comes in time."""
        end = time.monotonic() + timeout_seconds
        while True:
            with self._changed:
                self._watch()
                taken, self._slot = self._slot, None
                left = end - time.monotonic()
                if taken is None and left > 0 and self._status.link is not Link.ENDED:
                    self._changed.wait(min(left, 0.1))
                    continue
            return None if taken is None else self._frame(*taken)

    def newer(self, frame: Frame) -> Frame:
        """The newest picture in place of one that was taken; that one where none has come since."""
        with self._changed:
            taken, self._slot = self._slot, None
            if taken is None:
                return frame
            self._status.dropped += 1
        return self._frame(*taken)

    def close(self) -> None:
        """Let go of the camera; nothing comes any more. Returns at once."""
        with self._changed:
            self._connection, self._slot = None, None
            self._status.link = Link.ENDED
            self._changed.notify_all()

    def _frame(self, index: int, picture: Picture) -> Frame:
        image = picture.frame.to_ndarray(format="bgr24", threads=1)
        timestamp_us = picture.timestamp_us + self._offset_us
        return Frame(self.camera_id, index, timestamp_us, np.ascontiguousarray(image, np.uint8))

    def _deliver(self, connection: Connection, picture: Picture) -> bool:
        """Take a picture from a connection's thread; the one that still waits is dropped."""
        with self._changed:
            if connection is not self._connection:
                return False
            status, now = self._status, time.monotonic()
            self._note_interval(now)
            status.pictures, status.seen = status.pictures + 1, now
            status.clock, status.offset_us = connection.clock.source, connection.clock.offset_us
            status.facts = connection.facts
            self._settle(connection, now)
            if picture.timestamp_us <= self._last_us:
                status.dropped += 1
                return True
            self._last_us = picture.timestamp_us
            if not self._grid.wants(picture.timestamp_us):
                status.skipped += 1
                return True
            if self._slot is not None:
                status.dropped += 1
            self._slot = (self._first_index + status.pictures - 1, picture)
            self._changed.notify_all()
            return True

    def _note_interval(self, now: float) -> None:
        """Learn how far apart pictures usually come."""
        if self._status.seen is not None and self._status.link is Link.RUNNING:
            interval = now - self._status.seen
            usual = interval if self._interval is None else self._interval
            self._interval = usual + (interval - usual) / 10

    def _settle(self, connection: Connection, now: float) -> None:
        if self._status.link is not Link.RUNNING:
            self._tell("running", logging.WARNING if self._told else logging.INFO)
            self._status.link = Link.RUNNING
        if now - connection.started > self._patience.settled:
            self._failures = 0
        self._warn_of_clock(connection)

    def _watch(self) -> None:
        """Do what is due: begin a connection, call it stalled, give it up."""
        status, now = self._status, time.monotonic()
        if status.link is Link.ENDED:
            return
        connection = self._connection
        if connection is None:
            self._abandoned = [other for other in self._abandoned if other.is_alive]
            if now >= self._retry_at and len(self._abandoned) < ABANDONED:
                self._connect()
        elif connection.is_over:
            status.fault = connection.fault
            self._give_up(connection.failure)
        elif status.link is Link.CONNECTING:
            if now - connection.started > self._patience.first_picture:
                self._give_up(f"no picture within {self._patience.first_picture:g} s")
        else:
            self._watch_age(now - (status.seen or now))

    def _watch_age(self, age: float) -> None:
        slowest = STALL_INTERVALS * (self._interval or 0)
        stall, dead = max(self._patience.stall, slowest), max(self._patience.dead, 2 * slowest)
        if age > dead:
            self._give_up(f"no picture for {round(dead, 1):g} s")
        elif age > stall and self._status.link is not Link.STALLED:
            self._status.link = Link.STALLED
            self._tell("stalled")

    def _connect(self) -> None:
        self._status.link = Link.CONNECTING
        self._status.connections += 1
        self._interval = None
        self._connection = Connection(self._camera, self._steady, self._deliver, self._wake)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _give_up(self, failure: str) -> None:
        """Abandon the connection, and wait before the next."""
        if self._connection is not None:
            self._abandoned.append(self._connection)
        self._connection = None
        patience = self._patience
        wait = min(patience.backoff * 2 ** min(self._failures, 16), patience.longest_backoff)
        if UNAUTHORISED in failure:
            wait = patience.longest_backoff
        wait *= random.uniform(0.75, 1.25)  # noqa: S311 (so that cameras do not knock at once)
        self._failures += 1
        self._retry_at = time.monotonic() + wait
        self._status.link, self._status.failure = Link.BACKOFF, failure
        self._tell(failure)

    def _tell(self, what: str, level: int = logging.WARNING) -> None:
        """Log what has changed, once."""
        if what != self._told:
            self._told = what
            words = (self.camera_id, self._name, what)
            logger.log(level, "%s: %s: %s", *words, extra={"camera": self.camera_id})

    def _warn_of_clock(self, connection: Connection) -> None:
        """Say that the camera's clock is off, once until it changes."""
        offset_us = connection.clock.offset_us
        if offset_us is None or abs(offset_us) < WARNED_OFFSET_US:
            return
        if self._warned_us is None or abs(offset_us - self._warned_us) > WARNED_OFFSET_US:
            self._warned_us = offset_us
            use = "its" if connection.clock.source is ClockSource.CAMERA else "this machine's"
            logger.warning(
                "%s: its clock is %.1f s %s this machine's: pictures are dated by %s",
                self.camera_id,
                abs(offset_us) / 1e6,
                "behind" if offset_us > 0 else "ahead of",
                use,
                extra={"camera": self.camera_id},
            )
