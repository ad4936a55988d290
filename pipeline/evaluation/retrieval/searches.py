"""One search after another: a query's similarities to the gallery, and what a protocol makes of it.

Memory is bounded: of embeddings, a block of queries is compared with the gallery at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from pipeline.reid.datasets.protocols import Protocol as RetrievalProtocol
from pipeline.types import BoolArray, FloatArray, IntArray

BLOCK_SIMILARITIES: Final = 2**22
"""Similarities computed at once: 16 MB of float32."""
NO_PLACE: Final = np.iinfo(np.int64).min

Similarities = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Who is in each clip, and which camera saw it: int64 (N,) each."""

    identities: IntArray
    cameras: IntArray

    def __post_init__(self) -> None:
        for name in ("identities", "cameras"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), np.int64))
        if self.identities.ndim != 1 or self.identities.shape != self.cameras.shape:
            raise ValueError(
                "expected one identity and one camera a clip, got "
                f"{self.identities.shape} and {self.cameras.shape}"
            )


class Rows(Protocol):
    """Where the similarities of queries to the gallery come from."""

    shape: tuple[int, int]

    def rows(self, queries: IntArray, columns: IntArray | None) -> Iterator[Similarities]:
        """Similarities of each query to the gallery entries `columns`, all where it is None."""
        ...


class Matrix:
    """Similarities (Q, G) that are there already; larger is more alike."""

    def __init__(self, similarities: Similarities) -> None:
        self.shape = similarities.shape[0], similarities.shape[1]
        self._similarities = similarities

    def rows(self, queries: IntArray, columns: IntArray | None) -> Iterator[Similarities]:
        for query in queries:
            row = self._similarities[query]
            # The mode spares a check of every index; three times as fast as row[columns].
            yield row if columns is None else row.take(columns, mode="clip")


class Embeddings:
    """Cosines of unit vectors (Q, D) and (G, D), a block of queries at a time."""

    def __init__(self, queries: FloatArray, gallery: FloatArray) -> None:
        self.shape = len(queries), len(gallery)
        self._queries, self._gallery = queries, gallery

    def rows(self, queries: IntArray, columns: IntArray | None) -> Iterator[Similarities]:
        gallery = self._gallery if columns is None else self._gallery[columns]
        step = max(1, BLOCK_SIMILARITIES // max(1, len(gallery)))
        for start in range(0, len(queries), step):
            yield from self._queries[queries[start : start + step]] @ gallery.T


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """One query and what it is compared with; junk and the query's place are not among it.

    Attributes:
        query: Which query.
        similarities: To the M gallery entries that count or are of the query's identity.
        identities: Who they are, (M,).
        own: Which of them are of the query's identity, rising.
        is_right: Which of `own` are right answers; the others are neither right nor wrong.
    """

    query: int
    similarities: Similarities
    identities: IntArray
    own: IntArray
    is_right: BoolArray

    @property
    def right(self) -> Similarities:
        """Similarities of the right answers."""
        return self.similarities[self.own[self.is_right]]


def searches(
    source: Rows, queries: Labels, gallery: Labels, protocol: RetrievalProtocol
) -> Iterator[Search]:
    """All searches, by place and then by number of the query.

    Raises:
        ValueError: Labels do not fit the similarities, a similarity is not a number, or queries in
            the gallery would find themselves.
    """
    shape = len(queries.identities), len(gallery.identities)
    if source.shape != shape:
        raise ValueError(f"similarities: expected {shape} as the labels say, got {source.shape}")
    if protocol.queries_in_gallery and not protocol.ignore_same_camera:
        raise ValueError(
            f"protocol {protocol.name}: queries that are in the gallery find themselves, unless "
            "ignore_same_camera leaves them out"
        )
    is_counted = ~np.isin(gallery.identities, list(protocol.junk))
    query_places, gallery_places = _places(queries, protocol), _places(gallery, protocol)
    for place in np.unique(query_places):
        columns = is_counted.copy()
        if place != NO_PLACE:
            columns &= gallery_places != place
        rows = np.flatnonzero(query_places == place)
        yield from _searches_of_place(source, rows, columns, queries, gallery, protocol)


def _places(labels: Labels, protocol: RetrievalProtocol) -> IntArray:
    """The group of each clip's camera (N,)."""
    groups = protocol.camera_groups
    return np.array([groups.get(camera, NO_PLACE) for camera in labels.cameras.tolist()], np.int64)


def _searches_of_place(
    source: Rows,
    rows: IntArray,
    is_counted: BoolArray,
    queries: Labels,
    gallery: Labels,
    protocol: RetrievalProtocol,
) -> Iterator[Search]:
    columns = np.flatnonzero(is_counted)
    identities, cameras = gallery.identities[columns], gallery.cameras[columns]
    members = _members(identities)
    nobody = np.empty(0, np.int64)
    unsought = protocol.junk | protocol.distractors
    whole = None if is_counted.all() else columns
    for query, similarities in zip(rows.tolist(), source.rows(rows, whole), strict=True):
        if similarities.size and np.isnan(similarities.min()):
            raise ValueError(f"similarities of query {query}: expected numbers, got NaN")
        identity = int(queries.identities[query])
        own = members.get(identity, nobody)
        is_right = np.full(len(own), identity not in unsought)
        if protocol.ignore_same_camera:
            is_right &= cameras[own] != queries.cameras[query]
        yield Search(query, similarities, identities, own, is_right)


def _members(identities: IntArray) -> dict[int, IntArray]:
    """Where each identity stands."""
    order = np.argsort(identities, kind="stable")
    values, starts = np.unique(identities[order], return_index=True)
    parts = np.split(order, starts[1:]) if len(values) else []
    return dict(zip(values.tolist(), parts, strict=True))
