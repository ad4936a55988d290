"""Writing an export so that nobody finds half of one."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from pipeline.errors import StoreError


@contextmanager
def complete_file(path: Path) -> Iterator[TextIO]:
    """A text file that takes its name when it is complete, and leaves nothing otherwise.

    Raises:
        StoreError: It cannot be written.
    """
    with complete_path(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        yield file


@contextmanager
def complete_path(path: Path) -> Iterator[Path]:
    """The name under which to write a file, which takes its own when it is complete.

    Raises:
        StoreError: It cannot be written.
    """
    try:
        if path.is_dir():
            raise StoreError(f"{path}: expected the name of a file, found a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        try:
            yield partial
            partial.replace(path)
        finally:
            with suppress(OSError):  # it has its name by now, or could not even be opened
                partial.unlink()
    except OSError as error:
        raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from None
