"""Commands of `query` about many people: who was with whom, where they go, how long it takes."""

from dataclasses import asdict
from typing import Annotated

import typer

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
)
from commands.sites import calibrations_of, site_of_run
from storage import meetings, queries
from storage import movements as moving
from storage.movements import Spread, Visit

SPREAD = ("number", "least s", "median s", "mean s", "90 % s", "most s")


def together(
    identity: Annotated[
        int | None, typer.Argument(help="Whose company; default: everybody's.", metavar="[ID]")
    ] = None,
    begin: From = None,
    end: To = None,
    least_seconds: Annotated[
        float, typer.Option("--seconds", help="For so long in all, at least.", metavar="S")
    ] = 0.0,
    metres: Annotated[
        float | None,
        typer.Option(
            help="So close on the floor, whichever calibrated cameras see them; default: in view of"
            " one camera at once.",
            metavar="M",
        ),
    ] = None,
    as_of: AsOf = None,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Who was with whom: in view of one camera at once, or close together on the floor."""
    period, as_of_us = period_of(begin, end), parse_as_of(as_of)
    with opened_run(database, run_number) as (store, run_id):
        if identity is not None:
            queries.trajectory(store, run_id, identity, as_of_us=as_of_us)  # it must be there
        about = identity, period
        if metres is None:
            found = meetings.in_view_together(
                store, run_id, *about, least_seconds=least_seconds, as_of_us=as_of_us
            )
        else:
            known = calibrations_of(site_of_run(store, run_id))
            found = meetings.close_together(
                *(store, run_id, known, metres, *about),
                least_seconds=least_seconds,
                as_of_us=as_of_us,
            )
    if as_json:
        print_json({"run": run_id, "meetings": [asdict(meeting) for meeting in found]})
        return
    how = "in view at once" if metres is None else f"within {metres:g} m"
    print_table(
        f"run {run_id}, {how}{words_of(period)}",
        ["identity", "with", "seconds", "first", "last", "cameras"],
        [
            (m.identity, m.other, f"{m.seconds:.1f}", m.first, m.last, ", ".join(m.cameras))
            for m in found
        ],
    )


def moves(
    begin: From = None,
    end: To = None,
    as_of: AsOf = None,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """How many went from which camera to which, in each hour (UTC) of arrival."""
    visits, run_id = _visits(begin, end, as_of, database, run_number)
    found = moving.moves(visits)
    flows = moving.flows(found)
    if as_json:
        print_json({"run": run_id, "moves": [asdict(flow) for flow in flows]})
        return
    print_table(
        f"run {run_id}: {len(found)} moves",
        ["hour", "from", "to", "moves"],
        [(flow.hour, flow.origin, flow.destination, flow.moves) for flow in flows],
    )


def passed(
    origin: Annotated[str, typer.Argument(help="Seen here first.", metavar="CAMERA")],
    destination: Annotated[str, typer.Argument(help="And then here.", metavar="CAMERA")],
    within: Annotated[
        float, typer.Option(help="At most so long after leaving the first.", metavar="SECONDS")
    ] = float("inf"),
    begin: From = None,
    end: To = None,
    as_of: AsOf = None,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Who was at one camera and then at another."""
    with opened_run(database, run_number) as (store, run_id):
        for camera in (origin, destination):
            queries.presence(store, run_id, camera, 0, 0)  # it must be there
        visits = moving.visits(store, run_id, period_of(begin, end), as_of_us=parse_as_of(as_of))
    found = moving.passed(visits, origin, destination, within)
    if as_json:
        print_json({"run": run_id, "passed": [asdict(move) for move in found]})
        return
    print_table(
        f"run {run_id}, from {origin} to {destination}",
        ["identity", "leave", "enter", "seconds"],
        [(move.identity, move.leave, move.enter, f"{move.seconds:.1f}") for move in found],
    )


def dwell(
    begin: From = None,
    end: To = None,
    as_of: AsOf = None,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """How long people stay at each camera; back within ten seconds is the same visit."""
    visits, run_id = _visits(begin, end, as_of, database, run_number)
    found = moving.dwell_times(visits)
    if as_json:
        print_json({"run": run_id, "dwell": [asdict(each) for each in found]})
        return
    print_table(
        f"run {run_id}: visits",
        ["camera", "people", *SPREAD],
        [(each.camera, each.people, *_shown(each.seconds)) for each in found],
    )


def transitions(
    begin: From = None,
    end: To = None,
    as_of: AsOf = None,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """How long people take from camera to camera; negative where views overlap."""
    visits, run_id = _visits(begin, end, as_of, database, run_number)
    found = moving.transitions(moving.moves(visits))
    if as_json:
        print_json({"run": run_id, "transitions": [asdict(each) for each in found]})
        return
    print_table(
        f"run {run_id}: moves between cameras",
        ["from", "to", "share", *SPREAD],
        [
            (each.origin, each.destination, f"{100 * each.share:.0f} %", *_shown(each.seconds))
            for each in found
        ],
    )


def _visits(
    begin: str | None,
    end: str | None,
    as_of: str | None,
    database: str | None,
    run_number: int | None,
) -> tuple[list[Visit], int]:
    """Visits of a period, and the number of the run."""
    period, as_of_us = period_of(begin, end), parse_as_of(as_of)
    with opened_run(database, run_number) as (store, run_id):
        return moving.visits(store, run_id, period, as_of_us=as_of_us), run_id


def _shown(spread: Spread) -> tuple[str, ...]:
    seconds = (spread.least, spread.median, spread.mean, spread.p90, spread.most)
    return str(spread.count), *(f"{each:.1f}" for each in seconds)
