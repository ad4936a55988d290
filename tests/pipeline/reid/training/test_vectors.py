"""Frame vectors of corrupted clips, and what heads make of them."""

import numpy as np
import pytest
import torch

from pipeline.evaluation.retrieval.scores import evaluate_embeddings
from pipeline.reid.corruption import Kind
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.sources import ClipsInMemory
from pipeline.reid.settings import EncoderSettings, HeadName
from pipeline.reid.training.heads import HeadModel, HeadTraining, assembled, padded, train_head
from pipeline.reid.training.recipe import HeadStage
from pipeline.reid.training.table import single_frame
from pipeline.reid.training.vectors import (
    ClipVectors,
    OtherPeople,
    clip_vectors,
    condition_pictures,
    of_condition,
)
from pipeline.reid.video_encoder import VideoEncoder, normalised
from pipeline.types import FloatArray

SETTINGS = EncoderSettings(
    backbone="mobilenetv4_conv_small_050", dimension=16, height_px=64, width_px=32
)


@pytest.fixture(scope="module")
def encoder() -> VideoEncoder:
    torch.manual_seed(0)
    return VideoEncoder(SETTINGS).eval()


@pytest.fixture(scope="module")
def few() -> ClipsInMemory:
    """Clips of 1 to 3 frames."""
    rng = np.random.default_rng(0)
    clips = [rng.integers(256, size=(1 + i % 3, 64, 32, 3)).astype(np.uint8) for i in range(6)]
    return ClipsInMemory(clips, np.array([0, 0, 1, 1, 2, 2]), np.array([0, 1, 0, 1, 0, 1]))


@torch.inference_mode()
def _vectors(encoder: VideoEncoder, pictures: np.ndarray) -> FloatArray:
    rows = encoder.frame_vectors(normalised(torch.from_numpy(pictures), SETTINGS.size))
    return rows.numpy()


@pytest.mark.parametrize("kind", ["clean", "occluded", "wrong_frames", "id_switch"])
def test_vectors_of_a_condition_are_those_of_its_pictures(
    encoder: VideoEncoder, few: ClipsInMemory, kind: Kind
) -> None:
    clean = clip_vectors(encoder, few, 3, ("clean",), 5)
    if kind in ("wrong_frames", "id_switch"):
        vectors = of_condition(clean, kind, 5)
    else:
        vectors = clip_vectors(encoder, few, 3, (kind,), 5)
    assert vectors.present.sum(axis=1).tolist() == few.lengths.tolist()
    for clip, pictures in enumerate(condition_pictures(few, 3, kind, 5)):
        expected = _vectors(encoder, pictures)
        np.testing.assert_allclose(vectors.vectors[clip, : len(pictures)], expected, atol=1e-5)
        assert not vectors.vectors[clip, len(pictures) :].any()


def test_a_clip_is_confused_with_others_before_its_camera() -> None:
    people = OtherPeople(np.array([0, 1, 2, 0, 1]), np.array([0, 0, 0, 1, 2]))
    rng = np.random.default_rng(0)
    assert set(people.draw(0, rng).tolist()) == {1, 2}
    assert set(people.draw(3, rng).tolist()) <= {1, 2, 4}  # nobody else is before camera 1


def test_a_single_frame_is_one_that_is_there() -> None:
    vectors = np.arange(2 * 3 * 1, dtype=np.float32).reshape(2, 3, 1)
    present = np.array([[True, True, False], [True, False, False]])
    clips = ClipVectors(vectors, present, np.arange(2), np.arange(2))
    seen = np.array(
        [single_frame(clips, np.random.default_rng(seed)).vectors.ravel() for seed in range(30)]
    )
    assert [set(column) for column in seen.T.tolist()] == [{0.0, 1.0}, {3.0}]


def test_padding_keeps_the_order() -> None:
    rows, present = padded([np.ones((2, 1), np.float32), np.full((3, 1), 2, np.float32)])
    assert rows[..., 0].tolist() == [[1, 1, 0], [2, 2, 2]]
    assert present.tolist() == [[True, True, False], [True, True, True]]


