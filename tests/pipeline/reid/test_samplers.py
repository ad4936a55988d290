"""Which frames, and which clips of which people."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import normalize

from pipeline.evaluation.retrieval.scores import evaluate_embeddings
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.losses import adaptive_triplet_loss
from pipeline.reid.samplers import (
    IdentitySampler,
    contiguous_frames,
    curriculum,
    even_frames,
    frame_chunks,
    hard_people,
    hardest,
    random_people,
    spread_frames,
)
from pipeline.types import FloatArray, IntArray

LENGTHS = st.integers(1, 40)
COUNTS = st.integers(1, 20)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(LENGTHS, COUNTS, st.integers(0, 99))
def test_spread_frames_take_one_of_each_part(length: int, count: int, seed: int) -> None:
    frames = spread_frames(length, count, rng(seed))
    parts = np.arange(count) * length / count
    assert (frames >= np.floor(parts)).all()
    assert (frames <= np.ceil(parts + length / count)).all()
    assert (np.diff(frames) >= 0).all() and frames.max() < length and len(frames) == count


@given(LENGTHS, COUNTS, st.integers(0, 99))
def test_contiguous_frames_follow_one_another(length: int, count: int, seed: int) -> None:
    frames = contiguous_frames(length, count, rng(seed))
    assert len(frames) == count and frames.min() >= 0 and frames.max() < length
    if length >= count:
        assert (np.diff(frames) == 1).all()
    else:
        assert set(frames.tolist()) == set(range(length))
        assert (np.diff(frames) >= 0).all()


def test_contiguous_frames_start_anywhere() -> None:
    starts = {int(contiguous_frames(6, 4, rng(seed))[0]) for seed in range(50)}
    assert starts == {0, 1, 2}


@pytest.mark.parametrize(
    ("length", "count", "frames"),
    [
        (10, 5, [1, 3, 5, 7, 9]),
        (9, 3, [1, 4, 7]),  # the middle of each third
        (16, 1, [8]),
        (4, 4, [0, 1, 2, 3]),
        (2, 4, [0, 1]),  # no more than there are
    ],
)
def test_even_frames(length: int, count: int, frames: list[int]) -> None:
    assert even_frames(length, count).tolist() == frames


def test_chunks_hold_every_frame_once() -> None:
    assert [chunk.tolist() for chunk in frame_chunks(7, 3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [chunk.tolist() for chunk in frame_chunks(3, 3)] == [[0, 1, 2]]
    assert [chunk.tolist() for chunk in frame_chunks(2, 3)] == [[0, 1]]


# Person 3 has one clip, 4 two at one camera, the others several at three; 2 are junk.
PEOPLE = np.array([3, 4, 4] + [i for i in range(5, 14) for _ in range(6)] + [-1, -1], np.int64)
CAMERAS = np.array([0, 0, 0] + [i % 3 for i in range(54)] + [0, 1], np.int64)


@pytest.mark.parametrize("across", [True, False])
def test_batches_are_exactly_p_people_with_k_clips(across: bool) -> None:
    sampler = IdentitySampler(PEOPLE, CAMERAS, 4, 4, across_cameras=across)
    batches = list(sampler.epoch(0))
    for batch in batches:
        counts = Counter(PEOPLE[batch].tolist())
        assert len(counts) == 4 and set(counts.values()) == {4}
        assert len(set(PEOPLE[batch].reshape(4, 4)[:, 0].tolist())) == 4  # person after person
    assert len(batches) == 3  # 11 people, 4 a batch
    assert set(PEOPLE[np.concatenate(batches)].tolist()) == set(range(3, 14))


def test_clips_of_a_person_repeat_only_where_they_must() -> None:
    for batch in IdentitySampler(PEOPLE, CAMERAS, 4, 4).epoch(1):
        for clips in batch.reshape(4, 4):
            available = np.count_nonzero(PEOPLE[clips[0]] == PEOPLE)
            counts = Counter(clips.tolist()).values()
            assert len(counts) == min(4, available)
            assert max(counts) - min(counts) <= 1


def test_clips_of_a_person_come_from_all_cameras() -> None:
    for batch in IdentitySampler(PEOPLE, CAMERAS, 4, 3).epoch(0):
        for clips in batch.reshape(4, 3):
            available = len(set(CAMERAS[PEOPLE[clips[0]] == PEOPLE].tolist()))
            assert len(set(CAMERAS[clips].tolist())) == min(3, available)


def test_without_the_cameras_chance_decides() -> None:
    sampler = IdentitySampler(PEOPLE, CAMERAS, 4, 3, across_cameras=False)
    seen = [
        len(set(CAMERAS[clips].tolist()))
        for batch in sampler.epoch(0)
        for clips in batch.reshape(4, 3)
    ]
    assert min(seen) < 3


def test_an_epoch_follows_from_seed_and_number() -> None:
    def epoch(seed: int, number: int) -> list[list[int]]:
        sampler = IdentitySampler(PEOPLE, CAMERAS, 4, 2, seed)
        return [batch.tolist() for batch in sampler.epoch(number)]

    assert epoch(1, 2) == epoch(1, 2)
    assert epoch(1, 2) != epoch(1, 3)
    assert epoch(1, 2) != epoch(2, 2)


def test_too_few_people_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 12 people, got 11"):
        IdentitySampler(PEOPLE, CAMERAS, 12, 2)


@given(st.integers(1, 30), st.integers(1, 10), st.integers(0, 9))
def test_groups_hold_different_people_and_all_of_them(count: int, people: int, seed: int) -> None:
    people = min(people, count)
    groups = list(random_people(rng(seed), count, people))
    assert {len(set(group.tolist())) for group in groups} == {people}
    assert set(np.concatenate(groups).tolist()) == set(range(count))
    assert len(groups) == -(-count // people)


def line(count: int) -> FloatArray:
    """People in a row: the nearer, the more alike."""
    places = np.arange(count)
    return (-np.abs(places[:, None] - places[None, :])).astype(np.float32)


def of_hard_epoch(weights_pool: int) -> list[IntArray]:
    identities = np.repeat(np.arange(20), 2)
    sampler = IdentitySampler(identities, np.tile([0, 1], 20), 6, 2)
    weights = hardest(19, weights_pool)
    return [identities[batch][::2] for batch in sampler.hard_epoch(0, line(20), weights)]


def test_half_of_a_hard_batch_looks_like_its_first() -> None:
    groups = of_hard_epoch(4)
    for group in groups:
        assert len(set(group.tolist())) == 6
        nearest = sorted(set(range(20)) - {int(group[0])}, key=lambda p: abs(p - group[0]))
        # Of two that are as near, either may be the fourth.
        assert all(abs(p - group[0]) <= abs(nearest[3] - group[0]) for p in group[1:4])
    assert set(np.concatenate(groups).tolist()) == set(range(20))


def test_hard_batches_are_harder_than_random_ones() -> None:
    def alike(groups: list[IntArray]) -> float:
        pairs = [line(20)[np.ix_(group, group)] for group in groups]
        return float(np.mean([pair.sum() / 30 for pair in pairs]))

    assert alike(of_hard_epoch(4)) > alike(of_hard_epoch(19)) + 0.5


def test_a_pool_of_fewer_than_half_is_filled_up_at_random() -> None:
    for group in of_hard_epoch(1):
        assert len(set(group.tolist())) == 6
        assert abs(int(group[1]) - int(group[0])) == 1


def test_a_curriculum_draws_ever_harder_ones() -> None:
    ranks = np.arange(50)
    means = [float(curriculum(50, progress) @ ranks) for progress in np.linspace(0, 1, 11)]
    assert all(np.diff(means) < 0)
    assert means[0] > 40 and means[-1] < 9
    assert curriculum(50, 0.3).sum() == pytest.approx(1)
    assert curriculum(51, 0.5).argmax() == 25


def test_people_drawn_by_a_curriculum_are_ever_more_alike() -> None:
    """Of twenty in a row the mean rank of those drawn beside the first of a batch falls."""
    means = []
    for progress in np.linspace(0, 1, 6):
        weights = curriculum(19, float(progress))
        drawn = [
            np.argsort(-line(20)[group[0]], kind="stable").tolist().index(other)
            for seed in range(20)
            for group in hard_people(rng(seed), line(20), 6, weights)
            for other in group[1:4].tolist()
        ]
        means.append(np.mean(drawn))
    assert all(np.diff(means) < 0)
    assert means[0] > 14 and means[-1] < 6


def families(seed: int) -> tuple[FloatArray, IntArray, IntArray]:
    """20 families of 4 who differ but a little, each with 4 clips: vectors, who, which camera.

    Of 24 numbers 16 are the family's, 4 the person's own, and 4 say nothing, but loudly.
    """
    chance = rng(seed)
    family = np.repeat(chance.normal(0, 1, (20, 16)), 4, axis=0)
    people = np.hstack((family, chance.normal(0, 0.35, (80, 4)), np.zeros((80, 4))))
    spread = np.repeat((0.35, 0.1, 1.0), (16, 4, 4))
    clips = np.repeat(people, 4, axis=0) + chance.normal(0, spread, (320, 24))
    return clips.astype(np.float32), np.repeat(np.arange(80), 4), np.tile(np.arange(4), 80)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Small networks only wait for one another's threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("seed", [0, 1])
def test_look_alikes_are_told_apart_better_after_batches_of_look_alikes(
    one_thread: None, seed: int
) -> None:
    """Ristani and Tomasi 2018: mINP of people who were not learnt from, after 60 batches."""

    def minp(is_hard: bool) -> float:
        torch.manual_seed(seed)
        metric = nn.Linear(24, 16, bias=False)
        optimiser = torch.optim.Adam(metric.parameters(), lr=0.01)
        clips, identities, cameras = families(1)
        sampler = IdentitySampler(identities, cameras, 8, 4, seed)
        for epoch in range(6):
            with torch.no_grad():
                seen = metric(torch.from_numpy(clips)).reshape(80, 4, 16)
                centroids = normalize(seen.mean(dim=1)).numpy()
            hard = sampler.hard_epoch(epoch, centroids @ centroids.T, hardest(79, 4))
            for batch in islice(hard if is_hard else sampler.epoch(epoch), 10):
                embedding = metric(torch.from_numpy(clips[batch]))
                loss = adaptive_triplet_loss(embedding, torch.from_numpy(identities[batch]))
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        others, *who = families(2)
        with torch.inference_mode():
            vectors = normalize(metric(torch.from_numpy(others))).numpy()
        protocol = Protocol("across cameras", queries_in_gallery=True)
        return evaluate_embeddings(vectors, vectors, *who, *who, protocol).minp

    assert minp(is_hard=True) > minp(is_hard=False) + 0.05


def test_hardest_ranks() -> None:
    assert hardest(5, 2).tolist() == [1, 1, 0, 0, 0]
