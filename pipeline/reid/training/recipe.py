"""A recipe: everything a training follows from, in a YAML file that is checked strictly."""

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from pipeline.config import Probability, Settings, explain, read_yaml
from pipeline.errors import SettingsError
from pipeline.reid.augmentation import AugmentationSettings
from pipeline.reid.settings import EncoderSettings

Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0)]
CachedHead = Literal[
    "mean", "consensus", "attention", "quality", "lstm_attention", "self_attention", "rfa_lstm"
]
"""Heads that see frame vectors only, so that they can be learnt on vectors computed once."""


def _several(value: object) -> object:
    """One stands for a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


class SimulatedClips(Settings):
    """Clips of simulated people before simulated cameras; nobody of another seed is among them."""

    seed: Seed = Field(description="Who the people are and where the cameras stand follow from it.")
    identities: Count = Field(description="How many people.")
    cameras: Count = Field(description="How many cameras.")
    cameras_each: Count = Field(4, description="How many cameras see each person.")
    frames: Count = Field(8, description="Crops in a clip.")
    alike: Probability = Field(0.2, description="Share of people in uniforms, several in each.")

    @model_validator(mode="after")
    def _enough_cameras(self) -> Self:
        if self.cameras_each > self.cameras:
            raise ValueError(
                f"cameras_each: expected at most the {self.cameras} cameras that there are,"
                f" got {self.cameras_each}"
            )
        return self


class PublicClips(Settings):
    """A data set in the folder that its archive unpacks to."""

    name: str = Field(description="market1501, mars, folder ...")
    folder: Path = Field(description="Where it is.")
    split: str = Field("", description="Which of its splits; default: the usual one.")


class VideoClips(Settings):
    """People tracked in videos: the two halves of a track are its clips, its "cameras".

    To learn from, where nobody has said who is who; and to be scored on, where the second half is
    sought by the first among those of all others.
    """

    folder: Path = Field(description="Where the videos are.")
    files: Annotated[tuple[Path, ...], Field(min_length=1)] = Field(description="Which of them.")
    detector: Path = Field(description="An ultralytics model that finds the people.")
    frames: Count = Field(8, description="Crops in a clip, at most.")
    redressed: Annotated[int, Field(ge=0)] = Field(
        0, description="So many more people: those in other colours of clothes, to learn from."
    )


class Clips(Settings):
    """Where labelled clips come from: exactly one of these."""

    simulation: SimulatedClips | None = Field(None, description="Rendered where not at hand.")
    archive: Path | None = Field(None, description="Folder of a clip archive.")
    dataset: PublicClips | None = Field(None, description="A data set of images or tracklets.")
    videos: VideoClips | None = Field(None, description="Tracked where not at hand.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if len(self.model_fields_set) != 1:
            names = ", ".join(type(self).model_fields)
            raise ValueError(f"expected exactly one of {names}")
        return self


class LossWeights(Settings):
    """What each loss counts; 0 leaves it out."""

    identity: Weight = Field(1.0, description="Cross-entropy with label smoothing, after the neck.")
    frame_identity: Weight = Field(0.1, description="The same for every frame by itself.")
    weighted_triplet: Weight = Field(1.0, description="Weighted regularised triplet (AGW).")
    triplet: Weight = Field(0.0, description="Batch-hard triplet with soft margin.")
    adaptive_triplet: Weight = Field(0.0, description="Weighted triplet with a margin.")
    quadruplet: Weight = Field(0.0, description="Quadruplets.")
    contrastive: Weight = Field(0.0, description="Contrastive pairs.")
    verification: Weight = Field(0.0, description="Same or not, of a pair's squared difference.")
    centre: Weight = Field(0.0, description="Distance to the centre of one's identity.")
    oim: Weight = Field(0.0, description="Online instance matching against a memory.")
    focal: Weight = Field(0.0, description="Focal exponent of the identity losses; 0: none.")
    head_penalty: Weight = Field(1.0, description="What the head itself wants small (drsa).")


class Optimisation(Settings):
    """How weights move: AdamW, the rate rising in a straight line and falling as a cosine."""

    iterations: Count = Field(description="Batches.")
    people: Annotated[int, Field(ge=2)] = Field(16, description="People in a batch.")
    clips: Annotated[int, Field(ge=2)] = Field(4, description="Clips of each person in a batch.")
    learning_rate: Rate = Field(description="The highest.")
    warm_up: Annotated[int, Field(ge=0)] = Field(0, description="Iterations until it is reached.")
    final_rate: Probability = Field(0.01, description="The last, as a share of the highest.")
    weight_decay: Weight = Field(0.05, description="Of matrices; biases and norms have none.")
    clip_gradient: Rate = Field(5.0, description="Longest gradient.")
    losses: LossWeights = LossWeights()


class FrameStage(Optimisation):
    """First stage: the backbone, on clips of pixels."""

    frames: Count = Field(4, description="Frames of a clip that are looked at at a time.")
    sampler: Literal["identities", "cameras", "hard", "curriculum"] = Field(
        "cameras",
        description="Clips of a person: any; of different cameras where possible; so, and half of"
        " the people look alike; or so, and more and more alike as training goes on.",
    )
    corrupted: Probability = Field(
        0.0, description="Share of clips hidden in part, blurred, coarse or cut off."
    )
    averaging: Probability = Field(0.999, description="How much an average of weights remembers.")
    checkpoint_every: Count = Field(200, description="Iterations between checkpoints.")


class HeadStage(Optimisation):
    """Second stage: temporal heads, on frame vectors of clips, clean and corrupted."""

    names: tuple[CachedHead, ...] = Field(
        (
            *("mean", "consensus", "attention", "quality", "lstm_attention", "self_attention"),
            "rfa_lstm",
        ),
        description="Which heads the table compares; the mean first, whose frame vectors the others"
        " start from.",
    )
    frames: Count = Field(8, description="Frames of a clip that are looked at.")
    seeds: Count = Field(3, description="How often each is learnt.")
    head_rate: Rate = Field(
        5.0, description="Learning rate of the head, as a multiple: all before it has learnt."
    )
    corrupted: Probability = Field(0.25, description="Share of clips with a corruption.")
    variants: Count = Field(
        2, description="Corrupted pictures computed of each clip; of every other one, occlusions."
    )


class TeacherWeights(Settings):
    """What each way of following the teacher counts; 0 leaves it out."""

    distances: Weight = Field(1.0, description="Same distances between clips of a batch.")
    logits: Weight = Field(0.0, description="Same soft classes; needs the teacher's classifier.")
    regression: Weight = Field(0.0, description="The teacher's embedding by a linear map.")


class Teacher(Settings):
    """Frozen encoders to learn from."""

    weights: Annotated[tuple[Path, ...], BeforeValidator(_several), Field(min_length=1)] = Field(
        description="ONNX, OpenVINO .xml, or encoder.safetensors of a training; several see"
        " together: their embeddings side by side."
    )
    frames: Count | None = Field(
        None,
        description="Of each clip, the backbone sees so many frames, evenly spread: a teacher costs"
        " more than the student; default: all.",
    )
    input: Literal["bgr-255", "rgb-imagenet"] = Field(
        "rgb-imagenet", description="What an ONNX or OpenVINO model expects."
    )
    views: Count = Field(
        4, description="Clips of a person, from as many cameras, that the teacher sees together."
    )
    losses: TeacherWeights = TeacherWeights()


class Recipe(Settings):
    """A recipe file."""

    name: str = Field(description="Name of the encoder that comes out.", min_length=1)
    seed: Seed = Field(0, description="Everything random in the training follows from it.")
    encoder: EncoderSettings = Field(description="What is trained.")
    train: Annotated[tuple[Clips, ...], BeforeValidator(_several), Field(min_length=1)] = Field(
        description="What to learn from; several as one: nobody and no camera is in two of them."
    )
    test: dict[str, Clips] = Field(description="What to be scored on, by name.", min_length=1)
    frames: FrameStage = Field(description="First stage.")
    augmentation: AugmentationSettings = AugmentationSettings()
    heads: HeadStage = Field(description="Second stage.")
    teacher: Teacher | None = Field(None, description="A frozen encoder to learn from.")

    @model_validator(mode="after")
    def _mean_comes_first(self) -> Self:
        if self.heads.names[:1] != ("mean",):
            raise ValueError(
                "heads.names: expected mean first: the others start from what it learns"
            )
        return self

    @model_validator(mode="after")
    def _head_is_learnt(self) -> Self:
        head = self.encoder.head
        if head in get_args(CachedHead) and head not in self.heads.names:
            raise ValueError(f"heads.names: expected encoder.head, {head}, to be among them")
        return self


def load_recipe(path: Path) -> Recipe:
    """The recipe of a file, paths in it made absolute, seen from the file's folder.

    Raises:
        SettingsError: The file cannot be read, is not YAML, or holds a wrong key or value.
    """
    try:
        recipe = Recipe.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SettingsError(f"{path}: {explain(error.errors()[0])}") from None
    return _resolved(recipe, path.parent)


def _resolved(recipe: Recipe, folder: Path) -> Recipe:
    def absolute(path: Path) -> Path:
        return (folder / path).resolve()

    def of_clips(clips: Clips) -> Clips:
        if clips.archive is not None:
            return clips.model_copy(update={"archive": absolute(clips.archive)})
        if clips.dataset is not None:
            changes = {"folder": absolute(clips.dataset.folder)}
            return clips.model_copy(update={"dataset": clips.dataset.model_copy(update=changes)})
        if clips.videos is not None:
            changes = {
                "folder": absolute(clips.videos.folder),
                "detector": absolute(clips.videos.detector),
            }
            return clips.model_copy(update={"videos": clips.videos.model_copy(update=changes)})
        return clips

    changes: dict[str, object] = {
        "train": tuple(of_clips(clips) for clips in recipe.train),
        "test": {name: of_clips(clips) for name, clips in recipe.test.items()},
    }
    if recipe.teacher is not None:
        weights = tuple(absolute(path) for path in recipe.teacher.weights)
        changes["teacher"] = recipe.teacher.model_copy(update={"weights": weights})
    return recipe.model_copy(update=changes)
