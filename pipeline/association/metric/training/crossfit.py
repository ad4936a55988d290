"""Five networks, each learnt without a fifth of the people, and one learnt on everybody.

What is said about how well a network does rests on pairs of people that the network in question has
not seen: of each pair both are in one fifth, and the network that judges it learnt on the others.
When to stop and the calibration come from the same pairs; the network that is kept is the sixth.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.association.metric.network import BLOCK_PAIRS, MetricNetwork
from pipeline.association.metric.training.learning import Stop, learn
from pipeline.association.metric.training.localities import Locality, PairSampler, known_pairs
from pipeline.association.metric.training.recipe import MetricRecipe
from pipeline.association.metric.training.scores import auc
from pipeline.association.metric.training.tracklets import LabelledTracklets
from pipeline.association.pairs import Pairs
from pipeline.types import DoubleArray, FloatArray, IntArray

FOLDS: Final = 5
MIN_PEOPLE: Final = 20
"""With fewer, less than four people judge what has been learnt from the others."""
MIN_PAIRS: Final = 100
"""Of one person, and of two: with fewer, an error of a quarter is known to 4 % only."""
JUDGED_PAIRS: Final = 20_000
"""Of one person, and of two, at most."""


@dataclass(frozen=True, slots=True)
class Thin:
    """There is too little to learn from, and this is how little."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class CurvePoint:
    """How one of the five did at a stop."""

    network: str
    fold: int
    iteration: int
    loss: float
    held_out_auc: float


@dataclass(frozen=True, slots=True, eq=False)
class Learnt:
    """The networks of one locality.

    Attributes:
        network: Learnt on everybody.
        held_out: Of each fold, learnt on all others.
        iteration: After how many they were stopped.
        curve: How it went.
    """

    network: MetricNetwork
    held_out: tuple[MetricNetwork, ...]
    iteration: int
    curve: tuple[CurvePoint, ...]


def folds_of(tracklets: LabelledTracklets, seed: int) -> IntArray:
    """Fifth of each tracklet (N,): that of its person."""
    people, members = np.unique(tracklets.person, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(people))
    return np.asarray(order[members] % FOLDS, np.int64)


def held_out_pairs(
    tracklets: LabelledTracklets, pairs: Pairs, folds: IntArray, rng: np.random.Generator
) -> Pairs:
    """Pairs of which both are of one fold, at most `JUDGED_PAIRS` of either kind."""
    inside = pairs.where(folds[pairs.first] == folds[pairs.second])
    same = tracklets.are_same(inside.first, inside.second)
    keep = np.zeros(len(inside), bool)
    for rows in (np.flatnonzero(same), np.flatnonzero(~same)):
        keep[rng.permutation(rows)[:JUDGED_PAIRS]] = True
    return inside.where(keep)


def thinness(tracklets: LabelledTracklets, pairs: Pairs) -> str:
    """What pairs lack to be learnt from; empty where they are enough."""
    same = tracklets.are_same(pairs.first, pairs.second)
    people = len(np.unique(tracklets.person[pairs.first[same]]))
    ones, others = int(same.sum()), int((~same).sum())
    if people >= MIN_PEOPLE and min(ones, others) >= MIN_PAIRS:
        return ""
    return (
        f"too thin to learn from: {people} people with {ones} pairs of one person, {others} of two;"
        f" it takes {MIN_PEOPLE}, {MIN_PAIRS} and {MIN_PAIRS}"
    )


def cross_fit(
    tracklets: LabelledTracklets,
    folds: IntArray,
    locality: Locality,
    recipe: MetricRecipe,
    watch: Callable[[], None],
) -> Learnt | Thin:
    """Networks that learn from the pairs of a locality; `watch` is called at each of `STOPS`."""
    rng = np.random.default_rng(recipe.seed)
    pairs = local_pairs(tracklets, locality, rng)
    if reason := thinness(tracklets, pairs):
        return Thin(reason)
    judged = held_out_pairs(tracklets, pairs, folds, rng)
    if reason := thinness(tracklets, judged):
        return Thin(f"among held-out people {reason}")
    seen = [folds != fold for fold in range(FOLDS)] + [np.ones(len(folds), bool)]
    try:
        samplers = [
            PairSampler(
                tracklets,
                pairs.where(those[pairs.first] & those[pairs.second]),
                locality,
                recipe.sampling,
            )
            for those in seen
        ]
    except ValueError as error:
        return Thin(f"too thin to learn from: {error}")
    *stops, everybody = learn(tracklets.vectors, samplers, recipe, recipe.seed, watch)
    best, points = _judge(tracklets, folds, judged, stops, locality)
    return Learnt(
        everybody[best].network,
        tuple(of_fold[best].network for of_fold in stops),
        everybody[best].iteration,
        tuple(points),
    )


def local_pairs(
    tracklets: LabelledTracklets, locality: Locality, rng: np.random.Generator
) -> Pairs:
    """Known pairs of a locality; many of them where there are very many."""
    pairs = known_pairs(tracklets, locality.window_s, rng)
    return pairs.where(locality.holds(tracklets, pairs))


def judged_by(
    networks: Sequence[MetricNetwork], judges: IntArray, vectors: FloatArray, pairs: Pairs
) -> DoubleArray:
    """Logits (P,) of pairs of vectors (N, D), each by the network of its number in `judges`."""
    logits = np.empty(len(pairs))
    for number, network in enumerate(networks):
        rows = np.flatnonzero(judges == number)
        for start in range(0, len(rows), BLOCK_PAIRS):
            block = rows[start : start + BLOCK_PAIRS]
            logits[block] = network.logits(
                vectors[pairs.first[block]], vectors[pairs.second[block]]
            )
    return logits


def _judge(
    tracklets: LabelledTracklets,
    folds: IntArray,
    judged: Pairs,
    stops: Sequence[Sequence[Stop]],
    locality: Locality,
) -> tuple[int, list[CurvePoint]]:
    """Which stop tells held-out pairs apart best, and how each fold did at each."""
    same, judges = tracklets.are_same(judged.first, judged.second), folds[judged.first]
    points, scores = [], []
    for at_stop in zip(*stops, strict=True):
        networks = [stop.network for stop in at_stop]
        logits = judged_by(networks, judges, tracklets.vectors, judged)
        scores.append(auc(logits, same))
        for fold, stop in enumerate(at_stop):
            own = judges == fold
            is_judged = same[own].any() and not same[own].all()
            found = auc(logits[own], same[own]) if is_judged else float("nan")
            points.append(CurvePoint(locality.kind, fold, stop.iteration, stop.loss, found))
    return int(np.argmax(scores)), points
