"""`doctor`: what this machine has, and what is wrong with it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from storage.store import open_store

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_a_machine_that_has_all(pipeline: Run, tmp_path: Path) -> None:
    result = pipeline("doctor", "--json", folder=tmp_path)
    assert result.returncode == 0, result.stdout
    found = {each["what"]: each for each in json.loads(result.stdout)["findings"]}
    assert found["database"]["words"] == "tracking.db: none yet, will be made"
    assert found["detector"]["words"].endswith("weights/person-nano.pt")
    assert found["python"]["words"].startswith("3.")
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_named(pipeline: Run, tmp_path: Path) -> None:
    tree = {
        "site": "plaza",
        "cameras": [{"id": "yard", "video": "rtsp://192.0.2.7/live"}],
        "detection": {"weights": "models/none.pt", "device": "cuda:7"},
        "storage": {"url": "sqlite:///other.db"},
    }
    (tmp_path / "site.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    (tmp_path / "other.db").write_bytes(b"no database at all, but bytes")
    result = pipeline("doctor", "site.yaml", "--json", folder=tmp_path)
    assert result.returncode == 2
    findings = json.loads(result.stdout)["findings"]
    wrong = {each["what"]: each["words"] for each in findings if not each["works"]}
    assert set(wrong) == {"device", "detector", "database"}
    assert "none.pt: expected a file, found none" in wrong["detector"]


def test_a_table_without_json(pipeline: Run, tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path / 'tracking.db'}", create=True).engine.dispose()
    result = pipeline("doctor", folder=tmp_path)
    assert "sqlite:///tracking.db" in result.stdout
    assert "WRONG" not in result.stdout


def test_a_folder_that_cannot_be_written_to(
    pipeline: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commands.doctor.os.access", lambda *_: False)
    result = pipeline("doctor", "--database", "sqlite:///far/a.db", folder=tmp_path)
    assert result.returncode == 2
    assert "far/a.db: cannot be made" in result.stdout
