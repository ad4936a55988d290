"""Finding a detector's weights: ours, a path, a name in `weights_dir`, or one of ultralytics'."""

from pathlib import Path
from typing import Final

import pipeline.offline  # noqa: F401 (before ultralytics)
from pipeline.bundled import bundled_file, is_bundled
from pipeline.config import DetectionSettings
from pipeline.errors import WeightsError

REFUSED: Final = "references types outside"
"""Words of ultralytics for a file that brings code, and for one that is damaged."""


def find_weights(settings: DetectionSettings) -> Path:
    """The file or folder that `detection.weights` names; downloaded by ultralytics if it must be.

    The project's own are checked. A path is taken as it is. A bare name is looked for in
    `detection.weights_dir`, then in the working directory; only a name of ultralytics' own assets
    that is in neither is downloaded.

    Raises:
        WeightsError: Nothing is there, and nothing can be downloaded.
    """
    name = settings.weights
    if is_bundled(name):
        return bundled_file("detection", name)
    folder = settings.weights_dir or Path.cwd()
    for path in (Path(name), folder / name):
        if path.exists():
            _check_not_empty(path)
            return path
    if len(Path(name).parts) > 1:
        raise WeightsError(f"detection.weights: {name}: no such file")
    return _download(name, folder)


def unusable(path: Path, what: str, words: str) -> WeightsError:
    """The error for a file with which ultralytics cannot do something, and says so in words."""
    reason = words[:160]
    if REFUSED in words:
        reason = (
            "it is damaged, or it brings code that opening it would run; if you trust it, set"
            " ULTRALYTICS_SAFE_LOAD=0"
        )
    return WeightsError(f"detection.weights: {path}: ultralytics cannot {what}: {reason}")


def _check_not_empty(path: Path) -> None:
    if path.is_file() and path.stat().st_size == 0:
        raise WeightsError(f"detection.weights: {path}: expected a model, got an empty file")
    if path.is_dir() and not any(path.glob("*.xml")):
        raise WeightsError(f"detection.weights: {path}: expected an OpenVINO folder with an .xml")


def _download(name: str, folder: Path) -> Path:
    """The asset of this name, put into the folder by ultralytics."""
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    wanted = folder / name
    if name not in GITHUB_ASSETS_NAMES:
        raise WeightsError(
            f"detection.weights: {name}: not in {folder}, and not a model that ultralytics offers"
        )
    try:
        attempt_download_asset(wanted)
    # Whatever goes wrong on the way to a download server has the same answer for the user.
    except Exception as error:
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise WeightsError(_offline(name, folder, reason)) from None
    if not wanted.exists():
        raise WeightsError(_offline(name, folder, "no such file came"))
    return wanted


def _offline(name: str, folder: Path, reason: str) -> str:
    return (
        f"detection.weights: {name}: not in {folder} and cannot be downloaded"
        f" (put the file there by hand): {reason}"
    )
