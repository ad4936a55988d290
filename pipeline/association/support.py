"""Which identities are rather things than people: they never move, and other cameras miss them.

A coat on a chair that a detector takes for somebody stays where it is, and a camera that sees
everybody who comes there does not see it. How surely a camera sees people is learned from those who
walk about, for they are no furniture: at the place itself, as far as somebody came there, else in
all of its view. So walls and shelves, behind which people stand unseen, are learned as well.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.spatial import KDTree

from pipeline.association.floor_tracks import STEP_US, FloorSamples
from pipeline.association.pairs import Pairs
from pipeline.association.passages import spread
from pipeline.association.seen import Seen
from pipeline.geometry import to_image
from pipeline.types import BoolArray, Calibrations, DoubleArray, IntArray

EVERY: Final = 4
"""Steps of the samples: once a second."""
STILL_M: Final = 0.6
"""Who was within so much of one place at nine tenths of all times did not walk."""
PLACE_M: Final = 0.75
"""What stands so near to one another is one thing; who comes so near shows who sees it."""
LEAST_SECONDS: Final = 8
"""Of who is there for less it cannot be told whether they move."""
ELSEWHERE: Final = 3.0
"""What a camera sees in all its view counts as so many seconds at the place itself."""
MOST_ELSEWHERE: Final = 0.6
"""And for no more than this: of a place where nobody walks a shelf may hide all that is there."""
SURE: Final = 0.95
SEEN_TOO: Final = 0.3
"""Share of cameras that take a thing for somebody where another one does."""
INDEPENDENT_EVERY_SECONDS: Final = 5.0
MAX_INDEPENDENT: Final = 5.0
"""Who is hidden stays so for a while: seconds closer than this count as one, and few in all."""
LEAST_LOG_ODDS: Final = -1.0
"""Below this it is no person. Chosen on simulated rooms with things put into them, and with CMC1 in
view; nobody sits in these rooms for long, out of another camera's sight."""
LEVELS_M: Final = (0.2, 0.6, 1.0, 1.4)
"""Of somebody in view at least half of these heights are to be seen."""
_SPAN: Final = 1 << 40


@dataclass(frozen=True, slots=True, eq=False)
class _Whereabouts:
    """Identities second by second, as one camera each saw them: R rows.

    Attributes:
        identity: (R,) int64, from 0.
        second: (R,) int64.
        camera: (R,) int64, index into the calibrated ones.
        place: (R, 2) float64, metres; NaN where it is seen but not where.
        in_view: (R, C) bool: which of the C calibrated cameras look there.
    """

    identity: IntArray
    second: IntArray
    camera: IntArray
    place: DoubleArray
    in_view: BoolArray


def unsupported(
    seen: Seen, samples: FloorSamples, calibrations: Calibrations, identities: IntArray
) -> BoolArray:
    """Whose identities (N,) do not look like people.

    Only what stands still for some seconds, and all the time, is asked. What was seen at the place
    of a thing, however shortly, is the thing.

    Args:
        seen: N tracklets.
        samples: Where they stood.
        calibrations: By camera id.
        identities: (N,) from 0.
    """
    known = [name for name in seen.passages.names if name in calibrations]
    if len(known) < 2 or not len(samples.positions):
        return np.zeros(len(seen), np.bool_)
    found = _whereabouts(seen, samples, calibrations, known, identities)
    count = int(identities.max()) + 1
    middles, is_still = _still(found, count)
    seconds = np.bincount(
        np.unique(found.identity * _SPAN + found.second) // _SPAN, minlength=count
    )
    lasting = np.flatnonzero(is_still & (seconds >= LEAST_SECONDS))
    things = _joined(middles[lasting])
    is_thing = np.zeros(count, np.bool_)
    for thing in np.unique(things):
        own = lasting[things == thing]
        place = np.median(middles[own], axis=0)
        near = is_still & (np.linalg.norm(middles - place, axis=1) <= PLACE_M)
        near[own] = True
        if _log_odds(found, near, ~is_still, place) < LEAST_LOG_ODDS:
            is_thing |= near
    return np.asarray(is_thing[identities])


