"""What a person looks like, as values: two persons are alike exactly if these are equal."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from cameras.simulation.meshes import Colour, Material, Pattern


class Kind(IntEnum):
    """The part of the body that a garment goes around."""

    TOP = 0  # torso and arms; below the hips it goes on as a skirt
    TROUSERS = 1
    SKIRT = 2


@dataclass(frozen=True, slots=True)
class Cut:
    """The shape of a garment.

    Attributes:
        name: Word for it.
        kind: What it goes around.
        sleeve: Where sleeves end: 0 at the shoulder joint, 1 at the wrist; may be below 0.
        hem: Where it ends below: 0 at the hip joint, 1 at the ankle; may be below 0.
        waist_m: Of trousers and skirts, how far above the hip joints they begin.
        neck_m: Depth of the neckline before the throat, metres.
        vee: 0 a round neckline to 1 a sharp one.
        opening_m: Half the width of the gap that it leaves open in front; 0: closed.
        collar_m: Height of the collar.
        hood: Whether a hood lies on the back.
        thickness_m: Of the cloth, with the air beneath.
        loose_m: How far it stands off where the body turns inward; loose things hang straight.
        flare_m: How much wider it is at the hem than straight.
    """

    name: str
    kind: Kind
    sleeve: float = 0.0
    hem: float = 0.02
    waist_m: float = 0.10
    neck_m: float = 0.02
    vee: float = 0.0
    opening_m: float = 0.0
    collar_m: float = 0.0
    hood: bool = False
    thickness_m: float = 0.006
    loose_m: float = 0.02
    flare_m: float = 0.0


@dataclass(frozen=True, slots=True)
class Garment:
    """A cut, and what it is made of."""

    cut: Cut
    material: Material


class HairStyle(StrEnum):
    BALD = "bald"
    BUZZ = "shaven"
    SHORT = "short"
    PARTED = "parted"
    CURLY = "curly"
    AFRO = "afro"
    BOB = "bobbed"
    LONG = "long"
    PONYTAIL = "ponytail"
    BUN = "bun"


class Headwear(StrEnum):
    NONE = "nothing"
    CAP = "cap"
    BEANIE = "beanie"
    HAT = "hat"
    HIJAB = "hijab"


class Glasses(StrEnum):
    NONE = "none"
    CLEAR = "glasses"
    DARK = "sunglasses"


class ShoeKind(StrEnum):
    TRAINERS = "trainers"
    SHOES = "shoes"
    BOOTS = "boots"
    SANDALS = "sandals"
    FLATS = "flats"


class Thing(StrEnum):
    """Something carried."""

    BACKPACK = "backpack"
    SHOULDER_BAG = "shoulder bag"
    CROSSBODY = "crossbody bag"
    HANDBAG = "handbag"
    BRIEFCASE = "briefcase"
    SHOPPING_BAG = "shopping bag"
    TROLLEY = "trolley"
    UMBRELLA = "umbrella"
    PHONE = "phone"


IN_HAND: Final = frozenset(
    {
        Thing.HANDBAG,
        Thing.BRIEFCASE,
        Thing.SHOPPING_BAG,
        Thing.TROLLEY,
        Thing.UMBRELLA,
        Thing.PHONE,
    }
)
"""Things that take a hand."""
RIGHT_HANDED: Final = frozenset({Thing.TROLLEY, Thing.UMBRELLA, Thing.PHONE})
"""Things that only the right hand holds."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A thing carried on the left (side 1) or the right (side -1)."""

    thing: Thing
    material: Material
    side: int


@dataclass(frozen=True, slots=True)
class Shoes:
    """What is worn on the feet."""

    kind: ShoeKind
    material: Material
    sole: Material


@dataclass(frozen=True, slots=True)
class Look:
    """All that makes a person look as it does.

    Attributes:
        body: Seed of the body's shape.
        female: Or male.
        child: Or grown up.
        skin: Its material.
        hair: Style.
        hair_material: Of hair and beard.
        beard_m: Length of the beard, metres; 0: none.
        garments: From the innermost outward.
        shoes: On the feet.
        headwear: On the head.
        headwear_material: What that is made of.
        glasses: Before the eyes.
        carries: Things carried, at most one in each hand.
    """

    body: int
    female: bool
    child: bool
    skin: Material
    hair: HairStyle
    hair_material: Material
    beard_m: float
    garments: tuple[Garment, ...]
    shoes: Shoes
    headwear: Headwear
    headwear_material: Material
    glasses: Glasses
    carries: tuple[Carried, ...]


