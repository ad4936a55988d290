"""Scores of several cameras: mistakes across cameras must show."""

import json
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import GroundTruthError, UserError
from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.ground_truth import GroundTruth
from pipeline.evaluation.multi_camera import Evaluation, evaluate
from pipeline.evaluation.tracking import Scores

Rows = list[tuple[int, int, int]]
PERFECT = Scores(100, 100, 100, 100, 100, 100, 100, 0)
NOBODY: Rows = []


def tracks(camera_id: str, rows: Rows) -> CameraTracks:
    """Tracks from rows (frame, id, place); places are 100 px apart."""
    table = np.array(rows, np.float64).reshape(-1, 3)
    left = 100 * table[:, 2]
    boxes = np.column_stack([left, 0 * left, left + 10, 0 * left + 20])
    return CameraTracks(camera_id, table[:, 0].astype(int), table[:, 1].astype(int), boxes)


def truth(camera_id: str, rows: Rows) -> GroundTruth:
    count = len(rows)
    return GroundTruth(
        tracks(camera_id, rows), counted=np.ones(count, bool), distractor=np.zeros(count, bool)
    )


def walk(identity: int, frames: range, place: int = 0) -> Rows:
    return [(frame, identity, place) for frame in frames]


def scored(truths: dict[str, Rows], predicted: dict[str, Rows]) -> Evaluation:
    return evaluate(
        {name: truth(name, rows) for name, rows in truths.items()},
        [tracks(name, rows) for name, rows in predicted.items()],
    )


# One person walks through two cameras, two frames each; perfect tracks, but another id in each
# camera. Together: each hit 2 of (4 + 2 - 2) -> AssA .5; 2 of 4 ids right; one switch.
ONE_PERSON = {"a": walk(1, range(2)), "b": walk(1, range(2))}
SPLIT = {"a": walk(5, range(2)), "b": walk(6, range(2))}
SPLIT_SCORES = Scores(100 / np.sqrt(2), 100, 50, 50, 50, 50, 75, 1)

# Two people in two cameras whose ids are exchanged in the second: each hit 2 of (4 + 4 - 2); 4 of 8
# ids right; two switches.
TWO_PEOPLE = {name: [*walk(1, range(2)), *walk(2, range(2), 1)] for name in "ab"}
SWAPPED = {
    "a": [*walk(1, range(2)), *walk(2, range(2), 1)],
    "b": [*walk(2, range(2)), *walk(1, range(2), 1)],
}
SWAPPED_SCORES = Scores(100 / np.sqrt(3), 100, 100 / 3, 50, 50, 50, 75, 2)

# A different person in each camera, under one id: each hit 2 of (2 + 4 - 2); one person owns the
# id: 2 of 4 right. CLEAR sees no fault.
TWO_STRANGERS = {"a": walk(1, range(2)), "b": walk(2, range(2))}
MERGED = {"a": walk(5, range(2)), "b": walk(5, range(2))}
MERGED_SCORES = Scores(100 / np.sqrt(2), 100, 50, 50, 50, 50, 100, 0)

CASES = {
    "other ids": (ONE_PERSON, MERGED, PERFECT),
    "split between cameras": (ONE_PERSON, SPLIT, SPLIT_SCORES),
    "swapped between cameras": (TWO_PEOPLE, SWAPPED, SWAPPED_SCORES),
    "merged between cameras": (TWO_STRANGERS, MERGED, MERGED_SCORES),
}


