"""Tracklets to identities, and the evidence that goes with each link."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.association.metric.metric import Fallback, LocalityAwareMetric, LocalMetric
from pipeline.association.metric.network import MetricNetwork
from pipeline.association.resolver import SAME_TRACK_LOG_ODDS, Edits, Knowledge, associate
from pipeline.config import AssociationSettings
from pipeline.types import Embedding, EncoderIdentity, Link, NoEmbedding, Tracklet

Make = Callable[..., Tracklet]

ENCODER = EncoderIdentity("mine", "0" * 64, 3)
THRESHOLD = AssociationSettings(similarity_threshold=0.5)
PLAIN = Knowledge({}, {}, THRESHOLD)
RED, GREEN, BLUE = np.eye(3)


def _like(colour: np.ndarray, seed: int = 0) -> Embedding:
    vector = colour + 0.1 * np.random.default_rng(seed).normal(size=3)
    return Embedding(vector / np.linalg.norm(vector), ENCODER)


def _identities(links: list[Link]) -> dict[str, int]:
    return {link.tracklet: link.identity for link in links}


def test_people_are_reunited_across_cameras(tracklet: Make) -> None:
    people = [
        tracklet("hall", 1, 0, 10),
        tracklet("hall", 2, 2, 9),
        tracklet("door", 1, 20, 30),
        tracklet("door", 2, 21, 28),
    ]
    looks = [_like(RED, 1), _like(BLUE, 2), _like(BLUE, 3), _like(RED, 4)]
    links = associate(people, looks, PLAIN, decided_at_us=7)
    assert _identities(links) == {"hall/1": 1, "hall/2": 2, "door/1": 2, "door/2": 1}
    first = links[0]
    assert (first.method, first.decided_at_us) == ("correlation-clustering", 7)
    assert first.evidence.appearance > 0
    assert (first.pairs[0].other, first.pairs[0].same_identity) == ("door/2", True)
    rivals = [pair.other for pair in first.pairs if not pair.same_identity]
    assert rivals == ["door/1"]  # hall/2 cannot be the same person, and is no rival


def test_one_person_is_not_twice_in_a_view(tracklet: Make) -> None:
    people = [tracklet("hall", 1, 0, 10), tracklet("hall", 2, 5, 15)]
    links = associate(people, [_like(RED)] * 2, PLAIN, 0)
    assert len(set(_identities(links).values())) == 2


def test_nothing_known_means_nobody_joined(tracklet: Make) -> None:
    people = [tracklet("hall", 1, 0, 10), tracklet("door", 1, 20, 30)]
    links = associate(people, [NoEmbedding()] * 2, PLAIN, 0)
    assert sorted(_identities(links).values()) == [1, 2]
    assert all(link.evidence.log_odds == 0 for link in links)


def test_pieces_of_a_track_stay_together(tracklet: Make) -> None:
    people = [tracklet("hall", 1, 0, 300), tracklet("hall", 1, 300.2, 350, part=2)]
    links = associate(people, [NoEmbedding()] * 2, PLAIN, 0)
    assert _identities(links) == {"hall/1": 1, "hall/1.2": 1}
    assert links[0].evidence.transition_time == SAME_TRACK_LOG_ODDS


def test_no_tracklets() -> None:
    assert associate([], [], PLAIN, 0) == []


@settings(max_examples=30)
@given(seed=st.integers(0, 1000))
def test_order_of_tracklets_changes_nothing(seed: int, tracklet: Make) -> None:
    rng = np.random.default_rng(seed)
    people = [
        tracklet(camera, number, start := float(rng.uniform(0, 60)), start + 5)
        for camera in ("hall", "door")
        for number in range(1, 5)
    ]
    looks = [_like(np.eye(3)[int(rng.integers(3))], index) for index in range(len(people))]
    order = rng.permutation(len(people))
    straight = associate(people, looks, PLAIN, 0)
    mixed = associate([people[i] for i in order], [looks[i] for i in order], PLAIN, 0)
    assert straight == mixed


def test_identities_are_numbered_by_first_appearance(tracklet: Make) -> None:
    people = [tracklet("hall", 1, 50, 60), tracklet("door", 1, 0, 10)]
    links = associate(people, [_like(RED), _like(BLUE)], PLAIN, 0)
    assert _identities(links) == {"door/1": 1, "hall/1": 2}
    assert [link.tracklet for link in links] == ["door/1", "hall/1"]


def test_transitions_speak_for_a_pair(tracklet: Make) -> None:
    """Even appearance, and a way that takes as long as it should."""
    people = [tracklet("hall", 1, 0, 10), tracklet("door", 1, 20, 30), tracklet("door", 2, 90, 99)]
    alike = [Embedding(v, ENCODER) for v in (RED, [0.5, np.sqrt(0.75), 0], [0.5, 0, np.sqrt(0.75)])]
    links = associate(people, alike, Knowledge({}, {"hall": {"door": (5, 15)}}, THRESHOLD), 0)
    assert _identities(links) == {"hall/1": 1, "door/1": 1, "door/2": 2}
    assert links[0].evidence.transition_time == pytest.approx(np.log(99 / 10))


def test_users_decisions_hold_against_all_evidence(tracklet: Make) -> None:
    """Two alike are parted, two unlike joined; so is one who was found twice in one view."""
    people = [
        tracklet("hall", 1, 0, 10),
        tracklet("door", 1, 20, 30),
        tracklet("gate", 1, 40, 50),
        tracklet("gate", 2, 41, 49),
    ]
    looks = [_like(RED, 1), _like(RED, 2), _like(BLUE, 3), _like(GREEN, 4)]
    edits = Edits(
        together=(("hall/1", "gate/1"), ("gate/2", "gate/1"), ("hall/1", "gone/1")),
        apart=(("door/1", "hall/1"),),
    )
    links = associate(people, looks, Knowledge({}, {}, THRESHOLD, edits), 0)
    assert _identities(links) == {"hall/1": 1, "door/1": 2, "gate/1": 1, "gate/2": 1}
    assert links[0].evidence.edits > 0
    rejected = [pair for pair in links[0].pairs if pair.other == "door/1"]
    assert rejected[0].evidence.edits < 0


def test_what_is_less_sure_than_wished_is_not_linked(tracklet: Make) -> None:
    """A cosine a little above the threshold: log-odds of about 1, a probability of .7."""
    people = [tracklet("hall", 1, 0, 10), tracklet("door", 1, 20, 30)]
    looks = [Embedding(v, ENCODER) for v in (RED, [0.55, np.sqrt(1 - 0.55**2), 0])]

    def count(least: float) -> int:
        asked = AssociationSettings(similarity_threshold=0.52, least_confidence=least)
        return len(
            {link.identity for link in associate(people, looks, Knowledge({}, {}, asked), 0)}
        )

    assert [count(least) for least in (0.5, 0.6, 0.9, 0.99)] == [1, 1, 2, 2]


def test_a_metric_reads_pairs_that_it_serves(tracklet: Make) -> None:
    """It says that nobody is like anybody between cameras; in one camera cosine goes on."""
    people = [tracklet("hall", 1, 0, 10), tracklet("hall", 2, 20, 30), tracklet("door", 1, 40, 50)]
    network = MetricNetwork((np.zeros((1, 3), np.float32),), (np.zeros(1, np.float32),), 0.0)
    never = LocalMetric(network, window_s=100.0, slope=1.0, intercept=-5.0)
    metric = LocalityAwareMetric(ENCODER, Fallback(100.0, "too few"), never, elsewhere=False)
    links = associate(people, [_like(RED, seed) for seed in range(3)], PLAIN, 0)
    assert len(set(_identities(links).values())) == 1
    told = replace(PLAIN, metric=metric)
    links = associate(people, [_like(RED, seed) for seed in range(3)], told, 0)
    assert _identities(links) == {"hall/1": 1, "hall/2": 1, "door/1": 2}
    of_others = replace(metric, encoder=replace(ENCODER, sha256="1" * 64))
    told = replace(PLAIN, metric=of_others)
    links = associate(people, [_like(RED, seed) for seed in range(3)], told, 0)
    assert len(set(_identities(links).values())) == 1
