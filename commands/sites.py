"""What a run knows of its site: the settings that it was begun with, and the files these name."""

from cameras.simulation.calibrations import simulated_calibrations
from pipeline.calibration import load_calibrations
from pipeline.config import Site, stored_site
from pipeline.errors import SettingsError
from pipeline.types import Calibrations
from storage import queries
from storage.store import Store


def site_of_run(store: Store, run_id: int) -> Site:
    """The site as it was when the run began; files that it names may have changed since.

    Raises:
        SettingsError: Another version of this program began the run.
    """
    try:
        return stored_site(queries.settings(store, run_id))
    except SettingsError as error:
        raise SettingsError(f"run {run_id}: {error}") from None


def calibrations_of(site: Site) -> Calibrations:
    """Of all its calibrated cameras, also simulated ones.

    Raises:
        UserError: A file that the site names is missing or wrong.
    """
    return {**simulated_calibrations(site), **load_calibrations(site)}
