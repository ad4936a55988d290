"""`identity`: what users decide about identities, and what they do with all data of one."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from commands.options import (
    Database,
    Json,
    RunNumber,
    opened_run,
    print_json,
    print_table,
)
from storage import edits
from storage.edits import EditReport
from storage.erasure import erase_identity
from storage.person import export_identity

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
    with opened_run(database, run_number) as (store, run_id):
        _tell(edits.merge(store, run_id, identity, other), as_json=as_json)


@app.command()
def split(
    tracklets: Tracklets,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """These tracklets are somebody else: one person, with a new number."""
    with opened_run(database, run_number) as (store, run_id):
        _tell(edits.split(store, run_id, tracklets), as_json=as_json)


@app.command()
def reject(
    tracklet: Annotated[str, typer.Argument(help="Key of the tracklet.", metavar="TRACKLET")],
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """This tracklet is not the person it is linked to; whose it is is not said."""
    with opened_run(database, run_number) as (store, run_id):
        _tell(edits.reject(store, run_id, tracklet), as_json=as_json)


@app.command()
def relabel(
    tracklets: Tracklets,
    to: Annotated[int, typer.Option(help="Number of the identity that they are.", metavar="ID")],
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """These tracklets are another person, who has a number already."""
    with opened_run(database, run_number) as (store, run_id):
        _tell(edits.relabel(store, run_id, tracklets, to), as_json=as_json)


@app.command()
def confirm(
    identity: Identity,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """All tracklets of an identity are one person, and no thing."""
    with opened_run(database, run_number) as (store, run_id):
        _tell(edits.confirm(store, run_id, identity), as_json=as_json)


@app.command()
def undo(database: Database = None, run_number: RunNumber = None, as_json: Json = False) -> None:
    """Take the newest edit of a run back; again: the one before it."""
    with opened_run(database, run_number) as (store, run_id):
        _tell(edits.undo(store, run_id), as_json=as_json)


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
    with opened_run(database, run_number) as (store, run_id):
        edits.name(store, run_id, identity, words or None)
    if as_json:
        print_json({"run": run_id, "identity": identity, "name": words or None})


@app.command()
def erase(
    identity: Identity,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Erase everything about one person, for good; what was exported or rendered is not reached."""
    with opened_run(database, run_number) as (store, run_id):
        if sys.stdin.isatty():
            typer.confirm(f"erase identity {identity} of run {run_id} for good?", abort=True)
        report = erase_identity(store, run_id, identity)
    if not report.is_wiped:
        print("warning: others read the database: free space is not wiped yet", file=sys.stderr)
    if as_json:
        print_json(asdict(report))
        return
    gone = ", ".join(f"{count} {name}" for name, count in asdict(report.rows).items())
    print(f"run {run_id}: identity {identity} is erased: {gone}")


@app.command()
def export(
    identity: Identity,
    output: Annotated[Path, typer.Option(help="Zip file to write.", metavar="FILE.zip")],
    database: Database = None,
    run_number: RunNumber = None,
) -> None:
    """Everything about one person in one file: ways, points, pictures, embeddings, decisions."""
    with opened_run(database, run_number) as (store, run_id):
        export_identity(store, run_id, identity, output)
    print(output, file=sys.stderr)


def _tell(report: EditReport, *, as_json: bool) -> None:
    if as_json:
        print_json(asdict(report))
        return
    print_table(
        f"run {report.run}, edit {report.edit}: {report.kind}",
        ["tracklet", "identity before", "identity now"],
        [(each.tracklet, each.before, each.now) for each in report.moved],
    )
