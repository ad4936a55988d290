"""`simulate`: videos of a site that never was, with everything about it known exactly."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cameras.simulation.settings import load_simulation
from commands.interrupts import terminated_as_interrupt
from pipeline.errors import SettingsError, UserError


def simulate(
    description: Annotated[
        Path, typer.Argument(help="Simulation file (YAML).", metavar="SIMULATION.yaml")
    ],
    output: Annotated[
        Path, typer.Option(help="Folder for videos, truth, calibrations and the site file.")
    ],
    masks: Annotated[
        bool, typer.Option("--masks", help="Also a picture a frame: whose each pixel is.")
    ] = False,
) -> None:
    """Render a simulated site: videos, ground truth, calibrations, and a site file to run."""
    # The renderer takes a while to import, and no other command needs it.
    from cameras.simulation.export import SITE_FILE, export

    simulation = load_simulation(description)
    if description.resolve() == (output / SITE_FILE).resolve():
        raise UserError(f"{description}: the site file that is made would replace it; rename it")
    console = Console(stderr=True)
    with (
        terminated_as_interrupt(),
        Progress(
            TextColumn("frames"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as progress,
    ):
        bar = progress.add_task("frames", total=None)
        try:
            export(
                simulation,
                description.read_bytes(),
                output,
                lambda done, total: progress.update(bar, completed=done, total=total),
                with_masks=masks,
            )
        except SettingsError as error:
            raise UserError(f"{description}: {error}") from None
