"""Temporal heads: what they are untrained, and what padding, order and length must not change."""

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipeline.reid.pooling import Gem
from pipeline.reid.settings import ATTENDED_PARTS, HeadName
from pipeline.reid.temporal.consensus import CONSENSUS_SHARPNESS, Consensus, consensus_logits
from pipeline.reid.temporal.cosegmentation import SHARPNESS, common_regions
from pipeline.reid.temporal.heads import PowerMean, make_head
from pipeline.reid.temporal.lstm_attention import LstmAttention

HEADS = get_args(HeadName)
WEIGHTING = ("mean", "consensus", "attention", "quality", "lstm_attention", "drsa", "cosam")
UNTRAINED_MEAN = ("mean", "attention", "quality", "self_attention", "drsa", "cosam")
PARAMETERLESS = ("mean", "consensus", "cosam")
ORDERED = ("attention", "lstm_attention", "rfa_lstm")
D = 16


def _frames(count: int, dimension: int = D, seed: int = 0) -> Tensor:
    """(1, count, dimension), of values >= 0 as pooled maps have them, not of unit norm."""
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(1, count, dimension, generator=generator)


def _present(count: int, length: int) -> Tensor:
    return torch.arange(length)[None] < count


def _trained(name: HeadName, dimension: int = D) -> nn.Module:
    """The head with layers that are not zero, as training would leave it."""
    head = make_head(name, dimension, dimension)
    generator = torch.Generator().manual_seed(1)
    for parameter in head.parameters():
        if parameter.ndim:  # the power of a generalised mean stays
            nn.init.normal_(parameter, std=0.5, generator=generator)
    return head.eval()


@pytest.mark.parametrize("name", HEADS)
def test_padding_changes_nothing(name: HeadName) -> None:
    head = _trained(name)
    frames = _frames(4)
    padded = torch.cat([frames, torch.full((1, 3, D), 7.0)], dim=1)
    embedding, weights = head(frames, _present(4, 4))
    of_padded, weights_of_padded = head(padded, _present(4, 7))
    torch.testing.assert_close(of_padded, embedding, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(weights_of_padded[:, :4], weights, atol=1e-6, rtol=1e-6)
    assert (weights_of_padded[:, 4:] == 0).all()


@pytest.mark.parametrize("name", HEADS)
def test_clips_of_a_batch_do_not_see_each_other(name: HeadName) -> None:
    head = _trained(name)
    frames = torch.cat([_frames(5, seed=1), _frames(5, seed=2)])
    present = torch.cat([_present(5, 5), _present(2, 5)])
    together, _ = head(frames, present)
    for clip in range(2):
        alone, weights = head(frames[clip : clip + 1], present[clip : clip + 1])
        torch.testing.assert_close(together[clip], alone[0], atol=1e-6, rtol=1e-6)
        torch.testing.assert_close(weights.sum(dim=1), torch.ones(1))


@pytest.mark.parametrize("name", WEIGHTING)
def test_one_frame_is_its_own_embedding(name: HeadName) -> None:
    frames = _frames(1)
    torch.testing.assert_close(_trained(name)(frames, _present(1, 3)[:, :1])[0], frames[:, 0])


@pytest.mark.parametrize("name", UNTRAINED_MEAN)
def test_untrained_heads_are_the_mean(name: HeadName) -> None:
    frames = _frames(5)
    embedding, weights = make_head(name, D, D)(frames, _present(3, 5))
    torch.testing.assert_close(embedding, frames[:, :3].mean(dim=1))
    torch.testing.assert_close(weights, torch.tensor([[1 / 3, 1 / 3, 1 / 3, 0, 0]]))


def test_untrained_default_is_the_consensus_mean() -> None:
    frames, present = _frames(5), _present(4, 5)
    for got, expected in zip(
        LstmAttention(D)(frames, present), Consensus()(frames, present), strict=True
    ):
        torch.testing.assert_close(got, expected)


def test_consensus_worked_by_hand() -> None:
    """Two equal frames and one at right angles to them.

    Mean c = (2, 1)/3, so cos = (2, 2, 1)/sqrt 5 and w = softmax(10 cos) = (1, 1, e^-4.472)/Z; then
    c = (2, e^-4.472)/Z, cos = (2, 2, .01142)/sqrt(4 + .0001304) and w again.
    """
    frames = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]])
    logits = consensus_logits(frames, _present(3, 3))
    expected = CONSENSUS_SHARPNESS * torch.tensor([[0.99998, 0.99998, 0.0057105]])
    torch.testing.assert_close(logits, expected, atol=2e-4, rtol=0)
    torch.testing.assert_close(
        Consensus().weights(frames, _present(3, 3)), torch.softmax(logits, dim=1)
    )


