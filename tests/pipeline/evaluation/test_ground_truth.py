"""Reading ground truth: where it is found, what counts, and what is said of malformed files."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import GroundTruthError
from pipeline.evaluation.ground_truth import load_ground_truth, read_ground_truth

ROW = "1,1,10,20,30,40,1,-1,-1,-1\n"
PLACES = ("cam.txt", "cam/gt.txt", "cam/gt/gt.txt")


def put(folder: Path, place: str, text: str) -> Path:
    path = folder / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("present", range(1, 8))
def test_the_first_place_that_exists_is_read(present: int, tmp_path: Path) -> None:
    there = [k for k in range(3) if present >> k & 1]
    for k in there:
        put(tmp_path, PLACES[k], f"1,{k},10,20,30,40,1,-1,-1,-1\n")
    loaded = load_ground_truth(tmp_path, ["cam"])
    assert loaded["cam"].tracks.ids.tolist() == there[:1]


def test_only_the_cameras_asked_for_are_read_in_their_order(tmp_path: Path) -> None:
    put(tmp_path, "world.txt", "# frame id x y z\n1,1,2,3,4\n")
    put(tmp_path, "a.txt", ROW)
    put(tmp_path, "b/gt/gt.txt", ROW)
    loaded = load_ground_truth(tmp_path, ["b", "none", "a"])
    assert list(loaded) == ["b", "a"]
    assert loaded["b"].tracks.camera_id == "b"


def test_ids_with_dots_are_not_taken_for_endings(tmp_path: Path) -> None:
    put(tmp_path, "MOT17-02.FRCNN.txt", ROW)
    assert list(load_ground_truth(tmp_path, ["MOT17-02.FRCNN"])) == ["MOT17-02.FRCNN"]


def test_no_camera_has_ground_truth(tmp_path: Path) -> None:
    put(tmp_path, "world.txt", ROW)
    with pytest.raises(GroundTruthError) as caught:
        load_ground_truth(tmp_path, ["a", "b"])
    assert str(caught.value) == (
        f"{tmp_path}: expected X.txt, X/gt.txt or X/gt/gt.txt, with X one of the run's cameras:"
        " a, b"
    )


def test_no_folder(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(GroundTruthError) as caught:
        load_ground_truth(missing, ["a"])
    assert str(caught.value) == f"{missing}: expected a folder of ground truth"


@pytest.mark.parametrize("columns", [6, 7, 10])
def test_rows_without_classes_are_people(columns: int, tmp_path: Path) -> None:
    words = ["3", "5", "10", "20", "30", "40", "1", "7", "8", "9"][:columns]
    truth = read_ground_truth(put(tmp_path, "a.txt", ",".join(words)), "a")
    assert truth.tracks.camera_id == "a"
    assert truth.tracks.frame_indices.tolist() == [2]  # frames of files are from 1
    assert truth.tracks.ids.tolist() == [5]
    assert truth.tracks.boxes.tolist() == [[10, 20, 40, 60]]
    assert truth.counted.tolist() == [True]
    assert truth.distractor.tolist() == [False]


def test_rows_not_considered_do_not_count(tmp_path: Path) -> None:
    text = "1,1,0,0,9,9,0,-1,-1,-1\n1,2,0,0,9,9,1,-1,-1,-1\n1,3,0,0,9,9,-1,-1,-1,-1\n"
    truth = read_ground_truth(put(tmp_path, "a.txt", text), "a")
    assert truth.counted.tolist() == [False, True, True]
    assert not truth.distractor.any()


@pytest.mark.parametrize("ending", ["", ",0.5"])  # without and with visibility
def test_classes_say_who_counts_and_who_is_forgiven(ending: str, tmp_path: Path) -> None:
    text = "".join(
        f"1,{10 * kind + considered},0,0,9,9,{considered},{kind}{ending}\n"
        for kind in range(1, 14)
        for considered in (0, 1)
    )
    truth = read_ground_truth(put(tmp_path, "a.txt", text), "a")
    assert truth.tracks.ids[truth.counted].tolist() == [11]
    assert truth.tracks.ids[truth.distractor].tolist() == [20, 21, 70, 71, 80, 81, 120, 121]


def test_an_empty_file_is_a_camera_without_people(tmp_path: Path) -> None:
    truth = load_ground_truth(put(tmp_path, "a.txt", "\n").parent, ["a"])["a"]
    assert truth.tracks.boxes.shape == (0, 4)
    assert truth.counted.dtype == truth.distractor.dtype == np.bool_


MALFORMED = {
    "row 2: expected numbers, got 1,2,a,20,30,40,1,-1,-1,-1": ROW + "1,2,a,20,30,40,1,-1,-1,-1",
    "row 1: expected 6 to 10 columns, got 5": "1,1,2,3,4",
    "row 1: expected a frame number from 1, got 0": "0,1,10,20,30,40,1,-1,-1,-1",
    "row 2: expected 10 columns as in the first row, got 9": ROW + "1,2,10,20,30,40,1,1,1",
    "row 1: expected an id from 0, got -1": "1,-1,10,20,30,40,1,-1,-1,-1",
    # blank lines are rows of the file as an editor counts them
    "row 4: expected one row for each frame and id, got frame 1, id 1 again": (
        ROW + "\n2,1,10,20,30,40,1,-1,-1,-1\n1,1,90,20,30,40,1,-1,-1,-1\n" + ROW
    ),
    # also where one of the two does not count
    "row 2: expected one row for each frame and id, got frame 7, id 3 again": (
        "7,3,10,20,30,40,0,8,1\n7,3,10,20,30,40,1,1,1\n"
    ),
    "row 2: expected 0 (does not count) or 1 in column 7, got 0.97": (
        ROW + "2,1,10,20,30,40,.97,-1,-1,-1"
    ),
    "row 2: expected a class from 1 to 13 in column 8, got 0": (
        "1,1,10,20,30,40,1,1,1\n2,1,10,20,30,40,1,0,1"
    ),
    "row 1: expected a class from 1 to 13 in column 8, got -1": "1,1,10,20,30,40,1,-1,-1",
    "row 1: expected a class from 1 to 13 in column 8, got 1.5": "1,1,10,20,30,40,1,1.5,1",
    "row 1: expected a class from 1 to 13 in column 8, got 14": "1,1,10,20,30,40,1,14,1",
}


@pytest.mark.parametrize("message", MALFORMED)
def test_malformed_files_are_named_with_their_row(message: str, tmp_path: Path) -> None:
    path = put(tmp_path, "a.txt", MALFORMED[message])
    with pytest.raises(GroundTruthError) as caught:
        load_ground_truth(tmp_path, ["a"])
    assert str(caught.value) == f"{path}: {message}"
