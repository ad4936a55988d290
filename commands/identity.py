"""`identity`: what users decide about identities, and what they do with all data of one."""

from dataclasses import asdict
from typing import Annotated

import typer

from commands.options import (
    DEFAULT_DATABASE,
    Database,
    Json,
    RunNumber,
    print_json,
    print_table,
)
from storage import edits, queries
from storage.edits import EditReport
from storage.store import open_store

app = typer.Typer(
    no_args_is_help=True,
    help="Join, part and confirm identities: at once, and for every association to come.",
)

Identity = Annotated[int, typer.Argument(help="Number of the identity.", metavar="ID")]
Tracklets = Annotated[
    list[str], typer.Argument(help="Keys of tracklets of one identity.", metavar="TRACKLET...")
]


@app.command()
def merge(
    identity: Annotated[int, typer.Argument(help="Its number stays.", metavar="A")],
    other: Annotated[int, typer.Argument(help="Its tracklets go over.", metavar="B")],
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Two identities are one person."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        report = edits.merge(store, run_id, identity, other)
    _tell(report, as_json=as_json)


@app.command()
def split(
    tracklets: Tracklets,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """These tracklets are somebody else: one person, with a new number."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        report = edits.split(store, run_id, tracklets)
    _tell(report, as_json=as_json)


@app.command()
def reject(
    tracklet: Annotated[str, typer.Argument(help="Key of the tracklet.", metavar="TRACKLET")],
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """This tracklet is not the person it is linked to; whose it is is not said."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        report = edits.reject(store, run_id, tracklet)
    _tell(report, as_json=as_json)


@app.command()
def relabel(
    tracklets: Tracklets,
    to: Annotated[int, typer.Option(help="Number of the identity that they are.", metavar="ID")],
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """These tracklets are another person, who has a number already."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        report = edits.relabel(store, run_id, tracklets, to)
    _tell(report, as_json=as_json)


@app.command()
def confirm(
    identity: Identity,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """All tracklets of an identity are one person, and no thing."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        report = edits.confirm(store, run_id, identity)
    _tell(report, as_json=as_json)


@app.command()
def undo(database: Database = None, run_number: RunNumber = None, as_json: Json = False) -> None:
    """Take the newest edit of a run back; again: the one before it."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        report = edits.undo(store, queries.resolve_run(store, run_number))
    _tell(report, as_json=as_json)


@app.command()
def name(
    identity: Identity,
    words: Annotated[
        str, typer.Argument(help="Its name; an empty one takes it away.", metavar="NAME")
    ],
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Give an identity a name, where the site file's storage.names allowed that; not undone."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        run_id = queries.resolve_run(store, run_number)
        edits.name(store, run_id, identity, words or None)
    if as_json:
        print_json({"run": run_id, "identity": identity, "name": words or None})


def _tell(report: EditReport, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(report))
        return
    print_table(
        f"run {report.run}, edit {report.edit}: {report.kind}",
        ["tracklet", "identity before", "identity now"],
        [(each.tracklet, each.before, each.now) for each in report.moved],
    )
