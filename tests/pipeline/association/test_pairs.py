import numpy as np

from pipeline.association.pairs import Pairs


def test_pairs_are_in_order_once_and_never_of_one_with_itself() -> None:
    pairs = Pairs.of(5, np.array([3, 1, 2, 0, 4]), np.array([1, 3, 2, 4, 0]))

    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [(0, 4), (1, 3)]
    assert pairs.codes.tolist() == [4, 8]


def test_all_pairs_of_few() -> None:
    pairs = Pairs.all(3)

    assert len(pairs) == 3
    assert pairs.codes.tolist() == [1, 2, 5]
    assert pairs.where(np.array([False, True, False])).codes.tolist() == [2]


def test_of_nobody_there_are_no_pairs() -> None:
    assert len(Pairs.of(0, np.empty(0, np.int64), np.empty(0, np.int64))) == 0
    assert len(Pairs.none(4)) == 0
