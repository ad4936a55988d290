"""The detector that comes out of a training: one file, without optimiser and without places."""

from pathlib import Path
from typing import Any, Final

import torch

import pipeline.offline  # noqa: F401 (before ultralytics)
from pipeline.detection.training.loop import CHECKPOINT
from pipeline.detection.training.recipe import DetectorRecipe

# isort: split
from ultralytics import __version__
from ultralytics.nn.tasks import load_checkpoint

LICENCE: Final = "AGPL-3.0"
FORGOTTEN: Final = ("criterion", "pt_path")


def write_weights(recipe: DetectorRecipe, folder: Path, path: Path) -> None:
    """Write the averaged weights of the training in a folder as a file that ultralytics loads.

    Half precision. Of the settings only what using it needs: no path, no name of a machine.
    """
    _, checkpoint = load_checkpoint(folder / CHECKPOINT)
    model: Any = checkpoint["ema"].half().eval()
    for name in FORGOTTEN:
        if hasattr(model, name):
            delattr(model, name)
    settings = {"task": "detect", "imgsz": recipe.size_px, "single_cls": False}
    model.args = settings
    model.yaml = {**model.yaml, "yaml_file": recipe.architecture}
    for parameter in model.parameters():
        parameter.requires_grad = False
    partly = path.with_name(f"partial-{path.name}")
    torch.save(
        {
            "epoch": -1,
            "model": model,
            "train_args": settings,
            "recipe": recipe.name,
            "epochs": int(checkpoint["epoch"]) + 1,
            "version": __version__,
            "license": LICENCE,
        },
        partly,
    )
    partly.replace(path)
