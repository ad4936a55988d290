"""The temporal head: what it is untrained, and what padding must not change."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipeline.reid.temporal import CONSENSUS_SHARPNESS, LstmAttentionHead, consensus_logits


def _frames(count: int, dimension: int = 8, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(1, count, dimension, generator=generator), dim=-1)


def _present(count: int, length: int) -> Tensor:
    return torch.arange(length)[None] < count


def _trained(head: LstmAttentionHead) -> LstmAttentionHead:
    """The head with a last layer that is not zero, as training would leave it."""
    last = head.score[-1]
    assert isinstance(last, nn.Linear)
    nn.init.normal_(last.weight, std=3.0, generator=torch.Generator().manual_seed(1))
    return head.eval()


def test_one_frame_is_its_own_embedding() -> None:
    frames = _frames(1)
    torch.testing.assert_close(LstmAttentionHead(8)(frames, _present(1, 1)), frames[:, 0])


def test_untrained_head_is_the_consensus_mean_worked_by_hand() -> None:
    """Two equal frames and one at right angles to them.

    Mean c = (2, 1)/3, so cos = (2, 2, 1)/sqrt 5 and w = softmax(10 cos) = (1, 1, e^-4.472)/Z; then
    c = (2, e^-4.472)/Z, cos = (2, 2, .01142)/sqrt(4 + .0001304) and w again.
    """
    frames = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    logits = consensus_logits(frames, _present(3, 3))
    expected = CONSENSUS_SHARPNESS * torch.tensor([[0.99998, 0.99998, 0.0057105]])
    torch.testing.assert_close(logits, expected, atol=2e-4, rtol=0)
    weights = LstmAttentionHead(2).weights(frames, _present(3, 3))
    torch.testing.assert_close(weights, torch.softmax(logits, dim=1))


def test_wrong_frame_counts_little() -> None:
    """Seven frames of one person and one of another: the mean errs, the consensus hardly."""
    torch.manual_seed(0)
    person, other = torch.eye(16)[0], torch.eye(16)[1]
    frames = normalize(person + 0.1 * torch.randn(8, 16), dim=-1)
    frames[3] = other
    pooled = LstmAttentionHead(16)(frames[None], _present(8, 8))[0]
    mean = normalize(frames.mean(dim=0), dim=-1)
    assert pooled @ other < 0.02 < mean @ other


@given(count=st.integers(1, 6), padding=st.integers(0, 5), garbage=st.floats(-5, 5))
def test_padding_changes_nothing(count: int, padding: int, garbage: float) -> None:
    head = _trained(LstmAttentionHead(8, hidden=16))
    frames = _frames(count)
    padded = torch.cat([frames, torch.full((1, padding, 8), garbage)], dim=1)
    alone = head(frames, _present(count, count))
    torch.testing.assert_close(head(padded, _present(count, count + padding)), alone)
    weights = head.weights(padded, _present(count, count + padding))
    assert (weights[0, count:] == 0).all()


def test_order_matters_only_through_the_lstm() -> None:
    frames, present = _frames(5), _present(5, 5)
    untrained, trained = LstmAttentionHead(8), _trained(LstmAttentionHead(8))
    backwards = frames.flip(1)
    torch.testing.assert_close(untrained(frames, present), untrained(backwards, present))
    assert not torch.allclose(trained(frames, present), trained(backwards, present), atol=1e-4)


def test_head_can_learn_to_weigh() -> None:
    """Gradients reach the zero layer: it can leave the identity."""
    head = LstmAttentionHead(8)
    head(_frames(5), _present(5, 5))[0, 0].backward()
    last = head.score[-1]
    assert isinstance(last, nn.Linear)
    assert last.weight.grad is not None
    assert last.weight.grad.abs().max() > 0


def test_same_head_every_time() -> None:
    """The LSTM's weights do not depend on what was drawn before, nor disturb what comes after."""
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = LstmAttentionHead(8)
    assert torch.rand(1) == expected
    second = LstmAttentionHead(8)
    torch.testing.assert_close(first.lstm.weight_ih_l0, second.lstm.weight_ih_l0)


@pytest.mark.parametrize("count", [2, 7])
def test_embedding_has_unit_norm(count: int) -> None:
    pooled = _trained(LstmAttentionHead(8))(_frames(count), _present(count, count))
    torch.testing.assert_close(pooled.norm(dim=-1), torch.ones(1))
