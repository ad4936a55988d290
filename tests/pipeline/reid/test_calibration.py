"""From similarities to decisions."""

import json
import math
from dataclasses import replace
from itertools import combinations_with_replacement

import numpy as np
import numpy.typing as npt
import pytest

from pipeline.evaluation.retrieval.scores import evaluate_embeddings
from pipeline.reid.calibration import (
    MIN_OF_EACH,
    MIN_PAIRS,
    CameraStandards,
    Method,
    NewPersonThreshold,
    SimilarityCalibration,
    acceptance_threshold,
    fit_calibration,
    fit_camera_standards,
    new_person_threshold,
    reliability,
)
from pipeline.reid.datasets.protocols import CROSS_CAMERA

Array = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def pairs(count: int, share: float, threshold: float, seed: int = 0) -> tuple[Array, Bools]:
    """Normal similarities about threshold -+ .2, spread .1: log-odds 40 (s - threshold) + prior."""
    rng = np.random.default_rng(seed)
    is_same = rng.random(count) < share
    return rng.normal(threshold + np.where(is_same, 0.2, -0.2), 0.1), is_same


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_probabilities_are_the_shares_that_they_say(method: Method) -> None:
    similarities, is_same = pairs(6000, 0.2, 0.5)
    names = ["hall"] * 6000
    calibration = fit_calibration(similarities, is_same, names, names, method)
    later, truth = pairs(6000, 0.2, 0.5, seed=1)
    numbers = reliability(calibration.probabilities(later, names, names), truth)
    assert numbers.ece < 0.01
    assert numbers.counts.sum() == 6000
    raw = reliability(np.clip(later, 0, 1), truth)
    assert raw.ece > 0.1


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_evidence_does_not_hold_the_share_of_the_fit(method: Method) -> None:
    """Two normals of equal spread: 2 * .2 / .1² = 40 log-odds per unit, even halfway."""
    evidence = []
    for share in (0.5, 0.05):
        similarities, is_same = pairs(20_000, share, 0.5)
        names = ["hall"] * len(is_same)
        calibration = fit_calibration(similarities, is_same, names, names, method)
        asked = np.array([0.45, 0.5, 0.55])
        evidence.append(calibration.log_odds(asked, ["hall"] * 3, ["hall"] * 3))
    allowed = 0.35 if method == "platt" else 1
    np.testing.assert_allclose(evidence, [[-2, 0, 2]] * 2, atol=allowed)


