"""Open-set rates: by hand, against plain counting, and their intervals by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.evaluation.retrieval import open_set
from pipeline.evaluation.retrieval.open_set import (
    BestAnswers,
    best_answers,
    identification,
    rate_of_people,
    threshold_at,
    verification,
    wilson,
)
from pipeline.evaluation.retrieval.searches import Labels, Matrix
from pipeline.reid.datasets.protocols import Protocol

PLAIN = Protocol("plain", junk=frozenset({-1}))


def test_wilson_of_eight_in_ten() -> None:
    """(8 + z²/2) / (10 + z²) -+ z / (10 + z²) * sqrt(1.6 + z²/4), z = 1.96."""
    rate = wilson(8, 10)
    assert (rate.value, rate.low, rate.high) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)


def test_wilson_never_leaves_the_unit_interval() -> None:
    assert wilson(0, 5).low == 0
    assert 0 < wilson(0, 5).high < 0.5
    assert wilson(5, 5).high == 1


def test_a_person_each_is_wilson_and_repeated_clips_say_nothing_new() -> None:
    successes = np.array([True] * 8 + [False] * 2)
    once = rate_of_people(successes, np.arange(10))
    assert (once.low, once.high) == pytest.approx((wilson(8, 10).low, wilson(8, 10).high))
    many = rate_of_people(np.repeat(successes, 7), np.repeat(np.arange(10), 7))
    assert (many.low, many.high) == pytest.approx((once.low, once.high))
    sure = rate_of_people(np.ones(70, bool), np.repeat(np.arange(10), 7))
    assert sure.low == pytest.approx(wilson(10, 10).low)


def test_the_interval_holds_what_it_says() -> None:
    """40 people of 5 clips, half of the spread between people: about 95 % of intervals hold."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 5)
    held = 0
    for _ in range(400):
        chance = np.repeat(rng.beta(1.6, 0.4, 40), 5)  # mean .8
        rate = rate_of_people(rng.random(200) < chance, people)
        held += rate.low <= 0.8 <= rate.high
    assert 0.91 <= held / 400 <= 0.98


def test_best_answers_worked_by_hand() -> None:
    queries = Labels(np.array([1, 2, 3]), np.array([1, 1, 1]))
    gallery = Labels(np.array([1, 1, 2, -1]), np.array([1, 2, 1, 2]))
    similarities = np.array(
        [
            [0.9, 0.6, 0.5, 0.95],  # 0 is of the same camera, 3 junk
            [0.3, 0.4, 0.8, 0.9],  # 2 is of the same camera: nobody known
            [0.2, 0.7, 0.6, 0.9],  # a stranger
        ]
    )
    answers = best_answers(Matrix(similarities), queries, gallery, PLAIN)
    np.testing.assert_array_equal(answers.right, [0.6, -np.inf, -np.inf])
    np.testing.assert_array_equal(answers.wrong, [0.5, 0.4, 0.7])
    assert answers.is_known.tolist() == [True, False, False]


def test_identification_worked_by_hand() -> None:
    none = -np.inf
    answers = BestAnswers(
        right=np.array([0.9, 0.8, 0.6, 0.7, none, none]),
        wrong=np.array([0.5, 0.85, 0.4, 0.7, 0.65, 0.3]),
        identities=np.arange(6),
    )
    # Of the known: found; not first; first but not accepted; no better than a wrong one.
    at = identification(answers, ~answers.is_known, 0.65)
    assert at.identified.value == 1 / 4
    assert at.false_accepts.value == 1 / 2
    # Everybody as a stranger: wrong answers .5 .85 .4 .7 .65 .3, of which three pass.
    everybody = identification(answers, np.ones(6, bool), 0.65)
    assert everybody.false_accepts.value == 3 / 6
    assert 0.65 < threshold_at(answers, ~answers.is_known, 0.4) < 0.6501
    assert 0.3 < threshold_at(answers, ~answers.is_known, 0.5) < 0.3001


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=60),
    st.sampled_from([0, 0.01, 0.1, 0.29, 0.5]),
)
def test_the_threshold_never_lets_more_pass_and_is_the_least(
    values: list[int], rate: float
) -> None:
    wrong = np.array(values) / 10
    answers = BestAnswers(np.full(len(wrong), -np.inf), wrong, np.arange(len(wrong)))
    threshold = threshold_at(answers, ~answers.is_known, rate)
    assert np.mean(wrong >= threshold) <= rate
    assert np.mean(wrong >= np.nextafter(threshold, -1)) > rate


