from pathlib import Path
from typing import Any

import pytest
import yaml

from cameras.simulation.settings import load_simulation
from pipeline.errors import SettingsError

DEMO = Path(__file__).resolve().parents[3] / "demo/simulation.yaml"


def changed(path: Path, keys: tuple[str | int, ...], value: Any) -> Path:
    """The demo's description with one value changed."""
    tree = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    place = tree
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("keys", "value", "named"),
    [
        (("people", "speed_m_per_s"), [1.7, 0.9], "people.speed_m_per_s"),
        (("people", "stops"), [5, 2], "people.stops"),
        (("people", "count"), 10_000_000, "people.count"),
        (("stops", "kiosk", "dwell_seconds"), [-3, 5], "stops.kiosk.dwell_seconds"),
        (("cameras", 0, "image_size"), [321, 180], "cameras[0].image_size"),
        (("cameras", 0, "image_size"), [100_000, 180], "cameras[0].image_size"),
        (("cameras", 0, "exposure_stops"), 5000, "cameras[0].exposure_stops"),
        (("cameras", 0, "position"), [1e30, 0, 4], "cameras[0].position"),
        (("duration_seconds",), 1e12, "duration_seconds"),
        (("floors", 0, "area"), [0, 0, 1e300, 5], "floors[0].area"),
        (("walls", 0, "openings"), [{"at_m": 20, "width_m": 1}], "within 14.00 m"),
        (
            ("walls", 0, "openings"),
            [{"at_m": 1, "width_m": 5}, {"at_m": 2, "width_m": 1}],
            "beside one another",
        ),
        (("walls", 0, "end"), [0, 0], "expected two ends"),
        (("people", "alike"), 99, "people.alike"),
        (("paths",), [["kiosk", "nowhere"]], "nowhere"),
        (("colour",), "red", "colour"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    tmp_path: Path, keys: tuple[str | int, ...], value: Any, named: str
) -> None:
    path = changed(tmp_path / "site.yaml", keys, value)
    with pytest.raises(SettingsError) as error:
        load_simulation(path)
    assert str(path) in str(error.value)
    assert named in str(error.value)
    assert "\n" not in str(error.value)
