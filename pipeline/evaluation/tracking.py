"""Tracking metrics of one sequence of frames: HOTA, identity and CLEAR.

The numbers themselves come from roboflow `trackers`, which follows TrackEval:
HOTA, DetA, AssA: Luiten et al., IJCV 2021 (arXiv 2009.07736), means over the thresholds 0.05 ...
0.95; IDF1, IDP, IDR: Ristani et al., 2016 (arXiv 1609.01775); MOTA, IDSW: Bernardin and
Stiefelhagen, 2008; the last two at IoU 0.5.
"""

from dataclasses import dataclass

import numpy as np
from trackers.eval.clear import compute_clear_metrics
from trackers.eval.hota import compute_hota_metrics
from trackers.eval.identity import compute_identity_metrics

from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.frames import ranks, rows_by_frame
from pipeline.geometry import iou
from pipeline.types import DoubleArray, IntArray


@dataclass(frozen=True, slots=True)
class Scores:
    """How well tracks agree with the truth, in percent; `idsw` is a count.

    All lie in [0, 100] but `mota`, which false positives can drive below any bound. Where there
    is nothing to find, or nothing was predicted, percentages are 0.
    """

    hota: float
    deta: float
    assa: float
    idf1: float
    idp: float
    idr: float
    mota: float
    idsw: int

    def to_json(self) -> dict[str, float | int]:
        """The scores under the names by which the field knows them."""
        return {
            "HOTA": self.hota,
            "DetA": self.deta,
            "AssA": self.assa,
            "IDF1": self.idf1,
            "IDP": self.idp,
            "IDR": self.idr,
            "MOTA": self.mota,
            "IDSW": self.idsw,
        }


def score(truth: CameraTracks, predicted: CameraTracks) -> Scores:
    """Scores of one sequence; every row of both counts.

    Every frame of the truth counts, also where predictions were made at a lower rate: frames that
    were not looked at are misses.
    """
    truth_ids, predicted_ids, similarities = _by_frame(truth, predicted)
    hota = compute_hota_metrics(truth_ids, predicted_ids, similarities)
    identity = compute_identity_metrics(truth_ids, predicted_ids, similarities)
    clear = compute_clear_metrics(truth_ids, predicted_ids, similarities)
    return Scores(
        hota=100 * float(hota["HOTA"]),
        deta=100 * float(hota["DetA"]),
        assa=100 * float(hota["AssA"]),
        idf1=100 * float(identity["IDF1"]),
        idp=100 * float(identity["IDP"]),
        idr=100 * float(identity["IDR"]),
        mota=100 * float(clear["MOTA"]),
        idsw=int(clear["IDSW"]),
    )


def _by_frame(
    truth: CameraTracks, predicted: CameraTracks
) -> tuple[list[IntArray], list[IntArray], list[DoubleArray]]:
    """For each frame with a box: ids of the truth (G,), of predictions (P,), their IoU (G, P).

    Frames without any box are left out: they change no metric.
    """
    truth_rows, predicted_rows = rows_by_frame(truth), rows_by_frame(predicted)
    nobody = np.empty(0, np.int64)
    rows = [
        (truth_rows.get(frame, nobody), predicted_rows.get(frame, nobody))
        for frame in sorted(truth_rows.keys() | predicted_rows.keys())
    ]
    truth_ids, predicted_ids = ranks(truth), ranks(predicted)
    return (
        [truth_ids[first] for first, _ in rows],
        [predicted_ids[second] for _, second in rows],
        [iou(truth.boxes[first], predicted.boxes[second]) for first, second in rows],
    )