def test_cameras_with_pairs_enough_have_a_curve_of_their_own() -> None:
    """Of cameras in either order; the others take the pooled one."""
    parts = [pairs(MIN_PAIRS, 0.5, 0.3), pairs(MIN_PAIRS - 1, 0.5, 0.6)]
    similarities, is_same = (np.concatenate(column) for column in zip(*parts, strict=True))
    first = ["hall", "door"] * (MIN_PAIRS // 2) + ["hall"] * (MIN_PAIRS - 1)
    second = ["door", "hall"] * (MIN_PAIRS // 2) + ["yard"] * (MIN_PAIRS - 1)
    calibration = fit_calibration(similarities, is_same, first, second)
    assert [one.cameras for one in calibration.of_cameras] == [("door", "hall")]
    asked = np.full(4, 0.4)
    one, other, few, unseen = calibration.probabilities(
        asked, ["hall", "door", "hall", "sky"], ["door", "hall", "yard", "sea"]
    )
    assert one == other > 0.8
    assert few == unseen < 0.7


def test_a_lopsided_pair_of_cameras_is_pooled() -> None:
    similarities, is_same = pairs(1000, 0.5, 0.5)
    is_same[:] = False
    is_same[: MIN_OF_EACH - 1] = True
    names = ["hall"] * 1000
    assert fit_calibration(similarities, is_same, names, names).of_cameras == ()


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_probability_rises_and_is_never_certain(method: Method) -> None:
    """Also where the two kinds are apart, and where the similarity says the opposite."""
    for similarities in (np.array([0.1, 0.2, 0.8, 0.9]), np.array([0.9, 0.8, 0.2, 0.1])):
        is_same = np.array([False, False, True, True])
        calibration = fit_calibration(similarities, is_same, ["a"] * 4, ["b"] * 4, method)
        asked = np.linspace(-1, 1, 50)
        probabilities = calibration.probabilities(asked, ["a"] * 50, ["b"] * 50)
        assert np.all(np.diff(probabilities) >= 0)
        assert np.all((probabilities > 0) & (probabilities < 1))
        assert np.isfinite(calibration.log_odds(asked, ["a"] * 50, ["b"] * 50)).all()


def test_isotonic_worked_by_hand() -> None:
    """0 1/2 1/2 1 after pooling the two that fall; 1/4 and 3/4 at the ends by Platt's targets."""
    similarities = np.array([0.1, 0.2, 0.3, 0.4])
    is_same = np.array([False, True, False, True])
    curve = fit_calibration(similarities, is_same, ["a"] * 4, ["b"] * 4, "isotonic").pooled
    asked = curve.probabilities(np.array([0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.9]))
    np.testing.assert_allclose(asked, [1 / 4, 1 / 4, 3 / 8, 1 / 2, 1 / 2, 1 / 2, 3 / 4])


def test_pairs_of_one_kind_cannot_be_calibrated() -> None:
    with pytest.raises(ValueError, match="got 0 and 3"):
        fit_calibration(np.zeros(3), np.zeros(3, bool), ["a"] * 3, ["b"] * 3)


def test_reliability_worked_by_hand() -> None:
    """Bins [0, .5) and [.5, 1]: .2 said and 1/2 seen of two, .9 said and 2/3 seen of three."""
    said = np.array([0.1, 0.3, 0.8, 0.9, 1.0])
    numbers = reliability(said, np.array([True, False, True, True, False]), bins=2)
    np.testing.assert_allclose(numbers.predicted, [0.2, 0.9])
    np.testing.assert_allclose(numbers.observed, [1 / 2, 2 / 3])
    assert numbers.counts.tolist() == [2, 3]
    assert numbers.ece == pytest.approx((2 * 0.3 + 3 * (0.9 - 2 / 3)) / 5)
    assert np.isnan(reliability(np.array([0.1]), np.array([True]), bins=2).observed[1])


def two_cameras(people: int) -> tuple[npt.NDArray[np.float32], list[str]]:
    """The same people before two cameras, of which one stretches and shifts what it sees."""
    rng = np.random.default_rng(0)
    persons = rng.normal(size=(people, 32))
    gain, shift = np.exp(rng.normal(size=32)), 2 * rng.normal(size=32)
    seen = np.concatenate([persons, persons * gain + shift])
    seen += 0.7 * rng.normal(size=seen.shape)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    return seen.astype(np.float32), ["hall"] * people + ["door"] * people


def mean_precision(embeddings: npt.NDArray[np.float32], cameras: list[str]) -> float:
    """Everybody is sought among everybody else of either camera."""
    who, where = np.arange(len(cameras)) % (len(cameras) // 2), np.array(cameras) == "hall"
    protocol = replace(CROSS_CAMERA, queries_in_gallery=True)
    return evaluate_embeddings(embeddings, embeddings, who, where, who, where, protocol).map


def test_standards_bring_cameras_together() -> None:
    """Those of some people, for others."""
    seen, cameras = two_cameras(200)
    measured = np.arange(400) % 200 < 100
    names = np.array(cameras)
    standards = fit_camera_standards(seen[measured], names[measured].tolist())
    others, other_cameras = seen[~measured], names[~measured].tolist()
    after = standards.apply(others, other_cameras)
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, atol=1e-6)
    assert after.dtype == np.float32
    assert mean_precision(after, other_cameras) > mean_precision(others, other_cameras) + 0.2


def test_the_order_within_a_camera_stays_before_lengths_are_made_equal() -> None:
    """A shift changes no distance, and equal spreads stretch all alike."""
    rng = np.random.default_rng(0)
    half = rng.normal(size=(20, 4))
    half /= half.std(axis=0)
    vectors = np.concatenate([half, half + 3]).astype(np.float32)
    standards = fit_camera_standards(vectors, ["hall"] * 20 + ["door"] * 20)
    means, spreads = np.array(standards.means), np.array(standards.spreads)
    assert standards.cameras == ("door", "hall")
    np.testing.assert_allclose(spreads[0], spreads[1], rtol=1e-5)
    # Half of the way (20 of 20 + 20) from the centre to their own means, 3 apart.
    np.testing.assert_allclose(means[0] - means[1], 1.5, atol=1e-5)
    moved = (vectors[:20] - means[1]) / spreads[1]
    before, after = (np.linalg.norm(x[:, None] - x, axis=2) for x in (vectors[:20], moved))
    np.testing.assert_array_equal(np.argsort(after, axis=1), np.argsort(before, axis=1))


def four_cameras(people: int, seed: int) -> tuple[npt.NDArray[np.float32], list[str]]:
    """The same people before four cameras, each shifting further than the one before it."""
    persons, cameras = np.random.default_rng(seed), np.random.default_rng(99)
    gains = np.exp(0.5 * cameras.normal(size=(4, 1, 32)))
    shifts = cameras.normal(size=(4, 1, 32)) * np.array([0, 0.5, 1, 2])[:, None, None]
    seen = persons.normal(size=(people, 32)) * gains + shifts
    seen += 0.7 * persons.normal(size=seen.shape)
    seen /= np.linalg.norm(seen, axis=2, keepdims=True)
    return seen.reshape(-1, 32).astype(np.float32), np.repeat(list("abcd"), people).tolist()


def false_matches(embeddings: npt.NDArray[np.float32]) -> Array:
    """Share of different people above the threshold that 1 % of all pass, by pair of cameras."""
    cameras = np.split(embeddings, 4)
    is_other = ~np.eye(len(cameras[0]), dtype=bool)
    pairs = np.array([(a @ b.T)[is_other] for a, b in combinations_with_replacement(cameras, 2)])
    return np.asarray((pairs >= np.quantile(pairs, 0.99)).mean(axis=1))


def test_after_standardising_one_threshold_suits_all_pairs_of_cameras() -> None:
    """Standards of some people, false matches of others: 1 %, within a factor of two."""
    standards = fit_camera_standards(*four_cameras(150, 0))
    others, cameras = four_cameras(150, 1)
    assert false_matches(others).max() > 0.05
    after = false_matches(standards.apply(others, cameras))
    assert 0.005 < after.min() <= after.max() < 0.02


def test_few_tracklets_stay_near_the_common_standards() -> None:
    rng = np.random.default_rng(0)
    many = rng.normal(size=(400, 6))
    lonely = np.full((1, 6), 4.0)
    vectors = np.concatenate([many, lonely]).astype(np.float32)
    standards = fit_camera_standards(vectors, ["hall"] * 400 + ["door"])
    door = standards.cameras.index("door")
    centre, mean = np.array(standards.centre), np.array(standards.means[door])
    np.testing.assert_allclose(mean, centre + (lonely[0] - centre) / 21, rtol=1e-5)
    # Its own spread is 0, that of 400 others close to 1: 20/21 of the variance is the common one.
    np.testing.assert_allclose(standards.spreads[door], math.sqrt(20 / 21), rtol=0.1)


def test_a_camera_never_seen_takes_the_common_standards() -> None:
    seen, cameras = two_cameras(30)
    standards = fit_camera_standards(seen, cameras)
    moved = standards.apply(seen[:1], ["yard"])[0]
    expected = (seen[0] - np.array(standards.centre)) / np.array(standards.spread)
    np.testing.assert_allclose(moved, expected / np.linalg.norm(expected), atol=1e-6)


def test_a_dead_dimension_is_not_blown_up() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 4)).astype(np.float32)
    vectors[:, 2] = 0.5
    standards = fit_camera_standards(vectors, ["hall"] * 40)
    moved = standards.apply(vectors + np.array([0, 0, 1e-3, 0], np.float32), ["hall"] * 40)
    assert np.median(np.abs(moved[:, 2])) < 0.2  # a tenth of the least spread


