"""Cosines to log-odds."""

import numpy as np
import pytest

from pipeline.association.appearance import (
    DEFAULT_MEAN,
    DEFAULT_SPREAD,
    FEW_AND_MANY,
    LIMIT,
    OFFSET_TRACKLETS,
    TOWARDS_NEAREST,
    CameraOffsets,
    SimilarityScale,
)
from pipeline.association.looks import Looks
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.types import DoubleArray, Embedding, EncoderIdentity, IntArray, NoEmbedding

ENCODER = EncoderIdentity("mine", "0" * 64, 2)


def test_scale_is_even_at_the_threshold_and_limited() -> None:
    scale = SimilarityScale(threshold=0.5, slope=20)
    evidence = scale.log_odds(np.array([0.5, 0.6, 0.4, 1.0, -1.0, np.nan]))
    np.testing.assert_allclose(evidence, [0, 2, -2, LIMIT, -LIMIT, 0])


def _run(vectors: DoubleArray) -> tuple[Looks, Passages]:
    """One tracklet a vector, each of a camera of its own."""
    encoder = EncoderIdentity("mine", "0" * 64, vectors.shape[1])
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    looks = Looks.of([Embedding(vector, encoder) for vector in vectors])
    return looks, _passages(("a",), np.zeros(len(vectors), np.int64))


def test_threshold_comes_from_pairs_that_cannot_be_one_person() -> None:
    """Two standard deviations above their mean, where the likest are no liker; slope 4 / sd."""
    looks, passages = _run(np.random.default_rng(0).normal(size=(12, 8)))
    impossible = Pairs.all(12).where(Pairs.all(12).first < 8)
    scale = SimilarityScale.for_run(looks, passages, impossible, None)
    different = looks.similarities(impossible)
    assert scale.threshold == pytest.approx(different.mean() + 2 * different.std())
    assert scale.slope == pytest.approx(4 / different.std())


def test_where_the_same_are_much_liker_the_threshold_lies_between() -> None:
    """20 people, each seen three times: the likest other has a cosine of about .96."""
    rng = np.random.default_rng(0)
    people = np.repeat(rng.normal(size=(20, 64)), 3, axis=0)
    looks, passages = _run(people + 0.2 * rng.normal(size=people.shape))
    every = Pairs.all(60)
    different = every.where((every.first // 3 != every.second // 3) & (every.first < 20))
    scale = SimilarityScale.for_run(looks, passages, different, None)
    cosines = looks.similarities(different)
    assert scale.threshold > cosines.mean() + 3 * cosines.std()
    share = np.interp(np.log(60), np.log(FEW_AND_MANY), TOWARDS_NEAREST)
    assert scale.threshold == pytest.approx(share * 0.97, abs=0.03)


def test_without_impossible_pairs_the_lower_half_of_all_tells() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(rng.normal(size=(20, 64)), 3, axis=0)
    looks, passages = _run(people + rng.normal(size=people.shape))
    scale = SimilarityScale.for_run(looks, passages, Pairs.none(60), None)
    # Directions at random in 64 dimensions: mean 0, standard deviation 1 / 8.
    assert scale.slope == pytest.approx(4 * 8, rel=0.15)
    assert 0.25 < scale.threshold < 0.45


def test_one_person_seen_again_and_again_leaves_the_default() -> None:
    looks, passages = _run(1 + 0.1 * np.random.default_rng(0).normal(size=(20, 16)))
    scale = SimilarityScale.for_run(looks, passages, Pairs.none(20), None)
    assert scale.slope == 4 / DEFAULT_SPREAD
    assert scale.threshold < looks.similarities(Pairs.all(20)).min()


def test_few_pairs_leave_the_default() -> None:
    looks, passages = _run(np.eye(8)[:2])
    scale = SimilarityScale.for_run(looks, passages, Pairs.none(2), None)
    assert scale.threshold == DEFAULT_MEAN + 2 * DEFAULT_SPREAD


def test_the_site_may_set_its_threshold() -> None:
    looks, passages = _run(np.eye(8))
    assert SimilarityScale.for_run(looks, passages, Pairs.none(8), 0.45).threshold == 0.45


def test_nobody_has_no_scale_but_the_default() -> None:
    nobody = Looks.of([]), _passages((), np.empty(0, np.int64))
    scale = SimilarityScale.for_run(*nobody, Pairs.none(0), None)
    assert scale.threshold == DEFAULT_MEAN + 2 * DEFAULT_SPREAD


def _people_in_two_lights(count: int, cameras: tuple[str, str]) -> tuple[Looks, Passages]:
    """The same people in two lights, of which the second shifts everything."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(count, 32))
    light = rng.normal(size=32) * 2
    vectors = np.concatenate([people, people + light])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    encoder = EncoderIdentity("mine", "0" * 64, 32)
    names = tuple(sorted(set(cameras)))
    camera = np.repeat([names.index(name) for name in cameras], count)
    return Looks.of([Embedding(v, encoder) for v in vectors]), _passages(names, camera)


def _passages(names: tuple[str, ...], camera: IntArray) -> Passages:
    times = np.arange(len(camera))
    feet = np.zeros((len(times), 2))
    return Passages(names, camera, times, times, times, times, feet, feet)


def test_camera_offset_is_taken_away() -> None:
    count = 60
    looks, passages = _people_in_two_lights(count, ("hall", "door"))
    pairs = Pairs.all(2 * count)
    across = (pairs.first < count) & (pairs.second >= count)
    same = pairs.second == pairs.first + count

    def contrast(known: Looks) -> float:
        found = known.similarities(pairs)
        return float(found[same].mean() - found[across & ~same].mean())

    moved = CameraOffsets.learned(looks, passages).taken_away(looks, passages)
    assert contrast(moved) > contrast(looks) + 0.1


def test_offset_of_few_tracklets_is_hardly_believed_worked_by_hand() -> None:
    """One tracklet a camera, at right angles: each mean moves by half the way times 1 / 21."""
    known = [Embedding(np.array(v), ENCODER) for v in ([1.0, 0.0], [0.0, 1.0])]
    looks, passages = Looks.of([*known, NoEmbedding()]), _passages(("a", "b"), np.array([0, 1, 0]))
    moved = CameraOffsets.learned(looks, passages).taken_away(looks, passages)
    share = 0.5 / (1 + OFFSET_TRACKLETS)
    expected = np.array([1 - share, share])
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(moved.galleries[0].vectors, [expected, expected[::-1]], rtol=1e-5)


def test_one_camera_has_no_offset() -> None:
    looks, passages = _people_in_two_lights(30, ("hall", "hall"))
    moved = CameraOffsets.learned(looks, passages).taken_away(looks, passages)
    np.testing.assert_allclose(moved.galleries[0].vectors, looks.galleries[0].vectors, atol=1e-6)


def test_cameras_that_came_later_have_no_offset_yet() -> None:
    looks, passages = _people_in_two_lights(30, ("hall", "door"))
    offsets = CameraOffsets.learned(looks, passages)
    later = _passages(("gate",), np.zeros(60, np.int64))
    moved = offsets.taken_away(looks, later)
    np.testing.assert_allclose(moved.galleries[0].vectors, looks.galleries[0].vectors, atol=1e-6)
