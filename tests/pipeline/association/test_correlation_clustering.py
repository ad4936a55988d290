"""Correlation clustering, against the best of all partitions and by hand."""

import numpy as np
import pytest

from pipeline.association import correlation_clustering as correlation_clustering_module
from pipeline.association.block_graph import BlockGraph
from pipeline.association.correlation_clustering import _contracted, correlation_clustering
from pipeline.association.pairs import Pairs
from pipeline.types import DoubleArray, IntArray

Ends = list[tuple[int, int]]


def _pairs(count: int, ends: Ends) -> Pairs:
    table = np.array(sorted(ends), np.int64).reshape(-1, 2)
    return Pairs.of(count, table[:, 0], table[:, 1])


CASES = [
    # what, N, weights of pairs, default, apart, together, clusters
    ("nothing is scored", 3, {}, -1, [], [], [0, 1, 2]),
    ("one pair", 3, {(0, 2): 2.0}, -1, [], [], [0, 1, 0]),
    ("even evidence does not join", 2, {(0, 1): 0.0}, -1, [], [], [0, 1]),
    ("scored, but weakly against", 2, {(0, 1): -0.5}, -1, [], [], [0, 1]),
    ("a chain worth its unscored pair", 3, {(0, 1): 5, (1, 2): 1.5}, -1, [], [], [0, 0, 0]),
    ("a chain that is not", 3, {(0, 1): 5, (1, 2): 0.5}, -1, [], [], [0, 0, 1]),
    (
        "a scored pair bears no default",
        3,
        {(0, 1): 5, (1, 2): 1, (0, 2): -0.5},
        -1,
        [],
        [],
        [0] * 3,
    ),
    ("an unscored pair is kept apart", 3, {(0, 1): 5, (1, 2): 4}, -1, [(0, 2)], [], [0, 0, 1]),
    ("a scored pair is kept apart", 2, {(0, 1): 9}, -1, [(0, 1)], [], [0, 1]),
    # 0-1-2-3 is cut where it is weakest, though 0 and 3 meet only by way of the others
    ("apart by way", 4, {(0, 1): 9, (1, 2): 8, (2, 3): 7}, 0, [(0, 3)], [], [0, 0, 0, 1]),
    ("together in spite of all", 3, {(0, 2): -9}, -1, [], [(0, 2)], [0, 1, 0]),
    ("together by way of others", 4, {(0, 2): -9}, -1, [], [(0, 1), (1, 2)], [0, 0, 0, 1]),
    ("apart from who is together", 3, {(0, 2): 9}, -1, [(1, 2)], [(0, 1)], [0, 0, 1]),
    # 3 to the block of 0, 1 and 2: 4 - 3 (scored) - 0.5, or - 1 (unscored)
    ("a block draws", 4, {(0, 3): 4, (1, 3): -3}, -0.5, [], [(0, 1), (1, 2)], [0, 0, 0, 0]),
    ("a block does not", 4, {(0, 3): 4, (1, 3): -3}, -1, [], [(0, 1), (1, 2)], [0, 0, 0, 1]),
    # Contraction joins 0 and 1 first and 2 and 3 next: worth 6. With 0 moved to 2 and 3: 3 * 2.9.
    (
        "the heaviest pair is not part of the best",
        4,
        {(0, 1): 3, (0, 2): 2.9, (0, 3): 2.9, (2, 3): 2.9, (1, 2): -6, (1, 3): -6},
        -1,
        [],
        [],
        [0, 1, 0, 0],
    ),
]


@pytest.mark.parametrize(
    ("what", "count", "weights", "default", "apart", "together", "expected"), CASES
)
def test_clusters(
    what: str,
    count: int,
    weights: dict[tuple[int, int], float],
    default: float,
    apart: Ends,
    together: Ends,
    expected: list[int],
) -> None:
    labels = correlation_clustering(
        _pairs(count, list(weights)),
        np.array([weights[pair] for pair in sorted(weights)], np.float64),
        default=default,
        apart=_pairs(count, apart),
        together=_pairs(count, together),
    )
    assert labels.tolist() == expected, what
    assert labels.dtype == np.int64


@pytest.mark.parametrize(("third", "joined"), [(3.0, [0, 0, 0]), (1.5, [0, 0, 2])])
def test_contraction_sums_up_what_speaks_for_and_against(third: float, joined: list[int]) -> None:
    """0 and 1 come together first; then 2 is worth third - 2 to both of them."""
    ends = np.array([0, 0, 1]), np.array([1, 2, 2])
    graph = BlockGraph.of(np.ones(3), *ends, np.array([5, third, -2]) + 0.5, -0.5)
    assert _contracted(graph).tolist() == joined


@pytest.mark.parametrize("count", [0, 1])
def test_of_nobody_and_of_one(count: int) -> None:
    none = Pairs.none(count)
    labels = correlation_clustering(none, np.empty(0), default=-0.5, apart=none, together=none)
    assert labels.tolist() == [0] * count


