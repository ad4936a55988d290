"""Options and output that the commands share."""

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.errors import UserError
from pipeline.timestamps import from_iso, to_iso
from pipeline.types import ImageArray
from storage.queries import ALWAYS, Period, resolve_run
from storage.store import Store, open_store

DEFAULT_DATABASE = "sqlite:///tracking.db"
BACK_FROM_NOW = re.compile(r"-(\d+(?:\.\d+)?)([smhd])")
UNITS_US = {"s": 1e6, "m": 60e6, "h": 3600e6, "d": 86_400e6}
WIDE_COLUMNS = 250
"""Where nobody looks through a window, lines are not cut."""

Config = Annotated[Path, typer.Argument(help="Site file (YAML).", metavar="CONFIG.yaml")]
Database = Annotated[
    str | None,
    typer.Option(
        help=f"SQLAlchemy URL; default: the site file's storage.url, else {DEFAULT_DATABASE}.",
        metavar="URL",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
TIMES = "ISO 8601 with zone, or back from now: -90s, -30m, -2h, -7d"
From = Annotated[str | None, typer.Option("--from", help=f"{TIMES}.", metavar="T")]
To = Annotated[str | None, typer.Option("--to", help="As --from; default: no end.", metavar="T")]
AsOf = Annotated[
    str | None,
    typer.Option(help="Who is who as it was held then, written as --from.", metavar="T"),
]
RunNumber = Annotated[
    int | None, typer.Option("--run", help="Number of the run; default: the newest.")
]

Watch = Callable[[str, int, int], None]
"""Told what is being done, how much of it, of how much."""


@contextmanager
def opened_run(database: str | None, run_number: int | None) -> Iterator[tuple[Store, int]]:
    """The store, and the run that is asked; by default its newest.

    Raises:
        StoreError: The store cannot be opened, or has no such run.
    """
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        yield store, resolve_run(store, run_number)


def parse_time(option: str, words: str) -> int:
    """Microseconds UTC of an ISO 8601 time with zone, or of one back from now (`-2h`).

    Raises:
        UserError: It is neither; the error names the option.
    """
    relative = BACK_FROM_NOW.fullmatch(words)
    if relative is not None:
        return time.time_ns() // 1000 - round(float(relative[1]) * UNITS_US[relative[2]])
    try:
        return from_iso(words)
    except ValueError as error:
        raise UserError(f"{option}: {error}") from None


def period_of(begin: str | None, end: str | None) -> Period:
    """What `--from` and `--to` say; without them, always."""
    return Period(
        ALWAYS.from_us if begin is None else parse_time("--from", begin),
        ALWAYS.to_us if end is None else parse_time("--to", end),
    )


def words_of(period: Period) -> str:
    """A period in the title of a table."""
    begin = "" if period.from_us == ALWAYS.from_us else f" from {to_iso(period.from_us)}"
    return begin + ("" if period.to_us == ALWAYS.to_us else f" to {to_iso(period.to_us)}")


def parse_as_of(words: str | None) -> int | None:
    """What `--as-of` says; None: now."""
    return None if words is None else parse_time("--as-of", words)


def print_json(tree: Any) -> None:
    """The one document of `--json`."""
    print(json.dumps(tree, indent=2, allow_nan=False))


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on standard output; whole lines where that is no terminal."""
    console = Console()
    if not console.is_terminal:
        console.width = WIDE_COLUMNS
    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(title, style="bold", highlight=False)
    console.print(table)


@contextmanager
def watched() -> Iterator[Watch]:
    """A bar on standard error that says what is done; nothing where that is no terminal."""
    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        bar = progress.add_task("", total=None)
        yield lambda words, done, total: progress.update(
            bar, description=words, completed=done, total=total
        )


def write_picture(path: Path, image: ImageArray) -> None:
    """Write a picture that a user asked for."""
    try:
        is_written = cv2.imwrite(str(path), image)
    except cv2.error:
        is_written = False
    if not is_written:
        raise UserError(f"{path}: cannot be written; expected a .png or .jpg in a folder")
