"""Living in one process with Mesa's software renderer."""

import ctypes
from importlib.util import find_spec
from pathlib import Path


def load_what_mesa_would_break() -> None:
    """Load triton's library, where it is installed, before Mesa loads its LLVM.

    Mesa makes the names of its LLVM visible to every library loaded later. torchvision, ultralytics
    and torch's compiler load triton, which has an LLVM of its own; when it comes after Mesa it is
    bound to the wrong one, and the process dies of a segmentation fault. Loaded before, it keeps
    its own.
    """
    triton = find_spec("triton")
    if triton is None or triton.origin is None:
        return
    library = Path(triton.origin).parent / "_C" / "libtriton.so"
    if library.exists():
        ctypes.CDLL(str(library))
