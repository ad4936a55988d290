"""CMC, average precision and mINP: by hand, and against sorting and loops."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.evaluation.retrieval import searches
from pipeline.evaluation.retrieval.scores import (
    average_precisions,
    evaluate_embeddings,
    evaluate_retrieval,
    mean_over_trials,
)
from pipeline.reid.datasets.protocols import Protocol

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PLAIN = Protocol("plain", junk=frozenset({-1}), distractors=frozenset({0}))
TRAPEZOIDAL = replace(PLAIN, name="trapezoidal", average_precision="trapezoidal")

QUERY_IDENTITIES, QUERY_CAMERAS = np.array([1, 2, 3, 1]), np.array([1, 1, 2, 3])
GALLERY_IDENTITIES, GALLERY_CAMERAS = np.array([1, 1, 2, -1, 3, 1]), np.array([2, 1, 2, 3, 2, 3])
LABELS = QUERY_IDENTITIES, QUERY_CAMERAS, GALLERY_IDENTITIES, GALLERY_CAMERAS
SIMILARITIES = np.array(
    [
        # Entry 1 is of the query's camera and 3 is junk: right, wrong, wrong, right.
        [0.9, 0.95, 0.8, 0.99, 0.7, 0.6],
        # Entry 3 is junk: wrong (5), wrong (0), right (2), wrong, wrong.
        [0.5, 0.4, 0.45, 0.9, 0.1, 0.6],
        # The only entry of identity 3 is of the query's camera: skipped.
        [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        # Entry 5 is of the query's camera: wrong (2), right (1), and 0 equals 4: wrong, right.
        [0.3, 0.8, 0.9, 0.1, 0.3, 0.95],
    ]
)


def test_worked_by_hand() -> None:
    scores = evaluate_retrieval(SIMILARITIES, *LABELS, PLAIN, ranks=4)
    assert scores.first_ranks.tolist() == [1, 3, 0, 2]
    np.testing.assert_allclose(scores.cmc, [1 / 3, 2 / 3, 1, 1], rtol=0, atol=1e-9)
    expected = [(1 + 2 / 4) / 2, 1 / 3, np.nan, (1 / 2 + 2 / 4) / 2]
    np.testing.assert_allclose(scores.average_precisions, expected, rtol=0, atol=1e-9)
    assert scores.map == pytest.approx(19 / 36, abs=1e-9)
    assert scores.minp == pytest.approx((2 / 4 + 1 / 3 + 2 / 4) / 3, abs=1e-9)
    assert (scores.queries, scores.skipped) == (3, 1)


def test_trapezoids_worked_by_hand() -> None:
    scores = evaluate_retrieval(SIMILARITIES, *LABELS, TRAPEZOIDAL)
    expected = [
        ((1 + 1) / 2 + (1 / 3 + 2 / 4) / 2) / 2,
        (0 + 1 / 3) / 2,
        np.nan,
        ((0 + 1 / 2) / 2 + (1 / 3 + 2 / 4) / 2) / 2,
    ]
    np.testing.assert_allclose(scores.average_precisions, expected, rtol=0, atol=1e-9)
    assert scores.map == pytest.approx(29 / 72, abs=1e-9)


MARS_IDENTITIES, MARS_CAMERAS = np.array([1, 1, 2, 2, 0, -1]), np.array([1, 2, 1, 2, 1, 3])
MARS_QUERIES = np.array([0, 1, 2])
MARS_SIMILARITIES = np.array(
    [
        [1.0, 0.5, 0.6, 0.2, 0.7, 0.9],  # right: 1, behind 4 and 2
        [0.5, 1.0, 0.3, 0.4, 0.1, 0.8],  # right: 0, first
        [0.6, 0.3, 1.0, 0.35, 0.2, 0.1],  # right: 3, behind 0
    ]
)


@pytest.mark.parametrize(
    ("trapezoidal", "with_queries", "mean", "rank_1", "skipped"),
    [
        (False, True, (1 / 3 + 1 + 1 / 2) / 3, 1 / 3, 0),
        (True, True, ((0 + 1 / 3) / 2 + (1 + 1) / 2 + (0 + 1 / 2) / 2) / 3, 1 / 3, 0),
        # Without the queries, nobody is left for the first two, and nobody before the third's.
        (False, False, 1, 1, 2),
        (True, False, 1, 1, 2),
    ],
)
def test_the_four_protocols_of_mars(
    trapezoidal: bool, with_queries: bool, mean: float, rank_1: float, skipped: int
) -> None:
    protocol = replace(
        TRAPEZOIDAL if trapezoidal else PLAIN, name="mars", queries_in_gallery=with_queries
    )
    gallery = np.arange(0 if with_queries else 3, 6)
    scores = evaluate_retrieval(
        MARS_SIMILARITIES[:, gallery],
        MARS_IDENTITIES[MARS_QUERIES],
        MARS_CAMERAS[MARS_QUERIES],
        MARS_IDENTITIES[gallery],
        MARS_CAMERAS[gallery],
        protocol,
    )
    assert scores.map == pytest.approx(mean, abs=1e-9)
    assert scores.rank(1) == pytest.approx(rank_1, abs=1e-9)
    assert (scores.queries, scores.skipped) == (3 - skipped, skipped)
    words = scores.words()
    assert f"queries {'in' if with_queries else 'not in'} the gallery" in words
    assert ("trapezoidal" if trapezoidal else "rectangular") in words
    assert f"{skipped} of 3 queries skipped" in words
    assert scores.to_json()["protocol"] == words


def test_one_place_and_unique_identities_of_sysu() -> None:
    """The two of camera 2, which sees the query's place, are left out whoever they are."""
    identities = np.array([1, 2, 3, 3, 3, 1, 1, 4])
    cameras = np.array([2, 2, 1, 1, 1, 1, 4, 5])
    similarities = np.array([[0.99, 0.98, 0.9, 0.85, 0.8, 0.7, 0.5, 0.6]])
    sysu = Protocol("sysu", camera_groups={2: 2, 3: 2}, unique_identities=True)
    labels = np.array([1]), np.array([3]), identities, cameras
    scores = evaluate_retrieval(similarities, *labels, sysu)
    assert scores.first_ranks.tolist() == [2]  # identities 3, 1
    assert scores.map == pytest.approx((1 / 4 + 2 / 6) / 2, abs=1e-9)
    assert "place" in scores.words()
    entries = evaluate_retrieval(similarities, *labels, replace(sysu, unique_identities=False))
    assert entries.first_ranks.tolist() == [4]
    elsewhere = evaluate_retrieval(similarities, labels[0], np.array([6]), *labels[2:], sysu)
    assert elsewhere.first_ranks.tolist() == [1]


