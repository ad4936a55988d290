"""Who is who in a run without ground truth, as far as the run itself is sure of it.

One person are consecutive pieces of one track, and what association has linked with much evidence.
Two people are those seen at the same time by one camera, or by two that do not see the same place;
and so is everybody linked to one of them from everybody linked to the other, which tells apart
tracklets that were never seen together. Of all other pairs nothing is known.

Links were made by cosine among other things: such positives are rather those that cosine finds.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.association.metric.training.localities import near_pairs
from pipeline.association.pairs import Pairs
from pipeline.types import BoolArray, IntArray

TOGETHER_S: Final = 1.0
"""Seen together for less, two may be one who was found twice while a track changed."""


@dataclass(frozen=True, slots=True, eq=False)
class SelfLabels:
    """What a run is sure of.

    Attributes:
        person: (N,) from 0; who is linked to nobody is a number of their own.
        apart: (A, 2) persons that are two people.
        contradictory: How many persons were given up because they would be in one view twice.
    """

    person: IntArray
    apart: IntArray
    contradictory: int


def pieces_of_tracks(cameras: IntArray, tracks: IntArray, parts: IntArray) -> Pairs:
    """Consecutive parts of one track, of N tracklets; a number left out parts two people."""
    order = np.lexsort((parts, tracks, cameras))
    columns = (column[order] for column in (cameras, tracks, parts))
    other_camera, other_track, steps = (np.diff(column) for column in columns)
    goes_on = (other_camera == 0) & (other_track == 0) & (steps == 1)
    return Pairs.of(len(order), order[:-1][goes_on], order[1:][goes_on])


def self_labels(
    cameras: IntArray, starts: IntArray, ends: IntArray, sure: Pairs, apart_cameras: BoolArray
) -> SelfLabels:
    """Labels of the N tracklets of one run.

    Args:
        cameras: (N,) numbers from 0 to C - 1.
        starts: (N,) microseconds.
        ends: (N,) microseconds.
        sure: Pairs that are one person: pieces of tracks, sure links.
        apart_cameras: (C, C) whether somebody seen by one is surely not seen by the other at the
            same time; its diagonal is true: a camera sees nobody twice.
    """
    count = len(cameras)
    links = coo_array((np.ones(len(sure)), (sure.first, sure.second)), shape=(count, count))
    _, person = connected_components(links, directed=False)
    runs, rng = np.zeros(count, np.int64), np.random.default_rng(0)
    together = near_pairs(starts, ends, runs, -TOGETHER_S, rng)
    one, other = together.first, together.second
    seconds = (np.minimum(ends[one], ends[other]) - np.maximum(starts[one], starts[other])) / 1e6
    together = together.where(apart_cameras[cameras[one], cameras[other]] & (seconds >= TOGETHER_S))
    wrong = np.unique(person[together.first][_alike(person, together)])
    given_up = np.isin(person, wrong)
    person = np.where(given_up, len(person) + np.arange(count), person)
    _, person = np.unique(person, return_inverse=True)
    apart = np.sort(np.stack([person[together.first], person[together.second]], axis=1), axis=1)
    return SelfLabels(person, np.unique(apart, axis=0), len(wrong))


def _alike(person: IntArray, pairs: Pairs) -> BoolArray:
    return np.asarray(person[pairs.first] == person[pairs.second])
