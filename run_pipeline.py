"""Multi-camera person tracking that you can query: the command line."""

import signal
import sys

if __name__ == "__main__" and sys.argv[1:2] == ["run"]:
    # The imports below take seconds. A SIGHUP is held by the kernel until the run listens to it:
    # it must not end the process.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})

from pathlib import Path
from typing import Annotated

import typer

from commands import cameras, identity, query, results, retention, simulate, train
from commands.logs import LogFormat, logged
from commands.options import Config, Database, Json, RunNumber
from pipeline.errors import UserError

EXIT_USER = 2
DEMO = Path(__file__).resolve().parent / "demo"

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
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Tell Prometheus how it goes at http://127.0.0.1:PORT/metrics, and the state at"
            " /health.",
            metavar="[HOST:]PORT",
        ),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option(help="How to say what happens, on standard error.")
    ] = LogFormat.TEXT,
    as_json: Json = False,
) -> None:
    """Detect, track, embed, associate and store what the cameras of a site saw."""
    # torch and ultralytics take seconds to import, and no other command needs them.
    with logged(log_format):
        from commands.run import run_site

        run_site(config, database, resume=resume, as_json=as_json, metrics=metrics)


@app.command()
def reembed(
    config: Config,
    database: Database = None,
    run_number: RunNumber = None,
    as_json: Json = False,
) -> None:
    """Embed a run's people again, by the site's present encoder, and associate them anew.

    From the thumbnails that were kept, which show less than what `run` sees.
    """
    from commands.reembed import reembed_run  # as for `run`

    reembed_run(config, database, run_number, as_json=as_json)


app.add_typer(query.app, name="query")
app.add_typer(identity.app, name="identity")
app.add_typer(cameras.app, name="cameras")
app.add_typer(train.app, name="train")
app.command()(results.export)
app.command()(results.evaluate)
app.command()(results.render)
app.command()(simulate.simulate)
app.command()(retention.retention)
app.command()(retention.audit)


@app.command()
def doctor(
    config: Annotated[
        Path | None, typer.Argument(help="Site file (YAML).", metavar="[CONFIG.yaml]")
    ] = None,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """Look at what this machine has: versions, devices, weights, database, disk."""
    from commands.doctor import examine

    examine(config, database, as_json=as_json)


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("demo-report"),
    weights_dir: Annotated[
        Path | None,
        typer.Option(
            help="Folder with a detector (.pt, *_openvino_model) and a Re-ID encoder; default: the"
            " repository's own."
        ),
    ] = None,
    recorded: Annotated[
        bool,
        typer.Option("--recorded", help="No models: what YOLO26n and retail-0286 saw once."),
    ] = False,
    folder: Annotated[
        Path, typer.Option("--demo", help="Folder of the demo site; default: the repository's.")
    ] = DEMO,
    as_json: Json = False,
) -> None:
    """Run everything on the simulated demo site, without a network, and write a report."""
    from commands.demo import run_demo  # as for `run`

    run_demo(folder, output, weights_dir, recorded=recorded, as_json=as_json)


def main() -> None:
    """Run a command: exit code 0 done, 1 a fault of ours, 2 something the user can put right."""
    try:
        app()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(EXIT_USER)


if __name__ == "__main__":
    main()