def _whereabouts(
    seen: Seen,
    samples: FloorSamples,
    calibrations: Calibrations,
    known: list[str],
    identities: IntArray,
) -> _Whereabouts:
    passages, step = seen.passages, EVERY * STEP_US
    index = np.array([known.index(n) if n in known else -1 for n in passages.names], np.int64)
    camera = index[passages.camera]
    until = np.where(camera >= 0, passages.ends // step + 1, np.iinfo(np.int64).min)
    which, second = spread(-(-passages.starts // step), until)
    row = second * EVERY - samples.begins[which]
    inside = (row >= 0) & (row < np.diff(samples.offsets)[which])
    place = np.full((len(which), 2), np.nan)
    place[inside] = samples.positions[(samples.offsets[which] + row)[inside]]
    views = []
    for name in known:
        boxes = [each.boxes for each in seen.tracklets if each.camera_id == name]
        extent = np.concatenate(boxes).astype(np.float64)
        views.append(_in_view(place, extent, name, calibrations))
    return _Whereabouts(identities[which], second, camera[which], place, np.stack(views, axis=1))


def _in_view(
    places: DoubleArray, boxes: DoubleArray, name: str, calibrations: Calibrations
) -> BoolArray:
    """At which places (R, 2) a camera would see somebody, where it has ever seen something."""
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    levels = []
    for height in LEVELS_M:
        pixels = to_image(places, height, calibrations[name])
        with np.errstate(invalid="ignore"):
            levels.append(((pixels >= low) & (pixels <= high)).all(axis=1))
    return np.asarray(np.mean(levels, axis=0) >= 0.5)


def _still(found: _Whereabouts, count: int) -> tuple[DoubleArray, BoolArray]:
    """The middle (count, 2) of each identity, and whether (count,) it is always near there."""
    middles, is_still = np.full((count, 2), np.nan), np.zeros(count, np.bool_)
    known = np.flatnonzero(np.isfinite(found.place).all(axis=1))
    order = known[np.argsort(found.identity[known], kind="stable")]
    numbers, begins = np.unique(found.identity[order], return_index=True)
    for number, rows in zip(numbers, np.split(order, begins[1:]), strict=True):
        middles[number] = np.median(found.place[rows], axis=0)
        distances = np.linalg.norm(found.place[rows] - middles[number], axis=1)
        is_still[number] = np.quantile(distances, 0.9) <= STILL_M
    return middles, is_still


def _joined(places: DoubleArray) -> IntArray:
    """Groups (S,) of places (S, 2) near one another, from 0."""
    if not len(places):
        return np.empty(0, np.int64)
    near = KDTree(places).query_pairs(PLACE_M, output_type="ndarray").astype(np.int64)
    return Pairs.of(len(places), near[:, 0], near[:, 1]).components()


def _log_odds(found: _Whereabouts, own: BoolArray, walks: BoolArray, place: DoubleArray) -> float:
    """Of a person against a thing that some camera takes for one.

    Args:
        found: Everybody.
        own: Identities (I,) that are it.
        walks: Identities (I,) that move.
        place: Where it is (2,).
    """
    rows = own[found.identity]
    seconds = np.unique(found.second[rows])
    # Who is seen there at that time is perhaps the same, under another number.
    near = np.linalg.norm(found.place - place, axis=1) <= PLACE_M
    seen = rows | near
    shares = np.array(
        [
            np.isin(seconds, found.second[seen & (found.camera == camera)]).mean()
            for camera in range(found.in_view.shape[1])
        ]
    )
    finds = np.array([_finds(found, walks, near, camera) for camera in range(len(shares))])
    hit = shares * np.log(np.maximum(finds, SEEN_TOO) / SEEN_TOO)
    miss = (1 - shares) * np.minimum(np.log((1 - finds) / (1 - SEEN_TOO)), 0.0)
    evidence = hit + miss
    # Without one that sees it there would be nothing to ask.
    evidence[np.argmax(shares)] = 0.0
    weight = min(1 + len(seconds) / INDEPENDENT_EVERY_SECONDS, MAX_INDEPENDENT)
    return float(evidence.sum() * weight)


def _finds(found: _Whereabouts, walks: BoolArray, near: BoolArray, camera: int) -> float:
    """How surely a camera sees somebody whom another one sees at a place."""
    others = walks[found.identity] & (found.camera != camera)
    moments = found.identity * _SPAN + found.second
    own = moments[found.camera == camera]
    everywhere = np.isin(np.unique(moments[others & found.in_view[:, camera]]), own)
    here = np.isin(np.unique(moments[others & near]), own)
    share = min(everywhere.sum() / (len(everywhere) + ELSEWHERE), MOST_ELSEWHERE)
    if not found.in_view[near, camera].any():
        share = 0.0
    return min(float((here.sum() + ELSEWHERE * share) / (len(here) + ELSEWHERE)), SURE)
