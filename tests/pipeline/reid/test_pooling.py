"""Pooling of maps: worked by hand, and what each part may see."""

import math

import pytest
import torch

from pipeline.reid.pooling import BnNeck, BodyGem, DiverseAttention, Gem, make_pooling, overlap
from pipeline.reid.settings import ATTENDED_PARTS, EncoderSettings


def test_generalised_mean_worked_by_hand() -> None:
    """(1, 2, 3, 4): p = 1 gives 2.5, p = 3 the cube root of 100/4, a large p the largest."""
    maps = torch.tensor([1.0, 2, 3, 4]).reshape(1, 1, 2, 2)
    for power, expected in ((1.0, 2.5), (3.0, 25 ** (1 / 3)), (60.0, 4 * 0.25 ** (1 / 60))):
        torch.testing.assert_close(Gem(power)(maps), torch.tensor([[expected]]))


def test_generalised_mean_has_a_gradient_where_maps_are_zero() -> None:
    gem, maps = Gem(), torch.zeros(1, 2, 3, 3, requires_grad=True)
    gem(maps).sum().backward()
    assert gem.power.grad is not None
    assert gem.power.grad.isfinite()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


def test_powers_do_not_leave_half_precision() -> None:
    """100^3 is beyond float16."""
    torch.testing.assert_close(
        Gem()(torch.full((1, 1, 2, 2), 100.0).half()), torch.full((1, 1), 100.0)
    )


@pytest.mark.parametrize("rows", [1, 4, 5])
def test_halves_of_the_body_see_their_rows_alone(rows: int) -> None:
    maps = torch.rand(2, 3, rows, 2)
    whole, upper, lower = BodyGem(3, parts=True)(maps).chunk(3, dim=1)
    gem = Gem()
    torch.testing.assert_close(whole, gem(maps))
    torch.testing.assert_close(upper, gem(maps[:, :, : math.ceil(rows / 2)]))
    torch.testing.assert_close(lower, gem(maps[:, :, -math.ceil(rows / 2) :]))


@pytest.mark.parametrize("parts", [2, 3, 6])
def test_overlap_of_attentions_worked_by_hand(parts: int) -> None:
    """Disjoint one-hot maps: 0. Alike: all P^2 - P entries off the diagonal are 1."""
    disjoint = torch.eye(parts, 8)[None]
    alike = torch.full((1, parts, 8), 1 / 8)
    torch.testing.assert_close(overlap(disjoint), torch.zeros(1), atol=1e-4, rtol=0)
    torch.testing.assert_close(overlap(alike), torch.tensor([math.sqrt(parts**2 - parts)]))


def test_overlap_of_disjoint_attentions_has_a_finite_gradient() -> None:
    attentions = torch.eye(3, 8)[None].requires_grad_()
    overlap(attentions).sum().backward()
    assert attentions.grad is not None
    assert attentions.grad.isfinite().all()


def test_training_on_the_penalty_parts_the_attentions() -> None:
    torch.manual_seed(0)
    pooling, maps = DiverseAttention(8, 16), torch.rand(2, 8, 4, 2)

    def mean_overlap() -> float:
        attentions = pooling.attentions(maps)
        shared = attentions @ attentions.transpose(1, 2)
        return (shared.sum() - shared.diagonal(dim1=1, dim2=2).sum()).item()

    before = mean_overlap()
    optimiser = torch.optim.Adam(pooling.parameters(), lr=0.05)
    for _ in range(60):
        optimiser.zero_grad()
        pooling.penalty(maps).backward()
        optimiser.step()
    assert mean_overlap() < 0.5 * before


def test_soft_parts_have_unit_length_and_attentions_sum_to_one() -> None:
    pooling, maps = DiverseAttention(8, 16), torch.rand(2, 8, 4, 2)
    torch.testing.assert_close(pooling.attentions(maps).sum(dim=-1), torch.ones(2, ATTENDED_PARTS))
    norms = pooling(maps).reshape(2, ATTENDED_PARTS, -1).norm(dim=-1)
    torch.testing.assert_close(norms, torch.ones(2, ATTENDED_PARTS))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, 256),
        ({"pooling": "whole", "dimension": 64}, 64),
        ({"head": "agw"}, 3 * 10),
        ({"head": "agw", "pooling": "whole"}, 10),
        ({"head": "drsa", "dimension": 32}, 32),
        ({"backbone": "osnet_x0_25", "pooling": "torchreid", "dimension": 512}, 512),
    ],
)
def test_frame_vectors_have_the_length_that_settings_say(
    changes: dict[str, str | int], expected: int
) -> None:
    pooling = make_pooling(EncoderSettings.model_validate(changes), 10).eval()
    assert pooling.dimension == expected
    vectors = pooling(torch.rand(2, 10, 4, 2))
    assert vectors.shape == (2, expected)
    assert pooling.penalty(torch.rand(2, 10, 4, 2)) >= 0


def test_shift_of_the_neck_stays_zero() -> None:
    """So that identities are told apart by direction alone; its scale does learn."""
    neck = BnNeck(4)
    neck(torch.randn(8, 4)).square().sum().backward()
    assert neck.bias.grad is None
    assert not neck.bias.requires_grad
    assert (neck.bias == 0).all()
    assert neck.weight.grad is not None
