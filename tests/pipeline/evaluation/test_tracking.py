"""Scores of one camera: worked by hand, and the same by TrackEval."""

from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.ground_truth import read_ground_truth
from pipeline.evaluation.multi_camera import evaluate
from pipeline.evaluation.tracking import Scores

Row = tuple[float, ...]

# People stand in places, 100 px apart: a row is (frame from 0, id, place).
WIDTH, HEIGHT = 10, 20


def box(place: int, height: float = HEIGHT) -> Row:
    return (100.0 * place, 0.0, WIDTH, height)


def mot15(rows: list[Row], considered: int = 1) -> list[Row]:
    return [(f + 1, i, *box(int(p)), considered, -1, -1, -1) for f, i, p in rows]


def mot17(rows: list[Row], kind: int, considered: int) -> list[Row]:
    return [(f + 1, i, *box(int(p)), considered, kind, 1.0) for f, i, p in rows]


def walk(identity: int, frames: range, place: int = 0) -> list[Row]:
    return [(frame, identity, place) for frame in frames]


FOUR = walk(1, range(4))
TWO_PEOPLE = [*FOUR, *walk(2, range(4), place=1)]
ROOT2 = 100 / np.sqrt(2)


@dataclass(frozen=True)
class Case:
    name: str
    benchmark: str
    truth: list[Row]
    predicted: list[Row]
    expected: Scores


