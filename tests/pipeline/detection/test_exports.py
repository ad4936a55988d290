"""Exports are made once, whole or not at all, and kept where they can be."""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline.detection.exports import exported
from pipeline.errors import WeightsError

Export = Callable[[Sequence[str], Path], None]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "models" / "mine.pt"
    path.parent.mkdir()
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stands for the process that exports: writes the product at once; the copies it was given."""
    given: list[Path] = []

    def run(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        copy = Path(command[3])
        given.append(copy)
        (copy.parent / "weights.onnx").write_bytes(copy.read_bytes() * 2)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return given


def test_an_export_is_made_once_beside_the_weights(
    weights: Path, private_cache: Path, exporter: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = exported(weights, "onnx"), exported(weights, "onnx")
    assert first == second
    assert first.read_bytes() == b"weightsweights"
    assert first.is_relative_to(weights.parent / "mine.exports")
    assert len(exporter) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert {path.name for path in first.parent.iterdir()} == {"weights.onnx", "sha256"}


def test_other_weights_of_the_name_are_exported_anew(
    weights: Path, private_cache: Path, exporter: list[Path]
) -> None:
    exported(weights, "onnx")
    weights.write_bytes(b"better")
    assert exported(weights, "onnx").read_bytes() == b"betterbetter"


def test_where_nothing_can_be_written_the_cache_folder_is_taken(
    weights: Path, private_cache: Path, exporter: list[Path]
) -> None:
    weights.with_suffix(".exports").touch()  # in the way of the folder
    assert exported(weights, "onnx").is_relative_to(private_cache)
    exported(weights, "onnx")
    assert len(exporter) == 1
    private_cache.parent.rename(private_cache.parent.with_name("gone"))
    private_cache.parent.touch()
    with pytest.raises(WeightsError, match=r"cannot keep the export of .*mine\.pt"):
        exported(weights, "onnx")


def test_an_interrupted_export_leaves_nothing(
    weights: Path, private_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(command: Sequence[str], **_: object) -> NoReturn:
        Path(command[3]).with_suffix(".onnx").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "run", interrupt)
    with pytest.raises(KeyboardInterrupt):
        exported(weights, "onnx")
    assert list(weights.with_suffix(".exports").iterdir()) == []


def test_of_two_processes_at_once_the_first_to_end_wins(
    weights: Path, private_cache: Path, monkeypatch: pytest.MonkeyPatch, exporter: list[Path]
) -> None:
    place = exported(weights, "onnx")
    saved = place.parent.rename(weights.parent / "saved")
    fake = subprocess.run
    theirs: list[int] = []

    def overtaken(command: Sequence[str], **how: object) -> subprocess.CompletedProcess[str]:
        shutil.copytree(saved, place.parent)
        theirs.append(place.stat().st_ino)
        return fake(command)

    monkeypatch.setattr(subprocess, "run", overtaken)
    assert [exported(weights, "onnx").stat().st_ino] == theirs
    assert len(list(weights.with_suffix(".exports").iterdir())) == 1


@pytest.mark.parametrize("damage", ["cut", "changed", "gone", "unsealed"])
def test_a_damaged_export_is_made_again(
    weights: Path, private_cache: Path, exporter: list[Path], damage: str
) -> None:
    place = exported(weights, "onnx")
    if damage == "gone":
        place.unlink()
    elif damage == "unsealed":
        (place.parent / "sha256").write_bytes(b"\xff")
    else:
        place.write_bytes({"cut": b"weights", "changed": b"weightswEights"}[damage])
    assert exported(weights, "onnx").read_bytes() == b"weightsweights"
    exported(weights, "onnx")
    assert len(exporter) == 2


def test_what_cannot_be_exported_is_named_in_one_line(weights: Path, private_cache: Path) -> None:
    with pytest.raises(WeightsError, match=r"mine\.pt: ultralytics cannot export it") as caught:
        exported(weights, "openvino")
    assert "\n" not in str(caught.value)
    assert list(weights.with_suffix(".exports").iterdir()) == []