def test_no_strangers_are_refused() -> None:
    answers = BestAnswers(np.ones(2), np.zeros(2), np.arange(2))
    with pytest.raises(ValueError, match="not in the gallery, got none"):
        threshold_at(answers, ~answers.is_known, 0.1)


def _site(seed: int, known: int, strangers: int) -> BestAnswers:
    """A synthetic site: noisy unit vectors, a known person once in the gallery."""
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(known + strangers, 24))
    seen = people + 0.9 * rng.normal(size=people.shape)
    people, seen = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (people, seen))
    numbers = np.arange(known + strangers)
    queries, gallery = (
        Labels(numbers, np.ones(len(numbers))),
        Labels(numbers[:known], np.full(known, 2)),
    )
    return best_answers(Matrix(seen @ people[:known].T), queries, gallery, PLAIN)


def test_half_of_the_queries_unknown() -> None:
    """A threshold of one site holds the false-accept rate of the next within a factor of two."""
    here, there = _site(0, 150, 2000), _site(1, 150, 2000)
    threshold = threshold_at(here, ~here.is_known, 0.01)
    at_home = identification(here, ~here.is_known, threshold)
    assert at_home.false_accepts.value == pytest.approx(0.01, abs=1e-3)
    assert at_home.identified.low < at_home.identified.value < at_home.identified.high
    abroad = identification(there, ~there.is_known, threshold)
    assert 0.005 <= abroad.false_accepts.value <= 0.02


def test_leaving_their_people_out_makes_strangers_of_the_known() -> None:
    """What a known query's best wrong answer says is what its search says without its person."""
    rng = np.random.default_rng(2)
    similarities = rng.random((8, 20))
    queries = Labels(np.arange(8), np.ones(8))
    gallery = Labels(rng.integers(0, 8, 20), np.full(20, 2))
    answers = best_answers(Matrix(similarities), queries, gallery, PLAIN)
    for query in range(8):
        others = gallery.identities != query
        assert answers.wrong[query] == similarities[query, others].max()


@pytest.mark.parametrize("block", [2**22, 8])
def test_verification_agrees_with_counting_all_pairs(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(open_set, "BLOCK_SIMILARITIES", block)
    rng = np.random.default_rng(3)
    queries = Labels(rng.integers(1, 6, 12), rng.integers(1, 3, 12))
    gallery = Labels(rng.integers(-1, 6, 50), rng.integers(1, 3, 50))
    similarities = rng.integers(0, 40, (12, 50)) / 40
    rates = (0.01, 0.1, 0.3)
    right, wrong = [], []
    for query in range(12):
        for entry in range(50):
            is_one = queries.identities[query] == gallery.identities[entry]
            if gallery.identities[entry] == -1:
                continue
            if is_one and queries.cameras[query] == gallery.cameras[entry]:
                continue
            (right if is_one else wrong).append(similarities[query, entry])
    falling = sorted(wrong, reverse=True)
    for found in verification(Matrix(similarities), queries, gallery, PLAIN, rates):
        first_refused = falling[int(found.false_positive_rate * len(wrong))]
        assert found.true_positives.value == np.mean(np.array(right) > first_refused)
        assert np.mean(np.array(wrong) >= found.threshold) <= found.false_positive_rate
