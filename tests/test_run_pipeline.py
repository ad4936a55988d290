"""The whole application as a user starts it, on videos that the test makes."""

import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from commands.association import Association

ROOT = Path(__file__).resolve().parents[1]
Film = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

RED, BLUE, GREEN = (20, 20, 255), (255, 20, 20), (20, 255, 20)
HOUR = ("--from", "2026-01-05T10:00:00Z", "--to", "2026-01-05T11:00:00Z")
PASSAGE = 60  # frames a person takes through a view


def _walk(start: int, y: int, reverse: bool = False) -> Callable[[int], tuple[int, int] | None]:
    """Through the view from left to right (or back) in `PASSAGE` frames from `start`."""

    def place(index: int) -> tuple[int, int] | None:
        step = index - start
        if not 0 <= step < PASSAGE:
            return None
        x = 8 * step + 40
        return (560 - x if reverse else x), y

    return place


def _write_site(folder: Path, cameras: list[dict[str, object]], **sections: object) -> Path:
    path = folder / "site.yaml"
    tree = {"site": "plaza", "start": "2026-01-05T10:00:00Z", "cameras": cameras, **sections}
    path.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return path


def _models(detector: Path, encoder: Path) -> dict[str, object]:
    return {
        "detection": {"weights": str(detector), "confidence": 0.3},
        "reid": {"weights": str(encoder)},
        "association": {"similarity_threshold": 0.8},
    }


@pytest.fixture(scope="module")
def plaza(
    tmp_path_factory: pytest.TempPathFactory, film: Film, toy_detector: Path, toy_encoder: Path
) -> Path:
    """Two cameras; red and blue walk through both, green through the second only."""
    folder = tmp_path_factory.mktemp("plaza")
    north = [(RED, _walk(0, 32)), (BLUE, _walk(10, 224, reverse=True))]
    gate = [(BLUE, _walk(20, 96)), (RED, _walk(90, 96)), (GREEN, _walk(60, 240, reverse=True))]
    film(folder / "north.mp4", north, 75)
    film(folder / "gate.mp4", gate, 155)
    cameras = [{"id": name, "video": f"{name}.mp4"} for name in ("north", "gate")]
    _write_site(folder, cameras, **_models(toy_detector, toy_encoder))
    return folder


@pytest.fixture(scope="module")
def stored(plaza: Path, pipeline: Run) -> Path:
    """The folder after one run into `a.db`."""
    result = pipeline("run", "site.yaml", "--database", "sqlite:///a.db", "--json", folder=plaza)
    assert result.returncode == 0, result.stderr
    (plaza / "report.json").write_text(result.stdout, encoding="utf-8")
    return plaza


def _query(pipeline: Run, folder: Path, *arguments: str) -> dict[str, object]:
    result = pipeline("query", *arguments, "--database", "sqlite:///a.db", "--json", folder=folder)
    assert result.returncode == 0, result.stderr
    tree = json.loads(result.stdout)
    assert isinstance(tree, dict)
    return tree


def test_people_are_reunited(stored: Path, pipeline: Run) -> None:
    report = json.loads((stored / "report.json").read_text(encoding="utf-8"))
    assert (report["status"], report["tracklets"], report["identities"]) == ("finished", 5, 3)
    assert report["cameras"]["gate"]["frames"] == 155
    people = _query(pipeline, stored, "identities")["identities"]
    assert isinstance(people, list)
    ways = sorted(tuple(person["cameras"]) for person in people)
    assert ways == [("gate",), ("north", "gate"), ("north", "gate")]


