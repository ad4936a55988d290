"""How weights move: which of them decay, and how fast they go when."""

import math
from collections import defaultdict
from collections.abc import Iterable
from itertools import repeat
from typing import Any

import torch
from torch import nn

from pipeline.reid.training.recipe import Optimisation


def make_optimiser(
    modules: Iterable[nn.Module], settings: Optimisation, multiples: Iterable[float] = repeat(1.0)
) -> torch.optim.AdamW:
    """AdamW over all weights that may change; biases and scales of norms do not decay.

    Args:
        modules: What learns; a weight belongs to the first module that has it.
        settings: How.
        multiples: Of the learning rate, one for each module.
    """
    alike: defaultdict[tuple[float, bool], dict[nn.Parameter, None]] = defaultdict(dict)
    for module, multiple in zip(modules, multiples, strict=False):
        for weight in module.parameters():
            if weight.requires_grad and not any(weight in group for group in alike.values()):
                alike[multiple, weight.ndim > 1][weight] = None
    groups: list[dict[str, Any]] = [
        {
            "params": list(weights),
            "multiple": multiple,
            "weight_decay": settings.weight_decay if decays else 0.0,
        }
        for (multiple, decays), weights in alike.items()
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def rate(settings: Optimisation, iteration: int) -> float:
    """Learning rate of an iteration, from 0: up in a straight line, then down as half a cosine."""
    if iteration < settings.warm_up:
        return settings.learning_rate * (iteration + 1) / settings.warm_up
    rest = max(1, settings.iterations - settings.warm_up)
    fall = (1 + math.cos(math.pi * (iteration - settings.warm_up) / rest)) / 2
    return settings.learning_rate * (settings.final_rate + (1 - settings.final_rate) * fall)


def set_rate(optimiser: torch.optim.Optimizer, value: float) -> None:
    """Go on at this learning rate, times each module's multiple."""
    for group in optimiser.param_groups:
        group["lr"] = value * group["multiple"]
