"""What there is to wear: cuts, colours and patterns, with how often each is seen in a street."""

from dataclasses import dataclass
from typing import Final

from cameras.simulation.looks import Cut, Kind
from cameras.simulation.meshes import Pattern

Odds = dict[str, float]

DARK: Final[Odds] = {
    "black": 8, "navy": 4, "charcoal": 4, "grey": 2, "brown": 1, "dark green": 0.7,
    "burgundy": 0.6, "olive": 0.8, "beige": 0.8, "tan": 0.4,
}  # fmt: skip
MIXED: Final[Odds] = {
    "black": 6, "white": 5, "grey": 3, "charcoal": 2, "navy": 3, "light grey": 2, "cream": 1.2,
    "beige": 1, "blue": 1.6, "light blue": 1.4, "red": 1.4, "burgundy": 0.8, "green": 0.8,
    "dark green": 0.8, "olive": 0.8, "pink": 0.9, "yellow": 0.6, "mustard": 0.5, "orange": 0.6,
    "turquoise": 0.6, "purple": 0.5, "lilac": 0.4, "magenta": 0.3, "lime": 0.2, "brown": 0.6,
}  # fmt: skip
BRIGHT: Final[Odds] = {
    "white": 3, "black": 3, "red": 2, "blue": 2, "lime": 1, "orange": 1.2, "yellow": 1, "pink": 1,
    "turquoise": 1, "navy": 1.5, "grey": 1.5, "purple": 0.7, "magenta": 0.8, "green": 0.8,
}  # fmt: skip
SHIRTS: Final[Odds] = {
    "white": 6, "light blue": 4, "cream": 1, "light grey": 1, "pink": 0.7, "navy": 1, "black": 1,
    "blue": 0.7, "lilac": 0.4, "denim": 0.6,
}  # fmt: skip
DENIM: Final[Odds] = {
    "denim": 5, "dark denim": 5, "black": 2.5, "light blue": 1.2, "charcoal": 1, "white": 0.3,
}  # fmt: skip
CHINOS: Final[Odds] = {
    "beige": 3, "khaki": 2, "navy": 3, "black": 3, "grey": 2, "charcoal": 2, "olive": 1.5,
    "brown": 1, "cream": 0.7, "burgundy": 0.3,
}  # fmt: skip
SUITS: Final[Odds] = {"navy": 4, "charcoal": 4, "black": 3, "grey": 2, "brown": 0.6, "beige": 0.5}
SIGNALS: Final[Odds] = {"orange": 2, "lime": 2, "yellow": 1.5}
SKINS: Final[dict[int, float]] = {
    0xEFCDB8: 3, 0xE3B593: 4, 0xD2A07C: 3, 0xBE8A63: 2.5, 0x9C6B47: 2, 0x7A4E33: 1.6,
    0x573624: 1.4, 0x3F281C: 0.8,
}  # fmt: skip
DARK_HAIRS: Final[dict[int, float]] = {0x15120F: 5, 0x2A1E16: 3, 0x46301F: 0.7}
FAIR_HAIRS: Final[dict[int, float]] = {
    0x15120F: 3, 0x2A1E16: 4, 0x46301F: 3, 0x6B4A2C: 2, 0xA47C4A: 1.3, 0xC9A66B: 1, 0x8A3F1E: 0.5,
}  # fmt: skip
GREY_HAIRS: Final[dict[int, float]] = {0x8F8C88: 2, 0xCFCCC6: 1}

Patterns = dict[Pattern, float]
PLAIN: Final[Patterns] = {Pattern.PLAIN: 1}
SHIRTED: Final[Patterns] = {
    Pattern.PLAIN: 5, Pattern.STRIPES: 2, Pattern.CHECKS: 2.5, Pattern.DOTS: 0.5,
}  # fmt: skip
PRINTED: Final[Patterns] = {
    Pattern.PLAIN: 5, Pattern.LOGO: 2.5, Pattern.BANDS: 1.5, Pattern.PRINT: 0.7,
}  # fmt: skip
FLOWERED: Final[Patterns] = {
    Pattern.PLAIN: 4, Pattern.PRINT: 3, Pattern.DOTS: 1.2, Pattern.BANDS: 0.7, Pattern.CHECKS: 0.5,
}  # fmt: skip
KNITTED: Final[Patterns] = {Pattern.PLAIN: 6, Pattern.BANDS: 1.2, Pattern.PRINT: 0.3}
WOVEN: Final[Patterns] = {Pattern.PLAIN: 14, Pattern.CHECKS: 1}
CAMOUFLAGED: Final[Patterns] = {Pattern.PLAIN: 12, Pattern.PRINT: 1}


