"""Tracklets of which it is known who they are, or at least who they are not."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from pipeline.types import BoolArray, DoubleArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class LabelledTracklets:
    """N tracklets of one or more runs; only two of one run are ever a pair.

    Attributes:
        vectors: (N, D) float32 unit vectors as association compares them: without the offsets of
            their cameras.
        encoded: (N, D) float32 unit vectors as the encoder gave them.
        runs: (N,) which run.
        cameras: (N,) which camera; each run has its own.
        start_us: (N,) microseconds UTC.
        end_us: (N,) microseconds UTC.
        person: (N,) who. Where `is_true` the truth says so, and two numbers are two people. Else
            one number is what the store holds to be one person; two may be one or two people.
        is_true: (N,) bool.
        apart: (A, 2) persons that are known to be two people.
    """

    vectors: FloatArray
    encoded: FloatArray
    runs: IntArray
    cameras: IntArray
    start_us: IntArray
    end_us: IntArray
    person: IntArray
    is_true: BoolArray
    apart: IntArray

    def __len__(self) -> int:
        return len(self.person)

    def are_same(self, first: IntArray, second: IntArray) -> BoolArray:
        """Which pairs (P,) are one person."""
        return np.asarray(self.person[first] == self.person[second])

    def are_known(self, first: IntArray, second: IntArray) -> BoolArray:
        """Of which pairs (P,) it is known whether they are one person."""
        base = 1 + int(self.person.max(initial=0))

        def codes(one: IntArray, other: IntArray) -> IntArray:
            return np.asarray(np.minimum(one, other) * base + np.maximum(one, other))

        people = self.person[first], self.person[second]
        apart = np.isin(codes(*people), codes(self.apart[:, 0], self.apart[:, 1]))
        true = self.is_true[first] & self.is_true[second]
        return np.asarray(apart | true | (people[0] == people[1]))

    def gaps_s(self, first: IntArray, second: IntArray) -> DoubleArray:
        """Seconds from the end of the earlier to the start of the later (P,); < 0: they overlap."""
        later = np.maximum(self.start_us[first], self.start_us[second])
        first_is_earlier = self.start_us[first] <= self.start_us[second]
        earlier_end = np.where(first_is_earlier, self.end_us[first], self.end_us[second])
        return np.asarray((later - earlier_end) / 1e6)

    def similarities(self, first: IntArray, second: IntArray) -> DoubleArray:
        """Cosines (P,) of `vectors`."""
        return cosines(self.vectors, first, second)


def joined(parts: Sequence[LabelledTracklets]) -> LabelledTracklets:
    """All tracklets of several runs; runs, cameras and people are numbered for all of them."""
    return LabelledTracklets(
        **{
            field.name: np.concatenate([getattr(part, field.name) for part in parts])
            for field in fields(LabelledTracklets)
        }
    )


def cosines(vectors: FloatArray, first: IntArray, second: IntArray) -> DoubleArray:
    """Of pairs (P,) of unit vectors (N, D)."""
    return np.asarray(np.einsum("pd,pd->p", vectors[first], vectors[second]), np.float64)


SHRINKAGE_TRACKLETS = 20.0


def standardised(vectors: FloatArray, cameras: IntArray) -> FloatArray:
    """Unit vectors (N, D) with each camera's mean and spread taken out, each dimension by itself.

    For n tracklets of a camera its own mean and variance weigh n / (n + SHRINKAGE_TRACKLETS)
    against those of all.
    """
    moved = np.empty_like(vectors)
    mean, variance = vectors.mean(axis=0), vectors.var(axis=0)
    for camera in np.unique(cameras):
        own = vectors[cameras == camera]
        weight = len(own) / (len(own) + SHRINKAGE_TRACKLETS)
        centre = mean + weight * (own.mean(axis=0) - mean)
        spread = np.sqrt(weight * own.var(axis=0) + (1 - weight) * variance)
        moved[cameras == camera] = (own - centre) / np.maximum(spread, 1e-6)
    return np.asarray(moved / np.maximum(np.linalg.norm(moved, axis=1, keepdims=True), 1e-12))