def test_junk_and_distractors_are_never_right() -> None:
    labels = np.array([-1, 0, 1]), np.array([1, 1, 1]), np.array([-1, 0, 1]), np.array([2, 2, 2])
    scores = evaluate_retrieval(np.eye(3), *labels, PLAIN)
    assert (scores.queries, scores.skipped) == (1, 2)


def test_one_vector_for_everybody_scores_as_it_deserves() -> None:
    """The right answer comes last of all that are equal, wherever it stands."""
    for place in range(5):
        identities = np.full(5, 2)
        identities[place] = 1
        labels = np.array([1]), np.array([1]), identities, np.full(5, 2)
        assert evaluate_retrieval(np.ones((1, 5)), *labels, PLAIN).first_ranks.tolist() == [5]


def naive(
    similarities: Array, labels: tuple[Ints, Ints, Ints, Ints], protocol: Protocol
) -> list[tuple[int, float, float]]:
    """Of each query: rank of the first right answer, average precision, INP, from a sorted list."""
    query_identities, query_cameras, gallery_identities, gallery_cameras = labels
    results = []
    for row, identity, camera in zip(similarities, query_identities, query_cameras, strict=True):
        ranking = []
        for value, other, seen_by in zip(row, gallery_identities, gallery_cameras, strict=True):
            place = protocol.camera_groups.get(camera)
            if place is not None and protocol.camera_groups.get(seen_by) == place:
                continue
            if other in protocol.junk:
                continue
            if protocol.ignore_same_camera and other == identity and seen_by == camera:
                continue
            is_right = other == identity and other not in protocol.distractors
            ranking.append((-value, is_right, other))
        ranking.sort(key=lambda entry: entry[:2])
        if not any(is_right for _, is_right, _ in ranking):
            results.append((0, np.nan, np.nan))
            continue
        precision_sum, hits, before, last = 0.0, 0, 1.0, 0
        for rank, (_, is_right, _) in enumerate(ranking, start=1):
            hits += is_right
            precision = hits / rank
            if is_right:
                last = rank
                is_trapezoid = protocol.average_precision == "trapezoidal"
                precision_sum += (precision + before) / 2 if is_trapezoid else precision
            before = precision
        seen: list[int] = []
        for _, is_right, other in ranking:
            if is_right:
                break
            if not protocol.unique_identities or (other not in seen and other != identity):
                seen.append(other)
        results.append((len(seen) + 1, precision_sum / hits, hits / last))
    return results


