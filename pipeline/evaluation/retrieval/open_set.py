"""Searches for people who may be nobody known: who is found, and who is taken for somebody.

Verification asks of a pair whether it is one person: TPR at an FPR. Identification asks of a query
whether it is somebody in the gallery, and who: the detection and identification rate (DIR) at a
false-accept rate (FAR), Phillips, Grother and Micheals, Handbook of Face Recognition, 2011.

Clips of one person succeed and fail together, so intervals count people rather than clips: Wilson's
interval for as many independent trials as would spread as widely as the people do (effective sample
size: Korn and Graubard 1998; with Wilson's interval: Dean and Pagano 2015). Thresholds are taken as
given.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.evaluation.retrieval.searches import (
    BLOCK_SIMILARITIES,
    Labels,
    Rows,
    Search,
    Similarities,
    searches,
)
from pipeline.reid.calibration import acceptance_threshold, passing_impostors
from pipeline.reid.datasets.protocols import Protocol
from pipeline.types import BoolArray, DoubleArray, IntArray

NORMAL_QUANTILE: Final = 1.959963984540054
"""Two-sided, of 95 %."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % interval, all in [0, 1]."""

    value: float
    low: float
    high: float


def wilson(successes: float, trials: float) -> Rate:
    """A share of independent trials (Wilson 1927); trials > 0."""
    share, square = successes / trials, NORMAL_QUANTILE**2
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = math.sqrt(share * (1 - share) / trials + square / (4 * trials**2))
    half *= NORMAL_QUANTILE / (1 + square / trials)
    return Rate(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def rate_of_people(is_success: BoolArray, people: IntArray) -> Rate:
    """A share of N trials, of which those of one person go together; Wilson's where each has one.

    Raises:
        ValueError: There is no trial.
    """
    if not len(is_success):
        raise ValueError("expected trials to take a share of, got none")
    share = float(is_success.mean())
    persons = np.unique(people, return_inverse=True)[1]
    off = np.bincount(persons, is_success - share)
    variance = float((off**2).sum()) / len(is_success) ** 2
    # Where all succeed or all fail, people do not differ: as many trials as people.
    trials = share * (1 - share) / variance if variance else len(off)
    return wilson(share * trials, trials)


@dataclass(frozen=True, slots=True, eq=False)
class BestAnswers:
    """The best right and the best wrong answer to each of Q queries.

    Attributes:
        right: Similarity (Q,) of the best right answer; -inf where there is none.
        wrong: Similarity (Q,) of the best wrong answer; -inf where there is none.
        identities: Who is sought (Q,).
    """

    right: DoubleArray
    wrong: DoubleArray
    identities: IntArray

    @property
    def is_known(self) -> BoolArray:
        """Which queries (Q,) have a right answer in the gallery."""
        return np.asarray(np.isfinite(self.right))


def best_answers(source: Rows, queries: Labels, gallery: Labels, protocol: Protocol) -> BestAnswers:
    """The best answers under a protocol; `source` is `Matrix` or `Embeddings`."""
    right = np.full(len(queries.identities), -np.inf)
    wrong = np.full(len(queries.identities), -np.inf)
    for search in searches(source, queries, gallery, protocol):
        right[search.query] = np.max(search.right, initial=-np.inf)
        wrong[search.query] = np.max(_wrong(search), initial=-np.inf)
    return BestAnswers(right, wrong, queries.identities)


def _wrong(search: Search) -> Similarities:
    return np.delete(search.similarities, search.own)


@dataclass(frozen=True, slots=True)
class Identification:
    """Open-set identification at one threshold.

    Attributes:
        threshold: A query whose best answer is at least as similar is taken for that person.
        false_accepts: Share of the strangers taken for somebody (FAR).
        identified: Share of the known queries with the right person first, and accepted (DIR).
    """

    threshold: float
    false_accepts: Rate
    identified: Rate


def identification(
    answers: BestAnswers, is_stranger: BoolArray, threshold: float
) -> Identification:
    """DIR and FAR at a threshold; a right answer no better than a wrong one is not first.

    Args:
        answers: Of Q queries.
        is_stranger: Which queries (Q,) stand for people who are not in the gallery: `~is_known`
            where the gallery lacks enough of them, else all: of a known query, the best wrong
            answer is what its search would give if its person were not in the gallery.
        threshold: Chosen here (`threshold_at`), or elsewhere, to see whether it holds here.
    """
    known = answers.is_known
    is_accepted = answers.wrong[is_stranger] >= threshold
    is_first = (answers.right > answers.wrong) & (answers.right >= threshold)
    return Identification(
        threshold,
        rate_of_people(is_accepted, answers.identities[is_stranger]),
        rate_of_people(is_first[known], answers.identities[known]),
    )


def threshold_at(answers: BestAnswers, is_stranger: BoolArray, false_accept_rate: float) -> float:
    """The least threshold that lets at most this share of the strangers pass.

    Raises:
        ValueError: There are no strangers, or all of them may pass.
    """
    if not is_stranger.any():
        raise ValueError("expected queries of people who are not in the gallery, got none")
    strangers = answers.wrong[is_stranger]
    return acceptance_threshold(strangers, passing_impostors(len(strangers), false_accept_rate))


@dataclass(frozen=True, slots=True)
class Verification:
    """Verification of pairs at one threshold.

    Attributes:
        false_positive_rate: Asked for; at most this share of the pairs of different people passes.
        threshold: Pairs at least as similar are taken for one person.
        true_positives: Share of the pairs of one person that pass (TPR).
    """

    false_positive_rate: float
    threshold: float
    true_positives: Rate


def verification(
    source: Rows,
    queries: Labels,
    gallery: Labels,
    protocol: Protocol,
    false_positive_rates: Sequence[float] = (1e-4, 1e-3, 1e-2),
) -> list[Verification]:
    """TPR at each FPR over all pairs of query and gallery that count under a protocol.

    Of the pairs of different people only the most similar are kept: memory grows with the greatest
    rate's share of them.

    Raises:
        ValueError: There are no pairs of one person, or none of different people.
    """
    largest = passing_impostors(source.shape[0] * source.shape[1], max(false_positive_rates)) + 1
    right: list[Similarities] = []
    people: list[IntArray] = []
    wrong = _Largest(largest)
    for search in searches(source, queries, gallery, protocol):
        right.append(search.right)
        people.append(np.full(len(search.right), queries.identities[search.query]))
        wrong.add(_wrong(search))
    pairs, persons = np.concatenate(right), np.concatenate(people)
    if not (len(pairs) and wrong.count):
        raise ValueError(f"expected pairs of either kind, got {len(pairs)} and {wrong.count}")
    results = []
    for rate in false_positive_rates:
        threshold = wrong.threshold(passing_impostors(wrong.count, rate))
        results.append(Verification(rate, threshold, rate_of_people(pairs >= threshold, persons)))
    return results


class _Largest:
    """The largest values of a stream, `kept` of them; and how many there were."""

    def __init__(self, kept: int) -> None:
        self.count = 0
        self._kept = kept
        self._parts: list[Similarities] = []
        self._held = 0

    def add(self, values: Similarities) -> None:
        self.count += len(values)
        self._held += len(values)
        self._parts.append(values)
        if self._held > self._kept + BLOCK_SIMILARITIES:
            largest = np.partition(np.concatenate(self._parts), -self._kept)[-self._kept :]
            self._parts, self._held = [largest], len(largest)

    def threshold(self, passing: int) -> float:
        """The least threshold that at most so many values reach; fewer than `kept`."""
        return acceptance_threshold(np.concatenate(self._parts), passing)
