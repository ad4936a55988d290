"""Objects that last as long as the process, because their end would do harm."""

from collections.abc import Callable
from functools import cache
from typing import TypeVar

Made = TypeVar("Made")


@cache
def the_only(make: Callable[[], Made]) -> Made:
    """What this makes, once in a process, and never destroyed.

    For `openvino.Core`: its CPU plugin gives the thread that first compiles a model a stack for
    signals, and frees it in whichever thread drops the last model. Where that is another thread,
    the next Ctrl-C or SIGTERM ends the process by a segmentation fault.
    """
    return make()
