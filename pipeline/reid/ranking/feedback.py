"""A ranked list after a person has confirmed and rejected some of it: Rocchio 1971."""

from dataclasses import dataclass

import numpy as np

from pipeline.types import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Feedback:
    """Entries of the gallery a person has looked at.

    Attributes:
        confirmed: Those who are the person sought, in the order marked.
        rejected: Those who are not.

    Raises:
        ValueError: An entry is both.
    """

    confirmed: tuple[int, ...]
    rejected: tuple[int, ...]

    def __post_init__(self) -> None:
        both = sorted(set(self.confirmed) & set(self.rejected))
        if both:
            raise ValueError(f"expected entries confirmed or rejected, got both for {both}")


def refined_query(
    query: FloatArray,
    gallery: FloatArray,
    feedback: Feedback,
    towards: float = 1.0,
    away: float = 0.25,
) -> FloatArray:
    """The query (D,) moved to the mean of those confirmed and from that of those rejected; unit."""
    moved = np.array(query, np.float64)
    for entries, share in ((feedback.confirmed, towards), (feedback.rejected, -away)):
        if entries:
            moved += share * gallery[list(entries)].mean(axis=0)
    return np.asarray(moved / max(float(np.linalg.norm(moved)), 1e-12), np.float32)


def order_after(
    query: FloatArray,
    gallery: FloatArray,
    feedback: Feedback,
    towards: float = 1.0,
    away: float = 0.25,
) -> IntArray:
    """Gallery entries, best first: those confirmed, then the others by the refined query.

    Rejected ones are not among them; equals come in order of index.

    Args:
        query: (D,).
        gallery: (G, D).
        feedback: What has been marked in all rounds so far.
        towards: Weight of the mean of those confirmed.
        away: Weight of the mean of those rejected.
    """
    similarities = gallery @ refined_query(query, gallery, feedback, towards, away)
    marked = set(feedback.confirmed) | set(feedback.rejected)
    others = np.array([e for e in np.argsort(-similarities, kind="stable") if e not in marked])
    return np.concatenate([np.array(feedback.confirmed, np.int64), others.astype(np.int64)])
