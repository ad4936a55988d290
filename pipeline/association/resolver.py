"""Tracklets and embeddings in, identities out, each link with its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import logit

from pipeline.association.appearance import CameraOffsets, SimilarityScale
from pipeline.association.candidates import candidate_pairs, with_whole_identities
from pipeline.association.constraints import Transitions, cannot_link
from pipeline.association.correlation_clustering import correlation_clustering
from pipeline.association.crowding import contrasts, with_crowding
from pipeline.association.evidence import UNINFORMED_LOG_ODDS, PairTable, links
from pipeline.association.floor_fit import CameraFit, camera_fits, corrected
from pipeline.association.floor_tracks import FloorSamples, floor_tracks, sampled
from pipeline.association.ground_plane import LONGEST_GAP_SECONDS, ground_plane_log_odds
from pipeline.association.looks import Looks
from pipeline.association.metric.metric import LocalityAwareMetric
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.association.seen import Seen
from pipeline.association.support import unsupported
from pipeline.association.transitions import (
    TransitionTimes,
    is_given,
    learn_transition_times,
    prior_log_odds,
)
from pipeline.config import AssociationSettings
from pipeline.types import (
    UNSUPPORTED,
    BoolArray,
    Calibrations,
    DoubleArray,
    Embedding,
    IntArray,
    Link,
    NoEmbedding,
    Tracklet,
)

METHOD = "correlation-clustering"
SAME_TRACK_LOG_ODDS = 8.0
"""Pieces of one track, cut only because the passage was long."""
EDIT_LOG_ODDS = 100.0
"""What a user decided outweighs all else."""


@dataclass(frozen=True, slots=True)
class Edits:
    """What users decided, by keys of tracklets (`camera/track`); holds against all evidence.

    Attributes:
        together: Pairs that are one person.
        apart: Pairs that are not.
    """

    together: tuple[tuple[str, str], ...] = ()
    apart: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of a site beside its tracklets.

    Attributes:
        calibrations: By camera id.
        transitions: The site's own, by ordered pair of cameras; learned where absent.
        settings: Thresholds.
        edits: What users decided.
        metric: Reads embeddings where it was trained to, in the place of their cosine.
    """

    calibrations: Calibrations
    transitions: Transitions
    settings: AssociationSettings
    edits: Edits = Edits()
    metric: LocalityAwareMetric | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """What a site's own tracklets taught, with which pairs are measured.

    Attributes:
        offsets: What each camera does to all embeddings.
        scale: How a contrast reads.
        times: Times between cameras; None where too few links were made to learn them.
        fits: Cameras whose clock or floor is not that of the others.
    """

    offsets: CameraOffsets
    scale: SimilarityScale
    times: TransitionTimes | None
    fits: tuple[CameraFit, ...] = ()

    @classmethod
    def learned(
        cls, seen: Seen, knowledge: Knowledge, times: TransitionTimes | None
    ) -> tuple["Measure", Looks]:
        """From the tracklets of a run, or of a window; times between cameras are given.

        With it come the embeddings as they are compared: without the cameras' offsets, and with
        how crowded it is around each.
        """
        passages = seen.passages
        offsets = CameraOffsets.learned(seen.looks, passages)
        impossible = cannot_link(passages, knowledge.transitions)
        looks = offsets.taken_away(seen.looks, passages)
        looks = with_crowding(looks, passages, impossible, np.ones(len(seen), np.bool_))
        threshold = knowledge.settings.similarity_threshold
        scale = SimilarityScale.for_run(looks, passages, impossible, threshold)
        return cls(offsets, scale, times, camera_fits(seen, knowledge.calibrations)), looks


