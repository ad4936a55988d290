"""Cosines to log-odds."""

import numpy as np
import pytest

from pipeline.association.appearance import (
    DEFAULT_THRESHOLD,
    LIMIT,
    MIN_PAIRS,
    OFFSET_TRACKLETS,
    SimilarityScale,
    similarities,
    without_camera_offsets,
)
from pipeline.types import Embedding, EncoderIdentity, NoEmbedding

ENCODER = EncoderIdentity("mine", "0" * 64, 2)
OTHER = EncoderIdentity("mine", "1" * 64, 2)


def test_similarity_worked_by_hand() -> None:
    table = similarities(
        [
            Embedding(np.array([1.0, 0.0]), ENCODER),
            Embedding(np.array([0.6, 0.8]), ENCODER),
            NoEmbedding(),
            Embedding(np.array([1.0, 0.0]), OTHER),
        ]
    )
    assert table[0, 1] == pytest.approx(0.6)
    assert np.isnan(table[2]).all()
    assert np.isnan(table[0, 3])  # another encoder's space
    assert table[3, 3] == pytest.approx(1)


def test_scale_is_even_at_the_threshold_and_limited() -> None:
    scale = SimilarityScale(threshold=0.5, slope=20)
    evidence = scale.log_odds(np.array([0.5, 0.6, 0.4, 1.0, -1.0, np.nan]))
    np.testing.assert_allclose(evidence, [0, 2, -2, LIMIT, -LIMIT, 0])


def test_threshold_comes_from_pairs_that_cannot_be_one_person() -> None:
    """Two standard deviations above their mean; slope 4 / sd."""
    count = 12
    rng = np.random.default_rng(0)
    table = np.triu(rng.normal(0.2, 0.1, (count, count)), 1)
    table += table.T
    impossible = ~np.eye(count, dtype=bool)
    different = table[np.triu_indices(count, 1)]
    scale = SimilarityScale.for_run(table, impossible, None)
    assert scale.threshold == pytest.approx(different.mean() + 2 * different.std())
    assert scale.slope == pytest.approx(4 / different.std())


def test_few_pairs_leave_the_default() -> None:
    count = 7  # 21 pairs
    assert count * (count - 1) / 2 < MIN_PAIRS
    impossible = ~np.eye(count, dtype=bool)
    scale = SimilarityScale.for_run(np.full((count, count), 0.1), impossible, None)
    assert scale.threshold == DEFAULT_THRESHOLD


def test_the_site_may_set_its_threshold() -> None:
    empty = np.zeros((0, 0))
    assert SimilarityScale.for_run(empty, empty.astype(bool), 0.45).threshold == 0.45


def _people_in_two_lights(count: int) -> tuple[list[Embedding | NoEmbedding], list[str]]:
    """The same people in two cameras, of which the second shifts everything it sees."""
    rng = np.random.default_rng(0)
    people = rng.normal(size=(count, 32))
    encoder = EncoderIdentity("mine", "0" * 64, 32)
    light = rng.normal(size=32) * 2
    vectors = np.concatenate([people, people + light])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    embeddings: list[Embedding | NoEmbedding] = [Embedding(v, encoder) for v in vectors]
    return embeddings, ["hall"] * count + ["door"] * count


def test_camera_offset_is_taken_away() -> None:
    count = 60
    embeddings, cameras = _people_in_two_lights(count)
    others = ~np.eye(count, dtype=bool)

    def contrast(known: list[Embedding | NoEmbedding]) -> float:
        across = similarities(known)[:count, count:]
        return float(across.diagonal().mean() - across[others].mean())

    moved = without_camera_offsets(embeddings, cameras)
    assert contrast(moved) > contrast(embeddings) + 0.1


def test_offset_of_few_tracklets_is_hardly_believed_worked_by_hand() -> None:
    """One tracklet a camera, at right angles: each mean moves by half the way times 1 / 21."""
    known = [Embedding(np.array(v), ENCODER) for v in ([1.0, 0.0], [0.0, 1.0])]
    first, second = without_camera_offsets([*known, NoEmbedding()], ["a", "b", "a"])[:2]
    share = 0.5 / (1 + OFFSET_TRACKLETS)
    expected = np.array([1 - share, share])
    assert isinstance(first, Embedding)
    assert isinstance(second, Embedding)
    np.testing.assert_allclose(first.vector, expected / np.linalg.norm(expected), rtol=1e-5)
    np.testing.assert_allclose(second.vector, first.vector[::-1], rtol=1e-5)


def test_one_camera_has_no_offset() -> None:
    embeddings, _ = _people_in_two_lights(30)
    moved = without_camera_offsets(embeddings, ["hall"] * 60)
    np.testing.assert_allclose(similarities(moved), similarities(embeddings), atol=1e-5)
