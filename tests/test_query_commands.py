"""What `query` and `export` take, and what they say of what they do not take."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from commands.options import parse_time
from commands.query import parse_zone
from pipeline.config import load_site, redacted_json
from pipeline.errors import SettingsError, UserError
from pipeline.timestamps import from_iso
from pipeline.types import EncodedTracklet, Evidence, Link, NoEmbedding, Tracklet
from run_pipeline import app
from storage.audit import entries
from storage.store import CameraRecord, RunRecord, open_store

Ask = Callable[..., str]
START_US = from_iso("2026-01-05T10:00:00Z")
CALIBRATION = "ground_homography: [[0.1, 0, 0], [0, -0.1, 0], [0, 0, 1]]\n"
SITE = """\
site: plaza
cameras:
  - {id: gate, tracks: gate.txt, frame_rate: 10, image_size: [640, 360], calibration: gate.yaml}
"""


def make_run(folder: Path, site: str) -> str:
    """URL of a store in which one person walked through one camera."""
    (folder / "gate.yaml").write_text(CALIBRATION)
    (folder / "site.yaml").write_text(site)
    settings = redacted_json(load_site(folder / "site.yaml"))
    frames = np.arange(5)
    boxes = np.array([10.0, 20.0, 40.0, 100.0]) + frames[:, None] * [1, 0, 1, 0]
    walk = Tracklet("gate", 1, 1, frames, START_US + 100_000 * frames, boxes, np.full(5, 0.9))
    url = f"sqlite:///{folder / 'tracking.db'}"
    with open_store(url, create=True) as store:
        cameras = (CameraRecord("gate", "gate.txt", True),)
        run_id = store.begin_run(RunRecord("plaza", settings, "none", cameras, START_US))
        store.add_tracklets(run_id, [EncodedTracklet(walk, NoEmbedding(), ())])
        store.set_links(run_id, [Link("gate/1", 1, Evidence(0, 0, 0, 0), (), START_US, "test")])
    return url


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """What a command prints about that run."""
    url = make_run(tmp_path, SITE)

    def ask(*words: str) -> str:
        result = CliRunner().invoke(app, [*words, "--database", url], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.stdout

    return ask


def test_times_back_from_now() -> None:
    now_us = time.time_ns() // 1000
    for words, seconds in (("-90s", 90), ("-30m", 1800), ("-2h", 7200), ("-1.5d", 129_600)):
        assert parse_time("--from", words) == pytest.approx(now_us - seconds * 1e6, abs=60e6)
    assert parse_time("--from", "2026-01-05T11:00:00+01:00") == START_US
    for wrong in ("2h", "-2w", "-h", "2026-01-05T10:00:00", "yesterday"):
        with pytest.raises(UserError, match=r"^--from: "):
            parse_time("--from", wrong)


def test_zones() -> None:
    assert parse_zone("10,20 30,20.5  30,40") == [(10, 20), (30, 20.5), (30, 40)]
    for wrong in ("10 20 30", "10,20,30 1,2,3", "a,b c,d e,f"):
        with pytest.raises(UserError, match=r"^--zone: expected"):
            parse_zone(wrong)


def test_a_path_in_pixels_and_metres(ask: Ask) -> None:
    tree = json.loads(ask("query", "trajectory", "1", "--path", "--json"))
    [passage] = tree["passages"]
    assert passage["gap_seconds"] is None
    assert passage["confidence"] is None, "one passage alone: nothing speaks for or against"
    assert len(passage["path"]) == 5
    first = passage["path"][0]
    assert (first["x_px"], first["y_px"]) == (25, 100)
    assert (first["x_m"], first["y_m"]) == (2.5, -9.82)
    assert "2.5  -9.8" in ask("query", "trajectory", "1", "--path")


def test_times_and_zones_as_options(ask: Ask) -> None:
    """A time that begins with a dash is no option."""
    assert json.loads(ask("query", "identities", "--from", "-2h", "--json"))["identities"] == []
    words = ("query", "presence", "gate", "--zone", "0,90 26.5,90 26.5,110", "--json")
    [passage] = json.loads(ask(*words))["passages"]
    assert passage["boxes"] == 2
    assert json.loads(ask("query", "together", "1", "--metres", "2", "--json"))["meetings"] == []


@pytest.mark.parametrize("command", ["moves", "dwell", "transitions"])
def test_what_is_asked_of_a_day_without_anybody(ask: Ask, command: str) -> None:
    assert json.loads(ask("query", command, "--to", "2026-01-05T09:00:00Z", "--json")) == {
        "run": 1,
        command: [],
    }


def test_coco_knows_the_size_of_recorded_frames(ask: Ask, tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    ask("export", "--format", "coco", "--output", str(path))
    assert json.loads(path.read_text())["images"][0]["width"] == 640


def test_a_map_needs_a_place_on_earth(tmp_path: Path) -> None:
    url, path = make_run(tmp_path, SITE), str(tmp_path / "ways.geojson")
    words = ["export", "--format", "geojson", "--output", path, "--database", url]
    with pytest.raises(UserError, match="run 1: nobody knows where on earth plaza is"):
        CliRunner().invoke(app, words, catch_exceptions=False)
    make_run(tmp_path, SITE + "origin: {latitude: 52.5, longitude: 13.4}\n")
    CliRunner().invoke(app, words, catch_exceptions=False)
    [feature] = json.loads(Path(path).read_text())["features"]
    assert feature["properties"]["tracklet"] == "gate/1"
    with open_store(url, create=False) as store:
        assert [entry.details["format"] for entry in entries(store)] == ["geojson"]


def test_settings_of_another_version(tmp_path: Path) -> None:
    """Only what needs them refuses."""
    url = f"sqlite:///{tmp_path / 'tracking.db'}"
    with open_store(url, create=True) as store:
        store.begin_run(RunRecord("plaza", '{"site": "plaza", "lens": 1}', "none", (), START_US))

    def export(name: str) -> object:
        words = ["export", "--format", name, "--output", str(tmp_path / name), "--database", url]
        return CliRunner().invoke(app, words, catch_exceptions=False)

    export("csv")
    with pytest.raises(SettingsError, match=r"^run 1: settings of another version"):
        export("parquet")
