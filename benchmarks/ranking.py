"""What each way of ranking is worth on the test sets of a training, beside plain cosines.

Each clip of a person is sought in turn among the other people's and that person's other clips: for
the k-th round, the queries are everybody's k-th clips and the gallery is all else. Scores are means
over all rounds. What has to be learnt (weights of several similarities, what strangers look like, a
threshold) is learnt on the other test set, of other people and cameras. What several similarities
need beside the encoder's is one of colours alone: histograms of six stripes.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from documents import document, start, write

from commands.training_clips import simulated_archive
from pipeline.errors import UserError
from pipeline.evaluation.retrieval.scores import evaluate_retrieval
from pipeline.reid.calibration import (
    fit_calibration,
    fit_camera_standards,
    new_person_threshold,
    reliability,
)
from pipeline.reid.datasets.protocols import Protocol
from pipeline.reid.datasets.records import ClipSource
from pipeline.reid.ranking.aggregation import pull_and_push, reciprocal_rank_fusion
from pipeline.reid.ranking.diffusion import unified_diffusion
from pipeline.reid.ranking.expansion import expanded_gallery, expanded_queries
from pipeline.reid.ranking.feedback import Feedback, order_after
from pipeline.reid.ranking.fusion import (
    ensemble_weights,
    query_adaptive_fusion,
    reference_curves,
)
from pipeline.reid.ranking.random_walk import group_shuffling_random_walk
from pipeline.reid.ranking.reranking import expanded_cross_neighbourhood, k_reciprocal
from pipeline.reid.training.recipe import load_recipe
from pipeline.reid.video_encoder import embed_clips
from pipeline.reid.weights import load_encoder, weights_hash
from pipeline.types import BoolArray, DoubleArray, FloatArray, ImageArray, IntArray

PROTOCOL: Final = Protocol("cross-camera, everybody's clips sought in turn")
STRIPES, BINS = 6, (8, 4, 4)
LOOKED_AT: Final = 5
"""Answers that the person who gives feedback confirms or rejects."""
FALSE_ACCEPT_RATE: Final = 0.05
"""Asked of the threshold for new people."""
SCORES: Final = ("rank_1", "map", "minp")


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Clips by the encoder (N, D) and by their colours (N, C), unit vectors; who and where."""

    encoder: FloatArray
    colours: FloatArray
    identities: IntArray
    cameras: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """Which clips are sought, (Q,), and which are searched, (G,)."""

    queries: IntArray
    gallery: IntArray


Ranking = Callable[[Views, Round, Views], DoubleArray | FloatArray]
"""Similarities (Q, G) of a round, given another set to learn from."""


def cosines(vectors: FloatArray, one: Round) -> FloatArray:
    """Of the queries to the gallery, (Q, G)."""
    return np.asarray(vectors[one.queries] @ vectors[one.gallery].T)


def both(views: Views, one: Round) -> FloatArray:
    """By encoder and by colours, (2, Q, G)."""
    return np.stack([cosines(vectors, one) for vectors in (views.encoder, views.colours)])


def within(views: Views, one: Round) -> FloatArray:
    """The gallery to itself, (2, G, G)."""
    inside = Round(one.gallery, one.gallery)
    return both(views, inside)


# The ways of ranking.


def plain(views: Views, one: Round, _: Views) -> FloatArray:
    """Cosines of the encoder."""
    return cosines(views.encoder, one)


def colours(views: Views, one: Round, _: Views) -> FloatArray:
    """Colours alone."""
    return cosines(views.colours, one)


def standardised(views: Views, one: Round, _: Views) -> FloatArray:
    """Less each camera's mean, over its spread; no labels."""
    cameras = [str(camera) for camera in views.cameras.tolist()]
    standards = fit_camera_standards(views.encoder, cameras)
    return cosines(standards.apply(views.encoder, cameras), one)


def by_pairs(
    how: Callable[[FloatArray, FloatArray], DoubleArray | FloatArray],
) -> Ranking:
    """A way that wants the embeddings of queries and gallery."""
    return lambda views, one, _: how(views.encoder[one.queries], views.encoder[one.gallery])


