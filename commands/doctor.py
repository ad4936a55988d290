"""`doctor`: what this machine has of what is needed."""

import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

import typer
from av.codec.hwaccel import hwdevices_available

from cameras.hardware import check_decoding, has_device
from commands.options import DEFAULT_DATABASE, print_json, print_table
from pipeline.bundled import BUNDLED, Section, bundled_file
from pipeline.config import Site, load_site
from pipeline.errors import UserError
from storage.store import open_store

EXIT_USER = 2
LIBRARIES = ("torch", "ultralytics", "openvino", "av", "opencv-python", "numpy", "sqlalchemy")
LEAST_FREE_GB = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, whether it is well, and what there is to say."""

    what: str
    works: bool
    words: str


def examine(config: Path | None, database: str | None, *, as_json: bool) -> None:
    """The command `doctor`: see `run_pipeline.doctor`."""
    site = None if config is None else load_site(config)
    url = database or (site.storage.url if site else None) or DEFAULT_DATABASE
    findings = findings_of(site, url)
    if as_json:
        print_json({"findings": [asdict(finding) for finding in findings]})
    else:
        rows = [(f.what, "ok" if f.works else "WRONG", f.words) for f in findings]
        print_table("what is here", ["what", "", ""], rows)
    raise typer.Exit(0 if all(finding.works for finding in findings) else EXIT_USER)


def findings_of(site: Site | None, url: str) -> list[Finding]:
    """All that is looked at."""
    device = site.detection.device if site else "auto"
    detector = site.detection.weights if site else BUNDLED
    encoder = site.reid.weights if site else BUNDLED
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", lambda: f"{platform.python_version()} on {platform.platform()}"),
        ("processors", lambda: str(os.cpu_count())),
        *((name, lambda name=name: metadata.version(name)) for name in LIBRARIES),
        ("device", lambda: _device(device)),
        ("decoding", lambda: _decoding(site)),
        ("detector", lambda: _weights("detection", detector)),
        ("encoder", lambda: _weights("reid", encoder)),
        ("database", lambda: _database(url)),
        ("disk", _disk),
    ]
    return [_found(what, check) for what, check in checks]


def _found(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, check())
    except (UserError, metadata.PackageNotFoundError) as error:
        return Finding(what, False, str(error))


def _device(name: str) -> str:
    # torch takes seconds to import.
    from pipeline.detection.devices import device_words

    return device_words(name)


def _decoding(site: Site | None) -> str:
    known = hwdevices_available()
    if site is not None:
        check_decoding(site.cameras)
    here = ", ".join(filter(has_device, known)) or "no hardware here"
    return f"software, {here} (ffmpeg knows of {', '.join(known) or 'none'})"


def _weights(section: Section, weights: str) -> str:
    if weights == BUNDLED or weights.startswith(f"{BUNDLED}/"):
        return str(bundled_file(section, weights))
    if len(Path(weights).parts) > 1 and not Path(weights).exists():
        raise UserError(f"{section}.weights: {weights}: expected a file, found none")
    return weights


def _database(url: str) -> str:
    """Opened as it is: none is made, and an absent one is no fault."""
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and not path.exists():
        if not os.access(path.resolve().parent, os.W_OK):
            raise UserError(f"{path}: cannot be made: the folder is not to be written to")
        return f"{path}: none yet, will be made"
    with open_store(url, create=False) as store:
        return store.name


def _disk() -> str:
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    if free_gb < LEAST_FREE_GB:
        raise UserError(f"{free_gb:.1f} GB free: expected {LEAST_FREE_GB:g} GB or more")
    return f"{free_gb:.0f} GB free"
