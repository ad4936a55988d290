"""What a run is sure of by itself, by hand."""

import numpy as np

from pipeline.association.metric.training.self_labels import pieces_of_tracks, self_labels
from pipeline.association.pairs import Pairs
from pipeline.types import BoolArray

SECOND = 1_000_000
ONE_CAMERA_EACH: BoolArray = np.eye(2, dtype=bool)
DISJOINT: BoolArray = np.ones((2, 2), bool)


def test_consecutive_parts_are_one_person() -> None:
    """Camera 0: track 1 in parts 1, 2 and 4 (3 left out: it was split), track 2; camera 1: 1.2."""
    pairs = pieces_of_tracks(
        np.array([0, 0, 0, 0, 1]), np.array([1, 1, 1, 2, 1]), np.array([2, 1, 4, 3, 2])
    )
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([0], [1])


def test_seen_together_are_two_and_so_is_who_is_linked_to_them() -> None:
    """0 and 1 in camera 0 at once; 2 later at camera 1, linked to 0; 3 at camera 0 alone."""
    cameras = np.array([0, 0, 1, 0])
    starts = np.array([0, 1, 20, 40]) * SECOND
    labels = self_labels(
        cameras,
        starts,
        starts + 5 * SECOND,
        Pairs.of(4, np.array([0]), np.array([2])),
        ONE_CAMERA_EACH,
    )
    assert labels.person[0] == labels.person[2]
    assert len(set(labels.person.tolist())) == 3
    assert labels.apart.tolist() == [sorted([labels.person[0], labels.person[1]])]
    assert labels.contradictory == 0


def test_at_once_in_two_places_are_two_where_the_places_are_apart() -> None:
    cameras, starts = np.array([0, 1]), np.zeros(2, np.int64)
    for apart, expected in ((ONE_CAMERA_EACH, 0), (DISJOINT, 1)):
        labels = self_labels(cameras, starts, starts + 5 * SECOND, Pairs.none(2), apart)
        assert len(labels.apart) == expected


def test_a_moment_together_is_not_enough() -> None:
    starts = np.array([0, 4.5 * SECOND, 0]).astype(np.int64)
    ends = np.array([5 * SECOND, 9 * SECOND, 0.5 * SECOND]).astype(np.int64)
    labels = self_labels(np.zeros(3, np.int64), starts, ends, Pairs.none(3), ONE_CAMERA_EACH)
    assert len(labels.apart) == 0


def test_who_would_be_in_one_view_twice_is_given_up() -> None:
    """0, 1 and 2 are linked, but 0 and 1 stand side by side; 3 and 4 are linked in peace."""
    cameras = np.array([0, 0, 1, 0, 1])
    starts = np.array([0, 0, 20, 40, 60]) * SECOND
    sure = Pairs.of(5, np.array([0, 1, 3]), np.array([2, 2, 4]))
    labels = self_labels(cameras, starts, starts + 5 * SECOND, sure, ONE_CAMERA_EACH)
    assert labels.contradictory == 1
    assert labels.person[3] == labels.person[4]
    assert len(set(labels.person.tolist())) == 4
    assert len(labels.apart) == 1
