"""What is searched: the tracklets of a run in memory, as association compares them."""

from collections.abc import Collection
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Row, Select, select

from pipeline.association.appearance import CameraOffsets, SimilarityScale
from pipeline.association.constraints import cannot_link
from pipeline.association.crowding import CROWD, NEIGHBOURS, with_crowding
from pipeline.association.looks import Gallery, Looks
from pipeline.association.passages import Passages
from pipeline.errors import StoreError
from pipeline.types import (
    UNSUPPORTED,
    BoolArray,
    DoubleArray,
    EncoderIdentity,
    FloatArray,
    IntArray,
)
from storage.engine import reading
from storage.explanations import parsed
from storage.queries import Period, held
from storage.rows import HALF, run_cameras, tracklet_ids_of, tracklet_key
from storage.schema import Camera, EmbeddingRow, Encoder, Identity, LinkRow, TrackletRow
from storage.store import Store

LEARNED_FROM: Final = 50_000
SCALED_ON: Final = 4_000
"""Of so many tracklets at most the cameras' offsets, and how a contrast reads, are learned."""
ROWS_AT_ONCE: Final = 10_000


class SearchGallery:
    """N tracklets that have an embedding of one encoder, by start, camera, track and part.

    It takes a kilobyte and a half a tracklet at 256 numbers, and can be searched many times.

    Args:
        encoder: Who made the embeddings.
        passages: N.
        identities: (N,), 0 for what is nobody's, or rather a thing's.
        vectors: (N, D) float32 as the encoder made them; they are changed.
        threshold: The site's own `similarity_threshold`, if it sets one.
    """

    def __init__(
        self,
        encoder: EncoderIdentity,
        passages: Passages,
        identities: IntArray,
        vectors: FloatArray,
        threshold: float | None,
    ) -> None:
        self.encoder, self.passages, self.identities = encoder, passages, identities
        self.vectors = _without_offsets(encoder, passages, vectors)
        self._chains = passages.chains
        self._crowding = np.full(len(passages), np.nan)
        latest = np.arange(max(len(passages) - SCALED_ON, 0), len(passages))
        shown = passages.take(latest)
        impossible = cannot_link(shown, {})
        looks = _looks(encoder, self.vectors[latest])
        looks = with_crowding(looks, shown, impossible, np.ones(len(latest), np.bool_))
        self.scale = SimilarityScale.for_run(looks, shown, impossible, threshold)
        self._usual = latest
        self._by_identity = np.argsort(identities, kind="stable")
        self._ranked = identities[self._by_identity]

    @classmethod
    def load(
        cls,
        store: Store,
        run_id: int,
        encoder: EncoderIdentity,
        threshold: float | None = None,
        as_of_us: int | None = None,
    ) -> "SearchGallery":
        """The tracklets of a run that have an embedding of this encoder.

        Raises:
            StoreError: There are none.
        """
        with reading(store.engine) as connection:
            names = tuple(run_cameras(connection, run_id))
            columns, vectors = _read(connection, run_id, names, encoder, as_of_us)
        if not len(vectors):
            raise StoreError(f"run {run_id}: it has no embeddings by {encoder.words}")
        nowhere = np.full((len(vectors), 2), np.nan)  # nobody asks where
        camera, starts, ends, track, part, identities = columns
        passages = Passages(names, camera, starts, ends, track, part, nowhere, nowhere)
        return cls(encoder, passages, identities, vectors, threshold)

    def __len__(self) -> int:
        return len(self.passages)

    def position(self, tracklet: str) -> int:
        """Where in the gallery a tracklet is.

        Raises:
            StoreError: It has no embedding of this encoder.
        """
        seen, (camera, track, part) = self.passages, parsed(tracklet)
        known = seen.names.index(camera) if camera in seen.names else -1
        is_it = (seen.camera == known) & (seen.track == track) & (seen.part == part)
        found = np.flatnonzero(is_it)
        if not len(found):
            raise StoreError(f"{tracklet} has no embedding by {self.encoder.words}")
        return int(found[0])

    def key(self, position: int) -> str:
        """The key of the tracklet at a position."""
        seen = self.passages
        camera = seen.names[int(seen.camera[position])]
        return tracklet_key(camera, int(seen.track[position]), int(seen.part[position]))

    def people(self, period: Period, cameras: Collection[str]) -> BoolArray:
        """Which tracklets (N,) are of people whom these cameras, or any, saw within a period.

        Raises:
            StoreError: The run has no such camera.
        """
        seen = self.passages
        for name in cameras:
            if name not in seen.names:
                known = ", ".join(seen.names)
                raise StoreError(f"expected a camera of the run, got {name}; it has {known}")
        found = (self.identities > 0) & (seen.starts <= period.to_us)
        found &= seen.ends >= period.from_us
        if cameras:
            found &= np.isin(seen.camera, [seen.names.index(name) for name in cameras])
        return np.asarray(found)

    def members(self, identity: int) -> IntArray:
        """Positions of an identity's tracklets."""
        low, high = np.searchsorted(self._ranked, (identity, identity + 1))
        return np.asarray(self._by_identity[low:high])

    def crowding(self, positions: IntArray) -> DoubleArray:
        """How crowded it is around tracklets (P,); see `association/crowding.py`."""
        for position in positions[np.isnan(self._crowding[positions])].tolist():
            self._crowding[position] = self._crowding_of(position)
        return np.asarray(self._crowding[positions])

    def crowding_around(self, vector: FloatArray, left_out: IntArray) -> float:
        """How crowded it is around a vector (D,) that was seen at no time: among the latest."""
        first = int(self._usual[0])
        cosines = self.vectors[first:] @ vector
        return _mean_of_likest(np.delete(cosines, left_out[left_out >= first] - first))

    def _crowding_of(self, position: int) -> float:
        """Among those shortly before and after, but for pieces of its track and who was in view
        of its camera with it."""
        seen = self.passages
        near = slice(max(position - NEIGHBOURS, 0), position + NEIGHBOURS + 1)
        at_once = (seen.starts[near] <= seen.ends[position]) & (
            seen.ends[near] >= seen.starts[position]
        )
        never = (self._chains[near] == self._chains[position]) | (
            at_once & (seen.camera[near] == seen.camera[position])
        )
        return _mean_of_likest((self.vectors[near] @ self.vectors[position])[~never])