@pytest.mark.parametrize("name", ["mean", "lstm_attention", "self_attention", "rfa_lstm"])
def test_the_map_that_was_learnt_is_folded_into_the_encoder(
    encoder: VideoEncoder, few: ClipsInMemory, name: HeadName
) -> None:
    torch.manual_seed(1)
    model = HeadModel(encoder, name).eval()
    for weights in model.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    whole = assembled(encoder, name, model)
    clean = clip_vectors(encoder, few, 3, ("clean",), 0)
    pictures = few.read(2, np.arange(3))  # three frames
    crops = normalised(torch.from_numpy(pictures), SETTINGS.size)[None]
    with torch.inference_mode():
        embedding = whole.embed(crops, torch.ones(1, 3, dtype=torch.bool))[0].numpy()
    np.testing.assert_allclose(embedding, model.embed(clean)[2], atol=1e-5)
    assert whole.settings.head == name


def _people(seed: int, people: int, noise: float = 0.7) -> ClipVectors:
    """Vectors around a centre for each person; each of two cameras has two clips of it."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(people, 16)), 4, axis=0)
    vectors = (centres[:, None] + rng.normal(0, noise, (4 * people, 6, 16))).astype(np.float32)
    identities = np.repeat(np.arange(people), 4)
    cameras = np.tile([0, 0, 1, 1], people)
    return ClipVectors(vectors, np.ones((4 * people, 6), np.bool_), identities, cameras)


def _map(model: HeadModel, clips: ClipVectors) -> float:
    embeddings = model.embed(clips)
    return evaluate_embeddings(
        embeddings,
        embeddings,
        clips.identities,
        clips.cameras,
        clips.identities,
        clips.cameras,
        Protocol("p", queries_in_gallery=True),
    ).map


@pytest.mark.parametrize(("name", "leaves"), [("lstm_attention", True), ("self_attention", False)])
def test_a_head_that_weighs_frames_leaves_the_map_to_the_mean(
    encoder: VideoEncoder, name: HeadName, leaves: bool
) -> None:
    stage = HeadStage(iterations=5, people=8, clips=4, learning_rate=1e-3)
    training = HeadTraining(_people(1, 40), ())
    mean = train_head(encoder, "mean", training, stage, seed=0)
    model = train_head(encoder, name, training, stage, seed=0, start=mean)
    for part in ("linear", "neck"):
        learnt, begun = getattr(model, part).state_dict(), getattr(mean, part).state_dict()
        is_same = [torch.equal(learnt[key], begun[key]) for key in begun]
        assert all(is_same) if leaves else not all(is_same)


def test_what_a_head_learns_holds_wrong_frames_off(encoder: VideoEncoder) -> None:
    stage = HeadStage(iterations=40, people=8, clips=4, learning_rate=1e-3)
    training = HeadTraining(_people(1, 40), ())
    clean = _people(2, 40, noise=0.9)
    wrong = of_condition(clean, "wrong_frames", 0)
    of_mean, of_lstm, again = (
        train_head(encoder, name, training, stage, seed=0)
        for name in ("mean", "lstm_attention", "lstm_attention")
    )
    for first, second in zip(of_lstm.parameters(), again.parameters(), strict=True):
        assert torch.equal(first, second)
    assert 1 - _map(of_lstm, wrong) < 0.5 * (1 - _map(of_mean, wrong))
    # Where nothing is wrong: hardly below the mean, and several frames are better than one.
    assert _map(of_lstm, clean) >= _map(of_mean, clean) - 0.005
    one = single_frame(clean, np.random.default_rng(0))
    assert _map(of_lstm, clean) > _map(of_lstm, one) + 0.1
    # Of a right and a wrong frame of any clips, which one counts more.
    is_wrong = (wrong.vectors != clean.vectors).any(axis=2)
    with torch.inference_mode():
        encoded = of_lstm(torch.from_numpy(wrong.vectors), torch.from_numpy(wrong.present))
    weights = encoded.weights.numpy()
    assert np.mean(weights[~is_wrong][:, None] > weights[is_wrong]) > 0.8