def test_threshold_worked_by_hand() -> None:
    """Of 100 impostors at 0 .01 ... .99 two may pass at 2 %: .99 and .98, not .97."""
    impostors = np.arange(100) / 100
    threshold = new_person_threshold(impostors, 0.02)
    assert threshold.similarity == np.nextafter(0.97, 1)
    assert (impostors >= threshold.similarity).sum() == 2
    # Of 100, between 0 and 5 exceed the true 98 % quantile, 19 times in 20.
    assert (threshold.low, threshold.high) == (0.94, 1.0)
    assert threshold.rate_low < 0.02 < threshold.rate_high
    assert threshold.impostors == 100


def test_too_few_impostors_say_so() -> None:
    """None of 50 may pass at .1 %; but of the next, up to 7.1 % may: 1 - .025^(1/50)."""
    threshold = new_person_threshold(np.arange(50) / 100, 0.001)
    assert threshold.similarity > 0.49
    assert threshold.high == 1.0
    assert threshold.rate_high == pytest.approx(1 - 0.025 ** (1 / 50))


def test_the_intervals_of_the_threshold_hold_what_they_say() -> None:
    rng = np.random.default_rng(0)
    quantile, held, rate_held = 0.9, 0, 0
    for _ in range(500):
        threshold = new_person_threshold(rng.random(200), 0.1)
        held += threshold.low <= quantile <= threshold.high
        rate_held += threshold.rate_low <= 1 - threshold.similarity <= threshold.rate_high
    assert held / 500 >= 0.93
    assert 0.93 <= rate_held / 500 <= 0.97


def test_equal_impostors_do_not_slip_through() -> None:
    values = np.array([0.5, 0.5, 0.5, 0.1], np.float32)
    assert not np.any(values >= acceptance_threshold(values, 1))


@pytest.mark.parametrize(("count", "rate"), [(0, 0.1), (5, 0.0), (5, 1.0)])
def test_thresholds_of_nothing_are_refused(count: int, rate: float) -> None:
    with pytest.raises(ValueError, match="impostors and a false-accept rate"):
        new_person_threshold(np.zeros(count), rate)


def test_all_come_back_from_their_json() -> None:
    similarities, is_same = pairs(600, 0.4, 0.5)
    seen, cameras = two_cameras(12)
    for method in ("platt", "isotonic"):
        names = ["hall", "door"] * 300
        calibration = fit_calibration(similarities, is_same, names, names[::-1], method)
        assert calibration.of_cameras
        text = calibration.model_dump_json()
        assert SimilarityCalibration.model_validate_json(text) == calibration
    standards = fit_camera_standards(seen, cameras)
    assert CameraStandards.model_validate_json(standards.model_dump_json()) == standards
    threshold = new_person_threshold(similarities, 0.05)
    assert NewPersonThreshold.model_validate_json(threshold.model_dump_json()) == threshold
    assert json.loads(threshold.model_dump_json())["impostors"] == 600
