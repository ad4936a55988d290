"""docs/queries.md shows what the commands answer."""

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_page_shows_what_the_commands_answer(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "queries_page", ROOT / "benchmarks/queries_page.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = (ROOT / "docs/queries.md").read_text(encoding="utf-8")
    assert module.page(tmp_path) == kept, "run `python benchmarks/queries_page.py`"