@given(
    data=st.data(),
    queries=st.integers(1, 5),
    entries=st.integers(1, 14),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 2**32),
)
def test_agrees_with_sorting_and_loops(
    data: st.DataObject, queries: int, entries: int, dtype: type, seed: int
) -> None:
    """Few values, so that many are equal; few identities and cameras, so that all rules meet."""
    rng = np.random.default_rng(seed)
    similarities = rng.integers(0, 7, (queries, entries))
    labels = (
        rng.integers(-1, 4, queries),
        rng.integers(1, 5, queries),
        rng.integers(-1, 4, entries),
        rng.integers(1, 5, entries),
    )
    protocol = Protocol(
        "drawn",
        average_precision=data.draw(st.sampled_from(["rectangular", "trapezoidal"])),
        ignore_same_camera=data.draw(st.booleans()),
        junk=data.draw(st.sampled_from([frozenset(), frozenset({-1})])),
        distractors=data.draw(st.sampled_from([frozenset(), frozenset({0})])),
        camera_groups=data.draw(st.sampled_from([{}, {2: 0, 3: 0}, {1: 0, 2: 1, 3: 1}])),
        unique_identities=data.draw(st.booleans()),
    )
    expected = naive(similarities.astype(np.float64), labels, protocol)
    assume(any(first for first, _, _ in expected))
    scores = evaluate_retrieval((similarities / 8).astype(dtype), *labels, protocol)
    counted = [entry for entry in expected if entry[0]]
    assert scores.first_ranks.tolist() == [first for first, _, _ in expected]
    np.testing.assert_allclose(
        scores.average_precisions, [precision for _, precision, _ in expected], rtol=0, atol=1e-9
    )
    assert scores.minp == pytest.approx(np.mean([inverse for _, _, inverse in counted]), abs=1e-9)
    assert scores.map == pytest.approx(np.mean([ap for _, ap, _ in counted]), abs=1e-9)
    assert scores.skipped == len(expected) - len(counted)


def test_order_of_files_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    similarities = rng.integers(0, 5, (6, 30)) / 5
    labels = [rng.integers(0, 4, n) for n in (6, 6, 30, 30)]
    before = evaluate_retrieval(similarities, *labels, PLAIN)
    order = rng.permutation(30)
    shuffled = labels[0], labels[1], labels[2][order], labels[3][order]
    after = evaluate_retrieval(similarities[:, order], *shuffled, PLAIN)
    np.testing.assert_array_equal(before.average_precisions, after.average_precisions)


@pytest.mark.parametrize("many", [9, 400])
def test_few_above_the_last_right_answer_or_many(many: int) -> None:
    """Where few are above the last right answer only these are sorted; ranks are the same."""
    row = np.arange(many)[None] / many
    identities = np.full(many, 2)
    identities[[many - 2, many - 4]] = 1
    labels = np.array([1]), np.array([1]), identities, np.full(many, 2)
    scores = evaluate_retrieval(row, *labels, PLAIN)
    assert scores.first_ranks.tolist() == [2]
    assert scores.map == pytest.approx((1 / 2 + 2 / 4) / 2)


def test_embeddings_are_compared_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of whole numbers, whose products are exact in whatever order they are added."""
    rng = np.random.default_rng(1)
    queries = rng.integers(-3, 4, (11, 8)).astype(np.float32)
    gallery = rng.integers(-3, 4, (40, 8)).astype(np.float32)
    labels = [rng.integers(-1, 5, n) for n in (11, 11, 40, 40)]
    protocol = replace(PLAIN, camera_groups={2: 2, 3: 2})
    whole = evaluate_retrieval(queries @ gallery.T, *labels, protocol)
    monkeypatch.setattr(searches, "BLOCK_SIMILARITIES", 70)
    blocks = evaluate_embeddings(queries, gallery, *labels, protocol)
    np.testing.assert_array_equal(whole.average_precisions, blocks.average_precisions)
    np.testing.assert_array_equal(whole.cmc, blocks.cmc)


def test_trials_are_averaged() -> None:
    first = evaluate_retrieval(SIMILARITIES, *LABELS, PLAIN, ranks=4)
    second = evaluate_retrieval(
        SIMILARITIES[:2], *(x[:2] for x in LABELS[:2]), *LABELS[2:], PLAIN, 4
    )
    mean = mean_over_trials([first, second])
    assert mean.map == pytest.approx((first.map + second.map) / 2)
    np.testing.assert_allclose(mean.cmc, (first.cmc + second.cmc) / 2)
    assert (mean.queries, mean.skipped, len(mean.first_ranks)) == (5, 1, 6)


@pytest.mark.parametrize("trapezoidal", [False, True])
def test_all_right_answers_first_is_perfect(trapezoidal: bool) -> None:
    ranks = [np.arange(1, 8), np.arange(1, 3)]
    assert average_precisions(ranks, trapezoidal).tolist() == [1, 1]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(4, 6\) as the labels say, got \(4, 5\)"):
        evaluate_retrieval(SIMILARITIES[:, :5], *LABELS, PLAIN)
    broken = SIMILARITIES.copy()
    broken[1, 2] = np.nan
    with pytest.raises(ValueError, match="query 1: expected numbers, got NaN"):
        evaluate_retrieval(broken, *LABELS, PLAIN)
    with pytest.raises(ValueError, match="no query has a right answer"):
        evaluate_retrieval(SIMILARITIES, LABELS[0] + 7, *LABELS[1:], PLAIN)
    finds_itself = replace(PLAIN, queries_in_gallery=True, ignore_same_camera=False)
    with pytest.raises(ValueError, match="find themselves"):
        evaluate_retrieval(SIMILARITIES, *LABELS, finds_itself)
    with pytest.raises(ValueError, match="one identity and one camera"):
        evaluate_retrieval(SIMILARITIES, LABELS[0], LABELS[1][:2], *LABELS[2:], PLAIN)
