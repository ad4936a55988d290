"""Why a tracklet has its identity, in words and as a picture."""

from collections.abc import Mapping

from pipeline.rendering import EvidenceRow, SheetPassage, evidence_sheet
from pipeline.types import UNSUPPORTED, ImageArray
from storage.explanations import Explanation, Pair

CLEAR = 0.5
"""Evidence of fewer log-odds says hardly anything."""


def decision(explanation: Explanation) -> str:
    """What was decided, and on what whole."""
    alone = not any(pair.same_identity for pair in explanation.pairs)
    because = (
        "no other tracklet was close enough"
        if alone
        else f"its mean evidence with the others is {explanation.evidence.log_odds:+.1f} log-odds"
    )
    if explanation.method == UNSUPPORTED:
        because += (
            "; it is rather a thing than a person, and not counted: it never moves, and cameras"
            " that see people there do not see it"
        )
    return (
        f"{explanation.tracklet} is identity {explanation.identity} of run {explanation.run}:"
        f" {because} ({explanation.method}, decided {explanation.decided_at},"
        f" {explanation.earlier_decisions} earlier decisions)"
    )


def reasons(explanation: Explanation, pair: Pair) -> list[str]:
    """What speaks for and against one other tracklet, a line each part that says something."""
    parts = pair.evidence
    looks = "no embedding to compare"
    if pair.similarity is not None:
        looks = f"{_leaning(parts.appearance, 'looks like it', 'looks unlike it')}"
        looks += f", similarity {pair.similarity:.2f} ({parts.appearance:+.1f})"
    found = [looks]
    usual = ""
    if abs(parts.transition_time) >= CLEAR:
        usual = _leaning(parts.transition_time, ", as often happens", ", as seldom happens")
    found.append(f"{_way(explanation, pair)}{usual} ({parts.transition_time:+.1f})")
    if abs(parts.ground_plane) >= CLEAR:
        where = _leaning(parts.ground_plane, "at the same place", "at other places")
        found.append(f"{where} on the floor ({parts.ground_plane:+.1f})")
    if parts.edits:
        found.append(f"a user {'joined' if parts.edits > 0 else 'parted'} them")
    return found


def picture(explanation: Explanation, thumbnails: Mapping[str, tuple[bytes, ...]]) -> ImageArray:
    """The tracklet beside each of its pairs, with the reasons; BGR (H, W, 3)."""
    subject = _passage(explanation, thumbnails)
    rows = [
        EvidenceRow(
            other=_passage(pair, thumbnails),
            title=f"{'same person' if pair.same_identity else 'another'}:"
            f" identity {pair.identity or '-'}, {pair.evidence.log_odds:+.1f} log-odds",
            lines=tuple(reasons(explanation, pair)),
        )
        for pair in explanation.pairs
    ]
    return evidence_sheet(decision(explanation).split(" (")[0], subject, rows)


def _leaning(log_odds: float, positive: str, negative: str) -> str:
    return positive if log_odds > 0 else negative


def _way(explanation: Explanation, pair: Pair) -> str:
    """Who was where first, and how long it took to the other."""
    both: list[Explanation | Pair] = [explanation, pair]
    first, second = sorted(both, key=lambda each: each.enter_us)
    seconds = (second.enter_us - first.leave_us) / 1e6
    if seconds < 0:
        shared = (min(first.leave_us, second.leave_us) - second.enter_us) / 1e6
        return f"both in view for {shared:.0f} s"
    if first.camera == second.camera:
        return f"back at {first.camera} after {seconds:.0f} s"
    return f"from {first.camera} to {second.camera} in {seconds:.0f} s"


def _passage(
    shown: Explanation | Pair, thumbnails: Mapping[str, tuple[bytes, ...]]
) -> SheetPassage:
    kept = thumbnails.get(shown.tracklet, ())
    middle = kept[len(kept) // 2 : len(kept) // 2 + 1]
    return SheetPassage(shown.tracklet, shown.camera, shown.enter_us, shown.leave_us, middle)
