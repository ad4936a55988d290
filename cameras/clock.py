"""One time base: when frames were taken, and which of them are looked at.

Times are int64 microseconds UTC. They are worked out in whole numbers and fractions, never in
floating point, and rounded once (to the nearest, halves to even), so that no error grows with the
length of a recording.
"""

import logging
from datetime import UTC, datetime
from fractions import Fraction

from pipeline.config import CameraSettings, Site
from pipeline.timestamps import to_us

MICROSECONDS = 1_000_000
GRID_TOLERANCE_US = 500
"""A frame this little before a grid point is at it: containers such as Matroska round presentation
times to the millisecond."""

logger = logging.getLogger(__name__)


def exact(value: float) -> Fraction:
    """A setting as it is written: 29.97 is 2997/100, not the nearest binary fraction."""
    return Fraction(str(value))


def start_us(camera: CameraSettings, site: Site, creation_time: str = "") -> int:
    """Time of a recording's first frame, its camera's `time_offset_ms` included.

    The camera's `start` comes first, then the site's, then the creation time that the container
    carries: what is set explicitly wins because copying or encoding a file anew writes a new
    creation time. Where there is none of them, time counts from 1970, which is logged as a warning.

    Args:
        camera: The camera's settings.
        site: The settings of its site.
        creation_time: ISO 8601 as the container has it, UTC where no zone stands; "" for none.
    """
    offset_us = round(exact(camera.time_offset_ms) * 1000)
    start = camera.start or site.start
    return offset_us + (to_us(start) if start else _recorded_us(camera.id, creation_time))


def _recorded_us(camera_id: str, creation_time: str) -> int:
    try:
        time = datetime.fromisoformat(creation_time)
    except ValueError:
        logger.warning(
            "%s: neither the site file nor the recording gives a start time:"
            " timestamps count from 1970-01-01T00:00:00Z",
            camera_id,
            extra={"camera": camera_id},
        )
        return 0
    return to_us(time if time.tzinfo else time.replace(tzinfo=UTC))


def frame_offset_us(index: int, frame_rate: Fraction) -> int:
    """Time from the first frame to frame `index` where frames come at a constant rate."""
    return round(index * MICROSECONDS / frame_rate)


class SamplingGrid:
    """Which frames are looked at: the first at or after each point of a grid in time.

    The grid starts at the first frame's time and has `rate_hz` points per second, so that cameras
    of different or varying frame rates are looked at equally often. A source slower than the grid
    loses no frame. One instance belongs to one pass over one source.
    """

    def __init__(self, rate_hz: float | None) -> None:
        self._points_per_us = Fraction(0) if rate_hz is None else exact(rate_hz) / MICROSECONDS
        self._first_us: int | None = None
        self._last_point = -1

    def wants(self, timestamp_us: int) -> bool:
        """Whether the frame at this time is looked at; to be asked of every frame, in order."""
        if not self._points_per_us:
            return True
        if self._first_us is None:
            self._first_us = timestamp_us
        elapsed_us = timestamp_us - self._first_us + GRID_TOLERANCE_US
        point = int(elapsed_us * self._points_per_us)
        is_wanted = point > self._last_point
        self._last_point = max(point, self._last_point)
        return is_wanted
