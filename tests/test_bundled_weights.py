"""The weights of the repository: listed, described, small, and enough to run without a network."""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from pipeline.bundled import DEFAULTS, FOLDER, SUMS

ROOT = FOLDER.parent

MOST_BYTES = 25_000_000
SECTIONS = ["Data", "Recipe", "Command", "Results", "Known failures", "Licence"]
FILES = sorted(p for p in FOLDER.iterdir() if p.is_file() and p.name != SUMS and p.suffix != ".md")
of_each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def test_the_list_is_that_of_sha256sum() -> None:
    rows = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in FILES]
    assert (FOLDER / SUMS).read_text(encoding="utf-8") == "".join(rows), "run `make weights`"


def test_what_a_site_runs_with_by_default_is_there() -> None:
    assert set(DEFAULTS.values()) <= {path.name for path in FILES}


def test_they_are_small() -> None:
    assert sum(path.stat().st_size for path in FILES) <= MOST_BYTES


@of_each_file
def test_only_what_opens_without_running_code(path: Path) -> None:
    assert path.suffix in (".pt", ".safetensors")


@of_each_file
def test_each_has_a_card_with_every_section_filled(path: Path) -> None:
    card = path.with_suffix(".md").read_text(encoding="utf-8")
    title, *sections = re.split(r"^## ", card, flags=re.MULTILINE)
    assert title.startswith(f"# {path.name}\n")
    assert [section.partition("\n")[0] for section in sections] == SECTIONS
    assert all(section.partition("\n")[2].strip() for section in sections)


def test_no_card_is_of_a_file_that_is_gone() -> None:
    cards = {path.stem for path in FOLDER.glob("*.md")} - {"README"}
    assert cards == {path.stem for path in FILES}


NO_NETWORK = """
import sys
from pathlib import Path

def refuse(event, arguments):
    by_name = event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")
    by_address = event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple)
    if by_name or by_address:
        with Path(__file__).with_name("asked").open("a") as asked:
            asked.write(f"{event} {arguments}\\n")
        raise OSError("no network")

sys.addaudithook(refuse)
"""
SITE = """
site: air-gapped
start: 2026-01-05T10:00:00Z
cameras: [{id: court, video: court.mp4}]
detection: {rate_hz: 2}
"""


