"""How others decide who is who across cameras, written from descriptions of what they do.

Each takes all tracklets with their embeddings and one threshold, the least similarity at which two
are joined; all else is as described. What differs from the originals: they see the embeddings of
whole tracklets, even in the window in which one begins, and none of them has to embed or track.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.geometry import foot_points, to_floor
from pipeline.types import (
    BoolArray,
    Calibrations,
    DoubleArray,
    Embedding,
    IntArray,
    NoEmbedding,
    Tracklet,
)

WINDOW_FRAMES: Final = 20
"""Of the greedy merge: its `time_window`."""
SAME_PLACE_M: Final = 2.0
"""Two who are further apart on the floor at one time are two."""
NEVER: Final = 1e6


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """N tracklets to be told apart.

    Attributes:
        vectors: (N, D) unit vectors; zeros where there is none, so that it is like nobody.
        cameras: (N,) number of the camera.
        spans_us: (N, 2) int64, times of the first and last box.
        conflicts: (N, N): of one camera at the same time.
        places: By whole second of the recording: tracklets seen in it, and where on the floor (2,);
            NaN without calibration.
        frame_us: Time between two frames.
    """

    vectors: DoubleArray
    cameras: IntArray
    spans_us: IntArray
    conflicts: BoolArray
    places: Sequence[Mapping[int, DoubleArray]]
    frame_us: int


Peer = Callable[[Problem, float], IntArray]
"""Identities (N,) at a threshold: the least cosine."""


def make_problem(
    tracklets: Sequence[Tracklet],
    embeddings: Sequence[Embedding | NoEmbedding],
    calibrations: Calibrations,
) -> Problem:
    """The problem of a recording of at least one tracklet with an embedding."""
    dimension = next(e.encoder.dimension for e in embeddings if isinstance(e, Embedding))
    vectors = np.zeros((len(embeddings), dimension))
    for row, embedding in enumerate(embeddings):
        if isinstance(embedding, Embedding):
            vectors[row] = embedding.vector
    _, cameras = np.unique([tracklet.camera_id for tracklet in tracklets], return_inverse=True)
    spans = np.array([(tracklet.start_us, tracklet.end_us) for tracklet in tracklets], np.int64)
    at_once = (spans[:, None, 0] <= spans[:, 1]) & (spans[:, None, 1] >= spans[:, 0])
    conflicts = at_once & (cameras[:, None] == cameras)
    np.fill_diagonal(conflicts, False)
    steps = np.concatenate([np.diff(tracklet.timestamps_us) for tracklet in tracklets])
    places = _places(tracklets, calibrations, int(spans.min()), int(spans.max()))
    return Problem(vectors, cameras, spans, conflicts, places, int(steps.min()))


def _places(
    tracklets: Sequence[Tracklet], calibrations: Calibrations, first_us: int, last_us: int
) -> list[dict[int, DoubleArray]]:
    """Mean positions of each second by tracklet."""
    places: list[dict[int, DoubleArray]] = [{} for _ in range((last_us - first_us) // 10**6 + 1)]
    for number, tracklet in enumerate(tracklets):
        calibration = calibrations.get(tracklet.camera_id)
        points = np.full((len(tracklet.boxes), 2), np.nan)
        if calibration is not None:
            points = to_floor(foot_points(tracklet.boxes), calibration)
        seconds = (tracklet.timestamps_us - first_us) // 10**6
        for second in np.unique(seconds).tolist():
            places[second][number] = points[seconds == second].mean(axis=0)
    return places


class _Groups:
    """Tracklets joined so far, each group under the number of one of its members."""

    def __init__(self, problem: Problem) -> None:
        count = len(problem.vectors)
        self.group = np.arange(count)
        self.sums = problem.vectors.copy()
        self.conflicts = problem.conflicts.copy()

    def join(self, kept: int, other: int) -> None:
        """Put a group into another."""
        self.group[self.group == other] = kept
        self.sums[kept] += self.sums[other]
        self.conflicts[kept] |= self.conflicts[other]
        self.conflicts[:, kept] |= self.conflicts[:, other]

    def means(self) -> DoubleArray:
        """Mean of each group's vectors at unit length (N, D)."""
        lengths = np.linalg.norm(self.sums, axis=1, keepdims=True)
        return np.asarray(self.sums / np.maximum(lengths, 1e-9))


