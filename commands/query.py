"""`query`: who was where, when, and how do we know?"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import cv2
import typer

from commands import reasons
from commands.options import (
    DEFAULT_DATABASE,
    Database,
    Json,
    RunNumber,
    parse_time,
    print_json,
    print_table,
)
from pipeline.errors import UserError
from pipeline.timestamps import to_iso
from pipeline.types import ImageArray
from storage import queries
from storage.store import open_store

app = typer.Typer(no_args_is_help=True, help="Ask who was where, when, and how we know.")


@app.command()
def identities(
    things: Annotated[
        bool, typer.Option("--things", help="Instead what was left out: it is rather a thing.")
    ] = False,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Everybody that the run knows: where and when first and last seen."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        people = queries.identities(store, run_id, things=things)
    if as_json:
        print_json({"run": run_id, "identities": [asdict(person) for person in people]})
        return
    print_table(
        f"run {run_id}: {len(people)} {'things' if things else 'identities'}",
        ["identity", "cameras", "passages", "first seen", "last seen", "boxes"],
        [
            (p.identity, " > ".join(p.cameras), p.tracklets, p.first_seen, p.last_seen, p.boxes)
            for p in people
        ],
    )


@app.command()
def trajectory(
    identity: Annotated[int, typer.Argument(help="Number of the identity.", metavar="ID")],
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """One person's passages through the cameras, in order of time."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        passages = queries.trajectory(store, run_id, identity)
    if as_json:
        tree = [asdict(passage) for passage in passages]
        print_json({"run": run_id, "identity": identity, "passages": tree})
        return
    print_table(
        f"run {run_id}, identity {identity}",
        ["camera", "enter", "leave", "seconds", "tracklet", "boxes", "log-odds"],
        [
            (p.camera, p.enter, p.leave, _seconds(p), p.tracklet, p.boxes, f"{p.log_odds:+.1f}")
            for p in passages
        ],
    )


@app.command()
def presence(
    camera: Annotated[str, typer.Argument(help="Id of the camera.", metavar="CAMERA")],
    begin: Annotated[str, typer.Option("--from", help="ISO 8601 with zone.", metavar="T")],
    end: Annotated[str, typer.Option("--to", help="ISO 8601 with zone.", metavar="T")],
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Who was at a camera between two times."""
    from_us, to_us = parse_time("--from", begin), parse_time("--to", end)
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        passages = queries.presence(store, run_id, camera, from_us, to_us)
    if as_json:
        tree = [asdict(passage) for passage in passages]
        print_json({"run": run_id, "camera": camera, "passages": tree})
        return
    print_table(
        f"run {run_id}, {camera} from {to_iso(from_us)} to {to_iso(to_us)}",
        ["identity", "enter", "leave", "seconds", "tracklet", "boxes"],
        [(p.identity or "-", p.enter, p.leave, _seconds(p), p.tracklet, p.boxes) for p in passages],
    )


@app.command()
def why(
    tracklet: Annotated[
        str, typer.Argument(help="Key of the tracklet, camera/track.", metavar="TRACKLET")
    ],
    database: Database = None,
    run_number: RunNumber = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            help="Draw the pairs side by side into this file (.png, .jpg).", metavar="FILE"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Why a tracklet has its identity: the evidence, the strongest pairs, the closest rivals."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        explanation = queries.why(store, run_id, tracklet)
        if picture is not None:
            keys = [explanation.tracklet, *(pair.tracklet for pair in explanation.pairs)]
            thumbnails = queries.thumbnails(store, run_id, keys)
            _write_picture(picture, reasons.picture(explanation, thumbnails))
    if as_json:
        print_json(asdict(explanation))
        return
    print(reasons.decision(explanation))
    print_table(
        "pairs, in log-odds (above 0: rather the same person)",
        [
            "tracklet",
            "identity",
            "joined",
            "similarity",
            "appearance",
            "transition",
            "floor",
            "sum",
        ],
        [
            (
                pair.tracklet,
                pair.identity or "-",
                "yes" if pair.same_identity else "no",
                "-" if pair.similarity is None else f"{pair.similarity:.2f}",
                f"{pair.evidence.appearance:+.1f}",
                f"{pair.evidence.transition_time:+.1f}",
                f"{pair.evidence.ground_plane:+.1f}",
                f"{pair.evidence.log_odds:+.1f}",
            )
            for pair in explanation.pairs
        ],
    )


def _seconds(passage: queries.Passage) -> str:
    return f"{(passage.leave_us - passage.enter_us) / 1e6:.1f}"


def _write_picture(path: Path, image: ImageArray) -> None:
    try:
        is_written = cv2.imwrite(str(path), image)
    except cv2.error:
        is_written = False
    if not is_written:
        raise UserError(f"{path}: cannot be written; expected a .png or .jpg in a folder")
