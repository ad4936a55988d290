"""Pairs of tracklets worth a look: few of all, each once."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.types import BoolArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """P pairs of N tracklets, each once, sorted.

    Attributes:
        count: How many tracklets N there are.
        first: (P,) int64, from 0.
        second: (P,) int64, each larger than its `first`.
    """

    count: int
    first: IntArray
    second: IntArray

    def __len__(self) -> int:
        return len(self.first)

    @classmethod
    def of(cls, count: int, one: IntArray, other: IntArray) -> "Pairs":
        """Pairs from any two (P,) arrays of numbers: put in order, doubles and selves left out."""
        low, high = np.minimum(one, other), np.maximum(one, other)
        codes = _distinct((low * count + high)[low < high])
        return cls(count, codes // max(count, 1), codes % max(count, 1))

    @classmethod
    def none(cls, count: int) -> "Pairs":
        """No pair of N tracklets."""
        return cls(count, np.empty(0, np.int64), np.empty(0, np.int64))

    @classmethod
    def all(cls, count: int) -> "Pairs":
        """Every pair of N tracklets; for small N."""
        first, second = np.triu_indices(count, 1)
        return cls(count, first.astype(np.int64), second.astype(np.int64))

    @classmethod
    def both(cls, some: "Pairs", others: "Pairs") -> "Pairs":
        """Those that are in either."""
        codes = _distinct(np.concatenate([some.codes, others.codes]))
        return cls(some.count, codes // max(some.count, 1), codes % max(some.count, 1))

    @property
    def codes(self) -> IntArray:
        """One increasing number a pair, to find pairs by (P,)."""
        return self.first * self.count + self.second

    def where(self, keep: BoolArray) -> "Pairs":
        """Those marked in keep (P,)."""
        return Pairs(self.count, self.first[keep], self.second[keep])

    def among(self, others: "Pairs") -> BoolArray:
        """Which of these are among the others (P,)."""
        return np.isin(self.codes, others.codes)

    def components(self) -> IntArray:
        """Groups (N,) that the pairs connect, numbered from 0."""
        shape = (self.count, self.count)
        graph = coo_array((np.ones(len(self)), (self.first, self.second)), shape)
        return np.asarray(connected_components(graph, directed=False)[1], np.int64)


class Partners:
    """Pairs, to be found from either side: with whom somebody is paired."""

    def __init__(self, pairs: Pairs) -> None:
        side = np.concatenate([pairs.first, pairs.second])
        order = np.argsort(side, kind="stable")
        self._side = side[order]
        self._other = np.concatenate([pairs.second, pairs.first])[order]

    def of(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Which of rows (R,), increasing, and with whom: (M,) and (M,)."""
        low, high = np.searchsorted(self._side, (rows[0], rows[-1] + 1))
        position = np.searchsorted(rows, self._side[low:high]).clip(max=len(rows) - 1)
        own = rows[position] == self._side[low:high]
        return position[own], self._other[low:high][own]


def _distinct(codes: IntArray) -> IntArray:
    """Each once, sorted: what numpy.unique gives, but by sorting, not hashing, which is slower."""
    codes = np.sort(codes)
    return codes[np.diff(codes, prepend=-1) > 0]
