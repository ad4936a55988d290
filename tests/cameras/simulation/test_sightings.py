"""Who can be seen, by geometry, beside who is seen in rendered pictures."""

from dataclasses import replace

import numpy as np
import pytest

from cameras.simulation.optics import Camera
from cameras.simulation.scene import Scene
from cameras.simulation.settings import Simulation
from cameras.simulation.sightings import sightings
from cameras.simulation.timetable import timetable
from pipeline.geometry import iou

SITE = Simulation.model_validate(
    {
        "site": "yard",
        "start": "2026-01-05T10:00:00Z",
        "duration_seconds": 8,
        "seed": 5,
        "floors": [{"area": (-6, -4, 6, 4)}],
        "walls": [{"start": (-0.5, 1.2), "end": (1.5, 1.2), "height_m": 2.5}],
        "stops": {
            "west": {"position": (-5, 0), "kind": "entry"},
            "middle": {"position": (0, 0), "radius_m": 0.8, "kind": "stand"},
            "east": {"position": (5, 0), "kind": "entry"},
        },
        "paths": [("west", "middle"), ("middle", "east")],
        "people": {"count": 5, "returning": 0, "stops": (1, 1)},
        "cameras": [
            {"id": "open", "position": (0, -8, 3), "look_at": (0, 0, 0.8), "frame_rate": 5},
            {"id": "behind", "position": (0, 8, 3), "look_at": (0, 0, 0.8), "frame_rate": 5},
        ],
    }
)


@pytest.fixture(scope="module")
def scene():
    with Scene(SITE) as made:
        yield made


@pytest.mark.parametrize("number", [0, 1])
def test_boxes_and_visibility_are_about_those_of_rendered_people(scene, number: int) -> None:
    settings = SITE.cameras[number]
    times = timetable(SITE, settings)
    seen = sightings(scene.world, Camera(settings), times, scene.still(settings.id))
    overlaps, differences = [], []
    for frame in times.indices[::8].tolist():
        truth = scene.frame(settings.id, frame).truth
        rows = np.flatnonzero(seen.frames == frame)
        share = dict(zip(seen.persons[rows].tolist(), seen.visibility[rows], strict=True))
        boxes = dict(zip(seen.persons[rows].tolist(), seen.boxes[rows], strict=True))
        for person, box, visible in zip(
            truth.identities.tolist(), truth.visible_boxes, truth.visibility, strict=True
        ):
            differences.append(abs(share.get(person, 0) - visible))
            if visible > 0.8:
                overlaps.append(iou(box[None], boxes[person][None])[0, 0])
    assert len(overlaps) > 5
    assert np.mean(overlaps) > 0.7 and np.min(overlaps) > 0.4
    assert np.mean(differences) < 0.1


def test_a_wall_hides_people_from_the_camera_behind_it(scene) -> None:
    shares = {
        one.id: sightings(scene.world, Camera(one), timetable(SITE, one), scene.still(one.id))
        for one in SITE.cameras
    }
    assert shares["behind"].visibility.sum() < 0.8 * shares["open"].visibility.sum()


def test_frames_that_are_lost_have_nobody(scene) -> None:
    settings = SITE.cameras[0]
    times = timetable(SITE, settings)
    fewer = replace(times, indices=times.indices[::3])
    still = scene.still(settings.id)
    all_frames, some = (
        sightings(scene.world, Camera(settings), table, still) for table in (times, fewer)
    )
    kept = all_frames.where(np.isin(all_frames.frames, fewer.indices))
    assert set(some.frames.tolist()) <= set(fewer.indices.tolist())
    np.testing.assert_array_equal(some.boxes, kept.boxes)
