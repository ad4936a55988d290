"""What must hold of scores whatever the tracks, and agreement with TrackEval on random ones."""

from collections.abc import Callable, Iterator
from dataclasses import astuple
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.ground_truth import GroundTruth, read_ground_truth
from pipeline.evaluation.multi_camera import evaluate
from pipeline.evaluation.tracking import score
from pipeline.geometry import iou

# Boxes on a coarse grid, so that ties and exact thresholds are common.
ROW = st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3), st.integers(1, 2))
ROWS = st.lists(ROW, max_size=15, unique_by=lambda row: row[:2])
RENAMED = st.permutations([11, 5, 0, 9])


def tracks(rows: list[tuple[int, int, int, int]]) -> CameraTracks:
    """Tracks from rows (frame, id, left / 4, height / 10)."""
    table = np.array(rows, np.int64).reshape(-1, 4)
    left, height = 4.0 * table[:, 2], 10.0 * table[:, 3]
    boxes = np.column_stack([left, 0 * left, left + 10, height])
    return CameraTracks("a", table[:, 0], table[:, 1], boxes)


@given(ROWS, ROWS, RENAMED, RENAMED)
def test_renaming_ids_changes_no_score(truth, predicted, first, second) -> None:
    renamed = (
        [(f, names[i], *rest) for f, i, *rest in rows]
        for rows, names in ((truth, first), (predicted, second))
    )
    assert score(*map(tracks, renamed)) == score(tracks(truth), tracks(predicted))


@given(ROWS, ROWS, st.randoms(use_true_random=False))
def test_order_of_rows_changes_no_score(truth, predicted, random) -> None:
    shuffled = [random.sample(rows, len(rows)) for rows in (truth, predicted)]
    assert score(*map(tracks, shuffled)) == score(tracks(truth), tracks(predicted))


def test_a_tie_is_broken_by_what_tracks_hold() -> None:
    # Two equal boxes on one person, one of which goes on: matched first to the one that ends, the
    # person switches; whether they do must depend on neither rows nor ids.
    truth = tracks([(0, 1, 0, 2), (1, 1, 0, 2)])
    ends, goes_on = [(0, 0, 2)], [(0, 0, 2), (1, 0, 2)]
    results = set()
    for first, second in ((3, 8), (8, 3)):
        rows = [(f, first, *rest) for f, *rest in ends] + [
            (f, second, *rest) for f, *rest in goes_on
        ]
        results |= {score(truth, tracks(list(order))) for order in permutations(rows)}
    assert len(results) == 1


@given(ROWS, ROWS)
def test_scores_lie_in_their_ranges(truth, predicted) -> None:
    scores = score(tracks(truth), tracks(predicted))
    *bounded, mota, switches = astuple(scores)
    assert all(0 <= value <= 100 for value in bounded)
    assert mota <= 100
    assert 0 <= switches <= len(truth)
    # HOTA is at each threshold the geometric mean of the two, so their means bound its mean.
    assert scores.hota**2 <= scores.deta * scores.assa + 1e-6
    assert min(scores.idp, scores.idr) - 1e-9 <= scores.idf1 <= max(scores.idp, scores.idr) + 1e-9


@given(ROWS.filter(bool), RENAMED)
def test_the_truth_itself_under_other_names_is_perfect(rows, names) -> None:
    # Boxes of one frame are kept apart: equal boxes leave open who is who.
    apart = [(f, i, 10 * i + x, h) for f, i, x, h in rows]
    predicted = tracks([(f, names[i], *rest) for f, i, *rest in apart])
    expected = (100, 100, 100, 100, 100, 100, 100, 0)
    assert astuple(score(tracks(apart), predicted)) == pytest.approx(expected, abs=1e-9)


@given(ROWS, ROWS)
def test_idf1_is_the_best_of_all_pairings_of_ids(truth, predicted) -> None:
    scores = score(tracks(truth), tracks(predicted))
    hits = max(_identity_hits(truth, predicted))
    total = len(truth) + len(predicted)
    assert scores.idf1 == pytest.approx(100 * 2 * hits / total if hits else 0)
    assert scores.idr == pytest.approx(100 * hits / len(truth) if hits else 0)
    assert scores.idp == pytest.approx(100 * hits / len(predicted) if hits else 0)


def _identity_hits(truth: list, predicted: list) -> Iterator[int]:
    """Boxes right under every one-to-one pairing of the ids 0 to 3, by plain loops."""
    for pairing in permutations(range(4)):
        hits = 0
        for frame, identity, *box in truth:
            for other_frame, other, *other_box in predicted:
                if frame == other_frame and pairing[identity] == other:
                    boxes = [tracks([(0, 0, *b)]).boxes for b in (box, other_box)]
                    hits += iou(*boxes)[0, 0] >= 0.5
        yield int(hits)


