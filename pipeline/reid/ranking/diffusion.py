"""Several ways to compare the same N tracklets, diffused into one: unified ensemble diffusion.

Bai et al., CVPR 2019 ("Re-ranking via metric fusion"). What is alike to alike ones becomes alike,
by every metric at once, and metrics that disagree with the others lose their weight.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.reid.ranking.neighbours import Similarities, is_among, top
from pipeline.types import DoubleArray


@dataclass(frozen=True, slots=True, eq=False)
class Diffused:
    """Similarities (N, N) after diffusion, symmetric, and the weight (V,) each metric got."""

    similarities: DoubleArray
    weights: DoubleArray


def unified_diffusion(
    affinities: Similarities,
    neighbours: int = 5,
    restart: float = 0.3,
    spread: float = 0.3,
    rounds: int = 20,
) -> Diffused:
    """The least of sum_v w_v (F . (F - S_v F S_v') + m |F - I|²) + spread/2 |w|², in turns.

    For fixed weights F = sum_v a_v S_v F S_v' + restart I, a_v = (1 - restart) w_v, restart =
    m / (1 + m); for fixed F weights are the point of the simplex nearest to -H / spread, H what
    each metric costs, over the costs' mean. Time and memory grow with V N²: for hundreds of nodes.

    Args:
        affinities: (V, N, N), symmetric, at least 0.
        neighbours: Affinities to others are 0 but to so many nearest, mutual or not: about as many
            as a person has other tracklets.
        restart: Part that comes from everybody being alike to themselves, in (0, 1).
        spread: Large spreads weight over all metrics, small gives it to the best.
        rounds: Of diffusion and weighting.
    """
    steps = np.stack([_normalised(_sparser(view, neighbours)) for view in affinities])
    weights = np.full(len(steps), 1 / len(steps))
    itself = np.eye(affinities.shape[1])
    diffused = itself
    for _ in range(rounds):
        spreading = steps @ diffused @ steps  # symmetric: S' is S
        diffused = (1 - restart) * np.tensordot(weights, spreading, 1) + restart * itself
        costs = (diffused * (diffused - steps @ diffused @ steps)).sum(axis=(1, 2))
        weights = nearest_on_simplex(-costs / max(costs.mean(), 1e-12) / spread)
    return Diffused(diffused, weights)


def _sparser(affinities: Similarities, neighbours: int) -> DoubleArray:
    """Affinities (N, N) to the nearest others alone, one's own none."""
    others = np.array(affinities, np.float64)
    np.fill_diagonal(others, 0)
    kept = is_among(top(others, neighbours)[0], len(others))
    return np.asarray(np.where(kept | kept.T, others, 0))


def _normalised(affinities: DoubleArray) -> DoubleArray:
    """D^-1/2 W D^-1/2, whose eigenvalues lie in [-1, 1]."""
    scale = 1 / np.sqrt(np.maximum(affinities.sum(axis=1), 1e-12))
    return np.asarray(scale[:, None] * affinities * scale)


def nearest_on_simplex(point: DoubleArray) -> DoubleArray:
    """The nearest point (V,) of no negative part and sum 1 (Duchi et al., ICML 2008)."""
    falling = np.sort(point)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, len(point) + 1)
    return np.asarray(np.maximum(point - excess[np.flatnonzero(falling > excess)[-1]], 0))
