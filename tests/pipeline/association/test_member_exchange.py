"""Exchanges between clusters from given starts, by hand, and that none makes things worse."""

import numpy as np
import pytest

from pipeline.association import member_exchange
from pipeline.association.block_graph import BlockGraph, numbered
from pipeline.association.member_exchange import refined
from pipeline.types import DoubleArray, IntArray


def _graph(count: int, weights: dict[tuple[int, int], float], default: float) -> BlockGraph:
    first, second = np.array(list(weights), np.int64).reshape(-1, 2).T
    excess = np.array(list(weights.values())) - default
    return BlockGraph.of(np.ones(count), first, second, excess, default)


APART = -np.inf
STARTS = [
    # what, N, weights of pairs (others -1), start, end
    ("nothing to gain", 3, {(0, 1): 3}, [0, 0, 1], [0, 0, 1]),
    ("a move", 4, {(0, 1): 1, (1, 2): 2, (1, 3): 2, (2, 3): 2}, [0, 0, 1, 1], [0, 1, 1, 1]),
    ("a member left alone", 3, {(0, 1): 3, (1, 2): 0.5}, [0, 0, 0], [0, 0, 1]),
    # 2 - 1 + 2 - 1 between them, though the members of one pair repel one of the other
    ("a join", 4, {(0, 1): 3, (2, 3): 3, (0, 2): 2, (1, 3): 2}, [0, 0, 1, 1], [0, 0, 0, 0]),
    # one alone would leave 4 and twice -1
    ("a split in two", 4, {(0, 1): 4, (2, 3): 4}, [0, 0, 0, 0], [0, 0, 1, 1]),
    # 3 and 4 belong to 5 and 6; each alone would leave 8 - 3 for 4
    (
        "two at once",
        7,
        {(0, 1): 3, (1, 2): 3, (0, 2): 3, (3, 4): 8, (5, 6): 3}
        | {(3, 5): 2, (3, 6): 2, (4, 5): 2, (4, 6): 2},
        [0, 0, 0, 0, 0, 1, 1],
        [0, 0, 0, 1, 1, 1, 1],
    ),
    # 1 should be with 2 and 3 with 0; neither may go where the other still is, alone is worse, and
    # 0 and 2 keep everybody else where they are
    (
        "two change places",
        6,
        {(0, 4): 5, (0, 1): 1, (1, 4): 1, (2, 5): 5, (2, 3): 1, (3, 5): 1}
        | {(1, 2): 6, (0, 3): 6, (0, 2): -6, (1, 3): APART},
        [0, 0, 1, 1, 0, 1],
        [0, 1, 1, 0, 0, 1],
    ),
]


@pytest.mark.parametrize(("what", "count", "weights", "start", "end"), STARTS)
def test_exchanges(
    what: str,
    count: int,
    weights: dict[tuple[int, int], float],
    start: list[int],
    end: list[int],
) -> None:
    graph = _graph(count, weights, -1.0)
    assert numbered(refined(graph, np.array(start))).tolist() == end, what


def _worth(total: DoubleArray, labels: IntArray) -> float:
    return float(np.where(labels[:, None] == labels, np.triu(total, 1), 0).sum())


@pytest.mark.parametrize("most", [64, 3])
@pytest.mark.parametrize("seed", range(4))
def test_no_round_makes_it_worse(seed: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where clusters are too large to exchange all their members, and in many batches."""
    monkeypatch.setattr(member_exchange, "ROUNDS", 1)
    monkeypatch.setattr(member_exchange, "EXCHANGED", most)
    monkeypatch.setattr(member_exchange, "BATCH", 3000)
    rng = np.random.default_rng(seed)
    count, default = 60, -0.25
    sizes = rng.integers(1, 4, count).astype(np.float64)
    labels = rng.integers(0, 12, count)
    first, second = np.triu_indices(count, 1)
    scored = rng.random(len(first)) < 0.4
    first, second = first[scored], second[scored]
    excess = np.round(rng.normal(-0.5, 3, len(first)) * 1024) / 1024
    excess[(rng.random(len(first)) < 0.1) & (labels[first] != labels[second])] = -np.inf
    total = default * sizes[:, None] * sizes
    total[first, second] += excess
    graph = BlockGraph.of(sizes, first, second, excess, default)

    worths = [_worth(total, labels)]
    for _ in range(30):
        labels = refined(graph, labels)
        worths.append(_worth(total, labels))

    assert np.isfinite(worths).all()
    assert (np.diff(worths) >= 0).all()
    assert worths[-1] > worths[1] > worths[0]
    assert worths[-1] == worths[-2]


@pytest.mark.parametrize("seed", range(4))
def test_at_the_end_nothing_is_left_to_gain(seed: int) -> None:
    """Though later rounds look only at what the ones before have changed."""
    rng = np.random.default_rng(seed)
    first, second = np.triu_indices(150, 1)
    excess = np.round(rng.normal(-0.5, 3, len(first)) * 1024) / 1024
    graph = BlockGraph.of(np.ones(150), first, second, excess, -0.25)
    labels = refined(graph, np.arange(150))
    assert numbered(refined(graph, labels)).tolist() == numbered(labels).tolist()


def test_large_clusters_join_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though a member alone would rather stay where it is."""
    monkeypatch.setattr(member_exchange, "EXCHANGED", 1)
    weights = {(0, 1): 3, (2, 3): 3, (0, 2): 2, (1, 3): 2}
    assert refined(_graph(4, weights, -1), np.array([0, 0, 1, 1])).tolist() == [0] * 4
