"""A site with trained encoders, as a user meets it: run, another encoder, resume, reembed."""

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from commands import edited, reembed
from pipeline.reid.settings import EncoderSettings
from pipeline.reid.video_encoder import VideoEncoder
from pipeline.reid.weights import save_encoder, weights_hash

Film = Callable[..., Path]
Run = Callable[..., subprocess.CompletedProcess[str]]

RED, BLUE = (20, 20, 255), (255, 20, 20)
PEOPLE = [(RED, lambda i: (40 + 8 * i, 32)), (BLUE, lambda i: (520 - 8 * i, 224))]
FRAMES = 40
ROW = "{frame},-1,{left},20,30,60,0.9\n"


def write_weights(path: Path, seed: int) -> str:
    """An encoder with weights of its own; the hash of its file."""
    torch.manual_seed(seed)
    settings = EncoderSettings(
        backbone="mobilenetv4_conv_small_050", dimension=16, height_px=64, width_px=32
    )
    save_encoder(path, VideoEncoder(settings))
    return weights_hash(path)


def write_site(folder: Path, detector: Path, **sections: object) -> None:
    """A camera of pixels, and one whose rows were recorded with embeddings."""
    recorded = {"id": "dock", "detections": "dock.txt", "embeddings": "dock.npz"}
    tree = {
        "site": "plaza",
        "start": "2026-01-05T10:00:00Z",
        "cameras": [
            {"id": "north", "video": "north.mp4"},
            recorded | {"frame_rate": 10, "image_size": [640, 480]},
        ],
        "detection": {"weights": str(detector), "confidence": 0.3, "device": "cpu"},
        "reid": {"weights": "street.safetensors"},
        **sections,
    }
    (folder / "site.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Exports are made once for all tests."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder / "multi-camera-person-tracking"


@pytest.fixture(scope="module")
def stored(
    tmp_path_factory: pytest.TempPathFactory,
    film: Film,
    toy_detector: Path,
    pipeline: Run,
    cache: Path,
) -> Path:
    """A site after its run."""
    folder = tmp_path_factory.mktemp("plaza")
    film(folder / "north.mp4", PEOPLE, FRAMES)
    rows = [ROW.format(frame=frame, left=10 + frame) for frame in range(1, 20)]
    (folder / "dock.txt").write_text("".join(rows), encoding="utf-8")
    np.savez(folder / "dock.npz", embedding=np.ones((19, 4), np.float32))
    write_weights(folder / "street.safetensors", 0)
    write_site(folder, toy_detector)
    result = pipeline("run", "site.yaml", folder=folder)
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture
def folder(stored: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return shutil.copytree(stored, tmp_path / "copy")


def asked(folder: Path, question: str) -> list[Any]:
    with sqlite3.connect(folder / "tracking.db") as connection:
        answer = connection.execute(question).fetchall()
    connection.close()
    return answer


def encoders(folder: Path) -> dict[str, set[str]]:
    """Names of the encoders of each camera's embeddings, with the beginnings of their hashes."""
    found: dict[str, set[str]] = {}
    for camera, name, digest in asked(
        folder,
        "SELECT camera.name, encoder.name, sha256 FROM embedding JOIN tracklet"
        " ON tracklet.id = tracklet_id JOIN camera ON camera.id = camera_id"
        " JOIN encoder ON encoder.id = encoder_id",
    ):
        found.setdefault(camera, set()).add(f"{name} {digest[:12]}")
    return found


def vectors(folder: Path) -> list[Any]:
    return asked(folder, "SELECT * FROM embedding ORDER BY tracklet_id")


def interrupted(folder: Path) -> None:
    """As if the run had been stopped before its end."""
    with sqlite3.connect(folder / "tracking.db") as connection:
        connection.execute("UPDATE run SET status = 'interrupted'")
        connection.execute("UPDATE run_camera SET status = 'running'")
    connection.close()


def line_of(result: subprocess.CompletedProcess[str]) -> str:
    """The one line that a command ended with."""
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    return line


def test_from_the_thumbnails_people_look_much_as_they_did(folder: Path, pipeline: Run) -> None:
    """The same encoder again: vectors change, but little. Twice gives the same bytes."""
    states = [vectors(folder)]
    for _ in range(2):
        result = pipeline("reembed", "site.yaml", folder=folder)
        assert result.returncode == 0, result.stderr
        assert "run 1 of plaza: 2 tracklets embedded by street " in result.stdout
        assert "1 without thumbnails left as they were" in result.stdout
        states.append(vectors(folder))
    assert states[0] != states[1] == states[2]
    for (_, _, old), (_, _, new) in zip(*states[:2], strict=True):
        assert np.frombuffer(old, "<f2").astype(float) @ np.frombuffer(new, "<f2") > 0.9


def test_another_run_gives_the_same_bytes(folder: Path, pipeline: Run) -> None:
    before = vectors(folder)
    (folder / "tracking.db").unlink()
    assert pipeline("run", "site.yaml", folder=folder).returncode == 0
    assert vectors(folder) == before


def test_stopped_half_way_nothing_has_changed(
    folder: Path, pipeline: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = vectors(folder)
    write_weights(folder / "street.safetensors", 1)
    calls = []

    def clip_of(jpegs: tuple[bytes, ...]) -> None:
        calls.append(jpegs)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(jpegs)

    whole = reembed.clip_of
    monkeypatch.setattr(reembed, "clip_of", clip_of)
    assert pipeline("reembed", "site.yaml", folder=folder).returncode == 130
    assert len(calls) == 2
    assert vectors(folder) == before


@pytest.mark.parametrize(
    ("module", "step", "embedded"), [(reembed, "pixel_encoder", 1), (edited, "associate", 2)]
)
def test_those_erased_stay_erased(
    folder: Path,
    pipeline: Run,
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    step: str,
    embedded: int,
) -> None:
    """By somebody else, while their pictures are looked at, or while it is decided who is who."""

    def erase_meanwhile(*arguments: Any) -> Any:
        with sqlite3.connect(folder / "tracking.db") as connection:
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("DELETE FROM tracklet WHERE track_id = 2")
        connection.close()
        return whole(*arguments)

    whole = getattr(module, step)
    monkeypatch.setattr(module, step, erase_meanwhile)
    result = pipeline("reembed", "site.yaml", "--json", folder=folder)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert (report["embedded"], report["tracklets"]) == (embedded, 2)
    assert asked(folder, "SELECT count(*) FROM tracklet") == [(2,)]
    assert asked(folder, "SELECT count(*) FROM link WHERE valid_to_us IS NULL") == [(2,)]
    assert len(vectors(folder)) == 2


def test_what_cannot_be_embedded_again_is_named(
    folder: Path, pipeline: Run, toy_detector: Path
) -> None:
    with sqlite3.connect(folder / "tracking.db") as connection:
        connection.execute("DELETE FROM thumbnail")
    connection.close()
    before = vectors(folder)
    assert "storage.thumbnails was off" in line_of(pipeline("reembed", "site.yaml", folder=folder))
    wrong_run = pipeline("reembed", "site.yaml", "--run", "7", folder=folder)
    assert "no run 7" in line_of(wrong_run)
    write_site(folder, toy_detector, site="harbour")
    line = line_of(pipeline("reembed", "site.yaml", folder=folder))
    assert "run 1: expected one of the site harbour, got plaza" in line
    assert vectors(folder) == before


def test_broken_weights_are_named(folder: Path, pipeline: Run) -> None:
    (folder / "street.safetensors").write_bytes(b"noise" * 100)
    line = line_of(pipeline("run", "site.yaml", folder=folder))
    assert f"reid.weights: {folder / 'street.safetensors'}: expected a safetensors file" in line
    assert asked(folder, "SELECT count(*) FROM run") == [(1,)]


def test_another_encoder_in_the_life_of_a_run(folder: Path, cache: Path, pipeline: Run) -> None:
    """Run; other weights under the same name; not resumed; embedded anew; resumed."""
    (folder / "tracking.db").unlink()  # its settings hold paths of elsewhere
    assert pipeline("run", "site.yaml", folder=folder).returncode == 0
    before = encoders(folder)
    recorded = before["dock"]
    digest = weights_hash(folder / "street.safetensors")
    old = f"street {digest[:12]}"
    assert before["north"] == {old}
    assert {name.split()[0] for name in recorded} == {"recorded-plaza"}
    (kept,) = cache.glob(f"{digest[:16]}*")
    assert "openvino" in kept.name

    interrupted(folder)
    resumed = pipeline("run", "site.yaml", "--resume", "--json", folder=folder)
    assert json.loads(resumed.stdout)["run"] == 1, "the same encoder may go on"
    interrupted(folder)
    new = f"street {write_weights(folder / 'street.safetensors', 1)[:12]}"
    kept_rows = {t: asked(folder, f"SELECT * FROM {t}") for t in ("run", "tracklet", "embedding")}
    line = line_of(pipeline("run", "site.yaml", "--resume", folder=folder))
    assert line == (
        f"error: run 1: its embeddings are by {old}, reid.weights is now {new}:"
        " `reembed --run 1` first, or run without --resume"
    )
    assert {t: asked(folder, f"SELECT * FROM {t}") for t in kept_rows} == kept_rows

    links = asked(folder, "SELECT count(*) FROM link WHERE valid_to_us IS NULL")
    again = pipeline("reembed", "site.yaml", "--json", folder=folder)
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert (report["run"], report["encoder"]) == (1, new)
    assert (report["embedded"], report["kept"], report["tracklets"]) == (2, 1, 3)
    assert encoders(folder) == {"north": {new}, "dock": recorded}
    assert asked(folder, "SELECT count(*) FROM link WHERE valid_to_us IS NULL") == links
    assert asked(folder, "SELECT count(*) FROM link")[0][0] > links[0][0], "a version of its own"
    resumed = pipeline("run", "site.yaml", "--resume", folder=folder)
    assert resumed.returncode == 0, resumed.stderr
    assert encoders(folder) == {"north": {new}, "dock": recorded}
