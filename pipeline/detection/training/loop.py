"""Training by ultralytics' own loop, which stops between two epochs and goes on by the same call.

Everything random in an epoch follows from the recipe's seed and the number of the epoch.
"""

import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch

import pipeline.offline  # noqa: F401 (before ultralytics)
from pipeline.detection.training.recipe import DetectorRecipe
from pipeline.errors import WeightsError

# isort: split
from ultralytics.data.build import InfiniteDataLoader
from ultralytics.engine.trainer import init_seeds
from ultralytics.models.yolo.detect import DetectionTrainer
from ultralytics.nn.tasks import load_checkpoint
from ultralytics.utils.torch_utils import one_cycle

CHECKPOINT: Final = "training.pt"
"""Weights and optimiser after the last whole epoch; read with pickle: only one's own."""
CURVES: Final = "results.csv"
VALIDATED_EVERY: Final = 4
"""Epochs; and the last one is."""
AVERAGE_WARM_UP: Final = 200
"""Steps in which the average begins to remember."""

Watch = Callable[[str, int, int], None]
"""Told what is done, how far it is, and how far it goes."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """Folders under which `images` and `labels` lie."""

    train: tuple[Path, ...]
    validation: tuple[Path, ...]


def train(
    recipe: DetectorRecipe,
    pictures: Pictures,
    folder: Path,
    device: str,
    is_over: Callable[[], bool],
    watch: Watch,
) -> bool:
    """Train until the last epoch or until time is over; whether all epochs are done.

    Args:
        recipe: What to do.
        pictures: Windows to learn from, and to see how far it is.
        folder: For the checkpoint and the curves.
        device: cpu, cuda, cuda:0 ...
        is_over: Whether to stop: asked after each epoch.
        watch: Told after each batch.
    """
    checkpoint = folder / CHECKPOINT
    if epochs_done(folder) >= recipe.epochs:
        return True
    start = {"resume": str(checkpoint)} if checkpoint.exists() else _beginning(recipe)
    settings = {**_settings(recipe), **start, "save_dir": str(folder), "device": device}
    _PersonTraining(recipe, pictures, settings, is_over, watch).train()
    return epochs_done(folder) >= recipe.epochs


def epochs_done(folder: Path) -> int:
    """How many epochs the training in a folder has behind it."""
    path = folder / CHECKPOINT
    return int(load_checkpoint(path)[1]["epoch"]) + 1 if path.exists() else 0


def _beginning(recipe: DetectorRecipe) -> dict[str, Any]:
    """Random weights, or those of an earlier training.

    Raises:
        WeightsError: There is no such file.
    """
    if recipe.start is not None and not recipe.start.is_file():
        raise WeightsError(f"start: {recipe.start}: no such file")
    return {"model": recipe.architecture, "pretrained": str(recipe.start or "") or False}


def _settings(recipe: DetectorRecipe) -> dict[str, Any]:
    """The recipe in ultralytics' words."""
    return {
        "task": "detect",
        "imgsz": recipe.size_px,
        "epochs": recipe.epochs,
        "batch": recipe.batch,
        "nbs": recipe.batch,  # every batch is a step
        "optimizer": "AdamW",
        "lr0": recipe.learning_rate,
        "lrf": recipe.final_rate,
        "momentum": 0.9,
        "warmup_epochs": recipe.warm_up,
        "warmup_bias_lr": 0.0,
        "seed": recipe.seed,
        "amp": False,  # its check downloads a model
        "plots": False,
        "patience": recipe.epochs,
        "close_mosaic": 0,
        **recipe.augmentation.model_dump(),
    }


# ultralytics adds callbacks that report to other services to classes with "Trainer" in their name.
class _PersonTraining(DetectionTrainer):  # type: ignore[misc]
    """ultralytics' loop with epochs of a chosen length, cycles of the learning rate, and an end."""

    def __init__(
        self,
        recipe: DetectorRecipe,
        pictures: Pictures,
        settings: dict[str, Any],
        is_over: Callable[[], bool],
        watch: Watch,
    ) -> None:
        self._recipe, self._pictures = recipe, pictures
        self._is_over, self._watch = is_over, watch
        self._batches = 0
        super().__init__(overrides=settings)
        self.add_callback("on_pretrain_routine_end", lambda _: self._set_average())
        self.add_callback("on_train_epoch_start", lambda _: self._begin_epoch())
        self.add_callback("on_train_batch_end", lambda _: self._tell())
        self.add_callback("on_fit_epoch_end", lambda _: self._look_at_the_clock())

    def get_dataset(self) -> dict[str, Any]:
        """Where the windows are; ultralytics' own would look for a font on the network."""
        return {
            "train": [str(path.absolute()) for path in self._pictures.train],
            "val": [str(path.absolute()) for path in self._pictures.validation],
            "names": {0: "person"},
            "nc": 1,
            "channels": 3,
        }

    def setup_model(self) -> Any:
        """The network, with channels last in memory: on a CPU a step takes a quarter less."""
        checkpoint = super().setup_model()
        self.model.to(memory_format=torch.channels_last)  # in place
        return checkpoint

    def get_dataloader(
        self, dataset_path: str, batch_size: int = 16, rank: int = 0, mode: str = "train"
    ) -> Any:
        """As ultralytics has it, but that an epoch is a part of the pictures, drawn anew."""
        loader = super().get_dataloader(dataset_path, batch_size, rank, mode)
        if mode != "train":
            return loader
        count = min(self._recipe.epoch_windows, len(loader.dataset))
        return InfiniteDataLoader(
            dataset=loader.dataset,
            batch_size=loader.batch_size,
            sampler=torch.utils.data.RandomSampler(loader.dataset, num_samples=count),
            num_workers=loader.num_workers,
            collate_fn=loader.collate_fn,
            worker_init_fn=loader.worker_init_fn,
            pin_memory=loader.pin_memory,
        )

    def _setup_scheduler(self) -> None:
        """The learning rate falls once in each cycle."""
        cycle = math.ceil(self.epochs / self._recipe.cycles)
        falling = one_cycle(1, self.args.lrf, cycle)
        self.lf = lambda epoch: falling(epoch % cycle)
        self.scheduler = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lr_lambda=self.lf)

    def save_model(self) -> bool:
        """Save the state; a copy comes into its place at once, whole."""
        saved = bool(super().save_model())
        folder = Path(self.save_dir)
        shutil.copyfile(self.last, folder / f"partial-{CHECKPOINT}")
        (folder / f"partial-{CHECKPOINT}").replace(folder / CHECKPOINT)
        return saved

    def final_eval(self) -> None:
        """Nothing: ultralytics would take the optimiser out of the checkpoint."""

    def _set_average(self) -> None:
        remembered = self._recipe.averaging
        self.ema.decay = lambda step: remembered * (1 - math.exp(-step / AVERAGE_WARM_UP))

    def _begin_epoch(self) -> None:
        init_seeds(self._recipe.seed * 100_003 + self.epoch, deterministic=self.args.deterministic)
        # Deterministic mode would fill each new tensor before it is written: a fifth of the time.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        self.args.val = (self.epoch + 1) % VALIDATED_EVERY == 0
        self._batches = 0

    def _tell(self) -> None:
        self._batches += 1
        words = f"epoch {self.epoch + 1} of {self.epochs}"
        self._watch(words, self._batches, len(self.train_loader))

    def _look_at_the_clock(self) -> None:
        if self._is_over():
            self.stop = True
