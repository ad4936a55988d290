"""What parts of association beyond evidence on pairs do: a learned metric, time, users' edits."""

import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from association_recordings import Recording, people_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pipeline.association.appearance import CameraOffsets, SimilarityScale
from pipeline.association.constraints import cannot_link
from pipeline.association.engine import AssociationEngine
from pipeline.association.exchanges import exchanges
from pipeline.association.floor_fit import camera_fits
from pipeline.association.metric.metric import LocalityAwareMetric
from pipeline.association.metric.training.recipe import MetricRecipe, Source
from pipeline.association.metric.training.tracklets import LabelledTracklets, joined
from pipeline.association.metric.training.training import train
from pipeline.association.resolver import Edits, Knowledge, Measure, associate, pose
from pipeline.association.seen import Seen
from pipeline.reid.ranking.expansion import expanded_gallery
from pipeline.types import Embedding, IntArray, NoEmbedding, Tracklet

WINDOW_S: Final = 120.0
"""What ended no longer ago may still change its identity, half of it between two decisions."""
EVERY_S: Final = 2.0
EDITS: Final = 10


def knowledge(recording: Recording) -> Knowledge:
    """All that is known of a site before anybody comes."""
    return Knowledge(recording.calibrations, recording.site.transitions, recording.site.association)


def decided(recording: Recording, known: Knowledge) -> IntArray:
    """Identities (N,), all tracklets at once."""
    links = associate(recording.tracklets, recording.embeddings, known, decided_at_us=0)
    numbers = {link.tracklet: link.identity for link in links}
    return np.array([numbers[tracklet.key] for tracklet in recording.tracklets], np.int64)


def divided(recording: Recording) -> Recording:
    """With the tracklets of exchanged people split, as `run` hands them to association."""
    known = knowledge(recording)
    seen = Seen.of(recording.tracklets, recording.embeddings)
    fits = camera_fits(seen, known.calibrations)
    splits = exchanges(seen, known.calibrations, known.settings.ground_plane_sigma_m, fits)
    if not splits:
        return recording
    frames: defaultdict[str, list[int]] = defaultdict(list)
    for split in splits:
        frames[split.tracklet].append(split.frame_index)
    moved: Counter[tuple[str, int]] = Counter()
    tracklets: list[Tracklet] = []
    embeddings: list[Embedding | NoEmbedding] = []
    rows = zip(recording.tracklets, recording.embeddings, strict=True)
    for tracklet, embedding in sorted(rows, key=lambda row: row[0].part):
        track = tracklet.camera_id, tracklet.track_id
        firsts = np.searchsorted(tracklet.frame_indices, sorted(frames[tracklet.key])).tolist()
        for since, until in pairwise([0, *firsts, len(tracklet.scores)]):
            part = _piece(tracklet, slice(since, until), tracklet.part + moved[track])
            moved[track] += 2 * (until < len(tracklet.scores))
            tracklets.append(part)
            embeddings.append(NoEmbedding() if firsts else embedding)
    persons, is_mixed = people_of(recording.site, tracklets)
    return replace(
        recording,
        tracklets=tracklets,
        embeddings=embeddings,
        persons=persons,
        is_mixed=is_mixed,
    )


def _piece(tracklet: Tracklet, rows: slice, part: int) -> Tracklet:
    return replace(
        tracklet,
        part=part,
        frame_indices=tracklet.frame_indices[rows],
        timestamps_us=tracklet.timestamps_us[rows],
        boxes=tracklet.boxes[rows],
        scores=tracklet.scores[rows],
    )


def by_plain_cosine(recording: Recording) -> IntArray:
    """Identities (N,) by appearance alone, if cosines are read as they are.

    How alike two are to others plays no part.
    """
    known = replace(knowledge(recording), calibrations={})
    seen = Seen.of(recording.tracklets, recording.embeddings)
    offsets = CameraOffsets.learned(seen.looks, seen.passages)
    looks = offsets.taken_away(seen.looks, seen.passages)
    impossible = cannot_link(seen.passages, known.transitions)
    scale = SimilarityScale.for_run(looks, seen.passages, impossible, None)
    clusters = pose(seen, looks, known, Measure(offsets, scale, None)).solved().tolist()
    keys = (tracklet.key for tracklet in seen.tracklets)
    numbers = dict(zip(keys, clusters, strict=True))
    return np.array([numbers[tracklet.key] for tracklet in recording.tracklets], np.int64)


def expanded(recording: Recording) -> IntArray:
    """Identities (N,) where each embedding has been moved towards those most like it.

    Of the ways of re-ranking the one that gives embeddings again, so that all else stays as it is.
    """
    rows = [row for row, one in enumerate(recording.embeddings) if isinstance(one, Embedding)]
    known = [one for one in recording.embeddings if isinstance(one, Embedding)]
    moved = expanded_gallery(np.stack([one.vector for one in known]))
    embeddings = list(recording.embeddings)
    for row, one, vector in zip(rows, known, moved, strict=True):
        embeddings[row] = Embedding(vector, one.encoder)
    return decided(replace(recording, embeddings=embeddings), knowledge(recording))


def cautious(recording: Recording, least_confidence: float) -> IntArray:
    """Identities (N,) where links below a confidence are not made."""
    settings = recording.site.association.model_copy(update={"least_confidence": least_confidence})
    return decided(recording, replace(knowledge(recording), settings=settings))


# As people come.