def test_frames_that_are_alike_enough_count_the_same() -> None:
    """Of cosines (.94, .94, .67) with the mean at first: all above .6, so all stay the mean's."""
    frames = torch.tensor([[[1.0, 0.0], [1.0, 0.0], [0.4, 0.9165]]])
    logits = consensus_logits(frames, _present(3, 3), 0.6)
    assert logits.tolist() == [[pytest.approx(0.6 * CONSENSUS_SHARPNESS)] * 3]
    wrong = consensus_logits(torch.tensor([[[1.0, 0], [1, 0], [0, 1]]]), _present(3, 3), 0.6)
    torch.testing.assert_close(wrong[0, :2], torch.full((2,), 0.6 * CONSENSUS_SHARPNESS))
    assert wrong[0, 2] < wrong[0, 0] - 4


def test_wrong_frame_counts_little() -> None:
    """Seven frames of one person and one of another: the mean errs, the consensus hardly."""
    torch.manual_seed(0)
    person, other = torch.eye(16)[0], torch.eye(16)[1]
    frames = normalize(person + 0.1 * torch.randn(8, 16), dim=-1)
    frames[3] = other
    pooled = Consensus()(frames[None], _present(8, 8))[0][0]
    mean = normalize(frames.mean(dim=0), dim=-1)
    assert pooled @ other < 0.02 < mean @ other


@pytest.mark.parametrize("name", HEADS)
def test_order_matters_to_heads_that_follow_time(name: HeadName) -> None:
    frames, present = _frames(5), _present(5, 5)
    head = _trained(name)
    is_same = torch.allclose(
        head(frames, present)[0], head(frames.flip(1), present)[0], atol=1e-5, rtol=1e-5
    )
    assert is_same is (name not in ORDERED)


@pytest.mark.parametrize("name", [name for name in HEADS if name not in PARAMETERLESS])
def test_heads_can_learn(name: HeadName) -> None:
    """Gradients reach a parameter although the last layers are zero: heads leave the mean."""
    head = make_head(name, D, D)
    head(_frames(5), _present(5, 5))[0][0, 0].backward()
    largest = [p.grad.abs().max().item() for p in head.parameters() if p.grad is not None]
    assert max(largest, default=0) > 0


@settings(deadline=None, max_examples=20)
@given(count=st.integers(1, 6), seed=st.integers(0, 9))
def test_streaming_equals_the_batch(count: int, seed: int) -> None:
    head = _trained("lstm_attention")
    assert isinstance(head, LstmAttention)
    frames = _frames(count, seed=seed)
    state = head.start()
    for length in range(1, count + 1):
        state = head.step(state, frames[0, length - 1])
        embedding, weights = head.read(state)
        expected = head(frames[:, :length], _present(length, length))
        torch.testing.assert_close(embedding, expected[0][0], atol=1e-5, rtol=0)
        torch.testing.assert_close(weights, expected[1][0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "least"), [("quality", 0.8), ("attention", 0.7)])
def test_heads_learn_to_rank_frames_without_labels_of_quality(name: HeadName, least: float) -> None:
    """Frames whose person is hidden carry a trait; only identities are taught.

    Of two frames of a clip, which is hidden: AUC > .8 (QAN). Attention looks at three frames at
    once and tells neighbours apart less well.
    """
    torch.manual_seed(0)
    people = torch.randn(20, D - 1)
    identities = torch.arange(20).repeat(8)
    hidden = torch.rand(160, 6) < 0.4
    hidden[:, 0] = False
    seen = people[identities][:, None] + 0.3 * torch.randn(160, 6, D - 1)
    seen = torch.where(hidden[..., None], 1.5 * torch.randn_like(seen), seen)
    frames = torch.cat([seen, hidden[..., None].float()], dim=-1)
    present = torch.ones(160, 6, dtype=torch.bool)
    head, classifier = make_head(name, D, D), nn.Linear(D, 20)
    optimiser = torch.optim.Adam([*head.parameters(), *classifier.parameters()], lr=0.01)
    for _ in range(60):
        loss = nn.functional.cross_entropy(classifier(head(frames, present)[0]), identities)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    weights = head.weights(frames, present)
    pairs = ~hidden[:, :, None] & hidden[:, None]  # (160, 6, 6): the first is seen, the other not
    auc = (weights[:, :, None] > weights[:, None])[pairs].float().mean()
    assert auc > least