def encoder_of(store: Store, run_id: int, tracklet: str) -> EncoderIdentity:
    """Which encoder made the embedding of a tracklet.

    Raises:
        StoreError: The run has no such tracklet, or it has no embedding.
    """
    key = tracklet_key(*parsed(tracklet))
    with reading(store.engine) as connection:
        row_id = tracklet_ids_of(connection, run_id, [key]).get(key)
        query = (
            select(Encoder.name, Encoder.sha256, Encoder.dimension)
            .join(EmbeddingRow, EmbeddingRow.encoder_id == Encoder.id)
            .where(EmbeddingRow.tracklet_id == row_id)
        )
        found = connection.execute(query).first()
    if found is None:
        missing = "tracklet" if row_id is None else "embedding of"
        raise StoreError(f"run {run_id} has no {missing} {tracklet}")
    return EncoderIdentity(*found)


def _mean_of_likest(cosines: FloatArray) -> float:
    if len(cosines) == 0:
        return 0.0
    count = min(CROWD, len(cosines))
    return float(-np.partition(-cosines, count - 1)[:count].mean())


def _looks(encoder: EncoderIdentity, vectors: FloatArray) -> Looks:
    members = np.arange(len(vectors))
    return Looks(len(vectors), (Gallery(encoder, members, vectors, np.zeros(len(vectors))),))


def _without_offsets(
    encoder: EncoderIdentity, passages: Passages, vectors: FloatArray
) -> FloatArray:
    """The vectors (N, D) as if all cameras had seen alike, at unit length, in their own place."""
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(len(vectors), LEARNED_FROM)).astype(int))
    some = _looks(encoder, vectors[rows])
    shifts = CameraOffsets.learned(some, passages.take(rows)).shifts[encoder]
    none = np.zeros(encoder.dimension)
    table = np.stack([shifts.get(name, none) for name in passages.names]).astype(np.float32)
    for begin in range(0, len(vectors), ROWS_AT_ONCE):
        block = vectors[begin : begin + ROWS_AT_ONCE]
        block -= table[passages.camera[begin : begin + ROWS_AT_ONCE]]
        block /= np.maximum(np.linalg.norm(block, axis=1, keepdims=True), 1e-12)
    return vectors


def _read(
    connection: Connection,
    run_id: int,
    names: tuple[str, ...],
    encoder: EncoderIdentity,
    as_of_us: int | None,
) -> tuple[list[IntArray], FloatArray]:
    """Camera, start, end, track, part and identity (N,) each, and vectors (N, D), by start."""
    places = {name: place for place, name in enumerate(names)}
    columns: list[IntArray] = []
    vectors: list[FloatArray] = []
    values = {"as_of_us": as_of_us}
    streamed = connection.execution_options(yield_per=ROWS_AT_ONCE).execute(
        _query(run_id, encoder, as_of_us), values
    )
    for rows in streamed.partitions():
        columns.append(np.array([_numbers(row, places) for row in rows], np.int64))
        joined = np.frombuffer(b"".join(row.vector for row in rows), HALF)
        vectors.append(joined.reshape(len(rows), encoder.dimension).astype(np.float32))
    table = np.concatenate(columns) if columns else np.empty((0, 6), np.int64)
    shape = (0, encoder.dimension)
    every = np.concatenate(vectors) if vectors else np.empty(shape, np.float32)
    order = np.lexsort((table[:, 4], table[:, 3], table[:, 0], table[:, 1]))
    return list(table[order].T), every[order]


def _numbers(row: Row[*tuple[Any, ...]], places: dict[str, int]) -> tuple[int, ...]:
    is_person = row.number is not None and row.method != UNSUPPORTED
    times = row.start_us, row.end_us
    return places[row.name], *times, row.track_id, row.part, row.number if is_person else 0


def _query(run_id: int, encoder: EncoderIdentity, as_of_us: int | None) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Camera.name,
            TrackletRow.start_us,
            TrackletRow.end_us,
            TrackletRow.track_id,
            TrackletRow.part,
            Identity.number,
            LinkRow.method,
            EmbeddingRow.vector,
        )
        .select_from(TrackletRow)
        .join(Camera, Camera.id == TrackletRow.camera_id)
        .join(EmbeddingRow, EmbeddingRow.tracklet_id == TrackletRow.id)
        .join(Encoder, Encoder.id == EmbeddingRow.encoder_id)
        .outerjoin(LinkRow, (LinkRow.tracklet_id == TrackletRow.id) & held(as_of_us))
        .outerjoin(Identity, Identity.id == LinkRow.identity_id)
        .where(
            TrackletRow.run_id == run_id,
            Encoder.name == encoder.name,
            Encoder.sha256 == encoder.sha256,
        )
    )