def replayed(recording: Recording, *, resolve: bool) -> IntArray:
    """Identities (N,) as told last when tracklets come one after another, as live.

    Args:
        recording: The tracklets.
        resolve: Whether the last two minutes are decided anew every minute, and at the end.
    """
    engine = AssociationEngine(knowledge(recording), WINDOW_S)
    ends = np.array([tracklet.end_us for tracklet in recording.tracklets])
    order = np.argsort(ends, kind="stable").tolist()
    ends = ends[order]
    slots = (ends - ends[0]) // int(EVERY_S * 1e6)
    told: dict[str, int] = {}
    following = ends[0] + int(WINDOW_S / 2 * 1e6)
    for slot in np.unique(slots):
        rows = [order[place] for place in np.flatnonzero(slots == slot)]
        now_us = int(ends[0] + (slot + 1) * EVERY_S * 1e6)
        links = engine.add(
            [recording.tracklets[row] for row in rows],
            [recording.embeddings[row] for row in rows],
            decided_at_us=0,
        )
        if resolve and (now_us >= following or slot == slots[-1]):
            links += engine.resolve(now_us, decided_at_us=0)
            following = now_us + int(WINDOW_S / 2 * 1e6)
        told.update({link.tracklet: link.identity for link in links})
    return np.array([told[tracklet.key] for tracklet in recording.tracklets], np.int64)


# A user who corrects.


def corrected(recording: Recording) -> IntArray:
    """Identities (N,) after a user corrected the ten longest tracklets under a wrong identity.

    An identity is the person's whom it shows longest, and a person's true one the longest of these.
    Each correction says that a tracklet is none of those it was put with, and with whom it belongs.
    """
    before = decided(recording, knowledge(recording))
    keys = [tracklet.key for tracklet in recording.tracklets]
    boxes = np.array([len(tracklet.boxes) for tracklet in recording.tracklets])
    owner, home = _owners(before, recording.persons, boxes)
    together: list[tuple[str, str]] = []
    apart: list[tuple[str, str]] = []
    wrong = [
        row
        for row in np.argsort(-boxes, kind="stable").tolist()
        if before[row] != home[int(recording.persons[row])]
    ]
    for row in wrong[:EDITS]:
        person, identity = int(recording.persons[row]), int(before[row])
        if owner[identity] != person:
            others = np.flatnonzero((before == identity) & (recording.persons != person))
            apart += [(keys[row], keys[other]) for other in others.tolist()]
        if owner[home[person]] == person:
            together.append((keys[row], keys[_longest(before == home[person], person, recording)]))
    edits = Edits(tuple(together), tuple(apart))
    return decided(recording, replace(knowledge(recording), edits=edits))


def _owners(
    identities: IntArray, persons: IntArray, boxes: IntArray
) -> tuple[dict[int, int], dict[int, int]]:
    """Person by identity, and identity by person: with whom each has the most boxes in common."""
    found, rows = np.unique(identities, return_inverse=True)
    people, columns = np.unique(persons, return_inverse=True)
    shared = np.zeros((len(found), len(people)))
    np.add.at(shared, (rows, columns), boxes)
    owner = dict(zip(found.tolist(), people[shared.argmax(axis=1)].tolist(), strict=True))
    home = dict(zip(people.tolist(), found[shared.argmax(axis=0)].tolist(), strict=True))
    return owner, home


def _longest(members: np.ndarray, person: int, recording: Recording) -> int:
    """Row of the longest of these tracklets that is of this person."""
    rows = np.flatnonzero(members & (recording.persons == person)).tolist()
    return int(max(rows, key=lambda row: (len(recording.tracklets[row].boxes), -row)))


# A metric that was learnt elsewhere.


def learnt_metric(recordings: Sequence[Recording]) -> LocalityAwareMetric:
    """The locality-aware metric from the truth of these sites, with its default settings."""
    recipe = MetricRecipe(name="benchmark", train=(Source(database="sqlite://"),))
    parts = [_labelled(number, one) for number, one in enumerate(recordings)]
    encoder = next(e.encoder for e in recordings[0].embeddings if isinstance(e, Embedding))
    return train(joined(parts), encoder, recipe, lambda _done, _total: None).metric


def _labelled(number: int, recording: Recording) -> LabelledTracklets:
    """Tracklets of one person each, with the truth. People and cameras are this site's alone."""
    seen = Seen.of(recording.tracklets, recording.embeddings)
    order = {tracklet.key: row for row, tracklet in enumerate(recording.tracklets)}
    rows = np.array([order[tracklet.key] for tracklet in seen.tracklets])
    looks = CameraOffsets.learned(seen.looks, seen.passages).taken_away(seen.looks, seen.passages)
    members = seen.looks.galleries[0].members
    pure = ~recording.is_mixed[rows[members]]
    taken = members[pure]
    count, many = len(taken), 1_000_000
    return LabelledTracklets(
        vectors=looks.galleries[0].vectors[pure],
        encoded=seen.looks.galleries[0].vectors[pure],
        runs=np.full(count, number),
        cameras=seen.passages.camera[taken] + number * many,
        start_us=seen.passages.starts[taken],
        end_us=seen.passages.ends[taken],
        person=recording.persons[rows[taken]] + number * many,
        is_true=np.ones(count, np.bool_),
        apart=np.empty((0, 2), np.int64),
    )


def measured(recording: Recording, metric: LocalityAwareMetric) -> IntArray:
    """Identities (N,) where a metric reads the embeddings, which one encoder made at all sites."""
    encoder = next(e.encoder for e in recording.embeddings if isinstance(e, Embedding))
    local = replace(metric, encoder=encoder)
    return decided(recording, replace(knowledge(recording), metric=local))
