"""`query`: who was where, when, and how do we know?"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from commands import movements, reasons, search
from commands.options import (
    AsOf,
    Database,
    From,
    Json,
    RunNumber,
    To,
    opened_run,
    parse_as_of,
    period_of,
    print_json,
    print_table,
    words_of,
    write_picture,
)
from commands.sites import calibrations_of, site_of_run
from pipeline.errors import UserError
from storage import queries
from storage.explanations import why as explain
from storage.paths import Place, paths, presence_in_zone
from storage.queries import Passage, Wanted

app = typer.Typer(no_args_is_help=True, help="Ask who was where, when, and how we know.")


@app.command()
def identities(
    begin: From = None,
    end: To = None,
    camera: Annotated[
        str | None, typer.Option(help="Only whom this camera saw, in that time.", metavar="CAMERA")
    ] = None,
    least_cameras: Annotated[
        int, typer.Option("--cameras", help="Only whom so many cameras saw.", metavar="N")
    ] = 1,
    least_seconds: Annotated[
        float, typer.Option("--seconds", help="Only who was there for so long.", metavar="S")
    ] = 0.0,
    things: Annotated[
        bool, typer.Option("--things", help="Instead what was left out: it is rather a thing.")
    ] = False,
    as_of: AsOf = None,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Everybody that the run knows: where and when first and last seen."""
    wanted = Wanted(period_of(begin, end), camera, least_cameras, least_seconds)
    with opened_run(database, run_number) as (store, run_id):
        people = queries.identities(
            store, run_id, wanted, things=things, as_of_us=parse_as_of(as_of)
        )
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
    path: Annotated[
        bool,
        typer.Option("--path", help="Also each place, in the image and on the floor."),
    ] = False,
    as_of: AsOf = None,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """One person's passages through the cameras, in order of time.

    Confidence: how surely a passage is of the same person as the others.
    """
    ways: dict[str, list[Place]] = {}
    with opened_run(database, run_number) as (store, run_id):
        passages = queries.trajectory(store, run_id, identity, as_of_us=parse_as_of(as_of))
        if path:
            calibrations = calibrations_of(site_of_run(store, run_id))
            ways = paths(store, run_id, passages, calibrations)
    gaps = queries.gaps_seconds(passages)
    if as_json:
        print_json({"run": run_id, "identity": identity, "passages": _steps(passages, gaps, ways)})
        return
    print_table(
        f"run {run_id}, identity {identity}",
        ["camera", "enter", "leave", "seconds", "gap", "tracklet", "boxes", "confidence"],
        [
            (
                *(p.camera, p.enter, p.leave, _seconds(p), "-" if gap is None else f"{gap:+.1f}"),
                *(p.tracklet, p.boxes, _percent(p.confidence)),
            )
            for p, gap in zip(passages, gaps, strict=True)
        ],
    )
    if path:
        print_table(
            "places",
            ["tracklet", "time", "x px", "y px", "x m", "y m"],
            [
                (key, p.time, *map(_number, (p.x_px, p.y_px, p.x_m, p.y_m)))
                for key, places in ways.items()
                for p in places
            ],
        )


@app.command()
def presence(
    camera: Annotated[str, typer.Argument(help="Id of the camera.", metavar="CAMERA")],
    begin: From = None,
    end: To = None,
    zone: Annotated[
        str | None,
        typer.Option(
            help="Only who stood in this part of the image: corners in pixels.",
            metavar='"x,y x,y x,y"',
        ),
    ] = None,
    as_of: AsOf = None,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Who was at a camera, or in a zone of its image, between two times."""
    period, as_of_us = period_of(begin, end), parse_as_of(as_of)
    corners = None if zone is None else parse_zone(zone)
    with opened_run(database, run_number) as (store, run_id):
        if corners is None:
            times = period.from_us, period.to_us
            passages = queries.presence(store, run_id, camera, *times, as_of_us=as_of_us)
        else:
            where = camera, corners, period
            passages = presence_in_zone(store, run_id, *where, as_of_us=as_of_us)
    if as_json:
        tree = [asdict(passage) for passage in passages]
        print_json({"run": run_id, "camera": camera, "passages": tree})
        return
    print_table(
        f"run {run_id}, {camera}{words_of(period)}",
        ["identity", "enter", "leave", "seconds", "tracklet", "boxes"],
        [(p.identity or "-", p.enter, p.leave, _seconds(p), p.tracklet, p.boxes) for p in passages],
    )


def parse_zone(words: str) -> list[tuple[float, float]]:
    """Corners (x, y) of "10,20 30,20 30,40"."""
    try:
        pairs = [tuple(map(float, corner.split(","))) for corner in words.split()]
        return [(x, y) for x, y in pairs]
    except ValueError:
        raise UserError(f'--zone: expected "x,y x,y x,y" in pixels, got "{words}"') from None


@app.command()
def why(
    tracklet: Annotated[
        str, typer.Argument(help="Key of the tracklet, camera/track.", metavar="TRACKLET")
    ],
    as_of: AsOf = None,
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
    with opened_run(database, run_number) as (store, run_id):
        explanation = explain(store, run_id, tracklet, as_of_us=parse_as_of(as_of))
        if picture is not None:
            keys = [explanation.tracklet, *(pair.tracklet for pair in explanation.pairs)]
            thumbnails = queries.thumbnails(store, run_id, keys)
            write_picture(picture, reasons.picture(explanation, thumbnails))
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


def _steps(
    passages: Sequence[Passage],
    gaps: Sequence[float | None],
    ways: Mapping[str, Sequence[Place]],
) -> list[dict[str, Any]]:
    """Passages as JSON, with their ways where they are known."""
    return [
        {
            **asdict(passage),
            "gap_seconds": gap,
            "confidence": passage.confidence,
            **({"path": list(map(asdict, ways[passage.tracklet]))} if ways else {}),
        }
        for passage, gap in zip(passages, gaps, strict=True)
    ]


def _percent(probability: float | None) -> str:
    return "-" if probability is None else f"{100 * probability:.0f} %"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _seconds(passage: queries.Passage) -> str:
    return f"{(passage.leave_us - passage.enter_us) / 1e6:.1f}"


app.command()(movements.together)
app.command()(movements.moves)
app.command()(movements.passed)
app.command()(movements.dwell)
app.command()(movements.transitions)
app.command()(search.search)
