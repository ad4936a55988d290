"""`train detector`: from a recipe to weights that ultralytics loads like any other."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands.interrupts import terminated_as_interrupt
from commands.options import Watch, watched
from pipeline.errors import UserError

# torch and the renderer take seconds to import, and no other command needs them.
if TYPE_CHECKING:
    from pipeline.detection.training.loop import Pictures
    from pipeline.detection.training.recipe import DetectorRecipe
    from pipeline.reid.training.deadline import Deadline

SECONDS_A_MINUTE = 60


def detector(
    recipe: Annotated[Path, typer.Argument(help="Recipe (YAML).", metavar="RECIPE.yaml")],
    output: Annotated[Path, typer.Option(help="Folder for weights, checkpoint and curves.")],
    minutes: Annotated[
        float | None,
        typer.Option(help="Stop after about so long; the same call then goes on. Default: never."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder where windows of pictures are kept; default: OUTPUT/data."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:0 ...")] = "auto",
) -> None:
    """Train a detector of people by a recipe, on simulated pictures and frames of videos."""
    from pipeline.detection.training.recipe import load_recipe
    from pipeline.reid.training.deadline import Deadline, OutOfTimeError

    what = load_recipe(recipe)
    _keep_recipe(what, output)
    deadline = Deadline()
    if minutes is not None:
        deadline = Deadline(time.monotonic() + minutes * SECONDS_A_MINUTE)
    try:
        with terminated_as_interrupt(), watched() as watch:
            pictures = _pictures(what, data or output / "data", deadline, watch)
            _train(what, pictures, output, device, deadline, watch)
    except OutOfTimeError:
        print(f"stopped after {minutes:g} minutes; the same call goes on", file=sys.stderr)


def _pictures(
    recipe: "DetectorRecipe", data: Path, deadline: "Deadline", watch: Watch
) -> "Pictures":
    """What to learn from and to look at; made where not at hand."""
    from commands.training_images import Windows
    from pipeline.detection.training.loop import Pictures
    from pipeline.reid.training.deadline import OutOfTimeError

    def there(folder: Path | None) -> Path:
        if folder is None:
            raise OutOfTimeError
        return folder

    with Windows(
        data,
        recipe.size_px,
        recipe.seed,
        lambda: deadline.is_over,
        lambda done, total: watch("parts of the pictures made", done, total),
    ) as windows:
        seen = [there(windows.simulated(recipe.validation)) / "train"]
        learnt = [there(windows.simulated(recipe.train))]
        if recipe.real is not None:
            learnt.append(there(windows.real(recipe.real)))
            seen.append(learnt[-1] / "val")
            if recipe.real.pasted:
                learnt.append(there(windows.pasted(recipe.real.pasted, *learnt)))
        if recipe.cluttered:
            learnt.append(there(windows.cluttered(recipe.cluttered, learnt)))
        return Pictures(tuple(kind / "train" for kind in learnt), tuple(seen))


def _train(
    recipe: "DetectorRecipe",
    pictures: "Pictures",
    output: Path,
    device: str,
    deadline: "Deadline",
    watch: Watch,
) -> None:
    from pipeline.detection.training.loop import epochs_done, train
    from pipeline.detection.training.weights import write_weights
    from pipeline.reid.training.deadline import OutOfTimeError
    from pipeline.reid.training.devices import find_device

    is_done = train(
        recipe, pictures, output, str(find_device(device)), lambda: deadline.is_over, watch
    )
    path = output / f"{recipe.name}.pt"
    write_weights(recipe, output, path)
    print(f"{path} after {epochs_done(output)} of {recipe.epochs} epochs")
    if not is_done:
        raise OutOfTimeError


def _keep_recipe(recipe: "DetectorRecipe", output: Path) -> None:
    """Put the recipe beside what comes out; a folder belongs to one."""
    output.mkdir(parents=True, exist_ok=True)
    path, text = output / "recipe.json", recipe.model_dump_json(indent=1) + "\n"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise UserError(f"--output: {output}: holds the training of another recipe")
    path.write_text(text, encoding="utf-8")
