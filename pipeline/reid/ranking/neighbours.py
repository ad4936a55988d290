"""The most similar ones, exactly, a block of rows at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pipeline.types import BoolArray, FloatArray, IntArray

Similarities = npt.NDArray[np.floating[Any]]

BLOCK_SIMILARITIES: Final = 2**22
"""Similarities computed at once: 16 MB of float32."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The K nearest of each of N rows, nearest first.

    Attributes:
        indices: (N, K) int64.
        similarities: (N, K).
        least: (N,) similarity of the row that is farthest of all.
    """

    indices: IntArray
    similarities: Similarities
    least: Similarities


def similarity_blocks(rows: FloatArray, columns: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
    """Cosines of rows (N, D) to all columns (M, D), a block (n, M) of rows at a time."""
    step = max(1, BLOCK_SIMILARITIES // max(1, len(columns)))
    for start in range(0, len(rows), step):
        block = slice(start, min(start + step, len(rows)))
        yield block, rows[block] @ columns.T


def nearest(rows: FloatArray, columns: FloatArray, count: int) -> Neighbours:
    """The `count` most similar columns of each row, or all where there are fewer."""
    return _gathered(
        [(*top(block, count), block.min(axis=1)) for _, block in similarity_blocks(rows, columns)]
    )


def nearest_of_all(embeddings: FloatArray, count: int) -> Neighbours:
    """The same within one set: everybody's first neighbour is themselves, doubles or not."""
    parts = []
    for rows, block in similarity_blocks(embeddings, embeddings):
        least = block.min(axis=1)
        block[np.arange(len(block)), np.arange(rows.start, rows.stop)] = np.inf
        indices, similarities = top(block, count)
        similarities[:, 0] = 1
        parts.append((indices, similarities, least))
    return _gathered(parts)


def _gathered(parts: list[tuple[IntArray, Similarities, Similarities]]) -> Neighbours:
    return Neighbours(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def top(similarities: Similarities, count: int) -> tuple[IntArray, Similarities]:
    """Indices and values (N, K) of the largest of each row, falling; equals in order of index.

    Where not all equals have room, which of them are left out is arbitrary, but always the same.
    """
    count = min(count, similarities.shape[1])
    kept = np.argpartition(similarities, -count, axis=1)[:, -count:]
    kept.sort(axis=1)
    values = np.take_along_axis(similarities, kept, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return (
        np.take_along_axis(kept, order, axis=1).astype(np.int64, copy=False),
        np.take_along_axis(values, order, axis=1),
    )


def membership(indices: IntArray, columns: int) -> sparse.csr_array:
    """Rows of indices (N, K) as a matrix (N, columns) of ones."""
    count, width = indices.shape
    starts = np.arange(0, count * width + 1, width)
    ones = np.ones(indices.size, np.float32)
    return sparse.csr_array((ones, np.sort(indices, axis=1).ravel(), starts), (count, columns))


def is_among(indices: IntArray, columns: int) -> BoolArray:
    """The same, dense: whether each column is among the indices (N, K)."""
    result = np.zeros((len(indices), columns), bool)
    np.put_along_axis(result, indices, True, axis=1)
    return result
