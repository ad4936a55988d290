"""Which frames of a clip, and which clips of which people make a batch.

Everything follows from the generator or the seed that is given: training that is resumed at an
epoch sees the batches that it would have seen.
"""

from collections.abc import Iterator

import numpy as np

from pipeline.types import DoubleArray, FloatArray, IntArray

Rng = np.random.Generator

CURRICULUM_SPREAD = 0.15
"""Standard deviation of the rank that is drawn, as a share of all ranks."""


def spread_frames(length: int, count: int, rng: Rng) -> IntArray:
    """One random frame of each of `count` equal parts of a clip, (count,) in order of time.

    A clip of fewer frames repeats some (temporal segment sampling, Wang et al., ECCV 2016).
    """
    places = (np.arange(count) + rng.random(count)) * length / count
    return np.minimum(places.astype(np.int64), length - 1)


def contiguous_frames(length: int, count: int, rng: Rng) -> IntArray:
    """A random run of `count` frames, (count,); a clip of fewer frames is stretched to it."""
    if length < count:
        return np.arange(count) * length // count
    start = int(rng.integers(length - count + 1))
    return np.arange(start, start + count)


def even_frames(length: int, count: int) -> IntArray:
    """`count` frames at even distances, to test with; all of a clip that has no more."""
    if length <= count:
        return np.arange(length)
    return (2 * np.arange(count) + 1) * length // (2 * count)


def frame_chunks(length: int, count: int) -> list[IntArray]:
    """All frames in runs of `count`, to test with; the last one may be shorter."""
    return np.split(np.arange(length), range(count, length, count))


class IdentitySampler:
    """Batches of P people with K clips each, P x K (Hermans et al., 2017).

    People with a negative number (`JUNK`) are left out. Where somebody has fewer than K clips they
    repeat, each as often as the others to within one.

    Args:
        identities: (N,) who is in each clip.
        cameras: (N,) which camera saw it.
        people: P.
        clips: K.
        seed: Everything random follows from it and the number of the epoch.
        across_cameras: Whether somebody's K clips come from as many cameras as there are. Clips of
            one camera alone teach its background.

    Raises:
        ValueError: There are fewer than P people.
    """

    def __init__(
        self,
        identities: IntArray,
        cameras: IntArray,
        people: int,
        clips: int,
        seed: int = 0,
        across_cameras: bool = True,
    ) -> None:
        self.identities = np.unique(identities[identities >= 0])
        if len(self.identities) < people:
            raise ValueError(f"expected at least {people} people, got {len(self.identities)}")
        self._cameras, self._across = np.asarray(cameras), across_cameras
        self._of = [np.flatnonzero(identities == one) for one in self.identities]
        self._people, self._clips, self._seed = people, clips, seed

    def epoch(self, number: int) -> Iterator[IntArray]:
        """Batches (P * K,) of clip indices, person after person; everybody is in one at least."""
        rng = np.random.default_rng([self._seed, number])
        for group in random_people(rng, len(self._of), self._people):
            yield self._batch(rng, group)

    def hard_epoch(
        self, number: int, similarities: FloatArray, rank_weights: DoubleArray
    ) -> Iterator[IntArray]:
        """The same with look-alikes together; see `hard_people`.

        Args:
            number: Which epoch, from 0.
            similarities: (C, C) between the centroids of `identities`, in their order.
            rank_weights: (C - 1,) how likely the most similar one is drawn, the next, ...
        """
        rng = np.random.default_rng([self._seed, number])
        for group in hard_people(rng, similarities, self._people, rank_weights):
            yield self._batch(rng, group)

    def _batch(self, rng: Rng, group: IntArray) -> IntArray:
        return np.concatenate([self._draw(rng, person) for person in group])

    def _draw(self, rng: Rng, person: int) -> IntArray:
        """K clips of one person: shuffled, then by turns from each camera where asked for."""
        clips = rng.permutation(self._of[person])
        if self._across:
            cameras = rng.permutation(np.unique(self._cameras[clips]))
            place = {camera: index for index, camera in enumerate(cameras.tolist())}
            turns = _turns(self._cameras[clips])
            order = [place[camera] for camera in self._cameras[clips].tolist()]
            clips = clips[np.lexsort(np.stack((order, turns)))]
        return np.resize(clips, self._clips)


def _turns(cameras: IntArray) -> IntArray:
    """How many clips of the same camera come before each one."""
    same = cameras[:, None] == cameras[None, :]
    return np.asarray(np.tril(same, -1).sum(axis=1))


def random_people(rng: Rng, count: int, people: int) -> Iterator[IntArray]:
    """Groups of P of `count` people until all have been in one; the last is filled up."""
    order = rng.permutation(count)
    for start in range(0, count, people):
        group = order[start : start + people]
        others = np.setdiff1d(order, group)
        yield np.concatenate((group, rng.permutation(others)[: people - len(group)]))


def hard_people(
    rng: Rng, similarities: FloatArray, people: int, rank_weights: DoubleArray
) -> Iterator[IntArray]:
    """Groups of P of which half look like the first, until all have been in one.

    Ristani and Tomasi, CVPR 2018: the first of a group is random, half of P are drawn from those
    most like it, the others at random.

    Args:
        rng: The generator.
        similarities: (C, C) between people, larger is more alike.
        people: P.
        rank_weights: (C - 1,) how likely the most similar one is drawn, the next, ...:
            `hardest` or `curriculum`.
    """
    waiting = rng.permutation(len(similarities))
    share = rank_weights / rank_weights.sum()
    wanted = min(people // 2, int(np.count_nonzero(share)))
    while len(waiting):
        first = waiting[0]
        by_rank = np.argsort(-similarities[first], kind="stable")
        by_rank = by_rank[by_rank != first]
        alike = rng.choice(by_rank, wanted, replace=False, p=share)
        others = waiting[1:][~np.isin(waiting[1:], alike)]
        seen = rng.permutation(np.setdiff1d(by_rank, np.concatenate((alike, others))))
        group = np.concatenate(([first], alike, others, seen))[:people]
        waiting = waiting[~np.isin(waiting, group)]
        yield group


def hardest(count: int, pool: int) -> DoubleArray:
    """Rank weights (count,): the `pool` most similar alike, all others never."""
    return (np.arange(count) < pool).astype(np.float64)


def curriculum(count: int, progress: float, spread: float = CURRICULUM_SPREAD) -> DoubleArray:
    """Rank weights (count,) that go from easy to hard (Mancs, Wang et al., ECCV 2018).

    A normal over the ranks whose mean moves from the least similar (last) to the most similar
    (first) as `progress` goes from 0 to 1.
    """
    places = np.linspace(0, 1, count)
    weights = np.exp(-0.5 * ((places - (1 - progress)) / spread) ** 2)
    return np.asarray(weights / weights.sum())
