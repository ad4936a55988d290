"""What scores must be held against: who would be who if nothing clever were done.

Both take the tracklets and embeddings that association takes, so that what differs in the scores
is association alone.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from scipy.spatial.distance import squareform

from pipeline.association.clustering import average_link
from pipeline.association.looks import Looks
from pipeline.association.pairs import Pairs
from pipeline.types import Embedding, IntArray, NoEmbedding

THRESHOLD: Final = 0.6
ONE_EACH: Final = "one identity per tracklet"
COSINE_ALONE: Final = f"cosine above {THRESHOLD:g} alone"
"""The threshold is a usual one, tuned on nothing."""


def baselines(embeddings: Sequence[Embedding | NoEmbedding]) -> Mapping[str, IntArray]:
    """Identities (N,) from 0 that each baseline gives to N tracklets, by the baseline's name."""
    return {ONE_EACH: np.arange(len(embeddings)), COSINE_ALONE: cosine_alone(embeddings)}


def cosine_alone(embeddings: Sequence[Embedding | NoEmbedding]) -> IntArray:
    """Identities (N,) by average link of cosines above `THRESHOLD`.

    As they are: no camera offsets, no times, no floor, nothing that cannot be. Tracklets without
    an embedding, or of another encoder, are joined with nobody.
    """
    if len(embeddings) < 2:
        return np.arange(len(embeddings))
    cosines = Looks.of(embeddings).similarities(Pairs.all(len(embeddings)))
    above = squareform(cosines - THRESHOLD)
    unknown = np.isnan(above)
    return average_link(np.where(unknown, 0, above), unknown)
