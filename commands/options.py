"""Options and output that the commands share."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from pipeline.errors import UserError
from pipeline.timestamps import from_iso

DEFAULT_DATABASE = "sqlite:///tracking.db"
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
RunNumber = Annotated[
    int | None, typer.Option("--run", help="Number of the run; default: the newest.")
]

Watch = Callable[[str, int, int], None]
"""Told what is being done, how much of it, of how much."""


def parse_time(option: str, words: str) -> int:
    """Microseconds UTC of an ISO 8601 time with zone; the error names the option."""
    try:
        return from_iso(words)
    except ValueError as error:
        raise UserError(f"{option}: {error}") from None


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
