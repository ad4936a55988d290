"""A site of people who are a vector each, and how cameras and hours distort it."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.association.metric.training.tracklets import LabelledTracklets
from pipeline.types import FloatArray

CAMERAS = 4
DIMENSION = 32

Vectors = Callable[[np.random.Generator, int, int], FloatArray]
"""The vectors (N, D) of a person, told by number and group, at N tracklets."""
MakeSite = Callable[[int, Vectors, int], LabelledTracklets]


@pytest.fixture(scope="session")
def make_site() -> MakeSite:
    """People come in groups of ten, each walks through three of four cameras, tracks break once."""

    def make(people: int, vectors: Vectors, seed: int) -> LabelledTracklets:
        rng = np.random.default_rng(seed)
        cameras, starts, person, found = [], [], [], []
        for number in range(people):
            group = number // 10
            at = group * 1000 + rng.uniform(0, 60)
            for camera in rng.permutation(CAMERAS)[:3]:
                starts += [at, at + 10]
                cameras += [camera, camera]
                at += rng.uniform(30, 60)
            person += [number] * 6
            found.append(vectors(rng, number, group))
        unit = np.concatenate(found)
        unit = (unit / np.linalg.norm(unit, axis=1, keepdims=True)).astype(np.float32)
        begin = 1_700_000_000_000_000 + (np.array(starts) * 1e6).astype(np.int64)
        count = len(unit)
        return LabelledTracklets(
            vectors=unit,
            encoded=unit,
            runs=np.zeros(count, np.int64),
            cameras=np.array(cameras, np.int64),
            start_us=begin,
            end_us=begin + 8_000_000,
            person=np.array(person, np.int64),
            is_true=np.ones(count, bool),
            apart=np.empty((0, 2), np.int64),
        )

    return make


@pytest.fixture(scope="session")
def isotropic() -> Vectors:
    """People differ in all directions alike, and so does a person from camera to camera."""

    def vectors(rng: np.random.Generator, number: int, group: int) -> FloatArray:
        person = np.random.default_rng([1, number]).normal(size=DIMENSION)
        return (person + rng.normal(size=(6, DIMENSION))).astype(np.float32)

    return vectors


@pytest.fixture(scope="session")
def confusing() -> Vectors:
    """Half of the dimensions tell the groups apart, and nobody within a group.

    Of people at any two times they say most; of people there at the same time, nothing.
    """

    def vectors(rng: np.random.Generator, number: int, group: int) -> FloatArray:
        person = np.random.default_rng([1, number]).normal(size=DIMENSION // 2)
        own = np.random.default_rng([2, group]).normal(size=DIMENSION // 2)
        return np.hstack(
            [
                person + 0.7 * rng.normal(size=(6, DIMENSION // 2)),
                4 * own + 2 * rng.normal(size=(6, DIMENSION // 2)),
            ]
        ).astype(np.float32)

    return vectors
