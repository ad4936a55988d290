"""`simulate`: videos of a site that never was, with everything about it known exactly."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cameras.simulation.settings import load_simulation


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
    from cameras.simulation.export import export

    simulation = load_simulation(description)
    console = Console(stderr=True)
    with Progress(
        TextColumn("frames"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        bar = progress.add_task("frames", total=None)
        export(
            simulation,
            description.read_bytes(),
            output,
            lambda done, total: progress.update(bar, completed=done, total=total),
            with_masks=masks,
        )