@pytest.mark.parametrize("name", CASES)
def test_mistakes_across_cameras_show_only_in_the_concatenation(name: str) -> None:
    truths, predicted, expected = CASES[name]
    result = scored(truths, predicted)
    assert list(result.per_camera) == ["a", "b"]
    for scores in result.per_camera.values():
        assert astuple(scores) == pytest.approx(astuple(PERFECT), abs=1e-9)
    assert astuple(result.multi_camera) == pytest.approx(astuple(expected), abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_concatenation_agrees_with_trackeval_on_one_long_file(
    name: str,
    tmp_path: Path,
    write: Callable[..., None],
    trackeval: Callable[[Path, Path, str], dict[str, float]],
) -> None:
    truths, predicted, _ = CASES[name]
    files = tmp_path / "truth.txt", tmp_path / "predicted.txt"
    for path, cameras in zip(files, (truths, predicted), strict=True):
        write(
            path,
            [
                (1000 * camera + frame + 1, identity, 100 * place, 0, 10, 20, 1, -1, -1, -1)
                for camera, rows in enumerate(cameras.values())
                for frame, identity, place in rows
            ],
        )
    expected = trackeval(*files, "MOT15")
    result = scored(truths, predicted)
    assert result.multi_camera.to_json() == pytest.approx(expected, abs=1e-9)


def test_a_camera_of_other_length_is_shifted_past_the_first() -> None:
    # Frames 0-9 in a and 0-1 in b: without the shift, id 1 would stand twice in a frame.
    cameras = {"a": walk(1, range(10)), "b": walk(1, range(2)), "c": walk(1, range(5))}
    assert scored(cameras, cameras).multi_camera == PERFECT
    # Also where predictions go on after the truth has ended: 12 hits and 3 false, MOTA 9/12.
    longer = cameras | {"b": walk(1, range(5))}
    truths = {"a": cameras["a"], "b": cameras["b"]}
    result = scored(truths, {"a": longer["a"], "b": longer["b"]})
    assert result.multi_camera.mota == pytest.approx(75)
    result = scored({"b": cameras["b"], "a": cameras["a"]}, {"b": longer["b"], "a": longer["a"]})
    assert result.multi_camera.mota == pytest.approx(75)
    assert result.multi_camera.idsw == 0


def test_cameras_without_people_count() -> None:
    # a: perfect; b: two false boxes; c: two missed people. 2 hits, 2 false, 2 missed.
    result = scored(
        {"a": walk(1, range(2)), "b": NOBODY, "c": walk(1, range(2))},
        {"a": walk(1, range(2)), "b": walk(1, range(2)), "c": NOBODY},
    )
    assert result.per_camera["a"] == PERFECT
    assert astuple(result.per_camera["b"]) == (0,) * 8
    assert astuple(result.per_camera["c"]) == (0,) * 8
    assert result.multi_camera.deta == pytest.approx(100 * 2 / 6)
    assert result.multi_camera.mota == 0


def test_distractors_are_forgiven_in_their_own_camera_only() -> None:
    # A distractor stands in place 1 of a; the same place of b holds nothing.
    rows = [*walk(1, range(2)), *walk(2, range(2), 1)]
    people = np.array([True, True, False, False])
    truths = {
        "a": GroundTruth(tracks("a", rows), counted=people, distractor=~people),
        "b": truth("b", walk(1, range(2))),
    }
    result = evaluate(truths, [tracks("a", rows), tracks("b", rows)])
    assert result.per_camera["a"] == PERFECT
    assert result.per_camera["b"].mota == 0  # 2 hits, 2 false
    assert result.multi_camera.mota == pytest.approx(50)  # 4 hits, 2 false


def test_cameras_without_ground_truth_are_named_and_count_nowhere() -> None:
    result = scored(
        {"b": walk(1, range(2)), "world": walk(1, range(9))},
        {"x": walk(1, range(5)), "b": walk(1, range(2)), "c": walk(1, range(5))},
    )
    assert result.not_evaluated == ("x", "c")
    assert result.per_camera == {"b": PERFECT}
    assert result.multi_camera == PERFECT


def test_json_has_the_contract_and_nothing_else() -> None:
    result = scored(ONE_PERSON, SPLIT | {"c": NOBODY})
    tree = json.loads(json.dumps(result.to_json(), allow_nan=False))
    names = ["HOTA", "DetA", "AssA", "IDF1", "IDP", "IDR", "MOTA", "IDSW"]
    assert list(tree) == ["multi_camera", "per_camera"]
    assert list(tree["multi_camera"]) == names
    assert list(tree["per_camera"]) == ["a", "b"]
    assert all(list(scores) == names for scores in tree["per_camera"].values())
    assert tree["multi_camera"]["IDF1"] == pytest.approx(50)
    assert tree["per_camera"]["a"]["IDF1"] == pytest.approx(100)
    assert isinstance(tree["multi_camera"]["IDSW"], int)


def test_no_camera_with_ground_truth() -> None:
    with pytest.raises(GroundTruthError) as caught:
        scored({"world": walk(1, range(2))}, {"a": NOBODY, "b": NOBODY})
    assert str(caught.value) == "no camera of the run has ground truth: a, b"


def test_a_camera_twice() -> None:
    camera = tracks("a", NOBODY)
    with pytest.raises(ValueError, match="predictions: expected each camera once, got a, a"):
        evaluate({"a": truth("a", NOBODY)}, [camera, camera])


def test_an_identity_twice_in_a_frame() -> None:
    with pytest.raises(UserError) as caught:
        tracks("north", [(0, 1, 0), (3, 7, 0), (3, 8, 1), (3, 7, 2)])
    assert str(caught.value) == (
        "camera north: expected one box for each id and frame, got two for id 7 in frame 3 (from 0)"
    )


def test_tracks_of_wrong_shape() -> None:
    with pytest.raises(ValueError) as caught:
        CameraTracks("a", np.zeros(2, int), np.arange(2), np.zeros((3, 4)))
    assert str(caught.value) == (
        "frame_indices, ids, boxes: expected ((2,), (2,), (2, 4)), got ((2,), (2,), (3, 4))"
    )
