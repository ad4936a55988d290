"""Which pairs are near one another, and which are drawn: against naive loops, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.association.metric.training import localities
from pipeline.association.metric.training.localities import (
    Locality,
    PairSampler,
    Sampling,
    known_pairs,
    near_pairs,
)
from pipeline.association.metric.training.tracklets import LabelledTracklets, standardised
from pipeline.types import IntArray

SECOND = 1_000_000


def tracklets_of(
    cameras: list[int], starts: list[float], person: list[int], seconds: float = 1.0
) -> LabelledTracklets:
    count = len(cameras)
    begin = (np.array(starts) * SECOND).astype(np.int64)
    vectors = np.eye(count, 4, dtype=np.float32)
    return LabelledTracklets(
        vectors=vectors,
        encoded=vectors,
        runs=np.zeros(count, np.int64),
        cameras=np.array(cameras),
        start_us=begin,
        end_us=begin + round(seconds * SECOND),
        person=np.array(person),
        is_true=np.ones(count, bool),
        apart=np.empty((0, 2), np.int64),
    )


def drawn(sampler: PairSampler) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """All (anchor, partner) of one person, and of two."""
    first, second, same = sampler.draw(np.random.default_rng(0), 4000)
    assert 0.45 < same.mean() < 0.55
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    ones = {pair for pair, is_same in zip(pairs, same, strict=True) if is_same}
    return ones, set(pairs) - ones


@pytest.mark.parametrize("window_s", [-1.0, 0.0, 7.0, float("inf")])
def test_near_pairs_are_those_of_a_loop(window_s: float) -> None:
    rng = np.random.default_rng(0)
    runs = rng.integers(0, 3, 60)
    starts = rng.integers(0, 60 * SECOND, 60)
    ends = starts + rng.integers(0, 10 * SECOND, 60)

    def gap_s(i: int, j: int) -> float:
        early, late = sorted((i, j), key=lambda k: (int(starts[k]), k))
        return float(starts[late] - ends[early]) / SECOND

    expected = {
        (i, j)
        for i in range(60)
        for j in range(i + 1, 60)
        if runs[i] == runs[j] and gap_s(i, j) <= window_s
    }
    found = near_pairs(starts, ends, runs, window_s, rng)
    assert set(zip(found.first.tolist(), found.second.tolist(), strict=True)) == expected


def test_of_very_many_pairs_some_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(localities, "MOST_PAIRS", 100)
    times = np.zeros(60, np.int64)
    found = near_pairs(times, times, times, 1.0, np.random.default_rng(0))
    assert 90 < len(found) <= 100
    assert len(set(found.codes.tolist())) == len(found)


def test_what_is_not_known_is_no_pair() -> None:
    """Of three persons without truth, only 0 and 2 are known to be two people."""
    one = tracklets_of([0, 0, 0, 0], [0, 2, 4, 6], [0, 0, 1, 2])
    one = replace(one, is_true=np.zeros(4, bool), apart=np.array([[2, 0]]))
    pairs = known_pairs(one, 100.0, np.random.default_rng(0))
    known = set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))
    assert known == {(0, 1), (0, 3), (1, 3)}


def sampler_of(kind: str, window_s: float, sampling: Sampling = "sliding") -> PairSampler:
    """Person 0 is at camera 0 (0 and 8 s) and 1 (12 s); person 1 at 0 (9 s), 1 (14 s), 2 (16 s)."""
    one = tracklets_of([0, 0, 1, 0, 1, 2], [0, 8, 12, 9, 14, 16], [0, 0, 0, 1, 1, 1])
    locality = Locality(kind, window_s)  # type: ignore[arg-type]
    pairs = known_pairs(one, window_s, np.random.default_rng(0))
    return PairSampler(one, pairs, locality, sampling)


def both(*pairs: tuple[int, int]) -> set[tuple[int, int]]:
    return {*pairs, *((second, first) for first, second in pairs)}


def test_intra_draws_from_one_camera() -> None:
    assert drawn(sampler_of("intra", 20)) == (both((0, 1)), both((0, 3), (1, 3), (2, 4)))


def test_inter_draws_where_the_persons_are() -> None:
    """Person 0 is never at camera 2: no pair begins with them and ends there."""
    ones, others = drawn(sampler_of("inter", 20))
    assert ones == both((0, 2), (1, 2), (3, 4), (3, 5), (4, 5))
    assert others == both((0, 4), (1, 4), (2, 3)) | {(5, 0), (5, 1), (5, 2)}


def test_bins_part_what_lies_close_together() -> None:
    """Bins of 10 s by the centre: 0, 8 and 9 s are in the first."""
    ones, others = drawn(sampler_of("inter", 10, "bins"))
    assert ones == both((4, 5))
    assert others == {(5, 2)}
    assert (1, 2) in drawn(sampler_of("inter", 10))[0]


def test_globally_any_two_are_drawn() -> None:
    ones, others = drawn(sampler_of("global", float("inf")))
    assert len(ones) + len(others) == 6 * 5


def test_without_a_pair_of_either_kind_it_says_so() -> None:
    with pytest.raises(ValueError, match=r"same camera, up to 0\.5 s apart: expected pairs"):
        sampler_of("intra", 0.5)


def test_standardised_cameras_look_alike() -> None:
    """A camera that shifts and stretches everything is undone, up to the shrinkage."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(2000, 3)).astype(np.float32)
    cameras: IntArray = np.repeat([0, 1], 1000)
    seen = people.copy()
    seen[cameras == 1] = 3 * seen[cameras == 1] + 5
    found = standardised(seen, cameras)
    expected = people / np.linalg.norm(people, axis=1, keepdims=True)
    assert np.einsum("nd,nd->n", found, expected).mean() > 0.99