def expansion(queries: FloatArray, gallery: FloatArray) -> FloatArray:
    """Query expansion by the two nearest."""
    return expanded_queries(queries, gallery, neighbours=2) @ gallery.T


def augmentation(queries: FloatArray, gallery: FloatArray) -> FloatArray:
    """The gallery moved to its two nearest."""
    return queries @ expanded_gallery(gallery, neighbours=2).T


def rank_fusion(views: Views, one: Round, _: Views) -> DoubleArray:
    """Reciprocal rank fusion with the colours."""
    return reciprocal_rank_fusion(both(views, one))


def pulled(views: Views, one: Round, _: Views) -> DoubleArray:
    """Similarity pulling and dissimilarity pushing with the colours."""
    return pull_and_push(both(views, one), within(views, one))


def mean_of_both(views: Views, one: Round, _: Views) -> FloatArray:
    """Half encoder, half colours."""
    return np.asarray(both(views, one).mean(axis=0))


def ensemble(views: Views, one: Round, other: Views) -> FloatArray:
    """Encoder and colours by weights that triplets of the other set gave."""
    same = other.identities[:, None] == other.identities
    across = other.cameras[:, None] != other.cameras
    rng = np.random.default_rng(0)
    everywhere = np.stack([v @ v.T for v in (other.encoder, other.colours)], axis=-1)
    right, wrong = [], []
    for clip in np.flatnonzero((same & across).any(axis=1)):
        right.append(everywhere[clip, rng.choice(np.flatnonzero(same[clip] & across[clip]))])
        wrong.append(everywhere[clip, rng.choice(np.flatnonzero(~same[clip]), 50)])
    pairs = np.repeat(np.array(right)[:, None], 50, axis=1).reshape(-1, 2)
    weights = ensemble_weights(pairs, np.array(wrong).reshape(-1, 2))
    return np.asarray(np.tensordot(weights, both(views, one), 1))


def adaptive(views: Views, one: Round, other: Views) -> DoubleArray:
    """Query-adaptive late fusion; strangers are the other set's people."""
    strangers = np.stack(
        [
            getattr(other, name) @ getattr(views, name)[one.gallery].T
            for name in ("encoder", "colours")
        ]
    )
    return query_adaptive_fusion(both(views, one), reference_curves(strangers))


def diffusion(views: Views, one: Round, _: Views) -> DoubleArray:
    """Unified ensemble diffusion of encoder and colours."""
    everybody = np.concatenate([one.queries, one.gallery])
    affinities = np.maximum(both(views, Round(everybody, everybody)), 0)
    found = unified_diffusion(affinities, neighbours=3).similarities
    return found[: len(one.queries), len(one.queries) :]


def diffusion_alone(views: Views, one: Round, _: Views) -> DoubleArray:
    """The same diffusion of the encoder alone."""
    everybody = np.concatenate([one.queries, one.gallery])
    affinities = np.maximum(cosines(views.encoder, Round(everybody, everybody)), 0)
    found = unified_diffusion(affinities[None], neighbours=3).similarities
    return found[: len(one.queries), len(one.queries) :]


def told(moves: bool) -> Ranking:
    """After a person has marked the first answers; without moving the query, to compare with."""

    def rank(views: Views, one: Round, _: Views) -> DoubleArray:
        rows = []
        gallery = views.encoder[one.gallery]
        for query in one.queries.tolist():
            similarities = gallery @ views.encoder[query]
            first = np.argsort(-similarities, kind="stable")[:LOOKED_AT].tolist()
            is_right = views.identities[one.gallery[first]] == views.identities[query]
            marked = Feedback(
                tuple(e for e, right in zip(first, is_right, strict=True) if right),
                tuple(e for e, right in zip(first, is_right, strict=True) if not right),
            )
            weights = () if moves else (0.0, 0.0)
            order = order_after(views.encoder[query], gallery, marked, *weights)
            row = np.full(len(gallery), -float(len(gallery)))  # those rejected come last
            row[order] = -np.arange(len(order), dtype=np.float64)
            rows.append(row)
        return np.stack(rows)

    return rank


