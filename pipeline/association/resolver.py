"""Tracklets and embeddings in, identities out, each link with its evidence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.association.appearance import (
    SimilarityScale,
    similarities,
    without_camera_offsets,
)
from pipeline.association.clustering import average_link
from pipeline.association.constraints import (
    Transitions,
    cannot_link,
    same_track,
    transition_log_odds,
)
from pipeline.association.ground_plane import ground_plane_log_odds
from pipeline.config import AssociationSettings
from pipeline.types import (
    BoolArray,
    Calibrations,
    DoubleArray,
    Embedding,
    Evidence,
    IntArray,
    Link,
    NoEmbedding,
    PairEvidence,
    Tracklet,
)

METHOD = "average-link"
UNINFORMED_LOG_ODDS = -0.5
"""A pair about which nothing is known is rather two people: there are many."""
SAME_TRACK_LOG_ODDS = 8.0
"""Pieces of one track, cut only because the passage was long."""
PAIRS_KEPT = 5
"""Strongest pairs kept with a link, and as many of its closest rivals."""


@dataclass(frozen=True, slots=True, eq=False)
class PairTable:
    """What is known about every pair of N tracklets; symmetric (N, N) arrays, log-odds.

    Attributes:
        similarity: Cosine of embeddings without their cameras' offsets; NaN where one has none.
        appearance: Evidence from the similarity.
        transition_time: Evidence from the time between two cameras.
        ground_plane: Evidence from positions on the floor.
        forbidden: Pairs that cannot be one person.
    """

    similarity: DoubleArray
    appearance: DoubleArray
    transition_time: DoubleArray
    ground_plane: DoubleArray
    forbidden: BoolArray

    def log_odds(self) -> DoubleArray:
        """The sum of the parts; uninformed pairs speak a little against."""
        total = self.appearance + self.transition_time + self.ground_plane
        uninformed = np.isnan(self.similarity) & (self.ground_plane == 0)
        return np.where(uninformed, total + UNINFORMED_LOG_ODDS, total)

    def evidence(self, first: int, second: int) -> Evidence:
        """The parts for one pair."""
        return Evidence(
            float(self.appearance[first, second]),
            float(self.transition_time[first, second]),
            float(self.ground_plane[first, second]),
            0.0,
        )


def associate(
    tracklets: Sequence[Tracklet],
    embeddings: Sequence[Embedding | NoEmbedding],
    calibrations: Calibrations,
    transitions: Transitions,
    settings: AssociationSettings,
    decided_at_us: int,
) -> list[Link]:
    """One link a tracklet, identities numbered from 1 in order of their first appearance.

    The result depends on the tracklets alone, not on their order: they are taken by start, camera
    and number.

    Args:
        tracklets: N tracklets of one run.
        embeddings: Theirs, N.
        calibrations: By camera id.
        transitions: The site's prior, by ordered pair of cameras.
        settings: Thresholds.
        decided_at_us: What to put down as the time of the decision.
    """
    order = sorted(range(len(tracklets)), key=lambda index: _sort_key(tracklets[index]))
    ordered = [tracklets[index] for index in order]
    table = compare(
        ordered, [embeddings[index] for index in order], calibrations, transitions, settings
    )
    log_odds = table.log_odds()
    clusters = average_link(log_odds, table.forbidden)
    return [
        _link(index, ordered, table, log_odds[index], clusters, decided_at_us)
        for index in range(len(ordered))
    ]


def compare(
    tracklets: Sequence[Tracklet],
    embeddings: Sequence[Embedding | NoEmbedding],
    calibrations: Calibrations,
    transitions: Transitions,
    settings: AssociationSettings,
) -> PairTable:
    """The evidence on every pair of N tracklets."""
    cameras = [tracklet.camera_id for tracklet in tracklets]
    similarity = similarities(without_camera_offsets(embeddings, cameras))
    impossible = cannot_link(tracklets, transitions)
    scale = SimilarityScale.for_run(similarity, impossible, settings.similarity_threshold)
    ground, too_fast = ground_plane_log_odds(tracklets, calibrations, settings.ground_plane_sigma_m)
    pieces = same_track(tracklets) * SAME_TRACK_LOG_ODDS
    return PairTable(
        similarity=similarity,
        appearance=scale.log_odds(similarity),
        transition_time=transition_log_odds(tracklets, transitions) + pieces,
        ground_plane=ground,
        forbidden=impossible | too_fast,
    )


def _sort_key(tracklet: Tracklet) -> tuple[int, str, int, int]:
    return tracklet.start_us, tracklet.camera_id, tracklet.track_id, tracklet.part


def _link(
    index: int,
    tracklets: Sequence[Tracklet],
    table: PairTable,
    log_odds: DoubleArray,
    clusters: IntArray,
    decided_at_us: int,
) -> Link:
    together = clusters == clusters[index]
    together[index] = False
    rivals = ~together & ~table.forbidden[index]
    rivals[index] = False
    shown = [
        *_strongest(log_odds, together),
        *_strongest(log_odds, rivals),
    ]
    return Link(
        tracklet=tracklets[index].key,
        identity=int(clusters[index]) + 1,
        evidence=_mean_evidence(table, index, together),
        pairs=tuple(
            PairEvidence(
                other=tracklets[other].key,
                similarity=float(table.similarity[index, other]),
                evidence=table.evidence(index, other),
                same_identity=bool(together[other]),
            )
            for other in shown
        ),
        decided_at_us=decided_at_us,
        method=METHOD,
    )


def _strongest(log_odds: DoubleArray, among: BoolArray) -> list[int]:
    """Up to `PAIRS_KEPT` of the tracklets marked, best first."""
    marked = np.flatnonzero(among)
    best = np.argsort(-log_odds[marked], kind="stable")[:PAIRS_KEPT]
    return [int(index) for index in marked[best]]


def _mean_evidence(table: PairTable, index: int, together: BoolArray) -> Evidence:
    if not together.any():
        return Evidence(0.0, 0.0, 0.0, 0.0)
    return Evidence(
        float(table.appearance[index, together].mean()),
        float(table.transition_time[index, together].mean()),
        float(table.ground_plane[index, together].mean()),
        0.0,
    )
