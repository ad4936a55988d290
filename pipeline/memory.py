"""What a long run has freed, given back to the system."""

import ctypes


def give_back_memory() -> None:
    """Give back pages that are free, but lie between others that are not (`malloc_trim`).

    glibc keeps them in each thread's heap, and they become more for hours: pictures come and go
    between what stays. Where the C library cannot, nothing happens.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
