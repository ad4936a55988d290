"""What a training that is cut goes on from: tensors and numbers, never code."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Protocol

import torch

from pipeline.errors import WeightsError

Curve = list[dict[str, float]]
"""A row a time: `iteration`, and the value of each curve there."""


class Stateful(Protocol):
    """A module or an optimiser."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes in training."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> Any:
        """Put it back."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training has come: iterations done, and its curves until then."""

    iteration: int
    curve: Curve


def save_checkpoint(path: Path, parts: Mapping[str, Stateful], progress: Progress) -> None:
    """Write all parts; a file that is there is replaced only when the new one is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    states = {name: part.state_dict() for name, part in parts.items()}
    torch.save(
        {"iteration": progress.iteration, "curve": json.dumps(progress.curve), "parts": states},
        partial,
    )
    partial.replace(path)


def restore_checkpoint(path: Path, parts: Mapping[str, Stateful]) -> Progress:
    """Put all parts back as they were; nothing is done where there is no checkpoint yet.

    Raises:
        WeightsError: The file is no checkpoint, or one of other parts.
    """
    if not path.exists():
        return Progress(0, [])
    try:
        kept = torch.load(path, map_location="cpu", weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(kept["parts"][name])
        return Progress(kept["iteration"], json.loads(kept["curve"]))
    except (UnpicklingError, RuntimeError, KeyError, ValueError, TypeError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"{path}: expected a checkpoint of this training: {reason}") from None
