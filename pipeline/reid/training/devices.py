"""Where to compute."""

import torch

from pipeline.errors import UserError


def find_device(name: str) -> torch.device:
    """A device by its name; `auto` is a GPU where there is one.

    Raises:
        UserError: There is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise UserError(f"--device: expected auto, cpu or a GPU that is here, got {name}") from None
    return device