@dataclass(frozen=True, slots=True)
class Offer:
    """A garment as the shops have it.

    Attributes:
        cut: Its shape; each piece departs a little from it.
        colours: How often each colour is sold.
        patterns: How often each pattern is sold.
        suits: Words for whom, for what and when: all of a wearer's must be among them.
        odds: How often it is worn by those whom it suits.
        folds: How creased it is.
        gloss: How shiny.
    """

    cut: Cut
    colours: Odds
    patterns: Patterns
    suits: str
    odds: float = 1.0
    folds: float = 0.4
    gloss: float = 0.05


_T = Kind.TOP
_L = Kind.TROUSERS
_S = Kind.SKIRT
_ALL = "woman man girl boy"

TOPS: Final = (
    Offer(
        Cut("T-shirt", _T, sleeve=0.38, hem=0.05, loose_m=0.03),
        MIXED, PRINTED, f"{_ALL} casual sporty work warm mild", 4,
    ),
    Offer(
        Cut("tank top", _T, sleeve=-0.06, hem=0.02, neck_m=0.07, loose_m=0.015),
        BRIGHT, KNITTED, f"{_ALL} casual sporty warm", 1,
    ),
    Offer(
        Cut("jersey", _T, sleeve=0.45, hem=0.07, neck_m=0.04, vee=0.6, loose_m=0.04),
        BRIGHT, {Pattern.PLAIN: 2, Pattern.BANDS: 1.5, Pattern.STRIPES: 1, Pattern.LOGO: 2},
        f"{_ALL} sporty warm mild", 2, gloss=0.2,
    ),
    Offer(
        Cut("polo shirt", _T, sleeve=0.42, hem=0.05, neck_m=0.04, vee=0.8, collar_m=0.03),
        MIXED, KNITTED, "woman man girl boy casual work warm mild", 1.5,
    ),
    Offer(
        Cut("shirt", _T, sleeve=0.97, hem=0.0, neck_m=0.03, vee=0.8, collar_m=0.035),
        SHIRTS, SHIRTED, "woman man formal work warm mild cold", 4,
    ),
    Offer(
        Cut("shirt", _T, sleeve=0.7, hem=0.08, neck_m=0.05, vee=0.9, collar_m=0.03, loose_m=0.03),
        MIXED, SHIRTED, f"{_ALL} casual warm mild", 1.5,
    ),
    Offer(
        Cut("blouse", _T, sleeve=0.8, hem=0.03, neck_m=0.09, vee=0.7, loose_m=0.03),
        MIXED, FLOWERED, "woman casual formal work warm mild", 2.5, gloss=0.15,
    ),
    Offer(
        Cut("long-sleeved top", _T, sleeve=0.97, hem=0.03, neck_m=0.05, loose_m=0.01),
        MIXED, KNITTED, "woman girl casual sporty mild cold", 2,
    ),
    Offer(
        Cut("sweater", _T, sleeve=0.98, hem=0.05, thickness_m=0.012, loose_m=0.035),
        MIXED, KNITTED, f"{_ALL} casual work formal mild cold", 3, folds=0.6,
    ),
    Offer(
        Cut("sweatshirt", _T, sleeve=0.98, hem=0.06, thickness_m=0.012, loose_m=0.045),
        MIXED, PRINTED, f"{_ALL} casual sporty mild cold", 2, folds=0.6,
    ),
    Offer(
        Cut("hoodie", _T, sleeve=0.99, hem=0.07, collar_m=0.035, hood=True, thickness_m=0.013,
            loose_m=0.045),
        MIXED, PRINTED, f"{_ALL} casual sporty mild cold", 2.5, folds=0.6,
    ),
)  # fmt: skip

