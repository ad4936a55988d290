"""A database that went away comes back: calls that may be made twice are made again."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from storage.engine import ConnectionLostError

PATIENCE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.5

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def reconnecting(call: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """The same, but that it is made again where the connection was lost, for a minute.

    Only for what does no harm when it is done twice: whether a transaction was committed whose
    answer got lost cannot be known.
    """

    @wraps(call)
    def patient(*arguments: Parameters.args, **named: Parameters.kwargs) -> Result:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return call(*arguments, **named)
            except ConnectionLostError:
                if time.monotonic() >= until:
                    raise
                time.sleep(PAUSE_SECONDS)

    return patient
