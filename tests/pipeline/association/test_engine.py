"""Identities while people come, and as at the end."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.association.engine import MEMBERS, PROVISIONAL, AssociationEngine
from pipeline.association.resolver import METHOD, Edits, Knowledge, associate
from pipeline.config import AssociationSettings
from pipeline.types import Embedding, EncoderIdentity, Link, Tracklet

Make = Callable[..., Tracklet]
ENCODER = EncoderIdentity("mine", "0" * 64, 8)
KNOWLEDGE = Knowledge({}, {}, AssociationSettings(similarity_threshold=0.6))


def _walk(
    make: Make, seed: int, people: int = 6, visits: int = 5
) -> tuple[list[Tracklet], list[Embedding]]:
    """People who come by three cameras, a minute apart; tracklets in order of their ends."""
    rng = np.random.default_rng(seed)
    looks = rng.normal(size=(people, 8))
    found = []
    for person in range(people):
        begin = float(rng.uniform(0, 60))
        for visit in range(visits):
            start = begin + 60 * visit
            tracklet = make("abc"[visit % 3], person * 100 + visit, start, start + 5)
            vector = looks[person] + 0.25 * rng.normal(size=8)
            found.append((tracklet, Embedding(vector / np.linalg.norm(vector), ENCODER)))
    found.sort(key=lambda each: each[0].end_us)
    return [tracklet for tracklet, _ in found], [embedding for _, embedding in found]


def _groups(identities: dict[str, int]) -> set[frozenset[str]]:
    by_number: dict[int, set[str]] = {}
    for key, number in identities.items():
        by_number.setdefault(number, set()).add(key)
    return {frozenset(keys) for keys in by_number.values()}


def _told(identities: dict[str, int], links: Sequence[Link]) -> dict[str, int]:
    return {**identities, **{link.tracklet: link.identity for link in links}}


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_one_window_is_the_same_as_offline(seed: int, tracklet: Make) -> None:
    people, looks = _walk(tracklet, seed)
    engine = AssociationEngine(KNOWLEDGE, window_seconds=1e6)
    told: dict[str, int] = {}
    for each, look in zip(people, looks, strict=True):
        told = _told(told, engine.add([each], [look], 0))
    told = _told(told, engine.resolve(people[-1].end_us, 0))
    offline = _told({}, associate(people, looks, KNOWLEDGE, 0))
    assert _groups(told) == _groups(offline)


def test_who_is_known_gets_the_same_number_at_once(tracklet: Make) -> None:
    people, looks = _walk(tracklet, 3, people=2)
    engine = AssociationEngine(KNOWLEDGE, window_seconds=600)
    told: dict[str, int] = {}
    for each, look in zip(people, looks, strict=True):
        links = engine.add([each], [look], 7)
        assert [(link.tracklet, link.method, link.decided_at_us) for link in links] == [
            (each.key, PROVISIONAL, 7)
        ]
        told = _told(told, links)
    assert set(told.values()) == {1, 2}


def test_a_second_look_corrects_the_first_and_says_only_what_changed(tracklet: Make) -> None:
    """Two of one person, unlike: a third that is like both joins them when it comes."""
    angle = np.deg2rad(70)
    vectors = np.zeros((3, 8))
    vectors[:, :2] = [
        (1, 0),
        (np.cos(angle), np.sin(angle)),
        (np.cos(angle / 2), np.sin(angle / 2)),
    ]
    people = [tracklet("abc"[n], n, 30 * n, 30 * n + 5) for n in range(3)]
    knowledge = Knowledge({}, {}, AssociationSettings(similarity_threshold=0.5))
    engine = AssociationEngine(knowledge, window_seconds=600)
    told: dict[str, int] = {}
    for each, vector in zip(people, vectors, strict=True):
        told = _told(told, engine.add([each], [Embedding(vector, ENCODER)], 0))
    assert len(set(told.values())) == 2
    links = engine.resolve(people[-1].end_us, 9)
    assert {link.method for link in links} == {METHOD}
    told = _told(told, links)
    assert set(told.values()) == {1}
    assert engine.resolve(people[-1].end_us, 10) == []


def test_what_is_older_than_the_window_keeps_its_number(tracklet: Make) -> None:
    people, looks = _walk(tracklet, 5, visits=12)
    engine = AssociationEngine(KNOWLEDGE, window_seconds=100)
    told: dict[str, int] = {}
    for each, look in zip(people, looks, strict=True):
        told = _told(told, engine.add([each], [look], 0))
        links = engine.resolve(each.end_us, 0)
        old = {one.key for one in people if one.end_us < each.end_us - 100_000_000}
        assert not old & {link.tracklet for link in links}
        told = _told(told, links)
    truth = {each.key: each.track_id // 100 for each in people}
    assert _groups(told) == _groups(truth)


def test_an_open_tracklet_comes_again_and_keeps_its_number(tracklet: Make) -> None:
    people, looks = _walk(tracklet, 1, people=2, visits=2)
    engine = AssociationEngine(KNOWLEDGE, window_seconds=600)
    engine.add(people[1:], looks[1:], 0)
    begun = tracklet(people[0].camera_id, people[0].track_id, 0, 2)
    first = engine.add([begun], [looks[0]], 0)
    again = engine.add([people[0]], [looks[0]], 0)
    assert first[0].tracklet == again[0].tracklet
    assert first[0].identity == again[0].identity
    assert len(engine) == len(people)


def test_what_is_long_gone_is_forgotten(tracklet: Make) -> None:
    knowledge = Knowledge({}, {}, AssociationSettings(max_absence_seconds=60))
    engine = AssociationEngine(knowledge, window_seconds=30)
    sizes = []
    for number in range(60):
        each = tracklet("a", number, 5 * number, 5 * number + 4)
        engine.add([each], [Embedding(np.eye(8)[number % 8], ENCODER)], 0)
        engine.resolve(each.end_us, 0)
        sizes.append(len(engine))
    assert max(sizes) == 19


def test_of_who_is_there_all_day_the_latest_is_remembered(tracklet: Make) -> None:
    """Else what it costs to compare with them would grow from hour to hour."""
    rng = np.random.default_rng(0)
    engine = AssociationEngine(KNOWLEDGE, window_seconds=60)
    look, told = rng.normal(size=8), {}
    for number in range(400):
        vector = look + 0.1 * rng.normal(size=8)
        each = tracklet("abc"[number % 3], number, 8.0 * number, 8.0 * number + 5)
        embedding = Embedding(vector / np.linalg.norm(vector), ENCODER)
        told = _told(told, engine.add([each], [embedding], 0))
        if number % 10 == 9:
            told = _told(told, engine.resolve(each.end_us, 0))
            assert len(engine) <= MEMBERS + 60 // 8 + 2, "those of the window, and some before it"
    assert len(set(list(told.values())[10:])) == 1


def test_what_a_user_decided_of_is_remembered_beside_the_latest(tracklet: Make) -> None:
    rng = np.random.default_rng(0)
    edits = Edits(apart=(("a/0", "b/1"),))
    engine = AssociationEngine(replace(KNOWLEDGE, edits=edits), window_seconds=60)
    look = rng.normal(size=8)
    for number in range(100):
        vector = look + 0.1 * rng.normal(size=8)
        each = tracklet("abc"[number % 3], number, 8.0 * number, 8.0 * number + 5)
        engine.add([each], [Embedding(vector / np.linalg.norm(vector), ENCODER)], 0)
    engine.resolve(each.end_us, 0)
    assert {"a/0", "b/1"} < engine.keys
    assert "c/2" not in engine.keys


def test_numbers_are_never_given_twice(tracklet: Make) -> None:
    knowledge = Knowledge({}, {}, AssociationSettings(max_absence_seconds=1))
    engine = AssociationEngine(knowledge, window_seconds=1, first_identity=41)
    numbers = []
    for number in range(5):
        each = tracklet("a", number, 100 * number, 100 * number + 4)
        numbers += engine.add([each], [Embedding(np.eye(8)[0], ENCODER)], 0)
        engine.resolve(each.end_us, 0)
    assert [link.identity for link in numbers] == [41, 42, 43, 44, 45]


def test_nobody_came() -> None:
    engine = AssociationEngine(KNOWLEDGE, window_seconds=10)
    assert engine.add([], [], 0) == []
    assert engine.resolve(0, 0) == []


def test_first_links_read_cosines_by_what_has_come_already(tracklet: Make) -> None:
    """Nothing was decided anew yet: the scale is that of the tracklets so far, not a guess."""
    people, looks = _walk(tracklet, seed=4, people=12)
    engine = AssociationEngine(Knowledge({}, {}, AssociationSettings()), window_seconds=1e6)
    told: dict[str, int] = {}
    for each, look in zip(people, looks, strict=True):
        told = _told(told, engine.add([each], [look], 0))
    truth = {one.key: one.track_id // 100 for one in people}
    pairs = [(a, b) for a in told for b in told if a < b and truth[a] == truth[b]]
    assert np.mean([told[a] == told[b] for a, b in pairs]) > 0.5


def test_after_a_restart_it_goes_on_as_if_there_had_been_none(tracklet: Make) -> None:
    people, looks = _walk(tracklet, 5)
    half = len(people) // 2
    steady = AssociationEngine(KNOWLEDGE, window_seconds=1e6)
    told = _told({}, steady.add(people[:half], looks[:half], 0))
    told = _told(told, steady.resolve(people[half - 1].end_us, 0))
    again = AssociationEngine(KNOWLEDGE, window_seconds=1e6)
    again.remember(people[:half], looks[:half], told)
    assert len(again) == half
    new = again.add(people[half:], looks[half:], 0)
    assert _told({}, new) == _told({}, steady.add(people[half:], looks[half:], 0))
    end_us = people[-1].end_us
    first, second = (_told(_told(told, new), each.resolve(end_us, 0)) for each in (steady, again))
    assert first == second


def test_what_has_been_erased_is_forgotten(tracklet: Make) -> None:
    people, looks = _walk(tracklet, 3, people=2)
    engine = AssociationEngine(KNOWLEDGE, window_seconds=1e6)
    engine.add(people, looks, 0)
    gone = {people[0].key, people[3].key, "a/999"}
    engine.forget(gone)
    assert len(engine) == len(people) - 2
    links = engine.resolve(people[-1].end_us, 0)
    named = {link.tracklet for link in links} | {p.other for link in links for p in link.pairs}
    assert named == {each.key for each in people} - gone
