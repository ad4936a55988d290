"""Freed memory goes back to the system."""

import os
import platform
from pathlib import Path

import numpy as np
import pytest

from pipeline.memory import give_back_memory

PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MB


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries do without")
def test_what_is_free_between_what_stays_is_given_back() -> None:
    some = [np.ones(64_000, np.uint8) for _ in range(4000)]
    stays = some[::100]
    del some
    before = _resident_mb()
    give_back_memory()
    assert _resident_mb() < before - 150
    assert all(each.all() for each in stays)
