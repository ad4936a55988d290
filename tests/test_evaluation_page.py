"""docs/evaluation.md says what the results in the repository say."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[1] / "benchmarks" / "tables.py"


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def result(**changes: object) -> dict[str, object]:
    machine = {"processor": "A processor", "cores": 2, "memory_gb": 25.3}
    return {
        "benchmark": "tracking",
        "command": ["python", "benchmarks/tracking.py"],
        "measured_at": "2026-01-02T03:04:05+00:00",
        "commit": "0123456789",
        "uncommitted_changes": False,
        "machine": machine,
        "summary": {},
        **changes,
    }


def test_the_page_is_up_to_date(tables: ModuleType) -> None:
    made = tables.page(tables.kept_results())
    assert tables.PAGE.read_text(encoding="utf-8") == made, "run python benchmarks/tables.py"


def test_a_tree_becomes_tables(tables: ModuleType) -> None:
    spread = {"median": 1234.5, "min": 99.4, "max": 2000.0}
    summary = {
        "MOT15": {
            "full rate": {"them": {"HOTA": 38.014, "IDSW": 517}, "ours": {"HOTA": 0.5, "IDSW": 3}}
        },
        "ours": {"200_boxes": spread},
    }
    page = tables.page([result(summary=summary, not_available={"motpy": "not installed"})])
    assert page.partition("\n\n## ")[2] == (
        "Tracking\n\n`python benchmarks/tracking.py`\n\n"
        "A processor, 2 cores, 25.3 GB; 2026-01-02, commit 0123456.\n\n"
        "|  | 200 boxes |\n| --- | --: |\n| **ours** | 1234 [99.40..2000] |\n\n"
        "### MOT15, full rate\n\n"
        "|  | HOTA | IDSW |\n| --- | --: | --: |\n| them | 38.01 | 517 |\n| **ours** | 0.500 | 3 |"
        "\n\nNot measured, because it could not be started:\n\n- motpy: not installed\n"
    )


def test_results_of_uncommitted_files_are_refused(tables: ModuleType) -> None:
    with pytest.raises(ValueError, match="not committed"):
        tables.page([result(uncommitted_changes=True)])
