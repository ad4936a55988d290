"""How alike a tracklet is to others, and what that does to who is taken for whom."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.association import crowding
from pipeline.association.crowding import contrasts, with_crowding
from pipeline.association.looks import Looks
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.association.resolver import Knowledge, associate
from pipeline.config import AssociationSettings
from pipeline.types import DoubleArray, Embedding, EncoderIdentity, NoEmbedding, Tracklet

Make = Callable[..., Tracklet]


def _looks(vectors: DoubleArray) -> tuple[Looks, Passages]:
    encoder = EncoderIdentity("mine", "0" * 64, vectors.shape[1])
    times = np.arange(len(vectors))
    looks = Looks.of([Embedding(vector, encoder) for vector in vectors])
    feet = np.zeros((len(times), 2))
    return looks, Passages(("a",), np.zeros_like(times), times, times, times, times, feet, feet)


CORNER = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.8, 0.6]])
"""Cosines: .6, 0, .8 with the first; .8, .96 with the second; .6 of the last two."""


def test_crowding_is_the_mean_of_the_likest_worked_by_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crowding, "CROWD", 2)
    looks, passages = _looks(CORNER)
    found = with_crowding(looks, passages, Pairs.none(4), np.ones(4, np.bool_))
    expected = [(0.6 + 0.8) / 2, (0.8 + 0.96) / 2, (0.8 + 0.6) / 2, (0.96 + 0.8) / 2]
    np.testing.assert_allclose(found.galleries[0].crowding, expected, rtol=1e-6)
    np.testing.assert_allclose(
        contrasts(found, Pairs.of(4, np.array([0]), np.array([1]))), [0.6 - (0.7 + 0.88) / 2]
    )


def test_who_cannot_be_the_same_does_not_crowd() -> None:
    looks, passages = _looks(CORNER)
    apart = Pairs.of(4, np.array([0, 0]), np.array([1, 3]))
    found = with_crowding(looks, passages, apart, np.ones(4, np.bool_))
    np.testing.assert_allclose(
        found.galleries[0].crowding,
        [0, (0.8 + 0.96) / 2, (0 + 0.8 + 0.6) / 3, (0.96 + 0.6) / 2],
        atol=1e-6,
    )


def test_only_those_wanted_are_measured_and_the_lonely_have_none() -> None:
    looks, passages = _looks(CORNER)
    found = with_crowding(looks, passages, Pairs.none(4), np.array([False, True, False, False]))
    np.testing.assert_allclose(found.galleries[0].crowding, [0, (0.6 + 0.8 + 0.96) / 3, 0, 0])
    alone, passage = _looks(CORNER[:1])
    found = with_crowding(alone, passage, Pairs.none(1), np.ones(1, np.bool_))
    assert found.galleries[0].crowding.tolist() == [0]


def test_no_vector_no_contrast() -> None:
    encoder = EncoderIdentity("mine", "0" * 64, 2)
    looks = Looks.of([Embedding(CORNER[0], encoder), NoEmbedding()])
    assert np.isnan(contrasts(looks, Pairs.all(2))).all()


def test_uniforms_and_others_are_told_apart_at_once(tracklet: Make) -> None:
    """No one cosine does: two in uniform are as alike as others are to themselves in other light.

    Forty people seen twice each; 20 in uniform, who are .8 like each other and .95 like themselves,
    and 20 who are nothing like each other and .8 like themselves.
    """
    rng = np.random.default_rng(0)
    size = 256

    def drawn(common: float, own: float, noise: float) -> DoubleArray:
        shared = rng.normal(size=size)
        people = np.repeat(rng.normal(size=(20, size)), 2, axis=0)
        vectors = (
            np.sqrt(common) * shared
            + np.sqrt(own) * people
            + np.sqrt(noise) * rng.normal(size=people.shape)
        )
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    vectors = np.concatenate([drawn(0.8, 0.15, 0.05), drawn(0, 0.8, 0.2)])
    encoder = EncoderIdentity("mine", "0" * 64, size)
    people = [tracklet("ab"[row % 2], row + 1, 20 * row, 20 * row + 10) for row in range(80)]
    looks = [Embedding(vector, encoder) for vector in vectors]
    links = associate(people, looks, Knowledge({}, {}, AssociationSettings()), 0)
    identities = {link.tracklet: link.identity for link in links}
    found = [identities[one.key] for one in people]
    right = np.mean([found[2 * person] == found[2 * person + 1] for person in range(40)])
    assert right > 0.9
    assert len(set(found)) > 36
