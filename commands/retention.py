"""`retention` and `audit`: what a site keeps, and what was done to what it kept."""

from dataclasses import asdict

from commands.options import (
    DEFAULT_DATABASE,
    Config,
    Database,
    Json,
    print_json,
    print_table,
)
from pipeline.config import load_site
from storage.audit import entries
from storage.retention import Retention
from storage.store import open_store


def retention(config: Config, database: Database = None, as_json: Json = False) -> None:
    """Erase now what is beyond the limits of a site file's `storage`; `run` does it every hour."""
    site = load_site(config)
    with open_store(database or site.storage.url or DEFAULT_DATABASE, create=False) as store:
        erased = Retention(store, site.site, site.storage).enforce()
        name = store.name
    if as_json:
        print_json({"site": site.site, "database": name, **asdict(erased)})
        return
    counts = ", ".join(f"{count} {part}" for part, count in asdict(erased).items())
    print(f"{site.site} in {name}: {counts} erased")


def audit(database: Database = None, as_json: Json = False) -> None:
    """What was exported, edited and erased, and when; nobody's data."""
    with open_store(database or DEFAULT_DATABASE, create=False) as store:
        found = entries(store)
    if as_json:
        print_json({"entries": [asdict(entry) for entry in found]})
        return
    print_table(
        f"{len(found)} entries",
        ["at", "what", "site", "run", "details"],
        [
            (
                entry.at,
                entry.action,
                entry.site,
                entry.run or "-",
                ", ".join(f"{name} {value}" for name, value in entry.details.items()),
            )
            for entry in found
        ],
    )
