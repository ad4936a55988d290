"""Crops to frame embeddings by a real model file, clips to one embedding."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.bundled import DEFAULTS
from pipeline.config import ReidSettings
from pipeline.errors import WeightsError
from pipeline.reid.backbone import OpenVinoBackbone
from pipeline.reid.encoder import ClipEncoder, RecordedEncoder
from pipeline.reid.opening import open_encoder
from pipeline.types import Clip, Embedding, FrameEmbeddings, ImageArray, NoAppearance, NoEmbedding

CPU = torch.device("cpu")
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


@pytest.fixture(scope="module")
def encoder(toy_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> ClipEncoder:
    cache = tmp_path_factory.mktemp("cache")
    return open_encoder(ReidSettings(weights=str(toy_encoder)), CPU, cache)


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


def test_clip_of_one_person_with_a_wrong_crop(
    backbone: OpenVinoBackbone, encoder: ClipEncoder
) -> None:
    embedding = encoder.encode(_clip(RED, RED, RED, BLUE, RED))
    assert isinstance(embedding, Embedding)
    assert embedding.vector @ backbone.embed(_crops(RED))[0] > 0.9999


def test_looks_of_a_backbone_are_its_frame_embeddings(
    backbone: OpenVinoBackbone, encoder: ClipEncoder
) -> None:
    crops = _crops(RED, BLUE)
    np.testing.assert_allclose(encoder.embed(crops), backbone.embed(crops), atol=1e-6)


def test_several_are_seen_at_once(encoder: ClipEncoder) -> None:
    """In their order, where some show nothing; to the last bit as if each were alone."""
    clips = [_clip(), _clip(RED, BLUE), NoAppearance(), _clip(BLUE, BLUE, RED)]
    together = encoder.frames(clips)
    assert [len(frames) for frames in together] == [0, 2, 0, 3]
    for clip, frames in zip(clips, together, strict=True):
        np.testing.assert_array_equal(frames, encoder.frames([clip])[0])


def test_encoder_is_named_and_hashed(encoder: ClipEncoder, toy_encoder: Path) -> None:
    digest = hashlib.sha256(toy_encoder.read_bytes())
    digest.update(toy_encoder.with_suffix(".bin").read_bytes())
    assert (encoder.identity.name, encoder.identity.dimension) == ("toy-encoder", 6)
    assert encoder.identity.sha256 == digest.hexdigest()


def test_nothing_seen_has_no_embedding(encoder: ClipEncoder) -> None:
    assert encoder.encode(_clip()) == NoEmbedding()
    assert encoder.encode(NoAppearance()) == NoEmbedding()
    recorded = RecordedEncoder("plaza")
    assert recorded.pooled(recorded.frames([NoAppearance()])[0]) == NoEmbedding()


def test_recorded_embeddings_are_pooled_whatever_their_length() -> None:
    vectors = np.array([[3.0, 0, 0], [0.5, 0, 0], [0, 0, 2.0], [1, 0, 0]], np.float32)
    encoder = RecordedEncoder("plaza")
    (frames,) = encoder.frames([FrameEmbeddings(vectors, np.arange(4))])
    np.testing.assert_allclose(np.linalg.norm(encoder.looks(frames), axis=1), 1, rtol=1e-6)
    embedding = encoder.pooled(frames)
    assert isinstance(embedding, Embedding)
    assert np.linalg.norm(embedding.vector) == pytest.approx(1, abs=1e-6)
    assert embedding.encoder.name == "recorded-plaza"
    assert embedding.vector[0] > 0.9999


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("missing.xml", None, "no such file"),
        ("alone.xml", b"<net/>", r"expected alone\.bin beside"),
        ("weights.pt", b"x", r"expected \.safetensors, \.onnx or OpenVINO \.xml"),
        ("noise.onnx", b"noise", r"expected a model of crops"),
        ("missing.safetensors", None, "no such file"),
        ("noise.safetensors", b"noise" * 100, "expected a safetensors file"),
    ],
)
def test_wrong_files_are_named(
    tmp_path: Path, name: str, content: bytes | None, expected: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=expected) as caught:
        open_encoder(ReidSettings(weights=str(path)), CPU, tmp_path)
    assert str(caught.value).startswith(f"reid.weights: {path}: ")
    assert "\n" not in str(caught.value)


def test_bundled_encoders_are_told_apart_by_name(tmp_path: Path) -> None:
    """From each other, and from others that are called `encoder`."""
    for weights, name in (
        ("bundled", Path(DEFAULTS["reid"]).stem),
        ("bundled/encoder-simulated.safetensors", "encoder-simulated"),
    ):
        identity = open_encoder(ReidSettings(weights=weights), CPU, tmp_path).identity
        assert identity.name == f"bundled/{name}"
