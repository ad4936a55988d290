"""The weights of the repository: listed, described, small, and enough to run without a network."""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

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


@pytest.fixture
def air_gapped(tmp_path: Path) -> dict[str, str]:
    """Environment of a new user, in which every Python is refused the network, and put down."""
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    homes = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "YOLO_CONFIG_DIR"), str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return os.environ | homes | {"PYTHONPATH": str(tmp_path)}


def test_a_copy_of_the_repository_runs_without_a_network(
    air_gapped: dict[str, str], tmp_path: Path
) -> None:
    """Detector, its export and encoder, all by default; nobody so much as asks for an address."""
    copy = tmp_path / "repository"
    unkept = shutil.ignore_patterns("__pycache__", "*.exports")
    for name in ("cameras", "commands", "pipeline", "storage", "weights"):
        shutil.copytree(ROOT / name, copy / name, ignore=unkept)
    shutil.copy(ROOT / "run_pipeline.py", copy)
    shutil.copy(ROOT / "demo/videos/court.mp4", tmp_path)
    (tmp_path / "site.yaml").write_text(SITE, encoding="utf-8")
    program = [sys.executable, str(copy / "run_pipeline.py"), "run", "site.yaml", "--json"]
    done = subprocess.run(program, cwd=tmp_path, env=air_gapped, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["cameras"]["court"]["frames"] == 150
    assert report["identities"] > 0
    with sqlite3.connect(tmp_path / "tracking.db") as database:
        (detector,) = database.execute("SELECT detector FROM run").fetchone()
        (encoder,) = database.execute("SELECT name FROM encoder").fetchone()
    database.close()
    assert detector.startswith(f"{DEFAULTS['detection']} (")
    assert encoder == f"bundled/{Path(DEFAULTS['reid']).stem}"
    assert not (tmp_path / "asked").exists()


def test_the_network_would_have_been_refused(air_gapped: dict[str, str], tmp_path: Path) -> None:
    program = "import socket; socket.create_connection(('127.0.0.1', 9))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=air_gapped, capture_output=True, text=True
    )
    assert "OSError: no network" in done.stderr
    assert (tmp_path / "asked").read_text(encoding="utf-8").startswith("socket.")
