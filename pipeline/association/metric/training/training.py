"""A metric's training from labelled tracklets: networks, tables, and which of them are worth it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.association.metric.metric import Fallback, LocalityAwareMetric, LocalMetric
from pipeline.association.metric.network import MetricNetwork
from pipeline.association.metric.training.comparison import (
    COSINE,
    Scores,
    Table,
    cosine_scores,
    fit_curves,
    table_of,
)
from pipeline.association.metric.training.crossfit import (
    CurvePoint,
    Learnt,
    Thin,
    cross_fit,
    folds_of,
    held_out_pairs,
    judged_by,
    local_pairs,
)
from pipeline.association.metric.training.learning import STOPS
from pipeline.association.metric.training.localities import Kind, Locality, known_pairs
from pipeline.association.metric.training.recipe import MetricRecipe
from pipeline.association.metric.training.scores import PlattCurve, auc, sure_gain
from pipeline.association.metric.training.tracklets import LabelledTracklets
from pipeline.association.pairs import Pairs
from pipeline.types import EncoderIdentity, IntArray

NETWORKS: Final[Mapping[Kind, str]] = {
    "global": "network of pairs of any place and time",
    "intra": "intra network",
    "inter": "inter network",
}
ELSEWHERE: Final = "all other pairs"

Watch = Callable[[int, int], None]
"""Told how many steps of how many are done."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """What comes out.

    Attributes:
        metric: To be used.
        decisions: What serves which pairs, and why, one line each.
        tables: On pairs of people that the networks had not seen.
        learnt: The networks, those that are not used included, or why there is none.
        curves: How scores read as log-odds, by kind of pairs and method.
    """

    metric: LocalityAwareMetric
    decisions: tuple[str, ...]
    tables: tuple[Table, ...]
    learnt: Mapping[Kind, Learnt | Thin]
    curves: Mapping[str, Mapping[str, PlattCurve]]

    @property
    def points(self) -> list[CurvePoint]:
        """How the networks learnt."""
        found = [one.curve for one in self.learnt.values() if isinstance(one, Learnt)]
        return [point for curve in found for point in curve]


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """Pairs of one kind with the scores of all methods."""

    pairs: Pairs
    scores: Scores


def train(
    tracklets: LabelledTracklets, encoder: EncoderIdentity, recipe: MetricRecipe, watch: Watch
) -> Trained:
    """Learn the networks of a recipe, and keep those that surely beat cosine.

    Args:
        tracklets: Those to learn from.
        encoder: Whose vectors they have.
        recipe: How.
        watch: Told how far it is.
    """
    folds = folds_of(tracklets, recipe.seed)
    total = len(recipe.localities) * STOPS
    steps = iter(range(1, total + 1))
    learnt = {
        locality.kind: cross_fit(
            tracklets, folds, locality, recipe, lambda: watch(next(steps), total)
        )
        for locality in recipe.localities
    }
    held_out = {kind: one.held_out for kind, one in learnt.items() if isinstance(one, Learnt)}
    judged = _judged(tracklets, folds, recipe, held_out)
    curves = {words: fit_curves(tracklets, one.pairs, one.scores) for words, one in judged.items()}
    tables = tuple(
        table_of(f"{words}, held-out people", tracklets, one.pairs, one.scores, curves[words])
        for words, one in judged.items()
    )
    intra, inter, _ = recipe.localities
    chosen = {
        locality.kind: _choose(
            tracklets, locality, learnt[locality.kind], judged, curves, recipe.seed
        )
        for locality in (intra, inter)
    }
    elsewhere = isinstance(chosen["inter"], LocalMetric) and (
        _sure_gain(tracklets, judged.get(ELSEWHERE), "inter", recipe.seed) > 0
    )
    metric = LocalityAwareMetric(encoder, chosen["intra"], chosen["inter"], elsewhere)
    return Trained(metric, _decisions(metric, intra, inter), tables, learnt, curves)


def test(tracklets: LabelledTracklets, recipe: MetricRecipe, trained: Trained) -> list[Table]:
    """Tables of tracklets that nothing was learnt from, by the networks that are kept."""
    networks = {
        kind: (one.network,) for kind, one in trained.learnt.items() if isinstance(one, Learnt)
    }
    everybody = np.zeros(len(tracklets), np.int64)
    judged = _judged(tracklets, everybody, recipe, networks)
    return [
        table_of(f"{words}, test", tracklets, one.pairs, one.scores, trained.curves[words])
        for words, one in judged.items()
        if words in trained.curves
    ]


def _judged(
    tracklets: LabelledTracklets,
    folds: IntArray,
    recipe: MetricRecipe,
    networks: Mapping[Kind, Sequence[MetricNetwork]],
) -> dict[str, _Judged]:
    """Pairs of each kind, both of one fold, with the scores of the networks of that fold.

    Kinds without pairs of one person, or of two, are left out.
    """
    rng = np.random.default_rng(recipe.seed)
    intra, inter, everything = recipe.localities
    away = known_pairs(tracklets, everything.window_s, rng)
    away = away.where(~(intra.holds(tracklets, away) | inter.holds(tracklets, away)))
    kinds = {
        intra.words: local_pairs(tracklets, intra, rng),
        inter.words: local_pairs(tracklets, inter, rng),
        ELSEWHERE: away,
    }
    found = {}
    for words, pairs in kinds.items():
        judged = held_out_pairs(tracklets, pairs, folds, rng)
        same = tracklets.are_same(judged.first, judged.second)
        if same.any() and not same.all():
            judges = folds[judged.first]
            learnt = {
                NETWORKS[kind]: judged_by(those, judges, tracklets.vectors, judged)
                for kind, those in networks.items()
            }
            found[words] = _Judged(judged, cosine_scores(tracklets, judged) | learnt)
    return found


def _choose(
    tracklets: LabelledTracklets,
    locality: Locality,
    learnt: Learnt | Thin,
    judged: Mapping[str, _Judged],
    curves: Mapping[str, Mapping[str, PlattCurve]],
    seed: int,
) -> LocalMetric | Fallback:
    """The network of a locality where it surely beats cosine on held-out people."""
    if isinstance(learnt, Thin):
        return Fallback(locality.window_s, learnt.reason)
    own = judged[locality.words]
    method = NETWORKS[locality.kind]
    if _sure_gain(tracklets, own, locality.kind, seed) > 0:
        curve = curves[locality.words][method]
        return LocalMetric(learnt.network, locality.window_s, curve.slope, curve.intercept)
    same = tracklets.are_same(own.pairs.first, own.pairs.second)
    ours, cosine = (auc(own.scores[name], same) for name in (method, COSINE))
    return Fallback(
        locality.window_s,
        f"the network is not surely better on held-out people: AUC {ours:.3f} against {cosine:.3f}",
    )


def _sure_gain(
    tracklets: LabelledTracklets, judged: _Judged | None, kind: Kind, seed: int
) -> float:
    """By how much a network surely beats cosine; 0 where there are no pairs."""
    if judged is None:
        return 0.0
    pairs, scores = judged.pairs, judged.scores
    same = tracklets.are_same(pairs.first, pairs.second)
    people = tracklets.person[pairs.first], tracklets.person[pairs.second]
    return sure_gain(scores[NETWORKS[kind]], scores[COSINE], same, people, seed)


def _decisions(metric: LocalityAwareMetric, intra: Locality, inter: Locality) -> tuple[str, ...]:
    used = [
        f"{locality.words}: {NETWORKS[locality.kind]}, surely better than cosine"
        for locality, local in ((intra, metric.intra), (inter, metric.inter))
        if isinstance(local, LocalMetric)
    ]
    elsewhere = "the inter network, surely better there, too" if metric.elsewhere else "cosine"
    return (*used, *metric.fallbacks(), f"{ELSEWHERE}: {elsewhere}")
