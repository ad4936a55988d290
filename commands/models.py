"""Which models the demo runs with: a user's, the project's own, or what others' models saw once."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from pipeline.bundled import BUNDLED, DEFAULTS
from pipeline.config import Site, load_site
from pipeline.errors import UserError, WeightsError

DETECTORS = ("*.pt", "*_openvino_model")
ENCODERS = ("*.safetensors", "*.xml", "*.onnx", "*/*.xml", "*/*.onnx")
RECORDED = (
    "none: detections and embeddings are read from recordings made once with other people's"
    " weights; tracking, association and all that follows is done now."
)


@dataclass(frozen=True, slots=True)
class Models:
    """The site as it is to be run, and in words what finds its people and tells them apart."""

    site: Site
    words: str


def choose_models(folder: Path, weights_dir: Path | None, *, recorded: bool) -> Models:
    """The demo site in a folder with the models at hand; nothing is ever downloaded.

    Those in `weights_dir` where it is given, else the project's own; recorded rows where they are
    asked for.

    Raises:
        WeightsError: `weights_dir` holds no detector or no Re-ID encoder.
        UserError: `weights_dir` and recorded rows are both asked for.
        SettingsError: The demo's site file is missing or malformed.
    """
    if recorded and weights_dir is not None:
        raise UserError("--recorded: expected no --weights-dir: recorded rows need no weights")
    if recorded:
        path = folder / "recorded.yaml"
        site = load_site(path)
        return Models(site, f"{RECORDED} {_heading(path)}".strip())
    if weights_dir is None:
        words = f"{DEFAULTS['detection']} and {DEFAULTS['reid']} of this project"
        return Models(_with(folder, BUNDLED, BUNDLED), words)
    detector = _first(weights_dir, DETECTORS, "a detector (.pt or *_openvino_model)")
    encoder = _first(weights_dir, ENCODERS, "a Re-ID encoder (.safetensors, .xml or .onnx)")
    words = f"{detector.name} and {encoder.name}, found in {weights_dir}"
    return Models(_with(folder, str(detector), str(encoder)), words)


def _heading(path: Path) -> str:
    """The comment that a file begins with: which models its rows are from."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return " ".join(line[1:].strip() for line in takewhile(lambda line: line[:1] == "#", lines))


def _first(folder: Path, patterns: Sequence[str], wanted: str) -> Path:
    """The first file by name, nearest first; exports of detectors hold .xml files too."""
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            if not path.parent.name.endswith("_openvino_model"):
                return path.resolve()
    raise WeightsError(f"--weights-dir: {folder}: expected {wanted}, found none")


def _with(folder: Path, detector: str, encoder: str) -> Site:
    site = load_site(folder / "site.yaml")
    detection = site.detection.model_copy(update={"weights": detector})
    reid = site.reid.model_copy(update={"weights": encoder})
    return site.model_copy(update={"detection": detection, "reid": reid})