def associate(
    tracklets: Sequence[Tracklet],
    embeddings: Sequence[Embedding | NoEmbedding],
    knowledge: Knowledge,
    decided_at_us: int,
) -> list[Link]:
    """One link a tracklet, identities numbered from 1 in order of their first appearance.

    The result depends on the tracklets alone, not on their order: they are taken by start, camera
    and number. In a second round the times between cameras count, where the first links enough to
    learn them.

    Args:
        tracklets: N tracklets of one run.
        embeddings: Theirs, N.
        knowledge: Of the site.
        decided_at_us: What to put down as the time of the decision.
    """
    seen = Seen.of(tracklets, embeddings)
    problem, clusters = first_round(seen, knowledge)
    times = learn_transition_times(seen.passages, clusters, knowledge.settings.max_absence_seconds)
    if times is not None:
        problem = problem.with_times(seen.passages, knowledge.transitions, times)
        clusters = problem.solved()
    every = np.arange(len(seen))
    found = links(seen.tracklets, problem.table, clusters + 1, decided_at_us, METHOD, every)
    return marked(found, problem.things(seen, knowledge.calibrations, clusters))


def marked(found: Sequence[Link], is_thing: BoolArray) -> list[Link]:
    """The links, those to what is no person as such."""
    return [
        replace(link, method=UNSUPPORTED) if thing else link
        for link, thing in zip(found, is_thing.tolist(), strict=True)
    ]


