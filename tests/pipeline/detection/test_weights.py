"""Weights that are not there are named in one line; nothing is fetched for a path."""

import socket
from pathlib import Path
from typing import NoReturn

import pytest

from pipeline.config import DetectionSettings
from pipeline.detection.weights import find_weights
from pipeline.errors import WeightsError


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
        ("bundled", "no detector is bundled yet"),
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
