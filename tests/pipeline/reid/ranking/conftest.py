"""People as noisy unit vectors."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Crowd = Callable[..., tuple[Floats, Ints]]


@pytest.fixture
def crowd() -> Crowd:
    """`clips` unit vectors of each of `people`, in random order, and whose they are."""

    def draw(
        people: int, clips: int, noise: float, dimension: int = 32, seed: int = 0
    ) -> tuple[Floats, Ints]:
        rng = np.random.default_rng(seed)
        who = rng.permutation(np.repeat(np.arange(people), clips))
        vectors = rng.normal(size=(people, dimension))[who]
        vectors += noise * rng.normal(size=vectors.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors.astype(np.float32), who

    return draw


@pytest.fixture
def mean_precision() -> Callable[[npt.NDArray[np.float64], Ints, Ints], float]:
    """Mean average precision of similarities (Q, G), everybody of the right identity right."""

    def score(similarities: npt.NDArray[np.float64], queries: Ints, gallery: Ints) -> float:
        order = np.argsort(-similarities, axis=1, kind="stable")
        hits = gallery[order] == queries[:, None]
        precisions = np.cumsum(hits, axis=1) / np.arange(1, len(gallery) + 1)
        return float(((precisions * hits).sum(axis=1) / hits.sum(axis=1)).mean())

    return score
