"""CMC, mean average precision and mINP of searches, from ranks that are counted, not sorted.

The rank of the m-th best right answer is m + the number of wrong ones at least as similar: **wrong
answers come first where similarities are equal**, so that no order of files flatters, and an
encoder that gives everybody one vector scores what it deserves.

CMC: Gray et al., PETS 2007. Average precision: Zheng et al., ICCV 2015 (Market-1501), ECCV 2016
(MARS). mINP: Ye et al., TPAMI 2022 (arXiv 2001.04193), equation 12.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pipeline.evaluation.retrieval.searches import (
    Embeddings,
    Labels,
    Matrix,
    Rows,
    Search,
    Similarities,
    searches,
)
from pipeline.reid.datasets.protocols import Protocol
from pipeline.types import DoubleArray, FloatArray, IntArray

CMC_RANKS: Final = 50
NO_RANK: Final = 0
"""Instead of the rank of the first right answer, where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalScores:
    """How early right answers come; all shares lie in [0, 1].

    Attributes:
        cmc: (R,) share of the queries whose first right answer is among the first 1, 2, ... R.
        map: Mean average precision.
        minp: Mean of (right answers / rank of the last of them): the work of finding all.
        queries: How many queries these are means over.
        skipped: How many were left out, because nothing in the gallery is right for them.
        average_precisions: (Q,) of every query, NaN where skipped.
        first_ranks: (Q,) of the first right answer, from 1; 0 where skipped.
        protocol: What was right and wrong.
    """

    cmc: DoubleArray
    map: float
    minp: float
    queries: int
    skipped: int
    average_precisions: DoubleArray
    first_ranks: IntArray
    protocol: Protocol

    def rank(self, count: int) -> float:
        """Share of the queries with a right answer among the first `count`."""
        return float(self.cmc[count - 1])

    def to_json(self) -> dict[str, float | int | str]:
        """The scores under the names by which the field knows them, and what they are of."""
        return {
            **{f"rank_{count}": self.rank(count) for count in (1, 5, 10) if count <= len(self.cmc)},
            "mAP": self.map,
            "mINP": self.minp,
            "queries": self.queries,
            "skipped": self.skipped,
            "protocol": self.words(),
        }

    def words(self) -> str:
        """One line to be printed beside the scores: which protocol it was, in words."""
        protocol = self.protocol
        parts = [
            f"queries {'in' if protocol.queries_in_gallery else 'not in'} the gallery",
            f"{protocol.average_precision} average precision",
            "right answers of the query's own camera "
            + ("left out" if protocol.ignore_same_camera else "count"),
            *(["the query's place left out"] if protocol.camera_groups else []),
            *(["CMC over identities"] if protocol.unique_identities else []),
            f"{self.skipped} of {self.queries + self.skipped} queries skipped (no right answer)",
        ]
        return f"{protocol.name}: {'; '.join(parts)}"


def evaluate_retrieval(
    similarities: Similarities,
    query_identities: IntArray,
    query_cameras: IntArray,
    gallery_identities: IntArray,
    gallery_cameras: IntArray,
    protocol: Protocol,
    ranks: int = CMC_RANKS,
) -> RetrievalScores:
    """Scores of similarities (Q, G), larger is more alike; labels int64 (Q,) and (G,).

    `protocol.queries_in_gallery` says what the gallery holds; nothing is added or dropped.

    Raises:
        ValueError: Shapes do not agree, a similarity is NaN, no query has a right answer, or
            queries in the gallery would find themselves.
    """
    return _evaluate(
        Matrix(similarities),
        Labels(query_identities, query_cameras),
        Labels(gallery_identities, gallery_cameras),
        protocol,
        ranks,
    )


def evaluate_embeddings(
    queries: FloatArray,
    gallery: FloatArray,
    query_identities: IntArray,
    query_cameras: IntArray,
    gallery_identities: IntArray,
    gallery_cameras: IntArray,
    protocol: Protocol,
    ranks: int = CMC_RANKS,
) -> RetrievalScores:
    """As `evaluate_retrieval`, of unit vectors (Q, D) and (G, D): a block of cosines at a time."""
    return _evaluate(
        Embeddings(queries, gallery),
        Labels(query_identities, query_cameras),
        Labels(gallery_identities, gallery_cameras),
        protocol,
        ranks,
    )


