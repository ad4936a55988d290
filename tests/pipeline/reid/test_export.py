"""Exported encoders: the same numbers as torch, one name, and an export that is made once."""

import resource
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pipeline.errors import WeightsError
from pipeline.reid import export
from pipeline.reid.encoder import ClipEncoder
from pipeline.reid.settings import EncoderSettings, HeadName
from pipeline.reid.video_encoder import VideoEncoder, embed_clips
from pipeline.reid.weights import save_encoder, weights_hash
from pipeline.types import Clip, Embedding, ImageArray, NoAppearance, NoEmbedding

CPU = torch.device("cpu")


def small_encoder(head: HeadName) -> VideoEncoder:
    """With statistics and weights that are not those of the start."""
    torch.manual_seed(0)
    encoder = VideoEncoder(
        EncoderSettings(
            backbone="mobilenetv4_conv_small_050",
            head=head,
            dimension=16,
            height_px=128,
            width_px=64,
        )
    )
    for parameter in encoder.head.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    encoder.neck.running_mean = torch.randn(16)
    return encoder.eval()


def _crops(count: int) -> ImageArray:
    return np.random.default_rng(count).integers(0, 256, (count, 256, 128, 3), dtype=np.uint8)


def _clip(count: int) -> Clip:
    return Clip(_crops(count), np.arange(count), np.ones(count))


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    return small_encoder("lstm_attention")