def air_gapped(folder: Path) -> dict[str, str]:
    """Environment of a new user, in which every Python is refused the network, and put down."""
    (folder / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "YOLO_CONFIG_DIR"), str(folder / "home"))
    (folder / "home").mkdir()
    return os.environ | homes | {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a new user who has run a camera with a copy of the repository; see report.json."""
    folder = tmp_path_factory.mktemp("new-user")
    copy = folder / "repository"
    unkept = shutil.ignore_patterns("__pycache__", "*.exports")
    for name in ("cameras", "commands", "pipeline", "storage", "weights"):
        shutil.copytree(ROOT / name, copy / name, ignore=unkept)
    shutil.copy(ROOT / "run_pipeline.py", copy)
    shutil.copy(ROOT / "demo/videos/court.mp4", folder)
    (folder / "site.yaml").write_text(SITE, encoding="utf-8")
    program = [sys.executable, str(copy / "run_pipeline.py"), "run", "site.yaml", "--json"]
    environment = air_gapped(folder)
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder / "report.json").write_text(done.stdout, encoding="utf-8")
    return folder


def test_a_copy_of_the_repository_runs_without_a_network(copied: Path) -> None:
    """Detector, its export and encoder, all by default; nobody so much as asks for an address."""
    report = json.loads((copied / "report.json").read_text(encoding="utf-8"))
    assert report["cameras"]["court"]["frames"] == 150
    assert report["identities"] > 0
    with sqlite3.connect(copied / "tracking.db") as database:
        (detector,) = database.execute("SELECT detector FROM run").fetchone()
        (encoder,) = database.execute("SELECT name FROM encoder").fetchone()
    database.close()
    assert detector.startswith(f"{DEFAULTS['detection']} (")
    assert encoder == f"bundled/{Path(DEFAULTS['reid']).stem}"
    assert not (copied / "asked").exists()


def test_the_network_would_have_been_refused(tmp_path: Path) -> None:
    program = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=air_gapped(tmp_path), capture_output=True, text=True
    )
    assert "OSError: no network" in done.stderr
    assert (tmp_path / "asked").read_text(encoding="utf-8").startswith("socket.")


Look = Callable[[str, int, int], list[dict[str, Any]]]
CUT = {"court": {4: 318, 10: 180, 14: 674}, "garden": {3: 661, 4: 611, 12: 327, 14: 399}}
"""Frames, counted from 0, in which people of the court are well to be seen, by their numbers."""
ELSEWHERE = {7: 134, 9: 288}
"""The same of people in the garden who never come to the court."""


@pytest.fixture(scope="module")
def look(copied: Path, pipeline: Callable[..., subprocess.CompletedProcess[str]]) -> Look:
    """Cuts a person out of a frame of a camera, and searches the court for the picture."""

    def look(camera: str, person: int, frame: int) -> list[dict[str, Any]]:
        cv2.imwrite(str(copied / "person.png"), cut(camera, person, frame))
        done = pipeline("query", "search", "person.png", "--json", folder=copied)
        assert done.returncode == 0, done.stderr
        hits: list[dict[str, Any]] = json.loads(done.stdout)["hits"]
        return hits

    return look


def cut(camera: str, person: int, frame: int) -> np.ndarray:
    """A person's box in the picture of a frame, by the ground truth."""
    with av.open(str(ROOT / f"demo/videos/{camera}.mp4")) as video:
        picture = next(islice(video.decode(video=0), frame, None)).to_ndarray(format="bgr24")
    x, y, width, height = truth(camera)[frame, person].astype(int)
    return np.asarray(picture[max(y, 0) : y + height, max(x, 0) : x + width])


@cache
def truth(camera: str) -> dict[tuple[int, int], np.ndarray]:
    """Left, top, width and height by frame, counted from 0, and person."""
    rows = np.loadtxt(ROOT / f"demo/ground_truth/{camera}.txt", delimiter=",")
    return {(int(row[0]) - 1, int(row[1])): row[2:6] for row in rows}


def shown_in(folder: Path, tracklet: str) -> int:
    """Who is in a tracklet of the court, by most of its boxes."""
    of_it = (
        "SELECT frame_index, x1, y1, x2, y2 FROM track_point"
        " WHERE tracklet_id = (SELECT id FROM tracklet WHERE track_id = ? AND part = ?)"
    )
    track, _, part = tracklet.removeprefix("court/").partition(".")
    with sqlite3.connect(folder / "tracking.db") as database:
        boxes = database.execute(of_it, (int(track), int(part or 1))).fetchall()
    database.close()
    near: Counter[int] = Counter()
    for frame, x1, y1, x2, y2 in boxes:
        middle = np.array([x1 + x2, y1 + y2]) / 20
        people = {p: row for (f, p), row in truth("court").items() if f == frame}
        offsets = {p: np.abs(r[:2] + r[2:] / 2 - middle).max() for p, r in people.items()}
        near[min(offsets, key=lambda p: offsets[p])] += 1
    return near.most_common(1)[0][0]


@pytest.mark.parametrize("camera", CUT)
def test_who_is_in_a_picture_is_found(look: Look, copied: Path, camera: str) -> None:
    """By the bundled encoder; also in a picture of a camera that the run knows nothing of."""
    for person, frame in CUT[camera].items():
        first = look(camera, person, frame)[0]
        assert shown_in(copied, first["tracklets"][0]["tracklet"]) == person
        assert first["probability"] > 0.9


def test_who_was_never_there_is_not_likely_to_be_anybody(look: Look) -> None:
    for person, frame in ELSEWHERE.items():
        assert look("garden", person, frame)[0]["probability"] < 0.5
