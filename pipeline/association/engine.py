"""Who is who while people come: at once and provisionally, then again over a sliding window.

Online and offline are one: offline is one window over everything. A tracklet gets an identity when
it closes, from what was learned so far and without moving anybody else. From time to time what lies
in the window is decided anew together, by evidence that had not come before. What is older than the
window is frozen: it keeps its identity, and new tracklets may still join it. What is older than the
longest absence as well is forgotten here: memory and work depend on how many people come in a
window, not on how many have come.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from pipeline.association.constraints import cannot_link
from pipeline.association.crowding import with_crowding
from pipeline.association.evidence import links
from pipeline.association.floor_fit import CameraFit
from pipeline.association.identities import FREE, solved_among, taken_over
from pipeline.association.looks import looks_joined
from pipeline.association.resolver import METHOD, Knowledge, Measure, marked, pose
from pipeline.association.seen import Seen
from pipeline.association.transitions import learn_transition_times
from pipeline.types import BoolArray, Embedding, IntArray, Link, NoEmbedding, Tracklet

PROVISIONAL: Final = "provisional"
MEMBERS: Final = 30
"""Of a frozen identity so many tracklets are remembered, its latest: who is seen all day would
else cost more with each hour, because newcomers are compared with all of an identity."""


class AssociationEngine:
    """Identities of tracklets that come one after another.

    Args:
        knowledge: Of the site.
        window_seconds: What ended no longer ago may still change its identity.
        first_identity: Number of the next new identity.
    """

    def __init__(
        self, knowledge: Knowledge, window_seconds: float, first_identity: int = 1
    ) -> None:
        self._knowledge = knowledge
        edits = knowledge.edits
        self._edited = {key for pair in (*edits.together, *edits.apart) for key in pair}
        self._window_us = round(window_seconds * 1e6)
        self._longest_us = round(knowledge.settings.max_absence_seconds * 1e6)
        self._next = first_identity
        self._seen = Seen.of([], [])
        self._keys: set[str] = set()
        self._identities: IntArray = np.empty(0, np.int64)
        self._is_settled: BoolArray = np.empty(0, np.bool_)
        self._is_thing: BoolArray = np.empty(0, np.bool_)
        self._measure, self._looks = Measure.learned(self._seen, knowledge, None)
        self._learned_from = 0

    def __len__(self) -> int:
        """How many tracklets are remembered."""
        return len(self._seen)

    @property
    def keys(self) -> frozenset[str]:
        """Of the tracklets that are remembered."""
        return frozenset(self._keys)

    @property
    def reach_us(self) -> int:
        """How long somebody is remembered: window and longest absence, microseconds."""
        return self._window_us + self._longest_us

    @property
    def fits(self) -> tuple[CameraFit, ...]:
        """Cameras whose clock or floor is not that of the others."""
        return self._measure.fits

    def add(
        self,
        tracklets: Sequence[Tracklet],
        embeddings: Sequence[Embedding | NoEmbedding],
        decided_at_us: int,
    ) -> list[Link]:
        """Provisional links of tracklets that closed, or of open ones, which may come again.

        A tracklet with the key of an earlier one takes its place. Nobody else's identity changes.
        """
        if not tracklets:
            return []
        new = Seen.of(tracklets, embeddings)
        is_new = self._take_in(new, self._replace(new), is_settled=False)
        found = self._decide(is_new, decided_at_us, PROVISIONAL)
        self._is_thing |= np.isin(self._identities, self._identities[self._is_thing])
        return marked(found, self._is_thing[is_new])

    def remember(
        self,
        tracklets: Sequence[Tracklet],
        embeddings: Sequence[Embedding | NoEmbedding],
        identities: Mapping[str, int],
    ) -> None:
        """Take in what was decided before a restart; it may be decided anew in the window.

        Args:
            tracklets: None of them known here yet.
            embeddings: Theirs.
            identities: By the tracklets' keys, of all of them, and perhaps of others: no number is
                given again.
        """
        self._next = max([self._next, *(number + 1 for number in identities.values())])
        if not tracklets:
            return
        new = Seen.of(tracklets, embeddings)
        known = np.array([identities[each.key] for each in new.tracklets], np.int64)
        self._take_in(new, known, is_settled=True)

    def go_on(self, tracklets: Sequence[Tracklet]) -> None:
        """Where those who are still in view have come to by now; who is not known is left out.

        What was told of their appearance still holds. Nobody else can be in their place meanwhile.
        """
        later = {each.key: each for each in tracklets if each.key in self._keys}
        if later:
            keys = [each.key for each in self._seen.tracklets]
            rows = np.flatnonzero([key in later for key in keys])
            self._seen = self._seen.gone_on(rows, [later[keys[row]] for row in rows.tolist()])

    @property
    def following(self) -> int:
        """Number of the next new identity."""
        return self._next

    def forget(self, keys: Collection[str]) -> None:
        """Forget tracklets that have been erased."""
        if not self._keys.isdisjoint(keys):
            self._keep(np.array([each.key not in keys for each in self._seen.tracklets], np.bool_))

    def resolve(self, now_us: int, decided_at_us: int) -> list[Link]:
        """Decide anew who ended in the window before `now_us`, with all that came since.

        Links of those whose identity changed, or was provisional. What has not been seen for longer
        than window and longest absence together is forgotten, and of each identity all but the
        latest `MEMBERS` from before the window.
        """
        self._keep(self._is_of_use(now_us))
        is_free = self._seen.passages.ends >= now_us - self._window_us
        self._learn()
        before, was_thing = self._identities, self._is_thing
        found = self._decide(is_free, decided_at_us, METHOD)
        if self._measure.times is None and self._learn_times():
            found = self._decide(is_free, decided_at_us, METHOD)
        self._learn_times()
        changed = (before != self._identities) | (was_thing != self._is_thing) | ~self._is_settled
        self._is_settled |= is_free
        found = marked(found, self._is_thing[is_free])
        return [link for link, is_told in zip(found, changed[is_free], strict=True) if is_told]

    def _take_in(self, new: Seen, identities: IntArray, *, is_settled: bool) -> BoolArray:
        """Add tracklets that are not known yet; which of all (N,) they are."""
        self._keys.update(tracklet.key for tracklet in new.tracklets)
        self._seen, order = self._seen.joined(new)
        is_new = (np.arange(len(self._seen)) >= len(self._identities))[order]
        if len(self._seen) > 2 * self._learned_from:
            self._learn()
        else:
            moved = self._measure.offsets.taken_away(new.looks, new.passages)
            moved = looks_joined(self._looks, moved).take(order)
            passages = self._seen.passages
            impossible = cannot_link(passages, self._knowledge.transitions)
            self._looks = with_crowding(moved, passages, impossible, is_new)
        settled = np.full(len(new), is_settled)
        self._identities = np.concatenate([self._identities, identities])[order]
        self._is_settled = np.concatenate([self._is_settled, settled])[order]
        self._is_thing = np.concatenate([self._is_thing, np.zeros(len(new), np.bool_)])[order]
        return is_new

    def _decide(self, is_free: BoolArray, decided_at_us: int, method: str) -> list[Link]:
        """Identities of the free, and their links."""
        fixed = np.where(is_free, FREE, self._identities)
        problem = pose(self._seen, self._looks, self._knowledge, self._measure, is_free, fixed)
        clusters = solved_among(problem, fixed)
        self._identities, self._next = taken_over(clusters, self._identities, fixed, self._next)
        if method == METHOD:
            things = problem.things(self._seen, self._knowledge.calibrations, clusters)
            self._is_thing = np.where(is_free, things, self._is_thing)
        return links(
            self._seen.tracklets,
            problem.table,
            self._identities,
            decided_at_us,
            method,
            np.flatnonzero(is_free),
        )

    def _is_of_use(self, now_us: int) -> BoolArray:
        """Who (N,) is to be remembered; always those of whom a user has decided something."""
        ends = self._seen.passages.ends
        of_use = ends >= now_us - self._window_us
        frozen = np.flatnonzero(~of_use & (ends >= now_us - self.reach_us))
        latest_first = frozen[np.lexsort((-ends[frozen], self._identities[frozen]))]
        ranked = self._identities[latest_first]
        rank = np.arange(len(ranked)) - np.searchsorted(ranked, ranked)
        of_use[latest_first[rank < MEMBERS]] = True
        if self._edited:
            keys = [self._seen.tracklets[row].key for row in frozen.tolist()]
            of_use[frozen] |= np.array([key in self._edited for key in keys], np.bool_)
        return of_use

    def _learn(self) -> None:
        """Offsets, crowding and scale from all who are remembered."""
        times = self._measure.times
        self._measure, self._looks = Measure.learned(self._seen, self._knowledge, times)
        self._learned_from = len(self._seen)

    def _learn_times(self) -> bool:
        """Whether there are enough links to tell the times between cameras."""
        longest_s = self._longest_us / 1e6
        times = learn_transition_times(self._seen.passages, self._identities, longest_s)
        self._measure = replace(self._measure, times=times)
        return times is not None

    def _replace(self, new: Seen) -> IntArray:
        """Forget earlier states of these tracklets; the identities that they had."""
        position = {tracklet.key: row for row, tracklet in enumerate(new.tracklets)}
        identities = np.full(len(new), FREE, np.int64)
        if self._keys.isdisjoint(position):
            return identities
        keep = np.ones(len(self._seen), np.bool_)
        for row, tracklet in enumerate(self._seen.tracklets):
            found = position.get(tracklet.key)
            if found is not None:
                identities[found] = self._identities[row]
                keep[row] = False
        self._keep(keep)
        return identities

    def _keep(self, keep: BoolArray) -> None:
        self._seen = self._seen.take(keep)
        self._looks = self._looks.take(keep)
        self._identities = self._identities[keep]
        self._is_settled = self._is_settled[keep]
        self._is_thing = self._is_thing[keep]
        self._keys = {tracklet.key for tracklet in self._seen.tracklets}
