"""How far each camera is, live on standard error; quiet where that is not a terminal."""

import time
from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from cameras.worker import CameraStatus, State

REFRESH_PER_SECOND = 4


class ProgressDisplay:
    """A table that follows the workers: position, speed, open tracks, tracklets.

    Args:
        console: Where to draw; nothing is drawn where it is not a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._started = time.monotonic()
        self._live = Live(
            console=console,
            refresh_per_second=REFRESH_PER_SECOND,
            transient=True,
            auto_refresh=False,
        )
        self._shown = console.is_terminal
        self._drawn_at = 0.0

    def __enter__(self) -> "ProgressDisplay":
        if self._shown:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shown:
            self._live.stop()

    def show(self, statuses: Sequence[CameraStatus]) -> None:
        """Draw the cameras as they stand, at most a few times a second."""
        now = time.monotonic()
        if self._shown and now - self._drawn_at >= 1 / REFRESH_PER_SECOND:
            self._drawn_at = now
            self._live.update(progress_table(statuses, now - self._started), refresh=True)


def progress_table(statuses: Sequence[CameraStatus], seconds: float) -> Table:
    """The cameras after so many seconds of work."""
    table = Table(box=None, pad_edge=False)
    table.add_column("camera")
    table.add_column("state")
    for heading in ("position", "done", "frames/s", "open tracks", "tracklets"):
        table.add_column(heading, justify="right")
    for status in statuses:
        table.add_row(
            status.camera_id,
            _state(status),
            _clock(status.position_us - status.first_us),
            _share(status),
            f"{status.frames / max(seconds, 1e-3):.1f}",
            str(status.open_tracks),
            str(status.tracklets),
        )
    return table


def _state(status: CameraStatus) -> str:
    """Of a live camera that runs, how its connection is."""
    is_connected = status.live is not None and status.state is State.RUNNING
    return status.live.link.value if status.live and is_connected else status.state.value


def _clock(duration_us: int) -> str:
    """`1:02:03` of microseconds."""
    seconds = duration_us // 1_000_000
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def _share(status: CameraStatus) -> str:
    if not status.expected_frames:
        return ""
    passed = status.last_index + 1 if status.frames else 0
    return f"{min(100, 100 * passed // status.expected_frames)} %"
