"""Things that are taken for people, in a room that three cameras look down on: 100 px a metre.

A camera that looks straight down from 10 m sees the floor from 0 to 10 m each way.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from pipeline.association.engine import PROVISIONAL, AssociationEngine
from pipeline.association.floor_tracks import floor_tracks, sampled
from pipeline.association.resolver import Edits, Knowledge, associate
from pipeline.association.seen import Seen
from pipeline.association.support import unsupported
from pipeline.config import AssociationSettings
from pipeline.types import UNSUPPORTED, Calibration, DoubleArray, NoEmbedding, Tracklet

ABOVE = Calibration(
    np.diag([0.01, 0.01, 1.0]), np.eye(3), np.zeros(5), 1000.0, np.array([5.0, 5.0, 10.0])
)
CAMERAS = "abc"
SECONDS = 40


def _seen(camera: str, number: int, ways: DoubleArray) -> Tracklet:
    """A tracklet five times a second of who goes along positions (T, 2), metres."""
    feet = 100 * ways
    boxes = np.hstack([feet, feet]) + np.array([-20, -100, 20, 0])
    times = np.arange(len(ways)) * 200_000
    return Tracklet(camera, number, 1, np.arange(len(ways)), times, boxes, np.ones(len(ways)))


def _walk(row: float, first: float = 2.0, last: float = 8.0) -> DoubleArray:
    """To and fro along a row of the room, 1 m/s."""
    phase = np.abs((np.arange(5 * SECONDS) / 5 + row) % 12 - 6) / 6
    return np.stack([first + (last - first) * phase, np.full(len(phase), row)], axis=1)


def _stand(x: float, y: float, seconds: float = SECONDS) -> DoubleArray:
    return np.tile((x, y), (int(5 * seconds), 1))


def _people(missed_by: str = "") -> list[tuple[int, Tracklet]]:
    """Two who walk past (5, 4.5), missed there by some cameras, who see them on their way."""
    found = []
    for person, row in enumerate((4.2, 4.8)):
        way = _walk(row)
        for camera in CAMERAS:
            hidden = (np.abs(way[:, 0] - 5) < 1.5) if camera in missed_by else way[:, 0] < 0
            parts = np.split(np.arange(len(way)), np.flatnonzero(np.diff(hidden)) + 1)
            for number, part in enumerate(part for part in parts if not hidden[part[0]]):
                whole = _seen(camera, 10 * person + number, way)
                own = (whole.frame_indices[part], whole.timestamps_us[part], whole.boxes[part])
                track = Tracklet(camera, 100 * person + number, 1, *own, np.ones(len(part)))
                found.append((person, track))
    return found


def _flagged(some: Sequence[tuple[int, Tracklet]], cameras: str = CAMERAS) -> set[int]:
    """Identities that are no people, where each is who they are said to be."""
    views = dict.fromkeys(cameras, ABOVE)
    tracklets = [tracklet for _, tracklet in some]
    names = {tracklet.key: person for person, tracklet in some}
    seen = Seen.of(tracklets, [NoEmbedding()] * len(some))
    identities = np.array([names[tracklet.key] for tracklet in seen.tracklets], np.int64)
    samples = sampled(floor_tracks(seen.tracklets, views))
    return set(identities[unsupported(seen, samples, views, identities)].tolist())


def test_a_thing_that_one_camera_of_three_sees_is_no_person() -> None:
    thing = (2, _seen("a", 900, _stand(5, 4.5)))
    assert _flagged([*_people(), thing]) == {2}


def test_somebody_who_stands_still_in_all_views_is_a_person() -> None:
    standing = [(2, _seen(camera, 900, _stand(5, 4.5))) for camera in CAMERAS]
    assert _flagged([*_people(), *standing]) == set()
    assert _flagged([*_people(), *standing[:2]]) == set()


def test_in_a_corner_that_the_others_cannot_see_one_camera_alone_is_enough() -> None:
    """Those who walk by are missed there by the others, too."""
    alone = (2, _seen("a", 900, _stand(5, 4.5)))
    assert _flagged([*_people(missed_by="bc"), alone]) == set()


def test_who_walks_is_a_person_whoever_misses_them() -> None:
    alone = (2, _seen("a", 900, _walk(6.0)))
    assert _flagged([*_people(), alone]) == set()


def test_of_moments_nothing_is_known_unless_the_thing_is_known() -> None:
    moment = (2, _seen("a", 900, _stand(5, 4.5, 3)))
    assert _flagged([*_people(), moment]) == set()
    assert _flagged([*_people(), moment, (3, _seen("a", 901, _stand(5.2, 4.5)))]) == {2, 3}


def test_one_calibrated_camera_tells_nothing() -> None:
    thing = (2, _seen("a", 900, _stand(5, 4.5)))
    assert _flagged([*_people(), thing], cameras="a") == set()
    assert _flagged([*_people(), thing], cameras="") == set()


@pytest.mark.parametrize("joined", [False, True])
def test_links_to_things_say_so_but_not_against_a_user(joined: bool) -> None:
    tracklets = [tracklet for _, tracklet in _people()]
    first, later = _one_after_the_other()
    tracklets += [first, later]
    edits = Edits(together=((first.key, later.key),)) if joined else Edits()
    views = dict.fromkeys(CAMERAS, ABOVE)
    knowledge = Knowledge(views, {}, AssociationSettings(), edits)
    links = associate(tracklets, [NoEmbedding()] * len(tracklets), knowledge, 0)
    marked = {link.tracklet for link in links if link.method == UNSUPPORTED}
    assert marked == (set() if joined else {first.key, later.key})


def test_while_people_come_a_thing_is_found_once_and_what_joins_it_is_one() -> None:
    """First taken for somebody; its next track is told as what it is, at once."""
    first, later = _one_after_the_other()
    knowledge = Knowledge(dict.fromkeys(CAMERAS, ABOVE), {}, AssociationSettings())
    engine = AssociationEngine(knowledge, window_seconds=1e6)
    tracklets = [*(tracklet for _, tracklet in _people()), first]
    told = {each.tracklet: each.method for each in engine.add(tracklets, _blind(tracklets), 0)}
    assert told[first.key] == PROVISIONAL
    told |= {each.tracklet: each.method for each in engine.resolve(SECONDS * 1_000_000, 0)}
    assert {key for key, method in told.items() if method == UNSUPPORTED} == {first.key}
    (link,) = engine.add([later], [NoEmbedding()], 0)
    assert link.method == UNSUPPORTED


def _blind(tracklets: Sequence[Tracklet]) -> list[NoEmbedding]:
    return [NoEmbedding()] * len(tracklets)


def _one_after_the_other() -> tuple[Tracklet, Tracklet]:
    """What stands there for 42 seconds, but for two in the middle."""
    first, second = _seen("a", 900, _stand(5, 4.5, 20)), _seen("a", 901, _stand(5, 4.5, 20))
    frames, times = second.frame_indices + 110, second.timestamps_us + 22_000_000
    return first, replace(second, frame_indices=frames, timestamps_us=times)
