"""A recipe: everything a metric's training follows from, in a YAML file checked strictly."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from pipeline.association.metric.training.localities import Locality, Sampling
from pipeline.config import CameraId, Positive, Settings, explain, read_yaml
from pipeline.errors import SettingsError

Count = Annotated[int, Field(ge=1)]


class Source(Settings):
    """A run to learn from. Who is who says the ground truth, or else the run itself where sure."""

    database: str = Field(description="SQLAlchemy URL of the store.")
    run: Count | Literal["latest"] = Field("latest", description="Which of its runs.")
    ground_truth: Path | None = Field(
        None, description="Folder of CAMERA.txt, MOTChallenge columns; default: no labels."
    )
    overlapping: tuple[tuple[CameraId, CameraId], ...] | None = Field(
        None,
        description="Without ground truth: pairs of cameras whose views overlap; people seen at one"
        " time by two others are two. Default: views of all may overlap.",
    )


class Window(Settings):
    """Which pairs a network is for."""

    window_s: Positive = Field(description="Most seconds between two tracklets.")


class MetricRecipe(Settings):
    """A recipe file."""

    name: Annotated[str, Field(min_length=1)] = Field(description="Name of the metric.")
    seed: Annotated[int, Field(ge=0)] = Field(0, description="Everything random follows from it.")
    train: Annotated[tuple[Source, ...], Field(min_length=1)] = Field(
        description="Runs to learn from; all embedded by one encoder."
    )
    test: tuple[Source, ...] = Field((), description="Further runs to be scored on alone.")
    intra: Window = Field(Window(window_s=60), description="For two tracklets of one camera.")
    inter: Window = Field(Window(window_s=300), description="For those of different cameras.")
    sampling: Sampling = Field(
        "sliding", description="Pairs within the window of each other, or in one of fixed bins."
    )
    sure_log_odds: Positive = Field(
        6.0, description="Without ground truth: links at least so sure count as one person."
    )
    hidden: Count = Field(128, description="Units in each of the three hidden layers.")
    iterations: Annotated[int, Field(ge=8)] = Field(
        400, description="Batches at most; held-out people say when to stop."
    )
    learning_rate: Positive = Field(0.003, description="The highest.")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.05, description="Of matrices.")

    @property
    def localities(self) -> tuple[Locality, Locality, Locality]:
        """What the three networks learn from: intra, inter, and all pairs as the control."""
        return (
            Locality("intra", self.intra.window_s),
            Locality("inter", self.inter.window_s),
            Locality("global", float("inf")),
        )


def load_recipe(path: Path) -> MetricRecipe:
    """The recipe of a file, paths in it made absolute, seen from the file's folder.

    Raises:
        SettingsError: The file cannot be read, is not YAML, or holds a wrong key or value.
    """
    try:
        recipe = MetricRecipe.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"{path}: {explain(error.errors()[0])}") from None

    def resolved(source: Source) -> Source:
        if source.ground_truth is None:
            return source
        return source.model_copy(
            update={"ground_truth": (path.parent / source.ground_truth).resolve()}
        )

    return recipe.model_copy(
        update={
            "train": tuple(map(resolved, recipe.train)),
            "test": tuple(map(resolved, recipe.test)),
        }
    )
