"""About how much a tracklet takes in a database, by what is kept of it."""

from typing import Final

from pipeline.types import Embedding, EncodedTracklet

POINT_BYTES: Final = {"sqlite": 51, "postgresql": 112}
"""Measured at 5 million points, indexes included."""
TRACKLET_BYTES: Final = 1_500
"""Its own row, and its link with the evidence of ten pairs."""
NUMBER_BYTES: Final = 2
"""Embeddings are kept as float16."""


def of_tracklet(item: EncodedTracklet, dialect: str) -> int:
    """Bytes that a tracklet takes when it is added."""
    embedding, pictures = item.embedding, sum(len(each.jpeg) for each in item.thumbnails)
    vector = len(embedding.vector) * NUMBER_BYTES if isinstance(embedding, Embedding) else 0
    points = POINT_BYTES[dialect] * len(item.tracklet.scores)
    return TRACKLET_BYTES + points + vector + pictures
