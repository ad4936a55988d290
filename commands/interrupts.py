"""Stopping a command from outside: Ctrl-C and SIGTERM are the same."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

EXIT_INTERRUPTED: Final = 130


@contextmanager
def terminated_as_interrupt() -> Iterator[None]:
    """SIGTERM raises `KeyboardInterrupt` inside, as Ctrl-C does."""

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