WAYS: Final[dict[str, Ranking]] = {
    "cosine (without)": plain,
    "camera standardisation": standardised,
    "k-reciprocal, k1 20, k2 6": by_pairs(k_reciprocal),
    "k-reciprocal, k1 6, k2 2": by_pairs(lambda q, g: k_reciprocal(q, g, k1=6, k2=2)),
    "expanded cross neighbourhood, t 2, q 3": by_pairs(
        lambda q, g: expanded_cross_neighbourhood(q, g, 2, 3)
    ),
    "query expansion, 2 nearest": by_pairs(expansion),
    "gallery augmentation, 2 nearest": by_pairs(augmentation),
    "group-shuffling random walk": by_pairs(group_shuffling_random_walk),
    "diffusion of the encoder": diffusion_alone,
    "colours alone": colours,
    "mean of encoder and colours": mean_of_both,
    "reciprocal rank fusion with colours": rank_fusion,
    "pulling and pushing with colours": pulled,
    "metric ensemble with colours": ensemble,
    "query-adaptive fusion with colours": adaptive,
    "unified ensemble diffusion with colours": diffusion,
    f"first {LOOKED_AT} marked, query stays": told(moves=False),
    f"first {LOOKED_AT} marked, query moves": told(moves=True),
}


# Measuring them.


