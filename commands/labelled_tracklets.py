"""Tracklets of stored runs with who they are: from ground truth, or as far as the run is sure."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from pipeline.association.appearance import CameraOffsets
from pipeline.association.looks import Looks
from pipeline.association.metric.training.recipe import Source
from pipeline.association.metric.training.self_labels import (
    SelfLabels,
    pieces_of_tracks,
    self_labels,
)
from pipeline.association.metric.training.tracklets import LabelledTracklets, joined
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.errors import UserError
from pipeline.evaluation.camera_tracks import identified
from pipeline.evaluation.distractors import counted_truth, without_distractors
from pipeline.evaluation.ground_truth import load_ground_truth
from pipeline.evaluation.purity import count_meetings
from pipeline.types import (
    BoolArray,
    Embedding,
    EncoderIdentity,
    FloatArray,
    IntArray,
    NoEmbedding,
    Tracklet,
)
from storage import queries
from storage.store import open_store
from storage.sure_links import sure_links

MIN_PURITY: Final = 0.8
"""Of the boxes that meet somebody, so many must meet the tracklet's person ..."""
MIN_MET: Final = 0.5
"""... and so many of all must meet somebody."""
NOBODY: Final = -1


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source held.

    Attributes:
        source: Database and run.
        labels: Where it is known from who is who.
        tracklets: Those taken.
        without_embedding: Left out.
        impure: Left out because they meet nobody, or more than one person.
        contradictory: Persons given up who would be in one view twice.
    """

    source: str
    labels: str
    tracklets: int
    without_embedding: int
    impure: int
    contradictory: int


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """All sources as one."""

    tracklets: LabelledTracklets
    encoder: EncoderIdentity
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """The tracklets of a run that have embeddings.

    Attributes:
        name: Database and number, for messages.
        cameras: Names of its cameras.
        tracklets: N tracklets.
        embeddings: Theirs.
        links: Keys of two tracklets each that the run is sure are one person.
        without_embedding: How many more tracklets there are.
    """

    name: str
    cameras: list[str]
    tracklets: list[Tracklet]
    embeddings: list[Embedding]
    links: list[tuple[str, str]]
    without_embedding: int

    @property
    def camera(self) -> IntArray:
        """Number of each tracklet's camera (N,)."""
        return np.array([self.cameras.index(t.camera_id) for t in self.tracklets], np.int64)

    @property
    def starts(self) -> IntArray:
        """(N,) microseconds UTC."""
        return np.array([tracklet.start_us for tracklet in self.tracklets], np.int64)

    @property
    def ends(self) -> IntArray:
        """(N,) microseconds UTC."""
        return np.array([tracklet.end_us for tracklet in self.tracklets], np.int64)


class Sources:
    """Reads runs; people of one ground truth are the same in all of them.

    Args:
        sure_log_odds: Without ground truth, links at least so sure are one person.
    """

    def __init__(self, sure_log_odds: float) -> None:
        self._sure_log_odds = sure_log_odds
        self._encoders: list[EncoderIdentity] = []
        self._people: dict[tuple[str, int], int] = {}
        self._cameras = 0
        self._runs = 0

    def read(self, sources: Sequence[Source]) -> Labelled:
        """The tracklets of some runs.

        Raises:
            UserError: A run or its ground truth is not there, has no embeddings, or has some of
                another encoder.
        """
        parts, readings = zip(*(self._labelled(source) for source in sources), strict=True)
        return Labelled(joined(parts), self._encoders[0], readings)

    def _labelled(self, source: Source) -> tuple[LabelledTracklets, Reading]:
        run = _read(source, self._sure_log_odds)
        self._check_encoder(run)
        if source.ground_truth is not None:
            person, labels = _true_people(source.ground_truth, run), str(source.ground_truth)
            apart, contradictory = np.empty((0, 2), np.int64), 0
        else:
            own = _own_labels(source, run)
            person, labels = own.person, run.name
            apart, contradictory = self._numbers(labels, own.apart), own.contradictory
        taken = person != NOBODY
        count = int(np.count_nonzero(taken))
        part = LabelledTracklets(
            vectors=_without_offsets(run)[taken],
            encoded=_vectors(run.embeddings)[taken],
            runs=np.full(count, self._runs),
            cameras=run.camera[taken] + self._cameras,
            start_us=run.starts[taken],
            end_us=run.ends[taken],
            person=self._numbers(labels, person[taken]),
            is_true=np.full(count, source.ground_truth is not None),
            apart=apart,
        )
        self._runs += 1
        self._cameras += len(run.cameras)
        left_out = run.without_embedding, len(taken) - count, contradictory
        return part, Reading(run.name, labels, count, *left_out)

    def _check_encoder(self, run: _Run) -> None:
        if not run.embeddings:
            raise UserError(f"{run.name}: no tracklet has an embedding to learn from")
        self._encoders += dict.fromkeys(embedding.encoder for embedding in run.embeddings)
        for other in self._encoders:
            if other != self._encoders[0]:
                raise UserError(
                    f"{run.name}: expected embeddings by {self._encoders[0].words}, got some by"
                    f" {other.words}: `reembed` the run"
                )

    def _numbers(self, labels: str, people: IntArray) -> IntArray:
        """Numbers of people of a source of labels that nobody of another source has."""
        names = np.unique(people)
        new = [self._people.setdefault((labels, int(n)), len(self._people)) for n in names]
        places = np.searchsorted(names, people)
        return np.array(new, np.int64)[places].reshape(people.shape)


