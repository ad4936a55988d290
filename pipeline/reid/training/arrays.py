"""Arrays put down whole or not at all."""

from pathlib import Path

import numpy as np

from pipeline.types import FloatArray


def save_array(path: Path, array: FloatArray) -> None:
    """Write a `.npy` file; what is there is replaced only when the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"partial-{path.name}")
    np.save(partial, array)
    partial.replace(path)
