"""Draws what people wear: a mixed public in all seasons, or people in one uniform."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from cameras.simulation import catalogue
from cameras.simulation.catalogue import Offer
from cameras.simulation.fabrics import Rng, fabric, hair, pick, plain, skin
from cameras.simulation.looks import (
    IN_HAND,
    RIGHT_HANDED,
    Carried,
    Garment,
    Glasses,
    HairStyle,
    Headwear,
    Kind,
    Look,
    ShoeKind,
    Shoes,
    Thing,
)

_SEASONS: Final = {"warm": 0.35, "mild": 0.4, "cold": 0.25}
_OCCASIONS: Final = {"casual": 0.55, "formal": 0.15, "sporty": 0.14, "work": 0.16}
_CHILDREN: Final = 0.06
_WEARS_OUTER: Final = {"warm": 0.06, "mild": 0.45, "cold": 0.95}
_HAIR: Final = {
    "woman": {
        HairStyle.LONG: 4, HairStyle.BOB: 2.5, HairStyle.PONYTAIL: 2.2, HairStyle.BUN: 1.4,
        HairStyle.CURLY: 1.2, HairStyle.SHORT: 0.8, HairStyle.AFRO: 0.4,
    },
    "man": {
        HairStyle.SHORT: 5, HairStyle.PARTED: 2.5, HairStyle.BUZZ: 1.6, HairStyle.BALD: 0.9,
        HairStyle.CURLY: 1, HairStyle.AFRO: 0.3, HairStyle.LONG: 0.3, HairStyle.BUN: 0.15,
    },
}  # fmt: skip
_SHOES: Final[dict[str, dict[ShoeKind, float]]] = {
    "casual": {ShoeKind.TRAINERS: 6, ShoeKind.SHOES: 1.5, ShoeKind.BOOTS: 1.5},
    "sporty": {ShoeKind.TRAINERS: 1},
    "formal": {ShoeKind.SHOES: 5, ShoeKind.BOOTS: 0.7, ShoeKind.TRAINERS: 0.5},
    "work": {ShoeKind.SHOES: 2, ShoeKind.BOOTS: 2.5, ShoeKind.TRAINERS: 2},
}
_THINGS: Final = {
    "woman": {
        Thing.BACKPACK: 2, Thing.SHOULDER_BAG: 2.5, Thing.CROSSBODY: 1.5, Thing.HANDBAG: 2.2,
        Thing.SHOPPING_BAG: 0.8, Thing.TROLLEY: 0.9, Thing.UMBRELLA: 0.4, Thing.PHONE: 0.8,
        Thing.BRIEFCASE: 0.2,
    },
    "man": {
        Thing.BACKPACK: 3.5, Thing.SHOULDER_BAG: 0.8, Thing.CROSSBODY: 1.3, Thing.BRIEFCASE: 0.9,
        Thing.SHOPPING_BAG: 0.7, Thing.TROLLEY: 1, Thing.UMBRELLA: 0.35, Thing.PHONE: 0.8,
    },
}  # fmt: skip


_TUCKED: Final = -0.04
"""Hem of what is tucked in: a little below the waist."""
_UNIFORMS: Final = (
    ("polo shirt", "trousers", "safety vest"),
    ("shirt", "trousers", "sweater"),
    ("shirt", "suit trousers", "suit jacket"),
    ("T-shirt", "cargo trousers", "jacket"),
    ("jersey", "sports shorts"),
    ("T-shirt", "jeans"),
    ("polo shirt", "trousers"),
)


def random_look(rng: Rng) -> Look:
    """Somebody from a mixed international public, at any time of the year."""
    child = bool(rng.random() < _CHILDREN)
    female = bool(rng.random() < 0.5)
    season = pick(rng, _SEASONS)
    occasion = "casual" if child else pick(rng, _OCCASIONS)
    return _look(
        rng, female, child, season, occasion, _outfit(rng, female, child, season, occasion)
    )


def uniform_looks(rng: Rng, count: int) -> list[Look]:
    """Persons in the same garments, told apart by body, head, shoes and what they carry."""
    names = _UNIFORMS[int(rng.integers(len(_UNIFORMS)))]
    offers = (*catalogue.TOPS, *catalogue.LOWERS, *catalogue.OUTER)
    upper, lower, *over = (
        _garment(rng, next(offer for offer in offers if offer.cut.name == name)) for name in names
    )
    garments = (*_layered(upper, lower), *over)
    return [
        _look(rng, bool(rng.random() < 0.4), False, "mild", "work", garments) for _ in range(count)
    ]


def _look(
    rng: Rng,
    female: bool,
    child: bool,
    season: str,
    occasion: str,
    garments: tuple[Garment, ...],
) -> Look:
    """A new person in given garments."""
    headwear = _headwear(rng, female, child, season)
    own = skin(rng)
    return Look(
        body=int(rng.integers(2**31)),
        female=female,
        child=child,
        skin=own,
        hair=pick(rng, _HAIR["woman" if female else "man"]),
        hair_material=hair(rng, own.colour, child),
        beard_m=0.0 if female or child or rng.random() > 0.35 else float(rng.uniform(0.004, 0.025)),
        garments=garments,
        shoes=_shoes(rng, female, season, occasion, garments),
        headwear=headwear,
        headwear_material=fabric(rng, catalogue.MIXED, catalogue.PLAIN),
        glasses=pick(
            rng, {Glasses.NONE: 7, Glasses.CLEAR: 2, Glasses.DARK: 1.2 if season == "warm" else 0.3}
        ),
        carries=_things(rng, "woman" if female else "man", 0.25 if child else 0.65),
    )


def _outfit(rng: Rng, female: bool, child: bool, season: str, occasion: str) -> tuple[Garment, ...]:
    """What goes with an occasion, from the innermost outward."""
    who = ("girl" if female else "boy") if child else ("woman" if female else "man")
    wishes = {who, season, occasion}
    dresses = _suitable(catalogue.DRESSES, wishes)
    if dresses and rng.random() < 0.2:
        under = [_bought(rng, dresses)]
    else:
        lower = _bought(rng, _suitable(catalogue.LOWERS, wishes))
        upper = _bought(rng, _suitable(catalogue.TOPS, wishes))
        under = _layered(upper, lower)
    outer = _suitable(catalogue.OUTER, wishes)
    worn = occasion == "formal" or rng.random() < _WEARS_OUTER[season]
    if not outer or not worn:
        return tuple(under)
    over = _bought(rng, outer)
    suit = next((g for g in under if g.cut.name == "suit trousers"), None)
    if over.cut.name == "suit jacket" and suit is not None:
        over = replace(over, material=suit.material)
    return (*under, over)


def _layered(upper: Garment, lower: Garment) -> list[Garment]:
    """A top tucked into skirts, or where it is cut for that; otherwise over the trousers."""
    if upper.cut.hem > 0.02 and lower.cut.kind is Kind.TROUSERS:
        return [lower, upper]
    return [replace(upper, cut=replace(upper.cut, hem=_TUCKED)), lower]


def _suitable(offers: Sequence[Offer], wishes: set[str]) -> list[Offer]:
    return [offer for offer in offers if wishes <= set(offer.suits.split())]


def _bought(rng: Rng, offers: Sequence[Offer]) -> Garment:
    """One of some offers."""
    rows = {row: offer.odds for row, offer in enumerate(offers)}
    return _garment(rng, offers[pick(rng, rows)])


def _garment(rng: Rng, offer: Offer) -> Garment:
    """One piece of an offer, with small departures from its cut."""
    material = fabric(rng, offer.colours, offer.patterns, offer.folds, offer.gloss)
    cut = offer.cut
    return Garment(
        replace(
            cut,
            sleeve=cut.sleeve + rng.uniform(-0.05, 0.02) * (cut.sleeve > 0),
            hem=min(cut.hem + rng.uniform(-0.03, 0.03), 1.0),
            neck_m=cut.neck_m * rng.uniform(0.7, 1.3),
            opening_m=cut.opening_m * rng.uniform(0.4, 1.3),
            loose_m=cut.loose_m * rng.uniform(0.7, 1.3),
            flare_m=cut.flare_m * rng.uniform(0.6, 1.3),
        ),
        material,
    )


def _headwear(rng: Rng, female: bool, child: bool, season: str) -> Headwear:
    if female and not child and rng.random() < 0.08:
        return Headwear.HIJAB
    odds: dict[Headwear, float] = {Headwear.NONE: 8, Headwear.CAP: 1.0, Headwear.HAT: 0.3}
    if season == "cold":
        odds[Headwear.BEANIE] = 3
    return pick(rng, odds)


def _shoes(
    rng: Rng, female: bool, season: str, occasion: str, garments: Sequence[Garment]
) -> Shoes:
    odds: dict[ShoeKind, float] = dict(_SHOES[occasion])
    if season == "warm" and occasion == "casual":
        odds = {ShoeKind.TRAINERS: 6, ShoeKind.SANDALS: 1.5, ShoeKind.SHOES: 1}
    if female and occasion != "sporty" and season != "cold":
        odds[ShoeKind.FLATS] = 2.5
    if any(garment.cut.name == "sports shorts" for garment in garments):
        odds = {ShoeKind.TRAINERS: 1.0}
    kind = pick(rng, odds)
    upper = plain(rng, catalogue.SHOE_COLOURS[kind.value], 0.4 if kind is ShoeKind.SHOES else 0.15)
    soles = {"white": 5.0, "black": 1.5, "light grey": 1}
    dark = {"black": 4.0, "brown": 1}
    return Shoes(kind, upper, plain(rng, soles if kind is ShoeKind.TRAINERS else dark, 0.1))


def _things(rng: Rng, who: str, chance: float) -> tuple[Carried, ...]:
    """Nothing, one thing, or two of which at most one takes a hand and one hangs on the body."""
    things: list[Carried] = []
    side = 1 if rng.random() < 0.4 else -1
    for share in (chance, 0.3 * chance):
        thing = pick(rng, _THINGS[who])
        if rng.random() < share and not any(_clash(thing, other.thing) for other in things):
            gloss = float(rng.choice([0.08, 0.35]))
            own = -1 if thing in RIGHT_HANDED else side
            things.append(Carried(thing, plain(rng, catalogue.BAGS, gloss), own))
    return tuple(things)


def _clash(one: Thing, other: Thing) -> bool:
    return (one in IN_HAND) == (other in IN_HAND)
