"""What a small site was like when it was last looked at: truth closely, pictures roughly.

Another processor or renderer may differ in last bits, so there are tolerances. After a wanted
change: `pytest tests/cameras/simulation/test_golden.py --update-golden`, and look at the pictures.
"""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cameras.simulation.scene import Capture, Scene
from cameras.simulation.settings import load_simulation

GOLDEN = Path(__file__).with_name("golden.json")
FRAMES = (0, 6)
GRID = (16, 9)
"""Pictures are compared as this many mean colours, across and down."""


@pytest.fixture(scope="module")
def captures(tiny_simulation: Path) -> dict[str, Capture]:
    simulation = load_simulation(tiny_simulation)
    with Scene(simulation) as scene:
        return {
            f"{camera.id} {index}": scene.frame(camera.id, index)
            for camera in simulation.cameras
            for index in FRAMES
        }


def summary(capture: Capture) -> dict[str, Any]:
    truth = capture.truth
    return {
        "identities": truth.identities.tolist(),
        "full_boxes": np.round(truth.full_boxes, 2).tolist(),
        "visibility": np.round(truth.visibility, 3).tolist(),
        "ground": np.round(truth.ground, 3).tolist(),
        "keypoints": np.round(truth.keypoints, 2).tolist(),
        "colours": cv2.resize(capture.image, GRID, interpolation=cv2.INTER_AREA).tolist(),
    }


def test_nothing_has_changed_unseen(
    captures: dict[str, Capture], request: pytest.FixtureRequest
) -> None:
    now = {name: summary(capture) for name, capture in captures.items()}
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(json.dumps(now) + "\n", encoding="utf-8")
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert sum(len(capture["identities"]) for capture in golden.values()) >= 4
    assert list(now) == list(golden)
    for name, then in golden.items():
        assert now[name]["identities"] == then["identities"], name
        close(name, "ground", now, then, 0.01)
        close(name, "full_boxes", now, then, 0.5)
        close(name, "visibility", now, then, 0.05)
        close(name, "colours", now, then, 4)
        points, old = np.array(now[name]["keypoints"]), np.array(then["keypoints"])
        np.testing.assert_allclose(points[..., :2], old[..., :2], rtol=0, atol=0.5, err_msg=name)
        assert (points[..., 2] != old[..., 2]).mean() < 0.05, name


def close(name: str, key: str, now: dict[str, Any], then: dict[str, Any], tolerance: float) -> None:
    np.testing.assert_allclose(
        np.array(now[name][key]),
        np.array(then[key]),
        rtol=0,
        atol=tolerance,
        err_msg=f"{name} {key}",
    )