COLOURS: Final[dict[str, Colour]] = {
    name: (((code >> 16) & 255) / 255, ((code >> 8) & 255) / 255, (code & 255) / 255)
    for name, code in {
        "black": 0x1C1C1F,
        "charcoal": 0x3C3E42,
        "grey": 0x74777A,
        "light grey": 0xADAFB0,
        "white": 0xE6E6E2,
        "cream": 0xDDD2B8,
        "beige": 0xB7A07C,
        "khaki": 0x8A7B54,
        "brown": 0x5B4030,
        "tan": 0x96683E,
        "navy": 0x222B45,
        "blue": 0x2C559E,
        "denim": 0x47607F,
        "dark denim": 0x2E3A50,
        "light blue": 0x93B3D3,
        "turquoise": 0x2F9C9E,
        "green": 0x2F7A46,
        "dark green": 0x27402F,
        "olive": 0x565B35,
        "lime": 0x9CC32F,
        "yellow": 0xE2BE35,
        "mustard": 0xB58A2C,
        "orange": 0xD86D27,
        "red": 0xB82630,
        "burgundy": 0x5F2230,
        "pink": 0xD894A6,
        "magenta": 0xB3327B,
        "purple": 0x59397B,
        "lilac": 0xA999C6,
    }.items()
}
_PATTERN_WORDS: Final = {
    Pattern.BANDS: "striped",
    Pattern.STRIPES: "pinstriped",
    Pattern.CHECKS: "checked",
    Pattern.DOTS: "dotted",
    Pattern.PRINT: "printed",
    Pattern.LOGO: "logo",
}
_HAIR_COLOURS: Final[dict[str, Colour]] = {
    "black": (0.09, 0.08, 0.07),
    "brown": (0.28, 0.19, 0.13),
    "blond": (0.72, 0.57, 0.36),
    "red": (0.54, 0.25, 0.12),
    "grey": (0.56, 0.55, 0.53),
    "white": (0.81, 0.80, 0.78),
}
_HAIR_WORDS: Final = {
    HairStyle.PONYTAIL: "hair in a ponytail",
    HairStyle.BUN: "hair in a bun",
}


def describe(look: Look) -> str:
    """The look in one line: "woman, long brown hair, red striped T-shirt, blue jeans, ..."."""
    words = [_person(look), _on_head(look)]
    words += ["beard"] * (look.beard_m > 0)
    words += [look.glasses.value] * (look.glasses is not Glasses.NONE)
    words += [f"{_cloth(g.material)} {g.cut.name}" for g in reversed(look.garments)]
    words.append(f"{_cloth(look.shoes.material)} {look.shoes.kind.value}")
    words += [f"{_cloth(thing.material)} {thing.thing.value}" for thing in look.carries]
    return ", ".join(words)


def _person(look: Look) -> str:
    return ("girl" if look.female else "boy") if look.child else ("woman" if look.female else "man")


def _on_head(look: Look) -> str:
    if look.headwear is not Headwear.NONE:
        return f"{_cloth(look.headwear_material)} {look.headwear.value}"
    if look.hair is HairStyle.BALD:
        return "bald"
    colour = _nearest(look.hair_material.colour, _HAIR_COLOURS)
    if look.hair in _HAIR_WORDS:
        return f"{colour} {_HAIR_WORDS[look.hair]}"
    return f"{look.hair.value} {colour} hair"


def _cloth(material: Material) -> str:
    words = [_nearest(material.colour, COLOURS), _PATTERN_WORDS.get(material.pattern, "")]
    return " ".join(word for word in words if word)


def _nearest(colour: Colour, named: Mapping[str, Colour]) -> str:
    """The name of the colour nearest to the one given."""
    return min(named, key=lambda name: _apart(named[name], colour))


def _apart(first: Colour, second: Colour) -> float:
    return sum((a - b) ** 2 for a, b in zip(first, second, strict=True))
