"""The JSON document that a benchmark leaves, and how its script ends."""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.errors import UserError

PACKAGES: Final = (
    "av lap numpy onnxruntime opencv-python openvino scipy sqlalchemy supervision torch ultralytics"
)
THREAD_VARIABLES: Final = (
    *("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS"),
)


def document(benchmark: str, seed: int | None, **content: Any) -> dict[str, Any]:
    """What was measured, with the command, commit, machine and versions that it was measured by.

    Of a path in the command its name alone: where somebody keeps their data is nobody's business.
    """
    words = [Path(word).name if os.sep in word else word for word in sys.argv[1:]]
    return {
        "benchmark": benchmark,
        "command": ["python", f"benchmarks/{benchmark}.py", *words],
        "seed": seed,
        **circumstances(),
        **content,
    }


def circumstances() -> dict[str, Any]:
    """Commit, machine, versions."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True).stdout.strip()

    processor = Path("/proc/cpuinfo").read_text().partition("model name\t: ")[2].partition("\n")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain")),
        "machine": {
            "processor": processor,
            "cores": len(os.sched_getaffinity(0)),
            "memory_gb": round(memory, 1),
            "system": platform.platform(),
        },
        "versions": {"python": platform.python_version()}
        | {package: metadata.version(package) for package in PACKAGES.split()},
        "threads": {name: os.environ.get(name) for name in THREAD_VARIABLES},
    }


def write(content: Mapping[str, Any], path: Path | None) -> None:
    """The document as a JSON file; nowhere without a path."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n")


def start(main: Callable[[], None]) -> None:
    """A script's end: what its user can put right is one line, with exit code 2."""
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
