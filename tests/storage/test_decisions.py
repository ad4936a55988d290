"""Many edits as one set of constraints: later ones outweigh earlier ones, none contradict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.decisions import Constraints, Decision, constraints

Pairs = tuple[tuple[int, int], ...]


@pytest.mark.parametrize(
    ("decisions", "together", "apart"),
    [
        ([], (), ()),
        # Two identities merged: one person, in one chain.
        ([Decision((3, 4), joined=(1, 2))], ((1, 2), (2, 3), (3, 4)), ()),
        # Two of four taken out: one person, and none of those that are left; of these nothing.
        ([Decision((2, 3), left=(1, 4))], ((2, 3),), ((1, 2), (2, 4))),
        # One refused, the only one that moves: it is together with nobody.
        ([Decision((2,), left=(1, 4))], (), ((1, 2), (2, 4))),
        # Given to somebody else.
        ([Decision((2,), joined=(7, 8), left=(1,))], ((2, 7), (7, 8)), ((1, 2),)),
        # Merged, then one of them taken out: the later holds, the others stay together.
        (
            [Decision((3,), joined=(1, 2)), Decision((2,), left=(1, 3))],
            ((1, 3),),
            ((1, 2),),
        ),
        # Taken out, then merged again: the later holds.
        ([Decision((2,), left=(1,)), Decision((2,), joined=(1,))], ((1, 2),), ()),
        # Merged with one who is known to be together with others, and apart from one more.
        (
            [
                Decision((5,), joined=(4,)),
                Decision((5, 4), left=(9,)),
                Decision((1,), joined=(4, 5)),
            ],
            ((1, 4), (4, 5)),
            ((1, 9),),
        ),
        # Confirmed: all who are there.
        ([Decision((1, 2, 3))], ((1, 2), (2, 3)), ()),
        ([Decision((1,))], (), ()),
        # Those who were left are together by now: one pair says it for all.
        ([Decision((1,), left=(2, 3)), Decision((2, 3))], ((2, 3),), ((1, 2),)),
    ],
)
def test_by_hand(decisions: list[Decision], together: Pairs, apart: Pairs) -> None:
    assert constraints(decisions) == Constraints(together, apart)


tracklets = st.lists(st.integers(1, 8), unique=True, max_size=4)


@st.composite
def decision(draw: st.DrawFn) -> Decision:
    """Of tracklets that have one role each, as those of a real edit."""
    order = draw(st.permutations(range(1, 9)))
    first, second = sorted(draw(st.tuples(st.integers(1, 6), st.integers(1, 6))))
    third = draw(st.integers(second, 8))
    return Decision(tuple(order[:first]), tuple(order[first:second]), tuple(order[second:third]))


def components(pairs: Pairs) -> dict[int, frozenset[int]]:
    """Who is together with whom, by way of others, too."""
    groups = {number: frozenset([number]) for number in range(1, 9)}
    for a, b in pairs:
        both = groups[a] | groups[b]
        groups |= dict.fromkeys(both, both)
    return groups


@given(st.lists(decision(), min_size=1, max_size=6))
def test_nobody_is_together_and_apart_and_the_last_word_holds(decisions: list[Decision]) -> None:
    found = constraints(decisions)
    groups = components(found.together)
    assert not [pair for pair in found.apart if groups[pair[0]] == groups[pair[1]]]
    last = decisions[-1]
    assert len({groups[tracklet] for tracklet in (*last.moved, *last.joined)}) == 1
    apart = {frozenset([groups[a], groups[b]]) for a, b in found.apart}
    for left in last.left:
        for moved in last.moved:
            # But for those who joined earlier, they are not with whom they left.
            if groups[left] != groups[moved]:
                assert frozenset([groups[left], groups[moved]]) in apart
