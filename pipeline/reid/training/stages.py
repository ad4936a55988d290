"""A training from its recipe to its table: what is done stays done, wherever it is cut."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Final, get_args

import numpy as np
import torch

from pipeline.reid.corruption import Kind
from pipeline.reid.datasets.records import ClipSource
from pipeline.reid.datasets.sources import FewerFrames
from pipeline.reid.settings import HeadName
from pipeline.reid.training.arrays import save_array
from pipeline.reid.training.batches import PICTURE_KINDS
from pipeline.reid.training.checkpoint import Progress, restore_checkpoint, save_checkpoint
from pipeline.reid.training.cost import measure_cost
from pipeline.reid.training.deadline import Deadline, OutOfTimeError, Watch
from pipeline.reid.training.heads import HeadModel, HeadTraining, assembled, train_head
from pipeline.reid.training.loop import train_frames
from pipeline.reid.training.recipe import CachedHead, Recipe
from pipeline.reid.training.table import (
    CONDITIONS,
    Row,
    Score,
    Scorer,
    Scores,
    TestSet,
    single_frame,
)
from pipeline.reid.training.teacher import CLASSIFIER, make_teacher, save_classifier
from pipeline.reid.training.vectors import (
    ClipVectors,
    clip_vectors,
    condition_pictures,
    of_condition,
    presence,
)
from pipeline.reid.video_encoder import VideoEncoder, embed_clips
from pipeline.reid.weights import save_encoder
from pipeline.types import FloatArray

WEIGHTS: Final = "encoder.safetensors"
UNTRAINED: Final[tuple[HeadName, ...]] = ("mean", "consensus")
"""Heads that need not learn."""
SINGLE: Final = "single frame"
VARIANTS: Final[tuple[tuple[Kind, ...], ...]] = (("occluded",), PICTURE_KINDS)
"""Heads learn most from occlusions, in which frames of one clip differ."""
CONDITION_SEED: Final = 7
"""What befalls the clips that are scored is the same for every recipe."""

Conditions = Mapping[str, Mapping[Kind, ClipVectors]]
"""Vectors by test set and condition."""


@dataclass(frozen=True, eq=False, slots=True)
class Trained:
    """What a training gives.

    Attributes:
        encoder: The recipe's, learnt; also in the folder, as `WEIGHTS`.
        rows: Of the table.
        embeddings: (N, D) of the clean clips of each test set, by its name.
    """

    encoder: VideoEncoder
    rows: Sequence[Row]
    embeddings: Mapping[str, FloatArray]


class Training:
    """Everything about one training; knows what is done by what is in its folder.

    Args:
        recipe: What to do.
        source: Clips to learn from.
        tests: Clips to be scored on.
        scorer: How they are scored.
        folder: For all that comes out.
        device: Where to compute.
        deadline: When to stop.
        watch: Told how far it is.
    """

    def __init__(
        self,
        recipe: Recipe,
        source: ClipSource,
        tests: Sequence[TestSet],
        scorer: Scorer,
        folder: Path,
        device: torch.device,
        deadline: Deadline,
        watch: Watch,
    ) -> None:
        self._recipe, self._source, self._tests, self._scorer = recipe, source, tests, scorer
        self._folder, self._device, self._deadline, self._watch = folder, device, deadline, watch

    def run(self) -> Trained:
        """All that is not done yet.

        Raises:
            OutOfTimeError: The deadline came first; what is done is kept.
        """
        encoder = self._first_stage()
        if self._recipe.encoder.head not in get_args(CachedHead):
            return self._whole(encoder)
        conditions = self._conditions(encoder)
        training = self._vectors_to_learn_from(encoder)
        rows = list(self._untrained_rows(encoder, conditions))
        for name in self._recipe.heads.names:
            scores = [
                self._learnt(encoder, name, seed, training, conditions)
                for seed in range(self._recipe.heads.seeds)
            ]
            model = self._restored(encoder, name)
            cost = measure_cost(assembled(encoder, name, model), self._recipe.heads.frames)
            rows.append(Row(name, True, scores, cost))
        model = self._restored(encoder, self._recipe.encoder.head)
        final = assembled(encoder, self._recipe.encoder.head, model)
        save_encoder(self._folder / WEIGHTS, final)
        embeddings = {name: model.embed(clips["clean"]) for name, clips in conditions.items()}
        return Trained(final, rows, embeddings)

    def _first_stage(self) -> VideoEncoder:
        """The backbone, under the mean where the recipe's head learns later."""
        settings = self._recipe.encoder
        if settings.head in get_args(CachedHead):
            settings = settings.model_copy(update={"head": "mean"})
        torch.manual_seed(self._recipe.seed)
        encoder = VideoEncoder(settings).to(self._device)
        source = self._source
        if self._recipe.teacher is not None and self._recipe.teacher.frames is not None:
            source = FewerFrames(source, self._recipe.teacher.frames)
        teacher = make_teacher(self._recipe, source, self._folder, self._deadline, self._watch)
        encoder, classifier = train_frames(
            self._recipe,
            encoder,
            source,
            teacher.to(self._device),
            self._folder,
            self._deadline,
            self._watch,
        )
        # What comes out of the neck has about deviation gamma in each direction.
        scale = float(encoder.neck.weight.detach().norm())
        save_classifier(self._folder / CLASSIFIER, classifier, scale)
        return encoder

    def _conditions(self, encoder: VideoEncoder) -> Conditions:
        """What befalls the clips to be scored on."""
        conditions = {}
        for test in self._tests:
            clean = self._kept(f"{test.name}-clean", encoder, test.source, ("clean",), 0)

            def changed(
                kind: Kind, test: TestSet = test, clean: ClipVectors = clean
            ) -> ClipVectors:
                if kind not in PICTURE_KINDS:
                    return of_condition(clean, kind, CONDITION_SEED)
                name = f"{test.name}-{kind}"
                return self._kept(name, encoder, test.source, (kind,), CONDITION_SEED)

            conditions[test.name] = {kind: changed(kind) for kind in CONDITIONS}
        return conditions

    def _vectors_to_learn_from(self, encoder: VideoEncoder) -> HeadTraining:
        seed = self._recipe.seed
        clean = self._kept("train-clean", encoder, self._source, ("clean",), seed)
        variants = [
            self._kept(f"train-{number}", encoder, self._source, kinds, seed + number)
            for number, kinds in zip(
                range(1, self._recipe.heads.variants + 1), cycle(VARIANTS), strict=False
            )
        ]
        return HeadTraining(clean, variants)

    def _kept(
        self,
        name: str,
        encoder: VideoEncoder,
        source: ClipSource,
        kinds: Sequence[Kind],
        seed: int,
    ) -> ClipVectors:
        """Vectors of all clips of a source, computed once."""
        frames = self._recipe.heads.frames
        path = self._folder / "vectors" / f"{name.replace(' ', '_')}.npy"
        if not path.exists():
            self._watch(f"vectors: {name}", 0, 1)
            save_array(path, clip_vectors(encoder, source, frames, kinds, seed).vectors)
            self._stop_in_time()
        present = presence(source, frames)
        return ClipVectors(np.load(path), present, source.identities, source.cameras)

    def _untrained_rows(self, encoder: VideoEncoder, conditions: Conditions) -> Iterator[Row]:
        mean = HeadModel(encoder, "mean").to(self._device)

        def embed_one(rng: np.random.Generator) -> Callable[[ClipVectors], FloatArray]:
            return lambda clips: mean.embed(single_frame(clips, rng))

        seeds = range(self._recipe.heads.seeds)
        of_one = [
            self._scores(embed_one(np.random.default_rng(seed)), conditions) for seed in seeds
        ]
        yield Row(SINGLE, True, of_one, measure_cost(encoder, 1))
        for name in UNTRAINED:
            model = HeadModel(encoder, name).to(self._device)
            cost = measure_cost(assembled(encoder, name, model), self._recipe.heads.frames)
            yield Row(name, False, [self._scores(model.embed, conditions)], cost)

    def _learnt(
        self,
        encoder: VideoEncoder,
        name: HeadName,
        seed: int,
        training: HeadTraining,
        conditions: Conditions,
    ) -> Scores:
        """Scores of a head of one seed; it learns where it has not yet."""
        path = self._folder / "heads" / f"{name}-{seed}.json"
        if not path.exists():
            self._watch(f"head {name}", seed, self._recipe.heads.seeds)
            start = None if name == "mean" else self._restored(encoder, "mean", seed)
            model = train_head(encoder, name, training, self._recipe.heads, seed, start)
            save_checkpoint(path.with_suffix(".checkpoint"), {"model": model}, Progress(0, []))
            _save_scores(path, self._scores(model.embed, conditions))
            self._stop_in_time()
        return _load_scores(path)

    def _restored(self, encoder: VideoEncoder, name: HeadName, seed: int = 0) -> HeadModel:
        """A head that has learnt, by default that of the first seed: none is chosen by score."""
        model = HeadModel(encoder, name)
        restore_checkpoint(self._folder / "heads" / f"{name}-{seed}.checkpoint", {"model": model})
        return model.to(self._device)

    def _scores(self, embed: Callable[[ClipVectors], FloatArray], conditions: Conditions) -> Scores:
        return {
            test.name: {
                kind: self._scorer(embed(conditions[test.name][kind]), test) for kind in CONDITIONS
            }
            for test in self._tests
        }

    def _whole(self, encoder: VideoEncoder) -> Trained:
        """A head that looks at maps has learnt with the backbone; it is scored on pictures."""
        frames = self._recipe.heads.frames
        embeddings: dict[str, dict[Kind, FloatArray]] = {}
        for test in self._tests:
            embeddings[test.name] = {
                kind: embed_clips(
                    encoder, condition_pictures(test.source, frames, kind, CONDITION_SEED)
                )
                for kind in CONDITIONS
            }
        scores = {
            test.name: {
                kind: self._scorer(embeddings[test.name][kind], test) for kind in CONDITIONS
            }
            for test in self._tests
        }
        save_encoder(self._folder / WEIGHTS, encoder)
        row = Row(encoder.settings.head, True, [scores], measure_cost(encoder, frames))
        return Trained(encoder, [row], {name: each["clean"] for name, each in embeddings.items()})

    def _stop_in_time(self) -> None:
        """After something was done and put down, so that every call gets further."""
        if self._deadline.is_over:
            raise OutOfTimeError


def _save_scores(path: Path, scores: Scores) -> None:
    tree = {test: {kind: asdict(s) for kind, s in each.items()} for test, each in scores.items()}
    partial = path.with_name(f"partial-{path.name}")
    partial.write_text(json.dumps(tree), encoding="utf-8")
    partial.replace(path)


def _load_scores(path: Path) -> Scores:
    tree = json.loads(path.read_text(encoding="utf-8"))
    return {
        test: {kind: Score(**score) for kind, score in each.items()} for test, each in tree.items()
    }