def test_things_are_asked_for_by_themselves(stored: Path, pipeline: Run, tmp_path: Path) -> None:
    shutil.copy(stored / "a.db", tmp_path / "a.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        query = "SELECT id FROM identity WHERE number = 2"
        connection.execute(f"UPDATE link SET method = 'unsupported' WHERE identity_id = ({query})")
    for arguments, expected in (((), [1, 3]), (("--things",), [2])):
        rows = _query(pipeline, tmp_path, "identities", *arguments)["identities"]
        assert isinstance(rows, list)
        assert [row["identity"] for row in rows] == expected


def test_what_is_left_out_is_told() -> None:
    assert Association(tracklets=9, identities=3, things=()).warnings == ()
    (words,) = Association(tracklets=9, identities=3, things=(4, 7)).warnings
    assert "identities 4, 7" in words and "--things" in words


def test_trajectory_tells_when_and_where(stored: Path, pipeline: Run) -> None:
    """Red is first seen, so identity 1: 2.4 s through the north, then the gate from 3.6 s."""
    passages = _query(pipeline, stored, "trajectory", "1")["passages"]
    assert isinstance(passages, list)
    assert [passage["camera"] for passage in passages] == ["north", "gate"]
    start_us = 1_767_607_200_000_000
    assert [p["enter_us"] - start_us for p in passages] == [0, 3_600_000]
    assert passages[0]["leave"] == "2026-01-05T10:00:02.360000Z"


def test_presence_and_why(stored: Path, pipeline: Run) -> None:
    times = ("--from", "2026-01-05T10:00:05Z", "--to", "2026-01-05T10:00:06Z")
    passages = _query(pipeline, stored, "presence", "gate", *times)["passages"]
    assert isinstance(passages, list)
    assert [passage["identity"] for passage in passages] == [1]
    explanation = _query(pipeline, stored, "why", str(passages[0]["tracklet"]))
    assert explanation["identity"] == 1
    pairs = explanation["pairs"]
    assert isinstance(pairs, list)
    assert pairs[0]["same_identity"]
    assert pairs[0]["tracklet"].startswith("north/")
    assert pairs[0]["similarity"] > 0.95
    assert all(not pair["same_identity"] for pair in pairs[1:])


def test_tables_are_readable_without_json(stored: Path, pipeline: Run) -> None:
    for arguments, expected in (
        (["identities"], "north > gate"),
        (["trajectory", "1"], "2026-01-05T10:00:03.600000Z"),
        (["why", "north/1"], "is identity 1 of run 1"),
    ):
        result = pipeline("query", *arguments, "--database", "sqlite:///a.db", folder=stored)
        assert result.returncode == 0, result.stderr
        assert expected in result.stdout


def test_two_runs_give_the_same_bytes(stored: Path, pipeline: Run) -> None:
    """Into the same database and into another; the older run is not touched."""
    before = _dump(stored / "a.db", run=1)
    for database in ("a.db", "b.db"):
        result = pipeline("run", "site.yaml", "--database", f"sqlite:///{database}", folder=stored)
        assert result.returncode == 0, result.stderr
    assert _dump(stored / "a.db", run=1) == before
    exports = []
    for database, run in (("a.db", "1"), ("a.db", "2"), ("b.db", "1")):
        for kind, output in (("csv", "out.csv"), ("mot", "out")):
            options = ["--format", kind, "--output", output, "--run", run]
            url = f"sqlite:///{database}"
            result = pipeline("export", *options, "--database", url, folder=stored)
            assert result.returncode == 0, result.stderr
        files = [stored / "out.csv", stored / "out/north.txt", stored / "out/gate.txt"]
        exports.append([file.read_bytes() for file in files])
    assert exports[0] == exports[1] == exports[2]
    assert exports[0][1].startswith(b"1,1,40.")


def _dump(path: Path, run: int) -> list[tuple[object, ...]]:
    """All that a run holds."""
    with sqlite3.connect(path) as connection:
        tracklets = connection.execute("SELECT * FROM tracklet WHERE run_id = ?", [run]).fetchall()
        points = connection.execute(
            "SELECT * FROM track_point WHERE tracklet_id IN"
            " (SELECT id FROM tracklet WHERE run_id = ?)",
            [run],
        ).fetchall()
        links = connection.execute(
            "SELECT link.* FROM link JOIN identity ON identity.id = identity_id WHERE run_id = ?",
            [run],
        ).fetchall()
    connection.close()
    assert tracklets
    return [*tracklets, *points, *links]


def test_evaluation_against_the_truth(stored: Path, pipeline: Run) -> None:
    truth = stored / "truth"
    truth.mkdir(exist_ok=True)
    ways = {
        "north": [(1, _walk(0, 32)), (2, _walk(10, 224, reverse=True))],
        "gate": [(2, _walk(20, 96)), (1, _walk(90, 96)), (3, _walk(60, 240, reverse=True))],
    }
    for camera, people in ways.items():
        rows = [
            f"{frame + 1},{number},{corner[0]},{corner[1]},64,128,1,-1,-1,-1\n"
            for number, place in people
            for frame in range(160)
            if (corner := place(frame)) is not None
        ]
        (truth / f"{camera}.txt").write_text("".join(rows), encoding="utf-8")
    options = ["--ground-truth", "truth", "--database", "sqlite:///a.db", "--run", "1"]
    result = pipeline("evaluate", *options, "--json", folder=stored)
    assert result.returncode == 0, result.stderr
    scores = json.loads(result.stdout)
    assert list(scores) == ["multi_camera", "per_camera", "tracklets"]
    assert {camera["purity"] for camera in scores["tracklets"].values()} == {100.0}
    assert scores["multi_camera"]["IDF1"] > 99
    assert scores["multi_camera"]["IDSW"] == 0
    assert "all cameras" in pipeline("evaluate", *options, folder=stored).stdout


def test_pictures_are_made(stored: Path, pipeline: Run) -> None:
    options = ["--output", "pictures", "--database", "sqlite:///a.db", "--run", "1"]
    result = pipeline("render", "site.yaml", *options, folder=stored)
    assert result.returncode == 0, result.stderr
    made = sorted(path.name for path in (stored / "pictures").iterdir())
    sheets = [f"identity-000{number}.jpg" for number in (1, 2, 3)]
    assert made == ["gate.mp4", *sheets, "mosaic.mp4", "north.mp4", "timeline.png"]
    with av.open(str(stored / "pictures/gate.mp4")) as video:
        frames = list(video.decode(video=0))
    assert len(frames) == 155
    assert frames[100].time == pytest.approx(4.0, abs=1e-3)
    # A box is drawn around red where it stands in the hundredth frame (step 10: x = 120).
    picture = frames[100].to_ndarray(format="bgr24").astype(int)
    border = picture[150, 118:123]
    assert (np.ptp(border, axis=1).max() > 60) and tuple(picture[10, 10]) < (40, 40, 40)


def test_what_can_be_read_of_a_damaged_camera_is_drawn(
    plaza: Path, pipeline: Run, tmp_path: Path, film: Film, toy_detector: Path, toy_encoder: Path
) -> None:
    whole = film(tmp_path / "whole.mkv", [(GREEN, _walk(0, 48))], 60).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    videos = {"absent": "absent.mp4", "cut": "cut.mkv", "north": str(plaza / "north.mp4")}
    cameras = [{"id": name, "video": video} for name, video in videos.items()]
    site = _write_site(tmp_path, cameras, **_models(toy_detector, toy_encoder))
    pipeline("run", site.name, folder=tmp_path)
    result = pipeline("render", site.name, "--output", "pictures", folder=tmp_path)
    assert result.returncode == 2
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert [name in line for name, line in zip(["absent", "cut"], errors, strict=True)] == [
        True
    ] * 2
    made = {path.name for path in (tmp_path / "pictures").glob("*.mp4")}
    assert made == {"cut.mp4", "north.mp4", "mosaic.mp4"}
    with av.open(str(tmp_path / "pictures/mosaic.mp4")) as video:
        assert len(list(video.decode(video=0))) == 75


def test_thumbnails_only_where_allowed(
    plaza: Path, pipeline: Run, tmp_path: Path, toy_detector: Path, toy_encoder: Path
) -> None:
    cameras = [{"id": "north", "video": str(plaza / "north.mp4")}]
    models = _models(toy_detector, toy_encoder)
    site = _write_site(tmp_path, cameras, **models, storage={"thumbnails": False})
    result = pipeline("run", site.name, "--database", "sqlite:///a.db", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    with sqlite3.connect(tmp_path / "a.db") as connection:
        count = connection.execute("SELECT count(*) FROM thumbnail").fetchone()
        kept = connection.execute("SELECT count(*) FROM tracklet").fetchone()
    connection.close()
    assert (count, kept) == ((0,), (2,))


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ("missing.mp4", "missing.mp4"),
        ("empty.mp4", "empty.mp4"),
        ("audio.m4a", "audio.m4a"),
        ("cut.mp4", "cut.mp4"),
    ],
)
def test_a_broken_camera_is_named_and_the_others_finish(
    plaza: Path,
    pipeline: Run,
    tmp_path: Path,
    film: Film,
    toy_detector: Path,
    toy_encoder: Path,
    broken: str,
    expected: str,
) -> None:
    if broken == "empty.mp4":
        (tmp_path / broken).touch()
    elif broken == "audio.m4a":
        _write_audio(tmp_path / broken)
    elif broken == "cut.mp4":
        whole = film(tmp_path / "whole.mkv", [(GREEN, _walk(0, 48))], 60).read_bytes()
        (tmp_path / broken).write_bytes(whole[: len(whole) // 2])
    cameras = [
        {"id": "broken", "video": broken},
        {"id": "north", "video": str(plaza / "north.mp4")},
    ]
    site = _write_site(tmp_path, cameras, **_models(toy_detector, toy_encoder))
    result = pipeline("run", site.name, "--database", "sqlite:///a.db", "--json", folder=tmp_path)
    assert result.returncode == 2
    lines = result.stderr.strip().splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert expected in lines[0]
    assert "secret" not in result.stdout + result.stderr
    assert b"secret" not in (tmp_path / "a.db").read_bytes()
    report = json.loads(result.stdout)
    assert report["status"] == "failed"
    assert report["cameras"]["broken"]["state"] == "failed"
    assert report["cameras"]["north"] == {
        "state": "ended",
        "frames": 75,
        "tracklets": 2,
        "message": "",
    }
    assert report["identities"] >= 2


def _write_audio(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44_100)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 44_100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_malformed_row_is_named_and_the_other_camera_finishes(
    pipeline: Run, tmp_path: Path
) -> None:
    good = "".join(f"{frame},-1,{10 + frame},20,30,60,0.9\n" for frame in range(1, 20))
    (tmp_path / "good.txt").write_text(good, encoding="utf-8")
    (tmp_path / "bad.txt").write_text(good + "20,-1,ten,20,30,60,0.9\n", encoding="utf-8")
    cameras = [
        {"id": name, "detections": f"{name}.txt", "frame_rate": 10, "image_size": [640, 480]}
        for name in ("good", "bad")
    ]
    site = _write_site(tmp_path, cameras)
    result = pipeline("run", site.name, folder=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert "bad.txt: row 20" in line
    assert (tmp_path / "tracking.db").exists()
    people = pipeline("query", "identities", folder=tmp_path)
    assert "run 1: 1 identities" in people.stdout


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"detection": {"confidense": 0.5}}, "detection.confidense: unknown key"),
        ({"detection": {"weights": "gone/no.pt"}}, "no.pt: no such file"),
        ({"reid": {"weights": "gone.xml"}}, "gone.xml: no such file"),
        ({"storage": {"url": "sqlite:///no/such/folder/x.db"}}, "no such folder"),
        ({"storage": {"url": "oracle://me:secret@host/x"}}, "oracle://host/x: expected sqlite:///"),
    ],
)
def test_nothing_starts_without_its_needs(
    plaza: Path,
    pipeline: Run,
    tmp_path: Path,
    toy_detector: Path,
    toy_encoder: Path,
    change: dict[str, object],
    expected: str,
) -> None:
    cameras = [{"id": "north", "video": str(plaza / "north.mp4")}]
    site = _write_site(tmp_path, cameras, **(_models(toy_detector, toy_encoder) | change))
    result = pipeline("run", site.name, folder=tmp_path)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert expected in line
    assert "secret" not in line
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["query", "identities"], "tracking.db: no such file"),
        (["query", "trajectory", "99", "--database", "sqlite:///a.db"], "no identity 99"),
        (["query", "why", "north/99", "--database", "sqlite:///a.db"], "no tracklet north/99"),
        (["query", "why", "north", "--database", "sqlite:///a.db"], "expected a tracklet such as"),
        (["query", "identities", "--run", "9", "--database", "sqlite:///a.db"], "no run 9"),
        (
            ["query", "presence", "attic", *HOUR, "--database", "sqlite:///a.db"],
            "no camera attic; it has north, gate",
        ),
        (
            ["query", "presence", "gate", "--from", "yesterday", "--to", "2026-01-05T11:00:00Z"],
            "--from:",
        ),
        (["evaluate", "--ground-truth", "nowhere", "--database", "sqlite:///a.db"], "nowhere"),
        (["run", "absent.yaml"], "absent.yaml"),
    ],
)
def test_wrong_questions_get_one_line(
    stored: Path, pipeline: Run, arguments: list[str], expected: str
) -> None:
    result = pipeline(*arguments, folder=stored)
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert expected in line
    assert not (stored / "tracking.db").exists()


