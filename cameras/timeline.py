"""The place of every picture of a video: its number, its time, and whether it is looked at."""

from dataclasses import dataclass
from fractions import Fraction

from cameras.clock import MICROSECONDS, SamplingGrid

RESTART_SECONDS = 1
"""Presentation times that fall back by more are those of a clock that started anew, as where
recordings were joined; a smaller step back is a fault of the muxer."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture stands in its video.

    Attributes:
        index: Number of the picture in order of presentation, from 0.
        timestamp_us: Microseconds UTC, never before the picture that was shown earlier.
        is_wanted: Whether the sampling grid asks for it.
    """

    index: int
    timestamp_us: int
    is_wanted: bool


class Timeline:
    """Gives each picture of a video its place; to be asked in order of presentation.

    Times are start + (pts - first pts) * time base. A picture without presentation time follows
    the one before it at the distance of their decoding times, or, without those, at the nominal
    one; where the first pictures have none, the first presentation time that comes sets the
    origin. A step back in time is no step; after a clock that started anew time goes on at the
    nominal distance.

    Attributes:
        start_us: Time of the first picture, microseconds UTC.
        last_us: Time of the picture placed last.
        count: How many pictures have been placed.
    """

    def __init__(
        self, start_us: int, time_base: Fraction, spacing: Fraction, grid: SamplingGrid
    ) -> None:
        """A timeline on which no picture has been placed.

        Args:
            start_us: Time of the first picture, microseconds UTC.
            time_base: Seconds a tick.
            spacing: Nominal distance of pictures, ticks.
            grid: Which times are looked at.
        """
        self.start_us = start_us
        self.last_us = start_us
        self.count = 0
        self._us_per_tick = time_base * MICROSECONDS
        self._restart = Fraction(RESTART_SECONDS) / time_base
        self._spacing = spacing
        self._grid = grid
        self._origin: Fraction | None = None
        self._elapsed = Fraction(0)
        self._decoding_time: int | None = None

    def place(self, pts: int | None, decoding_time: int | None = None) -> Place:
        """The place of the next picture.

        Args:
            pts: Its presentation time, ticks; None where it has none.
            decoding_time: As many-eth of the decoding times as the picture is of the pictures,
                ticks; used where there is no presentation time.
        """
        expected = self._expected(decoding_time)
        self._elapsed = expected if pts is None else self._since_origin(pts, expected)
        self._decoding_time = decoding_time
        time_us = self.start_us + round(self._elapsed * self._us_per_tick)
        self.last_us = max(time_us, self.last_us)
        place = Place(self.count, self.last_us, self._grid.wants(self.last_us))
        self.count += 1
        return place

    def _expected(self, decoding_time: int | None) -> Fraction:
        """Ticks since the first picture, as far as the pictures before tell."""
        if self.count == 0:
            return Fraction(0)
        before = self._decoding_time
        if decoding_time is None or before is None or decoding_time < before:
            return self._elapsed + self._spacing
        return self._elapsed + decoding_time - before

    def _since_origin(self, pts: int, expected: Fraction) -> Fraction:
        """Ticks since the first picture by presentation time."""
        if self._origin is None or pts - self._origin < self._elapsed - self._restart:
            self._origin = pts - expected
        return pts - self._origin