def greedy_windows(problem: Problem, threshold: float) -> IntArray:
    """Every 20 frames the closest two are joined, again and again (OpenVINO's demo).

    How far apart two groups are is the lesser of two: half the cosine distance of their means, and
    of their closest members. Those seen in the window are compared with all known so far.
    """
    groups, known = _Groups(problem), np.zeros(len(problem.vectors), np.bool_)
    closest = problem.vectors @ problem.vectors.T
    starts, ends = problem.spans_us.T
    step = WINDOW_FRAMES * problem.frame_us
    for begin in range(int(starts.min()), int(ends.max()) + 1, step):
        known |= (starts >= begin) & (starts < begin + step)
        active = np.unique(groups.group[(starts < begin + step) & (ends >= begin)])
        while len(active):
            means = groups.means()
            similarity = np.maximum(means[active] @ means.T, closest[active])
            is_head = known & (groups.group == np.arange(len(known)))
            possible = is_head & ~groups.conflicts[active]
            possible[np.arange(len(active)), active] = False
            similarity[~possible] = -NEVER
            row, other = np.unravel_index(similarity.argmax(), similarity.shape)
            if similarity[row, other] < threshold:
                break
            groups.join(int(active[row]), int(other))
            closest[active[row]] = np.maximum(closest[active[row]], closest[other])
            closest[:, active[row]] = closest[active[row]]
            active = np.unique(groups.group[active])
    return groups.group


def average_link(problem: Problem, threshold: float) -> IntArray:
    """Agglomerative clustering over all at the end, no two of one view at once (RIIPS, UW-ETRI)."""
    distance = 1 - problem.vectors @ problem.vectors.T
    cost = np.where(problem.conflicts, NEVER, np.maximum(distance, 0))
    np.fill_diagonal(cost, 0)
    tree = linkage(squareform(cost, checks=False), "average")
    return np.asarray(fcluster(tree, 1 - threshold, criterion="distance"), np.int64)


def hungarian_windows(problem: Problem, threshold: float) -> IntArray:
    """Each second newcomers of a camera are assigned to the identities known (Nota, ReST).

    Where both are on the floor at that second the cost is half distance, half appearance, and who
    is more than 2 m away is somebody else; else appearance alone.
    """
    groups = _Groups(problem)
    known: list[int] = []
    assigned = np.zeros(len(problem.vectors), np.bool_)
    for places in problem.places:
        for camera in range(int(problem.cameras.max()) + 1):
            fresh = [t for t in places if problem.cameras[t] == camera and not assigned[t]]
            if not fresh:
                continue
            cost = _costs(problem, groups, places, fresh, known)
            limited = np.minimum(cost, (1 - threshold) / 2)
            rows, columns = linear_sum_assignment(limited)
            taken = set()
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                if cost[row, column] < (1 - threshold) / 2:
                    groups.join(known[column], fresh[row])
                    taken.add(row)
            known += [tracklet for row, tracklet in enumerate(fresh) if row not in taken]
            assigned[fresh] = True
    return groups.group


def _costs(
    problem: Problem,
    groups: _Groups,
    places: Mapping[int, DoubleArray],
    fresh: Sequence[int],
    known: Sequence[int],
) -> DoubleArray:
    """Cost (F, K) in [0, 1] of newcomers being known identities; `NEVER` where they cannot be."""
    cost = (1 - problem.vectors[list(fresh)] @ groups.means()[list(known)].T) / 2
    for column, head in enumerate(known):
        here = [places[t] for t in places if groups.group[t] == head and t not in fresh]
        others = np.array([place for place in here if np.isfinite(place).all()]).reshape(-1, 2)
        for row, tracklet in enumerate(fresh):
            if groups.conflicts[head, tracklet]:
                cost[row, column] = NEVER
            elif len(others) and np.isfinite(places[tracklet]).all():
                apart = float(np.linalg.norm(others - places[tracklet], axis=1).min())
                near = (cost[row, column] + apart / SAME_PLACE_M) / 2
                cost[row, column] = near if apart <= SAME_PLACE_M else NEVER
    return cost


def union_find(problem: Problem, threshold: float) -> IntArray:
    """All who are similar enough are one, and whoever is one with either is one with both."""
    alike = (problem.vectors @ problem.vectors.T >= threshold) & ~problem.conflicts
    _, labels = connected_components(coo_array(alike), directed=False)
    return np.asarray(labels, np.int64)


PEERS: Final[Mapping[str, Peer]] = {
    "greedy cosine per window": greedy_windows,
    "average link, no overlaps": average_link,
    "Hungarian per second": hungarian_windows,
    "union-find": union_find,
}
