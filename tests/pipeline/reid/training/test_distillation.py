"""Following a teacher: several views together, three ways to agree with it."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import pipeline.reid.training.teacher as teacher_module
from pipeline.errors import SettingsError, WeightsError
from pipeline.reid.datasets.sources import ClipsInMemory
from pipeline.reid.training.batches import Batch
from pipeline.reid.training.curves import CURVES, read_curves
from pipeline.reid.training.deadline import Deadline, OutOfTimeError
from pipeline.reid.training.distillation import (
    Distillation,
    NoTeacher,
    distance_loss,
    logit_loss,
    several_views,
)
from pipeline.reid.training.loop import train_frames
from pipeline.reid.training.recipe import Recipe
from pipeline.reid.training.teacher import CLASSIFIER, EMBEDDINGS, make_teacher
from pipeline.reid.video_encoder import VideoEncoder
from pipeline.reid.weights import save_encoder

LONG = (Deadline(), lambda *_: None)


class AfterOne(Deadline):
    """Over when it is looked at for the second time."""

    looks = 0

    @property
    def is_over(self) -> bool:
        AfterOne.looks += 1
        return AfterOne.looks > 1


@pytest.mark.parametrize("views", [1, 2, 3, 9])
def test_a_view_is_a_clip_and_the_next_of_its_person(views: int) -> None:
    seen = torch.randn(7, 4, generator=torch.manual_seed(0))
    identities = torch.tensor([0, 1, 0, 0, 1, 2, 0])
    result = several_views(seen, identities, views)
    for clip in range(7):
        own = [i % 7 for i in range(clip, clip + 7) if identities[i % 7] == identities[clip]]
        mean = seen[own[:views]].mean(dim=0)
        torch.testing.assert_close(result[clip], mean / mean.norm())


def test_distances_are_compared_up_to_their_scale() -> None:
    teacher = torch.randn(6, 4, generator=torch.manual_seed(0))
    turned = torch.linalg.qr(torch.randn(4, 4)).Q
    assert distance_loss(teacher @ turned * 7, teacher).item() == pytest.approx(0, abs=1e-6)
    line = torch.tensor([[0.0], [1.0], [2.0]])  # distances 1, 2, 1 over 4/3
    even = torch.eye(3)  # all alike: 1, 1, 1
    expected = (0.25**2 + 0.5**2 + 0.25**2) / 3
    assert distance_loss(line, even).item() == pytest.approx(expected)


def test_soft_classes_are_compared_at_a_temperature() -> None:
    logits = torch.tensor([[0.0, 10 * math.log(3)]])  # 1/4, 3/4 at temperature 10
    assert logit_loss(logits, logits).item() == pytest.approx(0, abs=1e-4)
    kl = 0.5 * math.log(0.5 / 0.25) + 0.5 * math.log(0.5 / 0.75)
    assert logit_loss(logits, torch.zeros(1, 2)).item() == pytest.approx(100 * kl, rel=1e-4)


def test_the_teacher_is_asked_for_the_frames_of_the_batch(
    tiny_recipe: Callable[..., Recipe],
) -> None:
    teacher = tiny_recipe(teacher={"weights": "t"}).teacher
    assert teacher is not None
    rows = np.arange(12, dtype=np.float32).reshape(6, 2)  # clips of 2, 1 and 3 frames
    follow = Distillation(teacher, rows, np.array([0, 2, 3]), torch.zeros(0, 2), dimension=4)
    batch = Batch(np.array([2, 0]), np.array([[0, 2], [1, 1]]), torch.zeros(0))
    assert follow.seen(batch).tolist() == [[8, 9], [2, 3]]


def test_a_student_follows_a_model_file(
    tiny_recipe: Callable[..., Recipe],
    learnt_from: ClipsInMemory,
    toy_encoder: Path,
    tmp_path: Path,
) -> None:
    """By its teacher alone: distances and embeddings come nearer to the teacher's."""
    nothing = {"identity": 0, "frame_identity": 0, "weighted_triplet": 0}
    recipe = tiny_recipe(
        encoder={"head": "mean"},
        frames={"iterations": 40, "people": 8, "losses": nothing, "learning_rate": 0.005},
        augmentation={"flip": 0, "colour": 0, "erase": 0, "blur": 0, "resample": 0, "jpeg": 0},
        teacher={
            "weights": str(toy_encoder),
            "input": "bgr-255",
            "losses": {"distances": 1, "regression": 1},
        },
    )
    torch.manual_seed(0)
    teacher = make_teacher(recipe, learnt_from, tmp_path, *LONG)
    assert np.load(tmp_path / EMBEDDINGS).shape == (24 * 4 * 4, 6)
    encoder = VideoEncoder(recipe.encoder)
    train_frames(recipe, encoder, learnt_from, teacher, tmp_path, *LONG)
    curve = read_curves(tmp_path / CURVES)
    for name in ("teacher_distances", "teacher_regression"):
        assert curve[-1][name] < 0.8 * curve[0][name]


