"""Batches of clips for an iteration: read, changed, and in time.

A batch follows from the seed and the number of its iteration alone: a training that was cut gets
the batches that it would have had, and so does one that reads them in several threads.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipeline.reid.augmentation import AugmentationSettings, augmented
from pipeline.reid.corruption import Kind, corrupt_batch
from pipeline.reid.datasets.records import ClipSource
from pipeline.reid.samplers import IdentitySampler, curriculum, hardest, spread_frames
from pipeline.reid.training.recipe import FrameStage
from pipeline.types import DoubleArray, IntArray

_FRAMES, _CHANGES = 1, 2  # tell uses of the seed apart
PICTURE_KINDS: Final[tuple[Kind, ...]] = ("occluded", "blur", "low_resolution", "truncation")
"""Corruptions that leave every frame the person's own."""
HARD_POOL: Final = 50
"""From so many people most like one, those beside it in a batch are drawn."""
READERS: Final = 2
READ_AHEAD: Final = 4


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """The clips of an iteration.

    Attributes:
        clips: (B,) which clips of the source.
        frames: (B, K) which of their frames.
        crops: (B, K, H, W, 3) uint8, BGR.
    """

    clips: IntArray
    frames: IntArray
    crops: Tensor


class ClipReader:
    """Reads and changes the clips of an iteration.

    Args:
        source: The clips.
        frames: K, frames of a clip that are read.
        augmentation: How they are changed.
        corrupted: Share of clips with one of `PICTURE_KINDS`.
        seed: Everything random follows from it and the iteration.
    """

    def __init__(
        self,
        source: ClipSource,
        frames: int,
        augmentation: AugmentationSettings,
        corrupted: float,
        seed: int,
    ) -> None:
        self._source, self._frames, self._seed = source, frames, seed
        self._augmentation = augmentation
        self._chances = dict.fromkeys(PICTURE_KINDS, corrupted / len(PICTURE_KINDS))

    def __call__(self, iteration: int, clips: IntArray) -> Batch:
        """The batch of an iteration, for the clips (B,) that a sampler chose."""
        rng = np.random.default_rng([self._seed, _FRAMES, iteration])
        lengths = self._source.lengths[clips]
        frames = np.stack([spread_frames(int(n), self._frames, rng) for n in lengths])
        crops = np.stack([self._source.read(int(c), f) for c, f in zip(clips, frames, strict=True)])
        changes = np.random.default_rng([self._seed, _CHANGES, iteration])
        who = self._source.identities[clips]
        corrupted, _ = corrupt_batch(crops, who, changes, self._chances)
        changed = augmented(corrupted, changes, self._augmentation)
        return Batch(clips, frames, torch.from_numpy(changed))


class LookAlikes(nn.Module):
    """How alike people are to the classifier now, for batches of those hard to tell apart.

    Args:
        classifier: A row a person.
    """

    similarities: Tensor

    def __init__(self, classifier: nn.Linear) -> None:
        super().__init__()
        self._rows = [classifier]  # in a list, so that its weights are not also this module's
        count = classifier.out_features
        self.register_buffer("similarities", torch.zeros(count, count))

    @torch.no_grad()
    def refresh(self) -> None:
        """Look anew."""
        rows = normalize(self._rows[0].weight)
        self.similarities.copy_(rows @ rows.T)


def batches(
    stage: FrameStage,
    sampler: IdentitySampler,
    read: Callable[[int, IntArray], Batch],
    alike: LookAlikes,
    first: int,
) -> Iterator[tuple[int, Batch]]:
    """Number and batch of the iterations from `first` on.

    Sections of `checkpoint_every` iterations sample anew; who is alike is looked at when one
    begins, and kept with the checkpoint.
    """
    while first < stage.iterations:
        section, done = divmod(first, stage.checkpoint_every)
        if done == 0:
            alike.refresh()
        start = first - done
        last = min(start + stage.checkpoint_every, stage.iterations)
        chosen = islice(_choices(stage, sampler, alike, section, start), done, last - start)
        yield from ahead(read, enumerate(chosen, first))
        first = last


def _choices(
    stage: FrameStage, sampler: IdentitySampler, alike: LookAlikes, section: int, start: int
) -> Iterator[IntArray]:
    """Clips of the batches of a section, without an end."""
    for epoch in count(section * stage.checkpoint_every):
        if stage.sampler in ("identities", "cameras"):
            yield from sampler.epoch(epoch)
        else:
            similarities = alike.similarities.cpu().numpy()
            weights = _rank_weights(stage, len(similarities) - 1, start)
            yield from sampler.hard_epoch(epoch, similarities, weights)


def _rank_weights(stage: FrameStage, ranks: int, start: int) -> DoubleArray:
    if stage.sampler == "hard":
        return hardest(ranks, min(ranks, HARD_POOL))
    return curriculum(ranks, start / stage.iterations)


def ahead(
    read: Callable[[int, IntArray], Batch], wanted: Iterator[tuple[int, IntArray]]
) -> Iterator[tuple[int, Batch]]:
    """The batches of iterations in their order, some read while others are learnt from."""
    with ThreadPoolExecutor(READERS) as pool:
        waiting: deque[tuple[int, Future[Batch]]] = deque()
        for number, clips in wanted:
            waiting.append((number, pool.submit(read, number, clips)))
            if len(waiting) > READ_AHEAD:
                done, batch = waiting.popleft()
                yield done, batch.result()
        for done, batch in waiting:
            yield done, batch.result()
