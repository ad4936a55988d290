"""`cameras`: what the cameras of a site give."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import cv2
import typer

from cameras.probing import Probe, probe_all
from commands.options import Config, Json, print_json, print_table
from pipeline.config import load_site
from pipeline.errors import SourceError

EXIT_USER = 2

app = typer.Typer(no_args_is_help=True, help="What the cameras of a site give.")


@app.callback()
def cameras() -> None:
    """What the cameras of a site give."""


@app.command()
def probe(
    config: Config,
    seconds: Annotated[
        float, typer.Option(min=0.1, help="How long live cameras are looked at.")
    ] = 5,
    snapshots: Annotated[
        Path | None, typer.Option(help="Folder for a picture of each camera.", metavar="DIR")
    ] = None,
    as_json: Json = False,
) -> None:
    """Open each camera: codec, size, rate, whose clock dates it and how far that is off.

    Cameras that are paused (`enabled: false`) are named, and not opened.
    """
    found = probe_all(load_site(config), seconds)
    if snapshots is not None:
        _write(snapshots, found)
    if as_json:
        print_json({"cameras": {each.camera_id: _plain(each) for each in found}})
    else:
        print_table(
            f"{len(found)} cameras",
            [
                "camera",
                "kind",
                "codec",
                "decoding",
                "size",
                "rate",
                "frames",
                "clock",
                "offset",
                "problem",
            ],
            [_row(each) for each in found],
        )
    for each in found:
        if each.message:
            print(f"error: {each.camera_id}: {each.message}", file=sys.stderr)
    raise typer.Exit(EXIT_USER if any(each.message for each in found) else 0)


def _plain(found: Probe) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "paused": found.is_paused,
        "works": None if found.is_paused else not found.message,
        "problem": found.message,
        "codec": found.codec,
        "decoding": found.decoding,
        "size": [found.width, found.height],
        "rate_hz": found.rate_hz,
        "frames": found.frames,
        "clock": found.clock.value,
        "offset_ms": found.offset_ms,
    }


def _row(found: Probe) -> Sequence[object]:
    return (
        found.camera_id,
        f"{found.kind}, paused" if found.is_paused else found.kind,
        found.codec,
        found.decoding,
        f"{found.width}x{found.height}" if found.width else "",
        f"{found.rate_hz:g}/s" if found.rate_hz else "",
        found.frames or "",
        found.clock.value if found.kind == "live" and not found.is_paused else "",
        "" if found.offset_ms is None else f"{found.offset_ms:+.0f} ms",
        found.message,
    )


def _write(folder: Path, found: Sequence[Probe]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SourceError(f"{folder}: cannot be made: {error.strerror}") from None
    for each in found:
        if each.image is not None:
            cv2.imwrite(str(folder / f"{each.camera_id}.jpg"), each.image)
