"""Which run `--resume` goes on with."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.config import load_site, redacted_json
from run_pipeline import app
from storage.store import CameraRecord, RunRecord, open_store

SITE = """\
site: plaza
start: 2026-01-05T10:00:00Z
cameras: [{id: gate, tracks: gate.txt, frame_rate: 10, image_size: [640, 360]}]
"""


@pytest.mark.parametrize(
    ("setting", "run"),
    [("thumbnails", 1), ("retention_days", 2)],
    ids=["did not know a setting", "had another one"],
)
def test_a_run_of_an_earlier_version(setting: str, run: int, tmp_path: Path) -> None:
    """What it did not know was as it is by default."""
    config, url = tmp_path / "site.yaml", f"sqlite:///{tmp_path / 'tracking.db'}"
    config.write_text(SITE)
    (tmp_path / "gate.txt").write_text("1,1,10,20,30,80,0.9\n2,1,10,20,30,80,0.9\n")
    settings = json.loads(redacted_json(load_site(config)))
    if run == 1:
        del settings["storage"][setting]
    else:
        settings["storage"][setting] = 3
    with open_store(url, create=True) as store:
        cameras = (CameraRecord("gate", "gate.txt", False),)
        store.begin_run(RunRecord("plaza", json.dumps(settings), "none", cameras, 0))
    words = ("run", str(config), "--database", url, "--resume", "--json")
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["run"] == run
