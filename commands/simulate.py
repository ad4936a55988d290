"""`simulate`: videos of a site that never was, with everything about it known exactly."""

from pathlib import Path
from typing import Annotated

import typer

from cameras.simulation.settings import load_simulation
from commands.interrupts import terminated_as_interrupt
from commands.options import watched
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
    with terminated_as_interrupt(), watched() as watch:
        try:
            export(
                simulation,
                description.read_bytes(),
                output,
                lambda done, total: watch("frames", done, total),
                with_masks=masks,
            )
        except SettingsError as error:
            raise UserError(f"{description}: {error}") from None
