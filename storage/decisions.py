"""What all edits of a run say together: who is one person, and who is not."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Decision:
    """What one edit says of tracklets, by the numbers of their rows.

    Attributes:
        moved: One person, together with those that they joined.
        joined: One person.
        left: None of them is the person of those that moved away from them.
    """

    moved: tuple[int, ...]
    joined: tuple[int, ...] = ()
    left: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraints:
    """Pairs of tracklets, by the numbers of their rows.

    Attributes:
        together: That are one person; chains, each through a whole group.
        apart: That are not; one pair for two groups.
    """

    together: tuple[tuple[int, int], ...]
    apart: tuple[tuple[int, int], ...]


def constraints(decisions: Iterable[Decision]) -> Constraints:
    """What holds after all decisions, oldest first: what a later one says outweighs the earlier.

    Nobody is both together and apart, also by way of others.
    """
    decisions = list(decisions)
    group_of = _groups(decisions)
    head = {tracklet: min(group) for tracklet, group in group_of.items()}
    groups = {head[tracklet]: group for tracklet, group in group_of.items()}.values()
    together = [pair for group in groups for pair in pairwise(sorted(group))]
    apart = set()
    for decision in decisions:
        left = {head.get(tracklet, tracklet) for tracklet in decision.left}
        moved = {head[tracklet] for tracklet in decision.moved}
        apart |= {(min(a, b), max(a, b)) for a in left for b in moved if a != b}
    return Constraints(tuple(sorted(together)), tuple(sorted(apart)))


def _groups(decisions: Iterable[Decision]) -> dict[int, set[int]]:
    """Whom each tracklet is together with: who moves leaves the group that he was in."""
    groups: dict[int, set[int]] = {}
    for decision in decisions:
        for tracklet in decision.moved:
            groups.pop(tracklet, set()).discard(tracklet)
        one = set(decision.moved)
        for tracklet in decision.joined:
            if tracklet not in one:
                one |= groups.get(tracklet, {tracklet})
        groups |= dict.fromkeys(one, one)
    return groups