def test_agw_is_the_generalised_mean_over_all_places_of_all_frames() -> None:
    """Frames stacked to one tall image, as published, against pooling frame by frame."""
    maps = torch.rand(4, 3, 5, 2, generator=torch.Generator().manual_seed(0))
    gem, head = Gem(), PowerMean(3, 3)
    nn.init.eye_(head.project.weight)
    stacked = gem(maps.transpose(0, 1).reshape(1, 3, 4 * 5, 2))
    torch.testing.assert_close(head(gem(maps)[None], _present(4, 4))[0], stacked)


def test_parts_choose_their_own_frames() -> None:
    """A head drsa of D = 4 parts x 1: part 0 prefers large values, the others do not care.

    Part 0 has values 0 and 3 and score x: w = (1, e^3)/(1 + e^3), so 3 e^3 / (1 + e^3) = 2.8577.
    """
    head = make_head("drsa", ATTENDED_PARTS, ATTENDED_PARTS)
    nn.init.ones_(next(head.parameters()))
    frames = torch.tensor([[[0.0, 1, 1, 1], [3.0, 2, 2, 2]]])
    embedding, weights = head(frames, _present(2, 2))
    torch.testing.assert_close(
        embedding, torch.tensor([[2.8577, 1.5, 1.5, 1.5]]), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(
        weights[0, 1], torch.tensor((0.95257 + 3 * 0.5) / 4), atol=1e-4, rtol=0
    )


def _maps(seed: int = 0) -> Tensor:
    """Maps (1, 4, 8, 4, 2) of a standing person: the same in all frames, with a little noise.

    In each frame another row shows something of its own, an occluder that moves on.
    """
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(1, 1, 8, 4, 2, generator=generator).repeat(1, 4, 1, 1, 1)
    maps = maps + 0.02 * torch.rand(maps.shape, generator=generator)
    for frame in range(4):
        maps[0, frame, :, frame] = torch.rand(8, 2, generator=generator)
    return maps


def test_common_regions_suppress_what_is_in_one_frame_only() -> None:
    masks = common_regions(_maps(), _present(4, 4))[0]
    occluded = torch.eye(4, dtype=torch.bool)[..., None].expand(-1, -1, 2)
    assert masks[occluded].max() < masks[~occluded].min()
    assert masks[occluded].mean() < 0.5 < 1 < masks[~occluded].mean()


def test_common_regions_by_a_naive_loop() -> None:
    maps = _maps(1)
    rows = maps[0].flatten(2).transpose(1, 2)  # (4, 8, 8): frame, place, channel
    best = torch.tensor(
        [
            [
                max(
                    torch.corrcoef(torch.stack([place, other]))[0, 1].item()
                    for at, frame in enumerate(rows)
                    for other in frame
                    if at != index
                )
                for place in rows[index]
            ]
            for index in range(4)
        ]
    )
    expected = 2 * torch.sigmoid(SHARPNESS * (best - best.mean()))
    torch.testing.assert_close(
        common_regions(maps, _present(4, 4))[0].flatten(1), expected, atol=1e-4, rtol=1e-4
    )


def test_common_regions_do_not_depend_on_the_order_of_other_frames_or_on_padding() -> None:
    maps = _maps()
    masks = common_regions(maps, _present(4, 4))
    shuffled = common_regions(maps[:, [0, 3, 1, 2]], _present(4, 4))
    torch.testing.assert_close(shuffled[:, 0], masks[:, 0])
    padded = torch.cat([maps, torch.rand(1, 2, 8, 4, 2)], dim=1)
    of_padded = common_regions(padded, _present(4, 6))
    torch.testing.assert_close(of_padded[:, :4], masks)
    assert (of_padded[:, 4:] == 1).all()


def test_one_frame_has_no_common_regions() -> None:
    assert (common_regions(_maps()[:, :1], _present(1, 1)) == 1).all()
