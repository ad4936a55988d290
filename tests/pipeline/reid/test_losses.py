"""Losses against their formulas, written out as loops over small random batches."""

import math
from collections.abc import Callable
from itertools import combinations, permutations, product

import pytest
import torch
from torch import Tensor

from pipeline.reid.losses import (
    CentreLoss,
    IdentityLoss,
    Loss,
    OimLoss,
    TripletLoss,
    VerificationLoss,
    adaptive_triplet_loss,
    contrastive_loss,
    quadruplet_loss,
    weighted_triplet_loss,
)

IDENTITIES = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])


@pytest.fixture
def embedding() -> Tensor:
    return torch.randn(12, 8, generator=torch.manual_seed(1))


def _softplus(value: float) -> float:
    return math.log1p(math.exp(value))


def _distance(embedding: Tensor, first: int, second: int) -> float:
    return float((embedding[first] - embedding[second]).norm())


def _sides(embedding: Tensor, anchor: int) -> tuple[list[float], list[float]]:
    """Distances to the others of the anchor's identity, and to everybody else."""
    sides: tuple[list[float], list[float]] = ([], [])
    for other in range(12):
        if other != anchor:
            is_other = bool(IDENTITIES[other] != IDENTITIES[anchor])
            sides[is_other].append(_distance(embedding, anchor, other))
    return sides


def _weighted(embedding: Tensor, anchor: int) -> float:
    same, others = _sides(embedding, anchor)
    far = sum(d * math.exp(d) for d in same) / sum(math.exp(d) for d in same)
    near = sum(d * math.exp(-d) for d in others) / sum(math.exp(-d) for d in others)
    return far - near


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_batch_hard_triplet_is_its_formula(embedding: Tensor) -> None:
    sides = [_sides(embedding, anchor) for anchor in range(12)]
    expected = _mean([_softplus(max(same) - min(others)) for same, others in sides])
    assert float(TripletLoss()(embedding, IDENTITIES)) == pytest.approx(expected, rel=1e-5)


def test_weighted_triplets_are_their_formulas(embedding: Tensor) -> None:
    gaps = [_weighted(embedding, anchor) for anchor in range(12)]
    assert float(weighted_triplet_loss(embedding, IDENTITIES)) == pytest.approx(
        _mean([_softplus(gap) for gap in gaps]), rel=1e-5
    )
    assert float(adaptive_triplet_loss(embedding, IDENTITIES, 0.4)) == pytest.approx(
        _mean([max(0.4 + gap, 0) for gap in gaps]), rel=1e-5
    )


def test_with_two_of_each_of_two_far_apart_the_weighted_triplet_is_the_soft_margin_one() -> None:
    """One positive each; where both negatives are as far, weights do not matter."""
    square = torch.tensor([[0.0, 0], [1, 0], [0.5, 9], [0.5, 9]])
    identities = torch.tensor([0, 0, 1, 1])
    same, apart = (1.0, 0.0), math.hypot(0.5, 9)
    expected = _mean([_softplus(d - apart) for d in same])
    assert float(weighted_triplet_loss(square, identities)) == pytest.approx(expected, rel=1e-5)
    assert float(TripletLoss()(square, identities)) == pytest.approx(expected, rel=1e-5)


def test_quadruplets_are_their_formula(embedding: Tensor) -> None:
    def squared(first: int, second: int) -> float:
        return _distance(embedding, first, second) ** 2

    who = IDENTITIES.tolist()
    pairs = [(i, j) for i, j in permutations(range(12), 2) if who[i] == who[j]]
    triplets = [
        max(squared(i, j) - squared(i, k) + 1, 0)
        for (i, j), k in product(pairs, range(12))
        if who[k] != who[i]
    ]
    quadruplets = [
        max(squared(i, j) - squared(k, other) + 0.5, 0)
        for (i, j), (k, other) in product(pairs, combinations(range(12), 2))
        if len({who[i], who[k], who[other]}) == 3
    ]
    expected = _mean(triplets) + _mean(quadruplets)
    assert float(quadruplet_loss(embedding, IDENTITIES)) == pytest.approx(expected, rel=1e-5)


def test_a_batch_of_two_identities_has_no_quadruplets(embedding: Tensor) -> None:
    loss = [
        float(quadruplet_loss(embedding[:6], IDENTITIES[:6], second_margin=margin))
        for margin in (0.5, 50.0)
    ]
    assert loss[0] == loss[1] > 0


def test_contrastive_is_its_formula(embedding: Tensor) -> None:
    unit = embedding / embedding.norm(dim=1, keepdim=True)
    same, other = [], []
    for i, j in permutations(range(12), 2):
        distance = _distance(unit, i, j)
        if IDENTITIES[i] == IDENTITIES[j]:
            same.append(distance**2)
        else:
            other.append(max(1.5 - distance, 0) ** 2)
    assert float(contrastive_loss(embedding * 3, IDENTITIES, 1.5)) == pytest.approx(
        _mean(same) + _mean(other), rel=1e-4
    )


