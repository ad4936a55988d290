"""The weights of the repository: listed, described, small, and enough to run without a network."""

import hashlib
import re
from pathlib import Path

import pytest

from pipeline.bundled import DEFAULTS, FOLDER, SUMS

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