def random_walks(rng: np.random.Generator, people: int, frames: int) -> Iterator[tuple]:
    """Rows frame, id, left, top, width, height of people who cross one another's way."""
    position = rng.uniform(0, 200, (people, 2))
    for frame in range(1, frames + 1):
        position = position + rng.normal(0, 8, position.shape)
        for person in range(people):
            if rng.random() < 0.8:
                yield frame, person + 1, *position[person], rng.uniform(30, 50), 90.0


def predictions(rng: np.random.Generator, truth: list[tuple]) -> Iterator[tuple]:
    """The truth as a poor tracker would have it: jittered, missed, renamed, with ghosts."""
    used: set[tuple[int, int]] = set()
    for frame, person, left, top, width, height, *_ in truth:
        identity = int(person * 3 + frame // 7 % 3)
        if rng.random() < 0.1:
            identity = int(rng.integers(1, 30))
        if rng.random() < 0.85 and (frame, identity) not in used:
            used.add((frame, identity))
            box = np.array([left, top, width, height]) + rng.normal(0, 6, 4)
            yield frame, identity, *box.tolist(), 1, -1, -1, -1
        if rng.random() < 0.1:
            yield frame, 100 * frame + person, *rng.uniform(10, 90, 4).tolist(), 1, -1, -1, -1


@pytest.mark.parametrize("benchmark", ["MOT15", "MOT17"])
@pytest.mark.parametrize("seed", range(6))
def test_random_cameras_agree_with_trackeval(
    benchmark: str,
    seed: int,
    tmp_path: Path,
    write: Callable[..., None],
    tracks_in: Callable[[Path, str], CameraTracks],
    trackeval: Callable[[Path, Path, str], dict[str, float]],
) -> None:
    rng = np.random.default_rng(seed)
    truths: dict[str, GroundTruth] = {}
    predicted: list[CameraTracks] = []
    long_truth: list[tuple] = []
    long_predicted: list[tuple] = []
    for number, name in enumerate("abc"):
        walks = list(random_walks(rng, people=8, frames=20 + 5 * number))
        rows = [row + _last_columns(rng, row[1], benchmark) for row in walks]
        guesses = list(predictions(rng, rows))
        files = tmp_path / f"{name}.truth.txt", tmp_path / f"{name}.predicted.txt"
        write(files[0], rows)
        write(files[1], guesses)
        truths[name] = read_ground_truth(files[0], name)
        predicted.append(tracks_in(files[1], name))
        expected = trackeval(*files, benchmark)
        single = evaluate(truths, [predicted[-1]]).multi_camera.to_json()
        assert single == pytest.approx(expected, abs=1e-9)
        assert 0 < single["IDF1"] < 100  # the case is worth its time
        long_truth += [(row[0] + 100 * number, *row[1:]) for row in rows]
        long_predicted += [(row[0] + 100 * number, *row[1:]) for row in guesses]

    together = tmp_path / "truth.txt", tmp_path / "predicted.txt"
    write(together[0], long_truth)
    write(together[1], long_predicted)
    result = evaluate(truths, predicted).multi_camera.to_json()
    assert result == pytest.approx(trackeval(*together, benchmark), abs=1e-9)


def _last_columns(rng: np.random.Generator, person: int, benchmark: str) -> tuple:
    considered = int(rng.random() < 0.9)
    if benchmark == "MOT15":
        return considered, -1, -1, -1
    kind = (1, 1, 1, 1, 2, 8, 3, 7)[person - 1]
    return considered if kind == 1 else 0, kind, 0.5


@given(ROWS, ROWS, st.lists(st.sampled_from(["person", "distractor", "other"]), min_size=15))
@settings(max_examples=50)
def test_forgiving_takes_predictions_away_and_adds_none(truth, predicted, kinds) -> None:
    kind = np.array(kinds[: len(truth)], object)
    ground_truth = GroundTruth(
        tracks(truth), counted=kind == "person", distractor=kind == "distractor"
    )
    strict = GroundTruth(
        tracks(truth), counted=kind == "person", distractor=np.zeros(len(truth), bool)
    )
    forgiving = evaluate({"a": ground_truth}, [tracks(predicted)]).multi_camera
    unforgiving = evaluate({"a": strict}, [tracks(predicted)]).multi_camera
    if "distractor" not in kind:
        assert forgiving == unforgiving
    assert forgiving.idr <= unforgiving.idr + 1e-9  # fewer predictions never find more people
