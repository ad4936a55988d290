"""Exports of `.pt` files for other engines: made on first use, kept, and never seen half made."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Final

import pipeline.offline  # noqa: F401 (inherited by the process that exports)
from pipeline.detection.weights import unusable
from pipeline.errors import WeightsError

PRODUCTS: Final = {"openvino": "weights_openvino_model", "onnx": "weights.onnx"}
"""What ultralytics names its export of `weights.pt`, by format."""
CHECKSUM: Final = "sha256"
"""File beside an export that says what its bytes were when it was made."""
VERSIONS: Final = ("ultralytics", "torch", "openvino", "onnx", "onnxruntime")
"""Packages that decide what an export is and how fast it runs."""

# In a process of its own: ultralytics writes to standard output, which belongs to `--json`, and
# changes the state of torch. The height and width stay open: one export serves every frame size.
EXPORT: Final = """
import sys
sys.modules["openvino_telemetry"] = None
from ultralytics import YOLO
try:
    model = YOLO(sys.argv[1])
    options = {"simplify": False} if sys.argv[2] == "onnx" else {}  # it would need onnxslim
    if getattr(model.model, "end2end", False):
        options["nms"] = False  # else the export takes the other head
    model.export(format=sys.argv[2], dynamic=True, device="cpu", **options)
except Exception as error:
    sys.exit(next(iter(str(error).splitlines()), repr(error)))
"""


def cache_folder() -> Path:
    """Where what can be made again is kept: in $XDG_CACHE_HOME, by default ~/.cache."""
    root = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(root) if Path(root).is_absolute() else Path.home() / ".cache"
    return base / "multi-camera-person-tracking"


def weights_key(weights: Path) -> str:
    """Changes with the bytes of a weights file and with the versions that run it."""
    digest = hashlib.sha256(weights.read_bytes())
    digest.update(" ".join(f"{name} {_version(name)}" for name in VERSIONS).encode())
    return digest.hexdigest()[:16]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


def exported(weights: Path, kind: str) -> Path:
    """The export of a `.pt` file to `openvino` or `onnx`, made now where there is none.

    It lies beside the weights, or in the cache folder where nothing can be written there. One whose
    bytes are not those that were made is made again.

    Raises:
        WeightsError: It cannot be made or kept.
    """
    name = Path(f"{weights.stem}.exports") / f"{kind}-{weights_key(weights)}"
    places = [weights.parent / name, cache_folder() / name]
    for place in places:
        if _is_sound(place):
            return place / PRODUCTS[kind]
    for place in places:
        if place.exists() and not _is_sound(place):
            shutil.rmtree(place, ignore_errors=True)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            workplace = tempfile.TemporaryDirectory(dir=place.parent, prefix=".unfinished-")
        except OSError:
            continue
        with workplace as folder:
            _make(weights, kind, Path(folder), place)
        if _is_sound(place):
            return place / PRODUCTS[kind]
    raise WeightsError(
        f"detection.engine: {kind}: cannot keep the export of {weights}: expected to write beside"
        f" it or in {cache_folder()}"
    )


def _is_sound(place: Path) -> bool:
    """Whether an export is there, as it was made."""
    try:
        return (place / CHECKSUM).read_text(encoding="utf-8") == _checksum(place)
    except (OSError, UnicodeDecodeError):
        return False


def _checksum(place: Path) -> str:
    """Of the names and bytes of all files below a folder but the checksum's own."""
    digest = hashlib.sha256()
    files = sorted(path for path in place.rglob("*") if path.is_file() and path.name != CHECKSUM)
    for path in files:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(place).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def _make(weights: Path, kind: str, workplace: Path, place: Path) -> None:
    """Export within `workplace`, then rename to `place`: there it is whole or not at all."""
    sys.stderr.write(f"detection: exporting {weights.name} for {kind}, once, to {place}\n")
    folder = workplace / "export"
    folder.mkdir()
    copy = Path(shutil.copyfile(weights, folder / "weights.pt"))
    command = [sys.executable, "-c", EXPORT, str(copy), kind]
    done = subprocess.run(  # noqa: S603 (our own program)
        command, capture_output=True, text=True, errors="replace"
    )
    if done.returncode or not (folder / PRODUCTS[kind]).exists():
        lines = (done.stderr or done.stdout).strip().splitlines()
        words = lines[-1] if lines else f"exit code {done.returncode}"
        raise unusable(weights, f"export it for {kind}", words)
    copy.unlink()
    (folder / CHECKSUM).write_text(_checksum(folder), encoding="utf-8")
    try:
        folder.rename(place)
    except OSError:
        if not place.exists():  # else another process was faster, and its export is as good
            raise
