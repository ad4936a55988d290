"""Which pairs a network is for, and how pairs to learn from are drawn among them.

LAAM (arXiv 1911.12037) draws a pair so: a tracklet; then by a fair coin one of the same person, or
of another; from the same bin of time, floor(centre / window), and of the same camera (intra) or of
the cameras that the tracklet's person was at in that bin (inter). Two things are otherwise here.
Where no such partner is, LAAM takes any and relabels it: here another tracklet begins the pair. And
the inter network never sees two of one camera, because it is not asked about them.

Bins cut apart what lies close together on both sides of a border; `sliding` takes all that lie
within the window of each other instead.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from pipeline.association.metric.training.tracklets import LabelledTracklets
from pipeline.association.pairs import Pairs
from pipeline.types import BoolArray, IntArray

Kind = Literal["intra", "inter", "global"]
Sampling = Literal["sliding", "bins"]
MOST_PAIRS: Final = 500_000
"""Of more pairs, so many are drawn: with their partners some 50 MB."""


@dataclass(frozen=True, slots=True)
class Locality:
    """Pairs of one camera (intra), of different ones (inter), or any (global), near in time.

    Attributes:
        kind: Of which cameras.
        window_s: Most seconds between the two; infinite: any time of the run.
    """

    kind: Kind
    window_s: float

    @property
    def words(self) -> str:
        """As the table calls it."""
        where = {"intra": "same camera", "inter": "different cameras", "global": "all pairs"}
        within = f", up to {self.window_s:g} s apart" if np.isfinite(self.window_s) else ""
        return where[self.kind] + within

    def holds(self, tracklets: LabelledTracklets, pairs: Pairs) -> BoolArray:
        """Which pairs (P,) of one run it holds for."""
        near = tracklets.gaps_s(pairs.first, pairs.second) <= self.window_s
        if self.kind == "global":
            return near
        same = tracklets.cameras[pairs.first] == tracklets.cameras[pairs.second]
        return np.asarray(near & (same == (self.kind == "intra")))


def known_pairs(tracklets: LabelledTracklets, window_s: float, rng: np.random.Generator) -> Pairs:
    """Pairs of one run at most so far apart, of which it is known who they are; few enough."""
    near = near_pairs(tracklets.start_us, tracklets.end_us, tracklets.runs, window_s, rng)
    return near.where(tracklets.are_known(near.first, near.second))


def near_pairs(
    starts: IntArray, ends: IntArray, runs: IntArray, window_s: float, rng: np.random.Generator
) -> Pairs:
    """Pairs of N tracklets of one run, at most so many seconds apart; below 0: so long together.

    Where there are more than `MOST_PAIRS`, that many are drawn.

    Args:
        starts: (N,) microseconds.
        ends: (N,) microseconds.
        runs: (N,) which run.
        window_s: From the end of the earlier to the start of the later; may be infinite.
        rng: Draws.
    """
    order = np.lexsort((starts, runs))
    followers = np.zeros(len(order), np.int64)
    for run in np.unique(runs):
        places = np.flatnonzero(runs[order] == run)
        begin, end = starts[order[places]], ends[order[places]]
        reach = end + (window_s * 1e6 if np.isfinite(window_s) else begin[-1])
        last = np.searchsorted(begin, reach, side="right")
        followers[places] = np.maximum(last - 1 - np.arange(len(places)), 0)
    offsets = np.append(0, np.cumsum(followers))
    chosen = np.arange(offsets[-1])
    if len(chosen) > MOST_PAIRS:
        chosen = np.unique(rng.integers(len(chosen), size=MOST_PAIRS))
    first = np.searchsorted(offsets, chosen, side="right") - 1
    return Pairs.of(len(order), order[first], order[first + 1 + chosen - offsets[first]])


@dataclass(frozen=True, slots=True, eq=False)
class _Partners:
    """The partners of A tracklets, those of one after those of the other."""

    anchors: IntArray
    starts: IntArray
    counts: IntArray
    partners: IntArray

    @classmethod
    def of(cls, anchors: IntArray, partners: IntArray) -> "_Partners":
        order = np.lexsort((partners, anchors))
        found, starts, counts = np.unique(anchors[order], return_index=True, return_counts=True)
        return cls(found, starts, counts, partners[order])

    def draw(self, rng: np.random.Generator, count: int) -> tuple[IntArray, IntArray]:
        """So many pairs: any tracklet, then any of its partners."""
        rows = rng.integers(len(self.anchors), size=count)
        places = self.starts[rows] + (rng.random(count) * self.counts[rows]).astype(np.int64)
        return self.anchors[rows], self.partners[places]


class PairSampler:
    """Draws pairs to learn from, as many of one person as of two.

    Args:
        tracklets: Who they are.
        pairs: Known pairs, at least those of the locality.
        locality: Which of them to draw from.
        sampling: Whether within the window of each other, or in one bin.

    Raises:
        ValueError: There is no pair of one person among them, or none of two.
    """

    def __init__(
        self,
        tracklets: LabelledTracklets,
        pairs: Pairs,
        locality: Locality,
        sampling: Sampling,
    ) -> None:
        local = pairs.where(locality.holds(tracklets, pairs))
        if sampling == "bins" and np.isfinite(locality.window_s):
            bins = (tracklets.start_us + tracklets.end_us) // round(2e6 * locality.window_s)
            local = local.where(bins[local.first] == bins[local.second])
        same = tracklets.are_same(local.first, local.second)
        anchors = np.concatenate([local.first, local.second])
        partners = np.concatenate([local.second, local.first])
        same = np.concatenate([same, same])
        visited = np.ones(len(same), bool)
        if locality.kind == "inter":
            cameras = 1 + int(tracklets.cameras.max(initial=0))
            places = anchors * cameras + tracklets.cameras[partners]
            visited = np.isin(places, places[same])
        if not (same.any() and (visited & ~same).any()):
            raise ValueError(f"{locality.words}: expected pairs of one person and of two")
        self._same = _Partners.of(anchors[same], partners[same])
        self._different = _Partners.of(anchors[visited & ~same], partners[visited & ~same])

    def draw(self, rng: np.random.Generator, count: int) -> tuple[IntArray, IntArray, BoolArray]:
        """First and second tracklet, and whether they are one person; (count,) each."""
        same = rng.random(count) < 0.5
        first, second = self._different.draw(rng, count)
        first[same], second[same] = self._same.draw(rng, int(same.sum()))
        return first, second, same
