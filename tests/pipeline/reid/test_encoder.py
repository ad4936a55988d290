"""Crops to frame embeddings by a real model file, clips to one embedding."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import ReidSettings
from pipeline.errors import WeightsError
from pipeline.reid.backbone import OpenVinoBackbone
from pipeline.reid.encoder import ClipEncoder, RecordedEncoder
from pipeline.types import Clip, Embedding, FrameEmbeddings, ImageArray, NoAppearance, NoEmbedding

RED, BLUE = (0, 0, 255), (255, 0, 0)


def _crops(*colours: tuple[int, int, int]) -> ImageArray:
    return np.stack([np.full((256, 128, 3), colour, np.uint8) for colour in colours])


def _clip(*colours: tuple[int, int, int]) -> Clip:
    count = len(colours)
    crops = _crops(*colours) if colours else np.zeros((0, 256, 128, 3), np.uint8)
    return Clip(crops, np.arange(count), np.ones(count))


@pytest.fixture(scope="module")
def backbone(toy_encoder: Path) -> OpenVinoBackbone:
    return OpenVinoBackbone(ReidSettings(weights=str(toy_encoder)))


def test_frame_embedding_worked_by_hand(backbone: OpenVinoBackbone) -> None:
    """Mean colour of each half minus 110: red is (-110, -110, 145) in BGR, twice, normalised."""
    channels = np.repeat([-110.0, -110.0, 145.0], 2)
    expected = channels / np.linalg.norm(channels)
    np.testing.assert_allclose(backbone.embed(_crops(RED))[0], expected, atol=1e-5)


def test_imagenet_input_is_rgb_and_normalised(toy_encoder: Path) -> None:
    """Red as RGB: ((1, 0, 0) - mean) / std, minus the toy's 110."""
    backbone = OpenVinoBackbone(ReidSettings(weights=str(toy_encoder), input="rgb-imagenet"))
    values = np.array([(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]) - 110
    expected = np.repeat(values, 2)
    embedding = backbone.embed(_crops(RED))[0]
    np.testing.assert_allclose(embedding, expected / np.linalg.norm(expected), atol=1e-5)


def test_batch_changes_nothing(backbone: OpenVinoBackbone) -> None:
    together = backbone.embed(_crops(RED, BLUE, RED))
    np.testing.assert_allclose(together[1], backbone.embed(_crops(BLUE))[0], atol=1e-6)


def test_clip_of_one_person_with_a_wrong_crop(backbone: OpenVinoBackbone) -> None:
    embedding = ClipEncoder(backbone).encode(_clip(RED, RED, RED, BLUE, RED))
    assert isinstance(embedding, Embedding)
    assert embedding.vector @ backbone.embed(_crops(RED))[0] > 0.9999


def test_encoder_is_named_and_hashed(backbone: OpenVinoBackbone, toy_encoder: Path) -> None:
    digest = hashlib.sha256(toy_encoder.read_bytes())
    digest.update(toy_encoder.with_suffix(".bin").read_bytes())
    identity = ClipEncoder(backbone).identity
    assert (identity.name, identity.dimension) == ("toy-encoder", 6)
    assert identity.sha256 == digest.hexdigest()


def test_nothing_seen_has_no_embedding(backbone: OpenVinoBackbone) -> None:
    encoder = ClipEncoder(backbone)
    assert encoder.encode(_clip()) == NoEmbedding()
    assert encoder.encode(NoAppearance()) == NoEmbedding()
    assert RecordedEncoder("plaza").encode(NoAppearance()) == NoEmbedding()


def test_recorded_embeddings_are_pooled_whatever_their_length() -> None:
    vectors = np.array([[3.0, 0, 0], [0.5, 0, 0], [0, 0, 2.0], [1, 0, 0]], np.float32)
    embedding = RecordedEncoder("plaza").encode(FrameEmbeddings(vectors, np.arange(4)))
    assert isinstance(embedding, Embedding)
    assert embedding.encoder.name == "recorded-plaza"
    assert embedding.vector[0] > 0.9999


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("missing.xml", None, "no such file"),
        ("alone.xml", b"<net/>", r"expected alone\.bin beside"),
        ("weights.pt", b"x", r"expected an OpenVINO \.xml or an \.onnx file"),
        ("noise.onnx", b"noise", r"expected a model of crops"),
    ],
)
def test_wrong_files_are_named(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=expected) as caught:
        OpenVinoBackbone(ReidSettings(weights=str(path)))
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bundled_is_not_there_yet() -> None:
    with pytest.raises(WeightsError, match="no encoder is bundled yet"):
        OpenVinoBackbone(ReidSettings())