def stripe_colours(clip: ImageArray) -> FloatArray:
    """Square roots of histograms of hue, saturation and value in stripes, mean over frames."""
    rows = []
    for frame in clip:
        picture = cv2.cvtColor(np.asarray(frame, np.uint8), cv2.COLOR_BGR2HSV)
        stripes = np.array_split(picture, STRIPES, axis=0)
        ranges = [0, 180, 0, 256, 0, 256]
        counts = [cv2.calcHist([s], [0, 1, 2], None, list(BINS), ranges).ravel() for s in stripes]
        rows.append(np.sqrt(np.concatenate([c / c.sum() for c in counts])))
    mean = np.mean(rows, axis=0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


def see(weights: Path, source: ClipSource) -> Views:
    """All clips of a source by the encoder and by their colours."""
    count = len(source.identities)
    clips = [source.read(clip, np.arange(source.lengths[clip])) for clip in range(count)]
    embeddings = embed_clips(load_encoder(weights), clips)
    by_colour = np.stack([stripe_colours(clip) for clip in clips])
    return Views(embeddings, by_colour, source.identities, source.cameras)


def rounds(identities: IntArray) -> list[Round]:
    """Everybody's k-th clips against all others, for each k that everybody has."""
    turn = np.zeros(len(identities), np.int64)
    for one in np.unique(identities):
        places = np.flatnonzero(identities == one)
        turn[places] = np.arange(len(places))
    fewest = np.unique(identities, return_counts=True)[1].min()
    return [Round(np.flatnonzero(turn == k), np.flatnonzero(turn != k)) for k in range(fewest)]


def score(way: Ranking, views: Views, other: Views) -> dict[str, float]:
    """Mean over rounds, percent, and milliseconds a query."""
    found: dict[str, list[float]] = {name: [] for name in SCORES}
    milliseconds = []
    for one in rounds(views.identities):
        start = time.process_time()
        similarities = way(views, one, other)
        milliseconds.append(1000 * (time.process_time() - start) / len(one.queries))
        scores = evaluate_retrieval(
            similarities,
            views.identities[one.queries],
            views.cameras[one.queries],
            views.identities[one.gallery],
            views.cameras[one.gallery],
            PROTOCOL,
        )
        for name, value in zip(SCORES, (scores.rank(1), scores.map, scores.minp), strict=True):
            found[name].append(100 * value)
    means = {name: statistics.mean(values) for name, values in found.items()}
    return {**means, "cpu_ms_per_query": statistics.median(milliseconds)}


def pairs_across(views: Views) -> tuple[DoubleArray, BoolArray, list[str], list[str]]:
    """Similarity of all pairs of two cameras, whether it is one person, and the cameras."""
    first, second = np.triu_indices(len(views.identities), 1)
    kept = views.cameras[first] != views.cameras[second]
    first, second = first[kept], second[kept]
    similarities = np.einsum("pd,pd->p", views.encoder[first], views.encoder[second])
    same = views.identities[first] == views.identities[second]
    names = [str(camera) for camera in views.cameras.tolist()]
    return (
        np.asarray(similarities, np.float64),
        same,
        [names[i] for i in first],
        [names[i] for i in second],
    )


def decisions(views: Views, other: Views) -> dict[str, float]:
    """How well a probability and a threshold hold that the other set gave, in percent."""
    fitted = fit_calibration(*pairs_across(other))
    similarities, same, _, _ = pairs_across(views)
    probabilities = fitted.pooled.probabilities(similarities)
    impostors = strangers(other)
    threshold = new_person_threshold(impostors, FALSE_ACCEPT_RATE)
    passing = float((strangers(views) >= threshold.similarity).mean())
    known, hits = [], []
    for one in rounds(views.identities):
        found = cosines(views.encoder, one)
        best = found.argmax(axis=1)
        known.append(found.max(axis=1) >= threshold.similarity)
        hits.append(views.identities[one.gallery[best]] == views.identities[one.queries])
    return {
        "expected_calibration_error": 100 * reliability(probabilities, same).ece,
        "share_of_pairs_of_one_person": 100 * float(np.mean(same)),
        "threshold": threshold.similarity,
        "false_accept_rate_asked": 100 * FALSE_ACCEPT_RATE,
        "false_accept_rate": 100 * passing,
        "detected_and_identified": 100 * float(np.mean(np.array(known) & np.array(hits))),
    }


def strangers(views: Views) -> DoubleArray:
    """Greatest similarity (N,) of each clip to people other than its own."""
    similarities = views.encoder @ views.encoder.T
    similarities[views.identities[:, None] == views.identities] = -np.inf
    return np.asarray(similarities.max(axis=1), np.float64)


def show(name: str, rows: dict[str, dict[str, float]]) -> None:
    """A Markdown table: rank 1, mAP, mINP, what the mAP gains, time."""
    without = next(iter(rows.values()))["map"]
    print(f"## {name}\n\n| ranking | rank 1 | mAP | mINP | gain in mAP | CPU ms a query |")
    print("|---|---:|---:|---:|---:|---:|")
    for way, values in rows.items():
        cells = [f"{values[key]:.1f}" for key in SCORES]
        gain = f"{values['map'] - without:+.1f}"
        print(f"| {way} | {' | '.join(cells)} | {gain} | {values['cpu_ms_per_query']:.2f} |")
    print()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("recipe", type=Path, help="recipe of the training")
    parser.add_argument("training", type=Path, help="its --output")
    parser.add_argument("--data", type=Path, help="its --data; default: TRAINING/data")
    parser.add_argument("--output", type=Path, help="JSON file for everything")
    return parser.parse_args()


def main() -> None:
    """Measure, print the tables, write the JSON document."""
    options = _options()
    recipe = load_recipe(options.recipe)
    weights = options.training / "encoder.safetensors"
    sets: dict[str, Views] = {}
    for name, clips in recipe.test.items():
        if clips.simulation is None:
            raise UserError(f"{options.recipe}: test.{name}: expected a simulation")
        folder = options.data or options.training / "data"
        archive = simulated_archive(
            clips.simulation, recipe.encoder.size, folder, lambda: False, lambda *_: None
        )
        assert archive is not None  # it was not to stop
        sets[name] = see(weights, archive)
    names = list(sets)
    others = {name: sets[names[place - 1]] for place, name in enumerate(names)}
    tables = {
        name: {way: score(rank, views, others[name]) for way, rank in WAYS.items()}
        for name, views in sets.items()
    }
    certain = {name: decisions(views, others[name]) for name, views in sets.items()}
    for name, rows in tables.items():
        show(name, rows)
        print(", ".join(f"{key} {value:.2f}" for key, value in certain[name].items()), end="\n\n")
    result = document(
        "ranking",
        None,
        recipe=recipe.name,
        weights=weights_hash(weights),
        protocol=PROTOCOL.name,
        summary={
            name: {**rows, "calibration and threshold": certain[name]}
            for name, rows in tables.items()
        },
    )
    write(result, options.output)


if __name__ == "__main__":
    start(main)
