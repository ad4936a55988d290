"""The first stage: it learns, and where it is cut does not matter."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError, WeightsError
from pipeline.evaluation.retrieval.scores import evaluate_embeddings
from pipeline.reid.datasets.records import ClipSource
from pipeline.reid.datasets.sources import ClipsInMemory
from pipeline.reid.training.curves import CURVES, draw_curves, read_curves, smoothed
from pipeline.reid.training.deadline import Deadline, OutOfTimeError
from pipeline.reid.training.distillation import NoTeacher
from pipeline.reid.training.loop import CHECKPOINT, train_frames
from pipeline.reid.training.optimising import make_optimiser, rate, set_rate
from pipeline.reid.training.recipe import Optimisation, Recipe
from pipeline.reid.training.table import TestSet
from pipeline.reid.video_encoder import VideoEncoder, embed_clips

MakeRecipe = Callable[..., Recipe]


@dataclass
class Watched:
    """Remembers what it was told, and is a deadline that comes after so many iterations."""

    cut_after: int = 10**9
    told: list[tuple[str, int, int]] = field(default_factory=list)

    def __call__(self, words: str, done: int, total: int) -> None:
        self.told.append((words, done, total))

    @property
    def is_over(self) -> bool:
        return len(self.told) + 1 >= self.cut_after


def learn(recipe: Recipe, source: ClipSource, folder: Path, cut_after: int = 10**9) -> VideoEncoder:
    """The averaged encoder; a training that is cut goes on from its checkpoint until it is done."""
    while True:
        torch.manual_seed(recipe.seed)
        encoder = VideoEncoder(recipe.encoder)
        watch = Watched(cut_after)
        try:
            return train_frames(recipe, encoder, source, NoTeacher(), folder, watch, watch)[0]  # type: ignore[arg-type]
        except OutOfTimeError:
            assert watch.told


def mean_average_precision(encoder: VideoEncoder, test: TestSet) -> float:
    source = test.source
    clips = [source.read(clip, np.arange(4)) for clip in range(len(source.identities))]
    vectors = embed_clips(encoder, clips)
    who = source.identities, source.cameras
    return evaluate_embeddings(vectors, vectors, *who, *who, test.protocol).map


def same_weights(first: VideoEncoder, second: VideoEncoder) -> bool:
    ours, theirs = first.state_dict(), second.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("sampler", ["cameras", "hard"])
def test_a_training_that_is_cut_anywhere_gives_the_same(
    tiny_recipe: MakeRecipe, learnt_from: ClipsInMemory, tmp_path: Path, sampler: str
) -> None:
    """Cut after every fifth iteration, checkpoints and sections of four."""
    recipe = tiny_recipe(frames={"sampler": sampler, "corrupted": 0.5, "iterations": 11})
    whole = learn(recipe, learnt_from, tmp_path / "whole")
    pieces = learn(recipe, learnt_from, tmp_path / "pieces", cut_after=5)
    assert same_weights(whole, pieces)
    curves = [(tmp_path / name / CURVES).read_text() for name in ("whole", "pieces")]
    assert curves[0] == curves[1]
    another = learn(recipe.model_copy(update={"seed": 1}), learnt_from, tmp_path / "another")
    assert not same_weights(whole, another)


def test_it_finds_people_that_it_has_not_seen(
    tiny_recipe: MakeRecipe, learnt_from: ClipsInMemory, others: TestSet, tmp_path: Path
) -> None:
    frames = {"iterations": 60, "people": 8, "clips": 3, "warm_up": 5, "learning_rate": 0.005}
    calm = {"colour": 0, "grey": 0, "erase": 0}
    recipe = tiny_recipe(frames=frames, augmentation=calm, encoder={"head": "mean"})
    torch.manual_seed(0)
    untrained = mean_average_precision(VideoEncoder(recipe.encoder), others)
    trained = mean_average_precision(learn(recipe, learnt_from, tmp_path), others)
    assert trained > untrained + 0.15
    curve = read_curves(tmp_path / CURVES)
    assert [row["iteration"] for row in curve] == [10, 20, 30, 40, 50, 60]
    assert set(curve[0]) >= {"loss", "identity", "weighted_triplet", "learning_rate"}
    parts = ("identity", "frame_identity", "weighted_triplet")
    assert curve[-1]["loss"] == pytest.approx(sum(curve[-1][name] for name in parts), rel=1e-4)
    draw_curves(tmp_path / "curves.png", curve, "tiny")
    assert (tmp_path / "curves.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("head", ["drsa", "cosam", "agw"])
def test_heads_of_maps_learn_with_the_backbone(
    tiny_recipe: MakeRecipe, learnt_from: ClipsInMemory, tmp_path: Path, head: str
) -> None:
    recipe = tiny_recipe(encoder={"head": head}, frames={"iterations": 1})
    learn(recipe, learnt_from, tmp_path)
    names = set(read_curves(tmp_path / CURVES)[0])
    assert ("head_penalty" in names) is (head == "drsa")


def test_every_loss_can_be_asked_for(
    tiny_recipe: MakeRecipe, learnt_from: ClipsInMemory, tmp_path: Path
) -> None:
    names = {
        *("identity", "frame_identity", "weighted_triplet", "triplet", "adaptive_triplet"),
        *("quadruplet", "contrastive", "verification", "centre", "oim"),
    }
    losses = {**dict.fromkeys(names, 0.1), "focal": 2}
    recipe = tiny_recipe(
        frames={"losses": losses, "iterations": 2, "sampler": "curriculum", "clips": 3}
    )
    learn(recipe, learnt_from, tmp_path)
    assert names <= set(read_curves(tmp_path / CURVES)[-1])


def test_a_loss_that_is_no_number_ends_the_training(
    tiny_recipe: MakeRecipe, learnt_from: ClipsInMemory, tmp_path: Path
) -> None:
    recipe = tiny_recipe(frames={"learning_rate": 1e30, "iterations": 20})
    with pytest.raises(UserError, match=r"^frames.learning_rate: the loss at iteration 10 is nan"):
        learn(recipe, learnt_from, tmp_path)


def test_a_checkpoint_of_something_else_is_refused(
    tiny_recipe: MakeRecipe, learnt_from: ClipsInMemory, tmp_path: Path
) -> None:
    learn(tiny_recipe(frames={"iterations": 1}), learnt_from, tmp_path)
    other = tiny_recipe(frames={"iterations": 2}, encoder={"dimension": 16})
    with pytest.raises(WeightsError, match="expected a checkpoint of this training"):
        learn(other, learnt_from, tmp_path)
    (tmp_path / CHECKPOINT).write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="expected a checkpoint of this training"):
        learn(other, learnt_from, tmp_path)


def test_the_rate_rises_in_a_line_and_falls_as_a_cosine() -> None:
    settings = Optimisation(iterations=14, warm_up=4, learning_rate=1, final_rate=0.2)
    assert [rate(settings, number) for number in range(4)] == [0.25, 0.5, 0.75, 1]
    assert rate(settings, 4) == 1
    assert rate(settings, 9) == pytest.approx(0.6)  # half-way
    assert rate(settings, 14) == pytest.approx(0.2)


def test_modules_learn_at_multiples_of_the_rate_and_only_matrices_decay() -> None:
    whole = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1, bias=False))
    settings = Optimisation(iterations=1, learning_rate=1, weight_decay=0.5)
    optimiser = make_optimiser((whole[1], whole), settings, (4, 1))
    set_rate(optimiser, 0.1)
    found = {
        weight: (group["lr"], group["weight_decay"])
        for group in optimiser.param_groups
        for weight in group["params"]
    }
    first, bias, second = whole.parameters()
    assert found == {first: (0.1, 0.5), bias: (0.1, 0), second: (0.4, 0.5)}


def test_a_deadline_is_over_when_its_time_has_come() -> None:
    assert not Deadline().is_over
    assert Deadline(at=0).is_over


def test_curves_are_smoothed_by_what_was_before() -> None:
    assert smoothed([1.0, 3.0, 5.0]) == [1, 3, 5]
    values = [float(i) for i in range(100)]
    assert smoothed(values)[:3] == [0, 0.5, 1.5]
