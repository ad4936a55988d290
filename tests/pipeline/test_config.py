"""The site file: what it may hold, what is made of it, and every error by its key."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import (
    DetectionsCamera,
    PixelCamera,
    SimulationCamera,
    Site,
    TracksCamera,
    VideoCamera,
    load_site,
    read_yaml,
    redact,
    redacted_json,
    site_schema,
)
from pipeline.errors import SettingsError

RECORDED = {"frame_rate": 25, "image_size": [1920, 1080]}
FULL = """
site: plaza
start: 2026-01-05T10:00:00Z
cameras:
  - id: north
    video: videos/north.mp4
    time_offset_ms: -12.5
    calibration: north.calibration.yaml
  - id: street
    video: rtsp://${CAM_USER}:${CAM_PASSWORD}@host/path
  - id: dock
    detections: dock.det.txt
    embeddings: /abs/dock.npz
    frame_rate: 25
    image_size: [1920, 1080]
  - id: gate
    tracks: ../gate.txt
    frame_rate: 4
    image_size: [1920, 1024]
    start: 2026-01-05T11:00:00+01:00
transitions: {north: {gate: [5, 40]}}
storage: {url: "sqlite:///plaza.db", retention_days: null}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def load(folder: Path, tree: Any) -> Site:
    return load_site(write(folder, yaml.safe_dump(tree)))


def camera(**changes: Any) -> dict[str, Any]:
    return {"id": "a", "video": "a.mp4"} | changes


def site(*cameras: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"site": "s", "cameras": list(cameras) or [camera()]} | changes


def test_a_full_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_USER", "ann")
    monkeypatch.setenv("CAM_PASSWORD", "s3cret")
    plaza = load_site(write(tmp_path, FULL))
    north, street, dock, gate = plaza.cameras
    assert isinstance(north, VideoCamera)
    assert north.video == str(tmp_path / "videos/north.mp4")
    assert north.calibration == tmp_path / "north.calibration.yaml"
    assert north.time_offset_ms == -12.5
    assert not north.is_url
    assert isinstance(street, VideoCamera)
    assert street.video == "rtsp://ann:s3cret@host/path"
    assert street.is_url
    assert isinstance(dock, DetectionsCamera)
    assert dock.detections == tmp_path / "dock.det.txt"
    assert dock.embeddings == Path("/abs/dock.npz")
    assert dock.image_size == (1920, 1080)
    assert isinstance(gate, TracksCamera)
    assert gate.tracks == tmp_path.parent / "gate.txt"
    assert gate.start == plaza.start == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert plaza.transitions == {"north": {"gate": (5, 40)}}
    assert plaza.storage.retention_days is None


def test_a_simulated_camera_is_described_beside_the_site(tmp_path: Path) -> None:
    text = "site: s\ncameras: [{id: a, simulation: sub/hall.yaml, calibration: a.yaml}]\n"
    camera = load_site(write(tmp_path, text)).cameras[0]
    assert isinstance(camera, SimulationCamera)
    assert camera.simulation == tmp_path / "sub/hall.yaml"
    assert camera.calibration == tmp_path / "a.yaml"
    assert isinstance(camera, PixelCamera)


def test_credentials_are_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAM_USER", "ann")
    monkeypatch.setenv("CAM_PASSWORD", "s3cret")
    text = FULL.replace("sqlite:///plaza.db", "postgresql+psycopg://bob:pa55@db/plaza?sslkey=k3y")
    record = redacted_json(load_site(write(tmp_path, text)))
    for secret in ("ann", "s3cret", "bob", "pa55", "k3y"):
        assert secret not in record
    tree = json.loads(record)
    assert tree["cameras"][1]["video"] == "rtsp://host/path"
    assert tree["storage"]["url"] == "postgresql+psycopg://db/plaza"
    assert tree["cameras"][0]["video"] == str(tmp_path / "videos/north.mp4")


