"""Standard error as lines of JSON: one object each, whole, and without credentials."""

import errno
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from commands.logs import LogFormat, logged, without_credentials
from pipeline.errors import StoreError

Run = Callable[..., subprocess.CompletedProcess[str]]
SECRET = "rtsp://viewer:sesame@192.0.2.7/live?token=sesame"
DETECTIONS = {"detections": "a.txt", "frame_rate": 10, "image_size": [640, 480]}


def lines(text: str) -> list[dict[str, Any]]:
    """The objects, one a line."""
    return [json.loads(line) for line in text.splitlines()]


def test_each_line_of_a_run_is_an_object(pipeline: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("1,-1,10,20,30,60,0.9\n2,-1,10,20\n")
    site = {
        "site": "plaza",
        "start": "2026-01-05T10:00:00Z",
        "cameras": [{"id": "dock", **DETECTIONS}],
    }
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(site), encoding="utf-8")
    result = pipeline("run", "site.yaml", "--log-format", "json", "--json", folder=tmp_path)
    assert result.returncode == 2
    (told,) = lines(result.stderr)
    assert (told["level"], told["logger"]) == ("error", "commands.logs")
    assert told["message"].endswith("a.txt: row 2: expected 6 to 10 columns, got 4")
    assert told["time"].endswith("Z") and "T" in told["time"]
    assert json.loads(result.stdout)["exit_code"] == 2


def test_what_ends_a_run_is_an_object(pipeline: Run, tmp_path: Path) -> None:
    result = pipeline("run", "none.yaml", "--log-format", "json", folder=tmp_path)
    assert result.returncode == 2
    (told,) = lines(result.stderr)
    assert told["message"] == "none.yaml: cannot be read: No such file or directory"
    assert "traceback" not in told


def test_a_traceback_is_one_field(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as end, logged(LogFormat.JSON):
        raise RuntimeError(f"no room for {SECRET}")
    assert end.value.exit_code == 1
    (told,) = lines(capsys.readouterr().err)
    assert (told["level"], told["message"]) == (
        "critical",
        "RuntimeError: no room for rtsp://192.0.2.7/live",
    )
    assert told["traceback"].startswith("Traceback (most recent call last):\n")
    assert "sesame" not in str(told)


def test_what_is_printed_and_logged_within(capsys: pytest.CaptureFixture[str]) -> None:
    with logged(LogFormat.JSON):
        sys.stderr.write(f"warning: {SECRET} is slow\n")
        sys.stderr.write("exported\n")
        logging.getLogger("cameras.live").info("yard: running", extra={"camera": "yard"})
        logging.getLogger("elsewhere").info("nobody asked")
        text = "Traceback (most recent call last):\n  File a\nValueError: empty"
        logging.getLogger("commands.run").error("%s", text, extra={"camera": "dock"})
    told = lines(capsys.readouterr().err)
    assert [(each["level"], each.get("camera"), each["message"]) for each in told] == [
        ("warning", None, "rtsp://192.0.2.7/live is slow"),
        ("info", None, "exported"),
        ("info", "yard", "yard: running"),
        ("error", "dock", "ValueError: empty"),
    ]
    assert told[3]["traceback"] == text


def test_people_read_what_they_read_before(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StoreError), logged(LogFormat.TEXT):
        sys.stderr.write("warning: slow\n")
        raise StoreError("full")
    assert capsys.readouterr().err == "warning: slow\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("yard: rtsp://a:b@host/live: stalled", "yard: rtsp://host/live: stalled"),
        ("'postgresql://me:p@ss/w@db:5432/t' full", "'postgresql://db:5432/t' full"),
        ("(http://h/x?key=1) and sqlite:///a.db", "(http://h/x and sqlite:///a.db"),
        ("ends at 10:00 // here", "ends at 10:00 // here"),
    ],
)
def test_addresses_are_told_without_credentials(text: str, told: str) -> None:
    assert without_credentials(text) == told


class _Full(StringIO):
    """A file on a disk that is full."""

    def write(self, _: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_where_nothing_can_be_told_whoever_logs_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _Full())
    with logged(LogFormat.JSON):
        logging.getLogger("cameras.live").warning("gate: stalled")