@pytest.fixture(scope="module")
def weights(encoder: VideoEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "street.safetensors"
    save_encoder(path, encoder)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "exports"


@pytest.fixture(scope="module")
def exported(weights: Path, cache: Path) -> ClipEncoder:
    return export.open_trained(weights, CPU, cache)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_export_agrees_with_torch(encoder: VideoEncoder, exported: ClipEncoder, count: int) -> None:
    (frames,) = exported.frames([_clip(count)])
    (expected,) = export.TorchNetworks(encoder, CPU).frames([_crops(count)])
    np.testing.assert_allclose(frames, expected, atol=1e-4 * np.abs(expected).max())
    embedding = exported.encode(_clip(count))
    assert isinstance(embedding, Embedding)
    np.testing.assert_allclose(
        embedding.vector, embed_clips(encoder, [_crops(count)])[0], atol=1e-4
    )
    assert np.linalg.norm(embedding.vector) == pytest.approx(1, abs=1e-5)


def test_what_waits_beside_a_clip_does_not_change_it(
    encoder: VideoEncoder, exported: ClipEncoder
) -> None:
    """To the last bit, on the CPU and in the full batches of a GPU, wherever in them it is."""
    clips = [_crops(count) for count in (3, 1, 8, 60, 2)]
    for networks in (exported.networks, export.TorchNetworks(encoder, CPU)):
        together = networks.frames(clips)
        assert [len(frames) for frames in together] == [3, 1, 8, 60, 2]
        for clip, frames in zip(clips, together, strict=True):
            np.testing.assert_array_equal(frames, networks.frames([clip])[0])
        assert networks.frames([]) == []


def test_threads_may_share_an_encoder(exported: ClipEncoder) -> None:
    """As the cameras' and the encoder's do; OpenVINO by itself refuses that."""
    crops = _crops(8)
    expected = exported.embed(crops)
    with ThreadPoolExecutor(4) as threads:
        for found in threads.map(exported.embed, [crops] * 12):
            np.testing.assert_array_equal(found, expected)


def test_looks_are_the_embeddings_of_single_crops(
    encoder: VideoEncoder, exported: ClipEncoder
) -> None:
    """With the neck: unit vectors of the embedding's length, whatever that of frame vectors."""
    crops = _crops(3)
    expected = embed_clips(encoder, [crop[None] for crop in crops])
    np.testing.assert_allclose(exported.embed(crops), expected, atol=1e-4)
    assert exported.looks(exported.frames([_clip(0)])[0]).shape == (0, 0)


def test_exported_clips_may_be_padded(encoder: VideoEncoder, exported: ClipEncoder) -> None:
    networks = exported.networks
    frames = np.random.default_rng(0).random((2, 5, 16)).astype(np.float32)
    present = np.array([[True] * 5, [True] * 2 + [False] * 3])
    both = networks.clips(frames, present)
    expected = export.TorchNetworks(encoder, CPU).clips(frames, present)
    np.testing.assert_allclose(both, expected, atol=1e-5)
    alone = networks.clips(frames[1:, :2], present[1:, :2])
    np.testing.assert_allclose(both[1:], alone, atol=1e-5)


@pytest.mark.parametrize("head", ["self_attention", "agw", "drsa"])
def test_clip_networks_of_other_heads_agree_with_torch(head: HeadName) -> None:
    encoder = small_encoder(head)
    network = export.ClipNetwork(encoder)
    frames = torch.rand(2, 4, encoder.frame_dimension)
    present = torch.tensor([[True] * 4, [True] * 3 + [False]])
    model = export.converted(network, (frames[:, :3], present[:, :3]))
    compiled = export.openvino.Core().compile_model(model, "CPU", export.COMPILE)
    got = compiled([frames.numpy(), present.numpy()])[0]
    with torch.inference_mode():
        np.testing.assert_allclose(got, network(frames, present).numpy(), atol=1e-5)


def test_encoder_is_named_and_hashed(exported: ClipEncoder, weights: Path) -> None:
    identity = exported.identity
    assert (identity.name, identity.dimension) == ("street", 16)
    assert identity.sha256 == weights_hash(weights)


@pytest.fixture
def quick_convert(cache: Path, exported: ClipEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What conversion would give, from the export that there is."""
    (kept,) = cache.iterdir()

    def convert(encoder: VideoEncoder) -> tuple[Any, ...]:
        core = export.openvino.Core()
        return tuple(core.read_model(kept / name) for name in (export.FRAMES, export.CLIPS))

    monkeypatch.setattr(export, "convert", convert)


def test_export_is_made_once(
    exported: ClipEncoder, weights: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept,) = cache.iterdir()
    assert kept.name.startswith(weights_hash(weights)[:16])
    monkeypatch.setattr(export, "convert", None)
    again = export.open_trained(weights, CPU, cache)
    np.testing.assert_array_equal(again.embed(_crops(2)), exported.embed(_crops(2)))


def test_a_cache_that_cannot_be_written_is_done_without(
    exported: ClipEncoder, weights: Path, tmp_path: Path, quick_convert: None
) -> None:
    (tmp_path / "file").touch()
    encoder = export.open_trained(weights, CPU, tmp_path / "file" / "exports")
    np.testing.assert_allclose(encoder.embed(_crops(2)), exported.embed(_crops(2)), atol=1e-5)


def test_a_cache_on_a_full_disk_is_done_without(
    exported: ClipEncoder, weights: Path, tmp_path: Path, quick_convert: None
) -> None:
    """No file may grow beyond 1000 bytes; nothing is left of those that tried."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        encoder = export.open_trained(weights, CPU, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    np.testing.assert_allclose(encoder.embed(_crops(2)), exported.embed(_crops(2)), atol=1e-5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damaged", ["frames.bin", "clips.xml"])
def test_a_damaged_export_is_made_anew(
    exported: ClipEncoder,
    weights: Path,
    cache: Path,
    tmp_path: Path,
    quick_convert: None,
    damaged: str,
) -> None:
    """As a loss of power leaves it: the file is there and empty."""
    (kept,) = cache.iterdir()
    shutil.copytree(kept, tmp_path / kept.name)
    (tmp_path / kept.name / damaged).write_bytes(b"")
    for _ in range(2):
        encoder = export.open_trained(weights, CPU, tmp_path)
        np.testing.assert_allclose(encoder.embed(_crops(2)), exported.embed(_crops(2)), atol=1e-5)
    assert (tmp_path / kept.name / damaged).stat().st_size > 0


def test_nothing_seen_has_no_embedding(exported: ClipEncoder) -> None:
    assert exported.encode(_clip(0)) == NoEmbedding()
    assert exported.encode(NoAppearance()) == NoEmbedding()


def test_a_head_that_needs_whole_clips_is_refused(tmp_path: Path) -> None:
    save_encoder(tmp_path / "cosam.safetensors", small_encoder("cosam"))
    with pytest.raises(WeightsError, match=r"cosam\.safetensors: head cosam needs whole clips"):
        export.open_trained(tmp_path / "cosam.safetensors", CPU, tmp_path)