def first_round(seen: Seen, knowledge: Knowledge) -> tuple["Problem", IntArray]:
    """The evidence on pairs of N tracklets, and clusters (N,) without times between cameras."""
    measure, looks = Measure.learned(seen, knowledge, None)
    problem = pose(seen, looks, knowledge, measure)
    return problem, problem.solved()


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Evidence on pairs of N tracklets, and what holds against all evidence.

    Attributes:
        table: The evidence.
        apart: Pairs that are two people.
        together: Pairs that are one.
        floor: Where the tracklets stood.
        caution: Log-odds beyond which evidence makes a link; 0: what is likelier than not.
    """

    table: PairTable
    apart: Pairs
    together: Pairs
    floor: FloorSamples
    caution: float = 0.0

    def solved(self) -> IntArray:
        """Who is who: clusters (N,) from 0 in order of their first members."""
        return correlation_clustering(
            self.table.pairs,
            self.table.log_odds() - self.caution,
            default=UNINFORMED_LOG_ODDS - self.caution,
            apart=self.apart,
            together=self.together,
        )

    def with_together(self, more: Pairs) -> "Problem":
        """With more pairs that are one person, whatever else cannot be."""
        together = Pairs.both(self.together, more)
        return replace(self, together=together, apart=_without(self.apart, together))

    def with_apart(self, more: Pairs) -> "Problem":
        """With more pairs that are two people."""
        return replace(self, apart=Pairs.both(self.apart, more))

    def things(self, seen: Seen, calibrations: Calibrations, clusters: IntArray) -> BoolArray:
        """Who (N,) is rather a thing than a person, but for what a user has joined."""
        is_thing = unsupported(seen, self.floor, calibrations, clusters)
        return is_thing & ~np.isin(clusters, clusters[self.together.first])

    def with_times(
        self, passages: Passages, transitions: Transitions, times: TransitionTimes
    ) -> "Problem":
        """With learned times between cameras, where the site itself gives none."""
        learned = times.of(passages, self.table.pairs)
        learned[is_given(passages, self.table.pairs, transitions)] = 0
        transition_time = self.table.transition_time + learned
        return replace(self, table=replace(self.table, transition_time=transition_time))


def pose(
    seen: Seen,
    looks: Looks,
    knowledge: Knowledge,
    measure: Measure,
    free: BoolArray | None = None,
    known: IntArray | None = None,
) -> Problem:
    """What is known about pairs of N tracklets.

    Args:
        seen: The tracklets.
        looks: Their embeddings as they are compared.
        knowledge: Of the site.
        measure: How to read cosines and times.
        free: Whose pairs are wanted (N,); absent: all.
        known: Identity (N,) of each that is not free, others -1: who is compared with one of an
            identity is compared with all of it.
    """
    passages, settings = seen.passages, knowledge.settings
    free = np.ones(len(seen), np.bool_) if free is None else free
    decided = _decided(seen.tracklets, knowledge.edits)
    impossible = cannot_link(passages, knowledge.transitions)
    samples = _on_floor(seen, knowledge.calibrations, measure.fits, free)
    longest_s = settings.max_absence_seconds
    pairs = candidate_pairs(passages, looks, longest_s, impossible, free, samples)
    if known is not None:
        pairs = with_whole_identities(pairs, known)
    pairs = Pairs.both(pairs, Pairs.both(decided.together, decided.apart))
    similarity = looks.similarities(pairs)
    ground, too_fast = ground_plane_log_odds(samples, settings.ground_plane_sigma_m, pairs)
    chains = passages.chains
    given = prior_log_odds(passages, pairs, knowledge.transitions)
    edited = pairs.among(decided.together).astype(np.float64) - pairs.among(decided.apart)
    table = PairTable(
        pairs=pairs,
        similarity=similarity,
        appearance=_appearance(looks, passages, pairs, measure.scale, knowledge.metric),
        transition_time=given + SAME_TRACK_LOG_ODDS * (chains[pairs.first] == chains[pairs.second]),
        ground_plane=ground,
        edits=edited * EDIT_LOG_ODDS,
    )
    never = Pairs.both(Pairs.both(impossible, pairs.where(too_fast)), decided.apart)
    caution = float(logit(settings.least_confidence))
    apart = _without(never, decided.together)
    problem = Problem(table, apart, decided.together, samples, caution)
    if measure.times is None:
        return problem
    return problem.with_times(passages, knowledge.transitions, measure.times)


def _on_floor(
    seen: Seen, calibrations: Calibrations, fits: Sequence[CameraFit], free: BoolArray
) -> FloorSamples:
    """Where tracklets stood; of those long before and after all that are free it is not asked."""
    starts, ends = seen.passages.starts, seen.passages.ends
    reach_us = round(LONGEST_GAP_SECONDS * 1e6)
    near = np.zeros(len(seen), np.bool_)
    if calibrations and free.any():
        near = (starts <= ends[free].max() + reach_us) & (ends >= starts[free].min() - reach_us)
    rows = np.flatnonzero(near)
    tracklets = [seen.tracklets[row] for row in rows.tolist()]
    tracks = floor_tracks(tracklets, calibrations)
    right = corrected(tracks, [each.camera_id for each in tracklets], fits)
    return sampled(right).among(len(seen), rows)


def _appearance(
    looks: Looks,
    passages: Passages,
    pairs: Pairs,
    scale: SimilarityScale,
    metric: LocalityAwareMetric | None,
) -> DoubleArray:
    """Evidence (P,) of embeddings: by the metric where it serves a pair, else by contrast."""
    evidence = scale.log_odds(contrasts(looks, pairs))
    if metric is None:
        return evidence
    same_camera, gaps_s = passages.same_camera(pairs), passages.gaps_s(pairs)
    for encoder, rows, first, second in looks.compared(pairs):
        if encoder == metric.encoder:
            found = metric.log_odds(first, second, same_camera[rows], gaps_s[rows])
            evidence[rows] = np.where(np.isnan(found), evidence[rows], found)
    return evidence


@dataclass(frozen=True, slots=True)
class _Decided:
    """Users' decisions as pairs of tracklets."""

    together: Pairs
    apart: Pairs


def _decided(tracklets: Sequence[Tracklet], edits: Edits) -> _Decided:
    """Decisions about tracklets that are here."""
    if not edits.together and not edits.apart:
        return _Decided(Pairs.none(len(tracklets)), Pairs.none(len(tracklets)))
    index = {tracklet.key: number for number, tracklet in enumerate(tracklets)}

    def pairs(keys: tuple[tuple[str, str], ...]) -> Pairs:
        known = [
            (index[one], index[other]) for one, other in keys if one in index and other in index
        ]
        columns = np.array(known, np.int64).reshape(-1, 2)
        return Pairs.of(len(index), columns[:, 0], columns[:, 1])

    return _Decided(pairs(edits.together), pairs(edits.apart))


def _without(apart: Pairs, together: Pairs) -> Pairs:
    """What a user has joined is not kept apart by what cannot be: a person may be found twice."""
    groups = together.components()
    return apart.where(groups[apart.first] != groups[apart.second])
