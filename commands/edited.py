"""Association of a run that users have edited: it obeys them, and numbers stay."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.association.identities import FREE, taken_over
from pipeline.association.resolver import METHOD, Edits, Knowledge, associate
from pipeline.types import UNSUPPORTED, Embedding, Link, NoEmbedding, Tracklet
from storage.edits import Decided


def associate_edited(
    tracklets: Sequence[Tracklet],
    embeddings: Sequence[Embedding | NoEmbedding],
    knowledge: Knowledge,
    decided: Decided,
    decided_at_us: int,
) -> list[Link]:
    """Links that hold what users decided; a run that nobody has edited is numbered from 1."""
    edits = Edits(decided.together, decided.apart)
    links = associate(tracklets, embeddings, replace(knowledge, edits=edits), decided_at_us)
    if not decided.version.made:
        return links
    return _with_numbers(_with_people(links, decided), decided)


def _with_people(links: Sequence[Link], decided: Decided) -> list[Link]:
    """Whom a user has taken for a person is no thing."""
    people = {link.identity for link in links if link.tracklet in decided.people}
    return [
        replace(link, method=METHOD)
        if link.method == UNSUPPORTED and link.identity in people
        else link
        for link in links
    ]


def _with_numbers(links: Sequence[Link], decided: Decided) -> list[Link]:
    """Identities keep the numbers that users know, by most tracklets in common."""
    clusters = np.array([link.identity - 1 for link in links], np.int64)
    earlier = np.array([decided.numbers.get(link.tracklet, FREE) for link in links], np.int64)
    free = np.full(len(links), FREE, np.int64)
    numbers, _ = taken_over(clusters, earlier, free, decided.following)
    return [replace(link, identity=int(n)) for link, n in zip(links, numbers, strict=True)]
