"""Search by looks: against association's own measure, by an index, filtered, with negatives."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from pipeline.association.constraints import cannot_link
from pipeline.association.crowding import contrasts, with_crowding
from pipeline.association.looks import Gallery, Looks
from pipeline.association.pairs import Pairs
from pipeline.association.passages import Passages
from pipeline.errors import StoreError
from pipeline.types import (
    UNSUPPORTED,
    Embedding,
    EncodedTracklet,
    EncoderIdentity,
    FloatArray,
    Link,
)
from storage.queries import Period
from storage.search import ranking
from storage.search.gallery import SearchGallery, encoder_of
from storage.search.nearest import Exact, Indexed
from storage.search.ranking import Hit, Search, Shown
from storage.store import Store

Begin = Callable[..., int]
Make = Callable[..., EncodedTracklet]
Join = Callable[..., Link]

DIMENSION = 32
ENCODER = EncoderIdentity("toy", "ab" * 32, DIMENSION)
SECOND_US = 1_000_000


def unit(vectors: FloatArray) -> FloatArray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def people(count: int, each: int, noise: float = 0.5, seed: int = 0) -> FloatArray:
    """Vectors of people, each some times, person after person."""
    rng = np.random.default_rng(seed)
    looks = np.repeat(unit(rng.standard_normal((count, DIMENSION))), each, axis=0)
    return unit(looks + noise * unit(rng.standard_normal(looks.shape)))


def gallery_of(count: int, each: int, noise: float = 0.5) -> SearchGallery:
    """Person 1 to count, each at camera a, b, a, b ..., an hour between two appearances; some of
    others are in view of the camera at once."""
    number = np.arange(count * each)
    person, visit = number // each, number % each
    starts = (visit * 3600 + person * 5) * SECOND_US
    order = np.argsort(starts, kind="stable")
    ends, parts, feet = starts + 8 * SECOND_US, np.ones_like(number), np.zeros((len(number), 2))
    passages = Passages(("a", "b"), visit % 2, starts, ends, number, parts, feet, feet).take(order)
    vectors = people(count, each, noise)[order]
    return SearchGallery(ENCODER, passages, person[order] + 1, vectors, None)


def numbers(hits: Sequence[Hit]) -> list[int]:
    return [hit.identity for hit in hits]


def shown(gallery: SearchGallery, position: int) -> Shown:
    return Shown(gallery.vectors[position], position)


def test_evidence_is_that_of_association() -> None:
    gallery = gallery_of(60, 4, noise=0.8)
    seen, rows = gallery.passages, np.arange(len(gallery))
    looks = Looks(len(seen), (Gallery(ENCODER, rows, gallery.vectors, np.zeros(len(seen))),))
    apart = cannot_link(seen, {})
    assert len(apart) > 100
    looks = with_crowding(looks, seen, apart, np.ones(len(seen), np.bool_))
    np.testing.assert_allclose(gallery.crowding(rows), looks.galleries[0].crowding, atol=1e-6)
    pairs = Pairs.of(len(seen), np.zeros(len(seen), np.int64), rows)
    evidence = gallery.scale.log_odds(contrasts(looks, pairs))
    hits = Search(gallery).find([shown(gallery, 0)], limit=60)
    known = dict(zip(pairs.second.tolist(), evidence, strict=True))
    for hit in hits:
        members = gallery.members(hit.identity)
        possible = [known[row] for row in members.tolist() if row in known]
        assert hit.compared == len(possible)
        assert hit.log_odds == pytest.approx(np.mean(possible), abs=0.1)


def test_who_is_shown_comes_first_with_a_probability_that_says_so() -> None:
    gallery = gallery_of(40, 4)
    search = Search(gallery)
    for position in (0, 17, 90):
        own = int(gallery.identities[position])
        first, second, *_ = search.find([shown(gallery, position)])
        assert first.identity == own
        assert first.probability > 0.9 > 0.3 > second.probability
        assert first.compared == 3, "but for itself"
        assert gallery.key(position) not in [one.tracklet for one in first.tracklets]
    stranger = Shown(unit(np.random.default_rng(5).standard_normal(DIMENSION)))
    assert search.find([stranger])[0].probability < 0.5


def test_filters_return_as_many_as_are_asked_for() -> None:
    gallery = gallery_of(200, 4, noise=0.8)
    search = Search(gallery)
    sought = [shown(gallery, int(gallery.members(7)[0]))]
    assert len(search.find(sought, limit=25)) == 25
    second_hour = Period(3600 * SECOND_US, 7199 * SECOND_US)
    found = search.find(sought, period=second_hour, cameras=["b"], limit=25)
    assert len(set(numbers(found))) == 25
    assert found[0].identity == 7
    assert {hit.compared for hit in found} == {1}, "their other passages are not of then"
    assert {one.camera for hit in found for one in hit.tracklets} == {"b"}
    few = Period(3600 * SECOND_US, 3612 * SECOND_US)  # persons 1 to 3 come at 0, 5 and 10 s
    assert sorted(numbers(search.find(sought, period=few))) == [1, 2, 3]
    assert search.find(sought, period=second_hour, cameras=["a"]) == []
    with pytest.raises(StoreError, match="expected a camera of the run, got attic; it has a, b"):
        search.find(sought, cameras=["attic"])


def test_several_pictures_and_those_that_are_not_meant() -> None:
    """Two who look alike: a picture between them, and then one of the one who is not meant."""
    gallery = gallery_of(40, 4)
    search = Search(gallery)
    one, other = (gallery.vectors[gallery.members(n)].mean(axis=0) for n in (3, 9))
    between = Shown(unit(one + 0.9 * other))
    assert numbers(search.find([between], limit=2)) == [3, 9]
    both = search.find([between, Shown(unit(other))], limit=2)
    assert numbers(both) == [9, 3]
    plain = {hit.identity: hit.log_odds for hit in search.find([between], limit=40)}
    without = search.find([between], [Shown(unit(one))], limit=40)
    assert without[0].identity == 9
    assert all(hit.log_odds < plain[3] for hit in without if hit.identity == 3)
    assert next(h for h in without if h.identity == 9).log_odds == plain[9], "unlike who is not"


def test_the_index_agrees_with_all() -> None:
    """It finds nearly all of a person, and always as many as are asked for."""
    vectors = people(4000, 5, noise=0.6, seed=3)
    exact, index = Exact(vectors), Indexed(vectors)
    rng = np.random.default_rng(4)
    every = np.ones(len(vectors), np.bool_)
    few = np.zeros(len(vectors), np.bool_)
    few[rng.choice(len(vectors), 40, replace=False)] = True
    recalls = []
    for row in rng.integers(0, len(vectors), 50).tolist():
        true = exact.find(vectors[row], 10, every)
        found = np.isin(true, index.find(vectors[row], 10, every))
        recalls.append((found.mean(), found[true // 5 == row // 5].mean()))
        assert index.find(vectors[row], 30, few).tolist() == (
            exact.find(vectors[row], 30, few).tolist()
        )
        assert len(index.find(vectors[row], 99, few)) == 40
    of_ten, of_person = np.mean(recalls, axis=0)
    assert of_ten >= 0.9
    assert of_person >= 0.97


def test_a_search_by_index_finds_the_same_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "EXACT_BELOW", 1000)
    gallery = gallery_of(500, 4, noise=0.6)
    exact, indexed = Search(gallery), Search(gallery, indexed=True)
    for position in range(0, 2000, 97):
        sought = [shown(gallery, position)]
        assert exact.find(sought)[0] == indexed.find(sought)[0]
        assert len(indexed.find(sought, limit=40)) == 40


def test_what_is_stored_is_searched(store: Store, begin: Begin, make: Make, join: Join) -> None:
    """Of people alone: neither of things, nor of what is not linked, nor of another encoder."""
    run_id = begin(store)
    vectors = people(3, 3)
    items, links = [], []
    for number, vector in enumerate(vectors):
        camera = ("north", "Dock", "gate")[number % 3]
        item = make(camera, 10 + number, part=2, frames=range(100 * number, 100 * number + 5))
        items.append(replace(item, embedding=Embedding(vector, ENCODER)))
        links.append(join(item.tracklet.key, number // 3 + 1))
    links[-1] = replace(links[-1], method=UNSUPPORTED)
    other = make("gate", 1, frames=range(5))  # by another encoder
    store.add_tracklets(run_id, [*items, other, make("gate", 2, embedded=False)])
    store.set_links(run_id, [*links[:5], *links[6:], join("gate/1", 5)])
    gallery = SearchGallery.load(store, run_id, ENCODER)
    assert len(gallery) == 9
    assert [gallery.key(row) for row in range(9)] == [item.tracklet.key for item in items]
    assert gallery.identities.tolist() == [1, 1, 1, 2, 2, 0, 3, 3, 0]
    position = gallery.position("north/10.2")
    hits = Search(gallery).find([shown(gallery, position)])
    assert sorted(numbers(hits)) == [1, 2, 3]
    assert hits[0].identity == 1
    assert hits[0].tracklets[0].enter_us in (items[1].tracklet.start_us, items[2].tracklet.start_us)
    assert encoder_of(store, run_id, "north/10.2") == ENCODER
    assert encoder_of(store, run_id, "gate/1") != ENCODER


def test_what_cannot_be_searched(store: Store, little_run: int) -> None:
    def refusal(action: Callable[[], object]) -> str:
        with pytest.raises(StoreError) as caught:
            action()
        return str(caught.value)

    assert refusal(lambda: SearchGallery.load(store, little_run, ENCODER)) == (
        f"run {little_run}: it has no embeddings by toy abababababab"
    )
    assert refusal(lambda: encoder_of(store, little_run, "gate/3")) == (
        f"run {little_run} has no embedding of gate/3"
    )
    assert refusal(lambda: encoder_of(store, little_run, "gate/9")) == (
        f"run {little_run} has no tracklet gate/9"
    )
    gallery = gallery_of(3, 2)
    assert "c/1 has no embedding by toy" in refusal(lambda: gallery.position("c/1"))
    assert "expected pictures or tracklets" in refusal(lambda: Search(gallery).find([]))
