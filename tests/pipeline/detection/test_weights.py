"""Weights that are not there are named in one line; nothing is fetched, no code in them is run."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import torch

from pipeline.config import DetectionSettings
from pipeline.detection.choice import open_engine
from pipeline.detection.weights import find_weights
from pipeline.errors import WeightsError

ROOT = Path(__file__).resolve().parents[3]


def test_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"x")
    assert find_weights(DetectionSettings(weights=str(path))) == path


def test_name_is_found_in_weights_dir(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").write_bytes(b"x")
    settings = DetectionSettings(weights="mine.pt", weights_dir=tmp_path)
    assert find_weights(settings) == tmp_path / "mine.pt"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bundled/such.pt", "bundled/such.pt: expected one of bundled/"),
        ("no/such.pt", "no/such.pt: no such file"),
        ("unheard-of.pt", "not a model that ultralytics offers"),
    ],
)
def test_missing_weights_are_named(tmp_path: Path, name: str, expected: str) -> None:
    with pytest.raises(WeightsError, match=expected) as caught:
        find_weights(DetectionSettings(weights=name, weights_dir=tmp_path))
    assert "\n" not in str(caught.value)


def test_empty_file_and_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.pt").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(WeightsError, match=r"empty\.pt: expected a model, got an empty file"):
        find_weights(DetectionSettings(weights=str(tmp_path / "empty.pt")))
    with pytest.raises(WeightsError, match="expected an OpenVINO folder"):
        find_weights(DetectionSettings(weights=str(tmp_path / "folder")))


def test_offline_download_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError("network is unreachable")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    with pytest.raises(
        WeightsError, match=r"yolo26n\.pt: not in .* cannot be downloaded"
    ) as caught:
        find_weights(DetectionSettings(weights="yolo26n.pt", weights_dir=tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


class Code:
    """Pickled, it runs a command when it is opened."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (self.command,)


@pytest.mark.parametrize("engine", ["torch", "openvino"])
def test_code_in_a_file_is_not_run(tmp_path: Path, private_cache: Path, engine: str) -> None:
    path, ran = tmp_path / "foul.pt", tmp_path / "ran"
    torch.save({"model": Code(f"touch {ran}")}, path)
    settings = DetectionSettings(weights=str(path), device="cpu", engine=engine)
    with pytest.raises(WeightsError, match="set ULTRALYTICS_SAFE_LOAD=0") as caught:
        open_engine(find_weights(settings), settings, at_once=1)
    assert str(caught.value).startswith(f"detection.weights: {path}: ultralytics cannot ")
    assert "\n" not in str(caught.value)
    assert not ran.exists()


def test_who_trusts_a_file_may_say_so(tmp_path: Path) -> None:
    """Then it is opened as ever: what the test above would not see is seen here."""
    path, ran = tmp_path / "foul.pt", tmp_path / "ran"
    torch.save({"model": Code(f"touch {ran}")}, path)
    program = (
        "import sys, torch; from pathlib import Path;"
        "from pipeline.detection.ultralytics_engine import UltralyticsEngine as Engine;"
        "Engine(Path(sys.argv[1]), torch.device('cpu'))"
    )
    trusting = os.environ | {"ULTRALYTICS_SAFE_LOAD": "0"}
    subprocess.run([sys.executable, "-c", program, str(path)], cwd=ROOT, env=trusting)
    assert ran.exists()
