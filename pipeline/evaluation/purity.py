"""How pure tracklets are, and how many pieces a person falls into.

A tracklet that holds two people poisons what comes after it: association can join what belongs
together, but takes each tracklet for one person. Scores of tracks mix both kinds of mistake; here
they stand apart, so that one can be traded for the other knowingly.

In each frame boxes are matched with the truth one to one, at an IoU of at least 0.5, so that the
sum of IoU is greatest; unlike CLEAR, without regard to who was matched before, which would hide a
change of person. Purity is that of clustering (Manning et al., Introduction to Information
Retrieval, 2008, section 16.3), over boxes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment

from pipeline.evaluation.camera_tracks import CameraTracks
from pipeline.evaluation.frames import rows_by_frame
from pipeline.geometry import iou
from pipeline.types import IntArray

MATCH_IOU: Final = 0.5
MIXED_BOXES: Final = 2
MIXED_SHARE: Final = 0.1
"""A tracklet is mixed when its second person has at least so many boxes and this share of those
that met somebody; a single box may be a chance of matching where two people stand together."""
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True)
class TrackletScores:
    """What the tracklets of one camera hold.

    Boxes that meet nobody count neither for nor against: they are false detections or loose boxes,
    which MOTA and DetA tell of, and no second person. A tracklet's person is whom most of its boxes
    meet.

    Attributes:
        tracklets: How many there are, also those that never meet anybody.
        purity: Percent of the boxes that meet somebody which meet their tracklet's person; 0
            where none does.
        mixed: Tracklets with a second person.
        fragments: Tracklets per person, over those who are some tracklet's person; 0 without any.
        mean_length: Boxes per tracklet, those that meet nobody included; 0 without tracklets.
    """

    tracklets: int
    purity: float
    mixed: int
    fragments: float
    mean_length: float


def score_tracklets(truth: CameraTracks, tracklets: CameraTracks) -> TrackletScores:
    """Scores of one camera, or of several as one sequence; every row of both counts.

    Args:
        truth: Who was where; ids are people.
        tracklets: The same as found; ids are tracklets.
    """
    names, _, meetings = count_meetings(truth, tracklets)
    counts = np.pad(meetings, ((0, 0), (0, 2)))  # two more, so that two are largest
    second, first = np.sort(counts, axis=1)[:, -2:].T
    matched = counts.sum(axis=1)
    owners = counts.argmax(axis=1)[matched > 0]
    return TrackletScores(
        tracklets=len(names),
        purity=100 * _ratio(int(first.sum()), int(matched.sum())),
        mixed=int(np.sum((second >= MIXED_BOXES) & (second >= MIXED_SHARE * matched))),
        fragments=_ratio(len(owners), len(np.unique(owners))),
        mean_length=_ratio(len(tracklets.ids), len(names)),
    )


def count_meetings(
    truth: CameraTracks, tracklets: CameraTracks
) -> tuple[IntArray, IntArray, IntArray]:
    """Ids of tracklets (T,), ids of people (P,), and how many boxes of each meet whom (T, P)."""
    names, members = np.unique(tracklets.ids, return_inverse=True)
    people, met = np.unique(truth.ids, return_inverse=True)
    counts = np.zeros((len(names), len(people)), np.int64)
    for truth_row, row in _matches(truth, tracklets):
        counts[members[row], met[truth_row]] += 1
    return names, people, counts


def _matches(truth: CameraTracks, found: CameraTracks) -> Iterator[tuple[IntArray, IntArray]]:
    """Rows (M,) of the truth and of what was found that were matched, frame by frame."""
    truth_rows = rows_by_frame(truth)
    for frame, rows in rows_by_frame(found).items():
        others = truth_rows.get(frame, np.empty(0, np.int64))
        overlap = iou(truth.boxes[others], found.boxes[rows])
        overlap[overlap < MATCH_IOU - _EPSILON] = 0
        matched, columns = linear_sum_assignment(overlap, maximize=True)
        meets = overlap[matched, columns] > 0
        yield others[matched[meets]], rows[columns[meets]]


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
