"""Which pairs are looked at."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.association import candidates
from pipeline.association.candidates import candidate_pairs
from pipeline.association.floor_tracks import NOWHERE, FloorSamples, FloorTrack, sampled
from pipeline.association.looks import Looks
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.types import Embedding, EncoderIdentity, NoEmbedding

ALL = np.ones(300, np.bool_)
ENCODER = EncoderIdentity("mine", "0" * 64, 16)


def _crowd(count: int) -> tuple[Passages, Looks]:
    """So many passages over 1000 s, each of one of a hundred people."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(100, 16))
    looks = people[rng.integers(100, size=count)] + 0.2 * rng.normal(size=(count, 16))
    looks /= np.linalg.norm(looks, axis=1, keepdims=True)
    starts = np.sort(rng.integers(0, 1_000_000_000, count))
    ends = starts + rng.integers(1_000_000, 9_000_000, count)
    camera = rng.integers(3, size=count)
    numbers = np.arange(count)
    feet = np.zeros((len(numbers), 2))
    passages = Passages(
        ("a", "b", "c"), camera, starts, ends, numbers, np.ones_like(numbers), feet, feet
    )
    return passages, Looks.of([Embedding(look, ENCODER) for look in looks])


def _nowhere(count: int) -> FloorSamples:
    """No calibrated camera saw anybody."""
    return sampled([NOWHERE] * count)


def test_few_are_all_looked_at_but_for_what_cannot_be() -> None:
    passages, looks = _crowd(50)
    apart = Pairs.of(50, np.array([3]), np.array([7]))
    pairs = candidate_pairs(passages, looks, 3600, apart, ALL[:50], _nowhere(50))
    assert len(pairs) == 50 * 49 / 2 - 1
    assert not apart.among(pairs).any()


def test_nobody_is_looked_for_beyond_the_longest_absence() -> None:
    passages, looks = _crowd(300)
    pairs = candidate_pairs(passages, looks, 60, Pairs.none(300), ALL[:300], _nowhere(300))
    assert len(pairs) > 0
    assert passages.gaps_s(pairs).max() <= 60


def test_of_many_the_likest_before_each_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by sorting all cosines; small blocks, so that their borders are crossed."""
    monkeypatch.setattr(candidates, "EXACT_PAIRS", 0)
    monkeypatch.setattr(candidates, "BLOCK", 32)
    monkeypatch.setattr(candidates, "NEAREST", 5)
    monkeypatch.setattr(candidates, "SOON_S", 1000)
    passages, looks = _crowd(200)
    apart = Pairs.of(200, np.arange(50), np.arange(50) + 60)
    pairs = candidate_pairs(passages, looks, 100, apart, ALL[:200], _nowhere(200))

    vectors = looks.galleries[0].vectors
    cosine = vectors @ vectors.T
    every = Pairs.all(200)
    possible = (passages.gaps_s(every) <= 100) & ~every.among(apart)
    wanted = []
    for later in range(200):
        rows = np.flatnonzero(possible & (every.second == later))
        best = np.argsort(-cosine[every.first[rows], later])[:5]
        wanted.extend(every.codes[rows[best]].tolist())
    assert pairs.codes.tolist() == sorted(wanted)


def test_pieces_of_a_track_without_embeddings_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidates, "EXACT_PAIRS", 0)
    passages, _ = _crowd(4)
    pieces = replace(
        passages,
        camera=np.zeros(4, np.int64),
        track=np.array([0, 1, 0, 2]),
        part=np.array([1, 1, 2, 1]),
    )
    pairs = candidate_pairs(
        pieces, Looks.of([NoEmbedding()] * 4), 3600, Pairs.none(4), ALL[:4], _nowhere(4)
    )
    assert pairs.codes.tolist() == [2]


def test_only_the_free_are_compared_and_with_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new one that was long in view starts before others that are known already."""
    passages, looks = _crowd(100)
    free = np.zeros(100, np.bool_)
    free[[20, 99]] = True
    few = candidate_pairs(passages, looks, 3600, Pairs.none(100), free, _nowhere(100))
    assert len(few) == 99 + 98
    monkeypatch.setattr(candidates, "EXACT_PAIRS", 0)
    monkeypatch.setattr(candidates, "NEAREST", 4)
    monkeypatch.setattr(candidates, "SOON_S", 3600)
    nearest = candidate_pairs(passages, looks, 3600, Pairs.none(100), free, _nowhere(100))
    assert nearest.among(few).all()
    assert len(nearest) == 8
    vectors = looks.galleries[0].vectors
    likeness = vectors[20] @ vectors.T
    likeness[[20, 99]] = -1  # 99 finds 20 by itself, or does not
    wanted = np.sort(np.argsort(-likeness)[:4])
    of_20 = np.unique(
        np.concatenate([nearest.first, nearest.second])[
            np.concatenate([nearest.second == 20, nearest.first == 20])
        ]
    )
    assert of_20[of_20 != 99].tolist() == wanted.tolist()


def test_of_many_those_who_meet_on_the_floor_are_looked_at_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever they look like, from whichever side; but not within a camera, nor who is far off."""
    monkeypatch.setattr(candidates, "EXACT_PAIRS", 0)
    times = np.arange(0, 3_000_000, 200_000)
    starts, ends = np.zeros(5, np.int64), np.full(5, times[-1])
    camera, numbers = np.array([0, 1, 0, 1, 2]), np.arange(5)
    feet = np.zeros((len(numbers), 2))
    passages = Passages(
        ("a", "b", "c"), camera, starts, ends, numbers, np.ones(5, np.int64), feet, feet
    )
    places = [(3.0, 4.0), (3.4, 4.3), (3.1, 4.1), (9.0, 4.0), (3.9, 3.8)]
    tracks = [
        FloorTrack(times, np.tile(place, (len(times), 1)), np.zeros(len(times))) for place in places
    ]
    nothing = Looks.of([NoEmbedding()] * 5)

    def found(free: np.ndarray) -> set[tuple[int, int]]:
        pairs = candidate_pairs(passages, nothing, 3600, Pairs.none(5), free, sampled(tracks))
        return set(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True))

    assert found(ALL[:5]) == {(0, 1), (1, 2), (0, 4), (1, 4), (2, 4)}
    assert found(np.arange(5) == 4) == {(0, 4), (1, 4), (2, 4)}
