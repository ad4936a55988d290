"""Where tracklets were on the floor, sampled on one grid of times, so that pairs can be compared.

A box ends at the shoe that is nearest to the camera, and where somebody stands in front it ends too
high up: the one is taken off, the other is left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.association.passages import spread
from pipeline.geometry import foot_points, to_floor
from pipeline.types import BoolArray, Calibration, Calibrations, DoubleArray, IntArray, Tracklet

STEP_US = 250_000
"""Distance of the times that are compared: about the rate at which cameras are looked at."""
MAX_INTERPOLATION_US = 500_000
FOOT_ERROR = 0.028
"""Standard deviation of a foot point, in heights of its box."""
CUT_MARGIN_PX = 3.0
CUT_MARGIN = 0.06
"""A box that ends this close to the lower border of the image, or so many of its heights, hides
where the person stands."""
SHOE_M = 0.18
"""From the shoe where a box ends to the middle of the body, away from the camera."""
COVERED_ABOVE = 0.2
"""Feet are covered where a box ends in that of somebody nearer, or so many of its heights above."""


@dataclass(frozen=True, slots=True, eq=False)
class FloorTrack:
    """A tracklet's positions on the floor, where they can be told.

    Attributes:
        times_us: (T,) int64, increasing.
        positions: (T, 2) float64, metres.
        variances: (T,) float64, square metres, of each coordinate, less those of the calibration.
    """

    times_us: IntArray
    positions: DoubleArray
    variances: DoubleArray


NOWHERE = FloorTrack(np.empty(0, np.int64), np.empty((0, 2)), np.empty(0))


@dataclass(frozen=True, slots=True, eq=False)
class FloorSamples:
    """Positions of N tracklets at multiples of `STEP_US`, one tracklet after the other.

    Attributes:
        offsets: (N + 1,) int64: where in the rows each tracklet's begin; all in between are its.
        begins: (N,) int64: the first multiple of each.
        positions: (M, 2) float64, metres; NaN where not known.
        variances: (M,) float64, square metres.
    """

    offsets: IntArray
    begins: IntArray
    positions: DoubleArray
    variances: DoubleArray

    @property
    def ends(self) -> IntArray:
        """(N,): the multiple after the last of each."""
        return np.asarray(self.begins + np.diff(self.offsets))

    def among(self, count: int, rows: IntArray) -> "FloorSamples":
        """As of so many tracklets, at increasing rows (N,); of the others nothing is known."""
        lengths, begins = np.zeros(count, np.int64), np.zeros(count, np.int64)
        lengths[rows], begins[rows] = np.diff(self.offsets), self.begins
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        return FloorSamples(offsets, begins, self.positions, self.variances)


def floor_track(tracklet: Tracklet, calibrations: Calibrations) -> FloorTrack:
    """Where the person of a tracklet stood; empty without calibration or where feet are cut."""
    return floor_tracks([tracklet], calibrations)[0]


def floor_tracks(tracklets: Sequence[Tracklet], calibrations: Calibrations) -> list[FloorTrack]:
    """Where the person of each tracklet stood, as far as it is to be seen."""
    found = [NOWHERE] * len(tracklets)
    members: dict[str, list[int]] = {}
    for index, tracklet in enumerate(tracklets):
        members.setdefault(tracklet.camera_id, []).append(index)
    for camera_id, own in members.items():
        calibration = calibrations.get(camera_id)
        if calibration is not None:
            tracks = _of_camera([tracklets[index] for index in own], calibration)
            for index, track in zip(own, tracks, strict=True):
                found[index] = track
    return found


def _of_camera(tracklets: Sequence[Tracklet], calibration: Calibration) -> list[FloorTrack]:
    boxes = np.concatenate([tracklet.boxes for tracklet in tracklets]).astype(np.float64)
    frames = np.concatenate([tracklet.frame_indices for tracklet in tracklets])
    times = np.concatenate([tracklet.timestamps_us for tracklet in tracklets])
    feet, heights = foot_points(boxes), boxes[:, 3] - boxes[:, 1]
    positions, errors = body_places(boxes, calibration)
    good = feet[:, 1] < calibration.image_height - np.maximum(CUT_MARGIN_PX, CUT_MARGIN * heights)
    good &= np.isfinite(positions).all(axis=1) & ~covered(boxes, frames)
    bounds = np.cumsum([len(tracklet.boxes) for tracklet in tracklets])[:-1]
    return [
        FloorTrack(times[rows], positions[rows], errors[rows] ** 2)
        for part in np.split(np.arange(len(boxes)), bounds)
        for rows in [part[good[part]]]
    ]


def body_places(boxes: DoubleArray, calibration: Calibration) -> tuple[DoubleArray, DoubleArray]:
    """Where people in boxes (N, 4) stand if all of them is to be seen: (N, 2) metres, and how
    wrong that may be (N,), one standard deviation; NaN where a box ends above the horizon."""
    feet, heights = foot_points(boxes), boxes[:, 3] - boxes[:, 1]
    shoes = to_floor(feet, calibration)
    # Numerically, by one standard deviation up the image: nearer the horizon a pixel means more.
    up = np.stack([np.zeros_like(heights), FOOT_ERROR * heights], axis=1)
    away = to_floor(feet - up, calibration) - shoes
    errors = np.linalg.norm(away, axis=1)
    return shoes + SHOE_M * away / np.maximum(errors, 1e-9)[:, None], errors


def covered(boxes: DoubleArray, frames: IntArray) -> BoolArray:
    """Which boxes (B,) of a camera end behind somebody nearer, in the same frame."""
    order = np.argsort(frames, kind="stable")
    ranked = frames[order]
    since = np.searchsorted(ranked, ranked, side="left")
    until = np.searchsorted(ranked, ranked, side="right")
    one, other = spread(since, until)
    one, other = order[one], order[other]
    feet, middles = boxes[one, 3], (boxes[one, 0] + boxes[one, 2]) / 2
    tops = boxes[other, 1] - COVERED_ABOVE * (boxes[other, 3] - boxes[other, 1])
    hides = (tops < feet) & (feet < boxes[other, 3])
    hides &= (boxes[other, 0] < middles) & (middles < boxes[other, 2])
    return np.bincount(one[hides], minlength=len(boxes)) > 0


def sampled(tracks: Sequence[FloorTrack]) -> FloorSamples:
    """Positions of N tracks at common times, between their own by straight lines."""
    lengths = np.array([len(track.times_us) for track in tracks], np.int64)
    filled = np.flatnonzero(lengths)
    begins, ends = np.zeros(len(tracks), np.int64), np.zeros(len(tracks), np.int64)
    for index in filled.tolist():
        begins[index] = -(-tracks[index].times_us[0] // STEP_US)
        ends[index] = tracks[index].times_us[-1] // STEP_US + 1
    offsets = np.concatenate([[0], np.cumsum(np.maximum(ends - begins, 0))])
    if not len(filled):
        return FloorSamples(offsets, begins, np.empty((0, 2)), np.empty(0))
    times = np.concatenate([tracks[index].times_us for index in filled.tolist()])
    positions = np.concatenate([tracks[index].positions for index in filled.tolist()])
    variances = np.concatenate([tracks[index].variances for index in filled.tolist()])
    which, grid = spread(begins, ends)
    wanted = grid * STEP_US
    # One increasing number a time and track, so that all tracks are searched at once.
    since, span = times.min(), np.ptp(times) + STEP_US + 1
    owner = np.repeat(filled, lengths[filled])
    after = np.searchsorted(owner * span + times - since, which * span + wanted - since)
    after = np.minimum(after, len(times) - 1)
    before = np.maximum(after - (times[after] > wanted), 0)
    gap = times[after] - times[before]
    share = np.where(gap > 0, (wanted - times[before]) / np.maximum(gap, 1), 0.0)
    place = positions[before] + share[:, None] * (positions[after] - positions[before])
    near = np.minimum(times[after] - wanted, wanted - times[before]) <= MAX_INTERPOLATION_US
    return FloorSamples(
        offsets,
        begins,
        np.where(near[:, None], place, np.nan),
        (1 - share) * variances[before] + share * variances[after],
    )
