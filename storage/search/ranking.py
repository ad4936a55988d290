"""Identities ranked by how likely they are somebody who is shown."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit

from pipeline.errors import StoreError
from pipeline.timestamps import to_iso
from pipeline.types import DoubleArray, FloatArray, IntArray
from storage.queries import ALWAYS, Period
from storage.search.gallery import SearchGallery
from storage.search.nearest import Exact, Indexed, Nearest

EXACT_BELOW: Final = 100_000
"""Fewer tracklets than that are all looked through, index or not."""
TRACKLETS_A_HIT: Final = 20
HITS_LOOKED_AT: Final = 2
"""For each identity asked for, so many tracklets are fetched, and so many identities judged."""
LIKEST: Final = 5
"""An identity is judged by the mean evidence of so many of its tracklets, the likest: of those on
which it is sure by 80 to 100 % then 99 % are right (demo site, fifty simulated people; 100 % in
uniforms, where it is seldom sure). By the likest alone 82 to 84 % are."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """One that is shown: its embedding (D,), and where in the gallery it is; -1: nowhere."""

    vector: FloatArray
    position: int = -1


@dataclass(frozen=True, slots=True)
class Sighting:
    """A tracklet of somebody who was found."""

    tracklet: str
    camera: str
    enter: str
    leave: str
    enter_us: int
    leave_us: int


@dataclass(frozen=True, slots=True)
class Hit:
    """An identity that was found.

    Attributes:
        identity: Its number.
        probability: That it is who is sought, as far as looks tell.
        log_odds: The same.
        similarity: Cosine of its likest tracklet.
        tracklets: Its likest, the likest first.
        compared: How many it has where and when was searched.
    """

    identity: int
    probability: float
    log_odds: float
    similarity: float
    tracklets: tuple[Sighting, ...]
    compared: int


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A vector (D,), and how crowded it is around it."""

    vector: FloatArray
    crowding: float


class Search:
    """Searches a gallery, again and again.

    Args:
        gallery: What is searched.
        indexed: Make an index where there are so many tracklets that it pays.
    """

    def __init__(self, gallery: SearchGallery, *, indexed: bool = False) -> None:
        self._gallery = gallery
        self._exact = Exact(gallery.vectors)
        is_large = len(gallery) >= EXACT_BELOW
        self._index = Indexed(gallery.vectors) if indexed and is_large else None

    def find(
        self,
        sought: Sequence[Shown],
        unlike: Sequence[Shown] = (),
        period: Period = ALWAYS,
        cameras: Collection[str] = (),
        limit: int = 10,
    ) -> list[Hit]:
        """The identities most likely to be who is sought, `limit` of them where there are so many.

        A pair is judged as association does: by its cosine, less how crowded it is around both. A
        picture has no camera, so nothing is taken off for its light: see it as taken by a camera
        like the mean of all. Of several pictures the mean is sought. What speaks for an identity
        being one of those that are not meant is taken off.

        Args:
            sought: Pictures or tracklets of one person, one at least.
            unlike: Others who are not meant.
            period: Identities that were seen then; only their tracklets of then are compared.
            cameras: Those seen by them; none: by any.
            limit: How many.

        Raises:
            StoreError: The run has no such camera.
        """
        gallery = self._gallery
        eligible = gallery.people(period, cameras)
        shown = np.array([one.position for one in (*sought, *unlike) if one.position >= 0], int)
        eligible[shown] = False
        vector = _mean(sought)
        nearest: Nearest = self._exact
        total = int(eligible.sum())
        if self._index is not None and total >= EXACT_BELOW:
            nearest = self._index
        count = TRACKLETS_A_HIT * limit
        while True:
            found = nearest.find(vector, count, eligible)
            names = list(dict.fromkeys(gallery.identities[found].tolist()))
            if len(names) >= HITS_LOOKED_AT * limit or count >= total:
                break
            count *= 4
        others = [self._crowded(other.vector, shown) for other in unlike]
        asked = self._crowded(vector, shown)
        hits = [
            self._hit(identity, asked, others, members[eligible[members]])
            for identity in names[: HITS_LOOKED_AT * limit]
            for members in (gallery.members(identity),)
        ]
        return sorted(hits, key=lambda hit: (-hit.log_odds, -hit.similarity, hit.identity))[:limit]

    def _hit(self, identity: int, asked: _Asked, others: Sequence[_Asked], rows: IntArray) -> Hit:
        """An identity with these tracklets (P,), judged."""
        cosines = self._gallery.vectors[rows] @ asked.vector
        likest = np.argsort(-cosines, kind="stable")[:LIKEST]
        evidence = self._evidence(asked, rows[likest])
        for other in others:
            evidence -= np.maximum(self._evidence(other, rows[likest]), 0)
        log_odds = float(evidence.mean())
        return Hit(
            identity=identity,
            probability=float(expit(log_odds)),
            log_odds=log_odds,
            similarity=float(cosines[likest[0]]),
            tracklets=tuple(map(self._sighting, rows[likest].tolist())),
            compared=len(rows),
        )

    def _sighting(self, position: int) -> Sighting:
        seen = self._gallery.passages
        enter_us, leave_us = int(seen.starts[position]), int(seen.ends[position])
        return Sighting(
            tracklet=self._gallery.key(position),
            camera=seen.names[int(seen.camera[position])],
            enter=to_iso(enter_us),
            leave=to_iso(leave_us),
            enter_us=enter_us,
            leave_us=leave_us,
        )

    def _crowded(self, vector: FloatArray, shown: IntArray) -> _Asked:
        return _Asked(vector, self._gallery.crowding_around(vector, shown))

    def _evidence(self, asked: _Asked, rows: IntArray) -> DoubleArray:
        """Log-odds (P,) that tracklets are of whom a vector shows."""
        gallery = self._gallery
        crowding = (gallery.crowding(rows) + asked.crowding) / 2
        return gallery.scale.log_odds(gallery.vectors[rows] @ asked.vector - crowding)


def _mean(shown: Sequence[Shown]) -> FloatArray:
    """The mean of vectors, at unit length (D,).

    Raises:
        StoreError: There are none, or they cancel out.
    """
    mean = np.sum([one.vector for one in shown], axis=0)
    length = float(np.linalg.norm(mean))
    if not length > 0:
        raise StoreError("expected pictures or tracklets of one person to search for, got none")
    return np.asarray(mean / length, np.float32)
