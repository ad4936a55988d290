"""The nearest, exactly and in blocks."""

import numpy as np
import pytest

from pipeline.reid.ranking import neighbours
from pipeline.reid.ranking.neighbours import is_among, membership, nearest, nearest_of_all, top


def test_top_worked_by_hand() -> None:
    indices, values = top(np.array([[0.1, 0.9, 0.5, 0.9], [4, 3, 2, 1]]), 3)
    assert indices.tolist() == [[1, 3, 2], [0, 1, 2]]
    assert values.tolist() == [[0.9, 0.9, 0.5], [4, 3, 2]]
    assert top(np.array([[0.1, 0.9]]), 5)[0].tolist() == [[1, 0]]


@pytest.mark.parametrize("block", [2**22, 100])
def test_nearest_agrees_with_sorting_everything(
    crowd, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_SIMILARITIES", block)
    vectors, _ = crowd(10, 4, 0.5)
    rows, columns = vectors[:13], vectors[13:]
    similarities = rows @ columns.T
    found = nearest(rows, columns, 6)
    np.testing.assert_array_equal(found.indices, np.argsort(-similarities, axis=1)[:, :6])
    np.testing.assert_allclose(found.least, similarities.min(axis=1), atol=1e-6)


def test_everybody_is_their_own_first_neighbour(crowd) -> None:
    """Also where somebody has doubles."""
    vectors, _ = crowd(6, 3, 0.5)
    doubled = np.concatenate([vectors, vectors])
    found = nearest_of_all(doubled, 4)
    assert found.indices[:, 0].tolist() == list(range(36))
    assert found.indices[:, 1].tolist() == [(i + 18) % 36 for i in range(36)]
    assert np.all(found.similarities[:, 0] == 1)


def test_membership_is_the_same_sparse_and_dense() -> None:
    indices = np.array([[2, 0], [1, 3]])
    expected = np.array([[1, 0, 1, 0], [0, 1, 0, 1]])
    np.testing.assert_array_equal(membership(indices, 4).toarray(), expected)
    np.testing.assert_array_equal(is_among(indices, 4), expected.astype(bool))
