"""When and where tracklets were, in columns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from pipeline.association.pairs import Pairs
from pipeline.types import BoolArray, DoubleArray, IntArray, Tracklet

COLUMNS: Final = ("camera", "starts", "ends", "track", "part", "came", "left")


@dataclass(frozen=True, eq=False)
class Passages:
    """N tracklets, by start, camera, track and part.

    Attributes:
        names: Cameras, sorted.
        camera: (N,) int64, index into `names`.
        starts: (N,) int64, microseconds UTC, increasing.
        ends: (N,) int64.
        track: (N,) int64, number of the track in its camera.
        part: (N,) int64, which piece of the track.
        came: (N, 2) float64, middle of the bottom of the first box, pixels.
        left: (N, 2) float64, of the last.
    """

    names: tuple[str, ...]
    camera: IntArray
    starts: IntArray
    ends: IntArray
    track: IntArray
    part: IntArray
    came: DoubleArray
    left: DoubleArray

    def __len__(self) -> int:
        return len(self.camera)

    @classmethod
    def of(cls, tracklets: Sequence[Tracklet]) -> "Passages":
        """Columns of tracklets, as they come: see `order`."""
        names = tuple(sorted({tracklet.camera_id for tracklet in tracklets}))
        index = {name: number for number, name in enumerate(names)}
        rows = [
            (index[each.camera_id], each.start_us, each.end_us, each.track_id, each.part)
            for each in tracklets
        ]
        camera, starts, ends, track, part = np.array(rows, np.int64).reshape(-1, 5).T
        corners = [each.boxes[[0, -1]] for each in tracklets]
        boxes = np.array(corners, np.float64).reshape(-1, 2, 4)
        feet = np.stack([boxes[..., ::2].mean(axis=2), boxes[..., 3]], axis=2)
        return cls(names, camera, starts, ends, track, part, came=feet[:, 0], left=feet[:, 1])

    def order(self) -> IntArray:
        """Positions (N,) by start, camera, track and part."""
        return np.lexsort((self.part, self.track, self.camera, self.starts))

    def take(self, rows: IntArray | BoolArray) -> "Passages":
        """Those at these positions, or so marked."""
        return Passages(self.names, **{name: getattr(self, name)[rows] for name in COLUMNS})

    def with_names(self, names: tuple[str, ...]) -> "Passages":
        """The same among more cameras."""
        index = np.array([names.index(name) for name in self.names], np.int64)
        return replace(self, names=names, camera=index[self.camera])

    def gaps_s(self, pairs: Pairs) -> DoubleArray:
        """Start of the later minus end of the earlier (P,), seconds; negative where they overlap.

        Of two that start together neither is earlier: the one that ends first counts.
        """
        ends = self.ends[pairs.first]
        together = self.starts[pairs.first] == self.starts[pairs.second]
        ends = np.where(together, np.minimum(ends, self.ends[pairs.second]), ends)
        return np.asarray((self.starts[pairs.second] - ends) / 1e6)

    def same_camera(self, pairs: Pairs) -> BoolArray:
        """Whether both of a pair (P,) were seen by one camera."""
        return np.asarray(self.camera[pairs.first] == self.camera[pairs.second])

    @cached_property
    def chains(self) -> IntArray:
        """Equal (N,) for pieces of one track, cut for its length.

        Where a number is left out between their parts, the track was split because it goes on with
        another person: what comes before and after is not known to be of one.
        """
        order = np.lexsort((self.part, self.track, self.camera))
        camera, track, part = self.camera[order], self.track[order], self.part[order]
        goes_on = (camera[1:] == camera[:-1]) & (track[1:] == track[:-1])
        goes_on &= part[1:] <= part[:-1] + 1
        chains = np.empty(len(self), np.int64)
        chains[order] = np.cumsum(np.r_[0, ~goes_on])[: len(self)]
        return chains


def joined(some: Passages, others: Passages) -> Passages:
    """One after the other; see `Passages.order`."""
    names = tuple(sorted({*some.names, *others.names}))
    one, other = some.with_names(names), others.with_names(names)
    columns = {name: np.concatenate([getattr(one, name), getattr(other, name)]) for name in COLUMNS}
    return Passages(names, **columns)


def followers(chains: IntArray) -> Pairs:
    """Pairs that follow one another in a chain, from `Passages.chains` (N,)."""
    order = np.argsort(chains, kind="stable")
    follows = chains[order[1:]] == chains[order[:-1]]
    return Pairs.of(len(chains), order[:-1][follows], order[1:][follows])


def in_reach(starts: IntArray, ends: IntArray, reach_us: int) -> tuple[IntArray, IntArray]:
    """Every pair of passages with at most so much time from the end of one to the next's start.

    Args:
        starts: (N,) microseconds, increasing.
        ends: (N,) microseconds.
        reach_us: 0: those that overlap or touch.

    Returns:
        Positions (P,) of the earlier and (P,) of the later.
    """
    until = np.searchsorted(starts, ends + reach_us, side="right")
    return spread(np.arange(len(starts)) + 1, until)


def spread(since: IntArray, until: IntArray) -> tuple[IntArray, IntArray]:
    """Which of N ranges (M,), and the numbers in it (M,): from since (N,) to until (N,), less 1."""
    counts = np.maximum(until - since, 0)
    which = np.repeat(np.arange(len(counts)), counts)
    offset = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
    return which, since[which] + offset
