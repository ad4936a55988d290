"""`run` of live cameras as a process of its own: what it has stored, what it tells, its end."""

import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
WITHIN_SECONDS = 120


class LiveRun:
    """`run` as a process of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "site.yaml", "--json"]
        self._errors = folder / "errors.txt"
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*command, *arguments],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.database = folder / "tracking.db"

    def tracklets(self) -> list[tuple[str, int, int]]:
        """Camera, track and part of what is stored, in order."""
        if not self.database.exists():
            return []
        query = (
            "select camera.name, track_id, part from tracklet join camera on"
            " camera.id = camera_id order by 1, 2, 3"
        )
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            try:
                return list(connection.execute(query))
            except sqlite3.OperationalError:  # no tables yet
                return []

    def until_stored(self, count: int) -> list[tuple[str, int, int]]:
        end = time.monotonic() + WITHIN_SECONDS
        while len(self.tracklets()) < count:
            assert self.process.poll() is None, self.errors
            assert time.monotonic() < end, self.tracklets()
            time.sleep(0.1)
        return self.tracklets()

    @property
    def errors(self) -> str:
        """What it has written to standard error so far."""
        return self._errors.read_text(encoding="utf-8")

    def end(self, how: signal.Signals) -> tuple[int, str, str]:
        self.process.send_signal(how)
        output, _ = self.process.communicate(timeout=WITHIN_SECONDS)
        return self.process.returncode, output, self.errors


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def metrics(port: int) -> str:
    """What the run tells of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        return answer.read().decode()
