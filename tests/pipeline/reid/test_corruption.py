"""Clips as bad as said, no worse, and always the same."""

import numpy as np
import pytest

from pipeline.reid.corruption import KINDS, Corruption, Kind, corrupt, corrupt_batch
from pipeline.types import BoolArray, ImageArray

COUNT = 12
SIZE = (32, 16)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def frames() -> ImageArray:
    """(12, 32, 16, 3): noise of values up to 99, each frame another."""
    return rng(1).integers(0, 100, (COUNT, *SIZE, 3), np.uint8)


@pytest.fixture
def others() -> list[ImageArray]:
    """Three people of 5 frames: frame f of person p is all 100 + 10 p + f."""
    return [
        np.stack([np.full((*SIZE, 3), 100 + 10 * p + f, np.uint8) for f in range(5)])
        for p in range(3)
    ]


def is_of_others(frames: ImageArray) -> BoolArray:
    return np.asarray((frames >= 100).all(axis=(1, 2, 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_corruption_follows_from_the_generator(
    kind: Kind, frames: ImageArray, others: list[ImageArray]
) -> None:
    before = frames.copy()
    first, first_wrong = corrupt(frames, kind, rng(5), others)
    again, again_wrong = corrupt(frames, kind, rng(5), others)
    assert np.array_equal(first, again) and np.array_equal(first_wrong, again_wrong)
    assert np.array_equal(frames, before)
    assert not np.shares_memory(first, frames)
    assert first.shape == frames.shape and first.dtype == np.uint8
    assert first_wrong.shape == (COUNT,) and first_wrong.dtype == np.bool_
    assert np.array_equal(first, frames) == (kind == "clean")


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("wrong_frames", "id_switch")])
def test_most_corruptions_leave_the_person(
    kind: Kind, frames: ImageArray, others: list[ImageArray]
) -> None:
    assert not corrupt(frames, kind, rng(), others)[1].any()


def test_the_mask_says_which_frames_are_wrong(frames: ImageArray, others: list[ImageArray]) -> None:
    for kind in ("wrong_frames", "id_switch"):
        for seed in range(30):
            changed, wrong = corrupt(frames, kind, rng(seed), others)
            assert np.array_equal(is_of_others(changed), wrong)
            assert np.array_equal(changed[~wrong], frames[~wrong])


def test_wrong_frames_are_as_many_as_said_and_never_half(
    frames: ImageArray, others: list[ImageArray]
) -> None:
    masks = [corrupt(frames, "wrong_frames", rng(s), others)[1] for s in range(300)]
    assert np.mean(masks) == pytest.approx(0.3, abs=0.03)
    assert np.mean(masks, axis=0).min() > 0.2  # at every place
    assert max(mask.sum() for mask in masks) == 5  # of 12
    bad = Corruption(wrong=1)
    assert corrupt(frames, "wrong_frames", rng(), others, bad)[1].sum() == 5
    assert corrupt(frames[:2], "wrong_frames", rng(), others, bad)[1].sum() == 0


def test_wrong_frames_are_of_anybody(frames: ImageArray, others: list[ImageArray]) -> None:
    changed, wrong = corrupt(frames, "wrong_frames", rng(3), others, Corruption(wrong=1))
    assert len(set(changed[wrong][:, 0, 0, 0].tolist())) > 1


def test_a_switch_is_one_run_of_one_person_at_an_end(
    frames: ImageArray, others: list[ImageArray]
) -> None:
    counts, heads = set(), 0
    for seed in range(200):
        changed, wrong = corrupt(frames, "id_switch", rng(seed), others)
        places = np.flatnonzero(wrong)
        counts.add(len(places))
        assert (np.diff(places) == 1).all()
        assert places[0] == 0 or places[-1] == COUNT - 1
        heads += int(places[0] == 0)
        values = changed[places, 0, 0, 0].astype(int)
        assert len(set((values // 10).tolist())) == 1  # one person,
        assert (values % 10).tolist() == [n % 5 for n in range(len(places))]  # in order of time
    assert counts == {1, 2, 3, 4, 5}  # 45 % of 12 is 5.4
    assert 60 < heads < 140
    assert not corrupt(frames[:2], "id_switch", rng(), others)[1].any()  # too short to tell


def test_occluders_stand_before_one_run_of_frames(
    frames: ImageArray, others: list[ImageArray]
) -> None:
    settings = Corruption(occluded=0.5, cover=(0.5, 0.5))
    shares = []
    for seed in range(40):
        changed, _ = corrupt(frames, "occluded", rng(seed), others, settings)
        hidden = np.flatnonzero((changed != frames).any(axis=(1, 2, 3)))
        assert len(hidden) == 6 and (np.diff(hidden) == 1).all()
        for frame in hidden:
            rows, columns = np.nonzero((changed[frame] != frames[frame]).any(axis=-1))
            assert np.ptp(rows) < 16 and np.ptp(columns) < 8
            shares.append(len(rows) / (32 * 16))
    assert np.mean(shares) == pytest.approx(0.25, abs=0.01)


def test_occluders_are_people_and_things(frames: ImageArray, others: list[ImageArray]) -> None:
    settings = Corruption(occluded=1, cover=(1, 1))  # nothing but the occluder is left
    pictures = [corrupt(frames, "occluded", rng(s), others, settings)[0][0] for s in range(60)]
    people = [
        bool((np.ptp(p, axis=(0, 1)) == 0).all() and 100 <= p[0, 0, 0] < 125) for p in pictures
    ]
    assert 15 < sum(people) < 45


def test_truncated_clips_show_one_end_of_the_person(
    frames: ImageArray, others: list[ImageArray]
) -> None:
    rows = np.arange(32, dtype=np.uint8)[:, None, None] * 4
    person = np.broadcast_to(rows, (3, *SIZE, 3))
    settings = Corruption(kept=(0.5, 0.5))
    seen = set()
    for seed in range(20):
        changed, _ = corrupt(person, "truncation", rng(seed), others, settings)
        top, bottom = int(changed[0, 0, 0, 0]), int(changed[0, -1, 0, 0])
        seen.add((top, bottom))
    assert seen == {(0, 60), (64, 124)}  # rows 0 to 15, or 16 to 31


@pytest.mark.parametrize("kind", ["blur", "low_resolution"])
def test_detail_is_lost(kind: Kind, frames: ImageArray) -> None:
    settings = Corruption(blur=(0.03, 0.05))
    changed, _ = corrupt(frames, kind, rng(), [], settings)
    assert changed.std() < 0.8 * frames.std()
    assert changed.mean() == pytest.approx(frames.mean(), abs=2)


def test_a_batch_takes_wrong_frames_from_other_people() -> None:
    identities = np.array([1, 1, 2, 3])
    clips = np.empty((4, 6, *SIZE, 3), np.uint8)
    clips[:] = identities[:, None, None, None, None]
    changed, wrong = corrupt_batch(clips, identities, rng(), {"wrong_frames": 1.0})
    is_own = (changed == identities[:, None, None, None, None]).all(axis=(2, 3, 4))
    assert np.array_equal(is_own, ~wrong)
    assert wrong.any()
    assert set(np.unique(changed).tolist()) == {1, 2, 3}


def test_a_batch_mixes_kinds_as_set() -> None:
    identities = np.arange(300)
    clips = rng(2).integers(0, 256, (300, 3, 8, 4, 3), np.uint8)
    changed, wrong = corrupt_batch(clips, identities, rng(), {"id_switch": 0.2, "truncation": 0.3})
    same = (changed == clips).all(axis=(1, 2, 3, 4))
    assert wrong.any(axis=1).mean() == pytest.approx(0.2, abs=0.08)
    assert same.mean() == pytest.approx(0.5, abs=0.09)
    assert (changed != clips).any(axis=(2, 3, 4))[wrong].all()
