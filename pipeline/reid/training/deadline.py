"""How long a training may take, and who is told how far it is."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

Watch = Callable[[str, int, int], None]
"""Told what is done, how far it is, and how far it goes."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When to stop, by `time.monotonic`."""

    at: float = math.inf

    @property
    def is_over(self) -> bool:
        """Whether it is time."""
        return time.monotonic() >= self.at


class OutOfTimeError(Exception):
    """The deadline came; what was done until then is kept, and the next call goes on."""
