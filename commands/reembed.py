"""`reembed`: the people of a run by another encoder, from the small pictures kept of them."""

from dataclasses import asdict, dataclass
from pathlib import Path

from cameras.encoding import clip_of
from commands.association import associate_run, knowledge_of
from commands.interrupts import terminated_as_interrupt
from commands.options import DEFAULT_DATABASE, print_json, watched
from commands.run import pixel_encoder
from pipeline.config import Site, load_site
from pipeline.errors import StoreError
from storage import queries
from storage.store import Store, open_store


@dataclass(frozen=True, slots=True)
class ReembedReport:
    """What `reembed --json` prints."""

    run: int
    site: str
    database: str
    encoder: str
    embedded: int
    kept: int
    tracklets: int
    identities: int


def reembed_run(config: Path, database: str | None, run: int | None, *, as_json: bool) -> None:
    """The command `reembed`: see `run_pipeline.reembed`."""
    site = load_site(config)
    with (
        open_store(database or site.storage.url or DEFAULT_DATABASE, create=False) as store,
        terminated_as_interrupt(),
    ):
        report = execute(site, store, queries.resolve_run(store, run))
    if as_json:
        print_json(asdict(report))
        return
    print(
        f"run {report.run} of {report.site}: {report.embedded} tracklets embedded by"
        f" {report.encoder}, {report.kept} without thumbnails left as they were;"
        f" {report.identities} identities in {report.database}"
    )


def execute(site: Site, store: Store, run_id: int) -> ReembedReport:
    """Embed the tracklets of a run by the site's encoder, and associate them anew.

    All embeddings are replaced at once: stopped before that, nothing has changed; stopped after it,
    the links are still those before.

    Raises:
        StoreError: The run is not of this site, or has no thumbnails.
        UserError: Weights or calibrations are missing, or the database fails.
    """
    if (looked_at := queries.site(store, run_id)) != site.site:
        raise StoreError(f"run {run_id}: expected one of the site {site.site}, got {looked_at}")
    thumbnails = queries.thumbnails(store, run_id)
    if not thumbnails:
        raise StoreError(
            f"run {run_id}: no thumbnails to embed: storage.thumbnails was off, or nothing was seen"
            " in pixels"
        )
    store.claim(run_id)
    knowledge = knowledge_of(site)
    encoder = pixel_encoder(site)
    embeddings = {}
    with watched() as watch:
        for number, (key, jpegs) in enumerate(thumbnails.items(), start=1):
            embeddings[key] = encoder.encode(clip_of(jpegs))
            watch("tracklets embedded", number, len(thumbnails))
    embedded = store.replace_embeddings(run_id, embeddings)
    who = associate_run(store, run_id, knowledge)
    return ReembedReport(
        run=run_id,
        site=site.site,
        database=store.name,
        encoder=encoder.identity.words,
        embedded=embedded,
        kept=who.tracklets - embedded,
        tracklets=who.tracklets,
        identities=who.identities,
    )