def test_a_contradiction_names_its_pair() -> None:
    none = Pairs.none(5)
    together = _pairs(5, [(1, 3), (3, 4)])
    with pytest.raises(ValueError, match="got 1 and 4 both apart and together"):
        correlation_clustering(
            none, np.empty(0), default=0, apart=_pairs(5, [(1, 2), (1, 4)]), together=together
        )


@pytest.mark.parametrize(("weight", "default"), [(np.nan, -1), (np.inf, -1), (1, 0.1)])
def test_weights_are_finite_and_the_default_repels(weight: float, default: float) -> None:
    none = Pairs.none(2)
    with pytest.raises(ValueError, match="expected finite weights and a default of at most 0"):
        correlation_clustering(
            Pairs.all(2), np.array([weight]), default=default, apart=none, together=none
        )


class _Problem:
    """A random graph; `total` (N, N) is the weight of every pair, however it comes about."""

    def __init__(self, seed: int, count: int, share: float, default: float) -> None:
        rng = np.random.default_rng(seed)
        everything = Pairs.all(count)
        self.pairs = everything.where(rng.random(len(everything)) < share)
        person = rng.integers(0, max(count // 3, 1), count)
        same = person[self.pairs.first] == person[self.pairs.second]
        self.weights = np.asarray(rng.normal(np.where(same, 1.2, -1.2), 2))
        self.default = default
        self.total = np.full((count, count), default)
        self.total[self.pairs.first, self.pairs.second] = self.weights
        self.together = everything.where(rng.random(len(everything)) < 0.3 / count)
        free = self._blocks()[everything.first] != self._blocks()[everything.second]
        self.apart = everything.where(free & (rng.random(len(everything)) < 0.1))

    def _blocks(self) -> IntArray:
        block = np.arange(self.together.count)
        for one, other in zip(self.together.first, self.together.second, strict=True):
            block[block == block[other]] = block[one]
        return block

    def solve(self, order: IntArray) -> IntArray:
        """Clusters (N,) of the nodes when number n is given to node order[n]."""
        number = np.argsort(order)
        weight_of = np.zeros((len(order), len(order)))
        ends = number[self.pairs.first], number[self.pairs.second]
        weight_of[np.minimum(*ends), np.maximum(*ends)] = self.weights
        pairs, apart, together = (
            Pairs.of(len(order), number[p.first], number[p.second])
            for p in (self.pairs, self.apart, self.together)
        )
        weights = weight_of[pairs.first, pairs.second]
        found = correlation_clustering(
            pairs, weights, default=self.default, apart=apart, together=together
        )
        return found[number]

    def keeps(self, labels: IntArray) -> bool:
        is_apart = labels[self.apart.first] != labels[self.apart.second]
        is_together = labels[self.together.first] == labels[self.together.second]
        return bool(is_apart.all() and is_together.all())

    def worth(self, labels: IntArray) -> float:
        return float(np.triu(self.total * (labels[:, None] == labels), 1).sum())

    def best(self) -> float:
        """The greatest worth of all partitions that keep the constraints, set by set."""
        total = self.total.copy()
        total[self.apart.first, self.apart.second] = -1e6
        total[self.together.first, self.together.second] += 1e3
        count = len(total)
        inside = np.zeros(1 << count)
        for members in range(1, 1 << count):
            rest = members & (members - 1)
            lowest = (members ^ rest).bit_length() - 1
            inside[members] = inside[rest] + sum(
                total[lowest, one] for one in range(lowest + 1, count) if rest >> one & 1
            )
        best = np.zeros(1 << count)
        for members in range(1, 1 << count):
            rest = members & (members - 1)
            part, worths = rest, []
            while True:  # all clusters that the first member may be in
                cluster = members ^ rest | part
                worths.append(inside[cluster] + best[members ^ cluster])
                if not part:
                    break
                part = (part - 1) & rest
            best[members] = max(worths)
        return float(best[-1]) - 1e3 * len(self.together)


@pytest.mark.parametrize(
    ("share", "reached", "of_the_best"), [(1.0, 0.93, 0.99), (0.5, 0.97, 0.99)]
)
def test_seldom_less_than_the_best(share: float, reached: float, of_the_best: float) -> None:
    """Never more than it either, and constraints are kept."""
    worths, bests = [], []
    for seed in range(150):
        problem = _Problem(seed, 4 + seed % 5, share, default=-0.5)
        labels = problem.solve(np.arange(problem.pairs.count))
        assert problem.keeps(labels)
        worths.append(problem.worth(labels))
        bests.append(problem.best())
    lost = np.array(bests) - np.array(worths)
    assert lost.min() > -1e-6
    assert (lost < 1e-6).mean() >= reached
    assert sum(worths) >= of_the_best * sum(bests)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_nodes_has_no_influence(seed: int) -> None:
    problem = _Problem(seed, 150, 0.3, default=-0.2)
    count = problem.pairs.count
    labels = problem.solve(np.arange(count))
    other = problem.solve(np.random.default_rng(seed).permutation(count))
    assert problem.keeps(labels)
    assert len(set(labels.tolist())) == len(set(zip(labels.tolist(), other.tolist(), strict=True)))
    assert len(set(other.tolist())) == len(set(labels.tolist()))


def test_parts_are_solved_as_if_alone() -> None:
    """Nothing that is far away matters, however it is numbered."""
    problems = [_Problem(seed, 40, 0.4, default=-0.3) for seed in range(4)]

    def side_by_side(each: list[Pairs]) -> tuple[Pairs, DoubleArray]:
        first = np.concatenate([4 * p.first + place for place, p in enumerate(each)])
        second = np.concatenate([4 * p.second + place for place, p in enumerate(each)])
        return Pairs.of(160, first, second), np.lexsort((second, first))

    pairs, order = side_by_side([problem.pairs for problem in problems])
    labels = correlation_clustering(
        pairs,
        np.concatenate([problem.weights for problem in problems])[order],
        default=-0.3,
        apart=side_by_side([problem.apart for problem in problems])[0],
        together=side_by_side([problem.together for problem in problems])[0],
    )
    for place, problem in enumerate(problems):
        _, here = np.unique(labels[place::4], return_inverse=True)
        alone = problem.solve(np.arange(40))
        assert len(set(zip(here.tolist(), alone.tolist(), strict=True))) == alone.max() + 1


def _f1(labels: IntArray, truth: IntArray) -> float:
    found, true = (np.triu(of[:, None] == of, 1) for of in (labels, truth))
    return float(2 * (found & true).sum() / (found.sum() + true.sum()))


def test_unscored_pairs_keep_neighbours_of_neighbours_apart() -> None:
    """Of everybody's nearest neighbours alone, chance likenesses chain all into one."""
    count, threshold = 400, 0.14
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(count // 4), 4)
    vectors = rng.normal(size=(count // 4, 256))[truth] + 1.9 * rng.normal(size=(count, 256))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors @ vectors.T - 2 * np.eye(count)
    nearest = np.argsort(-cosines, axis=1)[:, :20]
    pairs = Pairs.of(count, np.repeat(np.arange(count), 20), nearest.ravel())
    weights = cosines[pairs.first, pairs.second] - threshold
    none = Pairs.none(count)

    chained, kept = (
        correlation_clustering(pairs, weights, default=default, apart=none, together=none)
        for default in (0, -threshold / 4)
    )

    assert _f1(chained, truth) < 0.3
    assert _f1(kept, truth) > 0.95


def test_a_long_chain_whose_links_grow_stronger() -> None:
    """Both its ends are far from each other, and no link but the last is the best of its ends."""
    count = 20_000
    first = np.arange(count - 1)
    labels = correlation_clustering(
        Pairs(count, first, first + 1),
        np.linspace(1, 8, count - 1),
        default=-1,
        apart=Pairs.none(count),
        together=Pairs.none(count),
    )
    assert (np.diff(labels) >= 0).all()  # clusters are stretches of the chain
    assert np.bincount(labels).max() < 20


@pytest.mark.parametrize("seed", range(5))
def test_a_block_that_is_the_best_of_many(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two people who were known before and come again and again: in few rounds, and as well."""
    rng = np.random.default_rng(seed)
    who = np.r_[np.zeros(20), np.ones(20), rng.integers(0, 2, 200)].astype(np.int64)
    pairs = Pairs.all(len(who))
    is_one = who[pairs.first] == who[pairs.second]
    weights = np.where(is_one, 1.0, -1.0) + rng.normal(size=len(pairs))
    known = pairs.where((pairs.second < 40) & is_one)
    apart = pairs.where((rng.random(len(pairs)) < 0.01) & (pairs.first >= 40))

    def solved() -> tuple[IntArray, float]:
        labels = correlation_clustering(pairs, weights, default=-0.5, apart=apart, together=known)
        return labels, float(weights[labels[pairs.first] == labels[pairs.second]].sum())

    rounds = 0
    joined = BlockGraph.joined

    def counted(self: BlockGraph, into: IntArray) -> BlockGraph:
        nonlocal rounds
        rounds += 1
        return joined(self, into)

    monkeypatch.setattr(BlockGraph, "joined", counted)
    labels, worth = solved()
    few, rounds = rounds, 0
    monkeypatch.setattr(correlation_clustering_module, "HUB", len(who))
    _, one_by_one = solved()
    assert few < rounds / 2
    assert worth >= 0.98 * one_by_one
    assert not (labels[apart.first] == labels[apart.second]).any()
