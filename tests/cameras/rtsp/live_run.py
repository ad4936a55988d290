"""`run` of live cameras as a process of its own: what it has stored, what it tells, its end."""

import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

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

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What is stored; nothing while there is no store yet."""
        if not self.database.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            try:
                return list(connection.execute(query))
            except sqlite3.OperationalError:  # no tables yet
                return []

    def tracklets(self) -> list[tuple[str, int, int]]:
        """Camera, track and part of what is stored, in order."""
        return self.ask(
            "select camera.name, track_id, part from tracklet join camera on"
            " camera.id = camera_id order by 1, 2, 3"
        )

    def until(self, found: Callable[[], list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
        """What is found, once anything is."""
        end = time.monotonic() + WITHIN_SECONDS
        while not found():
            assert self.process.poll() is None, self.errors
            assert time.monotonic() < end, self.tracklets()
            time.sleep(0.1)
        return found()

    def until_stored(self, count: int) -> list[tuple[str, int, int]]:
        """All tracklets, once there are so many."""
        return self.until(lambda: found if len(found := self.tracklets()) >= count else [])

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