LOWERS: Final = (
    Offer(
        Cut("jeans", _L, hem=1.0, loose_m=0.013),
        DENIM, PLAIN, f"{_ALL} casual work warm mild cold", 6, folds=0.5,
    ),
    Offer(
        Cut("wide jeans", _L, hem=1.0, loose_m=0.02, flare_m=0.035),
        DENIM, PLAIN, "woman man casual mild warm cold", 1.2, folds=0.5,
    ),
    Offer(
        Cut("trousers", _L, hem=1.0, loose_m=0.014, flare_m=0.01),
        CHINOS, WOVEN, f"{_ALL} casual work formal warm mild cold", 3,
    ),
    Offer(
        Cut("suit trousers", _L, hem=1.0, loose_m=0.015, flare_m=0.015),
        SUITS, {Pattern.PLAIN: 6, Pattern.STRIPES: 1}, "man woman formal warm mild cold", 4,
        folds=0.25,
    ),
    Offer(
        Cut("cargo trousers", _L, hem=1.0, loose_m=0.025, flare_m=0.015),
        CHINOS, CAMOUFLAGED, "man woman girl boy casual work mild cold warm", 0.8, folds=0.7,
    ),
    Offer(
        Cut("tracksuit trousers", _L, hem=1.0, loose_m=0.02),
        DARK, PLAIN, f"{_ALL} sporty casual mild cold warm", 2, folds=0.6, gloss=0.15,
    ),
    Offer(
        Cut("leggings", _L, hem=0.97, thickness_m=0.004, loose_m=0.0),
        {"black": 6, "navy": 1, "charcoal": 2, "purple": 0.3, "burgundy": 0.3},
        {Pattern.PLAIN: 8, Pattern.PRINT: 1}, "woman casual sporty warm mild cold", 2, folds=0.1,
        gloss=0.15,
    ),
    Offer(
        Cut("shorts", _L, hem=0.42, loose_m=0.02, flare_m=0.03),
        CHINOS, CAMOUFLAGED, f"{_ALL} casual work warm", 3,
    ),
    Offer(
        Cut("sports shorts", _L, hem=0.33, loose_m=0.02, flare_m=0.035),
        BRIGHT, PLAIN, f"{_ALL} sporty warm", 4, gloss=0.2,
    ),
    Offer(
        Cut("skirt", _S, hem=0.42, loose_m=0.02, flare_m=0.06),
        MIXED, FLOWERED, "woman girl casual formal work warm mild", 1,
    ),
    Offer(
        Cut("pencil skirt", _S, hem=0.5, loose_m=0.005, flare_m=0.0),
        SUITS, WOVEN, "woman formal work warm mild cold", 1.2,
    ),
    Offer(
        Cut("long skirt", _S, hem=0.88, loose_m=0.02, flare_m=0.13),
        MIXED, FLOWERED, "woman casual formal warm mild cold", 0.8, folds=0.7,
    ),
)  # fmt: skip

DRESSES: Final = (
    Offer(
        Cut("dress", _T, sleeve=0.3, hem=0.45, neck_m=0.07, vee=0.5, flare_m=0.09, loose_m=0.012),
        MIXED, FLOWERED, "woman girl casual formal work warm mild", 3,
    ),
    Offer(
        Cut("summer dress", _T, sleeve=-0.06, hem=0.36, neck_m=0.1, flare_m=0.1, loose_m=0.012),
        BRIGHT, FLOWERED, "woman girl casual warm", 2,
    ),
    Offer(
        Cut("long dress", _T, sleeve=0.85, hem=0.9, neck_m=0.05, flare_m=0.16, loose_m=0.02),
        MIXED, FLOWERED, "woman casual formal warm mild cold", 1.5, folds=0.7,
    ),
)  # fmt: skip