def test_our_own_encoder_teaches_with_its_classifier(
    tiny_recipe: Callable[..., Recipe], learnt_from: ClipsInMemory, tmp_path: Path
) -> None:
    weights = tmp_path / "big" / "encoder.safetensors"
    recipe = tiny_recipe(teacher={"weights": str(weights), "losses": {"logits": 1}})
    save_encoder(weights, VideoEncoder(recipe.encoder))
    with pytest.raises(WeightsError, match="expected the classifier of the teacher"):
        make_teacher(recipe, learnt_from, tmp_path, *LONG)
    rows = {"classifier": torch.randn(23, 32)}
    save_file(rows, weights.with_name(CLASSIFIER))
    with pytest.raises(SettingsError, match="expected a teacher of the same 24 people, got one of"):
        make_teacher(recipe, learnt_from, tmp_path, *LONG)
    save_file({"classifier": torch.randn(24, 32)}, weights.with_name(CLASSIFIER))
    teacher = make_teacher(recipe, learnt_from, tmp_path, *LONG)
    encoder = VideoEncoder(recipe.encoder)
    train_frames(recipe, encoder, learnt_from, teacher, tmp_path, *LONG)
    assert "teacher_logits" in read_curves(tmp_path / CURVES)[-1]


def test_several_teachers_see_together_and_go_on_where_they_were_cut(
    tiny_recipe: Callable[..., Recipe],
    learnt_from: ClipsInMemory,
    toy_encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = tmp_path / "encoder.safetensors"
    save_encoder(own, VideoEncoder(tiny_recipe().encoder))
    weights = [str(toy_encoder), str(own)]
    recipe = tiny_recipe(teacher={"weights": weights, "input": "bgr-255"})
    monkeypatch.setattr(teacher_module, "CLIPS_A_PART", 40)
    with pytest.raises(OutOfTimeError):
        make_teacher(recipe, learnt_from, tmp_path, AfterOne(), lambda *_: None)
    parts = list((tmp_path / "teacher").glob("*.npy"))
    assert len(parts) == 1
    written = parts[0].stat().st_mtime_ns
    with pytest.raises(OutOfTimeError):
        make_teacher(recipe, learnt_from, tmp_path, Deadline(0), lambda *_: None)
    assert parts[0].stat().st_mtime_ns == written
    make_teacher(recipe, learnt_from, tmp_path, *LONG)
    assert not (tmp_path / "teacher").exists()
    both = np.load(tmp_path / EMBEDDINGS)
    assert both.shape == (24 * 4 * 4, 6 + 32)
    assert np.linalg.norm(both, axis=1) == pytest.approx(1, abs=1e-5)
    alone = tiny_recipe(teacher={"weights": weights[0], "input": "bgr-255"})
    make_teacher(alone, learnt_from, tmp_path / "alone", *LONG)
    first = np.load(tmp_path / "alone" / EMBEDDINGS)
    assert both[:, :6] * np.sqrt(2) == pytest.approx(first, abs=1e-5)


def test_logits_are_followed_of_one_teacher_only(
    tiny_recipe: Callable[..., Recipe],
    learnt_from: ClipsInMemory,
    toy_encoder: Path,
    tmp_path: Path,
) -> None:
    weights = [str(toy_encoder), str(toy_encoder)]
    recipe = tiny_recipe(teacher={"weights": weights, "input": "bgr-255", "losses": {"logits": 1}})
    with pytest.raises(SettingsError, match="expected one teacher, got 2"):
        make_teacher(recipe, learnt_from, tmp_path, *LONG)


def test_without_a_teacher_nothing_is_followed(
    tiny_recipe: Callable[..., Recipe], learnt_from: ClipsInMemory, tmp_path: Path
) -> None:
    teacher = make_teacher(tiny_recipe(), learnt_from, tmp_path, *LONG)
    assert isinstance(teacher, NoTeacher)
    assert teacher() == {}