LONG = 600


@pytest.fixture
def long_site(
    tmp_path: Path, film: Film, toy_detector: Path, toy_encoder: Path
) -> Callable[[], subprocess.Popen[str]]:
    """Starts a run over six passages, in a process of its own, and waits until one is stored."""
    film(tmp_path / "long.mp4", [(RED, lambda i: _walk(i - i % 100, 48)(i))], LONG)
    models = _models(toy_detector, toy_encoder)
    _write_site(tmp_path, [{"id": "hall", "video": "long.mp4"}], **models)

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "site.yaml"]
        # A shell's background job ignores Ctrl-C, and its children inherit that.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        process = subprocess.Popen(
            command, cwd=tmp_path, text=True, stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        deadline = time.monotonic() + 120
        while _count(tmp_path / "tracking.db", "tracklet") < 1:
            assert time.monotonic() < deadline, "nothing was stored"
            assert process.poll() is None, "ended before it could be stopped"
            time.sleep(0.02)
        return process

    return start


def _count(path: Path, table: str) -> int:
    """Rows of a table; 0 while there is no such table."""
    if not path.exists():
        return 0
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_in_mid_run_and_resumed(
    how: signal.Signals,
    long_site: Callable[[], subprocess.Popen[str]],
    pipeline: Run,
    tmp_path: Path,
) -> None:
    """What was committed is there and whole; the resumed run ends as one that was not stopped."""
    process = long_site()
    before = _count(tmp_path / "tracking.db", "tracklet")
    process.send_signal(how)
    process.communicate(timeout=120)
    assert process.returncode == (-9 if how == signal.SIGKILL else 130)
    connection = sqlite3.connect(tmp_path / "tracking.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    half = connection.execute(
        "SELECT count(*) FROM tracklet WHERE boxes !="
        " (SELECT count(*) FROM track_point WHERE tracklet_id = tracklet.id)"
    ).fetchone()
    connection.close()
    assert half == (0,)
    assert before <= _count(tmp_path / "tracking.db", "tracklet") < LONG // 100
    if how != signal.SIGKILL:
        assert "run 1: 1 identities" in pipeline("query", "identities", folder=tmp_path).stdout
    resumed = pipeline("run", "site.yaml", "--resume", "--json", folder=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    report = json.loads(resumed.stdout)
    assert (report["run"], report["status"]) == (1, "finished")
    assert report["tracklets"] == LONG // 100
    whole = pipeline("run", "site.yaml", "--database", "sqlite:///whole.db", folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    for database in ("tracking.db", "whole.db"):
        options = ["--format", "csv", "--output", f"{database}.csv"]
        pipeline("export", *options, "--database", f"sqlite:///{database}", folder=tmp_path)
    exported = [(tmp_path / f"{name}.csv").read_bytes() for name in ("tracking.db", "whole.db")]
    assert exported[0] == exported[1]


def test_another_process_gives_the_same_bytes(stored: Path, pipeline: Run) -> None:
    """A fresh interpreter, with other hash seeds and thread timings."""
    command = [sys.executable, str(ROOT / "run_pipeline.py"), "run", "site.yaml"]
    subprocess.run(
        [*command, "--database", "sqlite:///c.db"], cwd=stored, check=True, capture_output=True
    )
    for database in ("a.db", "c.db"):
        options = ["--format", "csv", "--output", f"{database}.csv", "--run", "1"]
        pipeline("export", *options, "--database", f"sqlite:///{database}", folder=stored)
    assert (stored / "a.db.csv").read_bytes() == (stored / "c.db.csv").read_bytes()
