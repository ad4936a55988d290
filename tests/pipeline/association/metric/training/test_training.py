"""A training where a local metric helps, where it does not, and where there is too little."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.association.metric.metric import Fallback, LocalMetric
from pipeline.association.metric.training.comparison import COSINE, Table
from pipeline.association.metric.training.crossfit import Learnt, Thin
from pipeline.association.metric.training.recipe import MetricRecipe
from pipeline.association.metric.training.tracklets import LabelledTracklets
from pipeline.association.metric.training.training import NETWORKS, Trained, test, train
from pipeline.types import EncoderIdentity

test.__test__ = False  # type: ignore[attr-defined] # no test of pytest's
ENCODER = EncoderIdentity("toy", "0" * 64, 32)
RECIPE = MetricRecipe.model_validate(
    {
        "name": "toy",
        "train": [{"database": "sqlite:///none.db"}],
        "intra": {"window_s": 30},
        "inter": {"window_s": 60},
        "hidden": 32,
        "iterations": 120,
        "learning_rate": 0.005,
    }
)
Site = Callable[..., LabelledTracklets]


def trained_on(tracklets: LabelledTracklets, recipe: MetricRecipe = RECIPE) -> Trained:
    return train(tracklets, ENCODER, recipe, lambda done, total: None)


def aucs(table: Table) -> dict[str, float]:
    return {row.method: row.auc for row in table.rows}


@pytest.fixture(scope="module")
def confused(make_site: Site, confusing: object) -> Trained:
    return trained_on(make_site(60, confusing, 0))


def test_it_learns_what_tells_people_apart_who_are_there_together(confused: Trained) -> None:
    same_camera, cross_camera, _ = confused.tables
    assert same_camera.words == "same camera, up to 30 s apart, held-out people"
    assert cross_camera.words == "different cameras, up to 60 s apart, held-out people"
    for table, own in ((same_camera, "intra"), (cross_camera, "inter")):
        found = aucs(table)
        assert found[NETWORKS[own]] > found[COSINE] + 0.05
        assert found[NETWORKS[own]] > found[NETWORKS["global"]] + 0.02
        errors = {row.method: row.error for row in table.rows}
        assert errors[NETWORKS[own]] < errors[COSINE] - 0.03
    assert isinstance(confused.metric.intra, LocalMetric)
    assert isinstance(confused.metric.inter, LocalMetric)


def test_elsewhere_cosine_stays_where_the_network_does_not_surely_win(confused: Trained) -> None:
    elsewhere = confused.tables[2]
    assert elsewhere.words == "all other pairs, held-out people"
    assert abs(aucs(elsewhere)[NETWORKS["inter"]] - aucs(elsewhere)[COSINE]) < 0.02
    assert not confused.metric.elsewhere
    assert confused.decisions[-1] == "all other pairs: cosine"


def test_its_log_odds_are_right_on_people_it_has_not_seen(
    confused: Trained, make_site: Site, confusing: Callable[..., object]
) -> None:
    """Among as many pairs of one person as of two, 3 in 4 at log-odds of log 3, and so on."""
    others = make_site(60, lambda rng, number, group: confusing(rng, number + 60, group + 6), 1)
    first, second = np.triu_indices(len(others), 1)
    gaps = others.gaps_s(first, second)
    away = others.cameras[first] != others.cameras[second]
    near = away & (gaps <= 60)
    first, second, gaps = first[near], second[near], gaps[near]
    evidence = confused.metric.log_odds(
        others.vectors[first], others.vectors[second], np.zeros(len(gaps), bool), gaps
    )
    same = others.are_same(first, second)
    weights = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    said = 1 / (1 + np.exp(-evidence))
    for low, high in ((0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)):
        inside = (said >= low) & (said < high)
        observed = weights[inside & same].sum() / weights[inside].sum()
        assert abs(observed - np.average(said[inside], weights=weights[inside])) < 0.08


def test_a_test_run_is_scored_by_what_is_kept(
    confused: Trained, make_site: Site, confusing: Callable[..., object]
) -> None:
    others = make_site(30, lambda rng, number, group: confusing(rng, number + 60, group + 6), 1)
    same_camera, cross_camera, _ = test(others, RECIPE, confused)
    assert cross_camera.words == "different cameras, up to 60 s apart, test"
    assert (same_camera.people, same_camera.same) == (30, 90)
    assert aucs(cross_camera)[NETWORKS["inter"]] > aucs(cross_camera)[COSINE] + 0.05


def test_where_nothing_is_to_gain_cosine_stays(make_site: Site, isotropic: object) -> None:
    trained = trained_on(make_site(60, isotropic, 0))
    same_camera, cross_camera, _ = trained.tables
    for table, own in ((same_camera, "intra"), (cross_camera, "inter")):
        assert abs(aucs(table)[NETWORKS[own]] - aucs(table)[COSINE]) < 0.02
    for local in (trained.metric.intra, trained.metric.inter):
        assert isinstance(local, Fallback)
        assert local.reason.startswith("the network is not surely better on held-out people: AUC")
    assert not trained.metric.elsewhere
    vectors, near = np.eye(2, 32, dtype=np.float32), np.zeros(1)
    found = trained.metric.log_odds(vectors[:1], vectors[1:], np.ones(1, bool), near)
    assert np.isnan(found).all()


def test_of_too_few_people_nothing_is_learnt(make_site: Site, confusing: object) -> None:
    trained = trained_on(make_site(19, confusing, 0))
    assert all(isinstance(learnt, Thin) for learnt in trained.learnt.values())
    assert trained.points == []
    assert trained.decisions[0] == (
        "same camera, up to 30 s: cosine, too thin to learn from: 19 people with 57 pairs of one"
        " person, 313 of two; it takes 20, 100 and 100"
    )
    assert {row.method for row in trained.tables[0].rows} == {
        "cosine as encoded",
        COSINE,
        "cosine, standardised per camera",
    }


def test_the_same_seed_gives_the_same_networks(make_site: Site, confusing: object) -> None:
    quick = RECIPE.model_copy(update={"iterations": 8})
    one, two, other = (
        trained_on(make_site(40, confusing, 0), quick.model_copy(update={"seed": seed}))
        for seed in (0, 0, 1)
    )
    assert one.tables == two.tables
    for kind, learnt in one.learnt.items():
        again, differing = two.learnt[kind], other.learnt[kind]
        assert isinstance(learnt, Learnt)
        assert isinstance(again, Learnt) and isinstance(differing, Learnt)
        assert learnt.network.distance == again.network.distance != differing.network.distance
        for ours, theirs in zip(learnt.network.weights, again.network.weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