OUTER: Final = (
    Offer(
        Cut("jacket", _T, sleeve=1.0, hem=0.08, opening_m=0.05, collar_m=0.04, thickness_m=0.012,
            loose_m=0.04),
        DARK, CAMOUFLAGED, f"{_ALL} casual work mild cold", 3, folds=0.6, gloss=0.15,
    ),
    Offer(
        Cut("denim jacket", _T, sleeve=0.98, hem=-0.02, opening_m=0.07, collar_m=0.03,
            thickness_m=0.01, loose_m=0.03),
        DENIM, PLAIN, "woman man girl boy casual mild", 1,
    ),
    Offer(
        Cut("leather jacket", _T, sleeve=0.99, hem=0.0, opening_m=0.06, collar_m=0.03,
            thickness_m=0.011, loose_m=0.03),
        {"black": 6, "brown": 2, "tan": 0.6, "burgundy": 0.3}, PLAIN,
        "woman man casual mild cold", 1, gloss=0.55,
    ),
    Offer(
        Cut("cardigan", _T, sleeve=0.97, hem=0.1, opening_m=0.07, thickness_m=0.01, loose_m=0.03),
        MIXED, KNITTED, "woman man casual work formal mild cold", 1.2,
    ),
    Offer(
        Cut("suit jacket", _T, sleeve=0.97, hem=0.12, neck_m=0.2, vee=1, opening_m=0.006,
            collar_m=0.025, thickness_m=0.012, loose_m=0.035),
        SUITS, {Pattern.PLAIN: 6, Pattern.STRIPES: 0.7, Pattern.CHECKS: 0.6},
        "man woman formal warm mild cold", 5, folds=0.2,
    ),
    Offer(
        Cut("coat", _T, sleeve=1.0, hem=0.45, opening_m=0.04, collar_m=0.05, thickness_m=0.016,
            loose_m=0.05, flare_m=0.05),
        DARK, WOVEN, "woman man formal casual cold", 2.5,
    ),
    Offer(
        Cut("coat", _T, sleeve=1.0, hem=0.55, collar_m=0.05, neck_m=0.05, vee=0.5,
            thickness_m=0.016, loose_m=0.05, flare_m=0.05),
        DARK, WOVEN, "woman man formal work casual cold", 1.5,
    ),
    Offer(
        Cut("raincoat", _T, sleeve=1.0, hem=0.3, collar_m=0.03, hood=True, thickness_m=0.013,
            loose_m=0.05, flare_m=0.03),
        {"yellow": 2, "navy": 2, "olive": 2, "red": 1, "black": 1, "beige": 1}, PLAIN,
        f"{_ALL} casual work mild cold", 0.8, gloss=0.45,
    ),
    Offer(
        Cut("padded jacket", _T, sleeve=1.02, hem=0.07, collar_m=0.055, thickness_m=0.03,
            loose_m=0.05),
        {**DARK, "red": 1, "blue": 1, "mustard": 0.5, "white": 0.5}, PLAIN,
        f"{_ALL} casual work sporty cold", 3, folds=1.0, gloss=0.35,
    ),
    Offer(
        Cut("parka", _T, sleeve=1.02, hem=0.25, collar_m=0.05, hood=True, thickness_m=0.022,
            loose_m=0.05),
        DARK, CAMOUFLAGED, f"{_ALL} casual cold", 1.5, folds=0.6,
    ),
    Offer(
        Cut("training jacket", _T, sleeve=0.99, hem=0.05, opening_m=0.03, collar_m=0.045,
            thickness_m=0.009, loose_m=0.03),
        BRIGHT, {Pattern.PLAIN: 3, Pattern.LOGO: 1}, f"{_ALL} sporty mild cold", 3, gloss=0.25,
    ),
    Offer(
        Cut("safety vest", _T, sleeve=-0.02, hem=0.08, neck_m=0.14, vee=0.8, opening_m=0.02,
            thickness_m=0.012, loose_m=0.04),
        SIGNALS, {Pattern.BANDS: 1}, "man woman work warm mild cold", 1.2, gloss=0.3,
    ),
    Offer(
        Cut("waistcoat", _T, sleeve=-0.02, hem=0.02, neck_m=0.16, vee=1, thickness_m=0.01,
            loose_m=0.015),
        SUITS, PLAIN, "man woman formal work warm mild", 0.5,
    ),
)  # fmt: skip

SHOE_COLOURS: Final[dict[str, Odds]] = {
    "trainers": {"white": 5, "black": 4, "grey": 2, "navy": 1, "red": 0.7, "pink": 0.4, "lime": 0.3,
                 "blue": 0.6},
    "shoes": {"black": 6, "brown": 3, "tan": 1.5, "burgundy": 0.4},
    "boots": {"black": 5, "brown": 2, "tan": 1.2, "grey": 0.4},
    "sandals": {"brown": 3, "black": 3, "tan": 2, "beige": 1},
    "flats": {"black": 4, "beige": 1.5, "red": 0.6, "navy": 1, "cream": 0.6},
}  # fmt: skip
BAGS: Final[Odds] = {
    "black": 8, "navy": 2.5, "grey": 2.5, "brown": 2, "tan": 1.5, "red": 1, "olive": 1, "blue": 1,
    "beige": 0.8, "burgundy": 0.6, "turquoise": 0.5, "pink": 0.5, "mustard": 0.4, "white": 0.4,
}  # fmt: skip