def test_verification_weighs_both_answers_alike(embedding: Tensor) -> None:
    """Undecided, either way of counting gives log 2; deciding "other" costs the same pairs most."""
    verify = VerificationLoss(8)
    torch.nn.init.zeros_(verify.verdict.weight)
    torch.nn.init.zeros_(verify.verdict.bias)
    assert verify(embedding, IDENTITIES).item() == pytest.approx(math.log(2))
    verify.verdict.bias.data = torch.tensor([20.0, 0.0])
    assert verify(embedding, IDENTITIES).item() == pytest.approx(10, abs=1e-3)


def test_identity_loss_at_uniform_logits_is_log_of_their_number(embedding: Tensor) -> None:
    loss = IdentityLoss(8, 4)
    assert loss.classifier.bias is None
    assert 0 < loss.classifier.weight.std().item() < 0.002
    loss.classifier.weight.data.zero_()
    assert loss(embedding, IDENTITIES).item() == pytest.approx(math.log(4))


def test_smoothed_labels_cost_their_entropy_at_least() -> None:
    """At p = q, q_y = 1 - e + e / C and e / C elsewhere, the loss is the entropy of q."""
    target = torch.tensor([0.925, 0.025, 0.025, 0.025])
    loss = IdentityLoss(4, 4)
    loss.classifier.weight.data = torch.eye(4)
    entropy = float(-(target * target.log()).sum())
    logits = target.log()[None]
    assert loss(logits, torch.tensor([0])).item() == pytest.approx(entropy)
    assert loss(logits * 1.2, torch.tensor([0])).item() > entropy


def test_focal_weights_what_is_wrong() -> None:
    plain, focal = IdentityLoss(2, 2), IdentityLoss(2, 2, focal=2)
    focal.classifier.weight = plain.classifier.weight
    plain.classifier.weight.data = torch.eye(2)
    neck = torch.tensor([[math.log(3), 0.0]])  # p = 3/4 of the first
    for identity, right in ((0, 0.75), (1, 0.25)):
        target = torch.tensor([identity])
        ratio = (focal(neck, target) / plain(neck, target)).item()
        assert ratio == pytest.approx((1 - right) ** 2)


def test_centres_follow_the_papers_rule() -> None:
    loss = CentreLoss(1, 2)
    loss.centres[:] = torch.tensor([[0.0], [9.0]])
    batch, identities = torch.tensor([[2.0], [4.0]]), torch.tensor([0, 0])
    assert loss(batch, identities).item() == pytest.approx((4 + 16) / 2 / 2)
    # 0.5 * (2 + 4) / (1 + 2) = 1; nobody of the other was there
    assert loss.centres.tolist() == [[1], [9]]
    loss.eval()
    assert loss(batch, identities).item() == pytest.approx((1 + 9) / 2 / 2)
    assert loss.centres.tolist() == [[1], [9]]


def test_oim_compares_with_its_memory_and_then_learns() -> None:
    loss = OimLoss(2, 2, queue=3)
    loss.memory.fill(torch.eye(2))
    loss.memory.push(torch.tensor([[-1.0, 0.0]]))
    embedding = torch.tensor([[5.0, 0.0], [0.0, -1.0]])
    logits = torch.tensor([10.0, 0.0, -10.0])
    expected = float(torch.logsumexp(logits, 0) - logits[0])
    assert loss(embedding, torch.tensor([0, -1])).item() == pytest.approx(expected, abs=1e-6)
    assert loss.memory.queue[1].tolist() == [0, -1]
    assert loss.memory.rows.tolist() == [[1, 0], [0, 1]]


METRIC: list[Loss] = [
    TripletLoss(),
    weighted_triplet_loss,
    adaptive_triplet_loss,
    quadruplet_loss,
    contrastive_loss,
    VerificationLoss(8),
]


@pytest.mark.parametrize("loss", METRIC, ids=lambda loss: getattr(loss, "__name__", str(loss)))
def test_order_does_not_matter_and_gradients_are_finite(loss: Loss, embedding: Tensor) -> None:
    order = torch.randperm(12, generator=torch.manual_seed(2))
    torch.testing.assert_close(
        loss(embedding, IDENTITIES), loss(embedding[order], IDENTITIES[order])
    )
    same = torch.ones(12, 8, requires_grad=True)  # all distances are 0
    loss(same, IDENTITIES).backward()
    assert same.grad is not None and bool(same.grad.isfinite().all())


@pytest.mark.parametrize("make", [TripletLoss, lambda: weighted_triplet_loss])
def test_anchors_without_a_second_clip_do_not_count(make: Callable[[], Loss]) -> None:
    loss = make()
    alone = torch.tensor([[0.0, 0], [1, 0], [0, 3]])
    identities = torch.tensor([0, 0, 1])
    expected = _mean([_softplus(1 - 3), _softplus(1 - math.sqrt(10))])
    assert loss(alone, identities).item() == pytest.approx(expected, rel=1e-5)
