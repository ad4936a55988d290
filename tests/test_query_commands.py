"""What `query` and `export` take, and what they say of what they do not take."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from cameras.encoding import make_thumbnails
from commands.options import parse_time
from commands.query import parse_zone
from pipeline.config import load_site, redacted_json
from pipeline.errors import SettingsError, UserError
from pipeline.reid.encoder import ClipEncoder
from pipeline.timestamps import from_iso
from pipeline.types import (
    BoolArray,
    Clip,
    EncodedTracklet,
    EncoderIdentity,
    Evidence,
    FloatArray,
    ImageArray,
    Link,
    NoEmbedding,
    Tracklet,
)
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


RED, GREEN, BLUE = (20, 20, 255), (20, 255, 20), (255, 20, 20)


class Colours:
    """Networks for which people are the mean colour of their crops."""

    def frames(self, clips: Sequence[ImageArray]) -> list[FloatArray]:
        """Mean colours (K, 3)."""
        means = [crops.mean(axis=(1, 2)) for crops in clips]
        return [(m / np.linalg.norm(m, axis=1, keepdims=True)).astype(np.float32) for m in means]

    def clips(self, frames: FloatArray, present: BoolArray) -> FloatArray:
        """Of the first crop."""
        return frames[:, 0]


def picture_of(path: Path, colour: tuple[int, int, int]) -> Path:
    """A grey picture with somebody of a colour at 100,100 to 164,228."""
    image = np.full((300, 300, 3), 128, np.uint8)
    image[100:228, 100:164] = colour
    cv2.imwrite(str(path), image)
    return path


@pytest.fixture
def look_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Identities found in a run of people in red (1), green (2) and blue (3), by two cameras."""
    encoder = ClipEncoder(Colours(), EncoderIdentity("colours", "cd" * 32, 3))
    monkeypatch.setattr("commands.run.pixel_encoder", lambda _: encoder)
    site = SITE + "  - {id: yard, tracks: yard.txt, frame_rate: 10, image_size: [640, 360]}\n"
    (tmp_path / "site.yaml").write_text(site)
    settings = redacted_json(load_site(tmp_path / "site.yaml"))
    url = f"sqlite:///{tmp_path / 'tracking.db'}"
    with open_store(url, create=True) as store:
        cameras = tuple(CameraRecord(name, name, False) for name in ("gate", "yard"))
        run_id = store.begin_run(RunRecord("plaza", settings, "none", cameras, START_US))
        for number, colour in enumerate((RED, GREEN, BLUE), start=1):
            for camera in ("gate", "yard"):
                frames = np.arange(5) + 100 * number
                boxes = np.tile([10.0, 20.0, 40.0, 100.0], (5, 1))
                times = START_US + 100_000 * frames
                walk = Tracklet(camera, number, 1, frames, times, boxes, np.full(5, 0.9))
                crop = np.full((1, 256, 128, 3), colour, np.uint8)
                seen = Clip(crop, np.zeros(1, np.int64), np.ones(1, np.float32))
                thumbnails = make_thumbnails(seen)
                kept = EncodedTracklet(walk, encoder.encode(seen), thumbnails)
                store.add_tracklets(run_id, [kept])
        links = [
            Link(f"{camera}/{n}", n, Evidence(0, 0, 0, 0), (), START_US, "test")
            for camera in ("gate", "yard")
            for n in (1, 2, 3)
        ]
        store.set_links(run_id, links)

    def look_for(*words: str) -> list[int]:
        words = ("query", "search", *words, "--database", url, "--json")
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return [hit["identity"] for hit in json.loads(result.stdout)["hits"]]

    return look_for


def test_search_by_pictures_and_tracklets(
    look_for: Callable[..., list[int]], tmp_path: Path
) -> None:
    red = str(picture_of(tmp_path / "red.png", RED))
    blue = str(picture_of(tmp_path / "blue.png", BLUE))
    box = ("--box", "100,100,164,228")
    assert look_for(red, *box)[0] == 1
    assert look_for(blue, *box)[0] == 3
    assert look_for("--tracklet", "gate/2")[0] == 2
    assert look_for("--tracklet", "gate/2", "--limit", "2", "--camera", "yard")[0] == 2
    assert len(look_for(red, "--limit", "2")) == 2
    assert look_for(red, blue, "--not", "yard/1")[0] == 3
    sheet = tmp_path / "found.png"
    look_for(red, *box, "--picture", str(sheet))
    height, width = cv2.imread(str(sheet)).shape[:2]
    assert height > 3 * 192
    assert width > 2 * 96


def test_what_search_refuses(
    look_for: Callable[..., list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    red = str(picture_of(tmp_path / "red.png", RED))
    (tmp_path / "words.png").write_text("no picture")
    for words, reason in (
        ((), "expected a picture, or --tracklet"),
        (("nobody.png",), "nobody.png: expected a picture of a person"),
        ((str(tmp_path / "words.png"),), "expected a picture of a person"),
        ((red, "--box", "1,2,3"), "--box: expected x1,y1,x2,y2 in pixels, got 1,2,3"),
        ((red, "--box", "300,0,400,100"), "is outside of .* which is 300x300"),
        (("--tracklet", "gate/1", "--box", "1,2,3,4"), "--box: expected one picture"),
        ((red, "--not", "somebody"), "--not: expected a picture or a tracklet"),
        (("--tracklet", "gate"), "expected a tracklet such as desk/12"),
        (("--tracklet", "gate/9"), "run 1 has no tracklet gate/9"),
        ((red, "--camera", "roof"), "got roof; it has gate, yard"),
    ):
        with pytest.raises(UserError, match=reason):
            look_for(*words)
    newer = ClipEncoder(Colours(), EncoderIdentity("colours", "ef" * 32, 3))
    monkeypatch.setattr("commands.run.pixel_encoder", lambda _: newer)
    with pytest.raises(UserError, match=r"reid.weights is now colours efefefefefef: `reembed` it"):
        look_for(red)
    assert look_for("--tracklet", "gate/1")[0] == 1, "needs no encoder"
