"""Who is who in a run: association between the store and the pipeline."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from cameras.simulation.calibrations import simulated_calibrations
from commands.edited import associate_edited
from pipeline.association.exchanges import exchanges
from pipeline.association.floor_fit import CameraFit, camera_fits
from pipeline.association.metric.weights import load_metric
from pipeline.association.resolver import Knowledge
from pipeline.association.seen import Seen
from pipeline.calibration import load_calibrations
from pipeline.config import Site
from pipeline.types import UNSUPPORTED, Embedding, NoEmbedding, Tracklet
from storage import edits, queries
from storage.linking import EditedMeanwhileError, UnknownTrackletError
from storage.store import Store


def knowledge_of(site: Site) -> Knowledge:
    """What association is told of a site: calibrations, also of its simulations, and the metric.

    Raises:
        UserError: A file that the site names is missing or wrong.
    """
    calibrations = {**simulated_calibrations(site), **load_calibrations(site)}
    path = site.association.metric
    metric = None if path is None else load_metric(path)
    return Knowledge(calibrations, site.transitions, site.association, metric=metric)


@dataclass(frozen=True, slots=True)
class Association:
    """What came out of an association.

    Attributes:
        tracklets: How many there are.
        identities: How many people.
        things: Numbers of identities that are rather things.
        fits: Cameras whose clock or floor is not that of the others.
    """

    tracklets: int
    identities: int
    things: tuple[int, ...]
    fits: tuple[CameraFit, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What users should know of it, a line each."""
        found = [f"{fit.words}; association allows for it" for fit in self.fits]
        if self.things:
            numbers = ", ".join(map(str, self.things))
            found.append(
                "never moved where other cameras see nobody, and left out as things: identities"
                f" {numbers} (query identities --things)"
            )
        return tuple(found)


def associate_run(store: Store, run_id: int, knowledge: Knowledge) -> Association:
    """Decide who is who among all tracklets of the run, and split those that show two people.

    Where somebody erases or edits tracklets meanwhile, once more as they are now.
    """
    stored = store.load_tracklets(run_id)
    fits = camera_fits(_seen(stored), knowledge.calibrations)
    if _split_exchanged(store, run_id, _seen(stored), knowledge, fits):
        stored = store.load_tracklets(run_id)
    decided = edits.decided(store, run_id)
    tracklets = [tracklet for tracklet, _ in stored]
    embeddings = [embedding for _, embedding in stored]
    links = associate_edited(tracklets, embeddings, knowledge, decided, time.time_ns() // 1000)
    try:
        store.set_links(run_id, links, decided.version)
    except (UnknownTrackletError, EditedMeanwhileError):
        return associate_run(store, run_id, knowledge)
    things = {link.identity for link in links if link.method == UNSUPPORTED}
    people = {link.identity for link in links} - things
    return Association(len(stored), len(people), tuple(sorted(things)), fits)


def _seen(stored: Sequence[tuple[Tracklet, Embedding | NoEmbedding]]) -> Seen:
    return Seen.of([tracklet for tracklet, _ in stored], [embedding for _, embedding in stored])


def _split_exchanged(
    store: Store, run_id: int, seen: Seen, knowledge: Knowledge, fits: Sequence[CameraFit]
) -> bool:
    """Split tracklets of two people, as far as their cameras have ended; whether there were any.

    Others are read again when the run is resumed, and come back whole.
    """
    ended = store.ended_cameras(run_id)
    sigma_m = knowledge.settings.ground_plane_sigma_m
    splits = exchanges(seen, knowledge.calibrations, sigma_m, fits)
    splits = [split for split in splits if split.tracklet.rpartition("/")[0] in ended]
    return bool(splits) and store.split_tracklets(run_id, splits) > 0


def associated(store: Store, run_id: int, fits: Sequence[CameraFit]) -> Association:
    """What a live association has stored."""
    people = queries.identities(store, run_id)
    things = queries.identities(store, run_id, things=True)
    tracklets = sum(each.tracklets for each in (*people, *things))
    return Association(tracklets, len(people), tuple(t.identity for t in things), tuple(fits))