def mean_over_trials(trials: Sequence[RetrievalScores]) -> RetrievalScores:
    """Means over several splits or drawn galleries of one protocol; queries are added up."""
    return replace(
        trials[0],
        cmc=np.mean([trial.cmc for trial in trials], axis=0),
        map=float(np.mean([trial.map for trial in trials])),
        minp=float(np.mean([trial.minp for trial in trials])),
        queries=sum(trial.queries for trial in trials),
        skipped=sum(trial.skipped for trial in trials),
        average_precisions=np.concatenate([trial.average_precisions for trial in trials]),
        first_ranks=np.concatenate([trial.first_ranks for trial in trials]),
    )


def _evaluate(
    source: Rows, queries: Labels, gallery: Labels, protocol: Protocol, ranks: int
) -> RetrievalScores:
    found: dict[int, IntArray] = {}
    first = np.full(len(queries.identities), NO_RANK, np.int64)
    for search in searches(source, queries, gallery, protocol):
        if search.is_right.any():
            found[search.query] = of_query = right_ranks(search)
            is_unique = protocol.unique_identities
            first[search.query] = _identity_rank(search) if is_unique else of_query[0]
    if not found:
        raise ValueError(f"protocol {protocol.name}: no query has a right answer in the gallery")
    precisions = np.full(len(first), np.nan)
    is_trapezoidal = protocol.average_precision == "trapezoidal"
    precisions[list(found)] = average_precisions(list(found.values()), is_trapezoidal)
    counted = first != NO_RANK
    return RetrievalScores(
        cmc=(first[counted, None] <= np.arange(1, ranks + 1)).mean(axis=0),
        map=float(precisions[counted].mean()),
        minp=float(np.mean([len(of_query) / of_query[-1] for of_query in found.values()])),
        queries=len(found),
        skipped=len(first) - len(found),
        average_precisions=precisions,
        first_ranks=first,
        protocol=protocol,
    )


def right_ranks(search: Search) -> IntArray:
    """Ranks from 1 of the right answers, best first; wrong ones come first where equal."""
    right = np.sort(search.right)[::-1]
    others = search.similarities
    above = others >= right[-1]
    # Worth its copy only where little is left, as it is for an encoder worth its name.
    if np.count_nonzero(above) < len(others) / 8:
        others = others[above]
    wrong = _at_least(others, right) - _at_least(search.similarities[search.own], right)
    return wrong + np.arange(1, len(right) + 1)


def _at_least(values: Similarities, limits: Similarities) -> IntArray:
    """How many of the values are at least as large as each limit."""
    return np.asarray(len(values) - np.searchsorted(np.sort(values), limits), np.int64)


def _identity_rank(search: Search) -> int:
    """Rank from 1 of the query's identity among identities, each at its best entry."""
    order = np.argsort(search.identities, kind="stable")
    starts = np.unique(search.identities[order], return_index=True)[1]
    best = np.maximum.reduceat(search.similarities[order], starts)
    is_wrong = search.identities[order][starts] != search.identities[search.own[0]]
    return 1 + int(np.count_nonzero(best[is_wrong] >= search.right.max()))


def average_precisions(ranks: Sequence[IntArray], trapezoidal: bool) -> DoubleArray:
    """Average precision (N,) of each of N queries' right answers at these ranks (rising, from 1).

    Rectangular: the mean of the precisions at the right answers. Trapezoidal: of each, the mean of
    the precision there and one entry before, which is 1 before the first entry.
    """
    counts = np.array([len(of_query) for of_query in ranks])
    starts = np.cumsum(counts) - counts
    places = np.concatenate(ranks)
    hits = np.arange(1, len(places) + 1) - np.repeat(starts, counts)
    precisions = hits / places
    if trapezoidal:
        before = np.where(places > 1, (hits - 1) / np.maximum(places - 1, 1), 1.0)
        precisions = (precisions + before) / 2
    return np.asarray(np.add.reduceat(precisions, starts) / counts)
