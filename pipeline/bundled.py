"""The weights that come with this repository: by name, and only as they were shipped."""

import hashlib
from pathlib import Path
from typing import Final, Literal

from pipeline.errors import WeightsError

BUNDLED: Final = "bundled"
FOLDER: Final = Path(__file__).resolve().parents[1] / "weights"
SUMS: Final = "SHA256SUMS"
"""Lists the weights files of the folder, as `sha256sum` writes and checks it."""

Section = Literal["detection", "reid"]
DEFAULTS: Final[dict[Section, str]] = {
    "detection": "person-nano.pt",
    "reid": "encoder.safetensors",
}
"""What `bundled` alone means, by section of the site file."""


def is_bundled(weights: str) -> bool:
    """Whether these are weights of this repository: `bundled`, or `bundled/NAME` for another."""
    return weights == BUNDLED or weights.startswith(f"{BUNDLED}/")


def bundled_file(section: Section, weights: str) -> Path:
    """The file that `bundled` or `bundled/NAME` means in a section of the site file.

    Raises:
        WeightsError: There is none of that name, or its bytes are not those that were shipped, as
            in half a clone, after an edit, or where a pointer stands for a large file.
    """
    sums = _sums(section)
    name = DEFAULTS[section] if weights == BUNDLED else weights.removeprefix(f"{BUNDLED}/")
    if name not in sums:
        raise WeightsError(
            f"{section}.weights: {weights}: expected one of"
            f" {', '.join(f'{BUNDLED}/{known}' for known in sorted(sums))}"
        )
    path = FOLDER / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(_not_as_shipped(section, path, str(error.strerror))) from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != sums[name]:
        got = f"got {len(content)} bytes of {digest[:12]}..., expected {sums[name][:12]}..."
        raise WeightsError(_not_as_shipped(section, path, got))
    return path


def _sums(section: Section) -> dict[str, str]:
    """SHA-256 by name of all files that were shipped."""
    path = FOLDER / SUMS
    try:
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
        return {name.removeprefix("*"): digest for digest, name in rows}
    except OSError as error:
        raise WeightsError(_not_as_shipped(section, path, str(error.strerror))) from None
    except ValueError:
        raise WeightsError(_not_as_shipped(section, path, "not of `sha256sum`")) from None


def _not_as_shipped(section: Section, path: Path, how: str) -> str:
    return (
        f"{section}.weights: {path}: not the file that was shipped ({how}): `git checkout --"
        f" {path.parent.name}` in a whole clone of the repository brings it back"
    )