def _read(source: Source, sure_log_odds: float) -> _Run:
    with open_store(source.database, create=False) as store:
        run_id = queries.resolve_run(store, None if source.run == "latest" else source.run)
        stored = store.load_tracklets(run_id)
        seen = [(t, embedding) for t, embedding in stored if isinstance(embedding, Embedding)]
        return _Run(
            name=f"{store.name}, run {run_id}",
            cameras=queries.cameras(store, run_id),
            tracklets=[tracklet for tracklet, _ in seen],
            embeddings=[embedding for _, embedding in seen],
            links=sure_links(store, run_id, sure_log_odds),
            without_embedding=len(stored) - len(seen),
        )


def _true_people(folder: Path, run: _Run) -> IntArray:
    """Who each tracklet (N,) is; `NOBODY` where not pure enough, or its camera has no truth."""
    truth = load_ground_truth(folder, run.cameras)
    found = identified(run.cameras, run.tracklets, np.arange(len(run.tracklets)))
    lengths = np.array([len(tracklet.scores) for tracklet in run.tracklets])
    person = np.full(len(run.tracklets), NOBODY)
    for camera in (one for one in found if one.camera_id in truth):
        own = truth[camera.camera_id]
        rows, people, meetings = count_meetings(
            counted_truth(own), without_distractors(own, camera)
        )
        if not len(people):
            continue
        met, most = meetings.sum(axis=1), meetings.max(axis=1)
        is_pure = (most >= MIN_PURITY * met) & (met >= MIN_MET * lengths[rows])
        person[rows[is_pure]] = people[meetings.argmax(axis=1)][is_pure]
    return person


def _own_labels(source: Source, run: _Run) -> SelfLabels:
    """What the run itself is sure of."""
    tracks = np.array([tracklet.track_id for tracklet in run.tracklets], np.int64)
    parts = np.array([tracklet.part for tracklet in run.tracklets], np.int64)
    pieces = pieces_of_tracks(run.camera, tracks, parts)
    places = {tracklet.key: index for index, tracklet in enumerate(run.tracklets)}
    linked = [(places[a], places[b]) for a, b in run.links if a in places and b in places]
    first, second = np.array(linked, np.int64).reshape(-1, 2).T
    sure = Pairs.of(
        len(tracks),
        np.concatenate([pieces.first, first]),
        np.concatenate([pieces.second, second]),
    )
    return self_labels(run.camera, run.starts, run.ends, sure, _apart_cameras(source, run))


def _apart_cameras(source: Source, run: _Run) -> BoolArray:
    """Which two cameras (C, C) never see one person at the same time; each and itself do not."""
    if source.overlapping is None:
        return np.eye(len(run.cameras), dtype=bool)
    apart = np.ones((len(run.cameras), len(run.cameras)), bool)
    for pair in source.overlapping:
        for name in pair:
            if name not in run.cameras:
                raise UserError(f"{run.name}: overlapping: expected one of its cameras, got {name}")
        one, other = (run.cameras.index(name) for name in pair)
        apart[one, other] = apart[other, one] = False
    return apart


def _without_offsets(run: _Run) -> FloatArray:
    """The vectors (N, D) as association compares them."""
    looks, passages = Looks.of(run.embeddings), Passages.of(run.tracklets)
    return CameraOffsets.learned(looks, passages).taken_away(looks, passages).galleries[0].vectors


def _vectors(embeddings: Sequence[Embedding | NoEmbedding]) -> FloatArray:
    found = [embedding.vector for embedding in embeddings if isinstance(embedding, Embedding)]
    return np.stack(found)
