"""Learning a network of a metric, stopped where people that it has not seen say so.

Between cameras it soon knows its few hundred people by heart: hence dropout, decay of weights, the
mean of its last weights instead of the last, and an early stop. It begins as the calibrated cosine.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from pipeline.association.metric.network import MetricNetwork
from pipeline.association.metric.training.localities import PairSampler
from pipeline.association.metric.training.recipe import MetricRecipe
from pipeline.association.metric.training.scores import fit_platt
from pipeline.types import DoubleArray, FloatArray

BATCH_PAIRS: Final = 128
FIRST_PAIRS: Final = 4096
"""Drawn to see how large differences are, and how the distance reads as log-odds."""
STOPS: Final = 8
DROPOUT: Final = 0.5
MEMORY: Final = 0.98
"""Of the mean of weights, from one iteration to the next."""
INITIAL_SPREAD: Final = 0.001
"""Of the last layer's weights, as in LAAM."""


@dataclass(frozen=True, slots=True, eq=False)
class Stop:
    """A network after some iterations, and its mean loss since the stop before."""

    iteration: int
    loss: float
    network: MetricNetwork


class _Nets(nn.Module):
    """K networks side by side, which costs little more than one; see `MetricNetwork`.

    Args:
        dimension: Length D of vectors.
        hidden: Units H of each hidden layer.
        distances: (K,) logit for each unit of mean squared difference.
        intercepts: (K,) logit at none.
    """

    def __init__(
        self, dimension: int, hidden: int, distances: DoubleArray, intercepts: DoubleArray
    ) -> None:
        super().__init__()
        count, sizes = len(distances), [dimension, hidden, hidden, hidden, 1]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for inputs, outputs in pairwise(sizes):
            spread = INITIAL_SPREAD if outputs == 1 else (3 * inputs) ** -0.5
            self.weights.append(torch.randn(count, inputs, outputs) * spread)
            self.biases.append(torch.zeros(count, 1, outputs))
        self.distance = nn.Parameter(torch.tensor(distances, dtype=torch.float32))
        with torch.no_grad():
            self.biases[-1].copy_(torch.tensor(intercepts)[:, None, None])

    def forward(self, differences: Tensor) -> Tensor:
        """Logits (K, B) of absolute differences (K, B, D)."""
        seen = differences
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            seen = nn.functional.dropout(torch.baddbmm(bias, seen, weight).relu(), DROPOUT)
        learnt = torch.baddbmm(self.biases[-1], seen, self.weights[-1])[..., 0]
        return learnt + self.distance[:, None] * differences.square().mean(dim=2)


def learn(
    vectors: FloatArray,
    samplers: Sequence[PairSampler],
    recipe: MetricRecipe,
    seed: int,
    watch: Callable[[], None],
) -> list[list[Stop]]:
    """Of each sampler a network, at `STOPS` iterations evenly spread, the last of all included.

    Args:
        vectors: (N, D) unit vectors.
        samplers: Draw pairs of them.
        recipe: How to learn.
        seed: What the first weights and the draws follow from.
        watch: Called at each stop.
    """
    rng = np.random.default_rng(seed)
    known = torch.tensor(vectors)
    looks = [_first_look(vectors, sampler, rng) for sampler in samplers]
    scales, distances, intercepts = (np.array(column) for column in zip(*looks, strict=True))
    scale = torch.tensor(scales, dtype=torch.float32)[:, None, None]
    stops: list[list[Stop]] = [[] for _ in samplers]
    with _by_itself(seed):
        nets = _Nets(vectors.shape[1], recipe.hidden, distances, intercepts)
        means = copy.deepcopy(nets)
        optimiser = _optimiser(nets, recipe)
        done = 0
        for until in np.linspace(0, recipe.iterations, STOPS + 1).astype(int).tolist()[1:]:
            losses = torch.zeros(len(samplers))
            for first, second, same in _batches(samplers, rng, until - done):
                done += 1
                _set_rate(optimiser, recipe, done)
                logits = nets((known[first] - known[second]).abs() / scale)
                each = binary_cross_entropy_with_logits(logits, same, reduction="none")
                loss = each.mean(dim=1)
                optimiser.zero_grad()
                loss.sum().backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                losses += loss.detach()
                memory = min(MEMORY, done / (done + 10))
                with torch.no_grad():
                    for mean, weight in zip(means.parameters(), nets.parameters(), strict=True):
                        mean.lerp_(weight, 1 - memory)
            for number, of_net in enumerate(stops):
                mean_loss = float(losses[number]) / (
                    until - (of_net[-1].iteration if of_net else 0)
                )
                of_net.append(Stop(done, mean_loss, _network(means, number, scales[number])))
            watch()
    return stops


@contextmanager
def _by_itself(seed: int) -> Iterator[None]:
    """Random numbers of its own, and one thread: more take longer, and change the last digits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)


def _first_look(
    vectors: FloatArray, sampler: PairSampler, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Root mean square of differences; logit per mean square of them over that; logit at 0."""
    first, second, same = sampler.draw(rng, FIRST_PAIRS)
    squares = np.square(vectors[first] - vectors[second]).mean(axis=1).astype(np.float64)
    curve = fit_platt(-squares, same)
    mean = max(float(squares.mean()), 1e-12)
    return mean**0.5, -curve.slope * mean, curve.intercept


def _batches(
    samplers: Sequence[PairSampler], rng: np.random.Generator, count: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """First and second of pairs (K, B), and 1 where they are one person."""
    drawn = [sampler.draw(rng, count * BATCH_PAIRS) for sampler in samplers]
    first, second, same = (np.stack(column) for column in zip(*drawn, strict=True))
    for start in range(0, count * BATCH_PAIRS, BATCH_PAIRS):
        batch = (slice(None), slice(start, start + BATCH_PAIRS))
        yield (
            torch.tensor(first[batch]),
            torch.tensor(second[batch]),
            torch.tensor(same[batch], dtype=torch.float32),
        )


def _optimiser(nets: _Nets, recipe: MetricRecipe) -> torch.optim.AdamW:
    """AdamW, decay of matrices alone."""
    return torch.optim.AdamW(
        [
            {"params": list(nets.weights), "weight_decay": recipe.weight_decay},
            {"params": [*nets.biases, nets.distance], "weight_decay": 0.0},
        ]
    )


def _set_rate(optimiser: torch.optim.AdamW, recipe: MetricRecipe, iteration: int) -> None:
    """Half a cosine, from the highest rate to none."""
    part = (1 + np.cos(np.pi * (iteration - 1) / recipe.iterations)) / 2
    for group in optimiser.param_groups:
        group["lr"] = recipe.learning_rate * float(part)


def _network(nets: _Nets, number: int, scale: float) -> MetricNetwork:
    """One of the networks, for differences as they are: their scale goes into the first layer."""
    weights = [weight[number].detach().numpy().T.copy() for weight in nets.weights]
    weights[0] /= np.float32(scale)
    return MetricNetwork(
        tuple(weights),
        tuple(bias[number, 0].detach().numpy().copy() for bias in nets.biases),
        float(nets.distance.detach()[number] / (weights[0].shape[1] * scale**2)),
    )
