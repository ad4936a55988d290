"""When the pictures of a live camera were taken: by its own clock where that can be believed.

Two anchors turn presentation times into the time of day. One comes with RTCP sender reports, which
tell what the camera's clock showed. The other is the least difference between arrival and
presentation time: the packet that was delayed least. How far the two are apart is how far the
camera's clock is from this machine's, and a camera whose clock is too far off is dated by arrival.
"""

import time
from collections import deque
from enum import Enum

WINDOW_US = 10_000_000
"""The least delay is sought among packets of so long: clocks drift by less than a millisecond."""
BUCKET_US = 500_000
PLAUSIBLE_US = (-200_000, 1_000_000)
"""Arrival minus the camera's own time: encoding and the network take a while, but not seconds, and
nothing arrives before it was taken."""
STEP_BACK_US = 1_000_000
"""Presentation times that fall back by more begin anew; less is the order of decoding."""


class ClockSource(Enum):
    """Whose clock dates the pictures."""

    NONE = "none"
    CAMERA = "camera"
    ARRIVAL = "arrival"


class SteadyClock:
    """The time of day, microseconds UTC, which never steps while the program runs.

    Attributes:
        step_us: By how much the machine's clock was set since, microseconds.
    """

    def __init__(self) -> None:
        self._offset_ns = time.time_ns() - time.monotonic_ns()

    def now_us(self) -> int:
        return (time.monotonic_ns() + self._offset_ns) // 1000

    @property
    def step_us(self) -> int:
        return time.time_ns() // 1000 - self.now_us()


class LiveClock:
    """Dates the packets of one connection, in the order in which they arrive.

    Attributes:
        source: What dates them at this moment.
        offset_us: Arrival minus the camera's own time, of the packet delayed least; None while the
            camera does not tell its time.
    """

    def __init__(self) -> None:
        self.source = ClockSource.NONE
        self.offset_us: int | None = None
        self._least: deque[tuple[int, int]] = deque()  # (bucket, arrival - pts), both ascending
        self._anchor_us = 0
        self._last_pts_us: int | None = None

    def take(self, pts_us: int | None, camera_us: int | None, arrival_us: int) -> int:
        """Learn from a packet; returns by how much later than the fastest it came, microseconds.

        Args:
            pts_us: Its presentation time, from any origin; None where it has none.
            camera_us: When it was taken by the camera's clock, UTC; None where it is not told.
            arrival_us: When it arrived, UTC.
        """
        if pts_us is None:
            return 0
        if self._last_pts_us is not None and pts_us < self._last_pts_us - STEP_BACK_US:
            self._least.clear()
        self._last_pts_us = pts_us
        arrival_anchor_us = self._least_difference(arrival_us - pts_us, arrival_us)
        if camera_us is None:
            self.offset_us = None
        else:
            self.offset_us = arrival_anchor_us - (camera_us - pts_us)
        self._choose()
        if self.source is ClockSource.CAMERA and camera_us is not None:
            self._anchor_us = camera_us - pts_us
        else:
            self._anchor_us = arrival_anchor_us
        return arrival_us - pts_us - arrival_anchor_us

    def time_of(self, pts_us: int | None, arrival_us: int) -> int:
        """When a picture was taken, microseconds UTC; what has no presentation time: arrival."""
        if pts_us is None or self.source is ClockSource.NONE:
            return arrival_us
        return pts_us + self._anchor_us

    def _choose(self) -> None:
        """The camera's clock where it is plausible; once it was not, only where it surely is."""
        share = 0.5 if self.source is ClockSource.ARRIVAL and self.offset_us is not None else 1.0
        low, high = (share * limit for limit in PLAUSIBLE_US)
        plausible = self.offset_us is not None and low <= self.offset_us <= high
        self.source = ClockSource.CAMERA if plausible else ClockSource.ARRIVAL

    def _least_difference(self, difference_us: int, arrival_us: int) -> int:
        """The least of the window, this one included."""
        bucket = arrival_us // BUCKET_US
        while self._least and self._least[-1][1] >= difference_us:
            self._least.pop()
        if not self._least or self._least[-1][0] != bucket:
            self._least.append((bucket, difference_us))
        while self._least[0][0] < bucket - WINDOW_US // BUCKET_US:
            self._least.popleft()
        return self._least[0][1]
