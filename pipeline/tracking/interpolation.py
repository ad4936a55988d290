"""Filling the gaps of closed tracks: an explicit step for recordings, never part of tracking.

A tracklet lacks boxes where its person was hidden or not found. Someone who draws or counts may
want a box there as well; what is then made up stays marked, and scores and crops are never taken
from it. Gaps are bridged by straight lines and, where asked, the whole is smoothed by a Gaussian
over time (after the interpolation of StrongSORT, Du et al., arXiv 2202.13514, section III-D).
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from pipeline.types import BoolArray, DoubleArray, IntArray, Tracklet

REACH_SIGMAS = 4
"""How far the Gaussian is followed; also how far a track is mirrored beyond its ends."""


@dataclass(frozen=True, slots=True, eq=False)
class InterpolatedTracklet:
    """A tracklet without gaps.

    Attributes:
        tracklet: With all T boxes; the score of a made-up one is 0.
        is_made_up: (T,) bool, true where there was no detection.
    """

    tracklet: Tracklet
    is_made_up: BoolArray


def interpolate(
    tracklet: Tracklet, frame_indices: IntArray, sigma_seconds: float = 0.0
) -> InterpolatedTracklet:
    """The tracklet with a box in each frame from its first to its last.

    Args:
        tracklet: Of one camera.
        frame_indices: (F,) int64, the frames of that camera that were looked at, in any order;
            those of the tracklet may be among them or not.
        sigma_seconds: Standard deviation of the Gaussian with which all boxes, found and made-up,
            are smoothed; 0 leaves found boxes as they are.
    """
    own = tracklet.frame_indices
    inside = frame_indices[(frame_indices > own[0]) & (frame_indices < own[-1])]
    frames = np.union1d(own, inside)
    place = np.searchsorted(frames, own)
    is_made_up = np.ones(len(frames), np.bool_)
    is_made_up[place] = False
    # From the start on: microseconds since 1970 leave a double no room for fractions.
    times = np.interp(frames, own, tracklet.timestamps_us - tracklet.start_us)
    boxes = np.stack([np.interp(frames, own, side) for side in tracklet.boxes.T], axis=1)
    scores = np.zeros(len(frames), np.float32)
    scores[place] = tracklet.scores
    filled = Tracklet(
        camera_id=tracklet.camera_id,
        track_id=tracklet.track_id,
        part=tracklet.part,
        frame_indices=frames,
        timestamps_us=tracklet.start_us + np.rint(times).astype(np.int64),
        boxes=_smoothed(boxes, times / 1e6, sigma_seconds).astype(np.float32),
        scores=scores,
    )
    return InterpolatedTracklet(filled, is_made_up)


def _smoothed(boxes: DoubleArray, seconds: DoubleArray, sigma_seconds: float) -> DoubleArray:
    """Boxes (T, 4) at nearly even times (T,), smoothed; a straight steady walk stays as it is."""
    if sigma_seconds == 0 or len(boxes) < 2:
        return boxes
    sigma = sigma_seconds / (seconds[-1] / (len(seconds) - 1))
    beyond = min(int(np.ceil(REACH_SIGMAS * sigma)), len(boxes) - 1)
    # Mirrored at its end points, a walk goes on beyond them instead of turning back.
    longer = np.pad(boxes, ((beyond, beyond), (0, 0)), mode="reflect", reflect_type="odd")
    smooth = gaussian_filter1d(longer, sigma, axis=0, truncate=REACH_SIGMAS, mode="nearest")
    return np.asarray(smooth[beyond : len(smooth) - beyond])
