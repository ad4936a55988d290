"""docs/evaluation.md, made of the results that are kept in benchmarks/results.

A result's `summary` is a tree. What has a `median` is one cell, as is a plain number; a branch of
cells is a row; branches side by side that have the same cells are a table.
"""

import json
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "benchmarks" / "results", ROOT / "docs" / "evaluation.md"
SECTIONS: Final = {
    "detection": "Detection",
    "bundled_detector": "The bundled detector",
    "bundled_encoder": "The bundled encoders",
    "tracking": "Tracking",
    "association": "Association across cameras",
    "association_scale": "Association as tracklets grow in number",
    "clustering": "Correlation clustering",
    "trajectory_store": "The trajectory store",
    "end_to_end": "End to end",
    "live": "Live cameras",
    "live_peers": "Readers of live cameras under faults of one of four",
    "retrieval": "Scoring of retrieval, at the size of Market-1501",
    "ranking": "Ways of ranking",
    "simulation": "Simulation",
    "realism": "Realism of the simulation",
}
"""Headings by benchmark, in the page's order; others follow under their own name."""
PREFACE: Final = """\
# Evaluation

Made by `python benchmarks/tables.py` from the results in `benchmarks/results`; do not edit. What
each number means, and how it is measured: [`benchmarks/README.md`](../benchmarks/README.md).
Cells are medians, with [least..greatest] where there were several rounds; what is lost stands
beside what is won. Tables of different machines or days are not to be compared."""

Tree = Mapping[str, Any]


def page(results: Sequence[Tree]) -> str:
    """The whole page.

    Raises:
        ValueError: A result was made from files that were not committed.
    """
    order = list(SECTIONS)
    known = [r for name in order for r in results if r["benchmark"] == name]
    others = [r for r in results if r["benchmark"] not in order]
    return "\n\n".join([PREFACE, *(_section(result) for result in known + others)]) + "\n"


def _section(result: Tree) -> str:
    if result["uncommitted_changes"]:
        raise ValueError(f"{result['benchmark']}: made from files that were not committed")
    name, machine = result["benchmark"], result["machine"]
    about = (
        f"`{shlex.join(result['command'])}`\n\n{machine['processor']}, {machine['cores']} cores,"
        f" {machine['memory_gb']:g} GB; {result['measured_at'][:10]}, commit"
        f" {result['commit'][:7]}."
    )
    absent = [f"- {peer}: {why}" for peer, why in result.get("not_available", {}).items()]
    missing = ["Not measured, because it could not be started:\n\n" + "\n".join(absent)]
    parts = [f"## {SECTIONS.get(name, name)}", about, *_tables(result["summary"], [])]
    return "\n\n".join(parts + (missing if absent else []))


def _tables(tree: Tree, path: Sequence[str]) -> Iterator[str]:
    """Tables of a tree, a heading before those that do not stand at its root."""
    cells = {name: value for name, value in tree.items() if _is_cell(value)}
    branches = {name: value for name, value in tree.items() if not _is_cell(value)}
    rows = {name: value for name, value in branches.items() if all(map(_is_cell, value.values()))}
    heading = [f"### {', '.join(path)}"] if path and (cells or rows) else []
    yield from heading
    if cells:
        yield _table({"": cells})
    for _, alike in groupby(rows.items(), lambda row: tuple(row[1])):
        yield _table(dict(alike))
    for name, value in branches.items():
        if name not in rows:
            yield from _tables(value, [*path, name])


def _is_cell(value: Any) -> bool:
    return not isinstance(value, Mapping) or "median" in value


def _table(rows: Mapping[str, Tree]) -> str:
    """Markdown; our own rows stand out."""
    columns = list(next(iter(rows.values())))
    lines = [
        ["", *(column.replace("_", " ") for column in columns)],
        ["---", *["--:"] * len(columns)],
    ]
    for name, cells in rows.items():
        shown = f"**{name}**" if name.partition(",")[0] == "ours" else name
        lines.append([shown, *(_cell(cells[column]) for column in columns)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        middle, least, most = (_number(value[key]) for key in ("median", "min", "max"))
        return middle if least == most else f"{middle} [{least}..{most}]"
    return _number(value)


def _number(value: Any) -> str:
    """Three digits or so: counts as they are, shares to a thousandth."""
    if not isinstance(value, float):
        return str(value)
    size = abs(value)
    return f"{value:.{0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3}f}"


def kept_results() -> list[Tree]:
    """The results in the repository, by file name."""
    return [json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]


def main() -> None:
    """Write the page."""
    try:
        PAGE.write_text(page(kept_results()), encoding="utf-8")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
