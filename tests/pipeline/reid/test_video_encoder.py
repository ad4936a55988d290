"""The whole video encoder: padding, company in a batch, and pixels must not change an embedding."""

from typing import get_args

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn.functional import normalize

from pipeline.reid.settings import EncoderSettings, HeadName
from pipeline.reid.video_encoder import (
    CROPS_AT_ONCE,
    VideoEncoder,
    embed_clips,
    normalised,
    scattered,
)
from pipeline.types import ImageArray

HEADS = get_args(HeadName)


def small_encoder(head: HeadName = "lstm_attention") -> VideoEncoder:
    torch.manual_seed(0)
    return VideoEncoder(
        EncoderSettings(
            backbone="mobilenetv4_conv_small_050",
            head=head,
            dimension=16,
            height_px=96,
            width_px=64,
        )
    ).eval()


def _clips(*lengths: int) -> list[ImageArray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (length, 96, 64, 3), dtype=np.uint8) for length in lengths]


def _batch() -> tuple[Tensor, Tensor]:
    crops = torch.randn(2, 4, 3, 96, 64, generator=torch.Generator().manual_seed(0))
    return crops, torch.tensor([[True] * 4, [True, True, False, False]])


@pytest.mark.parametrize("head", HEADS)
def test_shapes(head: HeadName) -> None:
    encoder = small_encoder(head)
    crops, present = _batch()
    with torch.inference_mode():
        encoded = encoder(crops, present)
        embedding = encoder.embed(crops, present)
    assert encoded.embedding.shape == encoded.neck.shape == embedding.shape == (2, 16)
    assert encoded.frames.shape == (2, 4, encoder.frame_dimension)
    assert (encoded.frames[1, 2:] == 0).all()
    torch.testing.assert_close(encoded.weights.sum(dim=1), torch.ones(2))
    torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))
    assert (encoded.penalty > 0) == (head == "drsa")


def test_what_is_compared_comes_out_of_the_neck() -> None:
    """Unit length of (f - mean) / deviation * gamma, whatever the way from crops to it."""
    encoder, (clip,) = small_encoder(), _clips(3)
    neck = encoder.neck
    for values, least in ((neck.running_mean, -1), (neck.running_var, 0.5), (neck.weight.data, 1)):
        assert values is not None
        values.copy_(least + torch.rand(16))
    assert neck.running_mean is not None and neck.running_var is not None
    crops, present = normalised(torch.from_numpy(clip), (96, 64))[None], torch.ones(1, 3) > 0
    with torch.inference_mode():
        embedding = encoder(crops, present).embedding
        scaled = (embedding - neck.running_mean) / (neck.running_var + neck.eps).sqrt()
        expected = normalize(scaled * neck.weight, dim=1)
        torch.testing.assert_close(encoder.embed(crops, present), expected)
    np.testing.assert_allclose(embed_clips(encoder, [clip]), expected, atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_absent_crops_change_nothing(head: HeadName) -> None:
    encoder = small_encoder(head)
    crops, present = _batch()
    with torch.inference_mode():
        encoded = encoder(crops, present)
        alone = encoder(crops[1:, :2], present[1:, :2])
    torch.testing.assert_close(encoded.embedding[1:], alone.embedding, atol=1e-5, rtol=1e-5)


def test_absent_crops_reach_no_batch_statistics() -> None:
    first, second = small_encoder().train(), small_encoder().train()
    crops, present = _batch()
    first(crops, present)
    second(torch.where(present[..., None, None, None], crops, 100.0), present)
    for one, other in zip(first.buffers(), second.buffers(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("head", [head for head in HEADS if head != "cosam"])
def test_frame_by_frame_is_the_same(head: HeadName) -> None:
    """Vectors of crops, kept and put together later, give what whole clips give."""
    encoder = small_encoder(head)
    crops, present = _batch()
    with torch.inference_mode():
        vectors = scattered(encoder.frame_vectors(crops[present]), present)
        torch.testing.assert_close(
            encoder.aggregate(vectors, present).neck, encoder(crops, present).neck
        )


def test_common_regions_change_an_encoder() -> None:
    """The head cosam differs from the mean, with the same weights, as soon as there are two."""
    mean, cosam = small_encoder("mean"), small_encoder("cosam")
    crops, present = _batch()
    with torch.inference_mode():
        torch.testing.assert_close(
            mean(crops[:, :1], present[:, :1]).embedding,
            cosam(crops[:, :1], present[:, :1]).embedding,
        )
        difference = mean(crops, present).embedding - cosam(crops, present).embedding
    assert difference.abs().max() > 1e-4


@pytest.mark.parametrize("head", HEADS)
def test_company_in_a_batch_changes_nothing(head: HeadName) -> None:
    encoder = small_encoder(head)
    clips = _clips(3, 1, 5, 2, 1)
    alone = np.concatenate([embed_clips(encoder, [clip]) for clip in clips])
    np.testing.assert_allclose(embed_clips(encoder, clips), alone, atol=1e-6)


def test_batches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = small_encoder("mean")
    clips = _clips(40, 30, 20, 10, CROPS_AT_ONCE + 1)
    counts: list[int] = []
    encode = encoder.encode

    def counting(crops: Tensor, present: Tensor) -> object:
        counts.append(len(crops))
        return encode(crops, present)

    monkeypatch.setattr(encoder, "encode", counting)
    assert embed_clips(encoder, clips).shape == (5, 16)
    assert counts == [60, 40, CROPS_AT_ONCE + 1]


def test_no_clips_have_no_embeddings() -> None:
    assert embed_clips(small_encoder(), []).shape == (0, 16)


def test_normalisation_worked_by_hand() -> None:
    """A blue crop in BGR: RGB (0, 0, 1), minus ImageNet's mean, by its deviation."""
    crops = torch.zeros((2, 4, 2, 3), dtype=torch.uint8)
    crops[..., 0] = 255
    expected = torch.tensor([-0.485 / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225])
    for size in ((4, 2), (8, 6), (2, 1)):
        images = normalised(crops, size)
        assert images.shape == (2, 3, *size)
        torch.testing.assert_close(images, expected[None, :, None, None].expand_as(images))


def test_shrinking_takes_all_pixels_into_account() -> None:
    """A chequerboard of 0 and 255 becomes grey, not one of the two."""
    board = ((torch.arange(64)[:, None] + torch.arange(32)) % 2 * 255).to(torch.uint8)
    image = normalised(board[None, ..., None].expand(-1, -1, -1, 3), (16, 8))[0, 0, 4:-4, 2:-2]
    torch.testing.assert_close(
        image, torch.full_like(image, (0.5 - 0.485) / 0.229), atol=0.1, rtol=0
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"pooling": "torchreid"}, "expected an osnet backbone and dimension 512"),
        ({"head": "drsa", "dimension": 30}, "divisible by 4, got 30"),
        ({"head": "self_attention", "dimension": 30}, "divisible by 4, got 30"),
        ({"backbone": "vit_small_patch16_224", "height_px": 100}, "divisible by 16, got 100"),
        ({"backbone": "alexnet"}, "mobilenetv4_conv_small"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, str | int], expected: str) -> None:
    with pytest.raises(ValidationError, match=expected):
        EncoderSettings.model_validate(changes)