CASES = [
    # Same boxes, same grouping, another number: nothing is wrong.
    Case(
        "perfect",
        "MOT15",
        mot15(FOUR),
        mot15(walk(7, range(4))),
        Scores(100, 100, 100, 100, 100, 100, 100, 0),
    ),
    # Nothing predicted: every measure is 0, MOTA too (0 hits - 0 false - 0 switches).
    Case("no predictions", "MOT15", mot15(FOUR), [], Scores(0, 0, 0, 0, 0, 0, 0, 0)),
    # Nothing to find: every prediction is false; MOTA's empty denominator gives 0 by convention.
    Case("no truth", "MOT15", [], mot15(FOUR), Scores(0, 0, 0, 0, 0, 0, 0, 0)),
    # One person, ids 1 1 2 2. Each hit: 2 of (4 + 2 - 2) -> AssA .5. Ids: 2 right, 2 missed,
    # 2 false -> all .5. MOTA (4 - 1) / 4.
    Case(
        "one switch, a split identity",
        "MOT15",
        mot15(FOUR),
        mot15([*walk(1, range(2)), *walk(2, range(2, 4))]),
        Scores(ROOT2, 100, 50, 50, 50, 50, 75, 1),
    ),
    # Four hits and one box where nobody is: DetA 4/5, IDP 4/5, IDF1 2*4 / (4 + 5), MOTA 3/4.
    Case(
        "one false positive",
        "MOT15",
        mot15(FOUR),
        mot15([*FOUR, (0, 9, 1)]),
        Scores(100 * np.sqrt(0.8), 80, 100, 800 / 9, 80, 100, 75, 0),
    ),
    # Three hits of four: DetA 3/4; AssA 3 / (4 + 3 - 3); IDF1 2*3 / (4 + 3); MOTA 3/4.
    Case(
        "one miss",
        "MOT15",
        mot15(FOUR),
        mot15(FOUR[:3]),
        Scores(75, 75, 75, 600 / 7, 100, 75, 75, 0),
    ),
    # Ids 1 - 2 2: the switch counts across the gap. DetA 3/4. AssA (1/(4+1-1) + 2 * 2/(4+2-2)) / 3
    # = 1.25/3. Ids: 2 right, 2 missed, 1 false. MOTA (3 - 1) / 4.
    Case(
        "a switch after a miss",
        "MOT15",
        mot15(FOUR),
        mot15([(0, 1, 0), *walk(2, range(2, 4))]),
        Scores(100 * np.sqrt(0.75 * 1.25 / 3), 75, 125 / 3, 400 / 7, 200 / 3, 50, 50, 1),
    ),
    # Two people one after the other under one id: each hit 2 of (2 + 4 - 2); only one person can
    # own the id: 2 of 4 right. CLEAR sees no fault.
    Case(
        "merged identities",
        "MOT15",
        mot15([*walk(1, range(2)), *walk(2, range(2, 4))]),
        mot15(FOUR),
        Scores(ROOT2, 100, 50, 50, 50, 50, 100, 0),
    ),
    # Two people exchange ids half way: each hit 2 of (4 + 4 - 2); 4 of 8 ids right; 2 switches.
    Case(
        "crossed identities",
        "MOT15",
        mot15(TWO_PEOPLE),
        mot15(
            [
                *walk(1, range(2)),
                *walk(2, range(2, 4)),
                *walk(2, range(2), place=1),
                *walk(1, range(2, 4), place=1),
            ]
        ),
        Scores(100 / np.sqrt(3), 100, 100 / 3, 50, 50, 50, 75, 2),
    ),
    # Seen in every second frame only: DetA 2/4, AssA 2/4, IDF1 2*2 / (4 + 2), MOTA 2/4.
    Case(
        "half the frame rate",
        "MOT15",
        mot15(FOUR),
        mot15([FOUR[0], FOUR[2]]),
        Scores(50, 50, 50, 400 / 6, 100, 50, 50, 0),
    ),
    # Half the box is an IoU of exactly .5: a hit for IDF1 and MOTA, and for HOTA at 10 of its 19
    # thresholds (.05 ... .50).
    Case(
        "IoU exactly .5",
        "MOT15",
        mot15([(0, 1, 0)]),
        [(1, 1, *box(0, height=10), 1, -1, -1, -1)],
        Scores(*[1000 / 19] * 3, 100, 100, 100, 100, 0),
    ),
    # A hair below: 9 thresholds, no hit for the others; MOTA (0 - 1) / 1.
    Case(
        "IoU just below .5",
        "MOT15",
        mot15([(0, 1, 0)]),
        [(1, 1, *box(0, height=9.98), 1, -1, -1, -1)],
        Scores(*[900 / 19] * 3, 0, 0, 0, -100, 0),
    ),
    # A row not considered is not to be found, and a prediction there is false (MOT15 forgives
    # nothing): as "one false positive".
    Case(
        "MOT15 row that does not count",
        "MOT15",
        [*mot15(FOUR), *mot15([(0, 2, 1)], considered=0)],
        mot15([*FOUR, (0, 9, 1)]),
        Scores(100 * np.sqrt(0.8), 80, 100, 800 / 9, 80, 100, 75, 0),
    ),
    # The prediction on a distractor is removed: nothing is wrong.
    *(
        Case(
            f"MOT17 distractor of class {kind}",
            "MOT17",
            [*mot17(FOUR, 1, 1), *mot17([(0, 2, 1)], kind, 0)],
            mot15([*FOUR, (0, 9, 1)]),
            Scores(100, 100, 100, 100, 100, 100, 100, 0),
        )
        for kind in (2, 7, 8, 12)
    ),
    # The prediction on anything else is false, also on a pedestrian that is not considered, and on
    # a car that is.
    *(
        Case(
            f"MOT17 class {kind} considered {considered}",
            "MOT17",
            [*mot17(FOUR, 1, 1), *mot17([(0, 2, 1)], kind, considered)],
            mot15([*FOUR, (0, 9, 1)]),
            Scores(100 * np.sqrt(0.8), 80, 100, 800 / 9, 80, 100, 75, 0),
        )
        for kind, considered in ((1, 0), (3, 0), (3, 1), (6, 0), (9, 0), (13, 0))
    ),
    # A distractor is forgiven even where it is marked as considered.
    Case(
        "MOT17 distractor that is considered",
        "MOT17",
        [*mot17(FOUR, 1, 1), *mot17([(0, 2, 1)], 8, 1)],
        mot15([*FOUR, (0, 9, 1)]),
        Scores(100, 100, 100, 100, 100, 100, 100, 0),
    ),
    # A distractor just where the person is (IoU .95 with the prediction, the person's 1): the
    # person wins the assignment, and the prediction is kept.
    Case(
        "MOT17 person before a distractor",
        "MOT17",
        [*mot17(FOUR, 1, 1), (1, 2, *box(0, height=19), 0, 8, 1.0)],
        mot15(FOUR),
        Scores(100, 100, 100, 100, 100, 100, 100, 0),
    ),
    # The other way round: the prediction of frame 0 goes with the distractor, as "one miss".
    Case(
        "MOT17 distractor before a person",
        "MOT17",
        [(1, 1, *box(0, height=19), 1, 1, 1.0), *mot17(FOUR[1:], 1, 1), *mot17([(0, 2, 0)], 8, 0)],
        mot15(FOUR),
        Scores(75, 75, 75, 600 / 7, 100, 75, 75, 0),
    ),
    # Half a distractor (IoU exactly .5) is met, and forgiven.
    Case(
        "MOT17 distractor at IoU .5",
        "MOT17",
        [*mot17(FOUR, 1, 1), *mot17([(0, 2, 1)], 8, 0)],
        [*mot15(FOUR), (1, 9, *box(1, height=10), 1, -1, -1, -1)],
        Scores(100, 100, 100, 100, 100, 100, 100, 0),
    ),
    # Less than half is not: as "one false positive".
    Case(
        "MOT17 distractor below IoU .5",
        "MOT17",
        [*mot17(FOUR, 1, 1), *mot17([(0, 2, 1)], 8, 0)],
        [*mot15(FOUR), (1, 9, *box(1, height=9.98), 1, -1, -1, -1)],
        Scores(100 * np.sqrt(0.8), 80, 100, 800 / 9, 80, 100, 75, 0),
    ),
    # Two predictions on one distractor: one is forgiven, the other is false.
    Case(
        "MOT17 distractor found twice",
        "MOT17",
        [*mot17(FOUR, 1, 1), *mot17([(0, 2, 1)], 8, 0)],
        [*mot15([*FOUR, (0, 9, 1)]), (1, 8, *box(1, height=18), 1, -1, -1, -1)],
        Scores(100 * np.sqrt(0.8), 80, 100, 800 / 9, 80, 100, 75, 0),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_hand_worked_scores(
    case: Case,
    tmp_path: Path,
    write: Callable[..., None],
    tracks_in: Callable[[Path, str], CameraTracks],
    trackeval: Callable[[Path, Path, str], dict[str, float]],
) -> None:
    truth, predicted = tmp_path / "truth.txt", tmp_path / "predicted.txt"
    write(truth, case.truth)
    write(predicted, case.predicted)

    result = evaluate({"cam": read_ground_truth(truth, "cam")}, [tracks_in(predicted, "cam")])

    assert astuple(result.per_camera["cam"]) == pytest.approx(astuple(case.expected), abs=1e-9)
    assert result.multi_camera == result.per_camera["cam"]  # one camera is its own concatenation
    reference = trackeval(truth, predicted, case.benchmark)
    assert result.multi_camera.to_json() == pytest.approx(reference, abs=1e-9)


def test_scores_are_named_as_the_field_names_them() -> None:
    scores = Scores(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8)
    assert list(scores.to_json().items()) == [
        ("HOTA", 1.0),
        ("DetA", 2.0),
        ("AssA", 3.0),
        ("IDF1", 4.0),
        ("IDP", 5.0),
        ("IDR", 6.0),
        ("MOTA", 7.0),
        ("IDSW", 8),
    ]
