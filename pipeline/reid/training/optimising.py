"""How weights move: which of them decay, and how fast they go when."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from pipeline.reid.training.recipe import Optimisation


def make_optimiser(modules: Iterable[nn.Module], settings: Optimisation) -> torch.optim.AdamW:
    """AdamW over all weights that may change; biases and scales of norms do not decay."""
    weights = [w for module in modules for w in module.parameters() if w.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [w for w in weights if w.ndim > 1]},
        {"params": [w for w in weights if w.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate, weight_decay=settings.weight_decay)


def rate(settings: Optimisation, iteration: int) -> float:
    """Learning rate of an iteration, from 0: up in a straight line, then down as half a cosine."""
    if iteration < settings.warm_up:
        return settings.learning_rate * (iteration + 1) / settings.warm_up
    rest = max(1, settings.iterations - settings.warm_up)
    fall = (1 + math.cos(math.pi * (iteration - settings.warm_up) / rest)) / 2
    return settings.learning_rate * (settings.final_rate + (1 - settings.final_rate) * fall)


def set_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    """Go on at this learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = value
