"""Draws the materials of people: cloth, leather, skin and hair."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from cameras.simulation import catalogue
from cameras.simulation.catalogue import Odds
from cameras.simulation.looks import COLOURS
from cameras.simulation.meshes import Colour, Material, Pattern

Choice = TypeVar("Choice")
Rng = np.random.Generator


def fabric(
    rng: Rng,
    colours: Odds,
    patterns: Mapping[Pattern, float],
    folds: float = 0.3,
    gloss: float = 0.05,
) -> Material:
    """A cloth: colours, pattern and its state; its infrared reflectance is any, as with dyes."""
    pattern = pick(rng, patterns)
    colour = _dyed(rng, COLOURS[pick(rng, colours)])
    scale = {
        Pattern.BANDS: rng.uniform(0.03, 0.12),
        Pattern.STRIPES: rng.uniform(0.015, 0.05),
        Pattern.CHECKS: rng.uniform(0.03, 0.1),
        Pattern.DOTS: rng.uniform(0.025, 0.06),
        Pattern.PRINT: rng.uniform(0.06, 0.2),
    }.get(pattern, 0.1)
    return Material(
        colour=colour,
        second=_second(rng, colour, pattern),
        pattern=pattern,
        scale_m=float(scale),
        seed=float(rng.random()),
        wear=float(rng.beta(1, 3)),
        gloss=gloss,
        folds=float(np.clip(folds * rng.uniform(0.6, 1.3), 0, 1)),
        infrared=float(np.clip(rng.normal(0.55, 0.2), 0.08, 0.95)),
    )


def _second(rng: Rng, colour: Colour, pattern: Pattern) -> Colour:
    """What goes with a colour: often a shade of it, in checks and pinstripes mostly."""
    shade = {Pattern.STRIPES: 1.0, Pattern.CHECKS: 0.7}.get(pattern, 0.2)
    if rng.random() < shade:
        factor = rng.uniform(0.5, 0.75) if sum(colour) > 1 else rng.uniform(1.3, 1.8)
        red, green, blue = (min(factor * part, 0.95) for part in colour)
        return float(red), float(green), float(blue)
    return _dyed(rng, COLOURS[pick(rng, catalogue.MIXED)])


def _dyed(rng: Rng, colour: Colour, spread: float = 0.025) -> Colour:
    """A colour near the given one."""
    light = rng.uniform(0.9, 1.08)
    red, green, blue = np.clip(np.array(colour) * light + rng.normal(0, spread, 3), 0.02, 0.95)
    return float(red), float(green), float(blue)


def plain(rng: Rng, colours: Odds, gloss: float) -> Material:
    return fabric(rng, colours, catalogue.PLAIN, folds=0.1, gloss=gloss)


def skin(rng: Rng) -> Material:
    colour = _dyed(rng, _pick_code(rng, catalogue.SKINS), spread=0.012)
    red, green, blue = colour
    flushed = (min(red * 1.05, 1.0), green * 0.78, blue * 0.75)
    return Material(
        colour, flushed, Pattern.SKIN, seed=float(rng.random()), gloss=0.25, infrared=0.6
    )


def hair(rng: Rng, skin: Colour, child: bool) -> Material:
    """Hair, darker with darker skin, and grey on some."""
    codes = catalogue.FAIR_HAIRS if sum(skin) > 1.75 else catalogue.DARK_HAIRS
    if not child and rng.random() < 0.13:
        codes = catalogue.GREY_HAIRS
    colour = _dyed(rng, _pick_code(rng, codes), spread=0.01)
    red, green, blue = (min(1.6 * part + 0.02, 1.0) for part in colour)
    return Material(
        colour,
        (red, green, blue),
        Pattern.STRANDS,
        seed=float(rng.random()),
        gloss=0.3,
        infrared=float(rng.uniform(0.35, 0.7)),
    )


def pick(rng: Rng, odds: Mapping[Choice, float]) -> Choice:
    """A key, as often as its odds say."""
    shares = np.array(list(odds.values()))
    return list(odds)[int(rng.choice(len(shares), p=shares / shares.sum()))]


def _pick_code(rng: Rng, odds: Mapping[int, float]) -> Colour:
    code = pick(rng, odds)
    return (code >> 16) / 255, ((code >> 8) & 255) / 255, (code & 255) / 255
