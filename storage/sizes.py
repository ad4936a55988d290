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
    vector = len(embedding.vector) if isinstance(embedding, Embedding) else 0
    return of_parts(len(item.tracklet.scores), vector, pictures, dialect)


def of_parts(boxes: int, numbers: int, pictures: int, dialect: str) -> int:
    """The same by how many boxes and numbers of an embedding it has, and bytes of pictures."""
    return TRACKLET_BYTES + POINT_BYTES[dialect] * boxes + NUMBER_BYTES * numbers + pictures
