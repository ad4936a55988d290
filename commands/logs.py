"""What a run says on standard error: lines for people, or one JSON object a line for machines."""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from enum import StrEnum
from io import TextIOBase
from typing import Final, TextIO

import typer

from pipeline.config import redact
from pipeline.errors import UserError
from pipeline.timestamps import to_iso

EXIT_FAULT, EXIT_USER = 1, 2
OURS: Final = ("cameras", "commands", "pipeline", "storage")
"""Of these all is told that is worth it; of libraries only warnings."""
ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
TRACEBACK: Final = "Traceback (most recent call last):\n"
PREFIXED: Final = re.compile(r"(error|warning): (.*)", re.DOTALL)

logger = logging.getLogger(__name__)


class LogFormat(StrEnum):
    """How a run says what happens."""

    TEXT = "text"
    JSON = "json"


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON, without credentials."""

    def format(self, record: logging.LogRecord) -> str:
        """`{"time": ..., "level": ..., "logger": ..., "message": ...}`, and what else is known."""
        told = {
            "time": to_iso(round(record.created * 1e6)),
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        if hasattr(record, "camera"):
            told["camera"] = record.camera
        message = record.getMessage()
        fault = self.formatException(record.exc_info) if record.exc_info else ""
        if message.startswith(TRACEBACK):  # one that was kept as text
            message, fault = message.rpartition("\n")[2], message
        told["message"] = without_credentials(message)
        if fault:
            told["traceback"] = without_credentials(fault)
        return json.dumps(told, ensure_ascii=False)


class LoggedLines(TextIOBase):
    """A text stream of which each line is logged: what libraries, and we, print."""

    def __init__(self) -> None:
        self._begun = ""

    def write(self, text: str) -> int:
        """Log the lines that end in this text."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in filter(str.strip, lines):
            told = PREFIXED.fullmatch(line)
            level = logging.INFO if told is None else getattr(logging, told[1].upper())
            logger.log(level, "%s", line if told is None else told[2])
        return len(text)


def without_credentials(text: str) -> str:
    """A text without the user names, passwords and queries of the addresses in it."""
    return ADDRESS.sub(lambda address: redact(address[0]), text)


@contextmanager
def logged(log_format: LogFormat) -> Iterator[None]:
    """Say what happens within in this format; text is what it is without this."""
    if log_format is LogFormat.TEXT:
        yield
        return
    with _handled(sys.stderr), redirect_stderr(LoggedLines()):
        try:
            yield
        except UserError as error:
            logger.error("%s", error)
            raise typer.Exit(EXIT_USER) from None
        except typer.Exit:
            raise
        # The program's outer edge: what nobody expected is one line, too.
        except Exception as error:
            logger.critical("%s: %s", type(error).__name__, error, exc_info=True)
            raise typer.Exit(EXIT_FAULT) from None


class _Handler(logging.StreamHandler[TextIO]):
    """Does not tell that it cannot write: that would come back here, and end the caller."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the name of logging)
        """Nothing can be told."""


@contextmanager
def _handled(stream: TextIO) -> Iterator[None]:
    handler = _Handler(stream)
    handler.setFormatter(JsonFormatter())
    root, loggers = logging.getLogger(), [logging.getLogger(name) for name in OURS]
    root.addHandler(handler)
    for each in loggers:
        each.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for each in loggers:
            each.setLevel(logging.NOTSET)
        root.removeHandler(handler)
