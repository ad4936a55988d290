"""The table of a training: what tells pairs apart how well, on pairs as association asks about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.association.metric.training.scores import (
    PlattCurve,
    auc,
    balanced_error,
    fit_platt,
)
from pipeline.association.metric.training.tracklets import (
    LabelledTracklets,
    cosines,
    standardised,
)
from pipeline.association.pairs import Pairs
from pipeline.types import DoubleArray

COSINE: Final = "cosine"
"""Of vectors without the offsets of their cameras: what decides where no network does."""
ENCODED: Final = "cosine as encoded"
STANDARDISED: Final = "cosine, standardised per camera"

Scores = Mapping[str, DoubleArray]
"""Of the same pairs (P,), by method: larger speaks for one person."""


@dataclass(frozen=True, slots=True)
class Row:
    """One method.

    Attributes:
        method: Its name.
        auc: How often a pair of one person scores above one of two.
        error: Mean of one person's pairs refused and two people's accepted, at even log-odds.
    """

    method: str
    auc: float
    error: float


@dataclass(frozen=True, slots=True)
class Table:
    """Methods on the same pairs.

    Attributes:
        words: Which pairs.
        pairs: How many.
        same: How many of them are one person.
        people: Of how many people.
        rows: One a method.
    """

    words: str
    pairs: int
    same: int
    people: int
    rows: tuple[Row, ...]


def cosine_scores(tracklets: LabelledTracklets, pairs: Pairs) -> dict[str, DoubleArray]:
    """What needs no training."""
    by_camera = standardised(tracklets.encoded, tracklets.cameras)
    return {
        ENCODED: cosines(tracklets.encoded, pairs.first, pairs.second),
        COSINE: cosines(tracklets.vectors, pairs.first, pairs.second),
        STANDARDISED: cosines(by_camera, pairs.first, pairs.second),
    }


def fit_curves(tracklets: LabelledTracklets, pairs: Pairs, scores: Scores) -> dict[str, PlattCurve]:
    """How each method's scores read as log-odds; its operating point is where they are even."""
    same = tracklets.are_same(pairs.first, pairs.second)
    return {method: fit_platt(score, same) for method, score in scores.items()}


def table_of(
    words: str,
    tracklets: LabelledTracklets,
    pairs: Pairs,
    scores: Scores,
    curves: Mapping[str, PlattCurve],
) -> Table:
    """The table of pairs of both kinds."""
    same = tracklets.are_same(pairs.first, pairs.second)
    rows = tuple(
        Row(method, auc(score, same), balanced_error(curves[method].log_odds(score), same))
        for method, score in scores.items()
    )
    people = np.unique(tracklets.person[np.concatenate([pairs.first, pairs.second])])
    return Table(words, len(pairs), int(same.sum()), len(people), rows)
