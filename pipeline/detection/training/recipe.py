"""A recipe of a detector: everything a training follows from, in a YAML file, checked strictly."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from pipeline.config import Probability, Settings, explain, read_yaml
from pipeline.errors import SettingsError

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, lt=1)]


class SimulatedImages(Settings):
    """Windows of pictures of random sites; nobody and no place of another seed is among them."""

    seed: Seed = Field(description="Places, cameras and people follow from it.")
    images: Count = Field(description="How many pictures.")
    people: Annotated[int, Field(ge=25)] = Field(600, description="How many different persons.")
    windows_each: Count = Field(2, description="Windows cut from a picture.")
    surroundings: bool = Field(
        True, description="Whether trees and houses lie around; simulated skies are empty else."
    )


class Footage(Settings):
    """A video to learn from."""

    video: Path = Field(description="Where it is.")
    every: Count = Field(description="Which frames are looked at: each so many.")
    windows_each: Count = Field(2, description="Windows cut from a frame.")


class RealFootage(Settings):
    """Windows of videos, labelled by a teacher; the end of each video is for validation."""

    teacher: Path = Field(description="Weights of a detector that ultralytics can load.")
    confidence: Probability = Field(0.3, description="Where the teacher's boxes begin.")
    image_size: Annotated[int, Field(ge=32, multiple_of=32)] = Field(
        960, description="Longer side of a frame as the teacher sees it, pixels."
    )
    held_out: Share = Field(0.15, description="Share of each video, its end, not learnt from.")
    videos: tuple[Footage, ...] = Field(description="Which.", min_length=1)
    pasted: Annotated[int, Field(ge=0)] = Field(
        0, description="Windows of simulated places into which people cut from videos are put."
    )


class Augmentation(Settings):
    """What ultralytics does to windows as it reads them, in its words."""

    mosaic: Probability = Field(0.5, description="Share of windows put together from four.")
    scale: Share = Field(0.4, description="Enlarged and reduced by up to this share.")
    translate: Share = Field(0.1, description="Shifted by up to this share of the window.")
    hsv_h: Probability = Field(0.02, description="Hue, share of the circle.")
    hsv_s: Probability = Field(0.7, description="Saturation.")
    hsv_v: Probability = Field(0.4, description="Brightness.")


class DetectorRecipe(Settings):
    """A recipe file."""

    name: str = Field(description="Name of the detector that comes out.", min_length=1)
    seed: Seed = Field(0, description="Everything random in the training follows from it.")
    architecture: str = Field(
        description="Of ultralytics, by its name: yolo11n.yaml ...",
        pattern=r"^[a-z0-9-]+\.yaml$",
    )
    size_px: Annotated[int, Field(ge=64, multiple_of=32)] = Field(
        320,
        description="Side of a window; the network is used at any size, people keep their pixels.",
    )
    train: SimulatedImages = Field(description="Simulated pictures to learn from.")
    validation: SimulatedImages = Field(description="Others, to see how far it is.")
    real: RealFootage | None = Field(None, description="Videos; default: none.")
    cluttered: Annotated[int, Field(ge=0)] = Field(
        0, description="Windows of all kinds into which pieces of backgrounds are put."
    )
    start: Path | None = Field(
        None, description="Weights of an earlier training to begin with; default: random ones."
    )
    epochs: Count = Field(description="How long; a training stops and goes on between two.")
    epoch_windows: Count = Field(description="Windows looked at in an epoch, drawn anew each time.")
    cycles: Count = Field(
        1,
        description="How often the learning rate falls, as a cosine: at the end of each cycle the"
        " weights are as good as they get in that time.",
    )
    batch: Annotated[int, Field(ge=2)] = Field(16, description="Windows of a step.")
    learning_rate: Rate = Field(0.002, description="The highest, of AdamW.")
    final_rate: Probability = Field(0.05, description="The lowest, as a share of it.")
    warm_up: Share = Field(0.5, description="Share of the first epoch in which it rises.")
    averaging: Probability = Field(0.998, description="How much an average of weights remembers.")
    augmentation: Augmentation = Augmentation()


def load_recipe(path: Path) -> DetectorRecipe:
    """The recipe of a file, paths in it made absolute, seen from the file's folder.

    Raises:
        SettingsError: The file cannot be read, is not YAML, or holds a wrong key or value.
    """
    try:
        recipe = DetectorRecipe.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"{path}: {explain(error.errors()[0])}") from None
    folder = path.parent
    if recipe.start is not None:
        recipe = recipe.model_copy(update={"start": (folder / recipe.start).absolute()})
    if recipe.real is None:
        return recipe
    real = recipe.real.model_copy(
        update={
            "teacher": (folder / recipe.real.teacher).absolute(),
            "videos": tuple(
                one.model_copy(update={"video": (folder / one.video).absolute()})
                for one in recipe.real.videos
            ),
        }
    )
    return recipe.model_copy(update={"real": real})
