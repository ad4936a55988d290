"""Ways in which the writing of a file fails in its middle."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@pytest.fixture
def no_file_over():  # type: ignore[no-untyped-def]
    """Within it, no file of this program may grow over so many bytes: as on a full disk."""

    @contextmanager
    def limited(size_bytes: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
