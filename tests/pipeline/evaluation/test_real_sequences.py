"""Agreement with TrackEval, and speed, on MOTChallenge sequences; skipped where they are absent."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from pipeline.errors import SourceError
from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.ground_truth import load_ground_truth, read_ground_truth
from pipeline.evaluation.multi_camera import evaluate
from pipeline.geometry import iou, xyxy_to_xywh
from pipeline.motchallenge import read_rows


def linked(path: Path) -> Iterator[tuple]:
    """Detections linked from frame to frame by overlap: poor enough to err in all ways."""
    rows = read_rows(path, SourceError)
    strong = np.flatnonzero(rows.scores > 0.4)
    last_boxes, last_ids, fresh = np.empty((0, 4)), np.empty(0, int), 1
    for frame in np.unique(rows.frame_indices[strong]):
        boxes = rows.boxes[strong[rows.frame_indices[strong] == frame]]
        ids = np.full(len(boxes), -1)
        overlap = iou(last_boxes, boxes)
        old, new = linear_sum_assignment(overlap, maximize=True)
        good = overlap[old, new] > 0.3
        ids[new[good]] = last_ids[old[good]]
        ids[ids < 0] = np.arange(fresh, fresh + np.sum(ids < 0))
        fresh = max(fresh, ids.max() + 1)
        last_boxes, last_ids = boxes, ids
        for identity, box in zip(ids, xyxy_to_xywh(boxes).tolist(), strict=True):
            yield frame + 1, identity, *box, 1, -1, -1, -1


@pytest.mark.parametrize(
    ("sequence", "benchmark"),
    [
        ("mot17/MOT17-02", "MOT17"),
        ("mot17/MOT17-04", "MOT17"),
        ("mot17/MOT17-09", "MOT17"),
        ("mot15/ETH-Bahnhof", "MOT15"),
        ("mot15/PETS09-S2L1", "MOT15"),
        ("mot15/TUD-Campus", "MOT15"),
    ],
)
def test_agreement_with_trackeval(
    sequence: str,
    benchmark: str,
    data: Path,
    tmp_path: Path,
    write: Callable[..., None],
    tracks_in: Callable[[Path, str], CameraTracks],
    trackeval: Callable[[Path, Path, str], dict[str, float]],
) -> None:
    truth, predicted = data / sequence / "gt.txt", tmp_path / "predicted.txt"
    write(predicted, linked(data / sequence / "det.txt"))
    tracks = tracks_in(predicted, "cam")

    start = time.perf_counter()
    result = evaluate({"cam": read_ground_truth(truth, "cam")}, [tracks])
    seconds = time.perf_counter() - start

    expected = trackeval(truth, predicted, benchmark)
    assert result.multi_camera.to_json() == pytest.approx(expected, abs=1e-9)
    assert 20 < expected["IDF1"] < 99
    assert expected["IDSW"] > 0
    assert seconds < 20, "MOT17-04, 108 000 rows of truth, takes about 3 s on a laptop core"


def test_four_cameras_whose_truth_shares_its_ids(data: Path) -> None:
    names = [f"cam{k}" for k in range(1, 5)]
    truths = load_ground_truth(data / "cmc1/gt", names)  # world.txt beside them is no camera
    perfect = evaluate(truths, [truths[name].tracks for name in names])
    assert perfect.multi_camera.hota == pytest.approx(100)
    assert list(perfect.per_camera) == names

    # Perfect in each camera, but no id is shared: one camera in four can be right.
    separate = evaluate(
        truths,
        [
            CameraTracks(name, tracks.frame_indices, tracks.ids + 100 * k, tracks.boxes)
            for k, name in enumerate(names)
            for tracks in [truths[name].tracks]
        ],
    )
    assert all(scores.idf1 == pytest.approx(100) for scores in separate.per_camera.values())
    assert separate.multi_camera.idf1 == pytest.approx(25)
    assert separate.multi_camera.idsw == 9  # 3 people, 3 times into another camera
