"""Truth as files, read back by what reads them."""

import io
from pathlib import Path

import numpy as np
import pytest

from cameras.simulation.truth import FrameTruth
from cameras.simulation.truth_files import CameraTruth, archive, gather, mot_text, people_csv
from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.ground_truth import GroundTruth, load_ground_truth
from pipeline.evaluation.multi_camera import evaluate

Row = tuple[int, tuple[float, float, float, float], float]
START_US = 1_767_607_200_000_000  # 2026-01-05T10:00:00Z
SIZE = (640, 360)


def frame(*rows: Row) -> FrameTruth:
    """People by identity, full box and visibility."""
    count = len(rows)
    boxes = np.array([box for _, box, _ in rows], np.float64).reshape(-1, 4)
    return FrameTruth(
        np.array([identity for identity, _, _ in rows], np.int64),
        boxes,
        boxes.copy(),
        np.array([visibility for _, _, visibility in rows], np.float64),
        np.arange(2.0 * count).reshape(-1, 2),
        np.arange(51.0 * count).reshape(-1, 17, 3),
    )


OPEN = (3, (100.004, 50.0, 150.0, 200.0), 1.0)
HALF_OUT = (7, (-30.0, 50.0, 20.25, 400.0), 0.45)
BEHIND = (8, (300.0, 100.0, 340.0, 220.0), 0.05)
FAR = (9, (500.0, 100.0, 506.0, 115.9), 0.9)
GONE = (10, (400.0, 100.0, 440.0, 220.0), 0.0)


def truth(*frames: FrameTruth) -> CameraTruth:
    return gather(SIZE, [START_US + 100_000 * k for k in range(len(frames))], frames)


def read(tmp_path: Path, text: str) -> GroundTruth:
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    return load_ground_truth(tmp_path, ["a"])["a"]


def test_rows_by_hand() -> None:
    rows = mot_text(truth(frame(), frame(OPEN, HALF_OUT, BEHIND, FAR, GONE))).splitlines()
    assert rows == [
        "2,3,100.00,50.00,50.00,150.00,1,1,1.000",
        "2,7,0.00,50.00,20.25,310.00,1,1,0.450",  # ends at the border
        "2,8,300.00,100.00,40.00,120.00,0,8,0.050",  # hardly visible
        "2,9,500.00,100.00,6.00,15.90,0,8,0.900",  # too small
    ]  # and nobody demands or forgives the one who is wholly hidden


def test_our_evaluation_reads_it(tmp_path: Path) -> None:
    found = read(tmp_path, mot_text(truth(frame(OPEN), frame(), frame(OPEN, BEHIND, HALF_OUT))))
    assert found.tracks.frame_indices.tolist() == [0, 2, 2, 2]
    assert found.tracks.ids.tolist() == [3, 3, 8, 7]
    np.testing.assert_allclose(found.tracks.boxes[0], OPEN[1], atol=0.01)
    assert found.counted.tolist() == [True, True, False, True]
    assert found.distractor.tolist() == [False, False, True, False]


@pytest.mark.parametrize("finds_the_hidden", [False, True])
def test_who_is_hardly_visible_is_neither_demanded_nor_a_mistake(
    tmp_path: Path, finds_the_hidden: bool
) -> None:
    found = read(tmp_path, mot_text(truth(frame(OPEN, BEHIND), frame(OPEN, FAR))))
    rows = [(0, 1, OPEN[1]), (1, 1, OPEN[1])]
    rows += [(0, 2, BEHIND[1]), (1, 3, FAR[1])] if finds_the_hidden else []
    frames, ids, boxes = zip(*rows, strict=True)
    predicted = CameraTracks("a", np.array(frames), np.array(ids), np.array(boxes))
    scores = evaluate({"a": found}, [predicted]).to_json()["multi_camera"]
    assert (scores["HOTA"], scores["MOTA"], scores["IDF1"]) == (100, 100, 100)


def test_slivers_at_the_border_leave_no_empty_box(tmp_path: Path) -> None:
    sliver = (1, (-50.0, 10.0, 0.004, 300.0), 0.01)
    assert mot_text(truth(frame(sliver))) == ""
    just = (1, (-50.0, 10.0, 0.01, 300.0), 0.01)
    assert read(tmp_path, mot_text(truth(frame(just)))).distractor.tolist() == [True]


def test_the_archive_keeps_all_of_it() -> None:
    whole = truth(frame(OPEN, GONE), frame(), frame(HALF_OUT))
    stored = np.load(io.BytesIO(archive(whole)))
    times = [START_US, START_US + 100_000, START_US + 200_000]
    assert stored["frame_timestamps_us"].tolist() == times
    assert stored["frame"].tolist() == [0, 0, 2]
    assert stored["timestamp_us"].tolist() == [times[0], times[0], times[2]]
    assert stored["identity"].tolist() == [3, 10, 7]
    np.testing.assert_allclose(stored["full_box"][2], HALF_OUT[1])  # not clipped
    assert stored["keypoints"].shape == (3, 17, 3) and stored["ground"].shape == (3, 2)
    assert archive(whole) == archive(whole)


def test_the_list_of_people() -> None:
    truths = {
        "a": truth(frame(OPEN), frame(OPEN, BEHIND), frame(BEHIND)),
        "b": truth(frame(), frame(HALF_OUT, OPEN)),
    }
    rows = people_csv({3: "red coat, bag", 7: "suit", 8: "hidden"}, truths).splitlines()
    assert rows == [
        "identity,description,camera,first_seen,last_seen,frames",
        '3,"red coat, bag",a,2026-01-05T10:00:00.000000Z,2026-01-05T10:00:00.100000Z,2',
        '3,"red coat, bag",b,2026-01-05T10:00:00.100000Z,2026-01-05T10:00:00.100000Z,1',
        "7,suit,b,2026-01-05T10:00:00.100000Z,2026-01-05T10:00:00.100000Z,1",
        "8,hidden,,,,0",
    ]
