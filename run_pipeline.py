"""Multi-camera person tracking that you can query: the command line."""

import sys
from typing import Annotated

import typer

from commands import query, results
from commands.options import Config, Database, Json
from pipeline.errors import UserError

EXIT_USER = 2

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Multi-camera person tracking that you can query.",
)


@app.command()
def run(
    config: Config,
    database: Database = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the newest unfinished run of this site.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Detect, track, embed, associate and store what the cameras of a site saw."""
    # torch and ultralytics take seconds to import, and no other command needs them.
    from commands.run import run_site

    run_site(config, database, resume=resume, as_json=as_json)


app.add_typer(query.app, name="query")
app.command()(results.export)
app.command()(results.evaluate)
app.command()(results.render)


def main() -> None:
    """Run a command: exit code 0 done, 1 a fault of ours, 2 something the user can put right."""
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_USER)


if __name__ == "__main__":
    main()
