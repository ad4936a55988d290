"""What correlation clustering works on: blocks of nodes, and edges where one pair was scored."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from pipeline.types import BoolArray, DoubleArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class BlockGraph:
    """Blocks of nodes that stay together, and what speaks for joining them.

    Two sets of blocks are worth the sum of `excess` between them, plus the default times how many
    nodes the one has, times how many the other has; so unscored pairs need not be kept.

    Attributes:
        sizes: Nodes in each of B blocks.
        first: One end of each edge (E,).
        second: The other, larger (E,).
        excess: Weight beyond the default, summed over scored pairs (E,); -inf: to be kept apart.
        default: Weight of a pair that is not scored, at most 0.
    """

    sizes: DoubleArray
    first: IntArray
    second: IntArray
    excess: DoubleArray
    default: float

    @classmethod
    def of(
        cls,
        sizes: DoubleArray,
        one: IntArray,
        other: IntArray,
        excess: DoubleArray,
        default: float,
    ) -> "BlockGraph":
        """From any edges: those of the same two blocks summed up, those inside a block left out."""
        between = one != other
        ends = np.minimum(one, other)[between], np.maximum(one, other)[between]
        shape = len(sizes), len(sizes)
        summed = coo_array((excess[between], ends), shape).tocsr().tocoo()
        rows, columns = summed.row.astype(np.int64), summed.col.astype(np.int64)
        return cls(sizes, rows, columns, summed.data, default)

    def weights(self) -> DoubleArray:
        """What joining the two ends of each edge is worth (E,)."""
        return self.excess + self.default * self.sizes[self.first] * self.sizes[self.second]

    def where(self, keep: BoolArray) -> "BlockGraph":
        """With the edges marked in keep (E,)."""
        edges = self.first[keep], self.second[keep], self.excess[keep]
        return BlockGraph(self.sizes, *edges, self.default)

    def joined(self, into: IntArray) -> "BlockGraph":
        """With each block become part of block into (B,)."""
        sizes = np.bincount(into, self.sizes, len(into)).astype(np.float64)
        edges = into[self.first], into[self.second], self.excess
        return BlockGraph.of(sizes, *edges, self.default)

    def within_parts(self) -> "BlockGraph":
        """Without edges between parts that no positive weight connects: these never join."""
        rising = self.where(self.weights() > 0)
        part = parts(len(self.sizes), rising.first, rising.second)
        return self.where(part[self.first] == part[self.second])

    def rows(self) -> csr_array:
        """The excess as a symmetric matrix (B, B)."""
        one = np.concatenate([self.first, self.second])
        other = np.concatenate([self.second, self.first])
        shape = len(self.sizes), len(self.sizes)
        return coo_array((np.tile(self.excess, 2), (one, other)), shape).tocsr()


def parts(count: int, first: IntArray, second: IntArray) -> IntArray:
    """Numbers (count,) from 0 of the connected parts, in order of their first nodes."""
    if not count:
        return np.empty(0, np.int64)
    links = coo_array((np.ones(len(first)), (first, second)), (count, count))
    return numbered(connected_components(links, directed=False)[1])


def numbered(labels: IntArray) -> IntArray:
    """The same clusters, numbered from 0 in order of their first members."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return np.asarray(rank[inverse], np.int64)


def disjoint(one: IntArray, other: IntArray) -> list[int]:
    """Places of pairs (P,) with no end in common: each that meets no chosen one before it."""
    taken: set[int] = set()
    chosen = []
    for place, ends in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
        if taken.isdisjoint(ends):
            taken.update(ends)
            chosen.append(place)
    return chosen