def test_settings_cannot_change(tmp_path: Path) -> None:
    loaded = load(tmp_path, site())
    with pytest.raises(ValidationError, match="frozen"):
        loaded.site = "other"
    with pytest.raises(ValidationError, match="frozen"):
        loaded.detection.confidence = 0.5


def test_defaults_are_those_of_an_empty_section(tmp_path: Path) -> None:
    sections = ("detection", "tracking", "reid", "association", "storage", "transitions")
    assert load(tmp_path, site(**{name: {} for name in sections})) == load(tmp_path, site())


def test_weights_beside_the_file_are_found_and_names_stay_names(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").touch()
    (tmp_path / "bundled").mkdir()  # a folder of that name does not hide the bundled weights
    cases = {
        "bundled": "bundled",
        "bundled/mine.pt": "bundled/mine.pt",
        "./bundled/mine.pt": str(tmp_path / "bundled/mine.pt"),
        "yolo26n.pt": "yolo26n.pt",
        "mine.pt": str(tmp_path / "mine.pt"),
        "models/x.onnx": str(tmp_path / "models/x.onnx"),  # a path even where it is missing
        "/abs/x.onnx": "/abs/x.onnx",
    }
    for given_weights, expected in cases.items():
        section = {"weights": given_weights}
        loaded = load(tmp_path, site(detection=section | {"weights_dir": "w"}, reid=section))
        assert loaded.detection.weights == loaded.reid.weights == expected
        assert loaded.detection.weights_dir == tmp_path / "w"


def test_variables_are_replaced_in_every_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHERE", "hall")
    tree = site(camera(id="${WHERE}-1", video="${WHERE}/${WHERE}.mp4"), site="$WHERE {WHERE}")
    loaded = load(tmp_path, tree)
    assert loaded.cameras[0].id == "hall-1"
    assert loaded.cameras[0].video == str(tmp_path / "hall/hall.mp4")  # type: ignore[union-attr]
    assert loaded.site == "$WHERE {WHERE}"  # only ${NAME} is a variable


def test_a_replaced_value_is_not_replaced_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTER", "${INNER}")
    monkeypatch.delenv("INNER", raising=False)
    assert load(tmp_path, site(site="${OUTER}")).site == "${INNER}"


SECRET = "rtsp://ann:s3cret@host/x"
ERRORS: dict[str, Any] = {
    # keys
    "tracing: unknown key": site(tracing={}),
    "tracking.max_gap: unknown key": site(tracking={"max_gap": 1}),
    "cameras[0].frame_rte: unknown key": site(camera(frame_rte=25)),
    "cameras[1].embeddings: unknown key": site(camera(), camera(id="b", embeddings="e.npz")),
    "site: expected a value, got none": {"cameras": [camera()]},
    "cameras: expected a value, got none": {"site": "s"},
    "cameras[0].id: expected a value, got none": site({"video": "a.mp4"}),
    "cameras[0].frame_rate: expected a value, got none": site(
        {"id": "a", "tracks": "t.txt", "image_size": [1, 1]}
    ),
    # kinds of camera
    "cameras[0]: expected exactly one of video, simulation, detections, tracks": site({"id": "a"}),
    "cameras[1]: expected exactly one of video, simulation, detections, tracks": site(
        camera(), camera(id="b", tracks="t.txt")
    ),
    "cameras[2]: expected exactly one of video, simulation, detections, tracks": site(
        camera(), camera(id="b"), "c.mp4"
    ),
    # values
    "cameras[0]: video: expected a path, or an address of rtsp, rtsps, http, https, rtmp, rtmps,"
    " srt, udp, rtp, tcp, got ftp://": site(camera(video="ftp://ann:s3cret@host/x")),
    "cameras: input should be a valid tuple, got none": {"site": "s", "cameras": None},
    "cameras: input should be a valid tuple, got a mapping": {
        "site": "s",
        "cameras": {"id": "a", "video": SECRET},
    },
    "cameras: tuple should have at least 1 item after validation, not 0, got a list": {
        "site": "s",
        "cameras": [],
    },
    "cameras[0].video: input should be a valid string, got a list": site(camera(video=[SECRET])),
    "cameras[0].frame_rate: input should be a valid number, unable to parse string as a number,"
    " got rtsp://host/x": site(camera(frame_rate=SECRET)),
    "cameras[0].frame_rate: input should be greater than 0, got 0": site(camera(frame_rate=0)),
    "cameras[0].time_offset_ms: input should be a finite number, got nan": site(
        camera(time_offset_ms=float("nan"))
    ),
    "cameras[0].image_size[1]: input should be greater than or equal to 1, got 0": site(
        {"id": "a", "detections": "d.txt", "frame_rate": 25, "image_size": [1920, 0]}
    ),
    "cameras[0].start: input should have timezone info, got 2026-01-05 10:00:00": site(
        camera(start=datetime(2026, 1, 5, 10))
    ),
    "tracking.max_gap_seconds: input should be a finite number, got inf": site(
        tracking={"max_gap_seconds": float("inf")}
    ),
    "detection.image_size: input should be a multiple of 32, got 650": site(
        detection={"image_size": 650}
    ),
    "detection.confidence: input should be less than or equal to 1, got 1.5": site(
        detection={"confidence": 1.5}
    ),
    "transitions.a.b[1]: expected a value, got none": site(
        camera(), camera(id="b"), transitions={"a": {"b": [5]}}
    ),
    # what holds of several values
    "cameras: expected unique ids, got a twice": site(camera(), camera(video="b.mp4")),
    "transitions: expected the id of a camera, got roof": site(transitions={"a": {"roof": [1, 2]}}),
    "transitions: expected the id of a camera, got cellar": site(
        transitions={"cellar": {"a": [1, 2]}}
    ),
    "transitions.a.b: expected [min, max], got [40.0, 5.0]": site(
        camera(), camera(id="b"), transitions={"a": {"b": [40, 5]}}
    ),
    # variables
    "cameras[0].video: expected the environment variable NOT_SET_HERE to be set": site(
        camera(video="rtsp://${NOT_SET_HERE}@host/x")
    ),
}


@pytest.mark.parametrize("message", ERRORS)
def test_errors_name_file_and_key(message: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, ERRORS[message])
    assert str(caught.value) == f"{tmp_path / 'site.yaml'}: {message}"


@pytest.mark.parametrize("name", ["", "a b", "../a", "a/b", "-a", ".a", "a\n", "ä", "a" * 65])
def test_camera_ids_are_fit_for_file_names(name: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"site\.yaml: cameras\[0\]\.id: string should "):
        load(tmp_path, site(camera(id=name)))


@pytest.mark.parametrize("name", ["a", "0", "MOT17-02.x_1", "a" * 64])
def test_usual_camera_ids(name: str, tmp_path: Path) -> None:
    assert load(tmp_path, site(camera(id=name))).cameras[0].id == name


YAML_ERRORS = {
    " line 3 not valid YAML: the key a stands twice": "b: 1\na: 1\na: 2\n",
    " line 2 not valid YAML: the key x stands twice": "c:\n  - {x: 1, y: 2, x: 3}\n",
    " line 2 not valid YAML: mapping values are not allowed here": "a: 1\n b: 2\n",
    " line 1 not valid YAML: found unhashable key": "? [a]\n: b\n",
    " line 1 not valid YAML: found undefined alias 'b'": "a: *b\n",
    " line 1 not valid YAML: could not determine a constructor for the tag"
    " 'tag:yaml.org,2002:python/name:os.system'": "a: !!python/name:os.system\n",
    " not valid YAML: unacceptable character #x0007: special characters are not allowed": "a: \a\n",
}


@pytest.mark.parametrize("message", YAML_ERRORS)
def test_errors_of_yaml_name_the_line(message: str, tmp_path: Path) -> None:
    path = write(tmp_path, YAML_ERRORS[message])
    with pytest.raises(SettingsError) as caught:
        read_yaml(path)
    assert str(caught.value) == f"{path}:{message}"


def test_merged_keys_may_be_overridden(tmp_path: Path) -> None:
    text = """
rate: &rate {frame_rate: 25, image_size: [4, 3]}
outer:
  inner: &slow {<<: *rate, frame_rate: 5}
last: {<<: *slow, image_size: [8, 6]}
"""
    tree = read_yaml(write(tmp_path, text))
    assert tree["outer"]["inner"] == {"frame_rate": 5, "image_size": [4, 3]}
    assert tree["last"] == {"frame_rate": 5, "image_size": [8, 6]}


def test_files_that_are_no_yaml(tmp_path: Path) -> None:
    missing, binary = tmp_path / "missing.yaml", tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00")
    cases = {
        missing: "cannot be read: No such file or directory",
        tmp_path: "cannot be read: Is a directory",
        binary: "expected a YAML text file, got binary data",
    }
    for path, message in cases.items():
        with pytest.raises(SettingsError) as caught:
            load_site(path)
        assert str(caught.value) == f"{path}: {message}"


@pytest.mark.parametrize(("text", "got"), [("", "none"), ("- a\n", "a list"), ("plaza", "plaza")])
def test_a_file_that_holds_no_mapping(text: str, got: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SettingsError) as caught:
        load_site(path)
    assert str(caught.value) == (
        f"{path}: the file: input should be a valid dictionary or instance of Site, got {got}"
    )


REDACTED = [
    ("videos/a@b.mp4", "videos/a@b.mp4"),
    ("sqlite:///plaza.db", "sqlite:///plaza.db"),
    ("rtsp://host/x", "rtsp://host/x"),
    ("rtsp://host:554/x", "rtsp://host:554/x"),
    ("rtsp://[::1]:554/x", "rtsp://[::1]:554/x"),
    ("rtsp://host/cam@2", "rtsp://host/cam@2"),
    ("rtsp://ann@host/x", "rtsp://host/x"),
    ("rtsp://ann:pw@host:554/x", "rtsp://host:554/x"),
    ("rtsp://ann:p@w@host/x", "rtsp://host/x"),
    ("rtsp://ann:p/w@host/x", "rtsp://host/x"),
    ("rtsp://ann:p?w@host/x", "rtsp://host/x"),
    ("rtsp://ann:p#w@host/x", "rtsp://host/x"),
    ("rtsp://ann:pw@[::1]/x", "rtsp://[::1]/x"),
    ("https://host/x?token=pw", "https://host/x"),
    ("https://host/x#pw", "https://host/x"),
    ("rtsp://[broken", "rtsp://[broken"),
]


@pytest.mark.parametrize(("url", "expected"), REDACTED)
def test_hand_worked_redaction(url: str, expected: str) -> None:
    assert redact(url) == expected


@given(
    user=st.text("abc:", min_size=1, max_size=5),
    password=st.text(st.sampled_from("QXZ:@/?#[]%&= "), min_size=3, max_size=12).filter(
        lambda text: sum(letter in text for letter in "QXZ") >= 1
    ),
)
def test_no_password_survives(user: str, password: str) -> None:
    assert redact(f"rtsp://{user}:{password}@host/path") == "rtsp://host/path"


def test_the_schema_names_every_setting() -> None:
    tree = json.loads(site_schema())
    assert set(tree["required"]) == {"site", "cameras"}
    assert tree["additionalProperties"] is False
    described = [
        (name, key)
        for name, definition in tree["$defs"].items()
        for key, value in definition["properties"].items()
        if "description" not in value
    ]
    assert described == []  # every key of every section says what it is for
