"""The first stage: a backbone learns from clips of pixels, in one flat loop.

Everything random follows from the recipe's seed and the number of the iteration, so that a
training that was cut and goes on gives, on a CPU, the weights that it would have given.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from timm.utils.model_ema import ModelEmaV3
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.reid.datasets.records import ClipSource
from pipeline.reid.datasets.sources import class_labels
from pipeline.reid.samplers import IdentitySampler
from pipeline.reid.training.batches import ClipReader, LookAlikes, batches
from pipeline.reid.training.checkpoint import Progress, restore_checkpoint, save_checkpoint
from pipeline.reid.training.curves import CURVES, write_curves
from pipeline.reid.training.deadline import Deadline, OutOfTimeError, Watch
from pipeline.reid.training.distillation import Distillation, NoTeacher
from pipeline.reid.training.objective import Objective
from pipeline.reid.training.optimising import make_optimiser, rate, set_rate
from pipeline.reid.training.recipe import Recipe
from pipeline.reid.video_encoder import VideoEncoder, normalised

CHECKPOINT: Final = "frames.checkpoint"
SEEDS_APART: Final = 10**8
"""More than there are iterations."""
CURVE_EVERY: Final = 10
"""Iterations between rows of the curves."""


def train_frames(
    recipe: Recipe,
    encoder: VideoEncoder,
    source: ClipSource,
    teacher: Distillation | NoTeacher,
    folder: Path,
    deadline: Deadline,
    watch: Watch,
) -> tuple[VideoEncoder, nn.Linear]:
    """The encoder with averaged weights, and the classifier that it learnt with.

    Args:
        recipe: What to do.
        encoder: What learns, on the device where it is to.
        source: Clips of known people.
        teacher: What else to follow.
        folder: For the checkpoint and the curves.
        deadline: When to stop.
        watch: Told after each iteration.

    Raises:
        OutOfTimeError: The deadline came first.
        UserError: The loss is no number any more.
    """
    stage = recipe.frames
    device = next(encoder.parameters()).device
    labels = torch.from_numpy(class_labels(source.identities)).to(device)
    encoder = encoder.to(memory_format=torch.channels_last)
    objective = Objective(
        stage.losses, recipe.encoder.dimension, encoder.frame_dimension, int(labels.max()) + 1
    ).to(device)
    optimiser = make_optimiser((encoder, objective, teacher), stage)
    average = ModelEmaV3(encoder, decay=stage.averaging, use_warmup=True)
    alike = LookAlikes(objective.identity.classifier).to(device)
    parts = {
        "encoder": encoder,
        "objective": objective,
        "teacher": teacher,
        "optimiser": optimiser,
        "average": average,
        "alike": alike,
    }
    progress = restore_checkpoint(folder / CHECKPOINT, parts)
    sampler = IdentitySampler(
        source.identities,
        source.cameras,
        stage.people,
        stage.clips,
        recipe.seed,
        across_cameras=stage.sampler != "identities",
    )
    read = ClipReader(source, stage.frames, recipe.augmentation, stage.corrupted, recipe.seed)
    curve = progress.curve
    encoder.train()
    objective.train()
    for number, batch in batches(stage, sampler, read, alike, progress.iteration):
        torch.manual_seed(recipe.seed * SEEDS_APART + number)
        set_rate(optimiser, rate(stage, number))
        crops = batch.crops.to(device, non_blocking=True)
        identities = labels[torch.from_numpy(batch.clips).to(device)]
        present = torch.ones(crops.shape[:2], dtype=torch.bool, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            pixels = normalised(crops.flatten(0, 1), recipe.encoder.size)
            encoded = encoder(pixels.reshape(*present.shape, *pixels.shape[1:]), present)
        losses = objective(encoded, present, identities)
        losses |= teacher(encoded, objective.identity.classifier, batch, identities)
        loss = torch.stack(list(losses.values())).sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(
            [w for group in optimiser.param_groups for w in group["params"]], stage.clip_gradient
        )
        optimiser.step()
        average.update(encoder, number)
        done = number + 1
        if done % CURVE_EVERY == 0 or done == stage.iterations:
            curve.append(_row(done, loss, losses, rate(stage, number)))
        is_cut = deadline.is_over and done < stage.iterations
        if done % stage.checkpoint_every == 0 or done == stage.iterations or is_cut:
            save_checkpoint(folder / CHECKPOINT, parts, Progress(done, curve))
            write_curves(folder / CURVES, curve)
        watch("backbone", done, stage.iterations)
        if is_cut:
            raise OutOfTimeError
    return average.module.eval(), objective.identity.classifier


def _row(
    done: int, loss: Tensor, losses: Mapping[str, Tensor], learning_rate: float
) -> dict[str, float]:
    """What the curves say of an iteration."""
    row = {"iteration": float(done), "learning_rate": learning_rate, "loss": loss.item()}
    if not math.isfinite(row["loss"]):
        raise UserError(
            f"frames.learning_rate: the loss at iteration {done} is {row['loss']}; try a lower rate"
        )
    return row | {name: value.item() for name, value in losses.items()}
