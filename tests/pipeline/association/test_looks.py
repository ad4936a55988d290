"""Embeddings in columns."""

import numpy as np
import pytest

from pipeline.association import looks
from pipeline.association.looks import Looks
from pipeline.association.pairs import Pairs
from pipeline.types import Embedding, EncoderIdentity, NoEmbedding

ENCODER = EncoderIdentity("mine", "0" * 64, 2)
OTHER = EncoderIdentity("mine", "1" * 64, 2)


def test_similarity_worked_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "BLOCK", 1)
    known = Looks.of(
        [
            Embedding(np.array([1.0, 0.0]), ENCODER),
            Embedding(np.array([0.6, 0.8]), ENCODER),
            NoEmbedding(),
            Embedding(np.array([1.0, 0.0]), OTHER),
            Embedding(np.array([0.0, 1.0]), ENCODER),
        ]
    )
    pairs = Pairs.all(5)
    found = dict(zip(pairs.codes.tolist(), known.similarities(pairs).tolist(), strict=True))
    assert found.pop(0 * 5 + 1) == pytest.approx(0.6)
    assert found.pop(0 * 5 + 4) == pytest.approx(0)
    assert found.pop(1 * 5 + 4) == pytest.approx(0.8)
    assert all(np.isnan(value) for value in found.values())  # none, or of another encoder
