"""Where the network runs; torch is imported here for the first time."""

import os

from pipeline.errors import WeightsError

# Before torch is imported: the threads of its pool would spin between layers. In trials beside
# other programs on two cores (YOLO26n at 640x480) a frame then cost 100 to 530 CPU ms, and 60 to 90
# with threads that wait; by itself it cost about the same either way.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch


def find_device(name: str) -> torch.device:
    """The device that `detection.device` names; for `auto` a GPU where there is one.

    Raises:
        WeightsError: There is no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise WeightsError(f"detection.device: expected auto, cpu or cuda, got {name}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise WeightsError(f"detection.device: {name}: no CUDA device is available here")
    return device


def device_words(name: str) -> str:
    """The device that a name means, as users know it.

    Raises:
        WeightsError: There is no such device.
    """
    device = find_device(name)
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
