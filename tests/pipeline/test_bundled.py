"""Weights of the repository are found by name, and opened only where no byte has changed."""

import hashlib
from pathlib import Path

import pytest

from pipeline import bundled
from pipeline.bundled import DEFAULTS, bundled_file, is_bundled
from pipeline.errors import WeightsError

OTHER = "small.safetensors"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three weights files and their sums, in place of the repository's."""
    names = [*DEFAULTS.values(), OTHER]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    rows = [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in names]
    (tmp_path / "SHA256SUMS").write_text("".join(rows), encoding="utf-8")
    (tmp_path / "unlisted.pt").touch()
    monkeypatch.setattr(bundled, "FOLDER", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bundled", True),
        ("bundled/a.pt", True),
        ("bundled.pt", False),
        ("./bundled/a.pt", False),
        ("a.pt", False),
    ],
)
def test_names_of_bundled_weights(name: str, expected: bool) -> None:
    assert is_bundled(name) is expected


def test_each_section_has_its_own_and_any_other_has_a_name(weights: Path) -> None:
    assert bundled_file("detection", "bundled") == weights / DEFAULTS["detection"]
    assert bundled_file("reid", "bundled") == weights / DEFAULTS["reid"]
    assert bundled_file("reid", f"bundled/{OTHER}") == weights / OTHER


@pytest.mark.parametrize("name", ["bundled/unlisted.pt", "bundled/", "bundled/../weights/a.pt"])
def test_only_what_is_listed_is_opened(weights: Path, name: str) -> None:
    with pytest.raises(WeightsError, match=f"expected one of .*bundled/{OTHER}") as caught:
        bundled_file("reid", name)
    assert str(caught.value).startswith(f"reid.weights: {name}: ")


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        (OTHER, None, "No such file"),
        (OTHER, OTHER.upper().encode(), r"got 17 bytes of [0-9a-f]{12}\.\.\., expected"),
        (OTHER, b"version https://git-lfs.github.com/spec/v1\n", "got 43 bytes of"),
        ("SHA256SUMS", None, "No such file"),
        ("SHA256SUMS", b"one word a line\n", "not of `sha256sum`"),
        ("SHA256SUMS", b"\xff\xfe", "not of `sha256sum`"),
    ],
)
def test_what_is_not_as_it_was_shipped_is_refused_in_one_line(
    weights: Path, file: str, content: bytes | None, expected: str
) -> None:
    if content is None:
        (weights / file).unlink()
    else:
        (weights / file).write_bytes(content)
    with pytest.raises(WeightsError, match=expected) as caught:
        bundled_file("reid", f"bundled/{OTHER}")
    line = str(caught.value)
    assert line.startswith(f"reid.weights: {weights / file}: not the file that was shipped")
    assert "git checkout" in line
    assert "\n" not in line
